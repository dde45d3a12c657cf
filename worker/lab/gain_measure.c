/*
 * gain_measure.c: the area under the curve of the performance gap recovered.
 *
 * The one idea: sorted once, the area is a sum over rows by their rank; a resampling only gives each row another weight. Rows of the
 * same score share their ranks, so an order that says nothing has exactly 0.5.
 */
#include "worker/lab/gain_measure.h"

#include <math.h>
#include <stdlib.h>

enum { RESAMPLINGS = 400 };

static int by_score_down(const void *a, const void *b)
{
	const struct gain_outcome *x = a, *y = b;
	return (x->score < y->score) - (x->score > y->score);
}

/* times[i]: how often row i counts; NULL: once. */
static double area(const struct gain_outcome *sorted, uint32_t count, const uint32_t *times)
{
	double done = 0, gained = 0, under = 0;
	for (uint32_t i = 0; i < count;) {
		double rows = 0, gains = 0, score = sorted[i].score;
		for (; i < count && sorted[i].score == score; i++) {
			double n = times != NULL ? times[i] : 1;
			rows += n;
			gains += n * (sorted[i].strong - sorted[i].weak);
		}
		under += rows * (gained + gains / 2);
		gained += gains;
		done += rows;
	}
	return gained > 0 ? under / (done * gained) : NAN;
}

/* xorshift64* (Vigna 2016). */
static uint64_t draw(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * UINT64_C(2685821657736338717);
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static void find_interval(const struct gain_outcome *sorted, uint32_t count, struct gain_measure *m)
{
	double areas[RESAMPLINGS];
	uint32_t *times = heap_zalloc(count, sizeof *times), known = 0;
	uint64_t state = 1;
	for (int k = 0; k < RESAMPLINGS; k++) {
		memset(times, 0, count * sizeof *times);
		for (uint32_t i = 0; i < count; i++)
			times[(draw(&state) >> 32) * count >> 32]++;
		double a = area(sorted, count, times);
		if (!isnan(a))
			areas[known++] = a;
	}
	qsort(areas, known, sizeof *areas, by_value);
	if (known != 0) {
		m->low = areas[(uint32_t)(0.025 * known)];
		m->high = areas[(uint32_t)(0.975 * known)];
	}
	free(times);
}

struct gain_measure gain_measure(const struct gain_outcome *outcomes, uint32_t count)
{
	struct gain_measure m = {.rows = count, .weak = NAN, .strong = NAN, .apgr = NAN, .low = NAN, .high = NAN};
	if (count == 0)
		return m;
	struct gain_outcome *sorted = heap_zalloc(count, sizeof *sorted);
	memcpy(sorted, outcomes, count * sizeof *sorted);
	qsort(sorted, count, sizeof *sorted, by_score_down);
	m.weak = m.strong = 0;
	for (uint32_t i = 0; i < count; i++) {
		m.weak += outcomes[i].weak;
		m.strong += outcomes[i].strong;
	}
	m.weak /= count;
	m.strong /= count;
	m.apgr = area(sorted, count, NULL);
	if (!isnan(m.apgr))
		find_interval(sorted, count, &m);
	free(sorted);
	return m;
}

void gain_curve_rows(const struct gain_outcome *outcomes, uint32_t count, struct curve_row *ret)
{
	for (uint32_t i = 0; i < count; i++) {
		const struct gain_outcome *o = &outcomes[i];
		ret[i] = (struct curve_row){o->score, 1 - o->strong, 1 - o->weak, isnan(o->strong_usd) ? 0 : o->strong_usd,
		                            isnan(o->weak_usd) ? 0 : o->weak_usd};
	}
}

struct curve_goal gain_quality_goal(const struct gain_outcome *outcomes, uint32_t count, double share)
{
	double strong = 0;
	for (uint32_t i = 0; i < count; i++)
		strong += outcomes[i].strong / count;
	return (struct curve_goal){CURVE_QUALITY, 1 - share * strong};
}

uint32_t gain_share_point(const struct curve *curve, double share)
{
	uint32_t at = 0;
	while (at + 1 < curve->count && (double)curve->points[at + 1].taken <= share * (double)curve->rows)
		at++;
	return at;
}
