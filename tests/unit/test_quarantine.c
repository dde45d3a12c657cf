/*
 * test_quarantine.c: what a new owner concludes from the marks of the one before.
 *
 * A life is a line of the table: what was found, whether its writer died, and what is to be thought of it.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "worker/stream/core.h"

static void assert_judged(struct progress_mark found, bool died, struct progress_mark want)
{
	struct progress_mark got = {.running = true, .restarts = 77, .stuck = 7, .crashes = 7, .has_suspect = true, .suspect = 77};
	quarantine_judge(&found, died, &got);
	assert_int_equal(got.restarts, want.restarts);
	assert_int_equal(got.stuck, want.stuck);
	assert_int_equal(got.crashes, want.crashes);
	assert_int_equal(got.has_suspect, want.has_suspect);
	if (want.has_suspect)
		assert_int_equal(got.suspect, want.suspect);
	assert_true(!got.has_alone && got.running);
}

static void only_a_death_counts_and_only_who_was_alone_at_it_is_suspected(void **state)
{
	(void)state; /* cmocka's fixture argument */
	/* a clean leave ends the counts, and a suspicion outlives it */
	assert_judged((struct progress_mark){.restarts = 2, .stuck = 5}, true, (struct progress_mark){0});
	assert_judged((struct progress_mark){.has_suspect = true, .suspect = 9, .crashes = 1, .has_alone = true, .alone = 9}, true,
	              (struct progress_mark){.has_suspect = true, .suspect = 9, .crashes = 1});
	/* the same worker reads its own again */
	assert_judged((struct progress_mark){.running = true, .restarts = 2, .stuck = 5, .has_alone = true, .alone = 9}, false,
	              (struct progress_mark){.restarts = 2, .stuck = 5});
	/* a death among many */
	assert_judged((struct progress_mark){.running = true, .restarts = 2, .stuck = 5}, true,
	              (struct progress_mark){.restarts = 3, .stuck = 6});
	/* a death alone, the next one, and one of another record */
	assert_judged((struct progress_mark){.running = true, .restarts = 3, .has_alone = true, .alone = 9}, true,
	              (struct progress_mark){.restarts = 4, .stuck = 1, .has_suspect = true, .suspect = 9, .crashes = 1});
	assert_judged((struct progress_mark){.running = true, .has_alone = true, .alone = 9, .has_suspect = true, .suspect = 9, .crashes = 1},
	              true, (struct progress_mark){.restarts = 1, .stuck = 1, .has_suspect = true, .suspect = 9, .crashes = 2});
	assert_judged((struct progress_mark){.running = true, .has_alone = true, .alone = 12, .has_suspect = true, .suspect = 9, .crashes = 1},
	              true, (struct progress_mark){.restarts = 1, .stuck = 1, .has_suspect = true, .suspect = 12, .crashes = 1});
	/* a death before the suspect was tried again */
	assert_judged((struct progress_mark){.running = true, .has_suspect = true, .suspect = 9, .crashes = 1}, true,
	              (struct progress_mark){.restarts = 1, .stuck = 1, .has_suspect = true, .suspect = 9, .crashes = 1});
}

static void counts_stop_at_their_ends(void **state)
{
	(void)state; /* cmocka's fixture argument */
	const struct progress_mark full = {.running = true, .restarts = UINT16_MAX, .stuck = PROGRESS_COUNT_MAX, .has_alone = true, .alone = 1,
	                                   .has_suspect = true, .suspect = 1, .crashes = PROGRESS_COUNT_MAX};
	assert_judged(full, true, (struct progress_mark){.restarts = UINT16_MAX, .stuck = PROGRESS_COUNT_MAX,
	              .has_suspect = true, .suspect = 1, .crashes = PROGRESS_COUNT_MAX});
}

static void a_partition_in_quarantine_takes_its_lowest_suspicious_records_and_nothing_else(void **state)
{
	(void)state; /* cmocka's fixture argument */
	struct partition p = {.quarantine = {.active = true, .selecting = true, .left = 2}};
	bool member;
	assert_true(quarantine_admits(&p, true, &member) && member);
	p.quarantine.left = 0;
	assert_true(!quarantine_admits(&p, true, &member) && !member && !p.quarantine.selecting);
	p.quarantine = (struct quarantined){.active = true, .selecting = true, .left = 2};
	assert_true(!quarantine_admits(&p, false, &member) && !p.quarantine.selecting);
	p.quarantine = (struct quarantined){0};
	assert_true(quarantine_admits(&p, true, &member) && !member);
	p.window = 3;
	p.taken_count = 2;
	assert_true(quarantine_admits(&p, false, &member) && !member);
	p.taken_count = 3;
	assert_false(quarantine_admits(&p, false, &member));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_a_death_counts_and_only_who_was_alone_at_it_is_suspected),
		cmocka_unit_test(counts_stop_at_their_ends),
		cmocka_unit_test(a_partition_in_quarantine_takes_its_lowest_suspicious_records_and_nothing_else),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
