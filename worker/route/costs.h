/*
 * costs.h: the table of what sending a true X to Y costs: of a policy, or of a file of its own (lab/costs.h).
 *
 *     costs: {kb_answer->human: 2.00, careful->kb_answer: 25.00, oos->kb_answer: 5.00, default: 1.00}
 *
 * Amounts have no unit of their own; `default` is for all pairs that are not named. Thread: the one that loads.
 */
#ifndef ROUTE_COSTS_H
#define ROUTE_COSTS_H

#include "worker/route/route.h"

/* map: the pairs. (routes + 1) x routes in arena: of sending a true row to column, the last row for none of the routes; NAN where
 * nothing is said. RC_BAD_INPUT with file:line:column and a caret. */
enum rc costs_read(const struct policy *policy, const struct node *map, struct arena *arena, double **ret, struct err *err);

#endif
