/*
 * cluster_fit.c: k-means, step by step.
 *
 * The one idea: every choice is made by whole numbers, or by doubles added in the order of the rows, and of equals the first is
 * taken; so nothing depends on the width of the machine's additions.
 */
#include "worker/lab/cluster_fit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/arena.h"
#include "worker/route/kernels.h"

enum { TRIES = 4, BEGIN_ROWS = 40000, STILL_SHARE = 1000, CENTRES = 256 };

/* splitmix64 (Steele, Lea, Flood 2014). */
static uint64_t draw(uint64_t *state)
{
	uint64_t z = (*state += UINT64_C(0x9E3779B97F4A7C15));
	z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
	return z ^ (z >> 31);
}

static uint32_t below(uint64_t *state, uint32_t bound)
{
	return (uint32_t)((draw(state) >> 32) * bound >> 32);
}

/* Knuth 3.4.2 S: each row is taken with the chance that makes the sample whole. */
uint32_t *cluster_sample(uint32_t count, uint32_t most, uint64_t *state, uint32_t *ret_count)
{
	uint32_t want = count < most ? count : most, taken = 0;
	uint32_t *rows = heap_zalloc((size_t)want + 1, sizeof *rows);
	for (uint32_t i = 0; i < count && taken < want; i++)
		if (want == count || below(state, count - i) < want - taken)
			rows[taken++] = i;
	*ret_count = taken;
	return rows;
}

void cluster_fit_init(struct cluster_fit *f, const struct cluster_set *set, const uint32_t *rows, uint32_t count, uint32_t k)
{
	*f = (struct cluster_fit){.set = set, .rows = rows, .count = count, .k = k, .dim = cluster_set_dim(set)};
	f->centres = heap_zalloc((size_t)k * f->dim, 1);
	f->inverse = heap_zalloc(k, sizeof *f->inverse);
	f->of = heap_zalloc((size_t)count + 1, sizeof *f->of);
	f->cosine = heap_zalloc((size_t)count + 1, sizeof *f->cosine);
}

void cluster_fit_free(struct cluster_fit *f)
{
	free(f->centres);
	free(f->inverse);
	free(f->of);
	free(f->cosine);
}

static void set_centre(struct cluster_fit *f, uint32_t at, uint32_t row)
{
	memcpy(f->centres + (size_t)at * f->dim, cluster_set_row(f->set, row, &f->inverse[at]), f->dim);
}

/* Squared chord of each row to the centres so far: 2 - 2 cos, the least over them; what it would sum to with one more centre. */
static double sum_with(const struct cluster_fit *f, const uint32_t *rows, uint32_t count, uint32_t centre, const float *far, float *ret)
{
	double sum = 0;
	for (uint32_t i = 0; i < count; i++) {
		float now = 2 - 2 * cluster_set_cosine(f->set, rows[i], centre);
		ret[i] = far == NULL || now < far[i] ? now : far[i];
		sum += (double)ret[i];
	}
	return sum;
}

/* A row, by chance in proportion to its distance. */
static uint32_t pick(const float *far, uint32_t count, double sum, uint64_t *state)
{
	double left = (double)(draw(state) >> 11) * 0x1p-53 * sum;
	for (uint32_t i = 0; i < count; i++) {
		left -= (double)far[i];
		if (left < 0)
			return i;
	}
	return below(state, count);
}

void cluster_fit_begin(struct cluster_fit *f, uint64_t *state)
{
	uint32_t count = 0, *places = cluster_sample(f->count, BEGIN_ROWS > 4 * f->k ? BEGIN_ROWS : 4 * f->k, state, &count);
	float *far = heap_zalloc(count, sizeof *far), *now = heap_zalloc(count, sizeof *now), *best = heap_zalloc(count, sizeof *best);
	for (uint32_t i = 0; i < count; i++)
		places[i] = f->rows[places[i]];
	uint32_t first = places[below(state, count)];
	double sum = sum_with(f, places, count, first, NULL, far);
	set_centre(f, 0, first);
	for (uint32_t c = 1; c < f->k; c++) {
		double least = INFINITY;
		uint32_t chosen = 0;
		for (int t = 0; t < TRIES; t++) {
			uint32_t row = places[pick(far, count, sum, state)];
			double with = sum_with(f, places, count, row, far, now);
			if (with >= least)
				continue;
			least = with;
			chosen = row;
			float *kept = best;
			best = now;
			now = kept;
		}
		float *kept = far;
		far = best;
		best = kept;
		sum = least;
		set_centre(f, c, chosen);
	}
	free(places);
	free(far);
	free(now);
	free(best);
}

uint32_t cluster_fit_nearest(const struct cluster_fit *f, uint32_t row, float *ret_best, float *ret_second)
{
	float inverse, best = -2, second = -2;
	int32_t dots[CENTRES];
	const int8_t *values = cluster_set_row(f->set, row, &inverse);
	uint32_t at = 0;
	for (uint32_t c = 0; c < f->k; c++) {
		if (c % CENTRES == 0)
			kernels_dots(values, f->centres + (size_t)c * f->dim, f->k - c < CENTRES ? f->k - c : CENTRES, f->dim, dots);
		float now = kernels_cosine_of(dots[c % CENTRES], inverse, f->inverse[c]);
		if (now > best) {
			second = best;
			best = now;
			at = c;
		} else if (now > second) {
			second = now;
		}
	}
	*ret_best = best;
	*ret_second = second < -1 ? -1 : second;
	return at;
}

uint32_t cluster_fit_assign(struct cluster_fit *f)
{
	uint32_t changed = 0;
	for (uint32_t i = 0; i < f->count; i++) {
		float second;
		uint32_t at = cluster_fit_nearest(f, f->rows[i], &f->cosine[i], &second);
		changed += at != f->of[i];
		f->of[i] = at;
	}
	return changed;
}

/* The row that lies farthest from its centre becomes the centre; it is then at its place and no other takes it. */
static void reseed(struct cluster_fit *f, uint32_t centre)
{
	uint32_t farthest = 0;
	for (uint32_t i = 1; i < f->count; i++)
		if (f->cosine[i] < f->cosine[farthest])
			farthest = i;
	f->cosine[farthest] = 1;
	set_centre(f, centre, f->rows[farthest]);
}

void cluster_fit_move(struct cluster_fit *f)
{
	double *sums = heap_zalloc((size_t)f->k * f->dim, sizeof *sums);
	float *mean = heap_zalloc(f->dim, sizeof *mean);
	for (uint32_t i = 0; i < f->count; i++) {
		float inverse;
		const int8_t *row = cluster_set_row(f->set, f->rows[i], &inverse);
		double *sum = sums + (size_t)f->of[i] * f->dim, weight = (double)inverse;
		for (uint32_t d = 0; d < f->dim; d++)
			sum[d] += weight * row[d];
	}
	for (uint32_t c = 0; c < f->k; c++) {
		for (uint32_t d = 0; d < f->dim; d++)
			mean[d] = (float)sums[(size_t)c * f->dim + d];
		float inverse = kernels_direction(mean, f->dim, f->centres + (size_t)c * f->dim);
		f->inverse[c] = inverse;
		if (inverse == 0)
			reseed(f, c);
	}
	free(sums);
	free(mean);
}

double cluster_fit_settle(struct cluster_fit *f, void (*told)(void *ctx, double share), void *ctx)
{
	double sum = 0;
	(void)cluster_fit_assign(f); /* the first: all is new */
	for (int round = 1; round <= CLUSTER_ROUNDS; round++) {
		cluster_fit_move(f);
		uint32_t changed = cluster_fit_assign(f);
		if (told != NULL)
			told(ctx, (double)round / CLUSTER_ROUNDS);
		if (changed <= f->count / STILL_SHARE)
			break;
	}
	for (uint32_t i = 0; i < f->count; i++)
		sum += (double)f->cosine[i];
	return sum / f->count;
}
