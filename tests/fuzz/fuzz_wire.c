/*
 * fuzz_wire.c: a record of the input topic whole: value in any format with headers, decoded as a request; its dead letter.
 *
 * Input: headers as "name=value" lines, a NUL, the value. The worker's own request schema is known by its fingerprint and
 * a foreign one under id 7. Whatever comes in, a request has an id and its texts are UTF-8, what leaves fits its bounds, and an
 * embedding that is put into a record is read back as it was.
 */
#include "tests/fuzz/fuzz.h"
#include "worker/wire/fill.h"
#include "worker/wire/headers.h"
#include "worker/wire/request.h"
#include "worker/wire/room.h"

static struct settings settings;
static struct wire *wire;
static struct wire_coder *coder;

static void open_once(void)
{
	static struct model_settings models[] = {{.name = {"small", 5}}};
	struct err err;
	struct arena arena;
	if (wire != NULL)
		return;
	settings.models = models;
	settings.model_count = 1;
	settings.kafka.group = STR("triage");
	settings.input.format = FORMAT_AUTO;
	settings.input.max_bytes = 4 << 20;
	settings.output.format = FORMAT_JSON;
	settings.output.max_bytes = 1000000;
	settings.output.responses = STR("out");
	settings.output.decisions = STR("audit");
	settings.output.dead_letters = STR("dead");
	settings.registry.url = STR("http://127.0.0.1:1");
	FUZZ_CHECK(wire_open(&settings, NULL, &wire, &err) == RC_OK);
	coder = wire_coder_new(wire);
	arena_init(&arena, 4096);
	(void)wire_schema_state(wire, 7, 0); /* makes its entry */
	wire_want_schema(wire, 7, 0);
	FUZZ_CHECK(registry_learn(wire->registry, 7, own_schema_text(OWN_REQUEST, &arena), 0, &err) == RC_OK);
	arena_free(&arena);
}

static void read_headers(struct str lines, struct record *rec, struct header headers[16])
{
	rec->headers = headers;
	while (lines.len != 0 && rec->header_count < 16) {
		const char *end = memchr(lines.data, '\n', lines.len);
		struct str line = {lines.data, end != NULL ? (size_t)(end - lines.data) : lines.len};
		const char *is = line.len != 0 ? memchr(line.data, '=', line.len) : NULL;
		size_t name = is != NULL ? (size_t)(is - line.data) : line.len;
		headers[rec->header_count++] = (struct header){
			{line.data, name}, is != NULL ? (struct str){is + 1, line.len - name - 1} : STR_NULL};
		size_t used = line.len + (end != NULL);
		lines = (struct str){lines.data + used, lines.len - used};
	}
}

static void check_request(const struct request *req)
{
	FUZZ_CHECK(req->id.data != NULL && req->id.len != 0 && req->id.len <= REQUEST_MAX_ID_BYTES && fuzz_utf8(req->id));
	FUZZ_CHECK(fuzz_utf8(req->tenant) && req->tenant.len <= REQUEST_MAX_TENANT_BYTES);
	FUZZ_CHECK(fuzz_utf8(req->conversation_id) && fuzz_utf8(req->job_id) && fuzz_utf8(req->route_hint));
	FUZZ_CHECK(req->message_count <= REQUEST_MAX_MESSAGES && req->attribute_count <= REQUEST_MAX_ATTRIBUTES);
	FUZZ_CHECK(req->embedding_len <= REQUEST_MAX_EMBEDDING && req->stop_count <= REQUEST_MAX_STOP);
	for (uint32_t i = 0; i < req->message_count; i++)
		FUZZ_CHECK(fuzz_utf8(req->messages[i].role) && fuzz_utf8(req->messages[i].content));
	for (uint32_t i = 0; i < req->attribute_count; i++)
		FUZZ_CHECK(fuzz_utf8(req->attributes[i].name) && fuzz_utf8(req->attributes[i].value));
	FUZZ_CHECK(req->traceparent.data == NULL || request_is_traceparent(req->traceparent));
}

static void check_filled(const struct job *job)
{
	static const float vector[] = {1.5f, -1e-30f, 3};
	struct job again = {.state = JOB_FETCHED, .rec = job->rec};
	enum outcome outcome = OUTCOME_NONE;
	struct arena arena;
	struct str filled;
	arena_init(&arena, 4096);
	if (fill_embedding(coder, &arena, job->rec.value, vector, 3, &filled, NULL) == RC_OK && filled.len <= settings.input.max_bytes) {
		arena_init(&again.arena, 4096);
		again.rec.value = filled;
		FUZZ_CHECK(filled.len > job->rec.value.len && wire_decode(coder, &again, &outcome, NULL) == RC_OK);
		FUZZ_CHECK(again.req.embedding_len == 3 && memcmp(again.req.embedding, vector, sizeof vector) == 0);
		FUZZ_CHECK(str_eq(again.req.id, job->req.id) && again.req.message_count == job->req.message_count);
		FUZZ_CHECK(str_eq(again.req.messages[0].content, job->req.messages[0].content));
		arena_free(&again.arena);
	}
	arena_free(&arena);
}

static void encode_failed(struct job *job, enum outcome outcome)
{
	struct wire_facts facts = {.worker_instance = "i", .worker_version = "v", .now_ms = 1700000000000, .now_us = 5, .baseline_cost_usd = 0,
	                           .policy_name = STR("p"), .decision_version = STR("d"), .policy_version = STR("q")};
	job->state = JOB_FETCHED;
	job_fail(job, outcome, "fuzzed");
	wire_encode(coder, job, &facts);
	FUZZ_CHECK(job->outputs != NULL);
	for (const struct output *out = job->outputs; out != NULL; out = out->next)
		FUZZ_CHECK(out->value.len <= settings.output.max_bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct str value, lines = fuzz_split((struct str){(const char *)data, bytes}, &value);
	struct header headers[16];
	struct job job = {.state = JOB_FETCHED};
	enum outcome outcome = OUTCOME_NONE;
	open_once();
	arena_init(&job.arena, 4096);
	job.rec = (struct record){.topic = STR("in"), .partition = 3, .offset = 41, .timestamp_ms = 1700000000000, .key = STR("k"), .value = value};
	read_headers(lines, &job.rec, headers);
	enum rc rc = wire_decode(coder, &job, &outcome, NULL);
	FUZZ_CHECK(rc != RC_BAD_INPUT || outcome != OUTCOME_NONE); /* else it means nothing */
	FUZZ_CHECK(job.arena.total_bytes <= 8u << 20);
	if (rc == RC_OK || (rc == RC_BAD_INPUT && (outcome == OUTCOME_NO_PROMPT || outcome == OUTCOME_INVALID)))
		check_request(&job.req);
	if (rc == RC_OK && job.req.embedding == NULL)
		check_filled(&job);
	if (rc == RC_BAD_INPUT)
		encode_failed(&job, outcome);
	arena_free(&job.arena);
	return 0;
}
