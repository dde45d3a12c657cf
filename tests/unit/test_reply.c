/*
 * Where a response goes: what Spring's and Node's clients write, what nobody may ask for, and that an event is answered by events
 * of their own.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "worker/wire/event.h"
#include "worker/wire/reply.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static struct output_settings allowing(struct str *topics, uint32_t count)
{
	return (struct output_settings){.responses = STR("out"), .reply_topics = {topics, count}};
}

static void a_partition_is_read_as_spring_and_as_node_write_it(void **state)
{
	(void)state;
	const struct {
		struct str value;
		int32_t want;
	} cases[] = {
		{STR("\0\0\0\7"), 7},      {STR("\0\0\1\2"), 258},   {STR("\x7f\xff\xff\xff"), INT32_MAX}, {STR("\xff\xff\xff\xff"), -1},
		{STR("7"), 7},             {STR("0"), 0},            {STR("1234"), 1234},                  {STR("2147483647"), INT32_MAX},
		{STR("2147483648"), -1},   {STR("99999999999"), -1}, {STR("-1"), -1},                      {STR(""), -1},
		{STR("\0\0\0"), -1},       {STR("0x1"), -1},        {STR("\0\0\0\0\0\0\0\1"), -1},        {STR(" 7"), -1},
	};
	struct str topics[] = {STR("answers")};
	struct output_settings settings = allowing(topics, 1);
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct header headers[] = {{STR("kafka_replyTopic"), STR("answers")}, {STR("kafka_replyPartition"), cases[i].value}};
		struct record rec = {.headers = headers, .header_count = 2};
		struct reply reply = reply_read(&settings, &rec);
		assert_true(str_eq(reply.topic, STR("answers")));
		if (reply.partition != cases[i].want)
			fail_msg("case %zu: partition %d, want %d", i, reply.partition, cases[i].want);
	}
}

static void only_a_listed_topic_is_honoured(void **state)
{
	(void)state;
	struct str topics[] = {STR("answers"), STR("more")};
	struct output_settings settings = allowing(topics, 2);
	const struct {
		struct str asked;
		bool honoured;
	} cases[] = {{STR("answers"), true}, {STR("more"), true},        {STR("answer"), false},
	             {STR("answersx"), false}, {STR("ANSWERS"), false}, {STR("out"), false}};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct header headers[] = {{STR("kafka_correlationId"), STR("\0\xff\1")}, {STR("kafka_replyTopic"), cases[i].asked}};
		struct record rec = {.headers = headers, .header_count = 2};
		struct reply reply = reply_read(&settings, &rec);
		assert_int_equal(reply.topic.data != NULL, cases[i].honoured);
		assert_int_equal(reply.refused, !cases[i].honoured);
		assert_true(str_eq(reply.correlation, STR("\0\xff\1")));
	}
}

static void of_a_name_given_twice_the_last_counts(void **state)
{
	(void)state;
	struct str topics[] = {STR("a"), STR("b")};
	struct output_settings settings = allowing(topics, 2);
	struct header headers[] = {{STR("kafka_replyTopic"), STR("a")}, {STR("kafka_replyTopic"), STR("b")}};
	struct record rec = {.headers = headers, .header_count = 2};
	assert_true(str_eq(reply_read(&settings, &rec).topic, STR("b")));
}

static void a_correlation_id_beyond_its_bound_is_not_returned(void **state)
{
	(void)state;
	static const char long_id[REPLY_MAX_CORRELATION_BYTES + 1];
	struct output_settings settings = allowing(NULL, 0);
	struct header headers[] = {{STR("kafka_correlationId"), {long_id, sizeof long_id}}};
	struct record rec = {.headers = headers, .header_count = 1};
	assert_null(reply_read(&settings, &rec).correlation.data);
	headers[0].value.len--;
	assert_int_equal(reply_read(&settings, &rec).correlation.len, REPLY_MAX_CORRELATION_BYTES);
}

static struct str value_of(const struct header *headers, uint32_t count, const char *name)
{
	for (uint32_t i = 0; i < count; i++)
		if (str_is(headers[i].name, name))
			return headers[i].value;
	return STR_NULL;
}

static void each_output_of_an_event_is_an_event_that_names_its_cause(void **state)
{
	(void)state;
	struct header headers[] = {{STR("ce_specversion"), STR("1.0")}, {STR("ce_id"), STR("A-17")}, {STR("ce_source"), STR("/crm")}};
	struct settings settings = {.kafka.group = STR("triage")};
	struct job job = {.rec = {.headers = headers, .header_count = COUNT(headers)}, .dec.id = "0192-x"};
	struct header out[EVENT_HEADERS];
	arena_init(&job.arena, 0);
	uint32_t n = event_headers(&settings, &job, OUTPUT_DECISION, true, 1700000000123, out);
	assert_true(n <= EVENT_HEADERS);
	assert_true(str_is(value_of(out, n, "ce_id"), "0192-x-decision"));
	assert_true(str_is(value_of(out, n, "ce_source"), "/pointsman/triage"));
	assert_true(str_is(value_of(out, n, "ce_type"), "pointsman.decision.v1"));
	assert_true(str_is(value_of(out, n, "ce_time"), "2023-11-14T22:13:20.123Z"));
	assert_true(str_is(value_of(out, n, "ce_causationid"), "A-17"));
	assert_true(str_is(value_of(out, n, "ce_correlationid"), "A-17"));
	assert_true(str_is(value_of(out, n, "content-type"), "application/json"));
	struct header response[EVENT_HEADERS];
	uint32_t m = event_headers(&settings, &job, OUTPUT_RESPONSE, false, 1700000000123, response);
	assert_false(str_eq(value_of(response, m, "ce_id"), value_of(out, n, "ce_id")));
	arena_free(&job.arena);
}

static void what_is_no_event_has_no_event_id(void **state)
{
	(void)state;
	static const char long_id[300] = "x";
	struct header cases[][2] = {
		{{STR("ce_id"), STR("1")}, {STR("other"), STR("1.0")}},
		{{STR("ce_id"), STR("")}, {STR("ce_specversion"), STR("1.0")}},
		{{STR("ce_id"), STR("\xff")}, {STR("ce_specversion"), STR("1.0")}},
		{{STR("ce_id"), STR("a\0b")}, {STR("ce_specversion"), STR("1.0")}},
		{{STR("ce_id"), {long_id, sizeof long_id}}, {STR("ce_specversion"), STR("1.0")}},
		{{STR("ce_id"), STR_NULL}, {STR("ce_specversion"), STR("1.0")}},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct record rec = {.headers = cases[i], .header_count = 2};
		assert_null(event_id(&rec).data);
		assert_false(event_retells(&rec, STR("ce_id")));
	}
	struct record none = {0};
	assert_null(event_id(&none).data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_partition_is_read_as_spring_and_as_node_write_it),
		cmocka_unit_test(only_a_listed_topic_is_honoured),
		cmocka_unit_test(of_a_name_given_twice_the_last_counts),
		cmocka_unit_test(a_correlation_id_beyond_its_bound_is_not_returned),
		cmocka_unit_test(each_output_of_an_event_is_an_event_that_names_its_cause),
		cmocka_unit_test(what_is_no_event_has_no_event_id),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
