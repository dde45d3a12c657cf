/*
 * train.h: from labelled texts to a classifier's file (route/classifier.h).
 *
 * Multinomial logistic regression by AdaGrad (Duchi, Hazan, Singer 2011), in an order that the seed decides: the same rows and the
 * same seed give the same bytes. A fifth of the rows is held out first: on it the probabilities are sharpened or softened
 * (Guo et al. 2017, temperature), and what counts as unlike all that was trained on is fixed; then all rows are learned.
 *
 * Thread: one at a time.
 */
#ifndef LAB_TRAIN_H
#define LAB_TRAIN_H

#include "worker/route/classifier.h"

struct train_row {
	struct str text;
	uint32_t label;
};

struct train_setup {
	const struct train_row *rows;
	uint32_t row_count;
	const struct str *labels; /* each has a row */
	uint32_t label_count;
	const struct static_model *model;
	uint64_t seed;
	void (*progress)(void *ctx, double share); /* NULL: nobody looks */
	void *ctx;
};

struct train_report {
	uint32_t places, epochs, held_out, held_out_right;
	double sharpness, threshold;
	bool by_centroids; /* the vote is of the labels' centroids, not of the nearest texts */
};

/* Appends the file's bytes. RC_BAD_INPUT when there is nothing to tell apart. */
enum rc train_classifier(const struct train_setup *setup, struct buf *ret_file, struct train_report *ret_report, struct err *err);

#endif
