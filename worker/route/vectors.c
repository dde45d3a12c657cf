/*
 * vectors.c: directions side by side.
 *
 * The one idea: for comparing directions, 8 bits a number are enough. Rounding them moves a cosine by a thousandth or less, which is
 * below what the thresholds and margins of routes can be known to; in return the table is a quarter as large (50,000 rows of 256
 * numbers: 13 MB, and memory is what such a search waits for), products are whole numbers, whose sum does not depend on their order,
 * and so nothing has to be computed a second time from floats, which would have to be kept for it.
 *
 * What remains in floats, lengths and products of single vectors, is written as eight independent sums, which is how the hardware adds,
 * so a compiler may vectorise it without changing a bit; the eight are then added in a fixed tree.
 */
#include "worker/route/vectors.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/arena.h"
#include "worker/route/kernels.h"

enum { ROW_BYTES = 32 }; /* rows are padded to what the wide loop reads at once */

void vectors_init(struct vectors *vectors, uint32_t dim)
{
	*vectors = (struct vectors){.dim = dim, .stride = (dim + ROW_BYTES - 1) / ROW_BYTES * ROW_BYTES};
}

void vectors_free(struct vectors *vectors)
{
	free(vectors->rows);
	free(vectors->inverse);
	free(vectors->labels);
	vectors_init(vectors, vectors->dim);
}

bool vectors_unit(const float *values, uint32_t dim, float *out)
{
	double sum = 0;
	for (uint32_t i = 0; i < dim; i++)
		sum += (double)values[i] * (double)values[i];
	double length = sqrt(sum);
	if (!isfinite(length) || length == 0)
		return false;
	for (uint32_t i = 0; i < dim; i++)
		out[i] = (float)((double)values[i] / length);
	return true;
}

float vectors_row(const struct vectors *vectors, const float *unit, int8_t *out)
{
	memset(out + vectors->dim, 0, vectors->stride - vectors->dim);
	return kernels_direction(unit, vectors->dim, out);
}

bool vectors_add(struct vectors *vectors, const float *values, uint32_t label)
{
	float unit[VECTORS_MAX_DIM];
	if (!vectors_unit(values, vectors->dim, unit))
		return false;
	if (vectors->count == vectors->capacity) {
		vectors->capacity = vectors->capacity != 0 ? vectors->capacity + vectors->capacity / 2 : 64;
		vectors->rows = heap_resize(vectors->rows, vectors->capacity, vectors->stride);
		vectors->inverse = heap_resize(vectors->inverse, vectors->capacity, sizeof *vectors->inverse);
		vectors->labels = heap_resize(vectors->labels, vectors->capacity, sizeof *vectors->labels);
	}
	uint32_t at = vectors->count++;
	vectors->inverse[at] = vectors_row(vectors, unit, vectors->rows + (size_t)at * vectors->stride);
	vectors->labels[at] = label;
	return true;
}

void vectors_cosines(const struct vectors *vectors, const int8_t *row, float inverse, uint32_t from, uint32_t count, float *ret)
{
	int32_t dots[VECTORS_AT_ONCE];
	kernels_dots(row, vectors->rows + (size_t)from * vectors->stride, count, vectors->stride, dots);
	kernels_cosines(dots, inverse, vectors->inverse + from, count, ret);
}

float vectors_dot(const float *a, const float *b, uint32_t stride)
{
	float lane[VECTORS_LANES] = {0};
	for (uint32_t i = 0; i < stride; i += VECTORS_LANES)
		for (unsigned k = 0; k < VECTORS_LANES; k++)
			lane[k] += a[i + k] * b[i + k];
	return ((lane[0] + lane[4]) + (lane[2] + lane[6])) + ((lane[1] + lane[5]) + (lane[3] + lane[7]));
}
