/*
 * test_dead_letter.c: what a dead letter's headers say, which letters are asked for, and what goes back.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "worker/stream/dead_letter.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define BYTES(literal) {literal, sizeof(literal) - 1}

static struct record letter_with(struct header *headers, uint32_t count)
{
	return (struct record){.topic = STR("dead"), .partition = 1, .offset = 7, .timestamp_ms = 1000, .value = STR("v"),
	                       .headers = headers, .header_count = count};
}

static void numbers_are_read_as_java_writes_them_and_as_text(void **state)
{
	(void)state;
	static const struct {
		struct str partition, offset;
		int32_t want_partition;
		int64_t want_offset;
	} cases[] = {
		{BYTES("\0\0\1\2"), BYTES("\0\0\0\1\0\0\0\0"), 258, INT64_C(1) << 32},
		{BYTES("12"), BYTES("345"), 12, 345},
		{BYTES("\x7f\xff\xff\xff"), BYTES("\x7f\xff\xff\xff\xff\xff\xff\xff"), INT32_MAX, INT64_MAX},
		{BYTES("\xff\xff\xff\xff"), BYTES("\xff\xff\xff\xff\xff\xff\xff\xff"), -1, -1},
		{BYTES(""), BYTES("-5"), -1, -1},
		{BYTES("99999999999"), BYTES("\0\0\0"), -1, -1},
		{{NULL, 0}, {NULL, 0}, -1, -1},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct header headers[] = {{STR("kafka_dlt-original-partition"), cases[i].partition},
		                           {STR("kafka_dlt-original-offset"), cases[i].offset}};
		struct record rec = letter_with(headers, COUNT(headers));
		struct dead_letter letter;
		dead_letter_read(&rec, &letter);
		assert_int_equal(letter.partition, cases[i].want_partition);
		assert_int_equal(letter.offset, cases[i].want_offset);
		assert_null(letter.topic.data);
		assert_int_equal(letter.class, OUTCOME_NONE);
	}
}

static void the_last_of_a_name_counts_but_the_highest_number_of_redrives(void **state)
{
	(void)state;
	struct header headers[] = {
		{STR("pointsman-redrives"), STR("5")},          {STR("kafka_dlt-original-topic"), STR("first")},
		{STR("kafka_dlt-exception-fqcn"), STR("internal")}, {STR("pointsman-redrives"), STR("0")},
		{STR("pointsman-redrives"), STR("rubbish")},    {STR("pointsman-redrives"), STR("-9")},
		{STR("kafka_dlt-original-topic"), STR("last")}, {STR("kafka_dlt-exception-fqcn"), STR("bad_schema")},
	};
	struct record rec = letter_with(headers, COUNT(headers));
	struct dead_letter letter;
	dead_letter_read(&rec, &letter);
	assert_true(str_is(letter.topic, "last"));
	assert_int_equal(letter.class, OUTCOME_BAD_SCHEMA);
	assert_int_equal(letter.redrives, 5);
	assert_false(letter.truncated);
}

static void each_letter_is_judged_by_what_is_asked_for(void **state)
{
	(void)state;
	static const struct str topics[] = {BYTES("in"), BYTES("in2")};
	static const struct header wanted[] = {{BYTES("tenant"), BYTES("acme")}, {BYTES("zone"), BYTES("eu")}};
	static const struct {
		const char *class, *topic, *tenant, *redrives, *to;
		bool truncated;
		int64_t died_ms;
		enum dead_letter_verdict want;
	} cases[] = {
		{"bad_schema", "in", "acme", NULL, NULL, false, 1000, LETTER_GO},
		{"bad_schema", "in2", "acme", "2", NULL, false, 1999, LETTER_GO},
		{"bad_record", "in", "acme", NULL, NULL, false, 1000, LETTER_OTHER_CLASS},
		{"java.lang.IllegalStateException", "in", "acme", NULL, NULL, false, 1000, LETTER_OTHER_CLASS},
		{"bad_schema", "in", "acme", NULL, NULL, false, 999, LETTER_OTHER_TIME},
		{"bad_schema", "in", "acme", NULL, NULL, false, 2000, LETTER_OTHER_TIME},
		{"bad_schema", "in", "acm", NULL, NULL, false, 1000, LETTER_OTHER_HEADER},
		{"bad_schema", "in", NULL, NULL, NULL, false, 1000, LETTER_OTHER_HEADER},
		{"bad_schema", "in", "acme", NULL, NULL, true, 1000, LETTER_TRUNCATED},
		{"bad_schema", "in", "acme", "3", NULL, false, 1000, LETTER_LOOP},
		{"bad_schema", "in", "acme", "99999999999999", NULL, false, 1000, LETTER_LOOP},
		{"bad_schema", "payments", "acme", NULL, NULL, false, 1000, LETTER_FOREIGN_TOPIC},
		{"bad_schema", NULL, "acme", NULL, NULL, false, 1000, LETTER_FOREIGN_TOPIC},
		{"bad_schema", "", "acme", NULL, NULL, false, 1000, LETTER_FOREIGN_TOPIC},
		{"bad_schema", "payments", "acme", NULL, "elsewhere", false, 1000, LETTER_GO},
	};
	struct dead_letter_filter filter = {.since_ms = 1000, .until_ms = 2000, .headers = wanted, .header_count = COUNT(wanted)};
	filter.classes[OUTCOME_BAD_SCHEMA] = true;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct header headers[6];
		uint32_t n = 0;
		headers[n++] = (struct header){STR("zone"), STR("eu")};
		headers[n++] = (struct header){STR("kafka_dlt-exception-fqcn"), str_of(cases[i].class)};
		headers[n++] = (struct header){STR("kafka_dlt-original-topic"), str_of(cases[i].topic)};
		headers[n++] = (struct header){STR("tenant"), str_of(cases[i].tenant)};
		headers[n++] = (struct header){STR("pointsman-redrives"), str_of(cases[i].redrives)};
		headers[n++] = (struct header){cases[i].truncated ? STR("pointsman-truncated") : STR("other"), STR("9")};
		struct record rec = letter_with(headers, n);
		rec.timestamp_ms = cases[i].died_ms;
		struct dead_letter_rules rules = {topics, COUNT(topics), str_of(cases[i].to), 3};
		struct dead_letter letter;
		dead_letter_read(&rec, &letter);
		if (dead_letter_judge(&letter, &rec, &filter, &rules) != cases[i].want)
			fail_msg("case %zu is judged %d", i, (int)dead_letter_judge(&letter, &rec, &filter, &rules));
	}
}

static void letters_of_other_programs_go_when_they_are_asked_for(void **state)
{
	(void)state;
	static const struct str topics[] = {BYTES("in")};
	struct header headers[] = {{STR("kafka_dlt-exception-fqcn"), STR("org.springframework.kafka.listener.ListenerExecutionFailedException")},
	                           {STR("kafka_dlt-original-topic"), STR("in")}};
	struct record rec = letter_with(headers, COUNT(headers));
	struct dead_letter_filter filter = {.since_ms = INT64_MIN, .until_ms = INT64_MAX};
	struct dead_letter_rules rules = {topics, 1, STR_NULL, 3};
	struct dead_letter letter;
	dead_letter_read(&rec, &letter);
	filter.classes[OUTCOME_NONE] = true;
	assert_int_equal(dead_letter_judge(&letter, &rec, &filter, &rules), LETTER_GO);
}

static void what_goes_back_has_its_own_headers_in_their_order_and_the_count(void **state)
{
	(void)state;
	struct header headers[] = {
		{STR("traceparent"), STR("00-1")},
		{STR("kafka_dlt-original-topic"), STR("in")},
		{STR("mine"), STR("1")},
		{STR("pointsman-redrives"), STR("1")},
		{STR("pointsman-attempts"), STR("4")},
		{STR("mine"), STR("\0\xff")},
		{STR("kafka_dlt-of-tomorrow"), STR("x")},
		{STR("pointsman-stage"), STR("call")},
		{STR("nothing"), STR_NULL},
		{STR("kafka_replyTopic"), STR("answers")},
	};
	static const struct header want[] = {
		{BYTES("pointsman-redrives"), BYTES("2")},
		{BYTES("traceparent"), BYTES("00-1")}, {BYTES("mine"), BYTES("1")},
		{BYTES("mine"), BYTES("\0\xff")},      {BYTES("nothing"), {NULL, 0}},
		{BYTES("kafka_replyTopic"), BYTES("answers")}, {BYTES("pointsman-attempts"), BYTES("4")},
	};
	struct arena arena;
	arena_init(&arena, 0);
	struct record rec = letter_with(headers, COUNT(headers));
	struct dead_letter letter;
	struct header *got;
	dead_letter_read(&rec, &letter);
	assert_int_equal(dead_letter_headers(&letter, &rec, &arena, &got), COUNT(want));
	for (size_t i = 0; i < COUNT(want); i++) {
		assert_true(str_eq(got[i].name, want[i].name));
		assert_true(str_eq(got[i].value, want[i].value));
		assert_true((got[i].value.data == NULL) == (want[i].value.data == NULL));
	}
	arena_free(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_are_read_as_java_writes_them_and_as_text),
		cmocka_unit_test(the_last_of_a_name_counts_but_the_highest_number_of_redrives),
		cmocka_unit_test(each_letter_is_judged_by_what_is_asked_for),
		cmocka_unit_test(letters_of_other_programs_go_when_they_are_asked_for),
		cmocka_unit_test(what_goes_back_has_its_own_headers_in_their_order_and_the_count),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
