/*
 * test_gain_measure.c: the area under the performance gap recovered, on orders whose area is known, and thresholds from outcomes.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>

#include "worker/lab/gain_measure.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* Four rows, two of which the strong model alone answers. Sent one after the other by score, the gap is recovered in these steps. */
static void the_area_is_what_the_order_of_the_scores_recovers(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		double scores[4], apgr;
	} cases[] = { /* rows 0 and 1 gain */
		{"both first", {4, 3, 2, 1}, 0.75},
		{"both last", {1, 2, 3, 4}, 0.25},
		{"first and third", {4, 2, 3, 1}, 0.625},
		{"one score for all", {1, 1, 1, 1}, 0.5},
		{"ties by pairs, a gain in each", {2, 1, 2, 1}, 0.5},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct gain_outcome rows[4];
		for (int k = 0; k < 4; k++)
			rows[k] = (struct gain_outcome){cases[i].scores[k], k < 2 ? 0 : 1, 1, NAN, NAN};
		struct gain_measure m = gain_measure(rows, 4);
		if (fabs(m.apgr - cases[i].apgr) > 1e-12)
			fail_msg("%s: %g is not %g", cases[i].name, m.apgr, cases[i].apgr);
		assert_true(m.weak == 0.5 && m.strong == 1 && m.low <= m.apgr && m.apgr <= m.high);
	}
}

static void a_row_that_the_strong_model_spoils_counts_against_it(void **state)
{
	(void)state;
	const struct gain_outcome rows[] = {{3, 0, 1, NAN, NAN}, {2, 0, 1, NAN, NAN}, {1, 1, 0, NAN, NAN}};
	/* recovered: 0, 1, 2, 1 of a gap of 1 */
	assert_true(fabs(gain_measure(rows, 3).apgr - (0.5 + 1.5 + 1.5) / 3) < 1e-12);
}

static void without_a_gap_there_is_no_figure(void **state)
{
	(void)state;
	const struct gain_outcome rows[] = {{2, 1, 0, NAN, NAN}, {1, 0, 1, NAN, NAN}};
	assert_true(isnan(gain_measure(rows, 2).apgr));
	assert_true(isnan(gain_measure(rows, 0).apgr) && gain_measure(rows, 0).rows == 0);
}

/* Scores drawn at random over many rows: near a half, and the interval holds it; the same each time. */
static void chance_is_a_half(void **state)
{
	(void)state;
	enum { ROWS = 2000 };
	static struct gain_outcome rows[ROWS];
	uint64_t seed = 7;
	for (int i = 0; i < ROWS; i++) {
		seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
		rows[i] = (struct gain_outcome){(double)(seed >> 40), i % 3 == 0 ? 0 : 1, 1, NAN, NAN};
	}
	struct gain_measure m = gain_measure(rows, ROWS), again = gain_measure(rows, ROWS);
	assert_true(m.apgr > 0.46 && m.apgr < 0.54 && m.low < 0.5 && m.high > 0.5 && m.high - m.low < 0.1);
	assert_memory_equal(&m, &again, sizeof m);
}

static void thresholds_follow_a_share_or_a_quality(void **state)
{
	(void)state;
	static const struct gain_outcome rows[] = {{0.4, 0, 1, 0.1, 1}, {0.3, 0, 1, 0.1, 1}, {0.2, 1, 1, 0.1, 1}, {0.1, 1, 1, 0.1, 1}};
	static const struct {
		double share;
		int64_t taken;
	} shares[] = {{0, 0}, {0.2, 0}, {0.25, 1}, {0.6, 2}, {1, 4}};
	static const struct {
		double quality;
		int64_t taken;
	} qualities[] = {{0.5, 0}, {0.6, 1}, {0.75, 1}, {0.95, 2}, {1, 2}};
	struct arena arena;
	struct curve_row curve_rows[COUNT(rows)];
	arena_init(&arena, 0);
	gain_curve_rows(rows, COUNT(rows), curve_rows);
	struct curve curve = curve_make(curve_rows, COUNT(rows), &arena);
	for (size_t i = 0; i < COUNT(shares); i++)
		assert_int_equal(curve.points[gain_share_point(&curve, shares[i].share)].taken, shares[i].taken);
	for (size_t i = 0; i < COUNT(qualities); i++) {
		uint32_t at = 0;
		assert_true(curve_choose(&curve, 1, gain_quality_goal(rows, COUNT(rows), qualities[i].quality), &at));
		assert_int_equal(curve.points[at].taken, qualities[i].taken);
	}
	assert_true(fabs(curve.points[2].cost - 2.2) < 1e-12);
	arena_free(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_area_is_what_the_order_of_the_scores_recovers),
		cmocka_unit_test(a_row_that_the_strong_model_spoils_counts_against_it),
		cmocka_unit_test(without_a_gap_there_is_no_figure),
		cmocka_unit_test(chance_is_a_half),
		cmocka_unit_test(thresholds_follow_a_share_or_a_quality),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
