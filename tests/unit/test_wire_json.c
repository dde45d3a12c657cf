/*
 * JSON in and out: what a record becomes, what is refused and how, what a finished job becomes. json-c is the oracle of what is
 * written.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <json-c/json.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/json.h"
#include "worker/wire/request.h"
#include "worker/wire/wire.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static struct settings base_settings(void)
{
	static struct model_settings models[2];
	models[0].name = STR("small");
	models[1].name = STR("capable");
	struct settings s = {.models = models, .model_count = 2};
	s.kafka.group = STR("triage");
	s.input.format = FORMAT_AUTO;
	s.input.max_bytes = 4 << 20;
	s.output.format = FORMAT_INPUT;
	s.output.max_bytes = 1000000;
	s.output.responses = STR("out");
	s.output.decisions = STR("audit");
	s.output.dead_letters = STR("dead");
	return s;
}

static void job_begin(struct job *job, struct str value)
{
	*job = (struct job){.state = JOB_FETCHED};
	arena_init(&job->arena, 4096);
	job->rec = (struct record){.topic = STR("in"), .partition = 3, .offset = 41, .timestamp_ms = 1700000000000, .timestamp_type = 1,
	                           .key = STR("k"), .value = value};
	job->fetched_us = 1000000;
}

static enum rc decode(const struct settings *settings, struct job *job, enum outcome *outcome, struct err *err)
{
	struct wire *wire;
	assert_int_equal(wire_open(settings, NULL, &wire, err), RC_OK);
	struct wire_coder *coder = wire_coder_new(wire);
	*outcome = OUTCOME_NONE;
	enum rc rc = wire_decode(coder, job, outcome, err);
	wire_coder_free(coder);
	wire_close(wire);
	return rc;
}

static void assert_str(struct str s, const char *want)
{
	if (!str_is(s, want))
		fail_msg("got \"%.*s\", want \"%s\"", STR_ARG(s), want);
}

static void a_record_with_its_own_names_fills_the_whole_request(void **state)
{
	(void)state;
	struct settings settings = base_settings();
	struct job job;
	job_begin(&job, STR("  {\"id\":\"r1\",\"tenant\":\"acme\",\"conversation_id\":\"c\",\"job_id\":\"j\",\"messages\":["
	                    "{\"role\":\"system\",\"content\":\"be \\u00fcber\"},{\"role\":\"user\",\"content\":\"hi\"}],"
	                    "\"attributes\":{\"product\":\"x\",\"n\":7,\"b\":true},\"embedding\":[1,2.5,-3],\"deadline\":1800000000000,"
	                    "\"priority\":-2,\"max_tokens\":100,\"temperature\":0.5,\"stop\":[\"END\"],\"response_format\":\"json\","
	                    "\"route_hint\":\"kb\",\"traceparent\":\"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\"}"));
	enum outcome outcome;
	struct err err;
	assert_int_equal(decode(&settings, &job, &outcome, &err), RC_OK);
	const struct request *r = &job.req;
	assert_str(r->id, "r1");
	assert_str(r->tenant, "acme");
	assert_str(r->conversation_id, "c");
	assert_str(r->job_id, "j");
	assert_int_equal(r->message_count, 2);
	assert_str(r->messages[0].role, "system");
	assert_str(r->messages[0].content, "be \xc3\xbc" "ber");
	assert_str(r->messages[1].content, "hi");
	assert_int_equal(r->attribute_count, 3);
	assert_str(r->attributes[1].name, "n");
	assert_str(r->attributes[1].value, "7");
	assert_str(r->attributes[2].value, "true");
	assert_int_equal(r->embedding_len, 3);
	assert_true(r->embedding[1] == 2.5f && r->embedding[2] == -3.0f);
	assert_int_equal(r->deadline_ms, 1800000000000);
	assert_int_equal(r->priority, -2);
	assert_int_equal(r->max_tokens, 100);
	assert_true(r->temperature == 0.5);
	assert_int_equal(r->stop_count, 1);
	assert_str(r->stop[0], "END");
	assert_str(r->response_format, "{\"type\":\"json_object\"}");
	assert_str(r->route_hint, "kb");
	assert_int_equal(r->traceparent.len, 55);
	assert_int_equal(r->format, FORMAT_JSON);
	arena_free(&job.arena);
}

static void a_bare_prompt_is_one_user_message_and_the_id_is_the_coordinates(void **state)
{
	(void)state;
	struct settings settings = base_settings();
	struct job job;
	job_begin(&job, STR("{\"prompt\":\"hello\",\"tenant\":null}"));
	enum outcome outcome;
	struct err err;
	assert_int_equal(decode(&settings, &job, &outcome, &err), RC_OK);
	assert_str(job.req.id, "in-3-41");
	assert_null(job.req.tenant.data);
	assert_int_equal(job.req.message_count, 1);
	assert_str(job.req.messages[0].role, "user");
	assert_str(job.req.messages[0].content, "hello");
	assert_true(isnan(job.req.temperature));
	arena_free(&job.arena);
}

static void a_mapping_reads_paths_templates_attributes_and_carried_fields(void **state)
{
	(void)state;
	struct settings settings = base_settings();
	struct pair attributes[] = {{STR("product"), STR("ticket.product"), NULL}, {STR("none"), STR("ticket.none"), NULL}};
	struct str carry[] = {STR("ticket.queue"), STR("ticket.product"), STR("lines.1")};
	settings.input.field_id = STR("ticket.number");
	settings.input.field_prompt = STR("{ticket.subject}\n\n{{{ticket.body}}}{ticket.missing}");
	settings.input.field_tenant = STR("org");
	settings.input.field_attributes = (struct pair_list){attributes, 2};
	settings.output.carry = (struct str_list){carry, 3};
	struct job job;
	job_begin(&job, STR("{\"ticket\":{\"number\":4711,\"subject\":\"Printer\",\"body\":\"burns\",\"product\":\"P1\",\"queue\":\"hw\"},"
	                    "\"org\":\"acme\",\"messages\":\"not ours\",\"lines\":[\"a\",\"b\"]}"));
	enum outcome outcome;
	struct err err;
	assert_int_equal(decode(&settings, &job, &outcome, &err), RC_OK);
	assert_str(job.req.id, "4711");
	assert_str(job.req.tenant, "acme");
	assert_str(job.req.messages[0].content, "Printer\n\n{burns}");
	assert_int_equal(job.req.attribute_count, 3);
	assert_str(job.req.attributes[0].value, "P1");
	assert_int_equal(job.req.carry_count, 2); /* product is an attribute already */
	assert_str(job.req.carry[0].name, "queue");
	assert_str(job.req.carry[0].value, "hw");
	assert_str(job.req.carry[1].name, "1");
	assert_str(job.req.carry[1].value, "b");
	arena_free(&job.arena);
}

static void what_is_not_a_request_is_refused_by_class_and_in_words(void **state)
{
	(void)state;
	static const struct {
		const char *value;
		enum outcome outcome;
		const char *words;
	} cases[] = {
		{"", OUTCOME_BAD_RECORD, "empty"},
		{"hello", OUTCOME_BAD_RECORD, "neither"},
		{"[1]", OUTCOME_BAD_RECORD, "neither"},
		{"{\"prompt\":\"a\"", OUTCOME_BAD_RECORD, "offset 13"},
		{"{\"prompt\":\"a\"} x", OUTCOME_BAD_RECORD, "offset"},
		{"{\"prompt\":\"\xff\"}", OUTCOME_BAD_RECORD, "UTF-8"},
		{"{\"prompt\":\"a\",\"prompt\":\"b\"}", OUTCOME_BAD_RECORD, "twice"},
		{"{}", OUTCOME_NO_PROMPT, "neither prompt nor messages"},
		{"{\"prompt\":\" \\n\\t \"}", OUTCOME_NO_PROMPT, "prompt"},
		{"{\"prompt\":null,\"messages\":[]}", OUTCOME_NO_PROMPT, "prompt"},
		{"{\"messages\":[{\"role\":\"user\",\"content\":\"  \"}]}", OUTCOME_NO_PROMPT, "prompt"},
		{"{\"prompt\":{\"a\":1}}", OUTCOME_INVALID, "prompt is not text"},
		{"{\"prompt\":\"a\",\"messages\":[{\"role\":\"user\",\"content\":\"b\"}]}", OUTCOME_INVALID, "both"},
		{"{\"prompt\":\"a\",\"id\":[1]}", OUTCOME_INVALID, "id is not text"},
		{"{\"prompt\":\"a\",\"id\":\"x\\u0000y\"}", OUTCOME_INVALID, "id holds a NUL"},
		{"{\"prompt\":\"a\",\"tenant\":\"x\\u0000y\"}", OUTCOME_INVALID, "tenant holds a NUL"},
		{"{\"messages\":{}}", OUTCOME_INVALID, "messages is not a list"},
		{"{\"messages\":[1]}", OUTCOME_INVALID, "messages.0 has no role"},
		{"{\"messages\":[{\"role\":\"user\",\"content\":3}]}", OUTCOME_INVALID, "messages.0.content"},
		{"{\"prompt\":\"a\",\"attributes\":[]}", OUTCOME_INVALID, "attributes is not a map"},
		{"{\"prompt\":\"a\",\"attributes\":{\"x\\u0000\":\"v\"}}", OUTCOME_INVALID, "a name holds a NUL"},
		{"{\"prompt\":\"a\",\"attributes\":{\"x\":[]}}", OUTCOME_INVALID, "attributes.x"},
		{"{\"prompt\":\"a\",\"embedding\":[1,\"2\"]}", OUTCOME_INVALID, "embedding.1"},
		{"{\"prompt\":\"a\",\"embedding\":[1e39]}", OUTCOME_INVALID, "embedding.0"},
		{"{\"prompt\":\"a\",\"deadline\":\"soon\"}", OUTCOME_INVALID, "deadline is not a whole number"},
		{"{\"prompt\":\"a\",\"deadline\":-1}", OUTCOME_INVALID, "deadline is -1"},
		{"{\"prompt\":\"a\",\"priority\":3000000000}", OUTCOME_INVALID, "priority"},
		{"{\"prompt\":\"a\",\"max_tokens\":0}", OUTCOME_INVALID, "max_tokens is 0"},
		{"{\"prompt\":\"a\",\"temperature\":11}", OUTCOME_INVALID, "temperature"},
		{"{\"prompt\":\"a\",\"stop\":[\"\"]}", OUTCOME_INVALID, "stop.0"},
		{"{\"prompt\":\"a\",\"response_format\":\"yaml\"}", OUTCOME_INVALID, "response_format"},
	};
	struct settings settings = base_settings();
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct job job;
		struct err err = {""};
		enum outcome outcome;
		job_begin(&job, str_of(cases[i].value));
		assert_int_equal(decode(&settings, &job, &outcome, &err), RC_BAD_INPUT);
		if (outcome != cases[i].outcome || strstr(err.text, cases[i].words) == NULL)
			fail_msg("%s: %s, \"%s\"", cases[i].value, outcome_info(outcome)->name, err.text);
		assert_str(job.req.id, "in-3-41");
		arena_free(&job.arena);
	}
}

/* {"id":"r","tenant":"t", then the field with n repetitions of an item */
static struct str many(struct arena *arena, const char *open, const char *item, uint32_t n, const char *close)
{
	struct buf b;
	buf_init(&b, arena, 1 << 16);
	buf_cstr(&b, "{\"tenant\":\"t\",\"id\":\"r\",");
	buf_cstr(&b, open);
	for (uint32_t i = 0; i < n; i++) {
		if (i != 0 && strcmp(item, "x") != 0)
			buf_char(&b, ',');
		if (strcmp(item, "@") == 0)
			buf_printf(&b, "\"a%u\":\"v\"", i);
		else
			buf_cstr(&b, item);
	}
	buf_cstr(&b, close);
	buf_char(&b, '}');
	return buf_view(&b);
}

static void every_bound_holds_at_its_edge_and_the_refusal_keeps_id_and_tenant(void **state)
{
	(void)state;
	static const struct {
		const char *open, *item, *close;
		uint32_t bound;
		const char *words;
	} cases[] = {
		{"\"prompt\":\"p\",\"conversation_id\":\"", "x", "\"", 256, "conversation_id has 257 bytes"},
		{"\"prompt\":\"p\",\"job_id\":\"", "x", "\"", 256, "job_id has 257 bytes"},
		{"\"prompt\":\"p\",\"attributes\":{", "@", "}", 64, "attributes has 65 entries"},
		{"\"prompt\":\"p\",\"attributes\":{\"a\":\"", "x", "\"}", 4095, "attributes.a has 4097 bytes"},
		{"\"messages\":[", "{\"role\":\"user\",\"content\":\"m\"}", "]", 1000, "messages has 1001 entries"},
		{"\"prompt\":\"p\",\"embedding\":[", "0.5", "]", 8192, "embedding is not a list of at most 8192"},
		{"\"prompt\":\"p\",\"stop\":[", "\"s\"", "]", 16, "stop is not a list of at most 16"},
	};
	struct settings settings = base_settings();
	for (size_t i = 0; i < COUNT(cases); i++) {
		for (uint32_t over = 0; over <= 1; over++) {
			struct arena arena;
			arena_init(&arena, 0);
			struct job job;
			struct err err = {""};
			enum outcome outcome;
			job_begin(&job, many(&arena, cases[i].open, cases[i].item, cases[i].bound + over, cases[i].close));
			enum rc rc = decode(&settings, &job, &outcome, &err);
			if (rc != (over ? RC_BAD_INPUT : RC_OK) || (over && (outcome != OUTCOME_INVALID || strstr(err.text, cases[i].words) == NULL)))
				fail_msg("%s at %u: %d, \"%s\"", cases[i].open, cases[i].bound + over, rc, err.text);
			assert_str(job.req.id, "r");
			assert_str(job.req.tenant, "t");
			arena_free(&job.arena);
			arena_free(&arena);
		}
	}
}

static void hostile_json_of_a_megabyte_costs_little_memory(void **state)
{
	(void)state;
	static const struct {
		const char *open, *item, *close;
	} cases[] = {
		{"\"x\":[", "0", "]"}, {"\"x\":[", "[]", "]"}, {"\"x\":{", "@", "}"}, {"\"x\":[", "{\"\":{}}", "]"}, {"\"x\":\"", "\\u0041", "\""},
	};
	struct settings settings = base_settings();
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct arena arena;
		arena_init(&arena, 0);
		struct job job;
		struct err err = {""};
		enum outcome outcome;
		job_begin(&job, many(&arena, cases[i].open, cases[i].item, 150000, cases[i].close));
		assert_int_equal(decode(&settings, &job, &outcome, &err), RC_BAD_INPUT);
		assert_true(job.arena.total_bytes < (4u << 20));
		arena_free(&job.arena);
		arena_free(&arena);
	}
}

static void a_mapping_that_cannot_be_meant_is_refused_at_start(void **state)
{
	(void)state;
	static const struct {
		struct str prompt, id, field_name, field_path;
		const char *words;
	} cases[] = {
		{{"{a", 2}, STR_NULL, STR_NULL, STR_NULL, "without its }"},
		{{"a}", 2}, STR_NULL, STR_NULL, STR_NULL, "without its {"},
		{{"{}", 2}, STR_NULL, STR_NULL, STR_NULL, "empty part"},
		{{"{{a}}", 5}, STR_NULL, STR_NULL, STR_NULL, "names no field"},
		{{"a..b", 4}, STR_NULL, STR_NULL, STR_NULL, "empty part"},
		{STR_NULL, {"{a}", 3}, STR_NULL, STR_NULL, "only the prompt"},
		{STR_NULL, STR_NULL, {"reply", 5}, {"txt", 3}, "did you mean text?"},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct settings settings = base_settings();
		struct pair field = {cases[i].field_name, cases[i].field_path, NULL};
		settings.input.field_prompt = cases[i].prompt;
		settings.input.field_id = cases[i].id;
		settings.output.fields = (struct pair_list){&field, field.name.data != NULL};
		struct wire *wire;
		struct err err = {""};
		assert_int_equal(wire_open(&settings, NULL, &wire, &err), RC_BAD_INPUT);
		if (strstr(err.text, cases[i].words) == NULL)
			fail_msg("case %zu: \"%s\"", i, err.text);
	}
}

static void a_value_over_the_input_limit_is_not_read(void **state)
{
	(void)state;
	struct settings settings = base_settings();
	settings.input.max_bytes = 10;
	struct job job;
	struct err err;
	enum outcome outcome;
	job_begin(&job, STR("{\"prompt\":\"0123456789\"}"));
	assert_int_equal(decode(&settings, &job, &outcome, &err), RC_BAD_INPUT);
	assert_int_equal(outcome, OUTCOME_TOO_LARGE);
	arena_free(&job.arena);
}

static const struct wire_facts facts = {
	.worker_instance = "w0", .worker_version = "0.1.0", .now_ms = 1700000005000, .now_us = 4000000,
	.policy_name = {"support", 7}, .decision_version = {"d1", 2}, .policy_version = {"p1", 2}, .route_topic = {"human.review", 12},
	.baseline_cost_usd = 0.25, .candidates = (const uint16_t[]){0, 1}, .candidate_count = 2,
};

/* A job as it stands after an answer of the second model. */
static void answered_job(const struct settings *settings, struct job *job, struct attempt attempts[2], struct stage_trace *trace)
{
	enum outcome outcome;
	struct err err;
	job_begin(job, STR("{\"id\":\"r1\",\"tenant\":\"acme\",\"prompt\":\"hi \\\"you\\\"\",\"attributes\":{\"queue\":\"hw\"}}"));
	assert_int_equal(decode(settings, job, &outcome, &err), RC_OK);
	*trace = (struct stage_trace){.stage = "rules", .verdict = VERDICT_DECIDED, .label = STR("kb"), .score = 1, .runner_up_score = NAN,
	                              .threshold = NAN, .micros = 12, .reason = STR("rule legal")};
	attempts[0] = (struct attempt){.model = 0, .started_at_ms = 1700000003000, .micros = 500000, .http_status = 503,
	                               .outcome = OUTCOME_MODEL_UNAVAILABLE, .detail = STR("busy"), .retry_after_ms = 1000};
	attempts[1] = (struct attempt){.model = 1, .started_at_ms = 1700000003500, .micros = 1250000, .http_status = 200, .outcome = OUTCOME_OK,
	                               .input_tokens = 10, .output_tokens = 20, .cost_usd = 0.5};
	job->decoded_us = 1000100;
	job->decided_us = 1500000;
	job->called_us = 2000000;
	job->answered_us = 3750000;
	job->outcome = OUTCOME_OK;
	job->dec = (struct decision){.id = "0190a1b2-0000-7000-8000-000000000001", .has_prompt_hash = true, .prompt_chars = 8, .route = 1,
	                             .route_name = STR("kb"), .stage = "rules", .confidence = 1, .threshold = NAN, .reason = STR("rule legal matched"),
	                             .trace = trace, .trace_count = 1, .cache = CACHE_FAR, .cost_usd = 0.125};
	static struct guard_effect effect = {{"personal-data", 13}, {"only capable may see it", 23}};
	job->dec.guards = &effect;
	job->dec.guard_count = 1;
	job->dec.prompt_hash[0] = 0xAB;
	job->call = (struct call){.attempts = attempts, .attempt_count = 2, .outcome = OUTCOME_OK, .model = 1, .text = STR("line\n\"quoted\" \xc3\xbc"),
	                          .finish_reason = STR("stop"), .input_tokens = 10, .cached_tokens = 4, .output_tokens = 20, .cost_usd = 0.5};
}

static const struct output *output_of(const struct job *job, enum output_kind kind)
{
	for (const struct output *o = job->outputs; o != NULL; o = o->next)
		if (o->kind == kind)
			return o;
	return NULL;
}

static void encode(const struct settings *settings, struct job *job)
{
	struct wire *wire;
	struct err err;
	assert_int_equal(wire_open(settings, NULL, &wire, &err), RC_OK);
	struct wire_coder *coder = wire_coder_new(wire);
	wire_encode(coder, job, &facts);
	wire_coder_free(coder);
	wire_close(wire);
}

static void assert_json(struct str got, const char *want)
{
	struct json_tokener *tok = json_tokener_new();
	struct json_object *a = json_tokener_parse_ex(tok, got.data, (int)got.len);
	if (a == NULL || json_tokener_get_parse_end(tok) != got.len)
		fail_msg("not JSON: %.*s", STR_ARG(got));
	struct json_object *b = json_tokener_parse(want);
	assert_non_null(b);
	if (!json_object_equal(a, b))
		fail_msg("got  %s\nwant %s", json_object_to_json_string_ext(a, JSON_C_TO_STRING_PLAIN), json_object_to_json_string_ext(b, JSON_C_TO_STRING_PLAIN));
	json_object_put(a);
	json_object_put(b);
	json_tokener_free(tok);
}

static void an_answered_job_becomes_a_response_and_a_decision(void **state)
{
	(void)state;
	struct settings settings = base_settings();
	struct job job;
	struct attempt attempts[2];
	struct stage_trace trace;
	answered_job(&settings, &job, attempts, &trace);
	encode(&settings, &job);
	const struct output *response = output_of(&job, OUTPUT_RESPONSE), *decision = output_of(&job, OUTPUT_DECISION);
	assert_non_null(response);
	assert_non_null(decision);
	assert_null(output_of(&job, OUTPUT_DEAD_LETTER));
	assert_str(response->topic, "out");
	assert_str(response->key, "k");
	assert_int_equal(response->partition, -1);
	assert_json(response->value,
	            "{\"id\":\"r1\",\"tenant\":\"acme\",\"status\":\"ok\",\"kind\":\"answer\",\"attributes\":{\"queue\":\"hw\"},"
	            "\"text\":\"line\\n\\\"quoted\\\" \\u00fc\",\"finish_reason\":\"stop\",\"model\":\"capable\",\"route\":\"kb\",\"group_id\":null,"
	            "\"usage\":{\"input_tokens\":10,\"output_tokens\":20,\"cached_tokens\":4},\"cost_usd\":0.625,\"error\":null,"
	            "\"latency_ms\":{\"queued\":2000,\"deciding\":500,\"waiting\":500,\"calling\":1750,\"total\":5000},"
	            "\"decision_id\":\"0190a1b2-0000-7000-8000-000000000001\",\"answered_at\":1700000005000}");
	assert_json(decision->value,
	            "{\"decision_id\":\"0190a1b2-0000-7000-8000-000000000001\",\"request_id\":\"r1\",\"tenant\":\"acme\","
	            "\"source\":{\"topic\":\"in\",\"partition\":3,\"offset\":41,\"timestamp\":1700000000000},\"attributes\":{},"
	            "\"prompt_hash\":\"ab00000000000000000000000000000000000000000000000000000000000000\",\"prompt_chars\":8,\"prompt_tokens_est\":0,"
	            "\"policy\":{\"name\":\"support\",\"decision_version\":\"d1\",\"policy_version\":\"p1\"},\"prompt_version\":null,"
	            "\"route\":\"kb\",\"stage\":\"rules\",\"label\":null,\"confidence\":1,\"threshold\":null,\"reason\":\"rule legal matched\","
	            "\"trace\":[{\"stage\":\"rules\",\"verdict\":\"decided\",\"label\":\"kb\",\"score\":1,\"runner_up\":null,\"runner_up_score\":null,"
	            "\"threshold\":null,\"micros\":12,\"asset_version\":null,\"cost_usd\":0,\"reason\":\"rule legal\"}],"
	            "\"cache\":\"far\",\"unsure\":false,\"unsure_reason\":null,\"failover\":true,\"guards\":[{\"name\":\"personal-data\",\"effect\":\"only capable may see it\"}],\"candidates\":[\"small\",\"capable\"],"
	            "\"attempts\":[{\"model\":\"small\",\"provider\":\"openai\",\"started_at\":1700000003000,\"ms\":500,\"http_status\":503,"
	            "\"outcome\":\"model_unavailable\",\"error_class\":\"model_unavailable\",\"retry_after_ms\":1000,\"input_tokens\":0,"
	            "\"output_tokens\":0,\"cost_usd\":0,\"checks\":[],\"estimated\":false,\"detail\":\"busy\"},"
	            "{\"model\":\"capable\",\"provider\":\"openai\",\"started_at\":1700000003500,\"ms\":1250,\"http_status\":200,\"outcome\":\"ok\","
	            "\"error_class\":null,\"retry_after_ms\":null,\"input_tokens\":10,\"output_tokens\":20,\"cost_usd\":0.5,\"checks\":[],"
	            "\"estimated\":false,\"detail\":null}],\"model\":\"capable\",\"outcome\":\"ok\",\"decision_cost_usd\":0.125,"
	            "\"call_cost_usd\":0.5,\"baseline_cost_usd\":0.25,\"shadow\":null,\"rollout\":null,\"redelivered\":false,"
	            "\"worker\":{\"instance\":\"w0\",\"version\":\"0.1.0\"},\"decided_at\":1700000002500,\"finished_at\":1700000005000,\"reply_topic\":null,\"parked_from\":null,\"group_id\":null}");
	arena_free(&job.arena);
}

static void output_fields_give_the_response_its_readers_shape(void **state)
{
	(void)state;
	struct settings settings = base_settings();
	struct pair fields[] = {{STR("number"), STR("id"), NULL}, {STR("reply"), STR("text"), NULL}, {STR("queue"), STR("attributes.queue"), NULL},
	                        {STR("none"), STR("attributes.none"), NULL}, {STR("tokens"), STR("usage"), NULL}};
	settings.output.fields = (struct pair_list){fields, COUNT(fields)};
	struct job job;
	struct attempt attempts[2];
	struct stage_trace trace;
	answered_job(&settings, &job, attempts, &trace);
	encode(&settings, &job);
	assert_json(output_of(&job, OUTPUT_RESPONSE)->value,
	            "{\"number\":\"r1\",\"reply\":\"line\\n\\\"quoted\\\" \\u00fc\",\"queue\":\"hw\",\"none\":null,"
	            "\"tokens\":{\"input_tokens\":10,\"output_tokens\":20,\"cached_tokens\":4}}");
	arena_free(&job.arena);
}

static void each_outcome_has_the_outputs_its_row_says(void **state)
{
	(void)state;
	struct settings settings = base_settings();
	for (int o = OUTCOME_OK; o < OUTCOME_COUNT; o++) {
		struct job job;
		struct attempt attempts[2];
		struct stage_trace trace;
		answered_job(&settings, &job, attempts, &trace);
		job.outcome = (enum outcome)o;
		encode(&settings, &job);
		const struct outcome_info *info = outcome_info((enum outcome)o);
		assert_int_equal(output_of(&job, OUTPUT_RESPONSE) != NULL, info->status != STATUS_NONE);
		assert_int_equal(output_of(&job, OUTPUT_DEAD_LETTER) != NULL, info->dead_letter);
		assert_int_equal(output_of(&job, OUTPUT_FORWARD) != NULL, o == OUTCOME_FORWARDED || o == OUTCOME_PARKED);
		assert_non_null(output_of(&job, OUTPUT_DECISION));
		if (info->status >= STATUS_FAILED) {
			struct arena arena;
			arena_init(&arena, 0);
			const struct json *json;
			assert_int_equal(json_parse(&arena, output_of(&job, OUTPUT_RESPONSE)->value, (struct json_limits){0}, &json, NULL), RC_OK);
			assert_str(json_str(json_path(json, STR("status"))), status_name(info->status));
			assert_str(json_str(json_path(json, STR("error.class"))), info->name);
			assert_int_equal(json_path(json, STR("text"))->kind, JSON_NULL);
			arena_free(&arena);
		}
		arena_free(&job.arena);
	}
	settings.output.dead_letter_expired = true;
	struct job job;
	struct attempt attempts[2];
	struct stage_trace trace;
	answered_job(&settings, &job, attempts, &trace);
	job.outcome = OUTCOME_EXPIRED;
	encode(&settings, &job);
	assert_non_null(output_of(&job, OUTPUT_DEAD_LETTER));
	arena_free(&job.arena);
}

static struct str header_of(const struct output *out, const char *name)
{
	for (uint32_t i = 0; i < out->header_count; i++)
		if (str_is(out->headers[i].name, name))
			return out->headers[i].value;
	return STR_NULL;
}

static void a_dead_letter_has_the_original_bytes_and_springs_headers(void **state)
{
	(void)state;
	struct settings settings = base_settings();
	struct header headers[] = {{STR("mine"), STR("1")}, {STR("kafka_dlt-exception-message"), STR("an older failure")}};
	struct job job;
	struct err err;
	enum outcome outcome;
	job_begin(&job, STR("\x00\xff not a record"));
	job.rec.headers = headers;
	job.rec.header_count = 2;
	job.rec.partition = 258;
	assert_int_equal(decode(&settings, &job, &outcome, &err), RC_BAD_INPUT);
	job_fail(&job, OUTCOME_BAD_RECORD, "%s", "it is rubbish");
	encode(&settings, &job);
	const struct output *dead = output_of(&job, OUTPUT_DEAD_LETTER);
	assert_true(str_eq(dead->value, job.rec.value));
	assert_str(dead->topic, "dead");
	assert_str(header_of(dead, "mine"), "1");
	assert_str(header_of(dead, "kafka_dlt-original-topic"), "in");
	assert_true(str_eq(header_of(dead, "kafka_dlt-original-partition"), STR("\0\0\1\2")));
	assert_true(str_eq(header_of(dead, "kafka_dlt-original-offset"), STR("\0\0\0\0\0\0\0\x29")));
	assert_int_equal(header_of(dead, "kafka_dlt-original-timestamp").len, 8);
	assert_str(header_of(dead, "kafka_dlt-original-timestamp-type"), "CreateTime");
	assert_str(header_of(dead, "kafka_dlt-original-consumer-group"), "triage");
	assert_str(header_of(dead, "kafka_dlt-exception-fqcn"), "bad_record");
	assert_str(header_of(dead, "kafka_dlt-exception-message"), "it is rubbish");
	assert_str(header_of(dead, "pointsman-stage"), "decode");
	assert_str(header_of(dead, "pointsman-attempts"), "0");
	assert_null(header_of(dead, "pointsman-truncated").data);
	const struct output *decision = output_of(&job, OUTPUT_DECISION);
	struct arena arena;
	arena_init(&arena, 0);
	const struct json *json;
	assert_int_equal(json_parse(&arena, decision->value, (struct json_limits){0}, &json, NULL), RC_OK);
	assert_int_equal(json_str(json_get(json, STR("decision_id"))).len, 36);
	assert_str(json_str(json_get(json, STR("reason"))), "it is rubbish");
	assert_str(json_str(json_get(json, STR("request_id"))), "in-258-41");
	arena_free(&arena);
	arena_free(&job.arena);
}

static void the_count_of_redrives_survives_however_many_headers_stand_before_it(void **state)
{
	(void)state;
	enum { MANY = 100 };
	static char large[15000];
	memset(large, 'h', sizeof large);
	struct settings settings = base_settings();
	struct header headers[MANY + 2];
	for (unsigned i = 0; i < MANY; i++)
		headers[i] = (struct header){STR("mine"), i == 0 ? (struct str){large, sizeof large} : STR("1")};
	headers[MANY] = (struct header){STR("pointsman-redrives"), STR("2")};
	headers[MANY + 1] = (struct header){STR("pointsman-attempts"), STR("7")};
	struct job job;
	struct err err;
	enum outcome outcome;
	job_begin(&job, STR("not a record"));
	job.rec.headers = headers;
	job.rec.header_count = MANY + 2;
	assert_int_equal(decode(&settings, &job, &outcome, &err), RC_BAD_INPUT);
	job_fail(&job, OUTCOME_BAD_RECORD, "%s", "it is rubbish");
	encode(&settings, &job);
	const struct output *dead = output_of(&job, OUTPUT_DEAD_LETTER);
	unsigned counts = 0;
	for (uint32_t i = 0; i < dead->header_count; i++)
		counts += str_is(dead->headers[i].name, "pointsman-redrives") ? 1 : 0;
	assert_int_equal(counts, 1);
	assert_str(header_of(dead, "pointsman-redrives"), "2");
	assert_str(header_of(dead, "pointsman-attempts"), "0");
	assert_str(header_of(dead, "kafka_dlt-exception-fqcn"), "bad_record");
	arena_free(&job.arena);
}

static void outputs_over_the_limit_become_a_failure_that_fits(void **state)
{
	(void)state;
	struct settings settings = base_settings();
	settings.output.max_bytes = 6000;
	static char large[20000];
	memset(large, 'y', sizeof large);
	struct job job;
	struct attempt attempts[2];
	struct stage_trace trace;
	answered_job(&settings, &job, attempts, &trace);
	job.call.text = (struct str){large, sizeof large};
	job.rec.value = (struct str){large, sizeof large};
	encode(&settings, &job);
	assert_int_equal(job.outcome, OUTCOME_OUTPUT_TOO_LARGE);
	const struct output *dead = output_of(&job, OUTPUT_DEAD_LETTER);
	assert_true(dead->value.len > 4000 && dead->value.len < 6000);
	assert_str(header_of(dead, "pointsman-truncated"), "20000");
	for (const struct output *o = job.outputs; o != NULL; o = o->next)
		assert_true(o->value.len <= 6000);
	assert_non_null(strstr(arena_cstr(&job.arena, output_of(&job, OUTPUT_RESPONSE)->value), "\"class\":\"output_too_large\""));
	arena_free(&job.arena);
}

static void headers_are_copied_by_an_allow_list(void **state)
{
	(void)state;
	struct settings settings = base_settings();
	struct str allow[] = {STR("mine")};
	settings.output.header_allow = (struct str_list){allow, 1};
	struct header headers[] = {{STR("traceparent"), STR("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")}, {STR("tracestate"), STR("a=b")},
	                           {STR("ce_type"), STR("t")}, {STR("mine"), STR("1")}, {STR("authorization"), STR("secret")}};
	struct job job;
	struct attempt attempts[2];
	struct stage_trace trace;
	answered_job(&settings, &job, attempts, &trace);
	job.rec.headers = headers;
	job.rec.header_count = COUNT(headers);
	encode(&settings, &job);
	const struct output *response = output_of(&job, OUTPUT_RESPONSE);
	assert_int_equal(response->header_count, 4);
	assert_null(header_of(response, "authorization").data);
	assert_str(header_of(response, "ce_type"), "t");
	arena_free(&job.arena);
}

static const struct header *named(const struct output *out, const char *name, unsigned *count)
{
	const struct header *found = NULL;
	*count = 0;
	for (uint32_t i = 0; i < out->header_count; i++)
		if (str_is(out->headers[i].name, name)) {
			found = &out->headers[i];
			++*count;
		}
	return found;
}

/* From the request's topic to the park topic and back, by the bytes that a broker would carry. */
static void a_parked_record_is_the_same_request_when_it_comes_back(void **state)
{
	(void)state;
	struct settings settings = base_settings();
	struct model_settings models[1] = {{.name = STR("small"), .park_topic = STR("parked")}};
	settings.models = models;
	settings.model_count = 1;
	settings.engine.attempts = 4;
	struct header headers[] = {{STR("mine"), STR("1")}, {STR("pointsman-id"), STR("forged")}, {STR("pointsman-parked"), STR("1")}};
	struct job job, again;
	struct err err;
	enum outcome outcome;
	unsigned count;
	job_begin(&job, STR("{\"prompt\":\"hi\"}"));
	job.rec.headers = headers;
	job.rec.header_count = COUNT(headers);
	assert_int_equal(decode(&settings, &job, &outcome, &err), RC_OK);
	assert_false(job.origin.given); /* the request's topic is no park topic */
	assert_str(job.req.id, "in-3-41");
	job.outcome = OUTCOME_PARKED;
	job.call = (struct call){.park_topic = STR("parked"), .attempts_left = 3, .model = -1};
	job.deadline_us = facts.now_us + 7000000;
	encode(&settings, &job);
	assert_null(output_of(&job, OUTPUT_RESPONSE));
	assert_null(output_of(&job, OUTPUT_DEAD_LETTER));
	const struct output *out = output_of(&job, OUTPUT_FORWARD);
	assert_str(out->topic, "parked");
	assert_true(str_eq(out->value, job.rec.value) && str_eq(out->key, job.rec.key));
	assert_str(named(out, "mine", &count)->value, "1");
	assert_str(named(out, "pointsman-id", &count)->value, "in-3-41");
	assert_int_equal(count, 1);

	job_begin(&again, out->value);
	again.rec.topic = STR("parked");
	again.rec.offset = 7;
	again.rec.headers = out->headers;
	again.rec.header_count = out->header_count;
	assert_int_equal(decode(&settings, &again, &outcome, &err), RC_OK);
	assert_true(again.origin.given);
	assert_str(again.req.id, "in-3-41");
	assert_int_equal(again.origin.deadline_ms, facts.now_ms + 7000);
	assert_int_equal(again.origin.attempts, 1);
	again.outcome = OUTCOME_BAD_ANSWER;
	settings.output.header_allow = (struct str_list){&(struct str){"*", 1}, 1};
	encode(&settings, &again);
	const char *decision = arena_cstr(&again.arena, output_of(&again, OUTPUT_DECISION)->value);
	assert_non_null(strstr(decision, "\"parked_from\":{\"topic\":\"in\",\"partition\":3,\"offset\":41}"));
	assert_non_null(strstr(decision, "\"source\":{\"topic\":\"parked\",\"partition\":3,\"offset\":7"));
	const struct output *dead = output_of(&again, OUTPUT_DEAD_LETTER);
	assert_str(header_of(dead, "kafka_dlt-original-topic"), "in"); /* to be sent back as what it was */
	assert_null(header_of(dead, "pointsman-id").data);
	assert_str(header_of(output_of(&again, OUTPUT_RESPONSE), "mine"), "1");
	assert_null(header_of(output_of(&again, OUTPUT_RESPONSE), "pointsman-id").data);
	arena_free(&again.arena);
	arena_free(&job.arena);
}

static void the_identity_of_a_parked_record_is_believed_only_where_it_can_be(void **state)
{
	(void)state;
	static const struct {
		const char *topic, *name, *value;
		bool given;
		const char *id, *from; /* NULL: none */
		int64_t deadline_ms;
	} cases[] = {
		{"in", "pointsman-id", "x", false, "in-3-41", NULL, 0},
		{"parked", "pointsman-id", "x", true, "x", NULL, 0},
		{"parked", "pointsman-id", "", true, "parked-3-41", NULL, 0},
		{"parked", "pointsman-id", "\xff", true, "parked-3-41", NULL, 0},
		{"parked", "pointsman-source", "in/2/9", true, "parked-3-41", "in", 0},
		{"parked", "pointsman-source", "in/-2/9", true, "parked-3-41", NULL, 0},
		{"parked", "pointsman-source", "in/2", true, "parked-3-41", NULL, 0},
		{"parked", "pointsman-source", "/2/9", true, "parked-3-41", NULL, 0},
		{"parked", "pointsman-source", "in/2/9/9", true, "parked-3-41", NULL, 0},
		{"parked", "pointsman-source", "in/99999999999/9", true, "parked-3-41", NULL, 0},
		{"parked", "pointsman-deadline", "1800000000000", true, "parked-3-41", NULL, 1800000000000},
		{"parked", "pointsman-deadline", "-1", true, "parked-3-41", NULL, 0},
		{"parked", "pointsman-deadline", "soon", true, "parked-3-41", NULL, 0},
		{"parked", "pointsman-parked", "0", false, "parked-3-41", NULL, 0},
	};
	struct settings settings = base_settings();
	struct model_settings models[1] = {{.name = STR("small"), .park_topic = STR("parked")}};
	settings.models = models;
	settings.model_count = 1;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct header headers[] = {{STR("pointsman-parked"), STR("1")}, {str_of(cases[i].name), str_of(cases[i].value)}};
		struct job job;
		struct err err;
		enum outcome outcome;
		job_begin(&job, STR("{\"prompt\":\"hi\"}"));
		job.rec.topic = str_of(cases[i].topic);
		job.rec.headers = headers;
		job.rec.header_count = COUNT(headers);
		assert_int_equal(decode(&settings, &job, &outcome, &err), RC_OK);
		if (job.origin.given != cases[i].given)
			fail_msg("case %zu", i);
		assert_str(job.req.id, cases[i].id);
		if (cases[i].from == NULL)
			assert_null(job.origin.topic.data);
		else
			assert_str(job.origin.topic, cases[i].from);
		assert_int_equal(job.origin.deadline_ms, cases[i].deadline_ms);
		arena_free(&job.arena);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_record_with_its_own_names_fills_the_whole_request),
		cmocka_unit_test(a_bare_prompt_is_one_user_message_and_the_id_is_the_coordinates),
		cmocka_unit_test(a_mapping_reads_paths_templates_attributes_and_carried_fields),
		cmocka_unit_test(what_is_not_a_request_is_refused_by_class_and_in_words),
		cmocka_unit_test(every_bound_holds_at_its_edge_and_the_refusal_keeps_id_and_tenant),
		cmocka_unit_test(hostile_json_of_a_megabyte_costs_little_memory),
		cmocka_unit_test(a_mapping_that_cannot_be_meant_is_refused_at_start),
		cmocka_unit_test(a_value_over_the_input_limit_is_not_read),
		cmocka_unit_test(an_answered_job_becomes_a_response_and_a_decision),
		cmocka_unit_test(output_fields_give_the_response_its_readers_shape),
		cmocka_unit_test(each_outcome_has_the_outputs_its_row_says),
		cmocka_unit_test(a_dead_letter_has_the_original_bytes_and_springs_headers),
		cmocka_unit_test(the_count_of_redrives_survives_however_many_headers_stand_before_it),
		cmocka_unit_test(outputs_over_the_limit_become_a_failure_that_fits),
		cmocka_unit_test(headers_are_copied_by_an_allow_list),
		cmocka_unit_test(a_parked_record_is_the_same_request_when_it_comes_back),
		cmocka_unit_test(the_identity_of_a_parked_record_is_believed_only_where_it_can_be),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
