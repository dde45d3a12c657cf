/*
 * The bounded Avro reader: records as an independent implementation writes them, hostile bytes case by case, and damage at
 * random.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/avro_golden.h"
#include "worker/wire/avro_read.h"
#include "worker/wire/own_schemas.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const struct wanted all = {.whole = true};

static const struct avro_type *schema_of(struct arena *arena, struct str text)
{
	struct avro_schema schema;
	struct err err;
	if (avro_schema_parse(arena, text, &schema, &err) != RC_OK)
		fail_msg("%s", err.text);
	return schema.root;
}

static void assert_path(const struct value *root, struct arena *arena, const char *path, const char *want)
{
	struct value v = value_path(root, str_of(path));
	struct str s = STR_NULL;
	if (v.kind == VALUE_ABSENT || v.kind == VALUE_NULL)
		s = v.kind == VALUE_ABSENT ? STR("(absent)") : STR("(null)");
	else if (!value_text(&v, arena, &s))
		s = STR("(no text)");
	if (!str_is(s, want))
		fail_msg("%s: got \"%.*s\", want \"%s\"", path, STR_ARG(s), want);
}

static void a_record_of_every_type_reads_as_it_was_written(void **state)
{
	(void)state;
	struct arena arena;
	struct value v;
	struct err err = {""};
	arena_init(&arena, 0);
	const struct avro_type *type = schema_of(&arena, str_of(ticket_schema));
	assert_int_equal(avro_read(&arena, type, &all, (struct str){ticket_row, ticket_row_bytes}, &v, &err), RC_OK);
	assert_path(&v, &arena, "id", "-4711");
	assert_path(&v, &arena, "opened", "1700000000123456");
	assert_true(value_path(&v, STR("opened")).micros);
	assert_path(&v, &arena, "state", "OPEN");
	assert_path(&v, &arena, "digest", "\1\2\3\4");
	assert_path(&v, &arena, "ticket.subject", "Printer \xc3\xbc");
	assert_path(&v, &arena, "ticket.body", "It burns.");
	assert_path(&v, &arena, "ticket.lines.0.sku", "a");
	assert_path(&v, &arena, "ticket.lines.1.n", "-2");
	assert_path(&v, &arena, "ticket.lines.2.n", "(absent)");
	assert_path(&v, &arena, "labels.product", "P1");
	assert_path(&v, &arena, "labels.none", "(null)");
	assert_path(&v, &arena, "labels.ratio", "0.25");
	assert_path(&v, &arena, "score", "1.5");
	assert_path(&v, &arena, "weight", "-1e+300");
	assert_path(&v, &arena, "urgent", "true");
	assert_path(&v, &arena, "blob", "(no text)");
	assert_path(&v, &arena, "again", "DONE");
	assert_path(&v, &arena, "extra.n", "2147483647");
	assert_path(&v, &arena, "nothing", "(null)");
	assert_path(&v, &arena, "missing", "(absent)");
	arena_free(&arena);
}

static void only_what_is_wanted_is_kept(void **state)
{
	(void)state;
	struct arena arena;
	struct value v;
	struct err err = {""};
	arena_init(&arena, 0);
	const struct avro_type *type = schema_of(&arena, str_of(ticket_schema));
	struct wanted n = {.name = STR("n"), .whole = true}, item = {.name = STR("1"), .child = &n}, lines = {.name = STR("lines"), .child = &item};
	struct wanted ticket = {.name = STR("ticket"), .child = &lines}, ratio = {.name = STR("ratio"), .whole = true};
	struct wanted labels = {.name = STR("labels"), .child = &ratio, .next = &ticket}, root = {.child = &labels};
	assert_int_equal(avro_read(&arena, type, &root, (struct str){ticket_row, ticket_row_bytes}, &v, &err), RC_OK);
	assert_path(&v, &arena, "ticket.lines.1.n", "-2");
	assert_path(&v, &arena, "ticket.lines.0.n", "(absent)");
	assert_path(&v, &arena, "ticket.lines.1.sku", "(absent)");
	assert_path(&v, &arena, "labels.ratio", "0.25");
	assert_path(&v, &arena, "labels.product", "(absent)");
	assert_path(&v, &arena, "ticket.body", "(absent)");
	assert_path(&v, &arena, "id", "(absent)");
	arena_free(&arena);
}

static void every_truncation_is_refused(void **state)
{
	(void)state;
	struct arena arena;
	arena_init(&arena, 0);
	const struct avro_type *type = schema_of(&arena, str_of(ticket_schema));
	for (int wanted = 0; wanted < 2; wanted++) {
		for (size_t n = 0; n < ticket_row_bytes; n++) {
			struct value v;
			struct err err = {""};
			char *exact = malloc(n + 1); /* so that a sanitizer sees a read behind the end */
			memcpy(exact, ticket_row, n);
			char *moved = n != 0 ? realloc(exact, n) : exact;
			assert_int_equal(avro_read(&arena, type, wanted ? &all : NULL, (struct str){moved, n}, &v, &err), RC_BAD_INPUT);
			free(moved);
		}
	}
	arena_free(&arena);
}

#define B(literal) {"" literal, sizeof(literal) - 1}

static void hostile_bytes_are_refused_with_a_reason(void **state)
{
	(void)state;
	static const struct {
		const char *schema;
		struct str bytes;
		const char *words;
	} cases[] = {
		{"\"long\"", B("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), "64 bits"},
		{"\"long\"", B("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"), "64 bits"},
		{"\"int\"", B("\x80\x80\x80\x80\x10"), "32 bits"},
		{"\"boolean\"", B("\x02"), "neither 0 nor 1"},
		{"\"boolean\"", B(""), "neither 0 nor 1"},
		{"\"string\"", B("\x80\x80\x80\x80\x08x"), "1073741824 bytes where 1 are left"},
		{"\"string\"", B("\x01"), "-1 bytes"},
		{"\"string\"", B("\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01"), "9223372036854775807"},
		{"\"string\"", B("\x04\xc3("), "not UTF-8"},
		{"\"string\"", B("\x02xy"), "left behind"},
		{"\"bytes\"", B("\x04x"), "where 1 are left"},
		{"\"float\"", B("\0\0\0"), "within a number"},
		{"\"double\"", B("\0\0\0\0\0\0\0"), "within a number"},
		{"{\"type\":\"fixed\",\"name\":\"F\",\"size\":2147483647}", B("x"), "within a fixed"},
		{"{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\"]}", B("\x02"), "enum's symbol"},
		{"{\"type\":\"enum\",\"name\":\"E\",\"symbols\":[\"A\"]}", B("\x01"), "enum's symbol"},
		{"[\"null\",\"int\"]", B("\x04"), "union's branch"},
		{"[\"null\",\"int\"]", B("\x01"), "union's branch"},
		{"{\"type\":\"array\",\"items\":\"null\"}", B("\x80\x80\x80\x80\x10\x00"), "more empty items"},
		{"{\"type\":\"array\",\"items\":\"int\"}", B("\x01\xff\xff\xff\xff\x0f\x00"), "longer than what is left"},
		{"{\"type\":\"array\",\"items\":\"int\"}", B("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x00\x00"), "longer than what is left"},
		{"{\"type\":\"array\",\"items\":\"int\"}", B("\x01\x04\x02\x00"), "not as long as it says"},
		{"{\"type\":\"array\",\"items\":\"int\"}", B("\x02\x02"), "within a number"},
		{"{\"type\":\"map\",\"values\":\"null\"}", B("\x80\x80\x80\x80\x10"), "within a number"},
		{"{\"type\":\"map\",\"values\":\"int\"}", B("\x02\x02\xff\x00\x00"), "not UTF-8"},
		{"{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"r\",\"type\":\"R\"}]}", B(""), "nested deeper"},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct arena arena;
		struct value v;
		struct err err = {""};
		arena_init(&arena, 0);
		const struct avro_type *type = schema_of(&arena, str_of(cases[i].schema));
		assert_int_equal(avro_read(&arena, type, &all, cases[i].bytes, &v, &err), RC_BAD_INPUT);
		if (strstr(err.text, cases[i].words) == NULL)
			fail_msg("case %zu (%s): \"%s\"", i, cases[i].schema, err.text);
		arena_free(&arena);
	}
}

/* 2^31 nulls, empty records within empty records, and a linked list as long as the input. */
static void bombs_of_empty_items_and_of_depth_end_soon(void **state)
{
	(void)state;
	static const char *const schemas[] = {
		"{\"type\":\"array\",\"items\":\"null\"}",
		"{\"type\":\"array\",\"items\":{\"type\":\"record\",\"name\":\"E\",\"fields\":[]}}",
		("{\"type\":\"array\",\"items\":{\"type\":\"record\",\"name\":\"A\",\"fields\":[{\"name\":\"b\",\"type\":{\"type\":\"record\",\"name\":\"B\","
		"\"fields\":[{\"name\":\"n\",\"type\":\"null\"},{\"name\":\"m\",\"type\":\"null\"}]}}]}}"),
		"{\"type\":\"array\",\"items\":{\"type\":\"fixed\",\"name\":\"Z\",\"size\":0}}",
	};
	for (size_t i = 0; i < COUNT(schemas); i++) {
		for (int wanted = 0; wanted < 2; wanted++) {
			struct arena arena;
			struct value v;
			struct err err = {""};
			arena_init(&arena, 0);
			const struct avro_type *type = schema_of(&arena, str_of(schemas[i]));
			assert_int_equal(avro_read(&arena, type, wanted ? &all : NULL, STR("\x80\x80\x80\x80\x10\x00"), &v, &err), RC_BAD_INPUT);
			assert_true(arena.total_bytes < (8u << 20));
			arena_free(&arena);
		}
	}
	struct arena arena;
	struct value v;
	struct err err = {""};
	arena_init(&arena, 0);
	const struct avro_type *tree = schema_of(&arena, str_of(tree_schema));
	static char list[1 << 20];
	memset(list, 0, sizeof list);
	for (size_t i = 0; i + 1 < sizeof list; i += 2)
		list[i + 1] = 2; /* an empty text, and the second branch: one more node */
	assert_int_equal(avro_read(&arena, tree, NULL, (struct str){list, sizeof list}, &v, &err), RC_BAD_INPUT);
	assert_non_null(strstr(err.text, "nested deeper"));
	arena_free(&arena);
}

/* A megabyte that claims as many kept values as it can, in the shapes that cost most memory each. */
static void a_hostile_megabyte_costs_little_memory(void **state)
{
	(void)state;
	static const struct {
		const char *schema;
		char fill[8];
		size_t fill_bytes;
	} cases[] = {
		{"{\"type\":\"array\",\"items\":\"int\"}", "\0", 1},
		{"{\"type\":\"array\",\"items\":{\"type\":\"map\",\"values\":\"null\"}}", "\x02\0\0", 3},
		{"{\"type\":\"array\",\"items\":{\"type\":\"array\",\"items\":\"null\"}}", "\x10\0", 2},
		{"{\"type\":\"array\",\"items\":{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"a\",\"type\":[\"null\",\"R\"]}]}}", "\0", 1},
		{"{\"type\":\"map\",\"values\":\"int\"}", "\0\0", 2},
	};
	char *bytes = malloc(1 << 20);
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct arena arena;
		struct value v;
		struct err err = {""};
		arena_init(&arena, 0);
		memcpy(bytes, "\x80\x80\x80\x01", 4); /* a block of 1,048,576 items */
		for (size_t n = 4; n < 1 << 20; n++)
			bytes[n] = cases[i].fill[(n - 4) % cases[i].fill_bytes];
		const struct avro_type *type = schema_of(&arena, str_of(cases[i].schema));
		assert_int_equal(avro_read(&arena, type, &all, (struct str){bytes, 1 << 20}, &v, &err), RC_BAD_INPUT);
		if (arena.total_bytes >= 8u << 20)
			fail_msg("%s took %zu bytes", cases[i].schema, arena.total_bytes);
		arena_free(&arena);
	}
	free(bytes);
}

static void random_damage_never_reads_beyond_nor_takes_much(void **state)
{
	(void)state;
	struct arena schemas;
	arena_init(&schemas, 0);
	const struct {
		const struct avro_type *type;
		struct str row;
	} rows[] = {
		{schema_of(&schemas, str_of(ticket_schema)), {ticket_row, ticket_row_bytes}},
		{schema_of(&schemas, own_schema_text(OWN_REQUEST, &schemas)), {request_row, request_row_bytes}},
	};
	uint64_t seed = 4711;
	unsigned accepted = 0;
	for (unsigned round = 0; round < 40000; round++) {
		struct str row = rows[round % 2].row;
		size_t n = row.len;
		char *bytes = malloc(n);
		memcpy(bytes, row.data, n);
		for (unsigned k = 0; k < 1 + round % 4; k++) {
			seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
			bytes[(seed >> 33) % n] = (char)(seed >> 20);
		}
		if (round % 5 == 0)
			n = 1 + (seed >> 40) % n;
		char *exact = realloc(bytes, n);
		struct arena arena;
		struct value v;
		arena_init(&arena, 0);
		accepted += avro_read(&arena, rows[round % 2].type, round % 3 ? &all : NULL, (struct str){exact, n}, &v, NULL) == RC_OK;
		assert_true(arena.total_bytes < (8u << 20));
		arena_free(&arena);
		free(exact);
	}
	assert_true(accepted > 1000); /* damage within a text or number is another record */
	arena_free(&schemas);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_record_of_every_type_reads_as_it_was_written),
		cmocka_unit_test(only_what_is_wanted_is_kept),
		cmocka_unit_test(every_truncation_is_refused),
		cmocka_unit_test(hostile_bytes_are_refused_with_a_reason),
		cmocka_unit_test(bombs_of_empty_items_and_of_depth_end_soon),
		cmocka_unit_test(a_hostile_megabyte_costs_little_memory),
		cmocka_unit_test(random_damage_never_reads_beyond_nor_takes_much),
	};
	(void)canonical_cases; /* for the schema's tests */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
