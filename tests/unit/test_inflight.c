/* test_inflight.c: the table of records in the worker: what was taken is found again exactly when its partition went away. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "worker/stream/partition.h"

enum { JOBS = 64, STEPS = 20000 };

static void only_orphans_are_found_and_only_in_their_own_partition(void **state)
{
	(void)state;
	struct inflight f;
	struct partition here = {0}, there = {0};
	struct job a = {.rec.offset = 7}, b = {.rec.offset = 7};
	inflight_open(&f, 2);
	struct taken *at = inflight_take(&f, &here, &a, 1), *bt = inflight_take(&f, &there, &b, 1);
	assert_ptr_equal(taken_of(&a), at);
	assert_null(inflight_find_orphan(&f, &here, 7));
	inflight_make_orphan(&f, at);
	inflight_make_orphan(&f, at); /* a second time does nothing */
	assert_ptr_equal(inflight_find_orphan(&f, &here, 7), at);
	assert_null(inflight_find_orphan(&f, &there, 7));
	assert_int_equal(here.orphan_count, 1);
	inflight_adopt(&f, at, 5);
	assert_null(inflight_find_orphan(&f, &here, 7));
	assert_true(at->epoch == 5 && !at->orphan && here.orphan_count == 0 && f.orphans == 0);
	inflight_remove(&f, bt);
	assert_null(b.rec.slot);
	assert_null(there.takens);
	inflight_close(&f);
}

static void a_record_of_a_log_that_is_gone_is_never_found_again(void **state)
{
	(void)state;
	struct inflight f;
	struct partition p = {0};
	struct job a = {.rec.offset = 3}, b = {.rec.offset = 4};
	inflight_open(&f, 2);
	struct taken *at = inflight_take(&f, &p, &a, 1), *bt = inflight_take(&f, &p, &b, 1);
	inflight_make_orphan(&f, at);
	inflight_estrange(&f, at);
	inflight_estrange(&f, bt);
	assert_null(inflight_find_orphan(&f, &p, 3));
	assert_null(inflight_find_orphan(&f, &p, 4));
	assert_int_equal(p.orphan_count, 2);
	inflight_remove(&f, at);
	inflight_remove(&f, bt);
	assert_true(f.orphans == 0 && p.orphan_count == 0 && p.takens == NULL);
	inflight_close(&f);
}

static uint32_t next_random(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(*seed >> 33);
}

/* What the table says of each record is what was done to it, after any sequence of moves. */
static void the_table_agrees_with_a_plain_list_after_any_moves(void **state)
{
	(void)state;
	struct inflight f;
	struct partition parts[3] = {0};
	struct job jobs[JOBS] = {0};
	uint64_t seed = 20261124;
	inflight_open(&f, JOBS);
	for (int step = 0; step < STEPS; step++) {
		struct job *job = &jobs[next_random(&seed) % JOBS];
		struct taken *t = taken_of(job);
		if (t == NULL) {
			job->rec.offset = job - jobs;
			(void)inflight_take(&f, &parts[next_random(&seed) % 3], job, 1); /* found by its job */
			continue;
		}
		switch (next_random(&seed) % 4) {
		case 0:
			inflight_make_orphan(&f, t);
			break;
		case 1:
			if (t->orphan)
				inflight_adopt(&f, t, t->epoch + 1);
			break;
		case 2:
			inflight_set_state(&f, t, next_random(&seed) % 2 ? TAKEN_HELD : TAKEN_OUT);
			break;
		default:
			inflight_remove(&f, t);
		}
		uint32_t orphans = 0, held = 0, taken = 0, listed = 0;
		for (int i = 0; i < JOBS; i++) {
			const struct taken *each = taken_of(&jobs[i]);
			if (each == NULL)
				continue;
			taken++;
			orphans += each->orphan;
			held += each->state == TAKEN_HELD;
			struct taken *found = inflight_find_orphan(&f, each->partition, jobs[i].rec.offset);
			assert_ptr_equal(found, each->orphan ? each : NULL);
		}
		for (int i = 0; i < 3; i++)
			for (const struct taken *each = parts[i].takens; each != NULL; each = each->next)
				listed++;
		assert_true(f.orphans == orphans && f.held == held && listed == taken);
		assert_int_equal(parts[0].orphan_count + parts[1].orphan_count + parts[2].orphan_count, orphans);
	}
	inflight_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_orphans_are_found_and_only_in_their_own_partition),
		cmocka_unit_test(a_record_of_a_log_that_is_gone_is_never_found_again),
		cmocka_unit_test(the_table_agrees_with_a_plain_list_after_any_moves),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
