/*
 * train.h: from labelled texts to a classifier's file (route/classifier.h).
 *
 * Multinomial logistic regression by AdaGrad (Duchi, Hazan, Singer 2011), in an order that the seed decides, as it does which half of
 * a text's hashed features a step sees: the same rows and the same seed give the same bytes. A label's name, read as words, is one
 * more text of it. Before all rows are learned, parts of them are held out in turn: on those the probabilities are calibrated
 * (temperature: Guo et al. 2017), and what counts as unlike all that was trained on is fixed.
 *
 * Thread: one at a time.
 */
#ifndef LAB_TRAIN_H
#define LAB_TRAIN_H

#include "worker/lab/stats.h"
#include "worker/route/classifier.h"

enum { TRAIN_NONE_FOR_SCOPE = 100 /* so many texts of no label make a score of scope by the signals */ };

struct train_row {
	struct str text;
	uint32_t label;
};

struct train_setup {
	const struct train_row *rows;
	uint32_t row_count;
	const struct str *labels; /* each has a row */
	uint32_t label_count;
	const struct str *none; /* texts of no label */
	uint32_t none_count;
	bool no_names; /* the labels' names are not learned as texts */
	const struct static_model *model;
	uint64_t seed;
	void (*progress)(void *ctx, double share); /* NULL: nobody looks */
	void *ctx;
};

struct train_report {
	uint32_t places, epochs, folds, names; /* folds: how often a part was held out; names: labels whose names were learned */
	uint32_t held_out, held_out_right;     /* held_out 0: there are too few rows; nothing is calibrated */
	double sharpness, threshold;
	double ece[2], brier[2]; /* of the held-out rows, before and after the calibration */
	bool scope_learned;      /* the score of scope is by the signals */
	double auroc;            /* of the texts of no label, by a score that was fixed without them; NAN: there are none */
	struct share caught;     /* of them, where 95 % of the others are kept */
};

/* Appends the file's bytes. RC_BAD_INPUT when there is nothing to tell apart. */
enum rc train_classifier(const struct train_setup *setup, struct buf *ret_file, struct train_report *ret_report, struct err *err);

#endif
