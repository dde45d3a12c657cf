/*
 * rules.h: compiled rules, for rules.c (deciding) and rules_when.c (compiling conditions).
 */
#ifndef ROUTE_RULES_H
#define ROUTE_RULES_H

#include "worker/route/keywords.h"
#include "worker/route/policy_load.h"
#include "worker/route/regex.h"

enum cond_kind {
	COND_ALL, COND_ANY, COND_NONE, /* of parts */
	COND_KEYWORDS,                 /* number: the list */
	COND_REGEX,
	COND_MIN_CHARS, COND_MAX_CHARS, COND_MIN_WORDS, COND_MAX_WORDS, COND_MIN_TOKENS, COND_MAX_TOKENS, /* number */
	COND_LANGUAGE,  /* one of values */
	COND_HAS_CODE,  /* number: 0 or 1 */
	COND_ATTRIBUTE, /* name is one of values */
	COND_TENANT, COND_HINT /* one of values */
};

struct cond {
	enum cond_kind kind;
	struct cond *parts;
	uint32_t count; /* of parts or values */
	uint32_t number;
	struct str name; /* of the attribute; text of the pattern */
	struct str *values;
	struct regex *regex;
};

struct rule {
	struct str name;
	int route;
	int64_t priority;
	struct cond when;
};

struct rules {
	struct rule *rules; /* by priority, then as in the file */
	uint32_t count;
	struct keywords *keywords;
	struct regex **regexes; /* to free */
	uint32_t regex_count, regex_cap;
};

/* What compiling a condition needs; conditions counted over all rules. */
struct when_compiler {
	struct stage_setup *setup;
	struct rules *rules;
	uint32_t conditions;
};
enum { WHEN_MAX_DEPTH = 8, WHEN_MAX_CONDITIONS = 20000 };

/* The map under `when` (or an element of all/any/none): all of its keys must hold. */
enum rc when_compile(struct when_compiler *compiler, const struct node *node, unsigned depth, struct cond *ret, struct err *err);

#endif
