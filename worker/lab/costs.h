/*
 * costs.h: what sending a true X to Y costs, from a file of YAML:
 *
 *     costs: {kb_answer->human: 2.00, careful->kb_answer: 25.00, oos->kb_answer: 5.00, default: 1.00}
 *
 * Amounts have no unit of their own; `default` is for all pairs that are not named. Thread: one at a time.
 */
#ifndef LAB_COSTS_H
#define LAB_COSTS_H

#include "worker/route/route.h"

/* (routes + 1) x routes as struct eval_setup has them, in arena. RC_BAD_INPUT with file:line:column and a caret. */
enum rc costs_load(const char *path, const struct policy *policy, struct arena *arena, double **ret, struct err *err);
enum rc costs_parse(const char *name, struct str text, const struct policy *policy, struct arena *arena, double **ret, struct err *err);

#endif
