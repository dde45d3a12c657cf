/*
 * test_line.c: the order of a waiting line, its expiry and its sweeps.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "worker/upstream/line.h"

enum { JOBS = 500 };

static uint32_t random_below(uint64_t *seed, uint32_t bound)
{
	*seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(*seed >> 33) % bound;
}

static void the_most_urgent_goes_first(void **state)
{
	(void)state;
	static const struct {
		int64_t rank, deadline, age;
	} by_turn[] = {{-5, 0, 9}, {-1, 50, 9}, {-1, 100, 1}, {-1, 100, 2}, {0, 10, 0}, {0, 0, 1}, {0, 0, 1}, {3, 1, 0}};
	enum { N = sizeof by_turn / sizeof by_turn[0] };
	static const int arrival[N] = {5, 2, 7, 0, 6, 4, 1, 3}; /* 5 comes before 6: equal but for the turn */
	struct job jobs[N];
	struct line line = {0};
	for (int i = 0; i < N; i++) {
		int k = arrival[i];
		line_push(&line, by_turn[k].rank, by_turn[k].deadline, by_turn[k].age, &jobs[k]);
	}
	for (int k = 0; k < N; k++) {
		assert_ptr_equal(line_first(&line)->job, &jobs[k]);
		assert_ptr_equal(line_pop(&line), &jobs[k]);
	}
	assert_null(line_pop(&line));
	assert_null(line_first(&line));
	line_free(&line);
}

static bool is_odd(void *ctx, const struct line_entry *entry)
{
	return (entry->job - (struct job *)ctx) % 2 == 1;
}

static void any_order_of_pushes_pops_and_takes_keeps_the_order(void **state)
{
	(void)state;
	struct job *jobs = calloc(JOBS, sizeof *jobs);
	uint64_t seed = 7;
	for (int round = 0; round < 50; round++) {
		struct line line = {0};
		struct list taken = {0};
		uint32_t popped = 0;
		for (uint32_t i = 0; i < JOBS; i++) {
			line_push(&line, (int64_t)random_below(&seed, 5), (int64_t)random_below(&seed, 9), (int64_t)random_below(&seed, 9), &jobs[i]);
			if (random_below(&seed, 4) == 0) {
				line_pop(&line);
				popped++;
			}
		}
		line_take_if(&line, is_odd, jobs, &taken);
		int64_t last_rank = -1;
		uint32_t left = 0;
		for (const struct line_entry *e; (e = line_first(&line)) != NULL; left++) {
			assert_true(e->rank >= last_rank);
			last_rank = e->rank;
			assert_int_equal((e->job - jobs) % 2, 0);
			line_pop(&line);
		}
		assert_int_equal(popped + taken.count + left, JOBS);
		line_free(&line);
	}
	free(jobs);
}

static void what_is_past_its_deadline_is_taken_and_nothing_else(void **state)
{
	(void)state;
	struct job *jobs = calloc(JOBS, sizeof *jobs);
	uint64_t seed = 11;
	struct line line = {0};
	for (uint32_t i = 0; i < JOBS; i++)
		line_push(&line, 0, i == 0 ? 0 : 1 + (int64_t)random_below(&seed, 1000), 0, &jobs[i]);
	size_t taken_in_all = 0;
	for (int64_t now = 0; now <= 1000; now += 50) {
		struct list taken = {0};
		assert_true(line_next_deadline(&line) > now - 50);
		line_take_expired(&line, now, &taken);
		taken_in_all += taken.count;
		assert_true(line_next_deadline(&line) > now);
		if (random_below(&seed, 2) == 0 && line.count > 1) {
			line_pop(&line);
			taken_in_all++;
		}
	}
	assert_int_equal(taken_in_all, JOBS - 1);
	assert_ptr_equal(line_pop(&line), &jobs[0]); /* no deadline: waits for ever */
	assert_true(line_next_deadline(&line) == INT64_MAX);
	line_free(&line);
	free(jobs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_most_urgent_goes_first),
	    cmocka_unit_test(any_order_of_pushes_pops_and_takes_keeps_the_order),
	    cmocka_unit_test(what_is_past_its_deadline_is_taken_and_nothing_else),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
