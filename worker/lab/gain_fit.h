/*
 * gain_fit.h: rows as numbers, and ridge regression over them. Inside the training of gains only.
 */
#ifndef LAB_GAIN_FIT_H
#define LAB_GAIN_FIT_H

#include "worker/lab/gain_train.h"

/* Rows of numbers: few of many columns (at, value), then dim that every row has. */
struct gain_columns {
	uint32_t *start; /* rows + 1; NULL: there are none of the first kind */
	uint32_t *at;
	float *value;
	uint32_t places; /* columns of the first kind */
	float *dense;    /* rows * dim */
	uint32_t dim;
};

struct gain_matrix {
	struct gain_columns words, surface; /* surface: each column with mean 0 and deviation 1 */
	float mean[GAIN_SURFACE], inverse[GAIN_SURFACE];
	int32_t *place; /* of words.places: ascending */
	float *idf;     /* FEATURES_HASHED */
	float unseen_idf;
};

void gain_matrix_read(struct gain_matrix *m, const struct str *texts, uint32_t count, const struct static_model *model);
void gain_matrix_free(struct gain_matrix *m);

/* Weights w (places + dim of them) that make sum of (y - x w)^2 + ridge * w^2 least over those rows. w is where the search begins.
 * y is by row. Conjugate gradients (Hestenes and Stiefel 1952), in one order. */
void gain_ridge(const struct gain_columns *x, const uint32_t *rows, uint32_t count, const double *y, double ridge, double *w);
double gain_dot(const struct gain_columns *x, uint32_t row, const double *w);

#endif
