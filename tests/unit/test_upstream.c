/*
 * test_upstream.c: jobs through the whole room against a real HTTP server that behaves well and badly.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <netdb.h>

#include "common/clock.h"
#include "tests/unit/tiny_server.h"
#include "worker/upstream/upstream.h"

enum { MODELS = 2, JOBS_MAX = 1000 };

struct world {
	struct tiny_server servers[MODELS];
	char urls[MODELS][64];
	struct model_settings models[MODELS];
	struct settings settings;
	struct upstream *upstream;
	struct handover done;
	struct metrics *metrics;
	struct job *jobs;
	uint32_t job_count;
};

static const uint16_t both[] = {0, 1};
static const struct message prompt = {{"user", 4}, {"How do I reset it?", 18}};

static void on_done(void *ctx, struct list *jobs)
{
	handover_push_list(&((struct world *)ctx)->done, jobs);
}

static void open_world(struct world *w, const struct reply *first, size_t first_len, const struct reply *second, size_t second_len)
{
	static const struct reply good = {.kind = REPLY_JSON};
	memset(w, 0, sizeof *w);
	tiny_start(&w->servers[0], first, first_len);
	tiny_start(&w->servers[1], second != NULL ? second : &good, second != NULL ? second_len : 1);
	for (int i = 0; i < MODELS; i++) {
		snprintf(w->urls[i], sizeof w->urls[i], "http://127.0.0.1:%u/v1", w->servers[i].port);
		w->models[i] = (struct model_settings){
		    .name = i == 0 ? STR("small") : STR("capable"),
		    .base_url = str_of(w->urls[i]),
		    .model = STR("model-x"),
		    .api_key = STR("sk-secret-key"),
		    .concurrency = 64,
		    .timeout_ms = 10000,
		    .connect_timeout_ms = 5000,
		    .max_answer_bytes = 65536,
		    .price = {.given = true, .input = 1, .cached = 0.5, .output = 2},
		};
	}
	w->settings.models = w->models;
	w->settings.model_count = MODELS;
	w->settings.engine.attempts = 4;
	w->metrics = metrics_new();
	struct err err;
	assert_int_equal(handover_open(&w->done, &err), RC_OK);
	w->jobs = heap_zalloc(JOBS_MAX, sizeof *w->jobs);
}

static void start_world(struct world *w)
{
	struct err err = {{0}};
	enum rc rc = upstream_start(&w->settings, STR("cluster"), NULL, w->metrics, (struct upstream_hooks){w, on_done}, &w->upstream, &err);
	if (rc != RC_OK)
		fail_msg("%s", err.text);
}

static void close_world(struct world *w)
{
	upstream_stop(w->upstream);
	for (int i = 0; i < MODELS; i++)
		tiny_stop(&w->servers[i]);
	for (uint32_t i = 0; i < w->job_count; i++)
		arena_free(&w->jobs[i].arena);
	free(w->jobs);
	handover_close(&w->done);
	metrics_free(w->metrics);
}

static struct job *new_job(struct world *w, uint32_t model_count)
{
	struct job *job = &w->jobs[w->job_count];
	arena_init(&job->arena, 4096);
	job->state = JOB_DECIDED;
	job->rec.topic = STR("in");
	job->rec.offset = w->job_count++;
	job->req.id = arena_printf(&job->arena, "p-%u", (unsigned)w->job_count);
	job->call.models = both;
	job->call.model_count = model_count;
	job->call.messages = &prompt;
	job->call.message_count = 1;
	job->call.temperature = NAN;
	return job;
}

static void submit(struct world *w, struct job *job)
{
	struct list list = {0};
	list_push(&list, &job->link);
	upstream_submit(w->upstream, &list);
}

/* Waits for count jobs; a minute without news fails the test. */
static void await(struct world *w, size_t count)
{
	for (size_t got = 0; got < count;) {
		struct list list = {0};
		handover_wait(&w->done, 60000);
		if (handover_take(&w->done, &list, 0) == 0)
			fail_msg("only %zu of %zu jobs came back", got, count);
		got += list.count;
	}
}

static int64_t in_ms(int64_t ms)
{
	return clock_mono_us() + ms * 1000;
}

/* One job, one list of models, two scripts: how it ends. */
struct end_case {
	const char *name;
	struct reply first[3];
	size_t first_len;
	struct reply second[2]; /* second_len 0: a good model */
	size_t second_len;
	uint32_t models;
	int64_t timeout_ms, deadline_ms; /* 0: the world's; none */
	enum job_state state;
	enum outcome outcome;
	uint32_t attempts;
	int32_t model; /* that answered */
	const char *says;
};

static const struct end_case end_cases[] = {
    {.name = "an answer", .first = {{.kind = REPLY_JSON}}, .first_len = 1, .models = 1, .state = JOB_ANSWERED, .outcome = OUTCOME_OK, .attempts = 1},
    {.name = "429 with a wait, then an answer", .first = {{REPLY_JSON, 429, "Retry-After: 0.05\r\n", "{\"error\":{\"message\":\"slow down\"}}"}, {.kind = REPLY_JSON}},
     .first_len = 2, .models = 1, .state = JOB_ANSWERED, .outcome = OUTCOME_OK, .attempts = 2},
    {.name = "429 with a long wait goes to the next model", .first = {{REPLY_JSON, 429, "Retry-After: 600\r\n", "{}"}}, .first_len = 1,
     .models = 2, .state = JOB_ANSWERED, .outcome = OUTCOME_OK, .attempts = 2, .model = 1},
    {.name = "429 with a wait beyond the deadline ends as limited", .first = {{REPLY_JSON, 429, "Retry-After: 600\r\n", "{}"}}, .first_len = 1,
     .models = 1, .deadline_ms = 5000, .state = JOB_FAILED, .outcome = OUTCOME_MODEL_LIMITED, .attempts = 1, .says = "HTTP 429"},
    {.name = "500 until the share is used up, then the next model", .first = {{REPLY_JSON, 500, NULL, "oops"}}, .first_len = 1, .models = 2,
     .state = JOB_ANSWERED, .outcome = OUTCOME_OK, .attempts = 3, .model = 1},
    {.name = "500 from the only model", .first = {{REPLY_JSON, 500, NULL, "oops"}}, .first_len = 1, .models = 1, .state = JOB_FAILED,
     .outcome = OUTCOME_MODEL_UNAVAILABLE, .attempts = 4, .says = "HTTP 500: oops (4 attempts)"},
    {.name = "different failures of all models", .first = {{REPLY_JSON, 400, NULL, "{\"error\":{\"message\":\"bad field\"}}"}}, .first_len = 1,
     .second = {{REPLY_JSON, 401, NULL, "{\"error\":{\"message\":\"no key sk-secret-key\"}}"}}, .second_len = 1, .models = 2,
     .state = JOB_FAILED, .outcome = OUTCOME_NO_MODEL, .attempts = 2, .says = "no key ***"},
    {.name = "401 is not repeated", .first = {{REPLY_JSON, 401, NULL, "{}"}}, .first_len = 1, .models = 1, .state = JOB_FAILED,
     .outcome = OUTCOME_MODEL_AUTH, .attempts = 1, .says = "is the key right"},
    {.name = "400 is not repeated", .first = {{REPLY_JSON, 400, NULL, "{\"error\":{\"message\":\"max_tokens is too large\"}}"}}, .first_len = 1,
     .models = 1, .state = JOB_FAILED, .outcome = OUTCOME_MODEL_REFUSED, .attempts = 1, .says = "max_tokens is too large"},
    {.name = "a spent quota is not repeated", .first = {{REPLY_JSON, 429, NULL, "{\"error\":{\"message\":\"quota\",\"code\":\"insufficient_quota\"}}"}},
     .first_len = 1, .models = 1, .state = JOB_FAILED, .outcome = OUTCOME_MODEL_LIMITED, .attempts = 1, .says = "quota"},
    {.name = "a redirect is not followed", .first = {{REPLY_JSON, 302, "Location: http://169.254.169.254/\r\n", ""}}, .first_len = 1, .models = 1,
     .state = JOB_FAILED, .outcome = OUTCOME_MODEL_REFUSED, .attempts = 1, .says = "HTTP 302"},
    {.name = "a reset, then an answer", .first = {{.kind = REPLY_RESET}, {.kind = REPLY_JSON}}, .first_len = 2, .models = 1, .state = JOB_ANSWERED,
     .outcome = OUTCOME_OK, .attempts = 2},
    {.name = "closed without a byte, then an answer", .first = {{.kind = REPLY_CLOSE}, {.kind = REPLY_JSON}}, .first_len = 2, .models = 1,
     .state = JOB_ANSWERED, .outcome = OUTCOME_OK, .attempts = 2},
    {.name = "half an answer, then a whole one", .first = {{.kind = REPLY_HALF}, {.kind = REPLY_JSON}}, .first_len = 2, .models = 1, .state = JOB_ANSWERED,
     .outcome = OUTCOME_OK, .attempts = 2},
    {.name = "silence until the timeout", .first = {{.kind = REPLY_SILENT}}, .first_len = 1, .models = 2, .timeout_ms = 150, .state = JOB_ANSWERED,
     .outcome = OUTCOME_OK, .attempts = 3, .model = 1},
    {.name = "silence until the deadline", .first = {{.kind = REPLY_SILENT}}, .first_len = 1, .models = 2, .deadline_ms = 150, .state = JOB_EXPIRED,
     .outcome = OUTCOME_EXPIRED, .attempts = 1, .says = "no complete answer"},
    {.name = "not HTTP", .first = {{REPLY_RAW, 0, NULL, "SSH-2.0-OpenSSH_9.2\r\n"}}, .first_len = 1, .models = 1, .state = JOB_FAILED,
     .outcome = OUTCOME_MODEL_GARBAGE, .attempts = 4},
    {.name = "HTML instead of JSON", .first = {{REPLY_JSON, 200, NULL, "<html>hello</html>"}}, .first_len = 1, .models = 2,
     .state = JOB_ANSWERED, .outcome = OUTCOME_OK, .attempts = 3, .model = 1},
    {.name = "JSON of another kind", .first = {{REPLY_JSON, 200, NULL, "{\"choices\":[]}"}}, .first_len = 1, .models = 1, .state = JOB_FAILED,
     .outcome = OUTCOME_MODEL_GARBAGE, .attempts = 4, .says = "choices[0].message.content"},
    {.name = "a body without end is cut off", .first = {{.kind = REPLY_ENDLESS}}, .first_len = 1, .models = 1, .state = JOB_FAILED,
     .outcome = OUTCOME_ANSWER_TOO_LARGE, .attempts = 1, .says = "over 65536 bytes"},
    {.name = "headers without end are cut off", .first = {{.kind = REPLY_ENDLESS_HEADERS}, {.kind = REPLY_JSON}}, .first_len = 2, .models = 1,
     .state = JOB_ANSWERED, .outcome = OUTCOME_OK, .attempts = 2},
    {.name = "a deadline that has passed is not sent", .first = {{.kind = REPLY_JSON}}, .first_len = 1, .models = 1, .deadline_ms = -10,
     .state = JOB_EXPIRED, .outcome = OUTCOME_EXPIRED, .attempts = 0},
};

static void a_call_ends_as_its_server_behaves(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof end_cases / sizeof end_cases[0]; i++) {
		const struct end_case *c = &end_cases[i];
		struct world w;
		open_world(&w, c->first, c->first_len, c->second_len > 0 ? c->second : NULL, c->second_len);
		if (c->timeout_ms != 0)
			w.models[0].timeout_ms = c->timeout_ms;
		start_world(&w);
		struct job *job = new_job(&w, c->models);
		job->call.deadline_us = c->deadline_ms != 0 ? in_ms(c->deadline_ms) : 0;
		submit(&w, job);
		await(&w, 1);
		if (job->state != c->state || job->call.outcome != c->outcome || job->call.attempt_count != c->attempts)
			fail_msg("%s: %s, %s, %u attempts: %.*s", c->name, job_state_name(job->state), outcome_info(job->call.outcome)->name,
			         (unsigned)job->call.attempt_count, STR_ARG(job->error));
		if (c->says != NULL && memmem(job->error.data, job->error.len, c->says, strlen(c->says)) == NULL)
			fail_msg("%s: the message is %.*s", c->name, STR_ARG(job->error));
		if (c->outcome == OUTCOME_OK) {
			assert_int_equal(job->call.model, c->model);
			assert_true(str_is(job->call.text, "Hello."));
			assert_true(str_is(job->call.finish_reason, "stop"));
			assert_int_equal(job->call.input_tokens, 10);
			assert_int_equal(job->call.output_tokens, 5);
			assert_true(fabs(job->call.cost_usd - (6 * 1 + 4 * 0.5 + 5 * 2) / 1e6) < 1e-12);
			assert_true(job->called_us > 0 && job->answered_us >= job->called_us);
		} else {
			assert_int_equal(job->outcome, c->outcome);
			assert_int_equal(job->call.model, -1);
		}
		close_world(&w);
	}
}

static void a_server_that_is_not_there_is_named_with_advice(void **state)
{
	(void)state;
	static const struct reply good = {.kind = REPLY_JSON};
	struct world w;
	open_world(&w, &good, 1, NULL, 0);
	int fd = socket(AF_INET, SOCK_STREAM, 0); /* a port that is taken and does not listen */
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof at;
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
	snprintf(w.urls[0], sizeof w.urls[0], "http://user:pw@127.0.0.1:%u/v1", ntohs(at.sin_port));
	w.models[0].base_url = str_of(w.urls[0]);
	start_world(&w);
	struct job *job = new_job(&w, 1);
	submit(&w, job);
	await(&w, 1);
	char says[128];
	snprintf(says, sizeof says, "model small at http://127.0.0.1:%u/v1: connection refused (4 attempts); is the server running?",
	         ntohs(at.sin_port));
	assert_string_equal(job->error.data, says);
	assert_int_equal(job->outcome, OUTCOME_MODEL_UNAVAILABLE);
	for (uint32_t i = 0; i < 4; i++)
		assert_false(job->call.attempts[i].sent);
	close(fd);
	close_world(&w);
}

static void metadata_addresses_are_never_reached(void **state)
{
	(void)state;
	static const struct reply good = {.kind = REPLY_JSON};
	struct world w;
	open_world(&w, &good, 1, NULL, 0);
	w.models[0].base_url = STR("http://169.254.169.254/v1");
	start_world(&w);
	struct job *job = new_job(&w, 2);
	submit(&w, job);
	await(&w, 1);
	assert_int_equal(job->state, JOB_ANSWERED);
	assert_int_equal(job->call.attempt_count, 2);
	assert_non_null(strstr(job->call.attempts[0].detail.data, "link-local"));
	close_world(&w);
}

static void the_request_carries_what_it_should(void **state)
{
	(void)state;
	static const struct reply good = {REPLY_JSON, 0, "X-Request-Id: req-7\r\n", NULL};
	static const char *const lines[] = {"POST /v1/chat/completions HTTP/1.1\r\n", "Authorization: Bearer sk-secret-key\r\n",
	                                    "x-record-id: p-1\r\n", "Idempotency-Key: ", "Content-Type: application/json\r\n",
	                                    "{\"model\":\"model-x\",\"messages\":[{\"role\":\"user\",\"content\":\"How do I reset it?\"}]}"};
	struct world w;
	open_world(&w, &good, 1, NULL, 0);
	start_world(&w);
	struct job *job = new_job(&w, 1);
	submit(&w, job);
	await(&w, 1);
	for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
		if (strstr(w.servers[0].last_request, lines[i]) == NULL)
			fail_msg("%s is not in:\n%s", lines[i], w.servers[0].last_request);
	assert_null(strcasestr(w.servers[0].last_request, "expect:"));
	assert_true(str_is(job->call.provider_request_id, "req-7"));
	job = new_job(&w, 1);
	job->req.id = STR("evil\r\nX-Admin: 1");
	submit(&w, job);
	await(&w, 1);
	assert_int_equal(job->state, JOB_ANSWERED);
	assert_null(strcasestr(w.servers[0].last_request, "x-admin"));
	assert_null(strcasestr(w.servers[0].last_request, "x-record-id"));
	close_world(&w);
}

static void a_question_of_the_router_comes_back_asking(void **state)
{
	(void)state;
	static const struct reply script[] = {{.kind = REPLY_JSON}, {REPLY_JSON, 400, NULL, "{}"}};
	struct world w;
	open_world(&w, script, 2, NULL, 0);
	start_world(&w);
	for (int i = 0; i < 2; i++) {
		struct job *job = new_job(&w, 1);
		job->state = JOB_ASKING;
		job->call.purpose = PURPOSE_ROUTER;
		submit(&w, job);
		await(&w, 1);
		assert_int_equal(job->state, JOB_ASKING);
		assert_int_equal(job->outcome, OUTCOME_NONE);
		assert_int_equal(job->call.outcome, i == 0 ? OUTCOME_OK : OUTCOME_MODEL_REFUSED);
	}
	close_world(&w);
}

static void a_model_that_guards_forbid_gets_no_byte_whatever_it_is_asked_for(void **state)
{
	(void)state;
	static const struct reply good = {.kind = REPLY_JSON}, bad = {REPLY_JSON, 500, NULL, "oops"};
	static const uint64_t second = 2, all = 3;
	static const struct {
		const uint64_t *forbidden;
		const struct reply *first;
		enum purpose purpose;
		enum outcome outcome;
		unsigned attempts;
	} cases[] = {
		{&second, &good, PURPOSE_ANSWER, OUTCOME_OK, 1},
		{&second, &bad, PURPOSE_ANSWER, OUTCOME_MODEL_UNAVAILABLE, 4}, /* the forbidden one has no share of the attempts */
		{&second, &bad, PURPOSE_ROUTER, OUTCOME_MODEL_UNAVAILABLE, 4},
		{&all, &good, PURPOSE_ANSWER, OUTCOME_GUARD, 0},
		{&all, &good, PURPOSE_ROUTER, OUTCOME_GUARD, 0},
		{&all, &good, PURPOSE_EMBED, OUTCOME_GUARD, 0},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct world w;
		open_world(&w, cases[i].first, 1, NULL, 0);
		start_world(&w);
		struct job *job = new_job(&w, 2);
		job->dec.forbidden = cases[i].forbidden;
		job->dec.forbidden_count = 2;
		job->call.purpose = cases[i].purpose;
		if (cases[i].purpose != PURPOSE_ANSWER)
			job->state = JOB_ASKING;
		submit(&w, job);
		await(&w, 1);
		assert_int_equal(job->call.outcome, cases[i].outcome);
		assert_int_equal(job->call.attempt_count, cases[i].attempts);
		assert_int_equal(w.servers[1].requests, 0);
		if (cases[i].forbidden == &all)
			assert_int_equal(w.servers[0].requests, 0);
		if (cases[i].outcome == OUTCOME_GUARD && cases[i].purpose == PURPOSE_ANSWER)
			assert_int_equal(job->state, JOB_REJECTED);
		close_world(&w);
	}
}

static void a_job_whose_lease_died_while_it_waited_comes_back_dropped(void **state)
{
	(void)state;
	static const struct reply silent = {.kind = REPLY_SILENT};
	struct lease lease = {.epoch = 1, .state = LEASE_LIVE};
	struct world w;
	open_world(&w, &silent, 1, NULL, 0);
	w.models[0].concurrency = 1;
	start_world(&w);
	struct job *busy = new_job(&w, 1), *waiting = new_job(&w, 1), *other = new_job(&w, 1);
	waiting->rec.lease = &lease;
	waiting->rec.epoch = 1;
	submit(&w, busy);
	submit(&w, waiting);
	submit(&w, other);
	while (atomic_load(&w.servers[0].requests) == 0)
		usleep(1000);
	atomic_store(&lease.epoch, 2);
	upstream_sweep(w.upstream);
	await(&w, 1);
	assert_int_equal(waiting->state, JOB_DROPPED);
	assert_int_equal(waiting->call.attempt_count, 0);
	upstream_abort(w.upstream);
	await(&w, 2);
	assert_int_equal(busy->state, JOB_DROPPED);
	assert_true(busy->call.attempts[0].sent);
	assert_int_equal(other->state, JOB_DROPPED);
	close_world(&w);
}

static void the_room_works_on_after_an_abort(void **state)
{
	(void)state;
	static const struct reply script[] = {{.kind = REPLY_SILENT}, {.kind = REPLY_JSON}};
	struct world w;
	open_world(&w, script, 2, NULL, 0);
	start_world(&w);
	struct job *first = new_job(&w, 1), *second = new_job(&w, 1);
	submit(&w, first);
	while (atomic_load(&w.servers[0].requests) == 0)
		usleep(1000);
	upstream_abort(w.upstream);
	await(&w, 1);
	assert_int_equal(first->state, JOB_DROPPED);
	submit(&w, second);
	await(&w, 1);
	assert_int_equal(second->state, JOB_ANSWERED);
	close_world(&w);
}

static void a_waiting_job_expires_at_its_deadline(void **state)
{
	(void)state;
	static const struct reply silent = {.kind = REPLY_SILENT};
	struct world w;
	open_world(&w, &silent, 1, NULL, 0);
	w.models[0].concurrency = 1;
	start_world(&w);
	struct job *busy = new_job(&w, 1), *waiting = new_job(&w, 1);
	submit(&w, busy);
	while (atomic_load(&w.servers[0].requests) == 0)
		usleep(1000);
	waiting->call.deadline_us = in_ms(50);
	submit(&w, waiting);
	await(&w, 1);
	assert_int_equal(waiting->state, JOB_EXPIRED);
	upstream_abort(w.upstream);
	await(&w, 1);
	close_world(&w);
}

/* All come in one list, so that the place is given out when each of them is there. */
static void a_later_job_of_higher_priority_overtakes(void **state)
{
	(void)state;
	static const struct reply good = {.kind = REPLY_JSON};
	struct world w;
	struct list list = {0};
	open_world(&w, &good, 1, NULL, 0);
	w.models[0].concurrency = 1;
	start_world(&w);
	struct job *low = new_job(&w, 1), *plain = new_job(&w, 1), *urgent = new_job(&w, 1);
	low->req.priority = -1;
	urgent->req.priority = 5;
	list_push(&list, &low->link);
	list_push(&list, &plain->link);
	list_push(&list, &urgent->link);
	upstream_submit(w.upstream, &list);
	await(&w, 3);
	assert_int_equal(low->state, JOB_ANSWERED);
	assert_true(urgent->called_us < plain->called_us);
	assert_true(plain->called_us < low->called_us);
	close_world(&w);
}

static void submit_some(struct world *w, struct job *jobs[], uint32_t count, uint32_t models)
{
	struct list list = {0};
	for (uint32_t i = 0; i < count; i++) {
		jobs[i] = new_job(w, models);
		jobs[i]->call.may_park = true;
		list_push(&list, &jobs[i]->link);
	}
	upstream_submit(w->upstream, &list);
}

static void a_full_model_is_passed_over_and_its_line_is_never_longer(void **state)
{
	(void)state;
	static const struct reply silent = {.kind = REPLY_SILENT};
	struct world w;
	struct job *jobs[8];
	struct pool_status st;
	open_world(&w, &silent, 1, NULL, 0);
	w.models[0].concurrency = 1;
	w.models[0].max_waiting = 3;
	w.models[0].when_full = FULL_NEXT;
	start_world(&w);
	submit_some(&w, jobs, 1, 2);
	for (st.calling = 0; st.calling != 1 || st.waiting != 0; (void)usleep(1000)) /* a shorter sleep does no harm */
		upstream_pool_status(w.upstream, 0, &st);
	submit_some(&w, jobs, 8, 2); /* one is on the wire: three may wait, five go on */
	await(&w, 5);
	upstream_pool_status(w.upstream, 0, &st);
	assert_int_equal(st.waiting, 3);
	assert_int_equal(st.passed_over, 5);
	for (int i = 3; i < 8; i++) {
		assert_int_equal(jobs[i]->state, JOB_ANSWERED);
		assert_int_equal(jobs[i]->call.model, 1);
		assert_int_equal(jobs[i]->call.attempts[0].outcome, OUTCOME_MODEL_FULL);
	}
	upstream_abort(w.upstream);
	await(&w, 4);
	upstream_pool_status(w.upstream, 0, &st);
	assert_int_equal(st.waiting, 0);
	close_world(&w);
}

static void a_model_that_was_full_is_not_why_the_others_failed(void **state)
{
	(void)state;
	static const struct reply silent = {.kind = REPLY_SILENT}, bad = {REPLY_JSON, 400, NULL, "{}"};
	struct world w;
	struct job *jobs[2];
	open_world(&w, &silent, 1, &bad, 1);
	w.models[0].concurrency = 1;
	w.models[0].max_waiting = 1;
	w.models[0].when_full = FULL_NEXT;
	w.settings.engine.attempts = 1; /* what the second one does is the last word */
	start_world(&w);
	submit_some(&w, jobs, 2, 2); /* in one list: the first is still in the line when the second comes */
	await(&w, 1);
	assert_int_equal(jobs[1]->call.attempts[0].outcome, OUTCOME_MODEL_FULL);
	assert_int_equal(jobs[1]->outcome, OUTCOME_MODEL_REFUSED);
	upstream_abort(w.upstream);
	await(&w, 1);
	close_world(&w);
}

static void where_all_are_full_a_record_waits(void **state)
{
	(void)state;
	static const struct reply good = {.kind = REPLY_JSON};
	struct world w;
	struct job *jobs[40];
	open_world(&w, &good, 1, NULL, 0);
	for (int m = 0; m < MODELS; m++) {
		w.models[m].concurrency = 1;
		w.models[m].max_waiting = 1;
		w.models[m].when_full = FULL_NEXT;
	}
	start_world(&w);
	submit_some(&w, jobs, 40, 2);
	await(&w, 40);
	for (int i = 0; i < 40; i++)
		assert_int_equal(jobs[i]->state, JOB_ANSWERED);
	close_world(&w);
}

static void what_a_full_model_parks_has_been_called_by_nobody_and_may_be_parked(void **state)
{
	(void)state;
	static const struct reply silent = {.kind = REPLY_SILENT};
	struct world w;
	struct job *jobs[6], *mine;
	struct pool_status st;
	open_world(&w, &silent, 1, NULL, 0);
	w.models[0].concurrency = 1;
	w.models[0].max_waiting = 2;
	w.models[0].when_full = FULL_PARK;
	w.models[0].park_topic = STR("parked");
	start_world(&w);
	submit_some(&w, jobs, 6, 2);
	await(&w, 4);
	for (int i = 2; i < 6; i++) {
		assert_int_equal(jobs[i]->state, JOB_FORWARDED);
		assert_int_equal(jobs[i]->outcome, OUTCOME_PARKED);
		assert_true(str_is(jobs[i]->call.park_topic, "parked"));
		assert_int_equal(jobs[i]->call.attempts_left, 4);
		assert_int_equal(jobs[i]->call.attempts[0].outcome, OUTCOME_PARKED);
	}
	mine = new_job(&w, 1); /* it was parked before: it waits */
	submit(&w, mine);
	upstream_pool_status(w.upstream, 0, &st);
	assert_int_equal(st.parked, 4);
	upstream_abort(w.upstream);
	await(&w, 3);
	assert_int_equal(mine->state, JOB_DROPPED);
	close_world(&w);
}

static void what_waits_for_a_model_that_rests_is_parked_too_when_it_is_too_much(void **state)
{
	(void)state;
	static const struct reply refused = {REPLY_JSON, 401, NULL, "{}"};
	struct world w;
	struct job *ill[1], *jobs[3];
	open_world(&w, &refused, 1, NULL, 0);
	w.models[0].max_waiting = 1;
	w.models[0].when_full = FULL_PARK;
	w.models[0].park_topic = STR("parked");
	start_world(&w);
	submit_some(&w, ill, 1, 1); /* credentials are refused: the model rests for a while */
	await(&w, 1);
	submit_some(&w, jobs, 3, 1);
	await(&w, 2);
	assert_int_equal(jobs[1]->outcome, OUTCOME_PARKED);
	assert_int_equal(jobs[2]->outcome, OUTCOME_PARKED);
	upstream_abort(w.upstream);
	await(&w, 1);
	assert_int_equal(jobs[0]->state, JOB_DROPPED);
	close_world(&w);
}

/* With another in its place, or with none: a full line is no reason to send it away. */
static void a_retry_keeps_its_place_in_a_full_line(void **state)
{
	(void)state;
	static const struct reply script[] = {{REPLY_JSON, 429, "Retry-After: 0.2\r\n", "{}"}, {.kind = REPLY_JSON}};
	struct world w;
	struct job *first[1], *more[1];
	open_world(&w, script, 2, NULL, 0);
	w.models[0].concurrency = 1;
	w.models[0].max_waiting = 1;
	w.models[0].when_full = FULL_PARK;
	w.models[0].park_topic = STR("parked");
	start_world(&w);
	submit_some(&w, first, 1, 1);
	while (atomic_load(&w.servers[0].requests) == 0)
		(void)usleep(1000); /* a shorter sleep does no harm */
	submit_some(&w, more, 1, 1);
	await(&w, 2);
	assert_int_equal(first[0]->state, JOB_ANSWERED);
	assert_int_equal(first[0]->call.attempt_count, 2);
	close_world(&w);
}

static void a_model_that_keeps_failing_is_skipped(void **state)
{
	(void)state;
	static const struct reply bad = {REPLY_JSON, 401, NULL, "{}"};
	struct world w;
	open_world(&w, &bad, 1, NULL, 0);
	start_world(&w);
	struct job *first = new_job(&w, 2), *second = new_job(&w, 2), *third = new_job(&w, 1);
	submit(&w, first);
	await(&w, 1);
	assert_int_equal(first->state, JOB_ANSWERED);
	submit(&w, second);
	await(&w, 1);
	assert_int_equal(second->state, JOB_ANSWERED);
	assert_int_equal(second->call.attempt_count, 2);
	assert_int_equal(second->call.attempts[0].outcome, OUTCOME_MODEL_AUTH);
	assert_int_equal(second->call.attempts[0].http_status, 0);
	assert_int_equal(atomic_load(&w.servers[0].requests), 1);
	third->call.deadline_us = in_ms(5000); /* sooner than the breaker lets anything through */
	submit(&w, third);
	await(&w, 1);
	assert_int_equal(third->outcome, OUTCOME_NO_MODEL);
	struct pool_status status;
	upstream_pool_status(w.upstream, 0, &status);
	assert_true(status.breaker_open);
	close_world(&w);
}

static void the_line_of_a_hanging_model_moves_on_when_it_is_given_up(void **state)
{
	(void)state;
	enum { JOBS = 40 };
	static const struct reply silent = {.kind = REPLY_SILENT};
	struct world w;
	open_world(&w, &silent, 1, NULL, 0);
	w.models[0].concurrency = 10;
	w.models[0].timeout_ms = 200;
	start_world(&w);
	struct list list = {0};
	for (uint32_t i = 0; i < JOBS; i++)
		list_push(&list, &new_job(&w, 2)->link);
	upstream_submit(w.upstream, &list);
	await(&w, JOBS);
	for (uint32_t i = 0; i < JOBS; i++) {
		assert_int_equal(w.jobs[i].state, JOB_ANSWERED);
		assert_int_equal(w.jobs[i].call.model, 1);
	}
	assert_true(atomic_load(&w.servers[0].requests) < JOBS);
	close_world(&w);
}

static void a_lone_model_is_waited_for_while_it_rests(void **state)
{
	(void)state;
	enum { JOBS = 10 };
	struct reply script[JOBS + 1];
	struct world w;
	for (int i = 0; i < JOBS; i++)
		script[i] = (struct reply){.kind = REPLY_JSON, .status = 500};
	script[JOBS] = (struct reply){.kind = REPLY_JSON};
	open_world(&w, script, JOBS + 1, NULL, 0);
	start_world(&w);
	struct list list = {0};
	for (uint32_t i = 0; i < JOBS; i++)
		list_push(&list, &new_job(&w, 1)->link);
	upstream_submit(w.upstream, &list);
	await(&w, JOBS);
	for (uint32_t i = 0; i < JOBS; i++)
		assert_int_equal(w.jobs[i].state, JOB_ANSWERED);
	assert_int_equal(atomic_load(&w.servers[0].requests), 2 * JOBS);
	close_world(&w);
}

static void a_thousand_jobs_through_64_places_all_come_back(void **state)
{
	(void)state;
	static const struct reply script[] = {{.kind = REPLY_JSON}};
	struct world w;
	open_world(&w, script, 1, NULL, 0);
	start_world(&w);
	struct list list = {0};
	for (uint32_t i = 0; i < JOBS_MAX; i++)
		list_push(&list, &new_job(&w, 1)->link);
	upstream_submit(w.upstream, &list);
	await(&w, JOBS_MAX);
	for (uint32_t i = 0; i < JOBS_MAX; i++)
		assert_int_equal(w.jobs[i].state, JOB_ANSWERED);
	assert_int_equal(atomic_load(&w.servers[0].requests), JOBS_MAX);
	struct pool_status status;
	upstream_pool_status(w.upstream, 0, &status);
	assert_int_equal(status.answered, JOBS_MAX);
	assert_true(status.connections <= 64);
	close_world(&w);
}

static void a_large_request_and_a_large_answer_pass(void **state)
{
	(void)state;
	static char body[60000];
	int n = snprintf(body, sizeof body, "{\"choices\":[{\"message\":{\"content\":\"");
	memset(body + n, 'y', 58000);
	snprintf(body + n + 58000, sizeof body - (size_t)n - 58000, "\"}}]}");
	const struct reply large = {REPLY_JSON, 0, NULL, body};
	static char text[60000];
	memset(text, 'x', sizeof text);
	const struct message long_prompt = {STR("user"), {text, sizeof text}};
	struct world w;
	open_world(&w, &large, 1, NULL, 0);
	start_world(&w);
	for (int i = 0; i < 4; i++) {
		struct job *job = new_job(&w, 1);
		job->call.messages = &long_prompt;
		submit(&w, job);
		await(&w, 1);
		assert_int_equal(job->state, JOB_ANSWERED);
		assert_int_equal(job->call.text.len, 58000);
		assert_true(job->call.attempts[0].estimated);
	}
	close_world(&w);
}

static void a_named_host_is_reached_by_the_resolvers_address(void **state)
{
	(void)state;
	static const struct reply good = {.kind = REPLY_JSON};
	struct world w;
	struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *list = NULL;
	char name[64] = "";
	gethostname(name, sizeof name - 1); /* the one name that is known without a network */
	bool loops = getaddrinfo(name, NULL, &hints, &list) == 0 &&
	             ntohl(((struct sockaddr_in *)(void *)list->ai_addr)->sin_addr.s_addr) == INADDR_LOOPBACK;
	if (list != NULL)
		freeaddrinfo(list);
	open_world(&w, &good, 1, NULL, 0);
	if (loops)
		snprintf(w.urls[0], sizeof w.urls[0], "http://%s:%u/v1", name, w.servers[0].port);
	else
		snprintf(w.urls[0], sizeof w.urls[0], "http://localhost:%u/v1", w.servers[0].port);
	w.models[0].base_url = str_of(w.urls[0]);
	start_world(&w);
	struct job *job = new_job(&w, 1);
	submit(&w, job);
	await(&w, 1);
	if (job->state != JOB_ANSWERED)
		fail_msg("%s: %.*s", w.urls[0], STR_ARG(job->error));
	close_world(&w);
}

static void a_name_that_does_not_resolve_is_told(void **state)
{
	(void)state;
	static const struct reply good = {.kind = REPLY_JSON};
	struct world w;
	open_world(&w, &good, 1, NULL, 0);
	w.models[0].base_url = STR("http://nowhere.invalid/v1"); /* RFC 6761: never resolves */
	start_world(&w);
	struct job *job = new_job(&w, 2);
	submit(&w, job);
	await(&w, 1);
	assert_int_equal(job->state, JOB_ANSWERED);
	assert_int_equal(job->call.attempts[0].outcome, OUTCOME_MODEL_UNAVAILABLE);
	assert_false(job->call.attempts[0].sent);
	assert_non_null(strstr(job->call.attempts[0].detail.data, "does not resolve"));
	close_world(&w);
}

static void a_probe_says_what_is_wrong(void **state)
{
	(void)state;
	static const struct reply script[] = {{.kind = REPLY_JSON}, {REPLY_JSON, 401, NULL, "{\"error\":{\"message\":\"bad key\"}}"}};
	struct world w;
	struct err err = {{0}};
	int64_t ms = -1;
	open_world(&w, script, 2, NULL, 0);
	assert_int_equal(upstream_probe(&w.settings, 0, PURPOSE_ANSWER, &ms, &err), RC_OK);
	assert_true(ms >= 0);
	assert_int_equal(upstream_probe(&w.settings, 0, PURPOSE_ANSWER, &ms, &err), RC_BAD_INPUT);
	assert_non_null(strstr(err.text, "bad key"));
	close_world(&w);
}

/* Questions of routing stages: an embedding and a choice with token probabilities, by a pool and by the blocking call. */
static void questions_bring_their_numbers_back_and_leave_the_job_asking(void **state)
{
	(void)state;
	static const char embedded[] = "{\"data\":[{\"embedding\":[0.5,-1,2]}],\"usage\":{\"prompt_tokens\":1000}}";
	static const char chosen[] = "{\"choices\":[{\"message\":{\"content\":\"kb\"},\"logprobs\":{\"content\":["
	                             "{\"token\":\"k\",\"logprob\":-0.25},{\"token\":\"b\",\"logprob\":0}]}}],"
	                             "\"usage\":{\"prompt_tokens\":1000,\"completion_tokens\":500}}";
	static const struct {
		enum purpose purpose;
		const char *body, *line;
		uint32_t tokens, vector;
		double cost;
	} cases[] = {{PURPOSE_EMBED, embedded, "POST /v1/embeddings HTTP/1.1\r\n", 0, 3, 0.001},
	             {PURPOSE_ROUTER, chosen, "POST /v1/chat/completions HTTP/1.1\r\n", 2, 0, 0.002}};
	for (unsigned i = 0; i < 4; i++) {
		const unsigned c = i / 2;
		bool blocking = i % 2 != 0;
		const struct reply script[] = {{.kind = REPLY_JSON, .body = cases[c].body}};
		struct world w;
		open_world(&w, script, 1, NULL, 0);
		struct job *job = new_job(&w, 1);
		job->state = JOB_ASKING;
		job->call.purpose = cases[c].purpose;
		job->call.attempts_left = 2;
		job->call.timeout_ms = 5000;
		if (blocking) {
			upstream_ask(&w.settings, job);
		} else {
			start_world(&w);
			submit(&w, job);
			await(&w, 1);
		}
		assert_int_equal(job->state, JOB_ASKING);
		assert_int_equal(job->call.outcome, OUTCOME_OK);
		assert_int_equal(job->call.token_count, cases[c].tokens);
		assert_int_equal(job->call.vector_len, cases[c].vector);
		assert_true(c != 0 || (job->call.vector[0] == 0.5f && job->call.vector[1] == -1 && job->call.vector[2] == 2));
		assert_true(c == 0 || (job->call.tokens[0].logprob == -0.25 && str_is(job->call.tokens[1].token, "b")));
		assert_true(fabs(job->call.cost_usd - cases[c].cost) < 1e-12);
		assert_int_equal(strncmp(w.servers[0].last_request, cases[c].line, strlen(cases[c].line)), 0);
		close_world(&w);
	}
}

static void a_blocking_question_that_fails_says_how(void **state)
{
	(void)state;
	static const struct {
		struct reply reply;
		enum outcome outcome;
	} cases[] = {
		{{REPLY_JSON, 400, NULL, "{\"error\":{\"message\":\"no logprobs here\"}}"}, OUTCOME_MODEL_REFUSED},
		{{REPLY_JSON, 500, NULL, "{}"}, OUTCOME_MODEL_UNAVAILABLE},
		{{.kind = REPLY_JSON, .body = "{}"}, OUTCOME_MODEL_GARBAGE},
		{{.kind = REPLY_RESET}, OUTCOME_MODEL_UNAVAILABLE},
		{{.kind = REPLY_SILENT}, OUTCOME_EXPIRED},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct world w;
		open_world(&w, &cases[i].reply, 1, NULL, 0);
		struct job *job = new_job(&w, 1);
		job->state = JOB_ASKING;
		job->call.purpose = PURPOSE_ROUTER;
		job->call.timeout_ms = 200;
		upstream_ask(&w.settings, job);
		if (job->call.outcome != cases[i].outcome)
			fail_msg("case %zu: %s", i, outcome_info(job->call.outcome)->name);
		assert_true(job->call.message.len != 0);
		assert_true(i != 0 || memmem(job->call.message.data, job->call.message.len, "no logprobs here", 16) != NULL);
		close_world(&w);
	}
}

/* A record waits until the model may be tried again; a question does not. */
static void a_question_does_not_wait_for_a_model_that_rests(void **state)
{
	(void)state;
	enum { JOBS = 10 };
	static const struct reply ill = {.kind = REPLY_JSON, .status = 500};
	struct world w;
	open_world(&w, &ill, 1, NULL, 0);
	start_world(&w);
	struct list list = {0};
	for (uint32_t i = 0; i < JOBS; i++) {
		struct job *job = new_job(&w, 1);
		job->call.attempts_left = 1;
		list_push(&list, &job->link);
	}
	upstream_submit(w.upstream, &list);
	await(&w, JOBS);
	size_t requests = atomic_load(&w.servers[0].requests);
	for (int i = 0; i < 2; i++) {
		struct job *job = new_job(&w, 1);
		job->state = JOB_ASKING;
		job->call.purpose = i == 0 ? PURPOSE_ROUTER : PURPOSE_EMBED;
		job->call.attempts_left = 2;
		job->call.deadline_us = in_ms(60000);
		submit(&w, job);
		await(&w, 1);
		assert_int_equal(job->state, JOB_ASKING);
		assert_int_equal(job->call.outcome, OUTCOME_NO_MODEL);
		assert_true(str_is(job->call.message, "model small rests after errors"));
	}
	assert_int_equal(atomic_load(&w.servers[0].requests), requests);
	close_world(&w);
}

static void questions_go_before_answers_in_a_models_line(void **state)
{
	(void)state;
	enum { JOBS = 6 };
	static const struct reply script[] = {{.kind = REPLY_SILENT}, {.kind = REPLY_JSON}};
	struct world w;
	open_world(&w, script, 2, NULL, 0);
	w.models[0].concurrency = 1;
	start_world(&w);
	struct job *first = new_job(&w, 1); /* holds the only place until it times out */
	first->call.timeout_ms = 300;
	first->call.attempts_left = 1;
	submit(&w, first);
	while (atomic_load(&w.servers[0].requests) == 0)
		usleep(1000);
	struct list list = {0};
	for (uint32_t i = 0; i < JOBS; i++) {
		struct job *job = new_job(&w, 1);
		job->req.priority = i == JOBS - 1 ? -100 : 100; /* the question comes last, and nobody said that it is urgent */
		if (i == JOBS - 1) {
			job->state = JOB_ASKING;
			job->call.purpose = PURPOSE_ROUTER;
		}
		list_push(&list, &job->link);
	}
	upstream_submit(w.upstream, &list);
	struct list done = {0};
	while (done.count < JOBS + 1) {
		struct list some = {0};
		handover_wait(&w.done, 60000);
		assert_true(handover_take(&w.done, &some, 0) != 0);
		list_join(&done, &some);
	}
	assert_ptr_equal(LINK_OWNER(struct job, link, list_pop(&done)), first);
	assert_int_equal(LINK_OWNER(struct job, link, list_pop(&done))->state, JOB_ASKING);
	close_world(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_call_ends_as_its_server_behaves),
	    cmocka_unit_test(a_server_that_is_not_there_is_named_with_advice),
	    cmocka_unit_test(metadata_addresses_are_never_reached),
	    cmocka_unit_test(the_request_carries_what_it_should),
	    cmocka_unit_test(a_question_of_the_router_comes_back_asking),
	    cmocka_unit_test(a_model_that_guards_forbid_gets_no_byte_whatever_it_is_asked_for),
	    cmocka_unit_test(a_job_whose_lease_died_while_it_waited_comes_back_dropped),
	    cmocka_unit_test(the_room_works_on_after_an_abort),
	    cmocka_unit_test(a_waiting_job_expires_at_its_deadline),
	    cmocka_unit_test(a_later_job_of_higher_priority_overtakes),
	    cmocka_unit_test(a_full_model_is_passed_over_and_its_line_is_never_longer),
	    cmocka_unit_test(a_model_that_was_full_is_not_why_the_others_failed),
	    cmocka_unit_test(where_all_are_full_a_record_waits),
	    cmocka_unit_test(what_a_full_model_parks_has_been_called_by_nobody_and_may_be_parked),
	    cmocka_unit_test(what_waits_for_a_model_that_rests_is_parked_too_when_it_is_too_much),
	    cmocka_unit_test(a_retry_keeps_its_place_in_a_full_line),
	    cmocka_unit_test(a_model_that_keeps_failing_is_skipped),
	    cmocka_unit_test(the_line_of_a_hanging_model_moves_on_when_it_is_given_up),
	    cmocka_unit_test(a_lone_model_is_waited_for_while_it_rests),
	    cmocka_unit_test(a_thousand_jobs_through_64_places_all_come_back),
	    cmocka_unit_test(a_large_request_and_a_large_answer_pass),
	    cmocka_unit_test(a_named_host_is_reached_by_the_resolvers_address),
	    cmocka_unit_test(a_name_that_does_not_resolve_is_told),
	    cmocka_unit_test(a_probe_says_what_is_wrong),
	    cmocka_unit_test(questions_bring_their_numbers_back_and_leave_the_job_asking),
	    cmocka_unit_test(a_blocking_question_that_fails_says_how),
	    cmocka_unit_test(a_question_does_not_wait_for_a_model_that_rests),
	    cmocka_unit_test(questions_go_before_answers_in_a_models_line),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
