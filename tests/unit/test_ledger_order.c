/* test_ledger_order.c: whose order is broken, against a comparison of every pair. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdbool.h>
#include <string.h>

#include "worker/lab/ledger_order.h"

enum { MOST = 12, ROUNDS = 4000 };

struct found {
	struct ledger_told late[MOST];
	size_t count;
};

static void note(void *ctx, const struct ledger_told *late)
{
	struct found *f = ctx;
	assert_true(f->count < MOST);
	f->late[f->count++] = *late;
}

static struct found check(const struct ledger_told *told, size_t count)
{
	struct ledger_told copy[MOST];
	struct found found = {.count = 0};
	memcpy(copy, told, count * sizeof *told);
	ledger_order_check(copy, count, note, &found);
	return found;
}

static void rising_offsets_of_a_key_are_in_order_and_others_may_stand_between(void **state)
{
	(void)state;
	const struct ledger_told told[] = {
		{0, 5, 1, 10, 7}, {0, 5, 9, 11, 8}, {0, 5, 2, 12, 7}, {0, 5, 3, 13, 8 + 1}, {1, 5, 0, 14, 7},
	};
	assert_int_equal(check(told, 5).count, 0);
	assert_int_equal(check(told, 0).count, 0);
}

static void the_one_that_comes_too_late_is_named(void **state)
{
	(void)state;
	const struct ledger_told told[] = {{0, 5, 4, 10, 7}, {0, 5, 3, 11, 7}, {0, 5, 6, 12, 7}, {0, 5, 5, 13, 7}};
	struct found found = check(told, 4);
	assert_int_equal(found.count, 2);
	assert_int_equal(found.late[0].offset, 3);
	assert_int_equal(found.late[1].offset, 5);
	assert_int_equal(found.late[1].stands_at, 13);
}

static void a_second_decision_and_one_in_another_partition_are_not_judged(void **state)
{
	(void)state;
	const struct ledger_told told[] = {{0, 5, 1, 10, 7}, {0, 5, 2, 11, 7}, {0, 5, 1, 12, 7}, {0, 6, 0, 13, 7}};
	assert_int_equal(check(told, 4).count, 0);
}

/* late: some other of its source, key and partition has a higher offset and stands before it; copies stand last and are left out */
static size_t naive(const struct ledger_told *told, size_t count)
{
	size_t late = 0;
	for (size_t i = 0; i < count; i++) {
		bool is_late = false, is_copy = false;
		for (size_t j = 0; j < count; j++) {
			const struct ledger_told *a = &told[j], *b = &told[i];
			if (a->source != b->source || a->key != b->key || a->part != b->part || a->stands_at >= b->stands_at)
				continue;
			is_copy |= a->offset == b->offset;
			is_late |= a->offset > b->offset;
		}
		late += is_late && !is_copy;
	}
	return late;
}

static void any_history_is_judged_as_every_pair_says(void **state)
{
	(void)state;
	uint64_t seed = 5;
	size_t broken = 0;
	for (int round = 0; round < ROUNDS; round++) {
		struct ledger_told told[MOST];
		size_t count = (size_t)(round % (MOST + 1));
		for (size_t i = 0; i < count; i++) {
			seed = seed * 6364136223846793005u + 1442695040888963407u;
			told[i] = (struct ledger_told){seed >> 33 & 1, seed >> 35 & 1, (int64_t)(seed >> 37 & 7), (int64_t)i, seed >> 41 & 1};
		}
		size_t want = naive(told, count);
		assert_int_equal(check(told, count).count, want);
		broken += want != 0;
	}
	assert_in_range(broken, ROUNDS / 10, ROUNDS - ROUNDS / 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rising_offsets_of_a_key_are_in_order_and_others_may_stand_between),
		cmocka_unit_test(the_one_that_comes_too_late_is_named),
		cmocka_unit_test(a_second_decision_and_one_in_another_partition_are_not_judged),
		cmocka_unit_test(any_history_is_judged_as_every_pair_says),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
