/*
 * Embeddings put into records: every other byte stays, and the worker reads what was put in.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "worker/wire/avro_schema.h"
#include "worker/wire/fill.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const float vector[] = {0.5f, -1, 1e-7f};

struct fixture {
	struct settings settings;
	struct wire *wire;
	struct wire_coder *coder;
	struct arena arena;
};

static void begin(struct fixture *f)
{
	struct err err = {""};
	f->settings.kafka.group = STR("g");
	f->settings.input.max_bytes = 1 << 20;
	f->settings.output.max_bytes = 1 << 20;
	f->settings.output.responses = f->settings.output.decisions = f->settings.output.dead_letters = STR("out");
	arena_init(&f->arena, 0);
	if (wire_open(&f->settings, NULL, &f->wire, &err) != RC_OK)
		fail_msg("%s", err.text);
	f->coder = wire_coder_new(f->wire);
}

static void end(struct fixture *f)
{
	wire_coder_free(f->coder);
	wire_close(f->wire);
	arena_free(&f->arena);
}

static struct job decode(struct fixture *f, struct str value)
{
	struct job job = {.state = JOB_FETCHED, .rec = {.topic = STR("in"), .value = value}};
	enum outcome outcome;
	struct err err = {""};
	arena_init(&job.arena, 0);
	if (wire_decode(f->coder, &job, &outcome, &err) != RC_OK)
		fail_msg("%s", err.text);
	return job;
}

static void json_keeps_every_other_byte(void **state)
{
	(void)state;
	static const struct {
		const char *path, *value, *filled; /* filled NULL: refused */
	} cases[] = {
		{NULL, "{\"prompt\":\"hi\"}", "{\"prompt\":\"hi\",\"embedding\":@}"},
		{NULL, " {\n  \"prompt\" : \"h\\u00fc\",\n  \"n\": 1e2, \"prompt2\": [1, 2 ]\n}\n ", " {\n  \"prompt\" : \"h\\u00fc\",\n  \"n\": 1e2, \"prompt2\": [1, 2 ]\n,\"embedding\":@}\n "},
		{NULL, "{\"embedding\": null , \"prompt\":\"}\"}", "{\"embedding\": @ , \"prompt\":\"}\"}"},
		{NULL, "{\"a\":{\"embedding\":null},\"prompt\":\"null\"}", "{\"a\":{\"embedding\":null},\"prompt\":\"null\",\"embedding\":@}"},
		{NULL, "{\"prompt\":\"hi\",\"embedding\":[]}", NULL},
		{"doc.vec", "{\"prompt\":\"hi\",\"doc\":{}}", "{\"prompt\":\"hi\",\"doc\":{\"vec\":@}}"},
		{"doc.vec", "{\"prompt\":\"hi\",\"doc\":{\"x\":{}}, \"y\":1}", "{\"prompt\":\"hi\",\"doc\":{\"x\":{},\"vec\":@}, \"y\":1}"},
		{"doc.vec", "{\"prompt\":\"hi\",\"doc\":{\"vec\":null,\"b\":2}}", "{\"prompt\":\"hi\",\"doc\":{\"vec\":@,\"b\":2}}"},
		{"doc.vec", "{\"prompt\":\"hi\"}", NULL},
		{"doc.vec", "{\"prompt\":\"hi\",\"doc\":[1]}", NULL},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct fixture f = {.settings.input.format = FORMAT_JSON};
		struct err err = {""};
		struct str filled;
		f.settings.input.field_embedding = str_of(cases[i].path);
		begin(&f);
		struct job job = decode(&f, str_of(cases[i].value));
		assert_null(job.req.embedding);
		enum rc rc = fill_embedding(f.coder, &f.arena, job.rec.value, vector, COUNT(vector), &filled, &err);
		assert_int_equal(rc, cases[i].filled != NULL ? RC_OK : RC_BAD_INPUT);
		if (cases[i].filled != NULL) {
			struct buf expected;
			buf_init(&expected, &f.arena, 256);
			for (const char *c = cases[i].filled; *c != '\0'; c++)
				*c == '@' ? buf_cstr(&expected, "[0.5,-1,1.00000001e-07]") : buf_char(&expected, *c);
			if (!str_eq(filled, buf_view(&expected)))
				fail_msg("got %.*s", STR_ARG(filled));
			struct job again = decode(&f, filled);
			assert_int_equal(again.req.embedding_len, COUNT(vector));
			assert_memory_equal(again.req.embedding, vector, sizeof vector);
			arena_free(&again.arena);
		}
		arena_free(&job.arena);
		end(&f);
	}
}

static void any_float_reads_back_as_it_was(void **state)
{
	(void)state;
	struct fixture f = {.settings.input.format = FORMAT_JSON};
	uint64_t seed = 6;
	begin(&f);
	for (int round = 0; round < 300; round++) {
		float some[64];
		for (size_t i = 0; i < COUNT(some); i++) {
			uint32_t bits;
			do {
				seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
				bits = (uint32_t)(seed >> 32);
			} while ((bits >> 23 & 0xff) == 0xff); /* not finite */
			memcpy(&some[i], &bits, sizeof bits);
		}
		struct str filled;
		struct job job = decode(&f, STR("{\"prompt\":\"hi\"}"));
		assert_int_equal(fill_embedding(f.coder, &f.arena, job.rec.value, some, COUNT(some), &filled, NULL), RC_OK);
		struct job again = decode(&f, filled);
		assert_int_equal(again.req.embedding_len, COUNT(some));
		assert_memory_equal(again.req.embedding, some, sizeof some);
		arena_free(&job.arena);
		arena_free(&again.arena);
		arena_reset(&f.arena);
	}
	end(&f);
}

#define DOC(vec)                                                                                                        \
	"{\"type\":\"record\",\"name\":\"Row\",\"fields\":[{\"name\":\"id\",\"type\":\"string\"},"                           \
	"{\"name\":\"doc\",\"type\":[\"null\",{\"type\":\"record\",\"name\":\"Doc\",\"fields\":["                            \
	"{\"name\":\"body\",\"type\":\"string\"}," vec "{\"name\":\"tail\",\"type\":\"long\"}]}]},"                          \
	"{\"name\":\"z\",\"type\":\"bytes\"}]}"

/* id "a1", doc {body "hi", vec null, tail 5}, z 00 01 */
static const char row[] = "\x04" "a1" "\x02" "\x04" "hi" "\x00" "\x0a" "\x04\x00\x01";
enum { ROW_BYTES = sizeof row - 1, BEFORE_VEC = 7 };

/* The record behind its single-object head; schema goes into a folder. */
static struct str framed(struct fixture *f, const char *schema, char *folder, char *path)
{
	struct avro_schema parsed;
	struct buf out;
	assert_non_null(mkdtemp(folder));
	(void)snprintf(path, 64, "%s/row.avsc", folder); /* a short name of our own */
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	fputs(schema, file);
	assert_int_equal(fclose(file), 0);
	f->settings.input = (struct input_settings){.format = FORMAT_AVRO_SINGLE_OBJECT, .schema_dir = str_of(folder), .field_id = STR("id"),
	                                            .field_prompt = STR("doc.body"), .field_embedding = STR("doc.vec")};
	begin(f);
	assert_int_equal(avro_schema_parse(&f->arena, str_of(schema), &parsed, NULL), RC_OK);
	buf_init(&out, &f->arena, 64);
	buf_cstr(&out, "\xC3\x01");
	for (unsigned i = 0; i < 8; i++)
		buf_char(&out, (char)(unsigned char)(parsed.fingerprint >> (8 * i)));
	buf_add(&out, row, ROW_BYTES);
	return buf_view(&out);
}

static void avro_keeps_every_other_byte(void **state)
{
	(void)state;
	static const struct {
		const char *schema;
		unsigned char head[3]; /* branch and count */
		size_t number_bytes;   /* 0: refused */
	} cases[] = {
		{DOC("{\"name\":\"vec\",\"type\":[\"null\",{\"type\":\"array\",\"items\":\"float\"}]},"), {2, 6}, 4},
		{DOC("{\"name\":\"vec\",\"type\":[\"null\",\"string\",{\"type\":\"array\",\"items\":\"double\"}]},"), {4, 6}, 8},
		{DOC("{\"name\":\"vec\",\"type\":[\"null\",{\"type\":\"array\",\"items\":\"string\"}]},"), {0}, 0},
		{DOC("{\"name\":\"other\",\"type\":[\"null\",{\"type\":\"array\",\"items\":\"float\"}]},"), {0}, 0},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		char folder[] = "/tmp/pointsman-test-XXXXXX", path[64];
		struct fixture f = {0};
		struct err err = {""};
		struct str filled, value = framed(&f, cases[i].schema, folder, path);
		struct job job = decode(&f, value);
		assert_true(str_is(job.req.messages[0].content, "hi") && job.req.embedding == NULL);
		enum rc rc = fill_embedding(f.coder, &f.arena, value, vector, COUNT(vector), &filled, &err);
		assert_int_equal(rc, cases[i].number_bytes != 0 ? RC_OK : RC_BAD_INPUT);
		if (rc == RC_OK) {
			size_t put = 2 + COUNT(vector) * cases[i].number_bytes + 1, at = 10 + BEFORE_VEC;
			assert_int_equal(filled.len, value.len - 1 + put);
			assert_memory_equal(filled.data, value.data, at);
			assert_memory_equal(filled.data + at, cases[i].head, 2);
			assert_memory_equal(filled.data + at + put, value.data + at + 1, value.len - at - 1);
			struct job again = decode(&f, filled);
			assert_int_equal(again.req.embedding_len, COUNT(vector));
			assert_memory_equal(again.req.embedding, vector, sizeof vector);
			assert_int_equal(fill_embedding(f.coder, &f.arena, filled, vector, COUNT(vector), &filled, &err), RC_BAD_INPUT);
			arena_free(&again.arena);
		} else {
			assert_non_null(strstr(err.text, "doc.vec"));
		}
		arena_free(&job.arena);
		end(&f);
		assert_int_equal(unlink(path), 0);
		assert_int_equal(rmdir(folder), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(json_keeps_every_other_byte),
		cmocka_unit_test(any_float_reads_back_as_it_was),
		cmocka_unit_test(avro_keeps_every_other_byte),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
