/* test_bisect.c: the search for the record that the broker refuses, and that aborts and bisections never overflow progress. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "worker/stream/bisect.h"
#include "worker/stream/progress.h"
#include "worker/stream/progress_codec.h"

enum { MAX = 600, ROUNDS = 400 };

static uint32_t next(uint64_t *seed, uint32_t below)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(*seed >> 33) % below;
}

static uint32_t log2_up(uint32_t n)
{
	uint32_t steps = 0;
	while ((UINT32_C(1) << steps) < n)
		steps++;
	return steps;
}

static void a_lone_culprit_is_named_after_two_refusals_and_a_bisection(void **state)
{
	(void)state;
	for (uint32_t n = 1; n <= MAX; n += n < 40 ? 1 : 37) {
		for (uint32_t culprit = 0; culprit < n; culprit++) {
			struct bisect b = {0};
			uint32_t first = 0, refusals = 0;
			for (;;) {
				uint32_t left = n - first, limit = bisect_limit(&b), count = limit < left ? limit : left;
				assert_true(count > 0);
				if (culprit >= first + count) {
					bisect_committed(&b, count);
					first += count;
					continue;
				}
				refusals++;
				if (bisect_refused(&b, count)) {
					assert_int_equal(first, culprit);
					assert_int_equal(count, 1);
					break;
				}
			}
			assert_true(refusals <= 2 + log2_up(n));
			assert_int_equal(bisect_limit(&b), UINT32_MAX);
		}
	}
}

static void a_refusal_that_passes_costs_one_attempt_more(void **state)
{
	(void)state;
	struct bisect b = {0};
	assert_false(bisect_refused(&b, 100));
	assert_int_equal(bisect_limit(&b), 100);
	bisect_committed(&b, 100);
	assert_int_equal(bisect_limit(&b), UINT32_MAX);
	assert_false(bisect_refused(&b, 1)); /* it counts anew */
	assert_true(bisect_refused(&b, 1));
}

static void marks_alone_neither_clear_nor_accuse(void **state)
{
	(void)state;
	struct bisect b = {0};
	(void)bisect_refused(&b, 8); /* the next lines say what it did */
	(void)bisect_refused(&b, 8);
	assert_int_equal(bisect_limit(&b), 4);
	bisect_committed(&b, 0);
	assert_int_equal(bisect_limit(&b), 4);
}

/* Several culprits, records that finish in any order, attempts that abort for other reasons: all ends, and each snapshot fits. */
static void aborts_and_bisections_end_and_never_overflow_progress(void **state)
{
	(void)state;
	uint64_t seed = 20261124;
	for (int round = 0; round < ROUNDS; round++) {
		struct progress *p = progress_open(0, NULL);
		struct progress_snapshot *snapshot = malloc(sizeof *snapshot);
		static int64_t line[PROGRESS_MAX_ENTRIES];
		static bool bad[PROGRESS_MAX_ENTRIES], named[PROGRESS_MAX_ENTRIES];
		uint32_t taken = 0, wanted = 1 + next(&seed, round % 10 == 0 ? PROGRESS_MAX_ENTRIES : MAX), culprits = 0, attempts = 0;
		int64_t offset = 0;
		while (taken < wanted && progress_may_take(p, offset)) {
			progress_take(p, offset);
			line[taken] = offset;
			bad[taken] = next(&seed, 50) == 0;
			named[taken] = false;
			culprits += bad[taken++];
			offset += 1 + next(&seed, 1000);
		}
		struct bisect b = {0};
		for (uint32_t first = 0; first < taken; attempts++) {
			uint32_t limit = bisect_limit(&b), count = taken - first < limit ? taken - first : limit;
			for (uint32_t i = first; i < first + count; i++)
				progress_finish(p, line[i]);
			progress_begin(p, snapshot);
			char text[PROGRESS_TEXT_MAX + 1];
			struct progress_mark mark = {.running = true, .owner = "0123456789abcdef"};
			assert_true(progress_encode(snapshot, &mark, text) <= PROGRESS_TEXT_MAX);
			if (next(&seed, 20) == 0) { /* the broker was away */
				progress_abort(p);
				continue;
			}
			bool refused = false;
			for (uint32_t i = first; i < first + count; i++)
				refused |= bad[i] && !named[i];
			if (!refused) {
				progress_commit(p);
				bisect_committed(&b, count);
				first += count;
				continue;
			}
			progress_abort(p);
			if (bisect_refused(&b, count)) {
				assert_true(bad[first]);
				named[first] = true; /* its outputs now say so */
			}
		}
		assert_int_equal(progress_entries(p), 0);
		assert_true(attempts <= 20 + 2 * (1 + culprits) * (4 + 2 * log2_up(taken)));
		free(snapshot);
		progress_close(p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_lone_culprit_is_named_after_two_refusals_and_a_bisection),
		cmocka_unit_test(a_refusal_that_passes_costs_one_attempt_more),
		cmocka_unit_test(marks_alone_neither_clear_nor_accuse),
		cmocka_unit_test(aborts_and_bisections_end_and_never_overflow_progress),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
