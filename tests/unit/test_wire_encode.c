/*
 * Avro out and in: what avro-c writes of a job is read by our own reader, which shares no code with it, and must say field by
 * field what the JSON of the same job says. Framing, and records of another implementation as input.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/json.h"
#include "tests/unit/avro_golden.h"
#include "worker/wire/avro_read.h"
#include "worker/wire/own_schemas.h"
#include "worker/wire/wire.h"

static struct model_settings models[2] = {{.name = {"small", 5}}, {.name = {"capable", 7}}};

static struct settings base_settings(int format)
{
	struct settings s = {.models = models, .model_count = 2};
	s.kafka.group = STR("triage");
	s.input.format = FORMAT_AUTO;
	s.input.max_bytes = 4 << 20;
	s.output.format = format;
	s.output.max_bytes = 1000000;
	s.output.responses = STR("out");
	s.output.decisions = STR("audit");
	s.output.dead_letters = STR("dead");
	return s;
}

static const struct wire_facts facts = {
	.worker_instance = "w0", .worker_version = "0.1.0", .now_ms = 1700000005000, .now_us = 4000000,
	.policy_name = {"support", 7}, .decision_version = {"d1", 2}, .policy_version = {"p1", 2}, .route_topic = {"human.review", 12},
	.baseline_cost_usd = 0.25, .candidates = (const uint16_t[]){0, 1}, .candidate_count = 2,
};

static void job_begin(struct job *job, struct str value)
{
	*job = (struct job){.state = JOB_FETCHED};
	arena_init(&job->arena, 4096);
	job->rec = (struct record){.topic = STR("in"), .partition = 3, .offset = INT64_C(1) << 40, .timestamp_ms = 1700000000000, .timestamp_type = 1,
	                           .key = STR("k"), .value = value};
	job->fetched_us = 1000000;
}

/* A job with something in every field, or in none but the necessary ones. */
static void finished_job(struct wire_coder *coder, struct job *job, enum outcome outcome, bool full, struct attempt attempts[2], struct stage_trace trace[2])
{
	enum outcome ignored;
	struct err err;
	job_begin(job, full ? STR("{\"id\":\"r1\",\"tenant\":\"acme\",\"messages\":[{\"role\":\"user\",\"content\":\"hi \\\"you\\\" \\u00fc\"},{\"role\":\"assistant\","
	                          "\"content\":\"\"}],\"attributes\":{\"queue\":\"hw\",\"\":\"\"},\"embedding\":[0.5,-2],\"stop\":[\"a\",\"b\"],\"deadline\":1800000000000,"
	                          "\"max_tokens\":5,\"temperature\":0.25,\"response_format\":{\"type\":\"object\"},\"route_hint\":\"h\",\"conversation_id\":\"c\"}")
	                    : STR("{\"prompt\":\"hi\"}"));
	assert_int_equal(wire_decode(coder, job, &ignored, &err), RC_OK);
	trace[0] = (struct stage_trace){.stage = "rules", .verdict = VERDICT_PASS, .score = NAN, .runner_up_score = NAN, .threshold = NAN};
	trace[1] = (struct stage_trace){.stage = "semantic", .verdict = VERDICT_DECIDED, .label = STR("kb"), .score = 0.9, .runner_up = STR("x"),
	                                .runner_up_score = 0.5, .threshold = 0.62, .micros = 12, .asset_version = STR("ab12"), .reason = STR("near"), .cost_usd = 1e-6};
	attempts[0] = (struct attempt){.model = 0, .started_at_ms = 1700000003000, .micros = 500000, .http_status = 503,
	                               .outcome = OUTCOME_MODEL_UNAVAILABLE, .detail = STR("busy"), .retry_after_ms = 1000};
	attempts[1] = (struct attempt){.model = 1, .started_at_ms = 1700000003500, .micros = 1250000, .http_status = 200, .outcome = OUTCOME_OK,
	                               .input_tokens = 10, .output_tokens = 20, .cost_usd = 0.5, .estimated = true};
	job->outcome = outcome;
	job->call.model = -1;
	snprintf(job->dec.id, sizeof job->dec.id, "%s", "0190a1b2-0000-7000-8000-000000000001");
	job->dec.confidence = job->dec.threshold = NAN;
	if (!full)
		return;
	job->decoded_us = 1000100;
	job->decided_us = 1500000;
	job->called_us = 2000000;
	job->answered_us = 3750000;
	job->error = STR("something");
	job->dec.has_prompt_hash = true;
	job->dec.prompt_chars = 8;
	job->dec.route_name = STR("kb");
	job->dec.stage = "semantic";
	job->dec.label = STR("kb");
	job->dec.confidence = 0.9;
	job->dec.threshold = 0.62;
	job->dec.reason = STR("the nearest examples agree");
	job->dec.trace = trace;
	job->dec.trace_count = 2;
	job->dec.cache = CACHE_SHARED;
	job->dec.unsure = true;
	job->dec.unsure_reason = STR("no");
	job->dec.prompt_version = STR("cd34");
	job->dec.cost_usd = 0.125;
	static struct guard_effect effects[] = {{{"personal-data", 13}, {"only small may see it", 21}}, {{"critical", 8}, {"", 0}}};
	job->dec.guards = effects;
	job->dec.guard_count = 2;
	job->rec.redelivered = true;
	job->call = (struct call){.attempts = attempts, .attempt_count = 2, .outcome = OUTCOME_OK, .model = 1, .text = STR("line\n\"q\" \xc3\xbc\0z"),
	                          .finish_reason = STR("stop"), .input_tokens = 10, .cached_tokens = 4, .output_tokens = 20, .cost_usd = 0.5};
}

static const struct output *output_of(const struct job *job, enum output_kind kind)
{
	for (const struct output *o = job->outputs; o != NULL; o = o->next)
		if (o->kind == kind)
			return o;
	return NULL;
}

static void assert_same(struct arena *arena, const char *where, const struct value *avro, const struct json *json)
{
	struct value want = value_of_json(json);
	struct str a = STR_NULL, b = STR_NULL;
	if (json->kind == JSON_MAP || json->kind == JSON_LIST) {
		if (avro->kind != want.kind || avro->count != want.count)
			fail_msg("%s: kind %d with %u, want %d with %u", where, avro->kind, avro->count, want.kind, want.count);
		for (uint32_t i = 0; i < want.count; i++) {
			struct value item = json->kind == JSON_MAP ? value_get(avro, json->keys[i]) : value_item(avro, i);
			assert_same(arena, json->kind == JSON_MAP ? arena_printf(arena, "%s.%.*s", where, STR_ARG(json->keys[i])).data : where, &item, &json->items[i]);
		}
	} else if (json->kind == JSON_NULL) {
		if (avro->kind != VALUE_NULL)
			fail_msg("%s: not null but %d", where, avro->kind);
	} else if (!value_text(avro, arena, &a) || !value_text(&want, arena, &b) || !str_eq(a, b)) {
		fail_msg("%s: \"%.*s\", want \"%.*s\"", where, STR_ARG(a), STR_ARG(b));
	}
}

static void every_outcome_says_the_same_in_avro_as_in_json(void **state)
{
	(void)state;
	static const struct {
		enum output_kind kind;
		enum own_schema schema;
	} kinds[] = {{OUTPUT_RESPONSE, OWN_RESPONSE}, {OUTPUT_DECISION, OWN_DECISION}, {OUTPUT_FORWARD, OWN_FORWARD}};
	struct settings as_avro = base_settings(FORMAT_AVRO_SINGLE_OBJECT), as_json = base_settings(FORMAT_JSON);
	struct wire *avro_wire, *json_wire;
	struct err err;
	assert_int_equal(wire_open(&as_avro, NULL, &avro_wire, &err), RC_OK);
	assert_int_equal(wire_open(&as_json, NULL, &json_wire, &err), RC_OK);
	struct wire_coder *avro_coder = wire_coder_new(avro_wire), *json_coder = wire_coder_new(json_wire);
	struct arena arena;
	arena_init(&arena, 0);
	struct avro_schema schemas[OWN_COUNT];
	for (int i = 0; i < OWN_COUNT; i++)
		assert_int_equal(avro_schema_parse(&arena, own_schema_text((enum own_schema)i, &arena), &schemas[i], &err), RC_OK);
	static const struct wanted all = {.whole = true};
	unsigned compared = 0;
	for (int n = 0; n < OUTCOME_COUNT * 2; n++) { /* full and empty alternate, so that reused values would show */
		struct job a, j;
		struct attempt attempts[2];
		struct stage_trace trace[2];
		enum outcome outcome = (enum outcome)(n / 2);
		finished_job(avro_coder, &a, outcome, n % 2, attempts, trace);
		finished_job(json_coder, &j, outcome, n % 2, attempts, trace);
		wire_encode(avro_coder, &a, &facts);
		wire_encode(json_coder, &j, &facts);
		assert_int_equal(a.outcome, j.outcome);
		for (unsigned k = 0; k < 3; k++) {
			const struct output *oa = output_of(&a, kinds[k].kind), *oj = output_of(&j, kinds[k].kind);
			assert_int_equal(oa != NULL, oj != NULL);
			if (oa == NULL || (outcome == OUTCOME_PARKED && kinds[k].kind == OUTPUT_FORWARD)) /* that goes as it came */
				continue;
			assert_memory_equal(oa->value.data, "\xC3\x01", 2);
			uint64_t fingerprint;
			memcpy(&fingerprint, oa->value.data + 2, 8); /* these machines are little-endian, as the framing is */
			assert_true(fingerprint == schemas[kinds[k].schema].fingerprint);
			struct value v;
			const struct json *json;
			struct str body = {oa->value.data + 10, oa->value.len - 10};
			if (avro_read(&arena, schemas[kinds[k].schema].root, &all, body, &v, &err) != RC_OK)
				fail_msg("outcome %d: %s", n / 2, err.text);
			assert_int_equal(json_parse(&arena, oj->value, (struct json_limits){0}, &json, &err), RC_OK);
			assert_same(&arena, "", &v, json);
			compared++;
		}
		arena_free(&a.arena);
		arena_free(&j.arena);
	}
	assert_true(compared > OUTCOME_COUNT * 3);
	wire_coder_free(avro_coder);
	wire_coder_free(json_coder);
	wire_close(avro_wire);
	wire_close(json_wire);
	arena_free(&arena);
}

static void assert_str(struct str s, const char *want)
{
	if (!str_is(s, want))
		fail_msg("got \"%.*s\", want \"%s\"", STR_ARG(s), want);
}

static struct str framed(struct arena *arena, uint64_t fingerprint, const char *row, size_t bytes)
{
	struct buf b;
	buf_init(&b, arena, bytes + 10);
	buf_add(&b, "\xC3\x01", 2);
	for (unsigned i = 0; i < 8; i++)
		buf_char(&b, (char)(uint8_t)(fingerprint >> (8 * i)));
	buf_add(&b, row, bytes);
	return buf_view(&b);
}

static uint64_t fingerprint_of(struct str schema)
{
	struct arena arena;
	struct avro_schema parsed;
	arena_init(&arena, 0);
	assert_int_equal(avro_schema_parse(&arena, schema, &parsed, NULL), RC_OK);
	arena_free(&arena);
	return parsed.fingerprint;
}

static void a_request_of_another_implementation_fills_the_request(void **state)
{
	(void)state;
	struct settings settings = base_settings(FORMAT_INPUT);
	struct wire *wire;
	struct err err = {""};
	enum outcome outcome;
	struct arena arena;
	arena_init(&arena, 0);
	assert_int_equal(wire_open(&settings, NULL, &wire, &err), RC_OK);
	struct wire_coder *coder = wire_coder_new(wire);
	struct job job;
	job_begin(&job, framed(&arena, fingerprint_of(own_schema_text(OWN_REQUEST, &arena)), request_row, request_row_bytes));
	if (wire_decode(coder, &job, &outcome, &err) != RC_OK)
		fail_msg("%s", err.text);
	const struct request *r = &job.req;
	assert_str(r->id, "r1");
	assert_str(r->tenant, "acme");
	assert_int_equal(r->message_count, 2);
	assert_str(r->messages[1].content, "hi \xc3\xbc");
	assert_int_equal(r->attribute_count, 2);
	assert_int_equal(r->embedding_len, 3);
	assert_true(r->embedding[1] == -2.5f);
	assert_int_equal(r->deadline_ms, 1800000000000);
	assert_int_equal(r->priority, -2);
	assert_int_equal(r->max_tokens, 100);
	assert_true(r->temperature == 0.5);
	assert_str(r->stop[0], "END");
	assert_str(r->response_format, "{\"type\":\"json_object\"}");
	assert_int_equal(r->format, FORMAT_AVRO_SINGLE_OBJECT);
	arena_free(&job.arena);
	wire_coder_free(coder);
	wire_close(wire);
	arena_free(&arena);
}

static void a_foreign_record_is_read_by_its_schema_in_a_folder_and_the_mapping(void **state)
{
	(void)state;
	char folder[] = "/tmp/pointsman-test-XXXXXX", path[64];
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof path, "%s/ticket.avsc", folder);
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	fputs(ticket_schema, f);
	fclose(f);
	struct settings settings = base_settings(FORMAT_INPUT);
	struct pair attributes[] = {{STR("product"), STR("labels.product"), NULL}, {STR("ratio"), STR("labels.ratio"), NULL}};
	struct str carry[] = {STR("ticket.lines.1.sku")};
	settings.input.schema_dir = str_of(folder);
	settings.input.field_id = STR("id");
	settings.input.field_prompt = STR("{ticket.subject}: {ticket.body}");
	settings.input.field_deadline = STR("opened");
	settings.input.field_tenant = STR("state");
	settings.input.field_attributes = (struct pair_list){attributes, 2};
	settings.output.carry = (struct str_list){carry, 1};
	struct wire *wire;
	struct err err = {""};
	enum outcome outcome;
	struct arena arena;
	arena_init(&arena, 0);
	assert_int_equal(wire_open(&settings, NULL, &wire, &err), RC_OK);
	struct wire_coder *coder = wire_coder_new(wire);
	struct job job;
	job_begin(&job, framed(&arena, fingerprint_of(str_of(ticket_schema)), ticket_row, ticket_row_bytes));
	if (wire_decode(coder, &job, &outcome, &err) != RC_OK)
		fail_msg("%s", err.text);
	assert_str(job.req.id, "-4711");
	assert_str(job.req.tenant, "OPEN");
	assert_str(job.req.messages[0].content, "Printer \xc3\xbc: It burns.");
	assert_int_equal(job.req.deadline_ms, 1700000000123);
	assert_str(job.req.attributes[0].value, "P1");
	assert_str(job.req.attributes[1].value, "0.25");
	assert_int_equal(job.req.carry_count, 1);
	assert_str(job.req.carry[0].value, "b");
	arena_free(&job.arena);

	job_begin(&job, framed(&arena, fingerprint_of(str_of(ticket_schema)) + 1, ticket_row, ticket_row_bytes));
	assert_int_equal(wire_decode(coder, &job, &outcome, &err), RC_BAD_INPUT);
	assert_int_equal(outcome, OUTCOME_BAD_SCHEMA);
	assert_non_null(strstr(err.text, "input.schema_dir"));
	arena_free(&job.arena);
	wire_coder_free(coder);
	wire_close(wire);
	arena_free(&arena);
	unlink(path);
	rmdir(folder);
}

static void an_avro_response_over_the_limit_becomes_a_failure_that_fits(void **state)
{
	(void)state;
	struct settings settings = base_settings(FORMAT_AVRO_SINGLE_OBJECT);
	settings.output.max_bytes = 3000;
	static char large[20000];
	memset(large, 'y', sizeof large);
	struct wire *wire;
	struct err err;
	assert_int_equal(wire_open(&settings, NULL, &wire, &err), RC_OK);
	struct wire_coder *coder = wire_coder_new(wire);
	struct job job;
	struct attempt attempts[2];
	struct stage_trace trace[2];
	finished_job(coder, &job, OUTCOME_OK, true, attempts, trace);
	job.call.text = (struct str){large, sizeof large};
	wire_encode(coder, &job, &facts);
	assert_int_equal(job.outcome, OUTCOME_OUTPUT_TOO_LARGE);
	assert_true(output_of(&job, OUTPUT_RESPONSE)->value.len < 3000);
	assert_non_null(output_of(&job, OUTPUT_DEAD_LETTER));
	arena_free(&job.arena);
	wire_coder_free(coder);
	wire_close(wire);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_outcome_says_the_same_in_avro_as_in_json),
		cmocka_unit_test(a_request_of_another_implementation_fills_the_request),
		cmocka_unit_test(a_foreign_record_is_read_by_its_schema_in_a_folder_and_the_mapping),
		cmocka_unit_test(an_avro_response_over_the_limit_becomes_a_failure_that_fits),
	};
	(void)canonical_cases, (void)tree_schema; /* for the schema's tests */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
