/* test_kafka_conf.c: what the user may change of librdkafka's configuration, and what he may not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "worker/stream/kafka_conf.h"

static void load(const char *kafka, struct settings *ret)
{
	char text[600];
	struct err err;
	snprintf(text, sizeof text,
	         "kafka: {brokers: 'localhost:9092', group: g, %s}\n"
	         "models: [{name: small, base_url: 'http://h/v1', price: free}]\n"
	         "policy: p.yaml\n",
	         kafka);
	if (settings_parse("pm.yaml", str_of(text), ret, &err) != RC_OK)
		fail_msg("%s", err.text);
}

static void assert_property(rd_kafka_conf_t *conf, const char *name, const char *want)
{
	char value[256];
	size_t size = sizeof value;
	assert_int_equal(rd_kafka_conf_get(conf, name, value, &size), RD_KAFKA_CONF_OK);
	assert_string_equal(value, want);
}

static void properties_on_which_the_promise_rests_are_refused_by_name(void **state)
{
	(void)state;
	static const char *const names[] = {
		"isolation.level",   "enable.auto.commit",     "enable.auto.offset.store", "auto.offset.reset",  "transactional.id",
		"group.id",          "transaction.timeout.ms", "enable.idempotence",       "bootstrap.servers",  "group.instance.id",
		"session.timeout.ms", "group.protocol",        "enable.partition.eof",     "partition.assignment.strategy",
	};
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		struct settings s;
		struct err err;
		rd_kafka_conf_t *conf;
		struct pair pair = {.name = str_of(names[i]), .value = STR("x")};
		load("instance: w", &s);
		s.kafka.properties = (struct pair_list){.items = &pair, .count = 1}; /* the file's own check may be stricter */
		assert_int_equal(kafka_conf_consumer(&s, NULL, &conf, &err), RC_BAD_INPUT);
		assert_non_null(strstr(err.text, names[i]));
		assert_int_equal(kafka_conf_producer(&s, NULL, "t", &conf, &err), RC_BAD_INPUT);
		settings_free(&s);
	}
}

static void a_property_that_does_not_exist_or_does_not_fit_is_refused_with_its_name(void **state)
{
	(void)state;
	static const char *const bad[][2] = {{"properties: {no.such.thing: '1'}", "no.such.thing"},
	                                     {"properties: {linger.ms: soon}", "linger.ms"}};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct settings s;
		struct err err;
		rd_kafka_conf_t *conf;
		load(bad[i][0], &s);
		assert_int_equal(kafka_conf_base(&s, NULL, &conf, &err), RC_BAD_INPUT);
		assert_non_null(strstr(err.text, bad[i][1]));
		settings_free(&s);
	}
}

static void what_the_worker_only_prefers_the_user_may_change(void **state)
{
	(void)state;
	struct settings s;
	struct err err;
	rd_kafka_conf_t *conf;
	load("properties: {queued.max.messages.kbytes: '512', retry.backoff.ms: '70', message.max.bytes: '2000000'}", &s);
	if (kafka_conf_consumer(&s, NULL, &conf, &err) != RC_OK)
		fail_msg("%s", err.text);
	assert_property(conf, "queued.max.messages.kbytes", "512");
	assert_property(conf, "retry.backoff.ms", "70");
	rd_kafka_conf_destroy(conf);
	settings_free(&s);
}

static void a_consumer_reads_committed_records_and_commits_nothing_by_itself(void **state)
{
	(void)state;
	struct settings s;
	struct err err;
	rd_kafka_conf_t *conf;
	load("instance: w-0, session_timeout: 8s", &s);
	if (kafka_conf_consumer(&s, NULL, &conf, &err) != RC_OK)
		fail_msg("%s", err.text);
	static const char *const want[][2] = {
		{"isolation.level", "read_committed"}, {"enable.auto.commit", "false"}, {"auto.offset.reset", "error"},
		{"group.id", "g"}, {"group.instance.id", "w-0"}, {"session.timeout.ms", "8000"}, {"heartbeat.interval.ms", "2000"},
		{"partition.assignment.strategy", "cooperative-sticky"}, {"enable.partition.eof", "true"},
	};
	for (size_t i = 0; i < sizeof want / sizeof want[0]; i++)
		assert_property(conf, want[i][0], want[i][1]);
	rd_kafka_conf_destroy(conf);
	settings_free(&s);
}

static void a_producer_is_transactional_only_when_it_has_an_id(void **state)
{
	(void)state;
	struct settings s;
	struct err err;
	rd_kafka_conf_t *conf;
	load("transaction_timeout: 12s", &s);
	if (kafka_conf_producer(&s, NULL, "g-w", &conf, &err) != RC_OK)
		fail_msg("%s", err.text);
	assert_property(conf, "transactional.id", "g-w");
	assert_property(conf, "transaction.timeout.ms", "12000");
	rd_kafka_conf_destroy(conf);
	if (kafka_conf_producer(&s, NULL, NULL, &conf, &err) != RC_OK)
		fail_msg("%s", err.text);
	assert_property(conf, "enable.idempotence", "true");
	char id[16];
	size_t size = sizeof id;
	assert_int_equal(rd_kafka_conf_get(conf, "transactional.id", id, &size), RD_KAFKA_CONF_UNKNOWN); /* not set */
	rd_kafka_conf_destroy(conf);
	settings_free(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(properties_on_which_the_promise_rests_are_refused_by_name),
		cmocka_unit_test(a_property_that_does_not_exist_or_does_not_fit_is_refused_with_its_name),
		cmocka_unit_test(what_the_worker_only_prefers_the_user_may_change),
		cmocka_unit_test(a_consumer_reads_committed_records_and_commits_nothing_by_itself),
		cmocka_unit_test(a_producer_is_transactional_only_when_it_has_an_id),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
