/*
 * cluster_set.c: many vectors as int8.
 *
 * The one idea: a row's length is taken from its whole numbers, not from the floats that they stand for, so equal rows are equal
 * and lie at a cosine of 1, to the rounding of a float. Rows live in blocks, so a growing set copies nothing.
 */
#include "worker/lab/cluster.h"

#include <stdlib.h>

#include "common/arena.h"
#include "worker/route/kernels.h"

enum { BLOCK = 16384 };

struct block {
	int8_t *values;
	float *inverse;
};

struct cluster_set {
	struct block *blocks;
	uint32_t dim, count, block_count;
};

struct cluster_set *cluster_set_new(uint32_t dim)
{
	struct cluster_set *set = heap_zalloc(1, sizeof *set);
	set->dim = dim;
	return set;
}

void cluster_set_free(struct cluster_set *set)
{
	if (set == NULL)
		return;
	for (uint32_t i = 0; i < set->block_count; i++) {
		free(set->blocks[i].values);
		free(set->blocks[i].inverse);
	}
	free(set->blocks);
	free(set);
}

bool cluster_set_add(struct cluster_set *set, const float *vector)
{
	if (set->count == CLUSTER_MAX_ROWS)
		return false;
	uint32_t at = set->count / BLOCK, place = set->count % BLOCK;
	if (at == set->block_count) {
		set->blocks = heap_resize(set->blocks, (size_t)at + 1, sizeof *set->blocks);
		set->blocks[at] = (struct block){heap_alloc((size_t)BLOCK * set->dim), heap_alloc(BLOCK * sizeof(float))};
		set->block_count++;
	}
	float inverse = kernels_direction(vector, set->dim, set->blocks[at].values + (size_t)place * set->dim);
	if (inverse == 0)
		return false;
	set->blocks[at].inverse[place] = inverse;
	set->count++;
	return true;
}

uint32_t cluster_set_count(const struct cluster_set *set) { return set->count; }
uint32_t cluster_set_dim(const struct cluster_set *set) { return set->dim; }

const int8_t *cluster_set_row(const struct cluster_set *set, uint32_t row, float *ret_inverse)
{
	const struct block *block = &set->blocks[row / BLOCK];
	*ret_inverse = block->inverse[row % BLOCK];
	return block->values + (size_t)(row % BLOCK) * set->dim;
}

float cluster_set_cosine(const struct cluster_set *set, uint32_t a, uint32_t b)
{
	float x, y;
	const int8_t *row = cluster_set_row(set, a, &x), *other = cluster_set_row(set, b, &y);
	return kernels_cosine(row, x, other, y, set->dim);
}
