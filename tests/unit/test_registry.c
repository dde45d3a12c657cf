/*
 * The registry's table by values of time, and one question at a time to a real HTTP server that answers as a schema registry
 * does.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <microhttpd.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/http.h"
#include "tests/unit/avro_golden.h"
#include "worker/wire/own_schemas.h"
#include "worker/wire/registry.h"

#define SECOND INT64_C(1000000)

/* What the server says, and what it was asked. */
struct server {
	struct MHD_Daemon *daemon;
	char url[64];
	unsigned status;
	const char *answer;
	char method[8], path[128], authorization[64], body[65536];
	size_t body_bytes;
	unsigned requests;
};

static enum MHD_Result serve(void *ctx, struct MHD_Connection *connection, const char *url, const char *method, const char *version,
                             const char *data, size_t *bytes, void **state)
{
	struct server *s = ctx;
	(void)version;
	if (*state == NULL) {
		*state = s;
		s->requests++;
		s->body_bytes = 0;
		snprintf(s->method, sizeof s->method, "%s", method);
		snprintf(s->path, sizeof s->path, "%s", url);
		const char *auth = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Authorization");
		snprintf(s->authorization, sizeof s->authorization, "%s", auth != NULL ? auth : "");
		return MHD_YES;
	}
	if (*bytes != 0) {
		size_t n = *bytes < sizeof s->body - s->body_bytes ? *bytes : sizeof s->body - s->body_bytes;
		memcpy(s->body + s->body_bytes, data, n);
		s->body_bytes += n;
		*bytes = 0;
		return MHD_YES;
	}
	struct MHD_Response *response = MHD_create_response_from_buffer(strlen(s->answer), (void *)(uintptr_t)s->answer, MHD_RESPMEM_MUST_COPY);
	enum MHD_Result queued = MHD_queue_response(connection, s->status, response);
	MHD_destroy_response(response);
	return queued;
}

static void server_start(struct server *s)
{
	memset(s, 0, sizeof *s);
	s->answer = "";
	s->daemon = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD, 0, NULL, NULL, serve, s, MHD_OPTION_END);
	assert_non_null(s->daemon);
	const union MHD_DaemonInfo *info = MHD_get_daemon_info(s->daemon, MHD_DAEMON_INFO_BIND_PORT);
	snprintf(s->url, sizeof s->url, "http://127.0.0.1:%u/apis/ccompat/v7/", info->port);
}

static struct settings settings_for(const struct server *s)
{
	struct settings settings = {0};
	settings.input.format = FORMAT_AVRO_CONFLUENT;
	settings.input.schema_missing_after_ms = 60000;
	settings.output.format = FORMAT_AVRO_CONFLUENT;
	settings.output.responses = STR("llm.responses");
	settings.output.decisions = STR("llm.decisions");
	settings.output.dead_letters = STR("dead");
	settings.registry.url = str_of(s->url);
	settings.registry.user = STR("Aladdin");
	settings.registry.password = STR("open sesame");
	return settings;
}

static struct str escaped(struct arena *arena, const char *before, const char *schema, const char *after)
{
	struct buf b;
	buf_init(&b, arena, 4096);
	buf_cstr(&b, before);
	for (const char *p = schema; *p != '\0'; p++) {
		if (*p == '"' || *p == '\\')
			buf_char(&b, '\\');
		buf_char(&b, *p);
	}
	buf_cstr(&b, after);
	buf_char(&b, '\0');
	return buf_view(&b);
}

static void an_id_is_asked_for_once_however_many_records_want_it(void **state)
{
	(void)state;
	struct settings settings = {.input.schema_missing_after_ms = 60000};
	struct registry *r = registry_new(&settings);
	struct wire_want want;
	const struct avro_type *type;
	assert_false(registry_wanted(r, 0, &want));
	assert_int_equal(registry_find(r, 7, &type), SCHEMA_UNKNOWN);
	for (int i = 0; i < 5; i++)
		registry_want(r, 7, 0);
	assert_true(registry_wanted(r, 0, &want));
	assert_int_equal(want.schema_id, 7);
	assert_null(want.schema.data);
	assert_false(registry_wanted(r, SECOND, &want));
	assert_int_equal(registry_learn(r, 7, str_of(ticket_schema), SECOND, NULL), RC_OK);
	assert_int_equal(registry_find(r, 7, &type), SCHEMA_KNOWN);
	assert_int_equal(type->kind, KIND_RECORD);
	registry_want(r, 7, 0);
	assert_false(registry_wanted(r, 100 * SECOND, &want));
	registry_free(r);
}

static void a_missing_schema_is_asked_for_each_half_minute_and_given_up_in_time(void **state)
{
	(void)state;
	struct settings settings = {.input.schema_missing_after_ms = 60000};
	struct registry *r = registry_new(&settings);
	struct wire_want want;
	const struct avro_type *type;
	registry_want(r, 7, 0);
	assert_true(registry_wanted(r, 0, &want));
	registry_refuse(r, &want, REGISTRY_NOT_FOUND, 0, "");
	assert_int_equal(registry_state(r, 7, SECOND), SCHEMA_UNKNOWN);
	assert_false(registry_wanted(r, 29 * SECOND, &want));
	assert_true(registry_wanted(r, 30 * SECOND, &want));
	registry_refuse(r, &want, REGISTRY_NOT_FOUND, 30 * SECOND, "");
	assert_int_equal(registry_find(r, 7, &type), SCHEMA_UNKNOWN);
	assert_int_equal(registry_state(r, 7, 59 * SECOND), SCHEMA_UNKNOWN);
	assert_true(registry_wanted(r, 60 * SECOND, &want));
	registry_refuse(r, &want, REGISTRY_NOT_FOUND, 60 * SECOND, "");
	assert_int_equal(registry_state(r, 7, 60 * SECOND), SCHEMA_MISSING);
	assert_false(registry_wanted(r, 100 * SECOND, &want)); /* nobody asked since */
	assert_int_equal(registry_find(r, 7, &type), SCHEMA_MISSING);
	assert_true(registry_wanted(r, 100 * SECOND, &want));
	assert_int_equal(registry_learn(r, 7, STR("\"string\""), 100 * SECOND, NULL), RC_OK);
	assert_int_equal(registry_state(r, 7, 100 * SECOND), SCHEMA_KNOWN);
	registry_free(r);
}

static void a_registry_that_is_away_is_asked_again_with_backoff_and_never_given_up(void **state)
{
	(void)state;
	struct settings settings = {.input.schema_missing_after_ms = 1000};
	struct registry *r = registry_new(&settings);
	struct wire_want want;
	int64_t now = 0;
	unsigned asked = 0;
	registry_want(r, 7, 0);
	for (; now < 100 * SECOND; now += SECOND / 10) {
		if (!registry_wanted(r, now, &want))
			continue;
		asked++;
		registry_refuse(r, &want, REGISTRY_AWAY, now, "");
	}
	assert_in_range(asked, 11, 15);
	assert_int_equal(registry_state(r, 7, now), SCHEMA_UNKNOWN);
	registry_free(r);
}

static void invented_ids_cannot_fill_the_table_for_good(void **state)
{
	(void)state;
	struct settings settings = {.input.schema_missing_after_ms = 0};
	struct registry *r = registry_new(&settings);
	struct wire_want want;
	const struct avro_type *type;
	assert_int_equal(registry_learn(r, 7, STR("\"string\""), 0, NULL), RC_OK);
	for (uint32_t id = 1000; id < 50000; id++) {
		registry_want(r, id, 0);
		if (registry_wanted(r, 0, &want))
			registry_refuse(r, &want, REGISTRY_NOT_FOUND, 0, "");
	}
	assert_int_equal(registry_find(r, 7, &type), SCHEMA_KNOWN);
	registry_want(r, 8, 0);
	assert_int_equal(registry_learn(r, 8, STR("\"int\""), 0, NULL), RC_OK);
	assert_int_equal(registry_find(r, 8, &type), SCHEMA_KNOWN);
	registry_free(r);
}

static void a_look_up_over_http_brings_the_schema(void **state)
{
	(void)state;
	struct server server;
	struct arena arena;
	struct wire *wire;
	struct err err = {""};
	server_start(&server);
	arena_init(&arena, 0);
	struct settings settings = settings_for(&server);
	assert_int_equal(wire_open(&settings, NULL, &wire, &err), RC_OK);
	struct http *http = http_new(5000, 1 << 20);
	struct wire_want want = {.schema_id = 258};
	static const struct {
		unsigned status;
		const char *answer;
		enum rc rc;
		enum schema_state state;
		const char *words;
	} cases[] = {
		{500, "{}", RC_UNAVAILABLE, SCHEMA_UNKNOWN, "500"},
		{401, "{}", RC_UNAVAILABLE, SCHEMA_UNKNOWN, "registry.user"},
		{200, "not json", RC_UNAVAILABLE, SCHEMA_UNKNOWN, "200"},
		{200, "{\"schema\":7}", RC_UNAVAILABLE, SCHEMA_UNKNOWN, "200"},
		{404, "{\"error_code\":40403}", RC_BAD_INPUT, SCHEMA_UNKNOWN, "no schema 258"},
		{200, "{\"schema\":\"syntax = proto3\",\"schemaType\":\"PROTOBUF\"}", RC_BAD_INPUT, SCHEMA_MISSING, "PROTOBUF"},
		{200, "{\"schema\":\"{\\\"type\\\":\\\"rekord\\\"}\"}", RC_BAD_INPUT, SCHEMA_MISSING, "unknown type rekord"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		server.status = cases[i].status;
		server.answer = cases[i].answer;
		enum rc rc = wire_fetch(wire, http, &want, 0, &err);
		if (rc != cases[i].rc || strstr(err.text, cases[i].words) == NULL || wire_schema_state(wire, 258, 0) != cases[i].state)
			fail_msg("case %zu: %s, \"%s\"", i, rc_name(rc), err.text);
		assert_null(strstr(err.text, "sesame"));
	}
	server.status = 200;
	server.answer = escaped(&arena, "{\"schema\":\"", ticket_schema, "\"}").data;
	if (wire_fetch(wire, http, &want, 0, &err) != RC_OK)
		fail_msg("%s", err.text);
	assert_int_equal(wire_schema_state(wire, 258, 0), SCHEMA_KNOWN);
	assert_string_equal(server.method, "GET");
	assert_string_equal(server.path, "/apis/ccompat/v7/schemas/ids/258");
	assert_string_equal(server.authorization, "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="); /* RFC 7617's own example */
	http_free(http);
	wire_close(wire);
	MHD_stop_daemon(server.daemon);
	arena_free(&arena);
}

static void our_schemas_are_registered_and_name_what_we_write(void **state)
{
	(void)state;
	struct server server;
	struct arena arena;
	struct wire *wire;
	struct wire_want want;
	struct err err = {""};
	char answer[64];
	server_start(&server);
	arena_init(&arena, 0);
	struct settings settings = settings_for(&server);
	assert_int_equal(wire_open(&settings, NULL, &wire, &err), RC_OK);
	struct http *http = http_new(5000, 1 << 20);
	assert_int_equal(wire_ready(wire, &err), RC_AGAIN);

	server.status = 409;
	server.answer = "{\"error_code\":409}";
	assert_true(wire_wanted(wire, 0, &arena, &want));
	assert_int_equal(wire_fetch(wire, http, &want, 0, &err), RC_BAD_INPUT);
	assert_int_equal(wire_ready(wire, &err), RC_AGAIN);
	assert_non_null(strstr(err.text, "409"));

	server.status = 200;
	server.answer = answer;
	unsigned registered = 0;
	for (int64_t now = 0; now < 120 * SECOND; now += 10 * SECOND) {
		while (wire_wanted(wire, now, &arena, &want)) {
			snprintf(answer, sizeof answer, "{\"id\":%u}", 0x01020300u + (unsigned)want.subject.len);
			if (wire_fetch(wire, http, &want, now, &err) != RC_OK)
				fail_msg("%s", err.text);
			registered++;
			assert_string_equal(server.method, "POST");
			assert_memory_equal(server.body, "{\"schema\":\"{\\n", 13);
		}
	}
	assert_int_equal(registered, 3);
	assert_int_equal(wire_ready(wire, &err), RC_OK);
	assert_string_equal(server.path, "/apis/ccompat/v7/subjects/llm.responses-value/versions");

	struct wire_coder *coder = wire_coder_new(wire);
	struct job job = {.state = JOB_FETCHED, .outcome = OUTCOME_TOO_LARGE};
	arena_init(&job.arena, 0);
	job.rec.topic = STR("in");
	job.rec.value = STR("\0\0\0\1\2rest");
	enum outcome outcome;
	assert_int_equal(wire_decode(coder, &job, &outcome, &err), RC_AGAIN);
	assert_int_equal(job.schema_id, 258);
	wire_encode(coder, &job, &(struct wire_facts){.now_ms = 1, .now_us = 1});
	assert_memory_equal(job.outputs->value.data, "\0\1\2\3\x13", 5); /* llm.decisions-value: 19 bytes */
	arena_free(&job.arena);
	wire_coder_free(coder);
	http_free(http);
	wire_close(wire);
	MHD_stop_daemon(server.daemon);
	arena_free(&arena);
}

/* Two workers that register the first schema of a subject at the same moment: one is told of a conflict. */
static void a_conflict_is_believed_only_when_it_stays(void **state)
{
	(void)state;
	static const struct {
		unsigned conflicts; /* before the registry takes it */
		int64_t asked_last_ms;
	} cases[] = {{0, 0}, {1, 250}, {2, 750}, {4, 3750}, {5, 33750}, {6, 63750}};
	struct server server;
	struct arena arena;
	struct err err = {""};
	server_start(&server);
	arena_init(&arena, 0);
	struct settings settings = settings_for(&server);
	struct http *http = http_new(5000, 1 << 20);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct wire *wire;
		struct wire_want want;
		unsigned asked = 0;
		int64_t last_ms = -1;
		assert_int_equal(wire_open(&settings, NULL, &wire, &err), RC_OK);
		for (int64_t now_ms = 0; now_ms < 70000; now_ms += 50) {
			while (wire_wanted(wire, now_ms * 1000, &arena, &want)) {
				bool first = str_is(want.subject, "llm.responses-value");
				bool taken = !first || asked >= cases[i].conflicts;
				server.status = taken ? 200 : 409;
				server.answer = taken ? "{\"id\":7}" : "{\"error_code\":409}";
				assert_int_equal(wire_fetch(wire, http, &want, now_ms * 1000, &err), taken ? RC_OK : RC_BAD_INPUT);
				asked += first;
				last_ms = first ? now_ms : last_ms;
			}
		}
		assert_int_equal(asked, cases[i].conflicts + 1);
		assert_int_equal(last_ms, cases[i].asked_last_ms);
		assert_int_equal(wire_ready(wire, &err), RC_OK);
		wire_close(wire);
	}
	http_free(http);
	MHD_stop_daemon(server.daemon);
	arena_free(&arena);
}

static void a_record_waits_for_its_schema_and_then_is_read(void **state)
{
	(void)state;
	struct server server;
	struct arena arena;
	struct wire *wire;
	struct wire_want want;
	struct err err = {""};
	enum outcome outcome;
	server_start(&server);
	arena_init(&arena, 0);
	struct settings settings = settings_for(&server);
	settings.output.format = FORMAT_JSON;
	assert_int_equal(wire_open(&settings, NULL, &wire, &err), RC_OK);
	assert_int_equal(wire_ready(wire, &err), RC_OK);
	struct wire_coder *coder = wire_coder_new(wire);
	struct http *http = http_new(5000, 1 << 20);
	struct job job = {.state = JOB_FETCHED};
	arena_init(&job.arena, 0);
	struct buf value;
	buf_init(&value, &arena, 512);
	buf_add(&value, "\0\0\0\0\x05", 5);
	buf_add(&value, request_row, request_row_bytes);
	job.rec.topic = STR("in");
	job.rec.value = buf_view(&value);
	assert_int_equal(wire_decode(coder, &job, &outcome, &err), RC_AGAIN);
	wire_want_schema(wire, job.schema_id, 0);
	assert_true(wire_wanted(wire, 0, &arena, &want));
	server.status = 200;
	server.answer = escaped(&arena, "{\"schema\":\"", arena_cstr(&arena, own_schema_text(OWN_REQUEST, &arena)), "\"}").data;
	char *flat = (char *)(uintptr_t)server.answer;
	for (char *p = flat; *p != '\0'; p++)
		if (*p == '\n')
			*p = ' ';
	if (wire_fetch(wire, http, &want, 0, &err) != RC_OK)
		fail_msg("%s", err.text);
	if (wire_decode(coder, &job, &outcome, &err) != RC_OK)
		fail_msg("%s", err.text);
	assert_true(str_is(job.req.id, "r1"));
	assert_int_equal(job.req.format, FORMAT_AVRO_CONFLUENT);

	job.rec.value.len--;
	assert_int_equal(wire_decode(coder, &job, &outcome, &err), RC_BAD_INPUT);
	assert_int_equal(outcome, OUTCOME_BAD_RECORD);
	arena_free(&job.arena);
	http_free(http);
	wire_coder_free(coder);
	wire_close(wire);
	MHD_stop_daemon(server.daemon);
	arena_free(&arena);
}

static void confluent_framing_without_a_registry_is_said_at_once(void **state)
{
	(void)state;
	struct settings settings = {.input.format = FORMAT_AVRO_CONFLUENT, .output.format = FORMAT_JSON};
	struct wire *wire;
	struct err err = {""};
	assert_int_equal(wire_open(&settings, NULL, &wire, &err), RC_BAD_INPUT);
	assert_non_null(strstr(err.text, "registry.url"));
	settings.input.format = FORMAT_AUTO;
	assert_int_equal(wire_open(&settings, NULL, &wire, &err), RC_OK);
	struct wire_coder *coder = wire_coder_new(wire);
	struct job job = {.state = JOB_FETCHED};
	arena_init(&job.arena, 0);
	job.rec.topic = STR("in");
	job.rec.value = STR("\0\0\0\0\x05zz");
	enum outcome outcome;
	assert_int_equal(wire_decode(coder, &job, &outcome, &err), RC_BAD_INPUT);
	assert_int_equal(outcome, OUTCOME_BAD_SCHEMA);
	arena_free(&job.arena);
	wire_coder_free(coder);
	wire_close(wire);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_id_is_asked_for_once_however_many_records_want_it),
		cmocka_unit_test(a_missing_schema_is_asked_for_each_half_minute_and_given_up_in_time),
		cmocka_unit_test(a_registry_that_is_away_is_asked_again_with_backoff_and_never_given_up),
		cmocka_unit_test(invented_ids_cannot_fill_the_table_for_good),
		cmocka_unit_test(a_look_up_over_http_brings_the_schema),
		cmocka_unit_test(our_schemas_are_registered_and_name_what_we_write),
		cmocka_unit_test(a_conflict_is_believed_only_when_it_stays),
		cmocka_unit_test(a_record_waits_for_its_schema_and_then_is_read),
		cmocka_unit_test(confluent_framing_without_a_registry_is_said_at_once),
	};
	(void)canonical_cases, (void)tree_schema, (void)ticket_row; /* for the reader's tests */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
