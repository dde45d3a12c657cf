/*
 * test_stream_embedded.c: the stream from fetch to commit, with the in-memory cluster and an engine that only echoes.
 *
 * That cluster has no transactions to speak of, so delivery is at_least_once; without a crash each record still has exactly
 * one output. What crashes do is the integration tests' matter.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/clock.h"
#include "worker/stream/embedded.h"
#include "worker/stream/plain.h"
#include "worker/stream/stream.h"

enum { RECORDS = 400, MAX_JOBS = 64, PATIENCE_MS = 60000, PARTITIONS = 4 };

/* Owner of the jobs that are out. how: what the echo does with a job. */
struct world {
	struct embedded *cluster;
	struct settings settings;
	struct metrics *metrics;
	struct job_pool *pool;
	struct stream *stream;
	struct handover work;
	pthread_t thread;
	_Atomic int how;
	_Atomic uint32_t delivered, dropped, redelivered, leases_changed;
	struct list kept;
	unsigned seen[RECORDS];
};
enum how { ECHO, DROP_SOME, KEEP };

static void deliver(void *ctx, struct list *jobs)
{
	handover_push_list(&((struct world *)ctx)->work, jobs);
}

static void leases_changed(void *ctx)
{
	atomic_fetch_add(&((struct world *)ctx)->leases_changed, 1);
}

static void refused(void *ctx, struct job *job, const struct err *why)
{
	(void)why; /* the hook's shape; no output of these tests is refused */
	job_fail(job, OUTCOME_OUTPUT_REFUSED, "refused");
	handover_push(&((struct world *)ctx)->work, &job->link);
}

static void echo(struct world *w, struct job *job)
{
	struct output *out = arena_alloc(&job->arena, sizeof *out);
	*out = (struct output){
		.kind = OUTPUT_RESPONSE, .topic = w->settings.output.responses, .key = job->rec.key, .value = job->rec.value, .partition = -1};
	job->outputs = out;
	assert_true(job_advance(job, JOB_FAILED) && job_advance(job, JOB_ENCODED)); /* the shortest road */
	stream_finish(w->stream, job);
}

static void work_on(struct world *w, struct job *job)
{
	uint32_t number = atomic_fetch_add(&w->delivered, 1);
	atomic_fetch_add(&w->redelivered, job->rec.redelivered);
	int how = atomic_load(&w->how);
	if (how == KEEP) {
		list_push(&w->kept, &job->link);
	} else if (!record_may_start(&job->rec) || (how == DROP_SOME && number % 5 == 0 && number < RECORDS)) {
		atomic_fetch_add(&w->dropped, 1);
		assert_true(job_advance(job, JOB_DROPPED));
		stream_finish(w->stream, job);
	} else {
		echo(w, job);
	}
}

static void *engine_main(void *arg)
{
	struct world *w = arg;
	while (!handover_is_closed(&w->work)) {
		struct list jobs = {0};
		handover_wait(&w->work, -1);
		handover_take(&w->work, &jobs, 0);
		for (struct link *link; (link = list_pop(&jobs)) != NULL;)
			work_on(w, LINK_OWNER(struct job, link, link));
	}
	return NULL;
}

static void open_world(struct world *w)
{
	struct err err;
	char text[600];
	if (embedded_start(1, &w->cluster, &err) != RC_OK)
		fail_msg("%s", err.text);
	static const char *const topics[] = {"in", "out", "audit", "dead"};
	for (size_t i = 0; i < sizeof topics / sizeof topics[0]; i++)
		if (embedded_topic(w->cluster, topics[i], PARTITIONS, &err) != RC_OK)
			fail_msg("%s", err.text);
	snprintf(text, sizeof text,
	         "kafka: {brokers: '%s', group: g, delivery: at_least_once}\n"
	         "input: {topics: [in]}\n"
	         "output: {responses: out, decisions: audit, dead_letters: dead}\n"
	         "models: [{name: small, base_url: 'http://h/v1', price: free}]\n"
	         "policy: p.yaml\n",
	         embedded_bootstrap(w->cluster));
	if (settings_parse("pm.yaml", str_of(text), &w->settings, &err) != RC_OK)
		fail_msg("%s", err.text);
	w->metrics = metrics_new();
	w->pool = job_pool_new(MAX_JOBS, 64u << 20, NULL, NULL);
	if (handover_open(&w->work, &err) != RC_OK)
		fail_msg("%s", err.text);
}

static void start_stream(struct world *w)
{
	struct err err;
	const struct stream_options options = {.settings = &w->settings, .pool = w->pool, .metrics = w->metrics,
	                                       .hooks = {w, deliver, leases_changed, refused}};
	if (stream_start(&options, &w->stream, &err) != RC_OK)
		fail_msg("%s", err.text);
	assert_int_equal(pthread_create(&w->thread, NULL, engine_main, w), 0);
}

/* Afterwards what the engine has kept is the test's. */
static void stop_engine(struct world *w)
{
	handover_wake_all(&w->work);
	pthread_join(w->thread, NULL);
}

static void close_world(struct world *w)
{
	stream_free(w->stream);
	assert_int_equal(job_pool_use(w->pool).jobs, w->kept.count); /* every other job came back */
	job_pool_free(w->pool);
	handover_close(&w->work);
	metrics_free(w->metrics);
	settings_free(&w->settings);
	embedded_stop(w->cluster);
}

static void send_records(struct world *w)
{
	struct plain_writer *writer;
	struct err err;
	if (plain_writer_open(&w->settings, &writer, &err) != RC_OK)
		fail_msg("%s", err.text);
	for (int i = 0; i < RECORDS; i++) {
		char text[16];
		snprintf(text, sizeof text, "%d", i);
		if (plain_writer_send(writer, "in", str_of(text), str_of(text), &err) != RC_OK)
			fail_msg("%s", err.text);
	}
	if (plain_writer_flush(writer, PATIENCE_MS, &err) != RC_OK)
		fail_msg("%s", err.text);
	plain_writer_close(writer);
}

static void see(void *ctx, const char *topic, struct str key, struct str value)
{
	(void)topic, (void)key; /* the hook's shape */
	struct world *w = ctx;
	char text[16];
	snprintf(text, sizeof text, "%.*s", STR_ARG(value));
	long i = strtol(text, NULL, 10);
	assert_in_range(i, 0, RECORDS - 1);
	w->seen[i]++;
}

static void assert_one_output_of_each(struct world *w)
{
	struct plain_reader *reader;
	struct err err;
	const char *topic = "out";
	if (plain_reader_open(&w->settings, &topic, 1, &reader, &err) != RC_OK)
		fail_msg("%s", err.text);
	unsigned total = 0;
	for (int64_t until = clock_mono_us() + PATIENCE_MS * 1000; total < RECORDS && clock_mono_us() < until;)
		total += plain_reader_poll(reader, 100, RECORDS, see, w);
	total += plain_reader_poll(reader, 300, RECORDS, see, w); /* a second one would be here */
	plain_reader_close(reader);
	for (int i = 0; i < RECORDS; i++)
		assert_int_equal(w->seen[i], 1);
	assert_int_equal(total, RECORDS);
}

static void wait_until(struct world *w, bool (*condition)(struct world *w))
{
	for (int64_t until = clock_mono_us() + PATIENCE_MS * 1000; !condition(w);) {
		if (clock_mono_us() >= until)
			fail_msg("not in time: delivered %u, outstanding %u", atomic_load(&w->delivered), stream_outstanding(w->stream));
		poll(NULL, 0, 5);
	}
}

static bool all_committed(struct world *w)
{
	struct stream_status st;
	stream_status(w->stream, &st);
	return st.committed >= RECORDS && stream_outstanding(w->stream) == 0;
}

/* It is renewed once a second. */
static bool status_is_up_to_date(struct world *w)
{
	struct stream_status st;
	stream_status(w->stream, &st);
	return st.assigned && st.brokers_reachable && st.partitions == PARTITIONS && st.lag == 0 && st.holes == 0;
}

static bool pool_is_full(struct world *w)
{
	return atomic_load(&w->delivered) == MAX_JOBS;
}

static void every_record_has_one_output_and_none_is_called_redelivered(void **state)
{
	(void)state;
	struct world w = {.work.event_fd = -1};
	open_world(&w);
	send_records(&w);
	start_stream(&w);
	wait_until(&w, all_committed);
	wait_until(&w, status_is_up_to_date);
	assert_int_equal(atomic_load(&w.redelivered), 0);
	assert_int_equal(atomic_load(&w.delivered), RECORDS);
	stream_drain(w.stream);
	assert_int_equal(stream_stop(w.stream), RC_OK);
	assert_one_output_of_each(&w);
	stop_engine(&w);
	close_world(&w);
}

static void dropped_records_come_again_and_are_called_redelivered(void **state)
{
	(void)state;
	struct world w = {.work.event_fd = -1, .how = DROP_SOME};
	open_world(&w);
	send_records(&w);
	start_stream(&w);
	wait_until(&w, all_committed);
	uint32_t dropped = atomic_load(&w.dropped);
	assert_true(dropped >= RECORDS / 5);
	assert_int_equal(atomic_load(&w.redelivered), dropped);
	stream_drain(w.stream);
	assert_int_equal(stream_stop(w.stream), RC_OK);
	assert_one_output_of_each(&w);
	stop_engine(&w);
	close_world(&w);
}

static void a_stop_does_not_wait_for_jobs_that_are_out(void **state)
{
	(void)state;
	struct world w = {.work.event_fd = -1, .how = KEEP};
	open_world(&w);
	send_records(&w);
	start_stream(&w);
	wait_until(&w, pool_is_full);
	assert_int_equal(stream_outstanding(w.stream), MAX_JOBS);
	stream_drain(w.stream);
	assert_int_equal(stream_stop(w.stream), RC_OK);
	assert_true(atomic_load(&w.leases_changed) > 0);
	stop_engine(&w);
	/* one comes back when nobody takes it any more */
	struct job *late = LINK_OWNER(struct job, link, list_pop(&w.kept));
	assert_true(job_advance(late, JOB_DROPPED));
	stream_finish(w.stream, late);
	close_world(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_record_has_one_output_and_none_is_called_redelivered),
		cmocka_unit_test(dropped_records_come_again_and_are_called_redelivered),
		cmocka_unit_test(a_stop_does_not_wait_for_jobs_that_are_out),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
