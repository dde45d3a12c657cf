/*
 * held_out.h: answers of a trained stage to rows that it has learned by heart, as it would give them had it not.
 *
 * A classifier that has seen a row is surer of it than of the next one like it, and thresholds chosen on such scores are too high or
 * too low. Where it has seen most of the rows, all are answered by classifiers trained anew, each on the rows of the other folds;
 * where it has seen a few, those are left without an answer of it.
 *
 * Thread: one at a time.
 */
#ifndef LAB_HELD_OUT_H
#define LAB_HELD_OUT_H

#include "worker/lab/calibrate.h"

struct held_out_setup {
	const struct policy *policy;
	uint32_t stage, folds;
	struct calibrate_row *rows; /* their answers are replaced where `learned` */
	const struct str *texts;    /* as the router reads them */
	uint32_t row_count;
	void (*progress)(void *ctx, double share); /* NULL: nobody looks */
	void *ctx;
};
struct held_out_report {
	uint32_t learned;    /* rows that the stage knew */
	uint32_t unanswered; /* of them, those left without an answer: there are too few to train on */
};

/* Does nothing for stages that learn nothing. */
enum rc held_out_answers(const struct held_out_setup *setup, struct held_out_report *ret, struct err *err);
/* The fold of a text: the same for equal texts, whatever the order of the rows. */
uint32_t held_out_fold(struct str text, uint32_t folds);

#endif
