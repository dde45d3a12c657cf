/*
 * vectors.h: a table of unit vectors and exact cosines. Sums are in one fixed order (8 lanes, then a fixed tree), so a score is
 * the same to the bit wherever it is computed.
 * Thread: read-only after filling.
 */
#ifndef ROUTE_VECTORS_H
#define ROUTE_VECTORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { VECTORS_LANES = 8, VECTORS_MAX_DIM = 8192 };

struct vectors {
	float *rows; /* count * stride, zeros behind dim */
	uint32_t *labels;
	uint32_t count, capacity, dim, stride;
};

void vectors_init(struct vectors *vectors, uint32_t dim);
void vectors_free(struct vectors *vectors);
/* A copy of values, made a unit vector. false: it is all zeros or not finite; nothing is added. */
bool vectors_add(struct vectors *vectors, const float *values, uint32_t label);
/* values (dim of them) as a unit vector of stride floats in out. */
bool vectors_unit(const float *values, uint32_t dim, uint32_t stride, float *out);
float vectors_dot(const float *a, const float *b, uint32_t stride);

#endif
