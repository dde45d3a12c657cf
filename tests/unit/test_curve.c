/* test_curve.c: curves of known distributions, and choices against counting all there are. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>

#include "worker/lab/curve.h"
#include "worker/lab/stats.h"

enum { MOST = 64 };

static uint32_t next_random(uint64_t *seed)
{
	*seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(*seed >> 33);
}

/* Few different scores, so that ties occur; the higher, the likelier right. */
static uint32_t random_rows(struct curve_row *rows, uint64_t *seed)
{
	uint32_t count = next_random(seed) % MOST;
	for (uint32_t i = 0; i < count; i++) {
		double score = (double)(next_random(seed) % 20) / 20;
		bool wrong = (double)(next_random(seed) % 100) / 100 > score;
		rows[i] = (struct curve_row){score, wrong, (double)(next_random(seed) % 2), wrong ? 5 : 0, 1};
	}
	return count;
}

static void a_curve_has_one_point_for_each_score_with_counted_figures(void **state)
{
	(void)state;
	static const struct curve_row rows[] = {{.5, 1, 0, 10, 2}, {.9, 0, 1, 0, 2}, {.7, 1, 1, 10, 2}, {.7, 0, 0, 0, 2}, {.1, 0, 1, 0, 2}};
	static const struct curve_point expected[] = {
		{.91, 0, 0, 3, 10}, {.8, 1, 0, 2, 8}, {.6, 3, 1, 2, 14}, {.3, 4, 2, 3, 22}, {.09, 5, 2, 2, 20}};
	struct arena arena;
	arena_init(&arena, 0);
	struct curve c = curve_make(rows, 5, &arena);
	assert_int_equal(c.count, 5);
	assert_int_equal(c.rows, 5);
	for (uint32_t i = 0; i < 5; i++)
		if (memcmp(&c.points[i], &expected[i], sizeof expected[i]) != 0)
			fail_msg("point %u: %.17g %lld %g %g %g", i, c.points[i].threshold, (long long)c.points[i].taken, c.points[i].errors_taken, c.points[i].errors, c.points[i].cost);
	arena_free(&arena);
}

static void a_threshold_takes_exactly_the_rows_of_its_point(void **state)
{
	(void)state;
	struct arena arena;
	uint64_t seed = 3;
	arena_init(&arena, 0);
	for (int round = 0; round < 200; round++) {
		struct curve_row rows[MOST];
		uint32_t count = random_rows(rows, &seed);
		for (uint32_t i = 0; i < count; i++)
			rows[i].score += (double)(next_random(&seed) % 3) * 1e-13;
		struct curve c = curve_make(rows, count, &arena);
		for (uint32_t k = 0; k < c.count; k++) {
			int64_t taken = 0;
			double errors = 0, cost = 0, errors_taken = 0;
			for (uint32_t i = 0; i < count; i++) {
				bool is = rows[i].score >= c.points[k].threshold;
				taken += is;
				errors_taken += is ? rows[i].error_taken : 0;
				errors += is ? rows[i].error_taken : rows[i].error_left;
				cost += is ? rows[i].cost_taken : rows[i].cost_left;
			}
			assert_int_equal(taken, c.points[k].taken);
			assert_true(errors_taken == c.points[k].errors_taken && errors == c.points[k].errors && cost == c.points[k].cost);
			assert_true(k == 0 || c.points[k].threshold < c.points[k - 1].threshold);
		}
		arena_reset(&arena);
	}
	arena_free(&arena);
}

static void thresholds_have_as_few_digits_as_tell_scores_apart(void **state)
{
	(void)state;
	static const struct { double low, high, expected; } cases[] = {
		{.6, .7, .65}, {.61, .62, .62}, {.6, .61, .61}, {0, 1, .5}, {.61234, .61239, .61236}, {.12, .1200001, .12000005}, {.1, .1 + 1e-16, .1 + 1e-16}};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		double t = curve_between(cases[i].low, cases[i].high);
		assert_true(t > cases[i].low && t <= cases[i].high);
		if (fabs(t - cases[i].expected) > 1e-5)
			fail_msg("%.17g", t);
	}
	assert_true(curve_between(.61, .63) == .62);
}

/* Scores spread evenly over 0..1, and a row of score s is wrong in a share 1 - s of the cases: what is taken above t errs in a share
 * (1 - t) / 2, so 10 % are reached at t = .8, and the cheapest t for a price of 4 against 1 for leaving is where 1 - t = 1 / 4. */
static void a_known_distribution_gives_the_known_thresholds(void **state)
{
	(void)state;
	enum { STEPS = 1000, EACH = 1000 };
	struct arena arena;
	uint32_t at;
	arena_init(&arena, 0);
	struct curve_row *rows = arena_array(&arena, STEPS, sizeof *rows);
	for (int i = 0; i < STEPS; i++) {
		double score = (i + .5) / STEPS;
		rows[i] = (struct curve_row){score, 1 - score, 0, 4 * (1 - score), 1};
	}
	struct curve c = curve_make(rows, STEPS, &arena);
	assert_true(curve_choose(&c, 1, (struct curve_goal){CURVE_MISROUTE, .1}, &at));
	assert_true(fabs(c.points[at].threshold - .8) < .002);
	assert_true(curve_choose(&c, 1, (struct curve_goal){CURVE_SHARE, .3}, &at));
	assert_int_equal(c.points[at].taken, 300);
	assert_true(curve_choose(&c, 1, (struct curve_goal){CURVE_COST, 0}, &at));
	assert_true(fabs(c.points[at].threshold - .75) < .002);
	assert_true(curve_choose(&c, 1, (struct curve_goal){CURVE_SLOPE, .4}, &at));
	assert_true(fabs(c.points[at].threshold - .6) < .002);
	/* a strong model that is right where the weak one is wrong with the share score: all above t = .5 cost it, and the quality lost
	 * below is the sum of what lies under: .5 * .25 of all */
	for (int i = 0; i < STEPS; i++)
		rows[i] = (struct curve_row){rows[i].score, 0, rows[i].score, 0, 0};
	c = curve_make(rows, STEPS, &arena);
	assert_true(curve_choose(&c, 1, (struct curve_goal){CURVE_QUALITY, .125}, &at));
	assert_true(fabs(c.points[at].threshold - .5) < .002);
	assert_int_equal(c.points[at].taken, 500);
	arena_free(&arena);
}

static bool is_allowed(const struct curve *c, uint32_t k, struct curve_goal goal)
{
	const struct curve_point *p = &c->points[k];
	if (goal.kind == CURVE_MISROUTE)
		return p->errors_taken <= goal.value * (double)p->taken + 1e-9;
	if (goal.kind == CURVE_SHARE)
		return (double)p->taken >= goal.value * (double)c->rows - 1e-9;
	return goal.kind != CURVE_QUALITY || p->errors <= goal.value * (double)c->rows + 1e-9;
}

/* More is better for MISROUTE, less for the others. */
static double merit(const struct curve_point *p, enum curve_goal_kind kind)
{
	return kind == CURVE_MISROUTE ? (double)p->taken : kind == CURVE_SHARE ? -p->errors_taken : kind == CURVE_QUALITY ? -(double)p->taken : -p->cost;
}

static void of_one_curve_no_point_would_have_been_better(void **state)
{
	(void)state;
	static const enum curve_goal_kind kinds[] = {CURVE_MISROUTE, CURVE_SHARE, CURVE_QUALITY, CURVE_COST};
	struct arena arena;
	uint64_t seed = 11;
	arena_init(&arena, 0);
	for (int round = 0; round < 2000; round++) {
		struct curve_row rows[MOST];
		uint32_t at, count = random_rows(rows, &seed);
		struct curve c = curve_make(rows, count, &arena);
		struct curve_goal goal = {kinds[round % 4], (double)(next_random(&seed) % 50) / 100};
		bool possible = false, reached = curve_choose(&c, 1, goal, &at);
		for (uint32_t k = 0; k < c.count; k++) {
			possible |= is_allowed(&c, k, goal);
			if (reached && is_allowed(&c, k, goal) && merit(&c.points[k], goal.kind) > merit(&c.points[at], goal.kind))
				fail_msg("round %d: point %u would have been better than %u", round, k, at);
			if (c.points[k].taken == c.points[at].taken) /* the same share cannot have fewer errors */
				assert_true(c.points[k].errors_taken >= c.points[at].errors_taken);
		}
		assert_int_equal(reached, possible);
		assert_true(!reached || is_allowed(&c, at, goal));
		arena_reset(&arena);
	}
	arena_free(&arena);
}

/* Two curves: counted over all pairs of points. The hull's order may miss the best by less than one step of the hull, never the bound. */
static void several_curves_keep_the_bound_and_are_near_the_best(void **state)
{
	(void)state;
	struct arena arena;
	uint64_t seed = 29;
	double lost = 0, best_sum = 0;
	arena_init(&arena, 0);
	for (int round = 0; round < 500; round++) {
		struct curve_row rows[2][MOST];
		uint32_t at[2];
		struct curve c[2];
		for (int i = 0; i < 2; i++)
			c[i] = curve_make(rows[i], random_rows(rows[i], &seed), &arena);
		double bound = (double)(next_random(&seed) % 40) / 100;
		assert_true(curve_choose(c, 2, (struct curve_goal){CURVE_MISROUTE, bound}, at));
		double taken = (double)(c[0].points[at[0]].taken + c[1].points[at[1]].taken), best = 0;
		assert_true(c[0].points[at[0]].errors_taken + c[1].points[at[1]].errors_taken <= bound * taken + 1e-9);
		for (uint32_t i = 0; i < c[0].count; i++)
			for (uint32_t k = 0; k < c[1].count; k++) {
				double n = (double)(c[0].points[i].taken + c[1].points[k].taken);
				if (c[0].points[i].errors_taken + c[1].points[k].errors_taken <= bound * n + 1e-9 && n > best)
					best = n;
			}
		best_sum += best;
		lost += best - taken;
		arena_reset(&arena);
	}
	arena_free(&arena);
	assert_true(lost >= 0);
	if (lost > .03 * best_sum)
		fail_msg("%g of %g rows are lost against the best pairs", lost, best_sum);
}

static void the_rows_that_are_needed_are_the_first_that_show_it(void **state)
{
	(void)state;
	static const double shares[] = {.001, .01, .03, .05, .2, .5};
	for (size_t i = 0; i < sizeof shares / sizeof shares[0]; i++) {
		int64_t n = curve_needs(shares[i]);
		assert_true(share_of(0, n).high <= shares[i] + 1e-12);
		assert_true(share_of(0, n - 1).high > shares[i]);
	}
	assert_int_equal(curve_needs(.03), 125);
	assert_true(curve_needs(0) == INT64_MAX && curve_needs(1) == 1);
}

static void a_thin_curve_keeps_its_ends_and_its_order(void **state)
{
	(void)state;
	struct arena arena;
	arena_init(&arena, 0);
	struct curve_row *rows = arena_array(&arena, 5000, sizeof *rows);
	for (int i = 0; i < 5000; i++)
		rows[i].score = (double)i / 5000;
	struct curve c = curve_make(rows, 5000, &arena), thin = curve_thin(&c, 101, &arena);
	assert_int_equal(thin.count, 101);
	assert_int_equal(thin.points[0].taken, 0);
	assert_int_equal(thin.points[50].taken, 2500);
	assert_int_equal(thin.points[100].taken, 5000);
	struct curve few = curve_make(rows, 3, &arena);
	assert_int_equal(curve_thin(&few, 101, &arena).count, 4);
	struct curve none = curve_make(NULL, 0, &arena);
	assert_int_equal(none.count, 1);
	arena_free(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_curve_has_one_point_for_each_score_with_counted_figures),
		cmocka_unit_test(a_threshold_takes_exactly_the_rows_of_its_point),
		cmocka_unit_test(thresholds_have_as_few_digits_as_tell_scores_apart),
		cmocka_unit_test(a_known_distribution_gives_the_known_thresholds),
		cmocka_unit_test(of_one_curve_no_point_would_have_been_better),
		cmocka_unit_test(several_curves_keep_the_bound_and_are_near_the_best),
		cmocka_unit_test(the_rows_that_are_needed_are_the_first_that_show_it),
		cmocka_unit_test(a_thin_curve_keeps_its_ends_and_its_order),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
