/*
 * test_flow.c: the road of a record, with the real rooms and a fake pool and stream at its ends.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/json.h"
#include "worker/engine/flow.h"
#include "worker/job/job_pool.h"

static const char policy_text[] =
    "name: road\n"
    "when_unsure: careful\n"
    "baseline: big\n"
    "routes:\n"
    "  - {name: quick, models: [little], on_error: [big]}\n"
    "  - {name: careful, models: [big]}\n"
    "  - {name: person, topic: human.review}\n"
    "stages:\n"
    "  - rules:\n"
    "      - {name: greeting, when: {keywords: [hello]}, route: quick}\n"
    "      - {name: angry, when: {keywords: [lawyer]}, route: person, priority: 5}\n"
    "guards:\n"
    "  - {name: sealed, when: {pii: iban}, not_models: [little]}\n"
    "  - {name: shut, when: {attributes: {shut: 'yes'}}, reject: true}\n";

static const char asking_policy_text[] =
    "name: asking\n"
    "when_unsure: careful\n"
    "routes:\n"
    "  - {name: quick, models: [little]}\n"
    "  - {name: careful, models: [big]}\n"
    "  - {name: person, topic: human.review}\n"
    "stages:\n"
    "  - rules: [{name: greeting, when: {keywords: [hello]}, route: quick}]\n"
    "  - llm: {model: little, prompt: router.md, accept: 0.5, timeout: 4s}\n";

static const char talking_policy_text[] =
    "name: talking\n"
    "when_unsure: quick\n"
    "routes:\n"
    "  - {name: quick, models: [little]}\n"
    "  - {name: careful, models: [big]}\n"
    "  - {name: back, models: [little], kind: clarification, max_per_conversation: 1, then: careful}\n"
    "sticky: {turns: 2, routes: [careful]}\n"
    "stages:\n"
    "  - rules:\n"
    "      - {name: proof, when: {keywords: [prove]}, route: careful}\n"
    "      - {name: vague, when: {keywords: [something]}, route: back}\n"
    "  - llm: {model: little, prompt: router.md, accept: 0.5, timeout: 4s}\n";

static const char config_text[] =
    "kafka: {brokers: 'localhost:1'}\n"
    "input: {topics: [in], format: json}\n"
    "output: {format: json}\n"
    "models:\n"
    "  - {name: little, base_url: 'http://127.0.0.1:1/v1', model: a, price: {input: 1, output: 2}}\n"
    "  - {name: big, base_url: 'http://127.0.0.1:1/v1', model: b, price: {input: 10, output: 20}}\n"
    "policy: ";

struct road {
	char folder[64];
	struct settings settings;
	struct policy *policy;
	struct wire *wire;
	struct cache *cache;
	struct metrics *metrics;
	struct tally *tally;
	struct job_pool *pool;
	struct flow *flow;
	struct list called, handed_back, woken;
	struct lease lease;
	unsigned awaiting;
};

static struct policy *give_policy(void *ctx)
{
	return policy_ref(((struct road *)ctx)->policy);
}

static void take_calls(void *ctx, struct list *jobs)
{
	list_join(&((struct road *)ctx)->called, jobs);
}

static void take_back(void *ctx, struct list *jobs)
{
	list_join(&((struct road *)ctx)->handed_back, jobs);
}

static void take_waiting(void *ctx, struct job *job)
{
	struct road *road = ctx;
	road->awaiting++;
	job_pool_give(road->pool, job);
}

static void unpin(void *ctx, struct job *job)
{
	(void)ctx; /* the hook's shape */
	policy_unref(job->dec.policy);
}

static void take_woken(void *ctx, struct list *jobs)
{
	list_join(&((struct road *)ctx)->woken, jobs);
}

static void write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static int open_road_of(void **state, const char *policy)
{
	struct road *road = heap_zalloc(1, sizeof *road);
	struct err err = {""};
	(void)snprintf(road->folder, sizeof road->folder, "/tmp/pointsman-flow-XXXXXX"); /* fits */
	assert_non_null(mkdtemp(road->folder));
	char path[128], config[2048];
	(void)snprintf(path, sizeof path, "%s/router.md", road->folder); /* fits */
	write_file(path, "Choose one of:\n{routes}\n");
	(void)snprintf(path, sizeof path, "%s/policy.yaml", road->folder); /* fits */
	write_file(path, policy);
	(void)snprintf(config, sizeof config, "%s%s\n", config_text, path); /* fits */
	if (settings_parse("road.yaml", str_of(config), &road->settings, &err) != RC_OK ||
	    policy_load(path, &road->settings, &road->policy, &err) != RC_OK ||
	    wire_open(&road->settings, NULL, &road->wire, &err) != RC_OK ||
	    cache_open(&road->settings, NULL, NULL, &road->cache, &err) != RC_OK)
		fail_msg("%s", err.text);
	cache_on_resume(road->cache, take_woken, road);
	road->metrics = metrics_new();
	road->tally = tally_new(road->metrics);
	road->pool = job_pool_new(64, 1 << 24, unpin, road);
	atomic_store(&road->lease.state, LEASE_LIVE);
	const struct flow_shop shop = {
		.settings = &road->settings, .wire = road->wire, .cache = road->cache, .tally = road->tally, .pool = road->pool,
		.instance = "test", .ctx = road, .policy = give_policy, .dispatch = take_calls, .await_schema = take_waiting,
		.hand_back = take_back,
	};
	road->flow = flow_new(&shop);
	*state = road;
	return 0;
}

static int open_road(void **state)
{
	return open_road_of(state, policy_text);
}

static int open_asking_road(void **state)
{
	return open_road_of(state, asking_policy_text);
}

static int open_talking_road(void **state)
{
	return open_road_of(state, talking_policy_text);
}

static void give_all(struct road *road, struct list *jobs)
{
	for (struct link *link; (link = list_pop(jobs)) != NULL;)
		job_pool_give(road->pool, LINK_OWNER(struct job, link, link));
}

static int close_road(void **state)
{
	struct road *road = *state;
	char path[128];
	give_all(road, &road->called);
	give_all(road, &road->handed_back);
	give_all(road, &road->woken);
	flow_free(road->flow);
	cache_close(road->cache);
	wire_close(road->wire);
	job_pool_free(road->pool);
	tally_free(road->tally);
	metrics_free(road->metrics);
	policy_unref(road->policy);
	settings_free(&road->settings);
	(void)snprintf(path, sizeof path, "%s/policy.yaml", road->folder); /* fits */
	(void)unlink(path);        /* a test's temporary file */
	(void)snprintf(path, sizeof path, "%s/router.md", road->folder); /* fits */
	(void)unlink(path);        /* likewise */
	(void)rmdir(road->folder); /* likewise */
	free(road);
	return 0;
}

static struct job *record(struct road *road, int64_t offset, const char *value)
{
	struct job *job = job_pool_take(road->pool, strlen(value));
	assert_non_null(job);
	job->rec = (struct record){.topic = STR("in"), .partition = 3, .offset = offset, .timestamp_ms = clock_wall_ms(),
	                           .value = arena_str(&job->arena, str_of(value)), .key = STR("k"), .lease = &road->lease};
	job->fetched_us = clock_mono_us();
	return job;
}

static void send(struct road *road, struct job *job)
{
	struct list one = {0};
	list_push(&one, &job->link);
	flow_batch(road->flow, &one);
}

static struct job *popped(struct list *list)
{
	struct link *link = list_pop(list);
	assert_non_null(link);
	return LINK_OWNER(struct job, link, link);
}

static const struct output *output_of(const struct job *job, enum output_kind kind)
{
	for (const struct output *out = job->outputs; out != NULL; out = out->next)
		if (out->kind == kind)
			return out;
	return NULL;
}

static struct str field(struct job *job, enum output_kind kind, const char *path)
{
	const struct output *out = output_of(job, kind);
	const struct json *tree = NULL;
	assert_non_null(out);
	assert_int_equal(json_parse(&job->arena, out->value, (struct json_limits){0}, &tree, NULL), RC_OK);
	return json_str(json_path(tree, str_of(path)));
}

static void assert_text(struct str text, const char *expected)
{
	assert_non_null(text.data);
	assert_int_equal(text.len, strlen(expected));
	assert_memory_equal(text.data, expected, text.len);
}

static void a_known_word_goes_to_the_small_model_and_its_answer_becomes_a_response(void **state)
{
	struct road *road = *state;
	send(road, record(road, 7, "{\"id\":\"r1\",\"prompt\":\"hello there\"}"));
	struct job *job = popped(&road->called);
	assert_int_equal(job->state, JOB_DECIDED);
	assert_int_equal(job->call.model_count, 2);
	assert_int_equal(job->call.models[0], 0);
	assert_int_equal(job->call.models[1], 1);
	assert_text(job->call.messages[job->call.message_count - 1].content, "hello there");

	assert_true(job_advance(job, JOB_CALLING));
	assert_true(job_advance(job, JOB_ANSWERED));
	job->call.outcome = OUTCOME_OK;
	job->call.model = 0;
	job->call.text = STR("good day");
	job->call.input_tokens = 100;
	job->call.output_tokens = 50;
	send(road, job);
	job = popped(&road->handed_back);
	assert_int_equal(job->state, JOB_ENCODED);
	assert_text(field(job, OUTPUT_RESPONSE, "text"), "good day");
	assert_text(field(job, OUTPUT_RESPONSE, "status"), "ok");
	assert_text(field(job, OUTPUT_DECISION, "route"), "quick");
	assert_text(field(job, OUTPUT_DECISION, "request_id"), "r1");
	assert_null(output_of(job, OUTPUT_DEAD_LETTER));
	job_pool_give(road->pool, job);
}

static void bytes_that_are_no_record_become_a_dead_letter_and_no_call(void **state)
{
	struct road *road = *state;
	send(road, record(road, 8, "{\"id\":\"r1\",\"prompt\":"));
	assert_int_equal(road->called.count, 0);
	struct job *job = popped(&road->handed_back);
	assert_int_equal(job->outcome, OUTCOME_BAD_RECORD);
	assert_null(output_of(job, OUTPUT_RESPONSE));
	assert_non_null(output_of(job, OUTPUT_DECISION));
	const struct output *dead = output_of(job, OUTPUT_DEAD_LETTER);
	assert_non_null(dead);
	assert_text(dead->value, "{\"id\":\"r1\",\"prompt\":");
	job_pool_give(road->pool, job);
}

static void a_condemned_record_is_named_while_it_can_be_read_and_never_called_for(void **state)
{
	struct road *road = *state;
	static const char *const ids[] = {"r1", "in-3-12"};
	for (uint8_t crashes = RECORD_CONDEMNED; crashes <= RECORD_UNREADABLE; crashes++) {
		struct job *job = record(road, 12, "{\"id\":\"r1\",\"prompt\":\"hello there\"}");
		job->rec.crashes = crashes;
		send(road, job);
		job = popped(&road->handed_back);
		assert_null(road->called.head);
		assert_text(field(job, OUTPUT_RESPONSE, "id"), ids[crashes - RECORD_CONDEMNED]);
		assert_text(field(job, OUTPUT_RESPONSE, "error.class"), "crashed_worker");
		assert_text(field(job, OUTPUT_DECISION, "outcome"), "crashed_worker");
		assert_text(output_of(job, OUTPUT_DEAD_LETTER)->value, "{\"id\":\"r1\",\"prompt\":\"hello there\"}");
		job_pool_give(road->pool, job);
	}
}

static void a_guard_is_asked_on_a_cached_decision_too_and_a_rejected_record_makes_no_call(void **state)
{
	struct road *road = *state;
	send(road, record(road, 50, "{\"prompt\":\"hello, for a guard\"}"));
	struct job *job = popped(&road->called);
	assert_int_equal(job->call.model_count, 2);
	job_pool_give(road->pool, job);
	send(road, record(road, 51, "{\"messages\":[{\"role\":\"user\",\"content\":\"DE89370400440532013000\"},"
	                            "{\"role\":\"user\",\"content\":\"hello, for a guard\"}]}"));
	job = popped(&road->called);
	assert_int_equal(job->dec.cache, CACHE_NEAR);
	assert_int_equal(job->call.model_count, 1);
	assert_int_equal(job->call.models[0], 1);
	assert_int_equal(job->dec.guard_count, 1);
	assert_text(job->dec.guards[0].name, "sealed");
	job_pool_give(road->pool, job);
	send(road, record(road, 52, "{\"prompt\":\"hello, for a guard\",\"attributes\":{\"shut\":\"yes\"}}"));
	assert_null(road->called.head);
	job = popped(&road->handed_back);
	assert_int_equal(job->outcome, OUTCOME_GUARD);
	assert_text(field(job, OUTPUT_RESPONSE, "status"), "rejected");
	assert_text(field(job, OUTPUT_RESPONSE, "error.class"), "guard");
	assert_text(field(job, OUTPUT_DECISION, "reason"), "guard shut: shut is yes; rejected");
	assert_non_null(output_of(job, OUTPUT_DEAD_LETTER));
	job_pool_give(road->pool, job);
}

static void a_topic_route_forwards_without_a_call(void **state)
{
	struct road *road = *state;
	send(road, record(road, 9, "{\"id\":\"r2\",\"prompt\":\"hello, my lawyer will write\"}"));
	assert_int_equal(road->called.count, 0);
	struct job *job = popped(&road->handed_back);
	assert_int_equal(job->outcome, OUTCOME_FORWARDED);
	const struct output *forward = output_of(job, OUTPUT_FORWARD);
	assert_non_null(forward);
	assert_text(forward->topic, "human.review");
	assert_text(field(job, OUTPUT_RESPONSE, "status"), "forwarded");
	job_pool_give(road->pool, job);
}

/* What the pool would do with it. */
static void park(struct job *job)
{
	assert_true(job->call.may_park);
	job->call.outcome = job->outcome = OUTCOME_PARKED;
	job->call.park_topic = STR("parked");
	assert_true(job_advance(job, JOB_FORWARDED));
}

static int64_t number(struct job *job, enum output_kind kind, const char *path)
{
	const struct json *tree = NULL;
	int64_t n = -1;
	assert_int_equal(json_parse(&job->arena, output_of(job, kind)->value, (struct json_limits){0}, &tree, NULL), RC_OK);
	assert_true(json_i64(json_path(tree, str_of(path)), &n));
	return n;
}

static void a_parked_record_keeps_its_deadline_and_is_not_parked_again(void **state)
{
	struct road *road = *state;
	struct model_settings *little = &road->settings.models[0];
	little->park_topic = STR("parked");
	int64_t deadline_ms = clock_wall_ms() + 5000;
	char text[128];
	(void)snprintf(text, sizeof text, "{\"prompt\":\"hello\",\"deadline\":%lld}", (long long)deadline_ms); /* fits */
	send(road, record(road, 30, text));
	struct job *job = popped(&road->called);
	park(job);
	send(road, job);
	job = popped(&road->handed_back);
	assert_text(field(job, OUTPUT_DECISION, "outcome"), "parked");
	const struct output *out = output_of(job, OUTPUT_FORWARD);
	assert_text(out->value, text);

	struct job *again = record(road, 8, text);
	again->rec.topic = STR("parked");
	again->rec.headers = out->headers;
	again->rec.header_count = out->header_count;
	send(road, again);
	again = popped(&road->called);
	assert_false(again->call.may_park);
	assert_true(again->call.deadline_us <= clock_mono_us() + 5000000);
	again->state = JOB_ANSWERED;
	again->call.outcome = OUTCOME_OK;
	again->call.model = 0;
	again->call.text = STR("Hi.");
	send(road, again);
	again = popped(&road->handed_back);
	assert_text(field(again, OUTPUT_RESPONSE, "id"), "in-3-30");
	assert_text(field(again, OUTPUT_DECISION, "parked_from.topic"), "in");
	assert_int_equal(number(again, OUTPUT_DECISION, "parked_from.offset"), 30);
	assert_int_equal(number(again, OUTPUT_DECISION, "source.offset"), 8);
	little->park_topic = STR_NULL;
	job_pool_give(road->pool, job);
	job_pool_give(road->pool, again);
}

static void a_record_that_would_not_fit_through_its_park_topic_waits(void **state)
{
	struct road *road = *state;
	size_t before = road->settings.output.max_bytes;
	road->settings.output.max_bytes = 600;
	send(road, record(road, 31, "{\"prompt\":\"hello\"}"));
	struct job *job = popped(&road->called);
	assert_false(job->call.may_park);
	road->settings.output.max_bytes = before;
	job_pool_give(road->pool, job);
}

static void the_same_prompt_is_decided_once_and_then_known(void **state)
{
	struct road *road = *state;
	struct list batch = {0};
	list_push(&batch, &record(road, 10, "{\"id\":\"a\",\"prompt\":\"what is the weather\"}")->link);
	list_push(&batch, &record(road, 11, "{\"id\":\"b\",\"prompt\":\"what is the weather\"}")->link);
	flow_batch(road->flow, &batch);
	send(road, record(road, 12, "{\"id\":\"c\",\"prompt\":\"what is the weather\"}"));
	static const enum cache_source expected[] = {CACHE_MISS, CACHE_SHARED, CACHE_NEAR};
	for (unsigned i = 0; i < 3; i++) {
		struct job *job = popped(&road->called);
		assert_int_equal(job->dec.cache, expected[i]);
		assert_text(job->dec.route_name, "careful");
		assert_true(job->dec.unsure);
		job_pool_give(road->pool, job);
	}
}

static void a_record_of_a_lost_partition_is_dropped_before_anything_is_done(void **state)
{
	struct road *road = *state;
	struct job *job = record(road, 13, "{\"id\":\"d\",\"prompt\":\"hello\"}");
	atomic_store(&road->lease.epoch, 1);
	send(road, job);
	assert_int_equal(road->called.count, 0);
	job = popped(&road->handed_back);
	assert_int_equal(job->state, JOB_DROPPED);
	assert_null(job->outputs);
	job_pool_give(road->pool, job);
}

static void a_record_past_its_deadline_expires_without_a_call_or_a_dead_letter(void **state)
{
	struct road *road = *state;
	send(road, record(road, 14, "{\"id\":\"e\",\"prompt\":\"hello\",\"deadline\":1000}"));
	assert_int_equal(road->called.count, 0);
	struct job *job = popped(&road->handed_back);
	assert_int_equal(job->outcome, OUTCOME_EXPIRED);
	assert_text(field(job, OUTPUT_RESPONSE, "status"), "expired");
	assert_null(output_of(job, OUTPUT_DEAD_LETTER));
	job_pool_give(road->pool, job);
}

static void a_far_deadline_is_clamped(void **state)
{
	struct road *road = *state;
	send(road, record(road, 15, "{\"id\":\"f\",\"prompt\":\"hello\",\"deadline\":99999999999999}"));
	struct job *job = popped(&road->called);
	assert_true(job->deadline_us <= clock_mono_us() + road->settings.engine.max_deadline_ms * 1000);
	job_pool_give(road->pool, job);
}

/* A backlog of last year does not expire as a whole: the default runs from the fetch, and zero means the default. */
static void a_record_without_a_deadline_gets_the_default_from_its_fetch(void **state)
{
	static const char *const values[] = {"{\"id\":\"i\",\"prompt\":\"hello\"}", "{\"id\":\"j\",\"prompt\":\"hello\",\"deadline\":0}"};
	struct road *road = *state;
	for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
		struct job *old = record(road, 18 + (int64_t)i, values[i]);
		old->rec.timestamp_ms -= INT64_C(365) * 86400 * 1000;
		send(road, old);
		struct job *job = popped(&road->called);
		int64_t given_us = job->deadline_us - job->fetched_us, default_us = road->settings.engine.default_deadline_ms * 1000;
		assert_in_range(given_us, default_us, default_us + 999);
		assert_int_equal(job->call.deadline_us, job->deadline_us);
		job_pool_give(road->pool, job);
	}
}

static void a_record_that_waited_longer_than_the_default_expires_without_a_call(void **state)
{
	struct road *road = *state;
	struct job *job = record(road, 20, "{\"id\":\"k\",\"prompt\":\"hello\"}");
	job->fetched_us -= (road->settings.engine.default_deadline_ms + 1) * 1000;
	send(road, job);
	assert_int_equal(road->called.count, 0);
	job = popped(&road->handed_back);
	assert_int_equal(job->outcome, OUTCOME_EXPIRED);
	job_pool_give(road->pool, job);
}

/* Its first try ended at a schema that was not there yet; the policy was read again while it waited. */
static void a_record_that_waited_over_a_reload_is_decided_under_the_new_policy(void **state)
{
	struct road *road = *state;
	struct policy *old = road->policy;
	static const char text[] = "name: afterwards\nwhen_unsure: only\nroutes:\n  - {name: only, models: [big]}\nstages: []\n";
	char path[128];
	struct err err = {""};
	(void)snprintf(path, sizeof path, "%s/policy.yaml", road->folder); /* fits */
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
	if (policy_load(path, &road->settings, &road->policy, &err) != RC_OK)
		fail_msg("%s", err.text);
	struct job *job = record(road, 16, "{\"id\":\"g\",\"prompt\":\"hello\"}");
	job->dec.policy = old; /* its reference is the job's now */
	send(road, job);
	job = popped(&road->called);
	assert_text(job->dec.route_name, "only");
	assert_ptr_equal(job->dec.policy, road->policy);
	job_pool_give(road->pool, job);
}

/* ---- stages that ask a model ----------------------------------------------------------------------------------------- */

enum { TWINS = 40 };

static void send_all(struct road *road, struct list *jobs)
{
	while (jobs->count != 0) {
		struct list batch = {0};
		while (batch.count < FLOW_BATCH && jobs->count != 0)
			list_push(&batch, list_pop(jobs));
		flow_batch(road->flow, &batch);
	}
}

/* Records of one prompt, half of them in one batch with the first. */
static void send_twins(struct road *road)
{
	struct list batch = {0};
	for (unsigned i = 0; i < TWINS; i++) {
		list_push(&batch, &record(road, 100 + i, "{\"prompt\":\"where is my parcel\"}")->link);
		if (i == TWINS / 2)
			send_all(road, &batch);
	}
	send_all(road, &batch);
}

static struct job *question(struct road *road)
{
	struct job *job = popped(&road->called);
	assert_int_equal(job->state, JOB_ASKING);
	assert_int_equal(job->call.purpose, PURPOSE_ROUTER);
	assert_int_equal(job->call.model_count, 1);
	assert_int_equal(job->call.models[0], 0);
	return job;
}

/* What a pool does with a question. */
static void answer(struct road *road, struct job *job, const char *text)
{
	job->call.outcome = text != NULL ? OUTCOME_OK : OUTCOME_MODEL_UNAVAILABLE;
	job->call.text = str_of(text);
	job->call.message = text != NULL ? STR_NULL : STR("no connection");
	job->call.cost_usd = 0.25;
	job->call.model = 0;
	job->called_us = job->answered_us = clock_mono_us();
	send(road, job);
}

static uint64_t questions(struct road *road, const char *result)
{
	struct counter *c = metrics_counter(road->metrics, "pointsman_router_questions_total", "", LABELS("stage", "llm", "result", result));
	return atomic_load(&c->value);
}

static void identical_prompts_ask_once_and_share_the_answer(void **state)
{
	struct road *road = *state;
	send_twins(road);
	assert_int_equal(road->called.count, 1);
	struct job *job = question(road);
	int64_t left_us = job->call.deadline_us - clock_mono_us();
	assert_in_range(left_us, 1, 4000000); /* the question's own end, not the record's */
	answer(road, job, "{\"route\":\"quick\",\"confidence\":0.8}");
	assert_int_equal(road->called.count, 1);
	assert_int_equal(road->woken.count, TWINS - 1);
	send_all(road, &road->woken);
	assert_int_equal(road->called.count, TWINS);
	for (unsigned i = 0; i < TWINS; i++) {
		job = popped(&road->called);
		assert_int_equal(job->state, JOB_DECIDED);
		assert_text(job->dec.route_name, "quick");
		assert_int_equal(job->dec.cache, i == 0 ? CACHE_MISS : CACHE_SHARED);
		assert_true(job->dec.cost_usd == (i == 0 ? 0.25 : 0));
		/* nothing of the question is left in the answer's call */
		assert_int_equal(job->call.purpose, PURPOSE_ANSWER);
		assert_int_equal(job->call.attempt_count, 0);
		assert_true(job->call.cost_usd == 0 && job->call.text.data == NULL && job->call.model == -1 && job->called_us == 0);
		assert_int_equal(job->call.attempts_left, road->settings.engine.attempts);
		assert_int_equal(job->call.deadline_us, job->deadline_us);
		job_pool_give(road->pool, job);
	}
	send(road, record(road, 200, "{\"prompt\":\"where is my parcel\"}"));
	job = popped(&road->called);
	assert_int_equal(job->dec.cache, CACHE_NEAR);
	job_pool_give(road->pool, job);
	assert_int_equal(questions(road, "decided"), 1);
}

static void when_the_first_question_fails_another_asks_and_then_all_go_on(void **state)
{
	struct road *road = *state;
	send_twins(road);
	answer(road, question(road), NULL);
	struct job *job = popped(&road->called); /* the first is not decided by anybody: the safe route, and not kept */
	assert_text(job->dec.route_name, "careful");
	assert_true(job->dec.degraded && job->dec.unsure);
	job_pool_give(road->pool, job);
	assert_int_equal(road->woken.count, TWINS - 1);
	send_all(road, &road->woken);
	assert_int_equal(road->called.count, 1); /* one more asks, the others wait for it */
	answer(road, question(road), "kb? person? who knows");
	job = popped(&road->called);
	assert_text(job->dec.route_name, "careful");
	job_pool_give(road->pool, job);
	assert_int_equal(road->woken.count, TWINS - 2);
	send_all(road, &road->woken); /* nobody waits a third time */
	assert_int_equal(road->called.count, TWINS - 2);
	struct list asked = road->called;
	road->called = (struct list){0};
	for (struct link *link; (link = list_pop(&asked)) != NULL;)
		answer(road, LINK_OWNER(struct job, link, link), "{\"route\":\"person\",\"confidence\":1}");
	assert_int_equal(road->handed_back.count, TWINS - 2);
	assert_int_equal(road->woken.count, 0);
	assert_int_equal(questions(road, "model_unavailable"), 1);
	assert_int_equal(questions(road, "no_object"), 1);
	assert_int_equal(questions(road, "decided"), TWINS - 2);
}

static void a_leader_whose_partition_is_lost_lets_the_others_go_on(void **state)
{
	struct road *road = *state;
	struct lease lost = {.state = LEASE_LIVE};
	struct job *leader = record(road, 99, "{\"prompt\":\"where is my parcel\"}");
	leader->rec.lease = &lost;
	send(road, leader);
	send_twins(road);
	struct job *job = question(road);
	assert_ptr_equal(job, leader);
	atomic_store(&lost.state, LEASE_DEAD);
	assert_true(job_advance(job, JOB_DROPPED)); /* as a pool does */
	send(road, job);
	job_pool_give(road->pool, popped(&road->handed_back));
	assert_int_equal(road->woken.count, TWINS);
	send_all(road, &road->woken);
	assert_int_equal(road->called.count, 1);
	answer(road, question(road), "{\"route\":\"quick\",\"confidence\":0.8}");
	send_all(road, &road->woken);
	assert_int_equal(road->called.count, TWINS);
	for (unsigned i = 0; i < TWINS; i++) {
		job = popped(&road->called);
		assert_text(job->dec.route_name, "quick");
		assert_int_equal(job->dec.cache, i == 0 ? CACHE_MISS : CACHE_SHARED);
		job_pool_give(road->pool, job);
	}
}

/* As the engine does when leases change. */
static void wake_parked(struct road *road)
{
	cache_unpark(road->cache, &road->woken);
	flow_unparked(&road->woken);
}

static void partitions_that_move_use_up_nobodys_patience(void **state)
{
	struct road *road = *state;
	send_twins(road);
	struct job *leader = question(road);
	for (int i = 0; i < 5; i++) { /* a revocation begins, ends, an assignment comes, ... */
		wake_parked(road);
		assert_int_equal(road->woken.count, TWINS - 1);
		send_all(road, &road->woken);
		assert_int_equal(road->called.count, 0);
	}
	answer(road, leader, "{\"route\":\"quick\",\"confidence\":0.8}");
	send_all(road, &road->woken);
	assert_int_equal(road->called.count, TWINS);
	assert_int_equal(questions(road, "decided"), 1);
	for (unsigned i = 0; i < TWINS; i++)
		job_pool_give(road->pool, popped(&road->called));
}

static void who_waits_comes_back_when_its_partition_goes_or_the_worker_stops(void **state)
{
	struct road *road = *state;
	send_twins(road);
	struct job *leader = question(road);
	atomic_store(&road->lease.state, LEASE_DRAINING);
	wake_parked(road);
	assert_int_equal(road->woken.count, TWINS - 1);
	send_all(road, &road->woken);
	assert_int_equal(road->handed_back.count, TWINS - 1);
	for (struct link *link; (link = list_pop(&road->handed_back)) != NULL;) {
		struct job *job = LINK_OWNER(struct job, link, link);
		assert_int_equal(job->state, JOB_DROPPED);
		job_pool_give(road->pool, job);
	}
	job_pool_give(road->pool, leader);
	atomic_store(&road->lease.state, LEASE_LIVE);
}

static void a_question_that_sends_to_a_topic_leaves_no_answer_behind(void **state)
{
	struct road *road = *state;
	send(road, record(road, 300, "{\"id\":\"q\",\"prompt\":\"get me a person\"}"));
	answer(road, question(road), "{\"route\":\"person\",\"confidence\":0.9}");
	struct job *job = popped(&road->handed_back);
	assert_int_equal(job->outcome, OUTCOME_FORWARDED);
	assert_text(field(job, OUTPUT_DECISION, "route"), "person");
	assert_text(field(job, OUTPUT_DECISION, "stage"), "llm");
	const struct json *tree;
	double cost, call_cost;
	assert_int_equal(json_parse(&job->arena, output_of(job, OUTPUT_DECISION)->value, (struct json_limits){0}, &tree, NULL), RC_OK);
	assert_true(json_double(json_path(tree, STR("decision_cost_usd")), &cost) && cost == 0.25);
	assert_true(json_double(json_path(tree, STR("call_cost_usd")), &call_cost) && call_cost == 0);
	assert_int_equal(json_path(tree, STR("attempts"))->count, 0);
	assert_true(json_double(json_path(tree, STR("trace.1.cost_usd")), &cost) && cost == 0.25);
	job_pool_give(road->pool, job);
}

/* The answer may come after a reload; the key that it is kept under, and that others wait for, is the old policy's. */
static void a_reload_during_the_question_loses_nobody(void **state)
{
	struct road *road = *state;
	struct err err = {""};
	char path[128];
	send_twins(road);
	struct job *leader = question(road);
	policy_unref(road->policy);
	(void)snprintf(path, sizeof path, "%s/policy.yaml", road->folder); /* fits */
	write_file(path, policy_text);
	if (policy_load(path, &road->settings, &road->policy, &err) != RC_OK)
		fail_msg("%s", err.text);
	answer(road, leader, "{\"route\":\"quick\",\"confidence\":0.8}");
	job_pool_give(road->pool, popped(&road->called));
	assert_int_equal(road->woken.count, TWINS - 1);
	send_all(road, &road->woken); /* decided by the new policy, which asks nobody */
	assert_int_equal(road->called.count, TWINS - 1);
	for (struct link *link; (link = list_pop(&road->called)) != NULL;) {
		struct job *job = LINK_OWNER(struct job, link, link);
		assert_text(job->dec.route_name, "careful");
		assert_ptr_equal(job->dec.policy, road->policy);
		job_pool_give(road->pool, job);
	}
}

static void jobs_that_are_still_out_at_the_end_give_their_policy_back(void **state)
{
	struct road *road = *state;
	send(road, record(road, 17, "{\"id\":\"h\",\"prompt\":\"hello\"}"));
	(void)popped(&road->called); /* lost, as when all ends: the address sanitizer tells if its policy leaks */
}

/* Sends these as one batch, all of one conversation. */
static void say_all(struct road *road, const char *conversation, const char *const *texts, size_t count, int64_t offset)
{
	struct list batch = {0};
	char value[256];
	for (size_t i = 0; i < count; i++) {
		(void)snprintf(value, sizeof value, "{\"id\":\"r%zu\",\"prompt\":\"%s\",\"conversation_id\":\"%s\"}", i, texts[i], conversation); /* fits */
		list_push(&batch, &record(road, offset + (int64_t)i, value)->link);
	}
	flow_batch(road->flow, &batch);
}

static void a_conversation_in_one_batch_is_decided_record_by_record(void **state)
{
	static const char *const texts[] = {"prove it", "now fix it", "now fix it", "something", "something", "prove it", "now fix it"};
	static const char *const routes[] = {"careful", "careful", "careful", "back", "careful", "careful", "careful"};
	static const char *const stages[] = {"rules", "conversation", "conversation", "rules", "conversation", "rules", "conversation"};
	enum { COUNT = sizeof texts / sizeof texts[0] };
	struct road *road = *state;
	say_all(road, "a", texts, COUNT, 10);
	/* identical texts are shared in a second round, so the order of the calls is not the order of the records */
	assert_int_equal(road->called.count, COUNT);
	for (size_t i = 0; i < COUNT; i++) {
		struct job *job = popped(&road->called);
		size_t at = (size_t)(job->rec.offset - 10);
		assert_int_equal(job->state, JOB_DECIDED); /* nobody was asked */
		assert_text(job->dec.route_name, routes[at]);
		assert_string_equal(job->dec.stage, stages[at]);
		job_pool_give(road->pool, job);
	}
}

static void a_conversation_that_stays_does_not_wait_for_the_question_of_another(void **state)
{
	static const char *const fix[] = {"now fix it"}, *const proof[] = {"prove it"};
	struct road *road = *state;
	say_all(road, "b", fix, 1, 1); /* leads the text's key, and asks */
	struct job *asking = question(road);
	say_all(road, "a", proof, 1, 2);
	say_all(road, "a", fix, 1, 3);
	say_all(road, "c", fix, 1, 4); /* waits */
	assert_int_equal(road->called.count, 2);
	struct job *job = popped(&road->called);
	job_pool_give(road->pool, job);
	job = popped(&road->called);
	assert_text(job->dec.reason, "conversation stays with careful, turn 1 of 2");
	job_pool_give(road->pool, job);
	/* and has neither taught the text's key nor taken it from who leads it */
	answer(road, asking, "{\"route\":\"quick\",\"confidence\":0.8}");
	assert_int_equal(road->woken.count, 1);
	send(road, popped(&road->woken));
	assert_int_equal(road->called.count, 2);
	while (road->called.count != 0) {
		job = popped(&road->called);
		assert_text(job->dec.route_name, "quick");
		job_pool_give(road->pool, job);
	}
}

static void a_question_that_escalates_is_remembered_when_it_is_answered(void **state)
{
	static const char *const texts[] = {"what of this"}, *const fix[] = {"now fix it"};
	struct road *road = *state;
	say_all(road, "a", texts, 1, 1);
	answer(road, question(road), "{\"route\":\"careful\",\"confidence\":0.8}");
	job_pool_give(road->pool, popped(&road->called));
	say_all(road, "a", fix, 1, 2);
	struct job *job = popped(&road->called);
	assert_text(job->dec.reason, "conversation stays with careful, turn 1 of 2");
	job_pool_give(road->pool, job);
}

int main(void)
{
#define ON_A_ROAD(test) cmocka_unit_test_setup_teardown(test, open_road, close_road)
	const struct CMUnitTest tests[] = {
		ON_A_ROAD(a_known_word_goes_to_the_small_model_and_its_answer_becomes_a_response),
		ON_A_ROAD(bytes_that_are_no_record_become_a_dead_letter_and_no_call),
		ON_A_ROAD(a_condemned_record_is_named_while_it_can_be_read_and_never_called_for),
		ON_A_ROAD(a_guard_is_asked_on_a_cached_decision_too_and_a_rejected_record_makes_no_call),
		ON_A_ROAD(a_topic_route_forwards_without_a_call),
		ON_A_ROAD(a_parked_record_keeps_its_deadline_and_is_not_parked_again),
		ON_A_ROAD(a_record_that_would_not_fit_through_its_park_topic_waits),
		ON_A_ROAD(the_same_prompt_is_decided_once_and_then_known),
		ON_A_ROAD(a_record_of_a_lost_partition_is_dropped_before_anything_is_done),
		ON_A_ROAD(a_record_past_its_deadline_expires_without_a_call_or_a_dead_letter),
		ON_A_ROAD(a_far_deadline_is_clamped),
		ON_A_ROAD(a_record_without_a_deadline_gets_the_default_from_its_fetch),
		ON_A_ROAD(a_record_that_waited_longer_than_the_default_expires_without_a_call),
		ON_A_ROAD(a_record_that_waited_over_a_reload_is_decided_under_the_new_policy),
		ON_A_ROAD(jobs_that_are_still_out_at_the_end_give_their_policy_back),
#define ON_AN_ASKING_ROAD(test) cmocka_unit_test_setup_teardown(test, open_asking_road, close_road)
		ON_AN_ASKING_ROAD(identical_prompts_ask_once_and_share_the_answer),
		ON_AN_ASKING_ROAD(when_the_first_question_fails_another_asks_and_then_all_go_on),
		ON_AN_ASKING_ROAD(a_leader_whose_partition_is_lost_lets_the_others_go_on),
		ON_AN_ASKING_ROAD(partitions_that_move_use_up_nobodys_patience),
		ON_AN_ASKING_ROAD(who_waits_comes_back_when_its_partition_goes_or_the_worker_stops),
		ON_AN_ASKING_ROAD(a_question_that_sends_to_a_topic_leaves_no_answer_behind),
		ON_AN_ASKING_ROAD(a_reload_during_the_question_loses_nobody),
		cmocka_unit_test_setup_teardown(a_conversation_in_one_batch_is_decided_record_by_record, open_talking_road, close_road),
		cmocka_unit_test_setup_teardown(a_conversation_that_stays_does_not_wait_for_the_question_of_another, open_talking_road, close_road),
		cmocka_unit_test_setup_teardown(a_question_that_escalates_is_remembered_when_it_is_answered, open_talking_road, close_road),
	};
	return cmocka_run_group_tests_name("flow", tests, NULL, NULL);
}
