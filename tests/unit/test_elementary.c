/*
 * exp and ln of our own against the C library's.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>

#include "worker/route/elementary.h"

static void near(double is, double expected, double x)
{
	if (!(fabs(is - expected) <= 1e-14 * fmax(1, fabs(expected))))
		fail_msg("at %.17g: %.17g instead of %.17g", x, is, expected);
}

static void exp_is_exp(void **state)
{
	(void)state;
	for (double x = -700; x <= 700; x += 0.0371)
		near(elementary_exp(x) / exp(x), 1, x);
	assert_true(elementary_exp(0) == 1 && elementary_exp(-701) == 0 && elementary_exp(-INFINITY) == 0);
	assert_true(isfinite(elementary_exp(INFINITY)) && isfinite(elementary_exp(1e300)));
}

static void ln_is_ln(void **state)
{
	(void)state;
	for (double x = 1e-30; x < 1e30; x *= 1.0137)
		near(elementary_log(x), log(x), x);
	for (double x = 0.5; x < 2; x += 0.000137)
		near(elementary_log(x), log(x), x);
	assert_true(elementary_log(1) == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(exp_is_exp),
		cmocka_unit_test(ln_is_ln),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
