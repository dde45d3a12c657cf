/*
 * vectors.c: unit vectors side by side, and their products.
 *
 * The one idea: the loop is written as eight independent sums, which is how the hardware adds, so a compiler may vectorise it
 * without changing a bit; the eight are then added in a fixed tree.
 */
#include "worker/route/vectors.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/arena.h"

void vectors_init(struct vectors *vectors, uint32_t dim)
{
	*vectors = (struct vectors){.dim = dim, .stride = (dim + VECTORS_LANES - 1) / VECTORS_LANES * VECTORS_LANES};
}

void vectors_free(struct vectors *vectors)
{
	free(vectors->rows);
	free(vectors->labels);
	vectors_init(vectors, vectors->dim);
}

bool vectors_unit(const float *values, uint32_t dim, uint32_t stride, float *out)
{
	double sum = 0;
	for (uint32_t i = 0; i < dim; i++)
		sum += (double)values[i] * (double)values[i];
	double length = sqrt(sum);
	if (!isfinite(length) || length == 0)
		return false;
	for (uint32_t i = 0; i < dim; i++)
		out[i] = (float)((double)values[i] / length);
	memset(out + dim, 0, (stride - dim) * sizeof *out);
	return true;
}

bool vectors_add(struct vectors *vectors, const float *values, uint32_t label)
{
	if (vectors->count == vectors->capacity) {
		vectors->capacity = vectors->capacity != 0 ? vectors->capacity * 2 : 64;
		vectors->rows = heap_resize(vectors->rows, vectors->capacity, vectors->stride * sizeof *vectors->rows);
		vectors->labels = heap_resize(vectors->labels, vectors->capacity, sizeof *vectors->labels);
	}
	if (!vectors_unit(values, vectors->dim, vectors->stride, vectors->rows + (size_t)vectors->count * vectors->stride))
		return false;
	vectors->labels[vectors->count++] = label;
	return true;
}

float vectors_dot(const float *a, const float *b, uint32_t stride)
{
	float lane[VECTORS_LANES] = {0};
	for (uint32_t i = 0; i < stride; i += VECTORS_LANES)
		for (unsigned k = 0; k < VECTORS_LANES; k++)
			lane[k] += a[i + k] * b[i + k];
	return ((lane[0] + lane[4]) + (lane[2] + lane[6])) + ((lane[1] + lane[5]) + (lane[3] + lane[7]));
}
