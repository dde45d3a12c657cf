/*
 * Schemas of strangers: canonical form and fingerprint as an independent implementation has them, what is refused, and that a
 * hostile schema is bounded.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "tests/unit/avro_golden.h"
#include "worker/wire/avro_schema.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static enum rc parse(struct arena *arena, struct str text, struct avro_schema *schema, struct err *err)
{
	arena_init(arena, 0);
	err->text[0] = '\0';
	return avro_schema_parse(arena, text, schema, err);
}

static void canonical_form_and_fingerprint_are_those_of_an_independent_implementation(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(canonical_cases); i++) {
		struct arena arena;
		struct avro_schema schema;
		struct err err;
		if (parse(&arena, str_of(canonical_cases[i].schema), &schema, &err) != RC_OK)
			fail_msg("%s: %s", canonical_cases[i].schema, err.text);
		struct buf out;
		buf_init(&out, &arena, 0);
		avro_schema_canonical(&schema, &out);
		if (!str_is(buf_view(&out), canonical_cases[i].canonical))
			fail_msg("got  %.*s\nwant %s", STR_ARG(buf_view(&out)), canonical_cases[i].canonical);
		assert_true(schema.fingerprint == canonical_cases[i].fingerprint);
		arena_free(&arena);
	}
}

/* Apache Avro, share/test/data/schema-tests.txt and the specification's text. */
static void fingerprints_are_those_the_avro_project_publishes(void **state)
{
	(void)state;
	assert_true(avro_crc64(STR("")) == UINT64_C(0xc15d213aa4d7a795));
	assert_true(avro_crc64(STR("\"null\"")) == (uint64_t)INT64_C(7195948357588979594));
	assert_true(avro_crc64(STR("\"boolean\"")) == (uint64_t)INT64_C(-6970731678124411036));
	assert_true(avro_crc64(STR("\"int\"")) == (uint64_t)INT64_C(8247732601305521295));
	assert_true(avro_crc64(STR("\"string\"")) == (uint64_t)INT64_C(-8142146995180207161));
}

static void odd_but_harmless_schemas_are_read(void **state)
{
	(void)state;
	static const struct {
		const char *schema, *canonical;
	} cases[] = {
		{"{\"type\":{\"type\":\"string\"}}", "\"string\""},
		{"{\"type\":{\"type\":{\"type\":\"array\",\"items\":{\"type\":\"int\",\"logicalType\":\"date\"}}}}", "{\"type\":\"array\",\"items\":\"int\"}"},
		{"{\"type\":\"error\",\"name\":\"E\",\"fields\":[]}", "{\"name\":\"E\",\"type\":\"record\",\"fields\":[]}"},
		{"{\"type\":\"string\",\"avro.java.string\":\"String\"}", "\"string\""},
		{"{\"type\":\"record\",\"name\":\"R\",\"namespace\":\"a\",\"fields\":[{\"name\":\"f-1\",\"type\":{\"type\":\"R\"}}]}",
		 "{\"name\":\"a.R\",\"type\":\"record\",\"fields\":[{\"name\":\"f-1\",\"type\":\"a.R\"}]}"},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct arena arena;
		struct avro_schema schema;
		struct err err;
		if (parse(&arena, str_of(cases[i].schema), &schema, &err) != RC_OK)
			fail_msg("%s: %s", cases[i].schema, err.text);
		struct buf out;
		buf_init(&out, &arena, 0);
		avro_schema_canonical(&schema, &out);
		if (!str_is(buf_view(&out), cases[i].canonical))
			fail_msg("got %.*s", STR_ARG(buf_view(&out)));
		arena_free(&arena);
	}
}

static void what_cannot_be_read_rightly_is_refused_in_words(void **state)
{
	(void)state;
	static const struct {
		const char *schema, *words;
	} cases[] = {
		{"", "value"},
		{"{", "offset"},
		{"3", "a type is"},
		{"\"strong\"", "unknown type strong"},
		{"[]", "without branches"},
		{"[\"null\",[\"int\"]]", "union directly within"},
		{"{}", "without a type"},
		{"{\"type\":\"record\",\"fields\":[]}", "without a name"},
		{"{\"type\":\"record\",\"name\":\"R\"}", "no fields in record R"},
		{"{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"a\"}]}", "a field without name or type in record R"},
		{"{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"a\",\"type\":\"S\"}]}", "unknown type S"},
		{"[{\"type\":\"enum\",\"name\":\"R\",\"symbols\":[\"A\"]},{\"type\":\"fixed\",\"name\":\"R\",\"size\":1}]", "defined twice: R"},
		{"{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[]}", "no symbols"},
		{"{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[1]}", "not text"},
		{"{\"type\":\"fixed\",\"name\":\"F\",\"size\":-1}", "no size"},
		{"{\"type\":\"fixed\",\"name\":\"F\",\"size\":\"4\"}", "no size"},
		{"{\"type\":\"array\"}", "without items"},
		{"{\"type\":\"map\"}", "without values"},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct arena arena;
		struct avro_schema schema;
		struct err err;
		assert_int_equal(parse(&arena, str_of(cases[i].schema), &schema, &err), RC_BAD_INPUT);
		if (strstr(err.text, cases[i].words) == NULL)
			fail_msg("%s: \"%s\"", cases[i].schema, err.text);
		arena_free(&arena);
	}
}

static struct str repeated(struct arena *arena, const char *open, const char *item, unsigned n, const char *close)
{
	struct buf b;
	buf_init(&b, arena, 4096);
	buf_cstr(&b, open);
	for (unsigned i = 0; i < n; i++) {
		if (i != 0 && item[0] == '"')
			buf_char(&b, ',');
		buf_cstr(&b, item);
	}
	buf_cstr(&b, close);
	return buf_view(&b);
}

static void hostile_schemas_are_bounded(void **state)
{
	(void)state;
	struct arena texts;
	arena_init(&texts, 0);
	const struct str cases[] = {
		repeated(&texts, "", "{\"type\":\"array\",\"items\":", 100000, ""),
		repeated(&texts, "[", "\"int\"", 150000, "]"),
		repeated(&texts, "[", "\"int\"", 30000, "]"),
		repeated(&texts, "", "[", 200000, ""),
		repeated(&texts, "{\"type\":\"fixed\",\"name\":\"", "n", 1100000, "\",\"size\":1}"),
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct arena arena;
		struct avro_schema schema;
		struct err err;
		assert_int_equal(parse(&arena, cases[i], &schema, &err), RC_BAD_INPUT);
		assert_true(arena.total_bytes < (8u << 20));
		arena_free(&arena);
	}
	arena_free(&texts);
}

/* Any damage to a schema's text is either refused or gives a schema whose canonical form reads as itself. */
static void a_damaged_schema_is_refused_or_means_what_its_canonical_form_says(void **state)
{
	(void)state;
	uint64_t seed = 20261124;
	char text[sizeof ticket_schema];
	for (unsigned round = 0; round < 3000; round++) {
		memcpy(text, ticket_schema, sizeof text);
		for (unsigned k = 0; k < 1 + round % 3; k++) {
			seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
			text[(seed >> 33) % (sizeof text - 1)] = (char)(seed >> 25 & 0x7F);
		}
		struct arena arena;
		struct avro_schema schema, again;
		struct err err;
		if (parse(&arena, (struct str){text, sizeof text - 1}, &schema, &err) == RC_OK) {
			struct buf out;
			buf_init(&out, &arena, 0);
			avro_schema_canonical(&schema, &out);
			assert_int_equal(avro_schema_parse(&arena, buf_view(&out), &again, &err), RC_OK);
			assert_true(again.fingerprint == schema.fingerprint);
		}
		arena_free(&arena);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(canonical_form_and_fingerprint_are_those_of_an_independent_implementation),
		cmocka_unit_test(fingerprints_are_those_the_avro_project_publishes),
		cmocka_unit_test(odd_but_harmless_schemas_are_read),
		cmocka_unit_test(what_cannot_be_read_rightly_is_refused_in_words),
		cmocka_unit_test(hostile_schemas_are_bounded),
		cmocka_unit_test(a_damaged_schema_is_refused_or_means_what_its_canonical_form_says),
	};
	(void)tree_schema, (void)ticket_row, (void)request_row; /* for the reader's tests */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
