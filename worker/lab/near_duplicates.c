/*
 * near_duplicates.c: each row against all before it that stand for themselves.
 *
 * The one idea: rows come in blocks, and a block of rows is compared with a block of leaders while both are in the cache. Most pairs are
 * done with after their first numbers: what the rest can add to a cosine is at most the product of the rests' lengths (Cauchy and
 * Schwarz), and the table's first columns carry the most.
 */
#include "worker/lab/near_duplicates.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/arena.h"
#include "worker/lab/cluster.h"
#include "worker/route/kernels.h"

enum { HEAD = 64, LEADERS = 512, NOBODY = UINT32_MAX };
static const float ROUNDING = 1e-6f; /* of a cosine */
static const float SLACK = 1e-5f; /* more than floats can be wrong by here */

/* A row of the block that is being collected. */
struct pending {
	uint32_t row, leader; /* leader: index of the nearest so far, or NOBODY */
	float inverse, rest, best;
};

struct near_duplicates {
	uint32_t dim, head, count, cap, leader_count, leader_cap, pending_count;
	float threshold;
	struct cluster_set *leaders;
	int8_t *heads;        /* by leader: its first numbers, side by side */
	float *inverse;       /* by leader */
	float *rest;          /* by leader: length of what is behind the head */
	uint32_t *leader_row; /* by leader */
	uint32_t *of;         /* by row: the row that stands for it */
	float *cosine;
	float *vectors; /* of the block */
	int8_t *whole;
	struct pending pending[NEAR_DUPLICATES_BLOCK];
};

struct near_duplicates *near_duplicates_new(uint32_t dim, double threshold)
{
	struct near_duplicates *n = heap_zalloc(1, sizeof *n);
	n->dim = dim;
	n->head = dim < 2 * HEAD ? dim : HEAD;
	n->threshold = threshold < 1 - (double)ROUNDING ? (float)threshold : 1 - ROUNDING;
	n->leaders = cluster_set_new(dim);
	n->vectors = heap_zalloc((size_t)NEAR_DUPLICATES_BLOCK * dim, sizeof *n->vectors);
	n->whole = heap_zalloc((size_t)NEAR_DUPLICATES_BLOCK * dim, 1);
	return n;
}

void near_duplicates_free(struct near_duplicates *n)
{
	if (n == NULL)
		return;
	cluster_set_free(n->leaders);
	free(n->heads);
	free(n->inverse);
	free(n->rest);
	free(n->leader_row);
	free(n->of);
	free(n->cosine);
	free(n->vectors);
	free(n->whole);
	free(n);
}

static float rest_length(const struct near_duplicates *n, const int8_t *row, float inverse)
{
	int32_t square = kernels_dot(row + n->head, row + n->head, n->dim - n->head);
	return sqrtf((float)square) * inverse;
}

static void compare_whole(const struct near_duplicates *n, struct pending *p, const int8_t *row, uint32_t leader)
{
	float inverse;
	const int8_t *other = cluster_set_row(n->leaders, leader, &inverse);
	float cosine = kernels_cosine(row, p->inverse, other, inverse, n->dim);
	if (cosine < n->threshold || cosine <= p->best)
		return;
	p->best = cosine;
	p->leader = leader;
}

/* With count leaders, at most LEADERS, from a number on. */
static void compare(const struct near_duplicates *n, struct pending *p, const int8_t *row, uint32_t from, uint32_t count)
{
	int32_t heads[LEADERS];
	kernels_dots(row, n->heads + (size_t)from * n->head, count, n->head, heads);
	for (uint32_t i = 0; i < count; i++) {
		float need = p->best > n->threshold ? p->best : n->threshold;
		float most = (float)heads[i] * (p->inverse * n->inverse[from + i]) + p->rest * n->rest[from + i];
		if (most + SLACK >= need)
			compare_whole(n, p, row, from + i);
	}
}

static void add_leader(struct near_duplicates *n, const struct pending *p, const float *vector, const int8_t *row)
{
	if (n->leader_count == n->leader_cap) {
		n->leader_cap = n->leader_cap == 0 ? 1024 : n->leader_cap * 2;
		n->heads = heap_resize(n->heads, n->leader_cap, n->head);
		n->inverse = heap_resize(n->inverse, n->leader_cap, sizeof *n->inverse);
		n->rest = heap_resize(n->rest, n->leader_cap, sizeof *n->rest);
		n->leader_row = heap_resize(n->leader_row, n->leader_cap, sizeof *n->leader_row);
	}
	if (!cluster_set_add(n->leaders, vector))
		return; /* full: it stands for itself alone */
	memcpy(n->heads + (size_t)n->leader_count * n->head, row, n->head);
	n->inverse[n->leader_count] = p->inverse;
	n->rest[n->leader_count] = rest_length(n, row, p->inverse);
	n->leader_row[n->leader_count++] = p->row;
}

static void compare_block(struct near_duplicates *n)
{
	uint32_t before = n->leader_count;
	for (uint32_t from = 0; from < before; from += LEADERS)
		for (uint32_t i = 0; i < n->pending_count; i++)
			compare(n, &n->pending[i], n->whole + (size_t)i * n->dim, from, before - from < LEADERS ? before - from : LEADERS);
	for (uint32_t i = 0; i < n->pending_count; i++) {
		struct pending *p = &n->pending[i];
		const int8_t *row = n->whole + (size_t)i * n->dim;
		compare(n, p, row, before, n->leader_count - before); /* those of this block */
		if (p->leader == NOBODY) {
			add_leader(n, p, n->vectors + (size_t)i * n->dim, row);
			continue;
		}
		n->of[p->row] = n->leader_row[p->leader];
		n->cosine[p->row] = p->best;
	}
	n->pending_count = 0;
}

void near_duplicates_add(struct near_duplicates *n, const float *vector)
{
	if (n->count == n->cap) {
		n->cap = n->cap == 0 ? 4096 : n->cap * 2;
		n->of = heap_resize(n->of, n->cap, sizeof *n->of);
		n->cosine = heap_resize(n->cosine, n->cap, sizeof *n->cosine);
	}
	uint32_t row = n->count++, at = n->pending_count;
	n->of[row] = row;
	n->cosine[row] = 1;
	int8_t *whole = n->whole + (size_t)at * n->dim;
	float inverse = vector != NULL ? kernels_direction(vector, n->dim, whole) : 0;
	if (inverse == 0)
		return;
	memcpy(n->vectors + (size_t)at * n->dim, vector, n->dim * sizeof *vector);
	n->pending[at] = (struct pending){row, NOBODY, inverse, rest_length(n, whole, inverse), -2};
	n->pending_count++;
	if (n->pending_count == NEAR_DUPLICATES_BLOCK)
		compare_block(n);
}

void near_duplicates_end(struct near_duplicates *n)
{
	compare_block(n);
}

uint32_t near_duplicates_count(const struct near_duplicates *n)
{
	return n->count;
}

uint32_t near_duplicates_of(const struct near_duplicates *n, uint32_t row, float *ret_cosine)
{
	*ret_cosine = n->cosine[row];
	return n->of[row];
}
