/*
 * test_route_allocations.c: a decision takes no memory from the heap once its thread has seen texts of that length.
 *
 * Decided are the kept prompts of tests/golden by a policy with every stage that decides in the process, a second time over; counted is
 * every call of an allocator, by the linker's --wrap. What libraries allocate in themselves is not seen here: tests/bench/decisions
 * counts that, too.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "worker/lab/dataset.h"
#include "worker/route/inspect.h"

#define LIBRARY "tests/golden/library/"
enum { MOST_STAGES = 16, ARENA_BYTES = 16384 /* what a job is admitted with beside its record */ };

static unsigned allocations; /* one thread */

void *__real_malloc(size_t bytes);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t bytes);
void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t bytes);

void *__wrap_malloc(size_t bytes)
{
	allocations++;
	return __real_malloc(bytes);
}

void *__wrap_calloc(size_t count, size_t size)
{
	allocations++;
	return __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t bytes)
{
	allocations++;
	return __real_realloc(old, bytes);
}

/* The worker's road from a decoded record to its models, and what the cache is given and takes. */
static void decide(const struct policy *policy, struct route_scratch *scratch, struct job *job)
{
	struct str why;
	bool let_in = route_guard(policy, scratch, job, &why);
	assert_true(route_key_material(policy, scratch, job).len != 0);
	assert_int_equal(route_decide(policy, scratch, job), ROUTE_DONE);
	struct str packed = route_pack(policy, job);
	assert_int_equal(route_unpack(policy, packed, job), RC_OK);
	assert_true(route_admit(policy, job, &why) || !let_in);
}

struct world {
	struct settings settings;
	struct policy *policy;
	struct route_scratch *scratch;
	struct arena rows;
};

static void decide_all(struct world *w, struct arena *arena, bool warm, unsigned *by_stage)
{
	struct dataset *ds;
	struct dataset_row row;
	struct err err = {""};
	assert_int_equal(dataset_open(LIBRARY "prompts.jsonl", NULL, 0, &ds, &err), RC_OK);
	while (dataset_next(ds, &w->rows, &row, &err) == DATASET_ROW) {
		struct job job = {.state = JOB_DECODED, .arena = *arena, .req = row.req, .dec = {.route = -1}, .call = {.model = -1}};
		job.dec.policy = w->policy;
		unsigned before = allocations;
		decide(w->policy, w->scratch, &job);
		if (warm && allocations != before)
			fail_msg("%u allocations for %.*s", allocations - before, STR_ARG(row.req.id));
		by_stage[job.dec.unsure ? policy_stage_count(w->policy) : job.dec.trace_count - 1]++;
		*arena = job.arena;
		arena_reset(arena);
	}
	dataset_close(ds);
}

static void a_decision_takes_nothing_from_the_heap_after_the_first(void **unused)
{
	(void)unused; /* cmocka's fixture argument */
	struct world w = {.policy = NULL};
	struct arena arena;
	struct err err = {""};
	unsigned by_stage[2][MOST_STAGES + 1] = {{0}};
	unsigned before = allocations;
	arena_init(&arena, ARENA_BYTES);
	arena_init(&w.rows, 0);
	if (settings_load_no_secrets(LIBRARY "pointsman.yaml", &w.settings, &err) != RC_OK ||
	    policy_load(w.settings.policy_file.data, &w.settings, &w.policy, &err) != RC_OK)
		fail_msg("%s", err.text);
	w.scratch = route_scratch_new(w.policy);
	assert_true(allocations - before > 20); /* else nothing is counted */
	decide_all(&w, &arena, false, by_stage[0]);
	decide_all(&w, &arena, true, by_stage[1]);
	assert_memory_equal(by_stage[0], by_stage[1], sizeof by_stage[0]);
	for (uint32_t i = 0; i < policy_stage_count(w.policy); i++)
		if (by_stage[1][i] == 0)
			fail_msg("no prompt is decided by %s", policy_stage_info(w.policy, i).name);
	route_scratch_free(w.scratch);
	policy_unref(w.policy);
	settings_free(&w.settings);
	arena_free(&w.rows);
	arena_free(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(a_decision_takes_nothing_from_the_heap_after_the_first)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
