/*
 * costs.h: what sending a true X to Y costs, from a file of YAML with the one key `costs` (route/costs.h says how it looks).
 * Thread: one at a time.
 */
#ifndef LAB_COSTS_H
#define LAB_COSTS_H

#include "worker/route/route.h"

/* (routes + 1) x routes as struct eval_setup has them, in arena. RC_BAD_INPUT with file:line:column and a caret. */
enum rc costs_load(const char *path, const struct policy *policy, struct arena *arena, double **ret, struct err *err);
enum rc costs_parse(const char *name, struct str text, const struct policy *policy, struct arena *arena, double **ret, struct err *err);

#endif
