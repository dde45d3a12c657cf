/*
 * rules.c: the stage of rules that people write: the highest priority whose condition holds decides.
 *
 * The one idea: the keywords of all rules are searched in one pass, before any rule is looked at; the rest of a condition is
 * evaluated only until it is settled. What held is kept on a small stack, from which the reason is written. Rules of equal
 * priority go by their order in the file.
 */
#include "worker/route/rules.h"

#include <math.h>
#include <stdlib.h>

enum { MAX_FINDINGS = 16 };

struct rules_scratch {
	struct keywords_scan *keywords;
	struct regex_scan *regex;
};

/* One decision under way. */
struct eval {
	const struct rules *rules;
	struct rules_scratch *scratch;
	struct stage_turn *turn;
	const struct cond *findings[MAX_FINDINGS]; /* leaves that held, in order; more are not named */
	uint32_t found;
	const struct cond *given_up; /* a pattern whose search reached its bound */
	int code;                    /* has_code: -1 not looked yet */
};

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

static enum rc compile_rule(struct when_compiler *c, const struct node *node, struct rule *rule, struct err *err)
{
	struct policy *policy = c->setup->policy;
	struct canon *canon = c->setup->canon;
	struct rule_settings s = {0};
	enum rc rc = config_bind(rule_options, node, &s, c->setup->brief, err);
	if (rc != RC_OK)
		return rc;
	if (s.name.len == 0 || s.name.len > POLICY_MAX_NAME)
		return config_error(config_get(node, "name"), err, "a rule's name has 1 to %d bytes", POLICY_MAX_NAME);
	for (const struct rule *r = c->rules->rules; r < rule; r++)
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
	return when_compile(c, s.when, 1, &rule->when, err);
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
	for (uint32_t i = 0; i < rules->regex_count; i++)
		regex_free(rules->regexes[i]);
	free(rules->regexes);
	keywords_free(rules->keywords);
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
	rules->keywords = keywords_new();
	rules->rules = arena_array(&setup->policy->arena, node->count, sizeof *rules->rules);
	struct when_compiler compiler = {setup, rules, 0};
	enum rc rc = RC_OK;
	canon_u64(setup->canon, node->count);
	for (; rules->count < node->count && rc == RC_OK; rules->count++)
		rc = compile_rule(&compiler, node->entries[rules->count].value, &rules->rules[rules->count], err);
	struct err why;
	if (rc == RC_OK && keywords_compile(rules->keywords, &why) != RC_OK)
		rc = config_error(node, err, "%s", why.text);
	if (rc != RC_OK) {
		rules_close(rules);
		return rc;
	}
	sort_rules(rules);
	*ret = rules;
	return RC_OK;
}

static void *rules_scratch_new(const void *stage)
{
	struct rules_scratch *scratch = heap_zalloc(1, sizeof *scratch);
	scratch->keywords = keywords_scan_new(((const struct rules *)stage)->keywords);
	scratch->regex = regex_scan_new();
	return scratch;
}

static void rules_scratch_free(void *ptr)
{
	struct rules_scratch *scratch = ptr;
	if (scratch == NULL)
		return;
	keywords_scan_free(scratch->keywords);
	regex_scan_free(scratch->regex);
	free(scratch);
}

static bool one_of(const struct cond *cond, struct str value)
{
	for (uint32_t i = 0; value.data != NULL && i < cond->count; i++)
		if (str_eq(cond->values[i], value))
			return true;
	return false;
}

static bool attribute_holds(const struct cond *cond, const struct request *req)
{
	for (uint32_t i = 0; i < req->attribute_count; i++)
		if (str_eq(req->attributes[i].name, cond->name))
			return one_of(cond, req->attributes[i].value);
	return false;
}

static bool pattern_holds(struct eval *e, const struct cond *cond)
{
	enum regex_result result = regex_run(cond->regex, e->scratch->regex, e->turn->text->shown);
	if (result == REGEX_LIMIT && e->given_up == NULL)
		e->given_up = cond;
	return result == REGEX_MATCH;
}

static bool has_code(struct eval *e)
{
	if (e->code < 0)
		e->code = text_has_code(e->turn->text->shown);
	return e->code != 0;
}

static bool leaf_holds(struct eval *e, const struct cond *cond)
{
	const struct text *text = e->turn->text;
	const struct request *req = &e->turn->job->req;
	switch (cond->kind) {
	case COND_KEYWORDS: return keywords_found(e->rules->keywords, e->scratch->keywords, cond->number).data != NULL;
	case COND_REGEX: return pattern_holds(e, cond);
	case COND_MIN_CHARS: return text->chars >= cond->number;
	case COND_MAX_CHARS: return text->chars <= cond->number;
	case COND_MIN_WORDS: return text->words >= cond->number;
	case COND_MAX_WORDS: return text->words <= cond->number;
	case COND_MIN_TOKENS: return text->tokens_est >= cond->number;
	case COND_MAX_TOKENS: return text->tokens_est <= cond->number;
	case COND_LANGUAGE: return one_of(cond, str_of(text_language(e->turn->text)));
	case COND_HAS_CODE: return has_code(e) == (cond->number != 0);
	case COND_ATTRIBUTE: return attribute_holds(cond, req);
	case COND_TENANT: return one_of(cond, req->tenant);
	case COND_HINT: return one_of(cond, req->route_hint);
	case COND_ALL: case COND_ANY: case COND_NONE: break;
	}
	return false;
}

/* What held is on the stack of findings after a true, and off it after a false. Depth is bounded by the compiler. */
static bool holds(struct eval *e, const struct cond *cond)
{
	uint32_t mark = e->found;
	bool result = cond->kind != COND_ANY;
	if (cond->kind > COND_NONE) {
		result = leaf_holds(e, cond);
		if (result && e->found < MAX_FINDINGS)
			e->findings[e->found++] = cond;
		return result;
	}
	for (uint32_t i = 0; i < cond->count; i++) {
		bool part = holds(e, &cond->parts[i]);
		if (cond->kind == COND_ANY && part)
			return true;
		if (cond->kind != COND_ANY && part == (cond->kind == COND_NONE)) {
			result = false;
			break;
		}
	}
	if (!result)
		e->found = mark;
	return result;
}

static void describe_count(struct buf *out, const char *about, uint32_t n, const char *unit, const char *bound, uint32_t limit)
{
	buf_cstr(out, about); /* piece by piece: a reason is written for each record */
	buf_i64(out, n);
	buf_char(out, ' ');
	buf_cstr(out, unit);
	buf_cstr(out, n == 1 ? ", " : "s, ");
	buf_i64(out, limit);
	buf_cstr(out, " or ");
	buf_cstr(out, bound);
}

static void describe(struct buf *out, const struct eval *e, const struct cond *cond)
{
	const struct text *text = e->turn->text;
	const struct request *req = &e->turn->job->req;
	switch (cond->kind) {
	case COND_KEYWORDS:
		buf_cstr(out, "keyword \"");
		buf_str(out, keywords_found(e->rules->keywords, e->scratch->keywords, cond->number));
		buf_char(out, '"');
		break;
	case COND_REGEX: buf_printf(out, "pattern %.*s", STR_ARG(cond->name)); break;
	case COND_MIN_CHARS: describe_count(out, "", text->chars, "character", "more", cond->number); break;
	case COND_MAX_CHARS: describe_count(out, "", text->chars, "character", "fewer", cond->number); break;
	case COND_MIN_WORDS: describe_count(out, "", text->words, "word", "more", cond->number); break;
	case COND_MAX_WORDS: describe_count(out, "", text->words, "word", "fewer", cond->number); break;
	case COND_MIN_TOKENS: describe_count(out, "about ", text->tokens_est, "token", "more", cond->number); break;
	case COND_MAX_TOKENS: describe_count(out, "about ", text->tokens_est, "token", "fewer", cond->number); break;
	case COND_LANGUAGE: buf_printf(out, "language %s", text->language); break;
	case COND_HAS_CODE: buf_cstr(out, cond->number != 0 ? "code in the text" : "no code in the text"); break;
	case COND_ATTRIBUTE:
		for (uint32_t i = 0; i < req->attribute_count; i++)
			if (str_eq(req->attributes[i].name, cond->name)) {
				buf_printf(out, "%.*s is %.*s", STR_ARG(cond->name), STR_ARG(req->attributes[i].value));
				break;
			}
		break;
	case COND_TENANT: buf_printf(out, "tenant %.*s", STR_ARG(req->tenant)); break;
	case COND_HINT: buf_printf(out, "hint %.*s", STR_ARG(req->route_hint)); break;
	case COND_ALL: case COND_ANY: case COND_NONE: break;
	}
}

static struct str reason(const struct eval *e, const struct rule *rule)
{
	struct buf out;
	buf_init(&out, &e->turn->job->arena, POLICY_MAX_REASON);
	if (rule != NULL) {
		buf_cstr(&out, "rule ");
		buf_str(&out, rule->name);
		for (uint32_t i = 0; i < e->found; i++) {
			buf_cstr(&out, i == 0 ? " (" : ", ");
			describe(&out, e, e->findings[i]);
		}
		if (e->found != 0)
			buf_char(&out, ')');
	} else if (e->rules->count == 1) {
		buf_printf(&out, "the rule %.*s did not match", STR_ARG(e->rules->rules[0].name));
	} else {
		buf_printf(&out, "none of %u rules matched", e->rules->count);
	}
	if (e->given_up != NULL)
		buf_printf(&out, "; the search for pattern %.*s was given up at its bound", STR_ARG(e->given_up->name));
	return buf_view(&out);
}

static enum verdict rules_decide(const void *stage, struct stage_turn *turn)
{
	const struct rules *rules = stage;
	struct eval e = {.rules = rules, .scratch = turn->scratch, .turn = turn, .code = -1};
	keywords_run(rules->keywords, e.scratch->keywords, turn->text->shown);
	for (uint32_t i = 0; i < rules->count; i++) {
		const struct rule *rule = &rules->rules[i];
		e.found = 0;
		if (!holds(&e, &rule->when))
			continue;
		turn->route = rule->route;
		turn->trace->score = 1;
		turn->trace->reason = reason(&e, rule);
		return VERDICT_DECIDED;
	}
	turn->trace->reason = reason(&e, NULL);
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
