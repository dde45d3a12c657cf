/*
 * vectors.h: a table of directions as whole numbers of 8 bits, and the cosines of all of them to one vector. The search looks at
 * every row; a cosine is within some thousandths of that of the vectors given, is the same to the bit on every machine, and is 1
 * (to the rounding of a float) for a vector to itself.
 *
 * Thread: read-only after filling.
 */
#ifndef ROUTE_VECTORS_H
#define ROUTE_VECTORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { VECTORS_LANES = 8, VECTORS_MAX_DIM = 8192, VECTORS_AT_ONCE = 256 };

struct vectors {
	int8_t *rows;   /* count * stride, zeros behind dim */
	float *inverse; /* of each row: 1 / its length */
	uint32_t *labels;
	uint32_t count, capacity, dim, stride;
};

void vectors_init(struct vectors *vectors, uint32_t dim); /* 1 to VECTORS_MAX_DIM */
void vectors_free(struct vectors *vectors);
/* false: values are all zeros or not finite; nothing is added. */
bool vectors_add(struct vectors *vectors, const float *values, uint32_t label);
/* A unit vector (vectors_unit) as a row: stride numbers in out. Returns 1 / its length. */
float vectors_row(const struct vectors *vectors, const float *unit, int8_t *out);
/* The cosines of such a row to rows from to from + count - 1, at most VECTORS_AT_ONCE of them. */
void vectors_cosines(const struct vectors *vectors, const int8_t *row, float inverse, uint32_t from, uint32_t count, float *ret);

/* values (dim of them) made one long; out may be values. false: all zeros or not finite. */
bool vectors_unit(const float *values, uint32_t dim, float *out);
/* Summed in one fixed order (8 lanes, then a tree). stride: a multiple of VECTORS_LANES. */
float vectors_dot(const float *a, const float *b, uint32_t stride);

#endif
