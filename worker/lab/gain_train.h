/*
 * gain_train.h: from judged answers of a weak and a strong model to a model of gains (route/gain.h).
 *
 * Rows are held out by a hash of their text: each of five parts in turn, or one part alone where there are many rows. What the held-out
 * rows' scores say fixes how strongly each part is fitted and how much it counts (Breiman 1996, "Stacked regressions": no weight
 * is negative), starting from a mix that did well on public data. Then all rows are learned. The same rows and the same seed give the
 * same bytes.
 *
 * Thread: one at a time.
 */
#ifndef LAB_GAIN_TRAIN_H
#define LAB_GAIN_TRAIN_H

#include "common/arena.h"
#include "worker/route/gain.h"

enum { GAIN_TRAIN_LEAST_ROWS = 50, GAIN_TRAIN_MAX_ROWS = 200000 };

struct gain_train_row {
	struct str text;     /* at most GAIN_MAX_BYTES */
	double weak, strong; /* quality of the answers */
	uint32_t topic, task;
};
struct gain_train_setup {
	const struct gain_train_row *rows;
	uint32_t row_count;
	const struct str *topics; /* names; each has a row. count 0: clusters of similar texts are found */
	uint32_t topic_count;
	uint32_t task_count; /* texts of one task may begin alike */
	const struct static_model *model;
	uint64_t seed;
	void (*progress)(void *ctx, double share); /* NULL: nobody looks */
	void *ctx;
};
struct gain_train_report {
	uint32_t topics, preambles, held_out;
	bool topics_found; /* by clustering */
	double base, weights[GAIN_PARTS], words_ridge, surface_ridge;
};

/* Appends the file's bytes. held[i]: row i's score from models that have not seen it; NAN where it was never held out.
 * RC_BAD_INPUT when there are too few rows, or no differences between the models to learn from. */
enum rc gain_train(const struct gain_train_setup *setup, double *held, struct buf *ret_file, struct gain_train_report *ret_report, struct err *err);

#endif
