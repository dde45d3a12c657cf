/*
 * rules.h: compiled rules: what rules.c decides by.
 */
#ifndef ROUTE_RULES_H
#define ROUTE_RULES_H

#include "worker/route/cond.h"

struct rule {
	struct str name;
	int route;
	int64_t priority;
	struct cond when;
};

struct rules {
	struct rule *rules; /* by priority, then as in the file */
	uint32_t count;
	struct lexicon lexicon;
	char version[POLICY_VERSION_CHARS + 1]; /* of the rules, with the lists that they name */
};

#endif
