/*
 * eval_tally.h: what eval.c counts for all rows and eval_slice.c for some. Private to eval*.c. Pure.
 */
#ifndef LAB_EVAL_TALLY_H
#define LAB_EVAL_TALLY_H

#include "worker/lab/eval.h"

enum { EVAL_CLASS_NEEDS = 5 /* rows, to say something of a class */ };

struct eval_tally_class {
	uint32_t support, taken, right; /* DATASET_MAX_ROWS fit */
};
struct eval_tally {
	int64_t rows, right, unsure, none, none_caught, kept, unpriced;
	double cost;
	int64_t wasted;
	double cost_wasted;
	struct eval_tally_class *classes; /* by route */
};
void eval_tally_init(struct eval_tally *t, uint32_t routes);
void eval_tally_free(struct eval_tally *t);
void eval_tally_add(struct eval_tally *t, const struct eval_setup *setup, const struct eval_row *row);
struct eval_summary eval_tally_summary(const struct eval_tally *t, const struct eval_setup *setup);

struct eval_slicer;
struct eval_slicer *eval_slicer_new(void);
void eval_slicer_free(struct eval_slicer *s);
void eval_slicer_add(struct eval_slicer *s, const struct eval_setup *setup, const struct eval_row *row);
struct eval_slice *eval_slicer_result(const struct eval_slicer *s, const struct eval_setup *setup, int64_t min_rows, struct arena *arena, uint32_t *ret_count);

#endif
