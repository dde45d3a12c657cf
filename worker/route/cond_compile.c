/*
 * cond_compile.c: from the YAML of a condition to its compiled form.
 *
 * The one idea: keys are taken in the order of the table below, whatever order the file has them in, so that neither the
 * version nor the reason depends on it. A map with several keys means all of them.
 */
#include <stdlib.h>

#include "worker/route/cond.h"

typedef enum rc leaf_compile(struct cond_compiler *c, const struct node *node, unsigned depth, struct cond *cond,
                             struct err *err);

static leaf_compile parts, keywords, regex, number, words, attributes, language, flag, pii;

static const struct leaf {
	const char *name;
	enum cond_kind kind;
	leaf_compile *compile;
} leaves[] = {
	{"attributes", COND_ATTRIBUTE, attributes}, {"tenant", COND_TENANT, words},      {"hint", COND_HINT, words},
	{"min_chars", COND_MIN_CHARS, number},      {"max_chars", COND_MAX_CHARS, number}, {"min_words", COND_MIN_WORDS, number},
	{"max_words", COND_MAX_WORDS, number},      {"min_tokens", COND_MIN_TOKENS, number},
	{"max_tokens", COND_MAX_TOKENS, number},    {"keywords", COND_KEYWORDS, keywords}, {"regex", COND_REGEX, regex},
	{"language", COND_LANGUAGE, language},      {"has_code", COND_HAS_CODE, flag},   {"pii", COND_PII, pii},
	{"all", COND_ALL, parts},
	{"any", COND_ANY, parts},                   {"none", COND_NONE, parts},
};
enum { LEAF_COUNT = sizeof leaves / sizeof leaves[0] };

static const char *leaf_name(const void *ctx, unsigned i)
{
	(void)ctx; /* the table is constant */
	return leaves[i].name;
}

static enum rc check_keys(const struct node *node, struct err *err)
{
	for (unsigned i = 0; i < node->count; i++) {
		const struct node *key = node->entries[i].key;
		bool known = false;
		for (unsigned k = 0; k < LEAF_COUNT && !known; k++)
			known = str_is(key->scalar, leaves[k].name);
		if (known)
			continue;
		return config_error_unknown(key, err, "condition", leaf_name, NULL, LEAF_COUNT);
	}
	return RC_OK;
}

enum rc cond_compile(struct cond_compiler *c, const struct node *node, unsigned depth, struct cond *ret, struct err *err)
{
	if (node->kind != NODE_MAP)
		return config_error(node, err, "a condition is expected, for example {keywords: [refund, invoice]}");
	if (node->count == 0)
		return config_error(node, err, "the condition is empty: it would hold for every text");
	if (depth > COND_MAX_DEPTH)
		return config_error(node, err, "conditions are nested deeper than %d", COND_MAX_DEPTH);
	c->conditions += node->count;
	if (c->conditions > COND_MAX_CONDITIONS)
		return config_error(node, err, "the rules hold more than %d conditions", COND_MAX_CONDITIONS);
	enum rc rc = check_keys(node, err);
	struct cond all = {.kind = COND_ALL, .parts = arena_array(&c->setup->policy->arena, node->count, sizeof(struct cond))};
	canon_u64(c->setup->canon, node->count);
	for (unsigned k = 0; k < LEAF_COUNT && rc == RC_OK; k++) {
		const struct node *value = config_get(node, leaves[k].name);
		if (value == NULL)
			continue;
		struct cond *cond = &all.parts[all.count++];
		cond->kind = leaves[k].kind;
		canon_tag(c->setup->canon, leaves[k].name);
		rc = leaves[k].compile(c, value, depth, cond, err);
	}
	if (rc == RC_OK)
		*ret = all.count == 1 ? all.parts[0] : all;
	return rc;
}

static enum rc parts(struct cond_compiler *c, const struct node *node, unsigned depth, struct cond *cond, struct err *err)
{
	if (node->kind != NODE_LIST && node->kind != NODE_MAP)
		return config_error(node, err, "a list of conditions is expected");
	if (node->count == 0)
		return config_error(node, err, "the list of conditions is empty");
	cond->count = node->kind == NODE_LIST ? node->count : 1;
	cond->parts = arena_array(&c->setup->policy->arena, cond->count, sizeof *cond->parts);
	canon_u64(c->setup->canon, cond->count);
	enum rc rc = RC_OK;
	for (uint32_t i = 0; i < cond->count && rc == RC_OK; i++) {
		const struct node *part = node->kind == NODE_LIST ? node->entries[i].value : node;
		rc = cond_compile(c, part, depth + 1, &cond->parts[i], err);
	}
	return rc;
}

static enum rc add_keyword(struct cond_compiler *c, struct str word, const struct node *at, struct err *err)
{
	struct err why;
	canon_str(c->setup->canon, word);
	enum rc rc = keywords_add(c->lexicon->keywords, word, &why);
	return rc == RC_OK ? RC_OK : config_error(at, err, "%s", why.text);
}

/* One keyword a line; empty lines and lines that begin with "# " are none. */
static enum rc keyword_file(struct cond_compiler *c, const struct node *node, struct err *err)
{
	struct str text, file = node->scalar;
	if (file.len == 0 || (memchr(file.data, '/', file.len) == NULL && memchr(file.data, '.', file.len) == NULL))
		return config_error_hint(node, err, "a list is written [word, another word]",
		                         "\"%.*s\" is read as the name of a file of keywords, and does not look like one", STR_ARG(file));
	enum rc rc = policy_read_file(c->setup->policy, node, file, POLICY_MAX_LIST_BYTES, c->setup->brief, &text, err);
	if (rc != RC_OK)
		return rc;
	uint32_t found = 0;
	for (size_t at = 0; at < text.len;) {
		const char *end = memchr(text.data + at, '\n', text.len - at);
		size_t stop = end != NULL ? (size_t)(end - text.data) : text.len;
		struct str line = str_trim((struct str){text.data + at, stop - at});
		at = stop + 1;
		if (line.len == 0 || str_is(line, "#") || str_starts(line, STR("# ")))
			continue;
		rc = add_keyword(c, line, node, err);
		if (rc != RC_OK)
			return rc;
		found++;
	}
	return found != 0 ? RC_OK : config_error(node, err, "the list %.*s holds no keyword", STR_ARG(node->scalar));
}

static enum rc keywords(struct cond_compiler *c, const struct node *node, unsigned depth, struct cond *cond, struct err *err)
{
	(void)depth; /* a leaf */
	cond->number = keywords_list(c->lexicon->keywords);
	if (node->kind == NODE_SCALAR)
		return keyword_file(c, node, err);
	if (node->kind != NODE_LIST)
		return config_error(node, err, "a list of keywords is expected, or the name of a file that holds one a line");
	if (node->count == 0)
		return config_error(node, err, "the list of keywords is empty");
	canon_u64(c->setup->canon, node->count);
	for (unsigned i = 0; i < node->count; i++) {
		const struct node *item = node->entries[i].value;
		if (item->kind != NODE_SCALAR)
			return config_error(item, err, "a keyword is expected");
		enum rc rc = add_keyword(c, item->scalar, item, err);
		if (rc != RC_OK)
			return rc;
	}
	return RC_OK;
}

static enum rc regex(struct cond_compiler *c, const struct node *node, unsigned depth, struct cond *cond, struct err *err)
{
	(void)depth; /* a leaf */
	struct lexicon *lexicon = c->lexicon;
	if (node->kind != NODE_SCALAR)
		return config_error(node, err, "a pattern is expected; several are {any: [{regex: ...}, {regex: ...}]}");
	struct err why;
	if (regex_new(node->scalar, &cond->regex, NULL, &why) != RC_OK)
		return config_error(node, err, "%s", why.text);
	if (lexicon->regex_count == lexicon->regex_cap) {
		lexicon->regex_cap = lexicon->regex_cap != 0 ? lexicon->regex_cap * 2 : 8;
		lexicon->regexes = heap_resize(lexicon->regexes, lexicon->regex_cap, sizeof(struct regex *));
	}
	lexicon->regexes[lexicon->regex_count++] = cond->regex;
	cond->name = arena_str(&c->setup->policy->arena, node->scalar);
	canon_str(c->setup->canon, node->scalar);
	return RC_OK;
}

static enum rc number(struct cond_compiler *c, const struct node *node, unsigned depth, struct cond *cond, struct err *err)
{
	(void)depth; /* a leaf */
	int64_t n;
	if (node->kind != NODE_SCALAR || !str_to_i64(node->scalar, &n) || n < 0 || n > INT32_MAX)
		return config_error(node, err, "a whole number from 0 on is expected");
	cond->number = (uint32_t)n;
	c->setup->policy->inputs.length = true;
	canon_u64(c->setup->canon, cond->number);
	return RC_OK;
}

static enum rc flag(struct cond_compiler *c, const struct node *node, unsigned depth, struct cond *cond, struct err *err)
{
	(void)depth; /* a leaf */
	if (node->kind != NODE_SCALAR || (!str_is(node->scalar, "true") && !str_is(node->scalar, "false")))
		return config_error(node, err, "true or false is expected");
	cond->number = str_is(node->scalar, "true");
	canon_u64(c->setup->canon, cond->number);
	return RC_OK;
}

static enum rc words(struct cond_compiler *c, const struct node *node, unsigned depth, struct cond *cond, struct err *err)
{
	(void)depth; /* a leaf */
	struct policy_strings list;
	enum rc rc = policy_strings(c->setup->policy, node, c->setup->brief, &list, err);
	if (rc != RC_OK)
		return rc;
	cond->values = list.items;
	cond->count = list.count;
	canon_u64(c->setup->canon, list.count);
	for (uint32_t i = 0; i < list.count; i++)
		canon_str(c->setup->canon, list.items[i]);
	if (cond->kind == COND_HINT)
		c->setup->policy->inputs.hint = true;
	return RC_OK;
}

static enum rc language(struct cond_compiler *c, const struct node *node, unsigned depth, struct cond *cond, struct err *err)
{
	struct policy_strings list;
	enum rc rc = words(c, node, depth, cond, err);
	if (rc == RC_OK)
		rc = policy_strings(c->setup->policy, node, c->setup->brief, &list, err); /* again, for the places */
	const char *code;
	for (uint32_t i = 0; rc == RC_OK && i < list.count; i++)
		rc = policy_language(list.nodes[i], &code, err);
	return rc;
}

static const char *pii_kind_name(const void *ctx, unsigned i)
{
	(void)ctx; /* the table is constant */
	return pii_name((enum pii_kind)i);
}

static enum rc pii(struct cond_compiler *c, const struct node *node, unsigned depth, struct cond *cond, struct err *err)
{
	(void)depth; /* a leaf */
	struct policy_strings list;
	if (!c->whole_record)
		return config_error_hint(node, err, "guards: - {name: ..., when: {pii: ...}, only_models: ...}",
		                         "pii is a condition of guards, which see the whole record; stages see a part of it");
	enum rc rc = policy_strings(c->setup->policy, node, c->setup->brief, &list, err);
	for (uint32_t i = 0; rc == RC_OK && i < list.count; i++) {
		int kind = pii_find(list.items[i]);
		if (kind < 0 && !str_is(list.items[i], "any"))
			return config_error_unknown(list.nodes[i], err, "kind of personal data", pii_kind_name, NULL, PII_KINDS);
		cond->number |= kind < 0 ? PII_ALL : UINT32_C(1) << kind;
	}
	c->pii |= cond->number;
	canon_u64(c->setup->canon, cond->number);
	return rc;
}

static int by_name(const void *a, const void *b)
{
	const struct node_entry *x = a, *y = b;
	return str_cmp(x->key->scalar, y->key->scalar);
}

/* {product: [X200, X300], region: eu}: all of them, in the order of their names. */
static enum rc attributes(struct cond_compiler *c, const struct node *node, unsigned depth, struct cond *cond, struct err *err)
{
	struct policy *policy = c->setup->policy;
	if (node->kind != NODE_MAP || node->count == 0)
		return config_error(node, err, "attributes and their values are expected, for example {product: [X200, X300]}");
	struct node_entry *sorted = arena_array(c->setup->brief, node->count, sizeof *sorted);
	memcpy(sorted, node->entries, node->count * sizeof *sorted);
	qsort(sorted, node->count, sizeof *sorted, by_name);
	*cond = (struct cond){.kind = COND_ALL, .count = node->count};
	cond->parts = arena_array(&policy->arena, cond->count, sizeof *cond->parts);
	canon_u64(c->setup->canon, node->count);
	enum rc rc = RC_OK;
	for (unsigned i = 0; i < node->count && rc == RC_OK; i++) {
		struct cond *part = &cond->parts[i];
		part->kind = COND_ATTRIBUTE;
		part->name = arena_str(&policy->arena, sorted[i].key->scalar);
		canon_str(c->setup->canon, part->name);
		policy_reads_attribute(policy, part->name);
		rc = words(c, sorted[i].value, depth, part, err);
	}
	return rc;
}
