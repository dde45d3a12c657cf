/*
 * Two policies' decisions beside each other: counts and changes against a slow count over all rows.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "worker/lab/compare.h"

enum { NAMES = 40, ROWS = 3000 };

struct pair {
	int from, to;
	bool first, second;
};

static void changes_are_those_that_a_slow_count_finds(void **state)
{
	(void)state; /* unused */
	static char old_names[NAMES][8], new_names[NAMES][8]; /* the same texts at two places, as in two policies */
	static struct pair rows[ROWS];
	for (int i = 0; i < NAMES; i++) {
		(void)snprintf(old_names[i], sizeof old_names[i], "r%d", i); /* short */
		(void)snprintf(new_names[i], sizeof new_names[i], "r%d", i); /* short */
	}
	struct compare *c = compare_new();
	uint32_t seed = 3;
	int64_t changed = 0, only_first = 0, only_second = 0, both = 0;
	for (int i = 0; i < ROWS; i++) {
		seed = seed * 1664525 + 1013904223;
		int from = (int)(seed >> 8) % NAMES, to = (seed >> 30) == 0 ? from : (int)(seed >> 16) % NAMES;
		rows[i] = (struct pair){from, to, (seed >> 20 & 1) != 0, (seed >> 21 & 1) != 0};
		compare_add(c, str_of(old_names[from]), rows[i].first, str_of(new_names[to]), rows[i].second);
		changed += from != to;
		only_first += rows[i].first && !rows[i].second;
		only_second += !rows[i].first && rows[i].second;
		both += rows[i].first && rows[i].second;
	}
	struct compare_counts n = compare_counts(c);
	assert_int_equal(n.rows, ROWS);
	assert_int_equal(n.changed, changed);
	assert_int_equal(n.only_first, only_first);
	assert_int_equal(n.only_second, only_second);
	assert_int_equal(n.both, both);
	assert_int_equal(n.neither, ROWS - both - only_first - only_second);
	struct arena arena;
	arena_init(&arena, 0);
	uint32_t count;
	const struct compare_change *changes = compare_changes(c, &arena, &count);
	int64_t sum = 0;
	for (uint32_t k = 0; k < count; k++) {
		int64_t seen = 0, better = 0, worse = 0;
		for (int i = 0; i < ROWS; i++) {
			if (!str_is(changes[k].from, old_names[rows[i].from]) || !str_is(changes[k].to, new_names[rows[i].to]))
				continue;
			seen++;
			better += !rows[i].first && rows[i].second;
			worse += rows[i].first && !rows[i].second;
		}
		assert_int_equal(changes[k].rows, seen);
		assert_int_equal(changes[k].better, better);
		assert_int_equal(changes[k].worse, worse);
		assert_true(k == 0 || changes[k - 1].rows >= seen);
		sum += seen;
	}
	assert_int_equal(sum, changed);
	arena_free(&arena);
	compare_free(c);
}

static void a_comparison_of_nothing_says_that_nothing_differs(void **state)
{
	(void)state; /* unused */
	struct arena arena;
	uint32_t count = 1;
	arena_init(&arena, 0);
	struct compare *c = compare_new();
	(void)compare_changes(c, &arena, &count); /* only the count is asked for */
	assert_int_equal(count, 0);
	assert_true(compare_counts(c).p == 1);
	arena_free(&arena);
	compare_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(changes_are_those_that_a_slow_count_finds),
		cmocka_unit_test(a_comparison_of_nothing_says_that_nothing_differs),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
