/*
 * Intervals and McNemar's test against figures computed by hand and by other programs.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>

#include "worker/lab/stats.h"

static void near(double got, double expected, double tolerance)
{
	if (!(fabs(got - expected) <= tolerance))
		fail_msg("got %.9g, expected %.9g", got, expected);
}

static void wilsons_interval_is_the_published_one(void **state)
{
	(void)state; /* unused */
	/* R. G. Newcombe, "Two-sided confidence intervals for the single proportion", Statistics in Medicine 17 (1998), table I, method 3 */
	static const struct {
		int64_t hits, rows;
		double low, high;
	} cases[] = {{81, 263, .2553, .3662}, {15, 148, .0624, .1605}, {0, 20, 0, .1611}, {1, 29, .0061, .1718}};
	for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct share s = share_of(cases[i].hits, cases[i].rows);
		near(s.share, (double)cases[i].hits / (double)cases[i].rows, 1e-12);
		near(s.low, cases[i].low, 5e-5);
		near(s.high, cases[i].high, 5e-5);
	}
}

static void an_interval_holds_its_share_and_is_mirrored(void **state)
{
	(void)state; /* unused */
	for (int64_t rows = 1; rows < 60; rows++)
		for (int64_t hits = 0; hits <= rows; hits++) {
			struct share s = share_of(hits, rows), mirror = share_of(rows - hits, rows);
			assert_true(s.low >= 0 && s.low <= s.share && s.share <= s.high && s.high <= 1);
			near(s.low, 1 - mirror.high, 1e-12);
		}
	assert_true(isnan(share_of(0, 0).share) && isnan(share_of(0, 0).low));
}

/* The binomial tail by its definition, with Pascal's triangle. */
static double naive(int64_t b, int64_t c)
{
	double row[64] = {1};
	for (int64_t n = 0; n < b + c; n++)
		for (int64_t k = n + 1; k > 0; k--)
			row[k] += row[k - 1];
	double sum = 0;
	for (int64_t k = 0; k <= (b < c ? b : c); k++)
		sum += row[k];
	sum = 2 * sum / exp2((double)(b + c));
	return sum < 1 ? sum : 1;
}

static void mcnemar_is_exact_where_it_is_counted(void **state)
{
	(void)state; /* unused */
	bool exact;
	near(mcnemar(0, 0, &exact), 1, 0);
	near(mcnemar(1, 9, &exact), 22.0 / 1024, 1e-12); /* 2 * (1 + 10) / 2^10 */
	assert_true(exact);
	for (int64_t b = 0; b < 30; b++)
		for (int64_t c = 0; c < 30; c++)
			near(mcnemar(b, c, &exact), naive(b, c), 1e-9);
}

static void both_ways_of_mcnemar_agree_where_they_meet(void **state)
{
	(void)state; /* unused */
	bool exact;
	double last = mcnemar(470, 530, &exact);
	assert_true(exact);
	near(mcnemar(470, 531, &exact), last, .005);
	assert_false(exact);
	near(mcnemar(6000, 6400, &exact), .000341, 5e-6); /* chi-square 399^2 / 12400 = 12.839 */
	near(mcnemar(5000, 5000, &exact), 1, 1e-9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wilsons_interval_is_the_published_one),
		cmocka_unit_test(an_interval_holds_its_share_and_is_mirrored),
		cmocka_unit_test(mcnemar_is_exact_where_it_is_counted),
		cmocka_unit_test(both_ways_of_mcnemar_agree_where_they_meet),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
