/*
 * test_retry.c: classes of a call's end, Retry-After, backoff and the next step.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "worker/upstream/retry.h"

static void every_status_has_its_class(void **state)
{
	(void)state;
	static const struct {
		int status;
		enum outcome outcome;
		bool again;
	} cases[] = {
	    {200, OUTCOME_OK, false},           {201, OUTCOME_OK, false},           {302, OUTCOME_MODEL_REFUSED, false},
	    {400, OUTCOME_MODEL_REFUSED, false}, {401, OUTCOME_MODEL_AUTH, false},   {403, OUTCOME_MODEL_AUTH, false},
	    {404, OUTCOME_MODEL_REFUSED, false}, {408, OUTCOME_MODEL_TIMEOUT, true}, {409, OUTCOME_MODEL_UNAVAILABLE, true},
	    {413, OUTCOME_MODEL_REFUSED, false}, {422, OUTCOME_MODEL_REFUSED, false}, {429, OUTCOME_MODEL_LIMITED, true},
	    {500, OUTCOME_MODEL_UNAVAILABLE, true}, {503, OUTCOME_MODEL_UNAVAILABLE, true}, {529, OUTCOME_MODEL_UNAVAILABLE, true},
	    {0, OUTCOME_MODEL_GARBAGE, true},   {101, OUTCOME_MODEL_GARBAGE, true}, {999, OUTCOME_MODEL_GARBAGE, true},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct call_class c = retry_classify(TRANSFER_DONE, cases[i].status);
		if (c.outcome != cases[i].outcome || c.again != cases[i].again)
			fail_msg("%d: %s", cases[i].status, outcome_info(c.outcome)->name);
	}
	for (int end = TRANSFER_DONE + 1; end < TRANSFER_ENDS; end++)
		assert_int_not_equal(retry_classify((enum transfer_end)end, 200).outcome, OUTCOME_OK);
	assert_false(retry_classify(TRANSFER_ADDRESS_REFUSED, 0).again);
	assert_false(retry_classify(TRANSFER_TOO_LARGE, 200).again);
	assert_true(retry_classify(TRANSFER_RESET, 0).again);
}

static void a_retry_after_is_read_in_all_its_forms_and_bounded(void **state)
{
	(void)state;
	const int64_t now = 784111777000; /* Sun, 06 Nov 1994 08:49:37 GMT */
	static const struct {
		const char *after, *after_ms;
		int64_t expect;
	} cases[] = {
	    {NULL, NULL, 0},
	    {"3", NULL, 3000},
	    {"1.5", NULL, 1500},
	    {"0", NULL, 0},
	    {"-4", NULL, 0},
	    {"", NULL, 0},
	    {"soon", NULL, 0},
	    {"nan", NULL, 0},
	    {"1e400", NULL, 0},
	    {"99999999999999", NULL, 86400000},
	    {"30", "250", 250},
	    {"30", "junk", 30000},
	    {NULL, "0.25", 1},
	    {"Sun, 06 Nov 1994 08:49:47 GMT", NULL, 10000},
	    {"Sun, 06 Nov 1994 08:49:27 GMT", NULL, 0},
	    {"Mon, 07 Nov 1994 08:49:36 GMT", NULL, 86399000},
	    {"Tue, 29 Feb 2000 00:00:00 GMT", NULL, 86400000},
	    {"Sun, 06 Xxx 1994 08:49:47 GMT", NULL, 0},
	    {"Sun, 06 Nov 1994 08:49:4x GMT", NULL, 0},
	    {"Sun, 06 Nov 1994 08:49:47 CET", NULL, 0},
	    {"Sunday, 06-Nov-94 08:49:47 GMT", NULL, 0},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		int64_t got = retry_after_ms(str_of(cases[i].after), str_of(cases[i].after_ms), now);
		if (got != cases[i].expect)
			fail_msg("%s / %s: %lld", cases[i].after, cases[i].after_ms, (long long)got);
	}
}

static void a_backoff_stays_within_its_doubling_bound(void **state)
{
	(void)state;
	uint64_t random = 42;
	for (uint32_t tries = 0; tries < 40; tries++) {
		int64_t bound = tries == 0 ? 250000 : tries > 7 ? 20000000 : INT64_C(250000) << (tries - 1);
		int64_t most = 0;
		for (int i = 0; i < 200; i++) {
			random = random * UINT64_C(6364136223846793005) + 1442695040888963407u;
			int64_t us = retry_backoff_us(tries, random >> 1);
			assert_true(us >= 0 && us <= (bound > 20000000 ? 20000000 : bound));
			most = us > most ? us : most;
		}
		assert_true(most > (bound > 20000000 ? 20000000 : bound) / 2); /* full jitter uses the whole range */
	}
}

static void the_next_step_follows_budget_share_wait_and_deadline(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		struct retry_ask ask;
		enum retry_step step;
	} cases[] = {
	    {"alone, budget left", {.again = true, .tries_here = 1, .attempts_left = 3}, RETRY_SAME},
	    {"alone, budget used up", {.again = true, .tries_here = 4, .attempts_left = 0}, RETRY_GIVE_UP},
	    {"two models share four: first try", {.again = true, .tries_here = 1, .attempts_left = 3, .others = 1}, RETRY_SAME},
	    {"two models share four: second try", {.again = true, .tries_here = 2, .attempts_left = 2, .others = 1}, RETRY_NEXT},
	    {"the last of two has the rest", {.again = true, .tries_here = 1, .attempts_left = 1, .others = 0}, RETRY_SAME},
	    {"five models, four attempts", {.again = true, .tries_here = 1, .attempts_left = 3, .others = 4}, RETRY_NEXT},
	    {"not again, others there", {.again = false, .tries_here = 1, .attempts_left = 3, .others = 1}, RETRY_NEXT},
	    {"not again, no others", {.again = false, .tries_here = 1, .attempts_left = 3}, RETRY_GIVE_UP},
	    {"others there, no budget", {.again = true, .tries_here = 4, .attempts_left = 0, .others = 2}, RETRY_GIVE_UP},
	    {"a long wait, others there", {.again = true, .tries_here = 1, .attempts_left = 3, .others = 1, .retry_after_ms = 5000}, RETRY_NEXT},
	    {"a long wait, alone", {.again = true, .tries_here = 1, .attempts_left = 3, .retry_after_ms = 5000}, RETRY_SAME},
	    {"a wait past the deadline",
	     {.again = true, .tries_here = 1, .attempts_left = 3, .retry_after_ms = 5000, .now_us = 1000000, .deadline_us = 5900000},
	     RETRY_GIVE_UP},
	    {"a wait within the deadline",
	     {.again = true, .tries_here = 1, .attempts_left = 3, .retry_after_ms = 5000, .now_us = 1000000, .deadline_us = 6500000},
	     RETRY_SAME},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct retry_plan plan = retry_decide(&cases[i].ask);
		if (plan.step != cases[i].step)
			fail_msg("%s: step %d", cases[i].name, (int)plan.step);
		if (plan.step == RETRY_SAME)
			assert_true(plan.not_before_us >= cases[i].ask.now_us + cases[i].ask.retry_after_ms * 1000);
	}
}

static void a_budget_ends_and_every_model_gets_a_turn(void **state)
{
	(void)state;
	for (uint32_t models = 1; models <= 6; models++) {
		for (uint32_t budget = 1; budget <= 9; budget++) {
			uint32_t left = budget, asked = 0, tries = 0, others = models - 1;
			asked = 1;
			for (;;) {
				tries++;
				left--;
				struct retry_plan plan = retry_decide(&(struct retry_ask){.again = true, .tries_here = tries, .attempts_left = left, .others = others});
				if (plan.step == RETRY_GIVE_UP)
					break;
				if (plan.step == RETRY_NEXT) {
					asked++;
					others--;
					tries = 0;
				}
			}
			assert_int_equal(left, 0); /* every failure may be repeated here, so all of it is used */
			assert_int_equal(asked, budget < models ? budget : models);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_status_has_its_class),
	    cmocka_unit_test(a_retry_after_is_read_in_all_its_forms_and_bounded),
	    cmocka_unit_test(a_backoff_stays_within_its_doubling_bound),
	    cmocka_unit_test(the_next_step_follows_budget_share_wait_and_deadline),
	    cmocka_unit_test(a_budget_ends_and_every_model_gets_a_turn),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
