/* test_job.c: the legal moves of a job, ends by outcome, and the bounds of the pool. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "worker/job/job.h"
#include "worker/job/job_pool.h"

enum { MOVES_MAX = 24 };

/* The road, as a reader of the states would draw it: 0-terminated lists (FREE ends a list but in the first place). */
static const struct {
	enum job_state from;
	enum job_state to[MOVES_MAX];
} roads[] = {
	{JOB_FETCHED, {JOB_DECODED, JOB_DECIDED, JOB_CALLING, JOB_ANSWERED, JOB_ENCODED, JOB_COMMITTING, JOB_DONE}},
	{JOB_FETCHED, {JOB_NEEDS_SCHEMA, JOB_FETCHED, JOB_DECODED, JOB_ASKING, JOB_DECODED, JOB_ASKING, JOB_DECIDED, JOB_WAITING, JOB_CALLING,
	               JOB_WAITING, JOB_CALLING, JOB_ANSWERED, JOB_DECIDED, JOB_CALLING, JOB_FAILED, JOB_ENCODED, JOB_COMMITTING, JOB_ENCODED,
	               JOB_FAILED, JOB_ENCODED, JOB_COMMITTING, JOB_DONE}},
	{JOB_FETCHED, {JOB_DECODED, JOB_DECIDED, JOB_FORWARDED, JOB_ENCODED, JOB_COMMITTING, JOB_DROPPED}},
	{JOB_FETCHED, {JOB_DECODED, JOB_REJECTED, JOB_ENCODED, JOB_DROPPED}},
	{JOB_FETCHED, {JOB_FAILED, JOB_ENCODED, JOB_COMMITTING, JOB_DONE}},
	{JOB_DECIDED, {JOB_WAITING, JOB_EXPIRED, JOB_ENCODED}},
};

static void the_roads_of_the_design_are_open(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof roads / sizeof roads[0]; i++) {
		struct job job = {.state = roads[i].from};
		for (size_t j = 0; j < MOVES_MAX && roads[i].to[j] != JOB_FREE; j++) {
			assert_true(job_advance(&job, roads[i].to[j]));
			assert_int_equal(job.state, roads[i].to[j]);
		}
	}
}

/* Runs the move in a child: an illegal one aborts in debug builds and answers false otherwise. */
static bool is_refused(enum job_state from, enum job_state to)
{
	pid_t child = fork();
	if (child == 0) {
		struct job job = {.state = from, .rec.topic = STR("t")};
		(void)signal(SIGABRT, SIG_DFL); /* cmocka's handler would report a failure; the abort is what is tested */
		close(STDERR_FILENO);
		_exit(job_advance(&job, to) || job.state != from ? 1 : 0);
	}
	int status = -1;
	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFSIGNALED(status) ? WTERMSIG(status) == SIGABRT : WEXITSTATUS(status) == 0;
}

static void moves_off_the_road_are_refused(void **state)
{
	(void)state;
	static const enum job_state moves[][2] = {
		{JOB_FREE, JOB_DECODED}, {JOB_FETCHED, JOB_DECIDED}, {JOB_FETCHED, JOB_DONE}, {JOB_DECODED, JOB_CALLING}, {JOB_ENCODED, JOB_DONE},
		{JOB_DONE, JOB_ENCODED}, {JOB_DROPPED, JOB_ENCODED}, {JOB_COMMITTING, JOB_FAILED}, {JOB_EXPIRED, JOB_FAILED}, {JOB_CALLING, JOB_FETCHED},
		{JOB_DONE, JOB_DONE}, {JOB_FETCHED, JOB_STATE_COUNT}, {JOB_FETCHED, (enum job_state)77},
	};
	for (size_t i = 0; i < sizeof moves / sizeof moves[0]; i++)
		if (!is_refused(moves[i][0], moves[i][1]))
			fail_msg("%s -> %s was allowed", job_state_name(moves[i][0]), job_state_name(moves[i][1]));
}

static void every_state_has_its_name(void **state)
{
	(void)state;
	assert_string_equal(job_state_name(JOB_FREE), "free");
	assert_string_equal(job_state_name(JOB_NEEDS_SCHEMA), "needs_schema");
	assert_string_equal(job_state_name(JOB_DROPPED), "dropped");
	assert_string_equal(job_state_name(JOB_STATE_COUNT), "?");
}

static void a_failure_ends_as_its_outcome_says(void **state)
{
	(void)state;
	static const struct {
		enum outcome outcome;
		enum job_state end;
	} cases[] = {
		{OUTCOME_BAD_RECORD, JOB_FAILED}, {OUTCOME_NO_PROMPT, JOB_REJECTED}, {OUTCOME_EXPIRED, JOB_EXPIRED}, {OUTCOME_NO_MODEL, JOB_FAILED}, {OUTCOME_GUARD, JOB_REJECTED},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct job job = {.state = JOB_DECODED};
		arena_init(&job.arena, 0);
		job_fail(&job, cases[i].outcome, "at %d", 7);
		assert_int_equal(job.state, cases[i].end);
		assert_int_equal(job.outcome, cases[i].outcome);
		assert_true(str_is(job.error, "at 7"));
		arena_free(&job.arena);
	}
}

static void a_long_error_is_cut_between_characters(void **state)
{
	(void)state;
	char text[1201];
	for (size_t lead = 0; lead < 3; lead++) {
		memset(text, 'x', lead);
		for (size_t i = lead; i + 3 < sizeof text; i += 3)
			memcpy(text + i, "\xe2\x82\xac", 3);
		text[lead + 1197] = '\0';
		struct job job = {.state = JOB_FETCHED};
		arena_init(&job.arena, 0);
		job_fail(&job, OUTCOME_BAD_RECORD, "%s", text);
		assert_in_range(job.error.len, 500, 511);
		assert_true(str_utf8_valid(job.error));
		arena_free(&job.arena);
	}
}

static void a_model_is_allowed_unless_its_bit_is_set_or_it_is_beyond_the_bits(void **state)
{
	(void)state;
	struct decision dec = {0};
	assert_true(decision_allows(&dec, 0));
	assert_true(decision_allows(&dec, UINT16_MAX));
	const uint64_t bits[2] = {UINT64_C(1) << 63 | 2, 1};
	dec.forbidden = bits;
	dec.forbidden_count = 66;
	for (uint16_t m = 0; m < 200; m++)
		assert_int_equal(decision_allows(&dec, m), m < 66 && m != 1 && m != 63 && m != 64);
	assert_false(decision_allows(&dec, UINT16_MAX));
}

static void outcomes_are_found_by_their_class(void **state)
{
	(void)state;
	for (int i = 1; i < OUTCOME_COUNT; i++)
		assert_int_equal(outcome_by_name(str_of(outcome_info((enum outcome)i)->name)), i);
	assert_int_equal(outcome_by_name(STR("no such")), OUTCOME_NONE);
	assert_string_equal(outcome_info((enum outcome)999)->name, "internal");
	assert_string_equal(status_name(STATUS_REJECTED), "rejected");
	assert_string_equal(status_name((enum status)99), "none");
}

static bool readable(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	return poll(&p, 1, 0) == 1;
}

static void count_release(void *ctx, struct job *job)
{
	assert_true(job->state != JOB_FREE && job->arena.head != NULL); /* before the arena is reset */
	(*(unsigned *)ctx)++;
}

static void a_taken_job_is_clean(void **state)
{
	(void)state;
	unsigned released = 0;
	struct job_pool *pool = job_pool_new(1, 1000000, count_release, &released);
	for (int round = 0; round < 3; round++) {
		struct job *job = job_pool_take(pool, 100);
		assert_non_null(job);
		assert_true(job->state == JOB_FETCHED && job->outcome == OUTCOME_NONE && job->error.data == NULL && job->outputs == NULL);
		assert_true(job->dec.route == -1 && job->call.model == -1 && isnan(job->req.temperature) && isnan(job->call.temperature));
		assert_true(isnan(job->dec.confidence) && isnan(job->dec.threshold) && job->reserved_bytes == 100 + 16 * 1024);
		memset(arena_alloc(&job->arena, 2000), 1, 2000);
		job->req.id = STR("dirty");
		job->dec.route = 5;
		job_pool_give(pool, job);
		assert_int_equal(released, round + 1);
	}
	job_pool_free(pool);
	job_pool_free(NULL);
}

static void jobs_and_bytes_are_bounded_and_the_event_tells_when_to_try_again(void **state)
{
	(void)state;
	struct job_pool *pool = job_pool_new(3, 100 * 1024, NULL, NULL);
	int fd = job_pool_event_fd(pool);
	struct job *a = job_pool_take(pool, 0), *b = job_pool_take(pool, 0), *c = job_pool_take(pool, 0);
	assert_true(a != NULL && b != NULL && c != NULL);
	assert_null(job_pool_take(pool, 0)); /* no job is left */
	assert_false(readable(fd));
	job_pool_give(pool, b);
	assert_true(readable(fd));
	job_pool_give(pool, c);
	/* 16 KiB are used; 84 are left, 16 of which are the extra */
	assert_null(job_pool_take(pool, 68 * 1024 + 1));
	assert_false(readable(fd)); /* cleared by the take that failed */
	b = job_pool_take(pool, 68 * 1024);
	assert_non_null(b);
	struct job_pool_use use = job_pool_use(pool);
	assert_true(use.jobs == 2 && use.max_jobs == 3 && use.bytes == 100 * 1024 && use.max_bytes == 100 * 1024);
	job_pool_give(pool, a);
	job_pool_give(pool, b);
	/* a record over the whole bound goes through alone */
	a = job_pool_take(pool, 1000000);
	assert_non_null(a);
	assert_null(job_pool_take(pool, 0));
	job_pool_give(pool, a);
	assert_true(readable(fd));
	a = job_pool_take(pool, SIZE_MAX); /* no overflow makes it small */
	assert_null(job_pool_take(pool, 0));
	job_pool_give(pool, a);
	use = job_pool_use(pool);
	assert_true(use.jobs == 0 && use.bytes == 0);
	job_pool_free(pool);
}

static void what_a_job_grows_is_charged_and_holds_up_the_next_admission(void **state)
{
	(void)state;
	struct job_pool *pool = job_pool_new(4, 64 * 1024, NULL, NULL);
	struct job *a = job_pool_take(pool, 0);
	(void)arena_alloc(&a->arena, 1000); /* only its size matters */
	job_pool_charge(pool, a);
	assert_int_equal(job_pool_use(pool).bytes, 16 * 1024); /* within what was reserved */
	(void)arena_alloc(&a->arena, 100 * 1024); /* begun work is never refused memory */
	job_pool_charge(pool, a);
	job_pool_charge(pool, a); /* counts once */
	assert_int_equal(job_pool_use(pool).bytes, a->arena.total_bytes);
	assert_null(job_pool_take(pool, 0));
	job_pool_give(pool, a);
	assert_int_equal(job_pool_use(pool).bytes, 0);
	a = job_pool_take(pool, 0);
	assert_non_null(a);
	job_pool_give(pool, a);
	job_pool_free(pool);
}

struct worker {
	struct job_pool *pool;
	struct handover *queue;
};

static void *give_back(void *arg)
{
	struct worker *w = arg;
	while (!handover_is_closed(w->queue)) {
		struct list jobs = {0};
		struct link *link;
		handover_wait(w->queue, 100);
		(void)handover_take(w->queue, &jobs, 5); /* the number is the list's count */
		while ((link = list_pop(&jobs)) != NULL) {
			struct job *job = LINK_OWNER(struct job, link, link);
			(void)arena_alloc(&job->arena, 40000); /* grows beyond the reservation */
			job_pool_charge(w->pool, job);
			job_pool_give(w->pool, job);
		}
	}
	return NULL;
}

static void jobs_travel_between_threads_and_all_come_back(void **state)
{
	(void)state;
	struct handover queue;
	assert_int_equal(handover_open(&queue, NULL), RC_OK);
	struct job_pool *pool = job_pool_new(16, 1024 * 1024, NULL, NULL);
	struct worker w = {pool, &queue};
	pthread_t threads[2];
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, give_back, &w), 0);
	for (int i = 0; i < 3000;) {
		struct job *job = job_pool_take(pool, 500);
		if (job == NULL) {
			struct pollfd p = {.fd = job_pool_event_fd(pool), .events = POLLIN};
			assert_int_equal(poll(&p, 1, 10000), 1); /* a lost event would hang here */
			continue;
		}
		handover_push(&queue, &job->link);
		i++;
	}
	for (int i = 0; i < 1000 && job_pool_use(pool).jobs != 0; i++)
		usleep(10000);
	assert_true(job_pool_use(pool).jobs == 0 && job_pool_use(pool).bytes == 0);
	handover_wake_all(&queue);
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	handover_close(&queue);
	job_pool_free(pool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_roads_of_the_design_are_open),
		cmocka_unit_test(moves_off_the_road_are_refused),
		cmocka_unit_test(every_state_has_its_name),
		cmocka_unit_test(a_failure_ends_as_its_outcome_says),
		cmocka_unit_test(a_long_error_is_cut_between_characters),
		cmocka_unit_test(a_model_is_allowed_unless_its_bit_is_set_or_it_is_beyond_the_bits),
		cmocka_unit_test(outcomes_are_found_by_their_class),
		cmocka_unit_test(a_taken_job_is_clean),
		cmocka_unit_test(jobs_and_bytes_are_bounded_and_the_event_tells_when_to_try_again),
		cmocka_unit_test(what_a_job_grows_is_charged_and_holds_up_the_next_admission),
		cmocka_unit_test(jobs_travel_between_threads_and_all_come_back),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
