/*
 * rules.c: the stage of rules that people write: the highest priority whose condition holds decides. Rules of equal priority
 * go by their order in the file. What a condition is, and when it holds, is cond.h.
 */
#include "worker/route/rules.h"

#include <math.h>
#include <stdlib.h>

struct rule_settings {
	struct str name;
	const struct node *when, *route;
	int64_t priority;
};

static const struct config_option rule_options[] = {
	{.name = "name", .kind = OPTION_STR, .offset = offsetof(struct rule_settings, name), .required = true,
	 .doc = "Names the rule in reasons and reports."},
	{.name = "when", .kind = OPTION_CUSTOM, .offset = offsetof(struct rule_settings, when), .required = true,
	 .parse = policy_keep_node,
	 .doc = "The condition: keywords, regex, lengths, language, has_code, attributes, tenant, hint, all, any, none."},
	{.name = "route", .kind = OPTION_CUSTOM, .offset = offsetof(struct rule_settings, route), .required = true,
	 .parse = policy_keep_node,
	 .doc = "Where texts go for which the condition holds."},
	{.name = "priority", .kind = OPTION_I64, .offset = offsetof(struct rule_settings, priority), .fallback = "0", .min = -1000000,
	 .max = 1000000, .doc = "Of several rules that hold, the highest decides; equal ones by their order."},
	{.name = NULL},
};

static enum rc compile_rule(struct cond_compiler *c, const struct rules *rules, const struct node *node, struct rule *rule,
                            struct err *err)
{
	struct policy *policy = c->setup->policy;
	struct canon *canon = c->setup->canon;
	struct rule_settings s = {0};
	enum rc rc = config_bind(rule_options, node, &s, c->setup->brief, err);
	if (rc != RC_OK)
		return rc;
	if (s.name.len == 0 || s.name.len > POLICY_MAX_NAME)
		return config_error(config_get(node, "name"), err, "a rule's name has 1 to %d bytes", POLICY_MAX_NAME);
	for (const struct rule *r = rules->rules; r < rule; r++)
		if (str_eq(r->name, s.name))
			return config_error(config_get(node, "name"), err, "there are two rules of the name \"%.*s\"", STR_ARG(s.name));
	rule->name = arena_str(&policy->arena, s.name);
	rule->priority = s.priority;
	rc = policy_refer_route(policy, s.route, &rule->route, err);
	if (rc != RC_OK)
		return rc;
	canon_str(canon, rule->name);
	canon_str(canon, policy->routes[rule->route].name);
	canon_u64(canon, (uint64_t)rule->priority);
	return cond_compile(c, s.when, 1, &rule->when, err);
}

/* Stable, by priority: an insertion sort, for files hold tens of rules. */
static void sort_rules(struct rules *rules)
{
	for (uint32_t i = 1; i < rules->count; i++) {
		struct rule rule = rules->rules[i];
		uint32_t at = i;
		for (; at > 0 && rules->rules[at - 1].priority < rule.priority; at--)
			rules->rules[at] = rules->rules[at - 1];
		rules->rules[at] = rule;
	}
}

static void rules_close(void *stage)
{
	struct rules *rules = stage;
	if (rules == NULL)
		return;
	lexicon_free(&rules->lexicon);
}

static enum rc rules_open(struct stage_setup *setup, void **ret, struct err *err)
{
	enum { MAX_RULES = 5000 };
	const struct node *node = setup->node;
	if (node->kind != NODE_LIST || node->count == 0)
		return config_error(node, err, "a list of rules is expected, for example "
		                    "[{name: refunds, when: {keywords: [refund]}, route: billing}]");
	if (node->count > MAX_RULES)
		return config_error(node, err, "there are more than %d rules", MAX_RULES);
	struct rules *rules = arena_zalloc(&setup->policy->arena, sizeof *rules);
	lexicon_init(&rules->lexicon);
	rules->rules = arena_array(&setup->policy->arena, node->count, sizeof *rules->rules);
	struct canon canon;
	struct stage_setup own = *setup;
	own.canon = &canon;
	buf_init(&canon.buf, setup->brief, 1024);
	struct cond_compiler compiler = {.setup = &own, .lexicon = &rules->lexicon};
	enum rc rc = RC_OK;
	canon_u64(&canon, node->count);
	for (; rules->count < node->count && rc == RC_OK; rules->count++)
		rc = compile_rule(&compiler, rules, node->entries[rules->count].value, &rules->rules[rules->count], err);
	struct err why;
	if (rc == RC_OK && keywords_compile(rules->lexicon.keywords, &why) != RC_OK)
		rc = config_error(node, err, "%s", why.text);
	if (rc != RC_OK) {
		rules_close(rules);
		return rc;
	}
	sort_rules(rules);
	policy_hash(&canon, rules->version);
	buf_str(&setup->canon->buf, buf_view(&canon.buf));
	*ret = rules;
	return RC_OK;
}

static void *rules_scratch_new(const void *stage)
{
	return cond_scratch_new(&((const struct rules *)stage)->lexicon);
}

static void rules_scratch_free(void *scratch)
{
	cond_scratch_free(scratch);
}

static struct str reason(const struct rules *rules, const struct cond_eval *e, const struct rule *rule, struct arena *arena)
{
	struct buf out;
	buf_init(&out, arena, POLICY_MAX_REASON);
	if (rule != NULL) {
		buf_cstr(&out, "rule ");
		buf_str(&out, rule->name);
		for (uint32_t i = 0; i < e->found; i++) {
			buf_cstr(&out, i == 0 ? " (" : ", ");
			cond_describe(&out, e, e->findings[i]);
		}
		if (e->found != 0)
			buf_char(&out, ')');
	} else if (rules->count == 1) {
		buf_printf(&out, "the rule %.*s did not match", STR_ARG(rules->rules[0].name));
	} else {
		buf_printf(&out, "none of %u rules matched", rules->count);
	}
	if (e->given_up != NULL)
		buf_printf(&out, "; the search for pattern %.*s was given up at its bound", STR_ARG(e->given_up->name));
	return buf_view(&out);
}

static enum verdict rules_decide(const void *stage, struct stage_turn *turn)
{
	const struct rules *rules = stage;
	struct arena *arena = &turn->job->arena;
	struct cond_eval e;
	turn->trace->asset_version = str_of(rules->version);
	cond_begin(&e, &rules->lexicon, turn->scratch, turn->text, &turn->job->req);
	for (uint32_t i = 0; i < rules->count; i++) {
		const struct rule *rule = &rules->rules[i];
		if (!cond_holds(&e, &rule->when))
			continue;
		turn->route = rule->route;
		turn->trace->score = 1;
		turn->trace->reason = reason(rules, &e, rule, arena);
		return VERDICT_DECIDED;
	}
	turn->trace->reason = reason(rules, &e, NULL, arena);
	return VERDICT_PASS;
}

const struct stage_ops rules_stage = {
	.name = "rules",
	.version = 1,
	.open = rules_open,
	.close = rules_close,
	.scratch_new = rules_scratch_new,
	.scratch_free = rules_scratch_free,
	.decide = rules_decide,
};
