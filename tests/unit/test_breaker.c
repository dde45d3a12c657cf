/*
 * test_breaker.c: opening, trials, closing, all on a clock of the test's own.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "worker/upstream/breaker.h"

enum { SECOND = 1000000 };

/* n calls one after the other; returns when the state changed. */
static bool see(struct breaker *b, enum breaker_sight sight, int n, int64_t now)
{
	bool changed = false;
	for (int i = 0; i < n; i++) {
		bool trial;
		if (breaker_admit(b, now, &trial))
			changed = breaker_saw(b, sight, trial, now) || changed;
	}
	return changed;
}

static void it_opens_only_on_a_share_of_enough_calls(void **state)
{
	(void)state;
	static const struct {
		int good, bad;
		bool opens;
	} cases[] = {{0, 9, false}, {0, 10, true}, {5, 5, true}, {6, 5, false}, {90, 10, false}, {100, 100, true}, {100, 0, false}};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct breaker b = {0};
		see(&b, BREAKER_GOOD, cases[i].good, 100 * SECOND);
		see(&b, BREAKER_BAD, cases[i].bad, 100 * SECOND);
		if ((b.state == BREAKER_OPEN) != cases[i].opens)
			fail_msg("%d good, %d bad", cases[i].good, cases[i].bad);
	}
}

static void old_errors_are_forgotten(void **state)
{
	(void)state;
	struct breaker b = {0};
	see(&b, BREAKER_BAD, 9, 100 * SECOND);
	see(&b, BREAKER_BAD, 9, 111 * SECOND);
	assert_int_equal(b.state, BREAKER_CLOSED);
	see(&b, BREAKER_BAD, 1, 112 * SECOND);
	assert_int_equal(b.state, BREAKER_OPEN);
}

static void it_tries_a_few_calls_and_closes_when_they_are_good(void **state)
{
	(void)state;
	struct breaker b = {0};
	bool trial;
	see(&b, BREAKER_BAD, 10, 100 * SECOND);
	int64_t until = breaker_blocked_until(&b, 100 * SECOND);
	assert_true(until > 100 * SECOND);
	assert_false(breaker_admit(&b, until - 1, &trial));
	for (int i = 0; i < 3; i++) {
		assert_true(breaker_admit(&b, until, &trial));
		assert_true(trial);
	}
	assert_false(breaker_admit(&b, until, &trial)); /* three at a time */
	assert_true(breaker_blocked_until(&b, until) > until);
	assert_false(breaker_saw(&b, BREAKER_BAD, false, until)); /* started before the opening: says nothing now */
	assert_false(breaker_saw(&b, BREAKER_GOOD, true, until));
	assert_false(breaker_saw(&b, BREAKER_GOOD, true, until));
	assert_true(breaker_saw(&b, BREAKER_GOOD, true, until));
	assert_int_equal(b.state, BREAKER_CLOSED);
	assert_int_equal(breaker_blocked_until(&b, until), 0);
}

static void a_bad_trial_opens_it_for_longer_up_to_a_minute(void **state)
{
	(void)state;
	struct breaker b = {0};
	int64_t now = 100 * SECOND, last = 0;
	see(&b, BREAKER_BAD, 10, now);
	for (int i = 0; i < 10; i++) {
		int64_t length = b.until_us - now;
		assert_true(length >= last && length <= 60 * SECOND);
		last = length;
		now = b.until_us;
		assert_true(see(&b, BREAKER_BAD, 1, now));
		assert_int_equal(b.state, BREAKER_OPEN);
	}
	assert_int_equal(last, 60 * SECOND);
}

static void a_trial_that_says_nothing_lets_another_try(void **state)
{
	(void)state;
	struct breaker b = {0};
	see(&b, BREAKER_BAD, 10, 100 * SECOND);
	int64_t now = b.until_us;
	see(&b, BREAKER_NEUTRAL, 50, now);
	assert_int_equal(b.state, BREAKER_HALF_OPEN);
	see(&b, BREAKER_GOOD, 3, now);
	assert_int_equal(b.state, BREAKER_CLOSED);
}

static void refused_credentials_open_it_at_once_and_for_long(void **state)
{
	(void)state;
	struct breaker b = {0};
	see(&b, BREAKER_GOOD, 1000, 100 * SECOND);
	assert_true(see(&b, BREAKER_AUTH, 1, 100 * SECOND));
	assert_true(breaker_blocked_until(&b, 100 * SECOND) >= 160 * SECOND);
}

static void limits_are_no_illness(void **state)
{
	(void)state;
	struct breaker b = {0};
	see(&b, BREAKER_NEUTRAL, 1000, 100 * SECOND);
	assert_int_equal(b.state, BREAKER_CLOSED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(it_opens_only_on_a_share_of_enough_calls),
	    cmocka_unit_test(old_errors_are_forgotten),
	    cmocka_unit_test(it_tries_a_few_calls_and_closes_when_they_are_good),
	    cmocka_unit_test(a_bad_trial_opens_it_for_longer_up_to_a_minute),
	    cmocka_unit_test(a_trial_that_says_nothing_lets_another_try),
	    cmocka_unit_test(refused_credentials_open_it_at_once_and_for_long),
	    cmocka_unit_test(limits_are_no_illness),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
