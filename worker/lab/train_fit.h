/*
 * train_fit.h: rows as numbers, and fitting weights to them. Inside lab's training only.
 */
#ifndef LAB_TRAIN_FIT_H
#define LAB_TRAIN_FIT_H

#include "worker/lab/train.h"

/* The rows' features: hashed ones as a list each, numbered densely in the order of their places; dense ones side by side, centred. */
struct train_matrix {
	uint32_t *start; /* row_count + 1 */
	uint32_t *at;
	float *value;
	float *dense;  /* row_count * dim */
	float *center; /* dim */
	int32_t *place; /* place_count: ascending */
	float *idf;     /* FEATURES_HASHED */
	float unseen_idf;
	uint32_t place_count, dim;
};

struct train_weights {
	float *values, *squares; /* (place_count + dim + 1) rows of width; the last is the bias */
	uint32_t width, rows;
};

void train_matrix_read(struct train_matrix *m, const struct train_setup *setup);
void train_matrix_free(struct train_matrix *m);

/* rows: numbers of those to learn from. share_from, share_to: of the progress that is told. */
void train_fit(const struct train_matrix *m, const struct train_setup *setup, const uint32_t *rows, uint32_t count, uint32_t epochs,
               double share_from, double share_to, struct train_weights *ret);
void train_weights_free(struct train_weights *w);

/* What the file says beside weights and texts. */
struct train_settings {
	double sharpness, threshold;
	const float *scope; /* CLASSIFIER_SIGNALS + 1; NULL: none */
};
/* The file: weights and examples as int8. Appends to out. */
void train_write(const struct train_matrix *m, const struct train_weights *w, const struct train_setup *setup, const uint32_t *rows,
                 uint32_t count, const struct train_settings *settings, struct buf *out);

/* train_scope.c: a logistic regression of "belongs to a label" on the signals, rows of CLASSIFIER_SIGNALS. weights: as in the file. */
void train_scope_fit(const float *signals, const bool *none, uint32_t rows, float *weights);
/* The same score for every row, each by a fit that has not seen it. */
void train_scope_cross(const float *signals, const bool *none, uint32_t rows, float *scores);

#endif
