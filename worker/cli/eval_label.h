/*
 * eval_label.h: what a row's label is to a policy. Thread: any. Pure.
 */
#ifndef CLI_EVAL_LABEL_H
#define CLI_EVAL_LABEL_H

#include "worker/lab/dataset.h"
#include "worker/lab/eval.h"
#include "worker/route/route.h"

enum { EVAL_STRANGE = -2 }; /* a label that a classifier has not learned; EVAL_NONE is one for none of the routes */

/* The route of that name, or EVAL_NONE. RC_BAD_INPUT: the row has no label, or no route has that name. */
enum rc eval_label_route(const struct policy *policy, const struct dataset_row *row, int *ret, struct err *err);
/* The same for a policy made of a classifier's labels: one that it has not learned is EVAL_STRANGE. */
enum rc eval_label_learned(const struct policy *policy, const struct dataset_row *row, int *ret, struct err *err);
/* For a person: a route's name, or "none of these". The policy's. */
const char *eval_label_name(const struct policy *policy, int label);

#endif
