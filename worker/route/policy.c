/*
 * policy.c: from a policy file to a compiled, checked, immutable policy with two versions.
 *
 * The one idea: the versions are hashes of the compiled form, not of the file, so comments and the order of keys change
 * nothing and everything that matters does. decision_version covers what can change a decision; version covers all.
 * It does not decide: that is route.c and the stages.
 */
#include "worker/route/policy_load.h"

#include <stdio.h>
#include <stdlib.h>

#include "worker/route/costs.h"
#include "worker/route/guard.h"
#include "worker/route/language.h"
#include "worker/route/thresholds.h"

/* Raised when the reading of texts or the order of stages decides differently for the same policy. */
enum { DECISION_CODE_VERSION = 1 };

struct policy_settings {
	struct str name;
	const struct node *baseline, *when_unsure, *routes, *stages, *languages, *costs, *guards, *sticky;
	struct text_rules text;
};

static enum rc parse_strip(const struct node *node, void *field, struct arena *arena, struct err *err)
{
	static const char *const names[] = {"html", "quoted_reply", "signature"};
	(void)arena; /* nothing to keep */
	uint32_t bits = 0, n = node->kind == NODE_LIST ? node->count : 1;
	for (uint32_t i = 0; i < n; i++) {
		const struct node *item = node->kind == NODE_LIST ? node->entries[i].value : node;
		uint32_t bit = 0;
		for (unsigned k = 0; item->kind == NODE_SCALAR && k < 3; k++)
			if (str_is(item->scalar, names[k]))
				bit = 1u << k;
		if (bit == 0)
			return config_error(item, err, "html, quoted_reply or signature is expected");
		bits |= bit;
	}
	*(uint32_t *)field = bits;
	return RC_OK;
}

static const struct config_option text_options[] = {
	{.name = "use", .kind = OPTION_ENUM, .offset = offsetof(struct text_rules, use), .fallback = "last_user",
	 .choices = "last_user|first_user|all_user|all", .doc = "Which messages the router reads."},
	{.name = "max_chars", .kind = OPTION_U32, .offset = offsetof(struct text_rules, max_chars), .fallback = "4000", .min = 16,
	 .max = 1000000, .doc = "Longer texts are read as their head and tail."},
	{.name = "strip", .kind = OPTION_CUSTOM, .offset = offsetof(struct text_rules, strip), .parse = parse_strip,
	 .doc = "What is left out: html, quoted_reply, signature."},
	{.name = NULL},
};

#define KEEP(field) .kind = OPTION_CUSTOM, .offset = offsetof(struct policy_settings, field), .parse = policy_keep_node
static const struct config_option policy_options[] = {
	{.name = "name", .kind = OPTION_STR, .offset = offsetof(struct policy_settings, name), .fallback = "policy",
	 .doc = "Named in audit records and metrics."},
	{.name = "when_unsure", KEEP(when_unsure), .doc = "The route for texts no stage is confident about: a trusted, capable model."},
	{.name = "baseline", KEEP(baseline), .doc = "The model that savings are measured against."},
	{.name = "text", .kind = OPTION_SECTION, .offset = offsetof(struct policy_settings, text), .sub = text_options,
	 .doc = "What the router reads of a record."},
	{.name = "languages", KEEP(languages), .doc = "The languages the policy was measured in; learned stages pass on others."},
	{.name = "routes", KEEP(routes), .required = true, .doc = "Where texts can go."},
	{.name = "costs", KEEP(costs), .doc = "What errors cost, for eval and calibrate: {careful->quick: 25.00, default: 1}."},
	{.name = "sticky", KEEP(sticky),
	 .doc = "Conversations that were escalated stay so: {by: conversation_id, turns: 6, routes: [careful], ttl: 24h}."},
	{.name = "stages", KEEP(stages), .doc = "Asked in this order; the first confident one decides."},
	{.name = "guards", KEEP(guards), .doc = "Which models may see a record, over all of it and whatever its route."},
	{.name = NULL},
};
#undef KEEP

static const char *route_name(const void *ctx, unsigned i)
{
	return ((const struct policy *)ctx)->routes[i].name.data;
}

const char *policy_suggest_route(const struct policy *policy, struct str word)
{
	return config_suggest(word, route_name, policy, policy->route_count);
}

int policy_find_route(const struct policy *policy, struct str name)
{
	for (uint32_t i = 0; i < policy->route_count; i++)
		if (str_eq(policy->routes[i].name, name))
			return (int)i;
	return -1;
}

enum rc policy_name_route(const struct policy *policy, const struct node *node, int *ret, struct err *err)
{
	if (node->kind != NODE_SCALAR)
		return config_error(node, err, "the name of a route is expected");
	int route = policy_find_route(policy, node->scalar);
	if (route < 0)
		return config_error_unknown(node, err, "route", route_name, policy, policy->route_count);
	*ret = route;
	return RC_OK;
}

enum rc policy_refer_route(struct policy *policy, const struct node *node, int *ret, struct err *err)
{
	enum rc rc = policy_name_route(policy, node, ret, err);
	if (rc == RC_OK)
		policy->reachable[*ret] = true;
	return rc;
}

void policy_reads_attribute(struct policy *policy, struct str name)
{
	struct policy_inputs *in = &policy->inputs;
	uint32_t at = 0;
	while (at < in->attribute_count && str_cmp(in->attributes[at], name) < 0)
		at++;
	if (at < in->attribute_count && str_eq(in->attributes[at], name))
		return;
	struct str *grown = arena_array(&policy->arena, (size_t)in->attribute_count + 1, sizeof *grown);
	for (uint32_t i = 0; i < in->attribute_count; i++)
		grown[i + (i >= at)] = in->attributes[i];
	grown[at] = name;
	in->attributes = grown;
	in->attribute_count++;
}

void policy_warn(struct policy *policy, const char *fmt, ...)
{
	char text[512];
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof text, fmt, ap); /* cut on purpose */
	va_end(ap);
	buf_cstr(&policy->warnings, text);
	buf_char(&policy->warnings, '\n');
}

static const char *stage_name(const void *ctx, unsigned i)
{
	(void)ctx; /* the table is constant */
	return stage_table[i]->name;
}

static enum rc open_stage(struct policy *policy, const struct settings *settings, const struct node *node, struct arena *brief,
                          struct canon *canon, struct err *err)
{
	if (node->kind != NODE_MAP || node->count != 1)
		return config_error(node, err, "one stage with its settings is expected, for example - rules: [...]");
	const struct node *key = node->entries[0].key;
	const struct stage_ops *ops = stage_find(key->scalar);
	if (ops == NULL) {
		unsigned n = 0;
		while (stage_table[n] != NULL)
			n++;
		return config_error_unknown(key, err, "stage", stage_name, NULL, n);
	}
	if (policy->stage_count == POLICY_MAX_STAGES)
		return config_error(key, err, "a policy has at most %d stages", POLICY_MAX_STAGES);
	struct policy_stage *stage = &policy->stages[policy->stage_count];
	struct stage_setup setup = {.policy = policy, .settings = settings, .node = node->entries[0].value, .brief = brief, .canon = canon};
	size_t begin = canon->buf.len;
	canon_tag(canon, ops->name);
	canon_u64(canon, ops->version);
	enum rc rc = ops->open(&setup, &stage->config, err);
	if (rc != RC_OK)
		return rc;
	stage->ops = ops;
	stage->thresholds = setup.thresholds;
	stage->any_scope = setup.any_scope;
	policy->stage_count++;
	if (setup.thresholds == NULL)
		return RC_OK;
	struct str all = buf_view(&canon->buf);
	return thresholds_check(setup.thresholds, policy, ops->name, setup.node, (struct str){all.data + begin, all.len - begin}, brief, err);
}

static enum rc parse_languages(struct policy *policy, const struct node *node, struct arena *brief, struct err *err)
{
	struct policy_strings list;
	enum rc rc = policy_strings(policy, node, brief, &list, err);
	for (uint32_t i = 0; rc == RC_OK && i < list.count; i++) {
		const char *code = NULL;
		rc = policy_language(list.nodes[i], &code, err);
		for (unsigned bit = 0; rc == RC_OK && language_at(bit) != NULL; bit++)
			if (language_at(bit) == code)
				policy->languages |= 1u << bit;
	}
	return rc;
}

/* One model route alone is its own safe default. */
static enum rc parse_when_unsure(struct policy *policy, const struct node *root, const struct node *node, struct err *err)
{
	if (node == NULL) {
		if (policy->route_count != 1 || policy->routes[0].topic.data != NULL)
			return config_error(root, err, "when_unsure is missing: the route for texts no stage is confident about");
		policy->reachable[0] = true;
		policy->when_unsure = 0;
		return RC_OK;
	}
	enum rc rc = policy_refer_route(policy, node, &policy->when_unsure, err);
	if (rc == RC_OK && policy->routes[policy->when_unsure].topic.data != NULL)
		return config_error(node, err, "when_unsure must be a route with models, and \"%.*s\" goes to a topic", STR_ARG(node->scalar));
	return rc;
}

static enum rc parse_stages(struct policy *policy, const struct settings *settings, const struct node *node, struct arena *brief,
                            struct canon *canon, struct err *err)
{
	if (node == NULL)
		return RC_OK;
	if (node->kind != NODE_LIST)
		return config_error(node, err, "a list of stages is expected");
	enum rc rc = RC_OK;
	for (unsigned i = 0; i < node->count && rc == RC_OK; i++)
		rc = open_stage(policy, settings, node->entries[i].value, brief, canon, err);
	return rc;
}

static void decision_canon(struct policy *policy, struct canon *canon)
{
	canon_u64(canon, DECISION_CODE_VERSION);
	canon_u64(canon, (uint64_t)policy->text.use);
	canon_u64(canon, policy->text.max_chars);
	canon_u64(canon, policy->text.strip);
	canon_u64(canon, policy->languages);
	canon_str(canon, policy->routes[policy->when_unsure].name);
	canon_u64(canon, policy->route_count);
	for (uint32_t i = 0; i < policy->route_count; i++)
		canon_str(canon, policy->routes[i].name);
}

static enum rc compile(struct policy *policy, const struct settings *settings, const struct node *root, struct arena *brief,
                       struct err *err)
{
	struct policy_settings s = {0};
	struct canon decision, all;
	buf_init(&decision.buf, brief, 4096);
	buf_init(&all.buf, brief, 4096);
	enum rc rc = config_bind(policy_options, root, &s, brief, err);
	if (rc == RC_OK)
		rc = policy_routes_parse(policy, settings, s.routes, brief, &all, err);
	if (rc == RC_OK)
		rc = parse_when_unsure(policy, root, s.when_unsure, err);
	if (rc == RC_OK && s.languages != NULL)
		rc = parse_languages(policy, s.languages, brief, err);
	if (rc != RC_OK)
		return rc;
	if (s.costs != NULL)
		rc = costs_read(policy, s.costs, &policy->arena, &policy->costs, err); /* in no version: they decide nothing */
	if (rc != RC_OK)
		return rc;
	policy->name = arena_str(&policy->arena, s.name);
	policy->text = s.text;
	policy->baseline = -1;
	if (s.baseline != NULL)
		rc = policy_refer_model(settings, s.baseline, &policy->baseline, err);
	if (rc != RC_OK)
		return rc;
	decision_canon(policy, &decision);
	rc = parse_stages(policy, settings, s.stages, brief, &decision, err);
	if (rc != RC_OK)
		return rc;
	rc = guards_parse(policy, settings, s.guards, brief, &decision, err);
	if (rc == RC_OK)
		rc = conversation_parse(policy, s.sticky, brief, &decision, err);
	if (rc != RC_OK)
		return rc;
	policy_hash(&decision, policy->decision_version);
	canon_str(&all, buf_view(&decision.buf));
	canon_str(&all, policy->name);
	canon_str(&all, policy->baseline >= 0 ? settings->models[policy->baseline].name : STR_NULL);
	policy_hash(&all, policy->version);
	for (uint32_t i = 0; i < policy->route_count; i++)
		if (policy->route_examples[i] != NULL && !policy->examples_read)
			policy_warn(policy, "route %.*s: its examples are not read: no stage of this policy embeds texts", STR_ARG(policy->routes[i].name));
	policy->route_examples = NULL; /* the nodes end with the loading */
	for (uint32_t i = 0; i < policy->route_count; i++)
		if (!policy->reachable[i])
			policy_warn(policy, "route %.*s: no rule and no example leads there", STR_ARG(policy->routes[i].name));
	if (policy->stage_count == 0 && policy->route_count > 1)
		policy_warn(policy, "the policy has no stages: every text goes to %.*s", STR_ARG(policy->routes[policy->when_unsure].name));
	return RC_OK;
}

static void destroy(struct policy *policy)
{
	for (uint32_t i = 0; i < policy->stage_count; i++)
		if (policy->stages[i].ops->close != NULL)
			policy->stages[i].ops->close(policy->stages[i].config);
	guards_close(policy->guards);
	arena_free(&policy->arena);
	free(policy);
}

static enum rc build(const struct node *root, struct str folder, const struct settings *settings, struct arena *brief,
                     struct policy **ret, struct err *err)
{
	struct policy *policy = heap_zalloc(1, sizeof *policy);
	atomic_init(&policy->refs, 1);
	arena_init(&policy->arena, 16384);
	buf_init(&policy->warnings, &policy->arena, 0);
	policy->folder = arena_str(&policy->arena, folder);
	enum rc rc = compile(policy, settings, root, brief, err);
	if (rc == RC_OK)
		*ret = policy;
	else
		destroy(policy);
	return rc;
}

enum rc policy_parse(const char *name, struct str text, const char *folder, const struct settings *settings,
                     struct policy **ret, struct err *err)
{
	struct arena brief;
	arena_init(&brief, 65536);
	const struct node *root;
	enum rc rc = config_parse(&brief, name, text, &root, err);
	if (rc == RC_OK)
		rc = build(root, str_of(folder), settings, &brief, ret, err);
	arena_free(&brief);
	return rc;
}

enum rc policy_load(const char *path, const struct settings *settings, struct policy **ret, struct err *err)
{
	struct arena brief;
	arena_init(&brief, 65536);
	const char *slash = strrchr(path, '/');
	struct str folder = slash == NULL ? STR(".") : slash == path ? STR("/") : (struct str){path, (size_t)(slash - path)};
	const struct node *root;
	enum rc rc = config_load(&brief, path, &root, err);
	if (rc == RC_OK)
		rc = build(root, folder, settings, &brief, ret, err);
	arena_free(&brief);
	return rc;
}

struct policy *policy_ref(struct policy *policy)
{
	atomic_fetch_add_explicit(&policy->refs, 1, memory_order_relaxed);
	return policy;
}

void policy_unref(const struct policy *policy)
{
	struct policy *mine = (struct policy *)policy; /* only its count was ever written by the holders */
	if (mine != NULL && atomic_fetch_sub_explicit(&mine->refs, 1, memory_order_acq_rel) == 1)
		destroy(mine);
}

struct str policy_name(const struct policy *policy) { return policy->name; }
struct str policy_decision_version(const struct policy *policy) { return str_of(policy->decision_version); }
struct str policy_version(const struct policy *policy) { return str_of(policy->version); }
uint32_t policy_route_count(const struct policy *policy) { return policy->route_count; }
const struct route *policy_route(const struct policy *policy, uint32_t index) { return &policy->routes[index]; }
int policy_when_unsure(const struct policy *policy) { return policy->when_unsure; }
int policy_baseline_model(const struct policy *policy) { return policy->baseline; }
bool policy_asks(const struct policy *policy) { return policy->asks; }
bool policy_embeds(const struct policy *policy, uint32_t model)
{
	uint32_t i = 0;
	while (i < policy->embedder_count && policy->embedders[i] != model)
		i++;
	return i < policy->embedder_count;
}


void policy_warnings(const struct policy *policy, struct buf *out)
{
	buf_str(out, buf_view(&policy->warnings));
}
