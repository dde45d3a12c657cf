/*
 * classifier_parts.h: an open classifier from the inside. Private to classifier*.c.
 */
#ifndef ROUTE_CLASSIFIER_PARTS_H
#define ROUTE_CLASSIFIER_PARTS_H

#include "worker/route/classifier.h"
#include "worker/route/safetensors.h"

enum { CLASSIFIER_NO_ROW = -1, CLASSIFIER_VERSION_BYTES = 8 };

struct classifier {
	const struct static_model *model;
	struct str *labels;
	uint32_t label_count, width, dim; /* width: label_count padded to CLASSIFIER_LANES */
	int32_t *row_of;                  /* FEATURES_HASHED: row of hashed, or CLASSIFIER_NO_ROW */
	float *idf;                       /* FEATURES_HASHED */
	struct tensor_rows hashed, dense, examples, centroids; /* hashed: rows of width; the others of dim */
	const unsigned char *bias, *example_labels;
	float *center;    /* dim: the mean of the training's vectors, taken off each */
	float *scope;     /* CLASSIFIER_SIGNALS weights and a constant; NULL: the formula without them */
	float sharpness;  /* 1 / temperature of the joined probabilities */
	float threshold;  /* of in_scope */
	char version[CLASSIFIER_VERSION_BYTES * 2 + 1];
};

#endif
