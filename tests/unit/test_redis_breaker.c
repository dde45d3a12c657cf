/*
 * test_redis_breaker.c: when Redis is left alone, and when it is tried again. Time is an argument.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "worker/cache/redis_breaker.h"

static void a_few_failures_in_a_row_open_it(void **state)
{
	(void)state; /* unused */
	struct redis_breaker b;
	redis_breaker_init(&b);
	assert_false(redis_breaker_up(&b)); /* nothing has answered yet */
	assert_true(redis_breaker_allow(&b, 0));
	assert_false(redis_breaker_success(&b));
	assert_true(redis_breaker_up(&b));
	for (int i = 0; i < 10; i++) { /* not in a row */
		assert_int_equal(redis_breaker_failure(&b, i), 0);
		assert_int_equal(redis_breaker_failure(&b, i), 0);
		assert_false(redis_breaker_success(&b));
	}
	assert_int_equal(redis_breaker_failure(&b, 0), 0);
	assert_int_equal(redis_breaker_failure(&b, 0), 0);
	assert_true(redis_breaker_is_closed(&b));
	assert_int_equal(redis_breaker_failure(&b, 0), REDIS_BREAKER_MIN_MS);
	assert_false(redis_breaker_is_closed(&b));
	assert_false(redis_breaker_up(&b));
	redis_breaker_destroy(&b);
}

static void open_it_lets_one_probe_through_at_a_time(void **state)
{
	(void)state; /* unused */
	struct redis_breaker b;
	redis_breaker_init(&b);
	for (int i = 0; i < REDIS_BREAKER_FAILURES; i++)
		(void)redis_breaker_failure(&b, 1000); /* its result is the other test's */
	assert_false(redis_breaker_allow(&b, 1000));
	assert_false(redis_breaker_allow(&b, 500999));
	assert_true(redis_breaker_allow(&b, 501000));
	assert_false(redis_breaker_allow(&b, 501000)); /* another caller, the probe still out */
	assert_true(redis_breaker_allow(&b, 1001000)); /* the probe never came back */
	assert_true(redis_breaker_success(&b));
	assert_true(redis_breaker_allow(&b, 1001000));
	assert_true(redis_breaker_allow(&b, 1001000));
	redis_breaker_destroy(&b);
}

static void the_backoff_doubles_to_its_bound_and_starts_anew(void **state)
{
	(void)state; /* unused */
	static const int64_t want_ms[] = {0, 0, 500, 1000, 2000, 4000, 5000, 5000};
	struct redis_breaker b;
	redis_breaker_init(&b);
	for (int round = 0; round < 2; round++) {
		for (unsigned i = 0; i < sizeof want_ms / sizeof want_ms[0]; i++)
			assert_int_equal(redis_breaker_failure(&b, i), want_ms[i]);
		assert_true(redis_breaker_success(&b));
	}
	redis_breaker_destroy(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_few_failures_in_a_row_open_it),
		cmocka_unit_test(open_it_lets_one_probe_through_at_a_time),
		cmocka_unit_test(the_backoff_doubles_to_its_bound_and_starts_anew),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
