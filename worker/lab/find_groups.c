/*
 * find_groups.c: how many groups, by what the other half says.
 *
 * The one idea: the number of clusters is the one under which most rows are tight in the other half's clusters, of nearly equal ones the
 * largest: two kinds in one cluster are tight, too. More clusters are nearer to their rows, and less clearly apart; the share of tight
 * rows weighs the two.
 */
#include "worker/lab/find_groups.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/arena.h"
#include "worker/route/kernels.h"

enum { LEAST_HALF = 20, LOOK_BACK = 2000, LEAST_ROWS = 8, LEAST_PER_MILLE = 5 };
const double find_groups_near = 0.5;
static const double CLEAR = 0.2, TIE = 0.01; /* CLEAR: the least simplified silhouette of a tight row */
static const float SAME = 0.95f;
static const uint32_t tries[] = {2, 4, 6, 8, 12, 16, 24, 32, FIND_GROUPS_MOST};
enum { TRIES = sizeof tries / sizeof tries[0] };

struct finding {
	const struct cluster_set *set;
	struct cluster_set *halves[2];
	uint64_t seed;
	void (*progress)(void *ctx, double share);
	void *ctx;
	double from, to; /* of the progress: the part under way */
};

static void tell(void *ctx, double share)
{
	const struct finding *f = ctx;
	if (f->progress != NULL)
		f->progress(f->ctx, f->from + (f->to - f->from) * share);
}

/* Which half a row is in: by its number, without a pattern that rows could share. */
static uint32_t half_of(uint32_t row)
{
	uint32_t h = (row + 1) * UINT32_C(2654435761);
	return (h ^ h >> 15) >> 7 & 1;
}

static void split(struct finding *f)
{
	uint32_t dim = cluster_set_dim(f->set);
	float *values = heap_zalloc(dim, sizeof *values);
	f->halves[0] = cluster_set_new(dim);
	f->halves[1] = cluster_set_new(dim);
	for (uint32_t i = 0; i < cluster_set_count(f->set); i++) {
		float ignored;
		const int8_t *row = cluster_set_row(f->set, i, &ignored);
		for (uint32_t d = 0; d < dim; d++)
			values[d] = (float)row[d];
		(void)cluster_set_add(f->halves[half_of(i)], values); /* it had a direction, and there is room for fewer than there were */
	}
	free(values);
}

static bool is_tight(const struct clusters *c, const int8_t *row, float inverse)
{
	float best = -2, second = -2;
	for (uint32_t k = 0; k < c->k; k++) {
		float x = kernels_cosine(row, inverse, c->centres + (size_t)k * c->dim, c->all[k].inverse, c->dim);
		if (x > best) {
			second = best;
			best = x;
		} else if (x > second)
			second = x;
	}
	double apart = c->k < 2 || second >= 1 ? 0 : 1 - (1 - (double)best) / (1 - (double)second);
	return (double)best >= find_groups_near && (apart >= CLEAR || c->k == 1);
}

/* Marks the tight rows with k clusters in each half; returns how many. */
static uint32_t mark(struct finding *f, uint32_t k, bool *tight)
{
	uint32_t count = 0, rows = cluster_set_count(f->set);
	for (uint32_t half = 0; half < 2; half++) {
		struct clusters c;
		if (!cluster_fit(&(struct cluster_setup){.set = f->halves[half], .k = k, .seed = f->seed}, &c))
			continue;
		for (uint32_t i = 0; i < rows; i++) {
			float inverse;
			if (half_of(i) == half)
				continue;
			const int8_t *row = cluster_set_row(f->set, i, &inverse);
			tight[i] = is_tight(&c, row, inverse);
			count += tight[i];
		}
		clusters_free(&c);
	}
	return count;
}

static uint32_t choose(struct finding *f, bool *ret_tight)
{
	uint32_t rows = cluster_set_count(f->set), best_k = 1, best = 0, tie = (uint32_t)(TIE * rows);
	uint32_t smaller = cluster_set_count(f->halves[0]) < cluster_set_count(f->halves[1]) ? cluster_set_count(f->halves[0]) : cluster_set_count(f->halves[1]);
	bool *tight = heap_zalloc((size_t)rows + 1, sizeof *tight);
	for (uint32_t i = 0; i < TRIES && smaller >= LEAST_HALF && tries[i] * 4 <= smaller; i++) {
		memset(tight, 0, rows);
		uint32_t count = mark(f, tries[i], tight);
		if (best_k == 1 || (count + tie >= best && count > tie)) {
			best = count > best ? count : best;
			best_k = tries[i];
			memcpy(ret_tight, tight, rows);
		}
		tell(f, (i + 1.0) / TRIES);
	}
	free(tight);
	return best_k;
}

/* Rows nearly the same as one before them in their cluster, of the last LOOK_BACK there. */
static uint32_t count_duplicates(const struct cluster_set *set, const struct clusters *c)
{
	uint32_t rows = cluster_set_count(set), count = 0;
	uint32_t *before = heap_zalloc((size_t)rows + 1, sizeof *before), *last = heap_zalloc((size_t)c->k + 1, sizeof *last);
	for (uint32_t i = 0; i < rows; i++) {
		bool found = false;
		uint32_t at = last[c->of[i]]; /* one more than a row; 0: none */
		for (unsigned n = 0; at != 0 && n < LOOK_BACK && !found; n++, at = before[at - 1])
			found = cluster_set_cosine(set, i, at - 1) >= SAME;
		count += found;
		if (found)
			continue; /* its like is there already */
		before[i] = last[c->of[i]];
		last[c->of[i]] = i + 1;
	}
	free(before);
	free(last);
	return count;
}

static void count_tight(struct found_groups *found, uint32_t rows)
{
	uint32_t least = rows / 1000 * LEAST_PER_MILLE > LEAST_ROWS ? rows / 1000 * LEAST_PER_MILLE : LEAST_ROWS;
	for (uint32_t i = 0; i < rows; i++) {
		struct found_group *g = &found->groups[found->clusters.of[i]];
		g->size++;
		g->tight += found->tight[i];
		found->tight_count += found->tight[i];
	}
	for (uint32_t k = 0; k < found->clusters.k; k++) {
		struct found_group *g = &found->groups[k];
		g->clear = g->size >= least && g->tight * 3 >= g->size;
		found->clear_groups += g->clear;
		found->most_tight = g->tight > found->most_tight ? g->tight : found->most_tight;
	}
}

bool find_groups(const struct cluster_set *set, uint64_t seed, void (*progress)(void *ctx, double share), void *ctx, struct found_groups *ret)
{
	struct finding f = {.set = set, .seed = seed, .progress = progress, .ctx = ctx, .to = 0.7};
	struct found_groups found = {0};
	uint32_t rows = cluster_set_count(set);
	if (rows == 0)
		return false;
	found.tight = heap_zalloc(rows, sizeof *found.tight);
	split(&f);
	uint32_t k = choose(&f, found.tight);
	f.from = f.to;
	f.to = 1;
	bool made = cluster_fit(&(struct cluster_setup){.set = set, .k = k, .seed = seed, .progress = tell, .ctx = &f}, &found.clusters);
	if (made) { /* it is: there are rows */
		found.groups = heap_zalloc(found.clusters.k, sizeof *found.groups);
		count_tight(&found, rows);
		found.duplicates = count_duplicates(set, &found.clusters);
		*ret = found;
	} else
		free(found.tight);
	cluster_set_free(f.halves[0]);
	cluster_set_free(f.halves[1]);
	return made;
}

void found_groups_free(struct found_groups *found)
{
	clusters_free(&found->clusters);
	free(found->groups);
	free(found->tight);
	*found = (struct found_groups){0};
}
