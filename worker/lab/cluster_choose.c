/*
 * cluster_choose.c: how many clusters there are.
 *
 * The one idea: k is the number under which rows that were not learned from lie most clearly nearer to their own centre than to the
 * next: the mean of 1 - (1 - cos to the own) / (1 - cos to the next), which is the simplified silhouette (Hruschka, Campello, de Castro
 * 2006). Numbers are tried in steps of a third to a half; of numbers within TIE of the best the smallest is taken, because a person has to
 * read the result.
 */
#include <math.h>
#include <stdlib.h>

#include "common/arena.h"
#include "worker/lab/cluster_fit.h"

enum { CHOOSE_ROWS = 12000, HOLD_OUT = 4, ROWS_EACH = 5, DEFAULT_MOST_K = 256, STEPS_MOST = 32 };
static const double TIE = 0.005;

/* 2, 3, 4, 6, 8, 12, 16, 24 ... up to most, which is the last. */
static uint32_t steps(uint32_t most, uint32_t ret[STEPS_MOST])
{
	uint32_t count = 0;
	for (uint32_t low = 2; low <= most && count + 2 < STEPS_MOST; low *= 2) {
		ret[count++] = low;
		if (low + low / 2 <= most)
			ret[count++] = low + low / 2;
	}
	if (count != 0 && ret[count - 1] != most)
		ret[count++] = most;
	return count;
}

static double silhouette(const struct cluster_fit *f, const uint32_t *held, uint32_t count)
{
	double sum = 0;
	for (uint32_t i = 0; i < count; i++) {
		float best, second;
		(void)cluster_fit_nearest(f, held[i], &best, &second); /* which it is does not matter */
		sum += second < 1 ? (double)(1 - (1 - best) / (1 - second)) : 0;
	}
	return count != 0 ? sum / count : 0;
}

uint32_t cluster_choose_k(const struct cluster_setup *setup, uint64_t *state, double *ret_silhouette)
{
	uint32_t count = 0, learn = 0, held = 0, tries[STEPS_MOST];
	uint32_t *rows = cluster_sample(cluster_set_count(setup->set), CHOOSE_ROWS, state, &count);
	uint32_t *learned = heap_zalloc((size_t)count + 1, sizeof *learned), *others = heap_zalloc((size_t)count + 1, sizeof *others);
	for (uint32_t i = 0; i < count; i++)
		if (i % HOLD_OUT == HOLD_OUT - 1)
			others[held++] = rows[i];
		else
			learned[learn++] = rows[i];
	uint32_t most = setup->most_k != 0 ? setup->most_k : DEFAULT_MOST_K;
	uint32_t n = steps(most < learn / ROWS_EACH ? most : learn / ROWS_EACH, tries);
	double values[STEPS_MOST], best = -INFINITY;
	for (uint32_t i = 0; i < n; i++) {
		struct cluster_fit f;
		cluster_fit_init(&f, setup->set, learned, learn, tries[i]);
		cluster_fit_begin(&f, state);
		(void)cluster_fit_settle(&f, NULL, NULL); /* it is judged by the rows held out */
		values[i] = silhouette(&f, others, held);
		best = values[i] > best ? values[i] : best;
		cluster_fit_free(&f);
		if (setup->progress != NULL)
			setup->progress(setup->ctx, 0.5 * (i + 1) / n);
	}
	uint32_t k = 1;
	*ret_silhouette = 0;
	for (uint32_t i = 0; i < n; i++)
		if (values[i] >= best - TIE) {
			k = tries[i];
			*ret_silhouette = values[i];
			break;
		}
	free(rows);
	free(learned);
	free(others);
	return k;
}
