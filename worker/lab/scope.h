/*
 * scope.h: how well a score tells texts that belong to a route from those that belong to none.
 *
 * Thread: one at a time. Pure.
 */
#ifndef LAB_SCOPE_H
#define LAB_SCOPE_H

#include <stdbool.h>
#include <stdint.h>

#include "worker/lab/stats.h"

struct scope;
struct scope *scope_new(void);
void scope_free(struct scope *s); /* NULL is fine */
/* score: higher is more like what is known. none: the row belongs to no route. */
void scope_add(struct scope *s, double score, bool none);

int64_t scope_rows(const struct scope *s, bool none);
/* The chance that a row of a route scores higher than one of none (Hanley, McNeil 1982); NAN without rows of both. */
double scope_auroc(struct scope *s);
/* The score under which all but `retained` of the routes' rows lie; NAN without any. */
double scope_threshold(struct scope *s, double retained);
/* Of the rows of none, those under the score. */
struct share scope_caught(struct scope *s, double threshold);

#endif
