/*
 * draft.c: examples, and how near others of their group lie to them.
 */
#include "worker/lab/draft.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const float SAME = 0.9f; /* examples that lie nearer to one another add nothing */
static const double MISSED = 0.1, LEAST_ACCEPT = 0.3;

struct ranked {
	float cosine;
	uint32_t row;
};

static int by_cosine(const void *a, const void *b)
{
	const struct ranked *x = a, *y = b;
	if (x->cosine > y->cosine || x->cosine < y->cosine)
		return x->cosine > y->cosine ? -1 : 1;
	return x->row < y->row ? -1 : x->row > y->row;
}

static bool is_like_one(const struct cluster_set *set, const struct draft_group *group, uint32_t row)
{
	for (uint32_t i = 0; i < group->count; i++)
		if (cluster_set_cosine(set, row, group->rows[i]) >= SAME)
			return true;
	return false;
}

struct draft_group *draft_examples(const struct cluster_set *set, const struct found_groups *found, uint32_t most, struct arena *arena)
{
	uint32_t rows = cluster_set_count(set), n = 0;
	struct draft_group *groups = arena_array(arena, found->clusters.k, sizeof *groups);
	struct ranked *ranked = heap_zalloc((size_t)rows + 1, sizeof *ranked);
	for (uint32_t g = 0; g < found->clusters.k; g++)
		groups[g].rows = arena_array(arena, most, sizeof *groups[g].rows);
	for (uint32_t i = 0; i < rows; i++)
		if (found->tight[i] && found->groups[found->clusters.of[i]].clear)
			ranked[n++] = (struct ranked){found->clusters.cosine[i], i};
	qsort(ranked, n, sizeof *ranked, by_cosine);
	for (uint32_t i = 0; i < n; i++) {
		struct draft_group *group = &groups[found->clusters.of[ranked[i].row]];
		if (group->count < most && !is_like_one(set, group, ranked[i].row))
			group->rows[group->count++] = ranked[i].row;
	}
	free(ranked);
	return groups;
}

/* NAN: there is no other example to compare with. */
static double score(const struct cluster_set *set, const struct draft_group *group, uint32_t row)
{
	float best[DRAFT_BEST] = {-2, -2, -2};
	uint32_t others = 0;
	for (uint32_t i = 0; i < group->count; i++) {
		if (group->rows[i] == row)
			continue;
		float x = cluster_set_cosine(set, row, group->rows[i]);
		uint32_t at = DRAFT_BEST;
		while (at > 0 && best[at - 1] < x)
			at--;
		for (uint32_t k = DRAFT_BEST - 1; k > at; k--)
			best[k] = best[k - 1];
		if (at < DRAFT_BEST)
			best[at] = x;
		others++;
	}
	double sum = 0;
	uint32_t used = others < DRAFT_BEST ? others : DRAFT_BEST;
	for (uint32_t i = 0; i < used; i++)
		sum += (double)best[i];
	return used != 0 ? sum / used : NAN;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

double draft_accept(const struct cluster_set *set, const struct found_groups *found, const struct draft_group *examples)
{
	uint32_t rows = cluster_set_count(set), n = 0;
	double *scores = heap_zalloc((size_t)rows + 1, sizeof *scores), accept = LEAST_ACCEPT;
	for (uint32_t i = 0; i < rows; i++) {
		double s = found->tight[i] ? score(set, &examples[found->clusters.of[i]], i) : NAN;
		if (!isnan(s))
			scores[n++] = s;
	}
	qsort(scores, n, sizeof *scores, by_value);
	if (n != 0)
		accept = floor(scores[(uint32_t)(MISSED * n)] * 100) / 100;
	free(scores);
	return accept > LEAST_ACCEPT ? accept : LEAST_ACCEPT;
}
