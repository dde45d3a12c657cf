/*
 * test_cost.c: dollars for tokens.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>

#include "worker/upstream/cost.h"

static void tokens_cost_what_the_price_says(void **state)
{
	(void)state;
	static const struct price paid = {.given = true, .input = 1.0, .cached = 0.25, .output = 4.0};
	static const struct price no_cached_price = {.given = true, .input = 1.0, .cached = -1, .output = 4.0};
	static const struct price free_of_charge = {.given = true, .free = true, .input = 9, .output = 9};
	static const struct {
		const struct price *price;
		int64_t input, cached, output;
		double micro_usd;
	} cases[] = {
	    {&paid, 0, 0, 0, 0},        {&paid, 100, 0, 10, 140},  {&paid, 100, 40, 10, 110},      {&paid, 100, 1000, 0, 25},
	    {&paid, -5, -5, -5, 0},     {&free_of_charge, 100, 0, 100, 0}, {&no_cached_price, 100, 40, 0, 100},
	    {&paid, INT64_MAX, 0, 0, 9223372036854775807.0},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		double got = cost_usd(cases[i].price, cases[i].input, cases[i].cached, cases[i].output) * 1e6;
		if (fabs(got - cases[i].micro_usd) > 1e-9 * (1 + cases[i].micro_usd))
			fail_msg("case %zu: %g", i, got);
	}
}

static void an_estimate_counts_started_tokens(void **state)
{
	(void)state;
	assert_int_equal(cost_tokens_estimate(0), 0);
	assert_int_equal(cost_tokens_estimate(1), 1);
	assert_int_equal(cost_tokens_estimate(4), 1);
	assert_int_equal(cost_tokens_estimate(5), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(tokens_cost_what_the_price_says),
	    cmocka_unit_test(an_estimate_counts_started_tokens),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
