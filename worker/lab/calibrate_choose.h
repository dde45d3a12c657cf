/*
 * calibrate_choose.h: one choice of thresholds for all stages, on some of the rows. Private to calibrate*.c. Pure.
 */
#ifndef LAB_CALIBRATE_CHOOSE_H
#define LAB_CALIBRATE_CHOOSE_H

#include "worker/lab/calibrate.h"

enum { CALIBRATE_ALL_FOLDS = -1 };

struct calibrate_table {
	double *thresholds; /* stages * routes */
	bool *own;          /* likewise: the route has one of its own */
	double *accept;     /* by stage */
	int64_t *taken;     /* by stage: what the choice decides */
};
struct calibrate_work {
	const struct calibrate_setup *setup;
	struct arena *arena; /* of the result */
	struct arena brief;  /* of one choice */
	bool *tune;          /* by stage: it is chosen for */
	double *aims;        /* by stage: the goal's value */
	int held;            /* the fold that is not chosen on, or CALIBRATE_ALL_FOLDS */
	bool reached;        /* cleared by a choice that the goal is out of reach for */
};

struct calibrate_table calibrate_table_new(const struct calibrate_setup *setup, struct arena *arena);
/* What is in force. */
void calibrate_table_now(const struct calibrate_setup *setup, struct calibrate_table *t);
/* From stage `from` on: the one that decides; the count of stages: none. */
uint32_t calibrate_decide(const struct calibrate_setup *setup, const struct calibrate_table *t, const struct calibrate_row *row, uint32_t from);
/* Where a row goes that this stage decides. */
int calibrate_goes(const struct calibrate_setup *setup, const struct calibrate_row *row, uint32_t stage);
/* Some threshold would let the stage decide. */
bool calibrate_is_open(const struct stage_answer *answer);

void calibrate_solve(struct calibrate_work *w, struct calibrate_table *t);
/* One threshold for all routes, on the rows that reach the stage; in the result's arena. */
struct curve calibrate_whole_curve(struct calibrate_work *w, const struct calibrate_table *t, uint32_t stage);

#endif
