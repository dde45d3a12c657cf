/* test_agreement.c: counts by hand, kappa of known tables, its error against the delta method done by differences. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>

#include "worker/lab/agreement.h"

enum { MOST = 5 };
static const char *const names[MOST] = {"a", "b", "c", "d", "e"};

static struct agreement *filled(struct arena *arena, uint32_t labels, const int *cells)
{
	struct agreement *a = agreement_new(arena);
	for (uint32_t i = labels; i-- > 0;)
		assert_true(agreement_learn(a, str_of(names[i])) && agreement_learn(a, str_of(names[i])));
	for (uint32_t i = 0; i < labels; i++)
		for (uint32_t k = 0; k < labels; k++)
			for (int n = 0; n < cells[i * labels + k]; n++)
				agreement_add(a, str_of(names[i]), str_of(names[k]));
	return a;
}

static void figures_are_those_counted_by_hand(void **state)
{
	(void)state;
	struct arena arena;
	arena_init(&arena, 0);
	struct agreement *a = filled(&arena, 2, (const int[]){20, 5, 10, 15});
	struct agreement_figures f = agreement_figures(a);
	assert_int_equal(f.rows, 50);
	assert_true(fabs(f.agreed.share - .7) < 1e-12 && fabs(f.known.share - .7) < 1e-12);
	assert_true(fabs(f.kappa - .4) < 1e-12); /* (.7 - .5) / (1 - .5) */
	struct agreement_label l = agreement_label(a, 0);
	assert_true(str_is(l.name, "a"));
	assert_int_equal(l.people, 25);
	assert_int_equal(l.judge, 30);
	assert_int_equal(l.both, 20);
	assert_true(fabs(l.missed.share - .2) < 1e-12 && fabs(l.false_alarms.share - 1. / 3) < 1e-12);
	agreement_free(a);
	arena_free(&arena);
}

static void a_verdict_that_is_none_of_peoples_labels_is_unknown_and_agrees_with_nobody(void **state)
{
	(void)state;
	static const char *const unknown[] = {"", "A", "a.", "a because", "unknown", "aa", "b a"};
	struct arena arena;
	arena_init(&arena, 0);
	struct agreement *a = filled(&arena, 2, (const int[]){6, 0, 0, 6});
	for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++)
		agreement_add(a, STR("a"), str_of(unknown[i]));
	agreement_add(a, STR("b"), STR_NULL);
	struct agreement_figures f = agreement_figures(a);
	assert_int_equal(f.rows, 20);
	assert_int_equal(f.unknown, 8);
	assert_int_equal(f.agreed.hits, 12);
	assert_int_equal(f.agreed.rows, 20);
	assert_true(f.known.share == 1 && f.kappa == 1 && f.kappa_low == 1 && f.kappa_high == 1);
	assert_int_equal(agreement_label(a, 0).unknown, 7);
	assert_int_equal(agreement_label(a, 0).people, 13);
	assert_int_equal(agreement_label(a, 0).missed.rows, 6);
	agreement_free(a);
	arena_free(&arena);
}

static void where_chance_always_agrees_kappa_is_not_told(void **state)
{
	(void)state;
	struct arena arena;
	arena_init(&arena, 0);
	struct agreement *a = filled(&arena, 1, (const int[]){9});
	assert_true(isnan(agreement_figures(a).kappa));
	agreement_free(a);
	a = agreement_new(&arena);
	assert_true(isnan(agreement_figures(a).kappa) && isnan(agreement_figures(a).agreed.share));
	agreement_free(a);
	arena_free(&arena);
}

static double kappa_of(const double *p, uint32_t labels)
{
	double same = 0, chance = 0;
	for (uint32_t i = 0; i < labels; i++) {
		double row = 0, column = 0;
		same += p[i * labels + i];
		for (uint32_t k = 0; k < labels; k++) {
			row += p[i * labels + k];
			column += p[k * labels + i];
		}
		chance += row * column;
	}
	return (same - chance) / (1 - chance);
}

static void the_interval_is_that_of_the_delta_method(void **state)
{
	(void)state;
	uint64_t seed = 41;
	struct arena arena;
	arena_init(&arena, 0);
	for (int round = 0; round < 200; round++) {
		uint32_t labels = 2 + (uint32_t)round % (MOST - 1);
		int cells[MOST * MOST], n = 0;
		double p[MOST * MOST], mean = 0, squares = 0;
		for (uint32_t i = 0; i < labels * labels; i++) {
			seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
			cells[i] = (int)(seed >> 60) + (i % (labels + 1) == 0 ? 20 : 1);
			n += cells[i];
		}
		for (uint32_t i = 0; i < labels * labels; i++)
			p[i] = (double)cells[i] / n;
		for (uint32_t i = 0; i < labels * labels; i++) {
			const double step = 1e-6;
			double at = p[i];
			p[i] = at + step;
			double up = kappa_of(p, labels);
			p[i] = at - step;
			double slope = (up - kappa_of(p, labels)) / (2 * step);
			p[i] = at;
			mean += at * slope;
			squares += at * slope * slope;
		}
		double half = 1.959963984540054 * sqrt((squares - mean * mean) / n);
		struct agreement *a = filled(&arena, labels, cells);
		struct agreement_figures f = agreement_figures(a);
		assert_true(fabs(f.kappa - kappa_of(p, labels)) < 1e-9);
		if (fabs(f.kappa - f.kappa_low - half) > 1e-6)
			fail_msg("round %d: %g, by differences %g", round, f.kappa - f.kappa_low, half);
		agreement_free(a);
		arena_reset(&arena);
	}
	arena_free(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(figures_are_those_counted_by_hand),
		cmocka_unit_test(a_verdict_that_is_none_of_peoples_labels_is_unknown_and_agrees_with_nobody),
		cmocka_unit_test(where_chance_always_agrees_kappa_is_not_told),
		cmocka_unit_test(the_interval_is_that_of_the_delta_method),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
