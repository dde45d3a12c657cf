/*
 * guard_compile.c: the guards section of a policy: conditions as rules have them, and what follows for the models.
 *
 * The one idea: whatever a guard says of tags, names and lists becomes one set of models that may not see the record, when the
 * policy is loaded. A guard that can have no effect, or that no model of the configuration satisfies, is an error there and not a
 * surprise at night.
 */
#include "worker/route/guard.h"

#include <stdlib.h>

/* Raised when the same guards may find something else in the same record. */
enum { CODE_VERSION = 1 };

struct guard_settings {
	struct str name;
	const struct node *when, *tenants, *only_models, *not_models, *models, *reject;
};

#define KEEP(field) .kind = OPTION_CUSTOM, .offset = offsetof(struct guard_settings, field), .parse = policy_keep_node
static const struct config_option guard_options[] = {
	{.name = "name", .kind = OPTION_STR, .offset = offsetof(struct guard_settings, name), .required = true,
	 .doc = "Names the guard in audit records and metrics."},
	{.name = "when", KEEP(when), .doc = "The condition, as in rules, over the whole record. Without it: every record."},
	{.name = "tenants", KEEP(tenants), .doc = "Tenants that the guard lets pass; it is for all others."},
	{.name = "only_models", KEEP(only_models), .doc = "Only models with these tags, or of these names, may see the record."},
	{.name = "not_models", KEEP(not_models), .doc = "Models with these tags, or of these names, may not."},
	{.name = "models", KEEP(models), .doc = "These models serve the record, in this order, in place of the route's; no others see it."},
	{.name = "reject", KEEP(reject), .doc = "true: the record is rejected."},
	{.name = NULL},
};
#undef KEEP

struct building {
	struct policy *policy;
	const struct settings *settings;
	struct arena *brief;
	struct canon *canon;
};

static size_t words_of(const struct settings *settings)
{
	return (settings->model_count + 63u) / 64u;
}

static void mark(uint64_t *bits, uint32_t i)
{
	bits[i / 64] |= UINT64_C(1) << (i % 64);
}

static bool marked(const uint64_t *bits, uint32_t i)
{
	return (bits[i / 64] >> (i % 64) & 1) != 0;
}

/* All tags that models have, as "name: value", each once. */
struct tag_names {
	char **items;
	unsigned count;
};

static const char *tag_at(const void *ctx, unsigned i)
{
	return ((const struct tag_names *)ctx)->items[i];
}

static struct tag_names all_tags(const struct building *b)
{
	size_t most = 0;
	for (uint32_t m = 0; m < b->settings->model_count; m++)
		most += b->settings->models[m].tags.count;
	struct tag_names names = {arena_array(b->brief, most, sizeof(char *)), 0};
	for (uint32_t m = 0; m < b->settings->model_count; m++) {
		const struct pair_list *tags = &b->settings->models[m].tags;
		for (uint32_t t = 0; t < tags->count; t++) {
			struct str tag = arena_printf(b->brief, "%.*s: %.*s", STR_ARG(tags->items[t].name), STR_ARG(tags->items[t].value));
			bool there = false;
			for (unsigned i = 0; i < names.count && !there; i++)
				there = str_is(tag, names.items[i]);
			if (!there)
				names.items[names.count++] = arena_cstr(b->brief, tag);
		}
	}
	return names;
}

static bool has_tag(const struct model_settings *model, struct str name, struct str value)
{
	for (uint32_t i = 0; i < model->tags.count; i++)
		if (str_eq(model->tags.items[i].name, name) && str_eq(model->tags.items[i].value, value))
			return true;
	return false;
}

/* A value that no model has is most often a slip of the finger, and would let nobody, or everybody, see the record. */
static enum rc check_tag(const struct building *b, const struct node *at, struct str name, struct str value, struct err *err)
{
	for (uint32_t m = 0; m < b->settings->model_count; m++)
		if (has_tag(&b->settings->models[m], name, value))
			return RC_OK;
	struct tag_names names = all_tags(b);
	struct str tag = arena_printf(b->brief, "%.*s: %.*s", STR_ARG(name), STR_ARG(value));
	const char *near = config_suggest(tag, tag_at, &names, names.count);
	struct str hint = near != NULL ? arena_printf(b->brief, "did you mean \"%s\"?", near)
	                               : STR("tags are set at the models: tags: {region: eu}");
	return config_error_hint(at, err, hint.data, "no model has the tag \"%.*s\"", STR_ARG(tag));
}

/* {region: [eu, ch], size: large}: models that have one of the values of each. */
static enum rc select_tags(const struct building *b, const struct node *node, uint64_t *ret, struct err *err)
{
	if (node->count == 0)
		return config_error(node, err, "tags and their values are expected, for example {region: eu}");
	for (uint32_t m = 0; m < b->settings->model_count; m++)
		mark(ret, m);
	for (unsigned t = 0; t < node->count; t++) {
		struct str name = node->entries[t].key->scalar;
		struct policy_strings values;
		enum rc rc = policy_strings(b->policy, node->entries[t].value, b->brief, &values, err);
		for (uint32_t v = 0; rc == RC_OK && v < values.count; v++)
			rc = check_tag(b, values.nodes[v], name, values.items[v], err);
		if (rc != RC_OK)
			return rc;
		for (uint32_t m = 0; m < b->settings->model_count; m++) {
			bool one = false;
			for (uint32_t v = 0; v < values.count && !one; v++)
				one = has_tag(&b->settings->models[m], name, values.items[v]);
			if (!one)
				ret[m / 64] &= ~(UINT64_C(1) << (m % 64));
		}
	}
	for (size_t i = 0; i < words_of(b->settings); i++)
		if (ret[i] != 0)
			return RC_OK;
	return config_error(node, err, "no model has all of these tags");
}

/* A name, a list of names or a map of tags. */
static enum rc select_models(const struct building *b, const struct node *node, uint64_t *ret, struct err *err)
{
	if (node->kind == NODE_MAP)
		return select_tags(b, node, ret, err);
	struct policy_strings names;
	enum rc rc = policy_strings(b->policy, node, b->brief, &names, err);
	for (uint32_t i = 0; rc == RC_OK && i < names.count; i++) {
		int model = -1;
		rc = policy_refer_model(b->settings, names.nodes[i], &model, err);
		if (rc == RC_OK)
			mark(ret, (uint32_t)model);
	}
	return rc;
}

/* "only a, b may see it", by whichever list is the shorter to read. */
static struct str effect_words(const struct building *b, const uint64_t *forbidden)
{
	enum { NAMED = 8 };
	uint32_t shut = 0, count = b->settings->model_count, named = 0;
	for (uint32_t m = 0; m < count; m++)
		shut += marked(forbidden, m);
	bool only = shut * 2 > count;
	struct buf out;
	buf_init(&out, &b->policy->arena, 64);
	buf_cstr(&out, only ? "only " : "");
	for (uint32_t m = 0; m < count; m++) {
		if (marked(forbidden, m) == only)
			continue;
		if (named++ == NAMED) {
			buf_printf(&out, " and %u more", (only ? count - shut : shut) - NAMED);
			break;
		}
		buf_printf(&out, "%s%.*s", named == 1 ? "" : ", ", STR_ARG(b->settings->models[m].name));
	}
	buf_cstr(&out, only ? " may see it" : " may not see it");
	return buf_view(&out);
}

static enum rc replace(const struct building *b, const struct node *node, struct guard *guard, struct err *err)
{
	struct policy_strings names;
	enum rc rc = policy_strings(b->policy, node, b->brief, &names, err);
	if (rc != RC_OK)
		return rc;
	if (names.count > POLICY_MAX_MODELS)
		return config_error(node, err, "a guard names at most %d models", POLICY_MAX_MODELS);
	guard->models = arena_array(&b->policy->arena, names.count, sizeof *guard->models);
	struct buf words;
	buf_init(&words, &b->policy->arena, 64);
	for (uint32_t i = 0; rc == RC_OK && i < names.count; i++) {
		int model = -1;
		rc = policy_refer_model(b->settings, names.nodes[i], &model, err);
		for (uint32_t k = 0; rc == RC_OK && k < i; k++)
			if (guard->models[k] == model)
				return config_error(names.nodes[i], err, "the model %.*s is named twice", STR_ARG(names.items[i]));
		if (rc != RC_OK)
			return rc;
		guard->models[guard->model_count++] = (uint16_t)model;
		guard->forbidden[model / 64] &= ~(UINT64_C(1) << (model % 64));
		buf_printf(&words, "%s%.*s", i == 0 ? "no model but " : ", then ", STR_ARG(names.items[i]));
	}
	guard->effect = buf_view(&words);
	return rc;
}

/* Exactly one of the four. */
static enum rc parse_effect(const struct building *b, const struct node *node, const struct guard_settings *s, struct guard *guard,
                            struct err *err)
{
	const struct node *const effects[] = {s->only_models, s->not_models, s->models, s->reject};
	const struct node *effect = NULL;
	for (unsigned i = 0; i < 4; i++) {
		if (effects[i] == NULL)
			continue;
		if (effect != NULL)
			return config_error(effects[i], err, "a guard has one of only_models, not_models, models and reject");
		effect = effects[i];
	}
	if (effect == NULL)
		return config_error_hint(node, err, "for example only_models: {region: eu}",
		                         "the guard %.*s has no effect: only_models, not_models, models or reject is missing", STR_ARG(s->name));
	guard->forbidden = arena_array(&b->policy->arena, words_of(b->settings), sizeof *guard->forbidden);
	if (s->reject != NULL) {
		guard->kind = GUARD_REJECTS;
		guard->effect = STR("rejected");
		if (effect->kind != NODE_SCALAR || !str_is(effect->scalar, "true"))
			return config_error(effect, err, "true is expected");
		return RC_OK;
	}
	guard->kind = s->models != NULL ? GUARD_REPLACES : GUARD_NARROWS;
	enum rc rc = s->models == NULL ? select_models(b, effect, guard->forbidden, err) : RC_OK;
	for (uint32_t m = 0; s->not_models == NULL && m < b->settings->model_count; m++)
		guard->forbidden[m / 64] ^= UINT64_C(1) << (m % 64);
	if (rc != RC_OK || s->models != NULL)
		return rc == RC_OK ? replace(b, effect, guard, err) : rc;
	guard->effect = effect_words(b, guard->forbidden);
	bool any = false;
	for (uint32_t m = 0; m < b->settings->model_count; m++)
		any = any || !marked(guard->forbidden, m);
	return any ? RC_OK : config_error_hint(effect, err, "reject: true says it plainly", "no model is left for any record");
}

static bool reads_text(const struct cond *cond)
{
	bool parts = cond->kind <= COND_NONE;
	for (uint32_t i = 0; parts && i < cond->count; i++)
		if (reads_text(&cond->parts[i]))
			return true;
	return !parts && cond->kind < COND_ATTRIBUTE;
}

static void add_canon(const struct building *b, const struct guard *guard)
{
	canon_u64(b->canon, guard->kind);
	canon_u64(b->canon, guard->tenant_count);
	for (uint32_t i = 0; i < guard->tenant_count; i++)
		canon_str(b->canon, guard->tenants[i]);
	canon_u64(b->canon, guard->model_count);
	for (uint32_t i = 0; i < guard->model_count; i++)
		canon_str(b->canon, b->settings->models[guard->models[i]].name);
	for (uint32_t m = 0; m < b->settings->model_count; m++)
		if (marked(guard->forbidden, m))
			canon_str(b->canon, b->settings->models[m].name);
}

static enum rc parse_guard(const struct building *b, struct cond_compiler *compiler, const struct node *node, struct guard *guard,
                           struct err *err)
{
	struct guards *guards = b->policy->guards;
	struct guard_settings s = {0};
	enum rc rc = config_bind(guard_options, node, &s, b->brief, err);
	if (rc != RC_OK)
		return rc;
	if (s.name.len == 0 || s.name.len > POLICY_MAX_NAME)
		return config_error(config_get(node, "name"), err, "a guard's name has 1 to %d bytes", POLICY_MAX_NAME);
	for (const struct guard *g = guards->items; g < guard; g++)
		if (str_eq(g->name, s.name))
			return config_error(config_get(node, "name"), err, "there are two guards of the name \"%.*s\"", STR_ARG(s.name));
	guard->name = arena_str(&b->policy->arena, s.name);
	canon_str(b->canon, guard->name);
	if (s.when != NULL) {
		guard->when = arena_zalloc(&b->policy->arena, sizeof *guard->when);
		rc = cond_compile(compiler, s.when, 1, guard->when, err);
		guards->reads_text = guards->reads_text || (rc == RC_OK && reads_text(guard->when));
	}
	struct policy_strings tenants = {0};
	if (rc == RC_OK && s.tenants != NULL)
		rc = policy_strings(b->policy, s.tenants, b->brief, &tenants, err);
	guard->tenants = tenants.items;
	guard->tenant_count = tenants.count;
	if (rc == RC_OK)
		rc = parse_effect(b, node, &s, guard, err);
	if (rc == RC_OK)
		add_canon(b, guard);
	return rc;
}

/* A guard under which a route has no model left is legal: when_unsure's take it, or it is rejected. It is said, though. */
static void warn_of_empty_routes(struct policy *policy, const struct guard *guard)
{
	const struct route *safe = &policy->routes[policy->when_unsure];
	bool safe_left = false;
	for (uint32_t i = 0; i < safe->model_count; i++)
		safe_left = safe_left || !marked(guard->forbidden, safe->models[i]);
	for (uint32_t r = 0; guard->kind == GUARD_NARROWS && r < policy->route_count; r++) {
		const struct route *route = &policy->routes[r];
		bool left = route->model_count == 0; /* a topic */
		for (uint32_t i = 0; i < route->model_count && !left; i++)
			left = !marked(guard->forbidden, route->models[i]);
		if (left)
			continue;
		if (safe_left)
			policy_warn(policy, "guard %.*s leaves route %.*s no model: its records go to %.*s", STR_ARG(guard->name),
			            STR_ARG(route->name), STR_ARG(safe->name));
		else
			policy_warn(policy, "guard %.*s leaves route %.*s no model, and when_unsure none either: its records are rejected",
			            STR_ARG(guard->name), STR_ARG(route->name));
	}
}

/* Context sizes guard too, without a line in the policy. */
static void copy_models(const struct building *b)
{
	struct policy *policy = b->policy;
	policy->model_count = b->settings->model_count;
	policy->models = arena_array(&policy->arena, policy->model_count, sizeof *policy->models);
	for (uint32_t m = 0; m < policy->model_count; m++) {
		const struct model_settings *model = &b->settings->models[m];
		policy->models[m] = (struct guarded_model){arena_str(&policy->arena, model->name), model->context_tokens};
		if (model->context_tokens == 0)
			continue;
		canon_tag(b->canon, "context");
		canon_str(b->canon, model->name);
		canon_u64(b->canon, (uint64_t)model->context_tokens);
	}
}

enum rc guards_parse(struct policy *policy, const struct settings *settings, const struct node *node, struct arena *brief,
                     struct canon *canon, struct err *err)
{
	struct building b = {policy, settings, brief, canon};
	copy_models(&b);
	if (node == NULL)
		return RC_OK;
	if (node->kind != NODE_LIST || node->count == 0)
		return config_error(node, err, "a list of guards is expected, for example "
		                    "[{name: cards-stay-here, when: {pii: card}, only_models: {region: eu}}]");
	if (node->count > GUARD_MAX)
		return config_error(node, err, "there are more than %d guards", GUARD_MAX);
	struct guards *guards = policy->guards = arena_zalloc(&policy->arena, sizeof *guards);
	lexicon_init(&guards->lexicon);
	guards->items = arena_array(&policy->arena, node->count, sizeof *guards->items);
	const struct policy_inputs inputs = policy->inputs; /* the stages': what guards read is no part of the cache's key */
	struct stage_setup setup = {.policy = policy, .node = node, .brief = brief, .canon = canon};
	struct cond_compiler compiler = {.setup = &setup, .lexicon = &guards->lexicon, .whole_record = true};
	canon_tag(canon, "guards");
	canon_u64(canon, CODE_VERSION);
	canon_u64(canon, node->count);
	enum rc rc = RC_OK;
	for (; guards->count < node->count && rc == RC_OK; guards->count++)
		rc = parse_guard(&b, &compiler, node->entries[guards->count].value, &guards->items[guards->count], err);
	policy->inputs = inputs;
	guards->pii = compiler.pii;
	struct err why;
	if (rc == RC_OK && keywords_compile(guards->lexicon.keywords, &why) != RC_OK)
		rc = config_error(node, err, "%s", why.text);
	for (uint32_t i = 0; rc == RC_OK && i < guards->count; i++)
		warn_of_empty_routes(policy, &guards->items[i]);
	return rc;
}

void guards_close(struct guards *guards)
{
	if (guards != NULL)
		lexicon_free(&guards->lexicon);
}
