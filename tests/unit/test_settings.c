/* test_settings.c: the configuration file as a user writes it: defaults, every setting, each refusal with its words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/json.h"
#include "common/log.h"
#include "worker/job/settings.h"

#define MINIMAL                                                                                                        \
	"kafka: {brokers: 'localhost:9092'}\n"                                                                             \
	"models: [{name: small, base_url: 'http://h/v1', price: free}]\n"                                                  \
	"policy: p.yaml\n"

static int set_up(void **state)
{
	struct arena *arena = heap_alloc(sizeof *arena);
	arena_init(arena, 0);
	*state = arena;
	return setenv("TEST_SETTINGS_KEY", "k-123", 1) | setenv("TEST_SETTINGS_EMPTY", "", 1) | unsetenv("TEST_SETTINGS_UNSET");
}

static int tear_down(void **state)
{
	arena_free(*state);
	free(*state);
	return 0;
}

static void the_smallest_file_gets_the_defaults(void **state)
{
	(void)state;
	struct settings s;
	struct err err = {""};
	if (settings_parse("conf/pm.yaml", STR(MINIMAL), &s, &err) != RC_OK)
		fail_msg("%s", err.text);
	assert_true(str_is(s.kafka.brokers, "localhost:9092") && str_is(s.kafka.group, "pointsman"));
	assert_true(s.kafka.instance.data == NULL && s.kafka.classic_protocol);
	assert_true(s.kafka.delivery == DELIVERY_EXACTLY_ONCE && s.kafka.start == START_EARLIEST);
	assert_true(s.kafka.session_timeout_ms == 6000 && s.kafka.transaction_timeout_ms == 10000 && s.kafka.drain_on_revoke_ms == 2000);
	assert_true(s.commit.max_records == 2000 && s.commit.max_bytes == 16000000);
	assert_true(s.input.topics.count == 1 && str_is(s.input.topics.items[0], "llm.requests"));
	assert_true(s.input.format == FORMAT_AUTO && s.input.max_bytes == 4000000 && s.input.field_prompt.data == NULL);
	assert_true(str_is(s.output.responses, "llm.responses") && str_is(s.output.decisions, "llm.decisions"));
	assert_true(str_is(s.output.dead_letters, "llm.dead-letters") && s.output.format == FORMAT_INPUT && !s.output.dead_letter_expired);
	assert_true(s.redis.url.data == NULL && str_is(s.redis.key_prefix, "pm") && s.registry.url.data == NULL);
	assert_true(s.cache.enabled && s.cache.near_entries == 50000 && s.cache.ttl_ms == 86400000 && s.cache.secret.data == NULL);
	assert_true(s.engine.max_jobs == 4096 && s.engine.max_bytes == 256000000 && s.engine.attempts == 4 && s.engine.deciders == 0);
	assert_true(s.engine.shutdown_grace_ms == 120000 && s.engine.default_deadline_ms == 600000 && s.engine.max_deadline_ms == 86400000);
	assert_true(str_is(s.admin.listen, "127.0.0.1:9464") && s.log.level == LOG_INFO && s.log.format == LOG_AUTO);
	assert_true(str_is(s.policy_file, "conf/p.yaml") && str_is(s.file, "conf/pm.yaml"));
	assert_int_equal(s.model_count, 1);
	const struct model_settings *m = &s.models[0];
	assert_true(str_is(m->model, "small") && m->provider == PROVIDER_OPENAI && m->price.given && m->price.free && m->api_key.data == NULL);
	assert_true(m->concurrency == 64 && m->timeout_ms == 60000 && m->max_answer_bytes == 1000000);
	assert_int_equal(settings_model(&s, STR("small")), 0);
	assert_int_equal(settings_model(&s, STR("smal")), -1);
	settings_free(&s);
	settings_free(NULL);
}

static void every_setting_arrives_in_its_field(void **state)
{
	(void)state;
	struct settings s;
	struct err err = {""};
	static const char text[] =
		"kafka:\n"
		"  brokers: a:1,b:2\n"
		"  group: g\n"
		"  instance: g-0\n"
		"  delivery: at_least_once\n"
		"  start: latest\n"
		"  group_protocol: classic\n"
		"  session_timeout: 45s\n"
		"  transaction_timeout: 15s\n"
		"  drain_on_revoke: 500ms\n"
		"  properties: {security.protocol: SASL_SSL, linger.ms: 5}\n"
		"commit: {max_records: 1k, max_bytes: 2 MiB, interval: 2s}\n"
		"input:\n"
		"  topics: [t1, t2]\n"
		"  format: avro-single-object\n"
		"  max_bytes: 512KB\n"
		"  fields: {id: a.id, prompt: '{a.x}: {a.y}', messages: m, tenant: t, conversation_id: c, job_id: j, deadline: d, priority: p,\n"
		"           embedding: e, route_hint: r, attributes: {product: a.product, lang: a.lang}}\n"
		"  schema_dir: schemas\n"
		"  schema_missing_after: 1h\n"
		"output: {responses: r, decisions: d, dead_letters: x, format: json, carry: a.queue, fields: {number: id}, dead_letter_expired: true,\n"
		"         max_bytes: 900KB, headers: ['*']}\n"
		"registry: {url: 'http://r:8081/apis', user: u, password: pw, timeout: 1s}\n"
		"redis: {url: 'unix:///s.sock?db=1', password_env: TEST_SETTINGS_KEY, key_prefix: x, timeout: 20ms}\n"
		"cache: {enabled: true, near_entries: 10k, ttl: 7d, unsure_ttl: 30s, secret: s}\n"
		"models:\n"
		"  - name: small\n"
		"    base_url: https://host/v1//\n"
		"    model: qwen3-8b\n"
		"    api_key_env: TEST_SETTINGS_KEY\n"
		"    price: {input: 0.10, output: 0.40}\n"
		"    params: {set: {temperature: 0, effort: low, flag: true, text: '1', none: ~, deep: {a: [1, b]}}, drop: [stop], rename: {max_tokens: mct}}\n"
		"    auth: {header: api-key}\n"
		"    headers: {x-team: support}\n"
		"    query: {api-version: 2024-10-21}\n"
		"    limits: {concurrency: 256, max_waiting: 2k, when_full: park, park_topic: later}\n"
		"    timeout: 1.5s\n"
		"    connect_timeout: 250ms\n"
		"    max_answer_bytes: 2 MB\n"
		"    tags: {region: eu}\n"
		"    context_tokens: 32k\n"
		"    allow_addresses: [link-local]\n"
		"  - {name: big, base_url: 'http://b/v1', price: {input: 3, cached: 0.3, output: 15}}\n"
		"policy: /etc/p.yaml\n"
		"engine: {max_jobs: 10, deciders: 2, max_bytes: 1 GiB, shutdown_grace: 0, default_deadline: 1d, max_deadline: 1h, attempts: 9}\n"
		"admin: {listen: off}\n"
		"log: {level: warn, format: json}\n";
	if (settings_parse("/c/pm.yaml", str_of(text), &s, &err) != RC_OK)
		fail_msg("%s", err.text);
	assert_true(str_is(s.kafka.instance, "g-0") && s.kafka.delivery == DELIVERY_AT_LEAST_ONCE && s.kafka.start == START_LATEST);
	assert_true(s.kafka.session_timeout_ms == 45000 && s.kafka.drain_on_revoke_ms == 500 && s.kafka.properties.count == 2);
	assert_true(str_is(s.kafka.properties.items[1].name, "linger.ms") && str_is(s.kafka.properties.items[1].value, "5"));
	assert_true(s.commit.max_records == 1000 && s.commit.max_bytes == 2097152 && s.commit.interval_ms == 2000);
	assert_true(s.input.topics.count == 2 && s.input.format == FORMAT_AVRO_SINGLE_OBJECT && s.input.max_bytes == 512000);
	assert_true(str_is(s.input.field_prompt, "{a.x}: {a.y}") && str_is(s.input.field_route_hint, "r") && str_is(s.input.field_deadline, "d"));
	assert_true(s.input.field_attributes.count == 2 && str_is(s.input.field_attributes.items[1].value, "a.lang"));
	assert_true(str_is(s.input.schema_dir, "/c/schemas") && s.input.schema_missing_after_ms == 3600000);
	assert_true(s.output.format == FORMAT_JSON && s.output.carry.count == 1 && s.output.fields.count == 1 && s.output.dead_letter_expired);
	assert_true(s.output.max_bytes == 900000 && str_is(s.output.header_allow.items[0], "*"));
	assert_true(str_is(s.registry.url, "http://r:8081/apis") && str_is(s.registry.password, "pw") && s.registry.bearer.data == NULL);
	assert_true(str_is(s.redis.password, "k-123") && s.redis.timeout_ms == 20);
	assert_true(s.cache.near_entries == 10000 && s.cache.ttl_ms == 604800000 && s.cache.unsure_ttl_ms == 30000 && str_is(s.cache.secret, "s"));
	const struct model_settings *m = &s.models[0];
	assert_true(str_is(m->base_url, "https://host/v1") && str_is(m->api_key, "k-123") && str_is(m->auth_header, "api-key"));
	assert_true(m->price.input == 0.10 && m->price.cached == 0.10 && m->price.output == 0.40 && !m->price.free);
	static const char *const set[][2] = {
		{"temperature", "0"}, {"effort", "\"low\""}, {"flag", "true"}, {"text", "\"1\""}, {"none", "null"}, {"deep", "{\"a\":[1,\"b\"]}"},
	};
	assert_int_equal(m->params_set.count, 6);
	for (unsigned i = 0; i < 6; i++)
		assert_true(str_is(m->params_set.items[i].name, set[i][0]) && str_is(m->params_set.items[i].value, set[i][1]));
	assert_true(m->params_drop.count == 1 && str_is(m->params_rename.items[0].value, "mct"));
	assert_true(m->concurrency == 256 && m->timeout_ms == 1500 && m->connect_timeout_ms == 250);
	assert_true(m->max_waiting == 2000 && m->when_full == FULL_PARK && str_is(m->park_topic, "later"));
	assert_true(settings_is_park_topic(&s, STR("later")) && !settings_is_park_topic(&s, STR("t1")));
	assert_int_equal(m->context_tokens, 32000);
	assert_true(m->max_answer_bytes == 2000000 && m->allow_addresses.count == 1);
	assert_true(str_is(m->headers.items[0].name, "x-team") && str_is(m->query.items[0].value, "2024-10-21") && m->at->line == 27);
	assert_true(s.models[1].price.cached == 0.3 && settings_model(&s, STR("big")) == 1);
	assert_true(str_is(s.policy_file, "/etc/p.yaml") && s.engine.max_bytes == 1073741824 && s.engine.shutdown_grace_ms == 0);
	assert_true(s.engine.default_deadline_ms == 3600000); /* clamped to max_deadline */
	assert_true(s.admin.listen.data == NULL && s.log.level == LOG_WARN && s.log.format == LOG_JSON);
	settings_free(&s);
}

/* Each text is put behind MINIMAL's three lines, so its own begins in line 4; "!" replaces MINIMAL. */
static const struct {
	const char *text, *message;
} refused[] = {
	{"!", "s.yaml:1:1: error: \"kafka.brokers\" is missing\n   1 | \n     | ^  add \"brokers: localhost:9092\" to kafka"},
	{"!kafka: {group: g}\n",
	 "s.yaml:1:1: error: \"kafka.brokers\" is missing\n   1 | kafka: {group: g}\n     | ^~~~~  add \"brokers: localhost:9092\" to kafka"},
	{"!kafka: {brokers: b}\npolicy: p\n", "s.yaml:1:1: error: \"models\" is missing\n   1 | kafka: {brokers: b}\n     | ^  add \"models\""},
	{"!kafka: {brokers: b}\nmodels: []\npolicy: p\n", "s.yaml:2:9: error: at least one model is needed\n   2 | models: []\n     |         ^"},
	{"!kafka: {brokers: b}\nmodels: [{name: m, base_url: 'http://h', price: free}]\n",
	 "s.yaml:1:1: error: \"policy\" is missing\n   1 | kafka: {brokers: b}\n     | ^  add \"policy: policy.yaml\""},
	{"!kafka: {brokers: b}\nmodels:\n  - name: m\n    base_url: http://h\npolicy: p\n",
	 "s.yaml:3:5: error: \"models.price\" is missing\n   3 |   - name: m\n     |     ^  add \"price: {input: 0.10, output: 0.40}\" to models"},
	{"!kafka: {brokers: b}\nmodels:\n  - name: m\n    price: cheap\n    base_url: http://h\npolicy: p\n",
	 "s.yaml:4:12: error: this is no price\n   4 |     price: cheap\n     |            ^~~~~  free, or {input: 0.10, output: 0.40} in USD per million tokens"},
	{"!kafka: {brokers: b}\nmodels: {name: m}\npolicy: p\n",
	 "s.yaml:2:9: error: \"models\" is a list of maps\n   2 | models: {name: m}\n     |         ^  begin each with a dash"},
	{"!kafka: {brokers: b}\nmodels: [{name: m, base_url: 'ftp://h', price: free}]\npolicy: p\n",
	 "s.yaml:2:30: error: a URL with http:// or https:// is expected\n   2 | models: [{name: m, base_url: 'ftp://h', price: free}]\n"
	 "     |                              ^~~~~~~~~  for example http://localhost:8000/v1"},
	{"!kafka: {brokers: b}\nmodels:\n- {name: m, base_url: 'http://h', price: free}\n- {name: m, base_url: 'http://h', price: free}\npolicy: p\n",
	 "s.yaml:4:10: error: a model \"m\" is already in line 3\n   4 | - {name: m, base_url: 'http://h', price: free}\n     |          ^"},
	{"!kafka: {brokers: b}\nmodels:\n- name: m\n  base_url: http://h\n  price: free\n  limits: {when_full: next}\npolicy: p\n",
	 "s.yaml:6:23: error: without max_waiting the model is never full\n   6 |   limits: {when_full: next}\n     |                       ^~~~  add \"max_waiting: 200\""},
	{"!kafka: {brokers: b}\nmodels:\n- name: m\n  base_url: http://h\n  price: free\n  limits: {max_waiting: 1, when_full: park}\npolicy: p\n",
	 "s.yaml:6:39: error: park needs a topic to park in\n   6 |   limits: {max_waiting: 1, when_full: park}\n     |                                       ^~~~  add \"park_topic: NAME\""},
	{"!kafka: {brokers: b}\nmodels:\n- name: m\n  base_url: http://h\n  price: free\n  limits: {park_topic: llm.decisions}\npolicy: p\n",
	 "s.yaml:6:24: error: this is an output topic: what is parked there would never be answered\n   6 |   limits: {park_topic: llm.decisions}\n     |                        ^~~~~~~~~~~~~"},
	{"rollout: {mode: shadow}\n", "s.yaml:4:1: error: unknown setting \"rollout\"\n   4 | rollout: {mode: shadow}\n     | ^~~~~~~"},
	{"engin: {max_jobs: 1}\n", "s.yaml:4:1: error: unknown setting \"engin\"\n   4 | engin: {max_jobs: 1}\n     | ^~~~~  did you mean \"engine\"?"},
	{"cache: {secert_env: X}\n",
	 "s.yaml:4:9: error: unknown setting \"secert_env\"\n   4 | cache: {secert_env: X}\n     |         ^~~~~~~~~~  did you mean \"secret_env\"?"},
	{"engine: {attempts: 0}\n", "s.yaml:4:20: error: \"attempts\" must be between 1 and 100\n   4 | engine: {attempts: 0}\n     |                    ^"},
	{"engine: {attempts: '3'}\n",
	 "s.yaml:4:20: error: \"attempts\" is a whole number, with k, M or G where it helps; in quotes it is a text\n   4 | engine: {attempts: '3'}\n"
	 "     |                    ^~~  take the quotes away"},
	{"engine: {attempts: 1.5}\n",
	 "s.yaml:4:20: error: \"attempts\" is a whole number, with k, M or G where it helps, not \"1.5\"\n   4 | engine: {attempts: 1.5}\n"
	 "     |                    ^~~"},
	{"engine: {shutdown_grace: 10}\n",
	 "s.yaml:4:26: error: \"shutdown_grace\" is a duration such as 250ms, 10s, 5m, 24h or 7d, not \"10\"\n   4 | engine: {shutdown_grace: 10}\n"
	 "     |                          ^~"},
	{"engine: {shutdown_grace: 5h}\n",
	 "s.yaml:4:26: error: \"shutdown_grace\" must be between 0 and 1h\n   4 | engine: {shutdown_grace: 5h}\n     |                          ^~"},
	{"input: {max_bytes: big}\n",
	 "s.yaml:4:20: error: \"max_bytes\" is a size such as 512 KB, 4 MB or 1 GiB, not \"big\"\n   4 | input: {max_bytes: big}\n     |                    ^~~"},
	{"input: {format: avro}\n",
	 "s.yaml:4:17: error: unknown value \"avro\" for \"format\"\n   4 | input: {format: avro}\n     |                 ^~~~  did you mean \"auto\"?"},
	{"output: {format: auto}\n",
	 "s.yaml:4:18: error: unknown value \"auto\" for \"format\"\n   4 | output: {format: auto}\n"
	 "     |                  ^~~~  one of json, avro-single-object, avro-confluent, input"},
	{"output: {dead_letter_expired: yes}\n",
	 "s.yaml:4:31: error: \"dead_letter_expired\" is true or false, not \"yes\"\n   4 | output: {dead_letter_expired: yes}\n     |                               ^~~"},
	{"output: {responses: [a]}\n",
	 "s.yaml:4:21: error: a single value is expected for \"responses\", not a list\n   4 | output: {responses: [a]}\n     |                     ^"},
	{"input: {topics: {a: b}}\n", "s.yaml:4:17: error: \"topics\" is a list of texts\n   4 | input: {topics: {a: b}}\n     |                 ^"},
	{"input: {topics: [[a]]}\n", "s.yaml:4:18: error: a text is expected in the list \"topics\"\n   4 | input: {topics: [[a]]}\n     |                  ^"},
	{"input: {topics: [a, b, a]}\n", "s.yaml:4:24: error: this topic is in the list already\n   4 | input: {topics: [a, b, a]}\n     |                        ^"},
	{"input: llm\n", "s.yaml:4:8: error: a map of settings is expected for input\n   4 | input: llm\n     |        ^~~"},
	{"input: {fields: {attributes: [a]}}\n",
	 "s.yaml:4:30: error: \"attributes\" is a map of names and values\n   4 | input: {fields: {attributes: [a]}}\n     |                              ^"},
	{"output: {responses: llm.requests}\n",
	 "s.yaml:4:21: error: output.responses and input.topics are the same topic: the worker would read what it writes\n"
	 "   4 | output: {responses: llm.requests}\n     |                     ^~~~~~~~~~~~"},
	{"input: {format: avro-confluent}\n",
	 "s.yaml:4:17: error: avro-confluent needs a schema registry\n   4 | input: {format: avro-confluent}\n"
	 "     |                 ^~~~~~~~~~~~~~  add \"registry: {url: http://localhost:8081}\""},
	{"output: {format: avro-single-object, fields: {a: id}}\n",
	 "s.yaml:4:46: error: a shape of its own is only possible in JSON\n   4 | output: {format: avro-single-object, fields: {a: id}}\n"
	 "     |                                              ^  add \"format: json\" to output"},
	{"redis: {url: 'redis://localhost'}\n",
	 "s.yaml:4:14: error: a shared cache needs a secret, the same in all replicas: without one its keys would tell the prompts\n"
	 "   4 | redis: {url: 'redis://localhost'}\n     |              ^~~~~~~~~~~~~~~~~~~  add \"cache: {secret_env: POINTSMAN_CACHE_SECRET}\""},
	{"redis: {url: localhost}\n",
	 "s.yaml:4:14: error: a URL with redis:// or unix:// is expected\n   4 | redis: {url: localhost}\n"
	 "     |              ^~~~~~~~~  for example redis://localhost:6379/0"},
	{"cache: {secret_env: TEST_SETTINGS_UNSET}\n",
	 "s.yaml:4:21: error: the environment variable \"TEST_SETTINGS_UNSET\" is not set\n   4 | cache: {secret_env: TEST_SETTINGS_UNSET}\n"
	 "     |                     ^~~~~~~~~~~~~~~~~~~"},
	{"cache: {secret_env: TEST_SETTINGS_EMPTY}\n",
	 "s.yaml:4:21: error: this environment variable is empty\n   4 | cache: {secret_env: TEST_SETTINGS_EMPTY}\n     |                     ^~~~~~~~~~~~~~~~~~~"},
	{"cache: {secret: a, secret_env: B}\n",
	 "s.yaml:4:32: error: \"secret\" is given twice, in line 4 and here\n   4 | cache: {secret: a, secret_env: B}\n     |                                ^"},
	{"cache: {secret_file: /nonexistent/x}\n",
	 "s.yaml:4:22: error: the file cannot be read: /nonexistent/x: error: No such file or directory\n   4 | cache: {secret_file: /nonexistent/x}\n"
	 "     |                      ^~~~~~~~~~~~~~"},
	{"cache: {near_entries: -1}\n",
	 "s.yaml:4:23: error: \"near_entries\" must be between 0 and 100M\n   4 | cache: {near_entries: -1}\n     |                       ^~"},
};

static void what_cannot_work_is_refused_with_its_place_and_advice(void **state)
{
	for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
		struct settings s = {.model_count = 77};
		struct err err = {""};
		bool whole = refused[i].text[0] == '!';
		struct str text = arena_printf(*state, "%s%s", whole ? "" : MINIMAL, refused[i].text + whole);
		assert_int_equal(settings_parse("s.yaml", text, &s, &err), RC_BAD_INPUT);
		assert_string_equal(err.text, refused[i].message);
		assert_int_equal(s.model_count, 77);
	}
}

static void properties_that_the_worker_owns_are_refused_with_the_setting_to_use(void **state)
{
	static const char *const owned[][2] = {
		{"isolation.level", "read_committed"}, {"enable.auto.commit", "kafka.delivery"}, {"enable.auto.offset.store", "kafka.delivery"},
		{"auto.offset.reset", "kafka.start"}, {"transactional.id", "kafka.instance"}, {"transaction.timeout.ms", "kafka.transaction_timeout"},
		{"group.id", "kafka.group"}, {"bootstrap.servers", "kafka.brokers"}, {"enable.idempotence", "kafka.delivery"},
		{"group.instance.id", "kafka.instance"}, {"session.timeout.ms", "kafka.session_timeout"},
		{"partition.assignment.strategy", "cooperative-sticky"}, {"group.protocol", "kafka.group_protocol"},
	};
	for (size_t i = 0; i < sizeof owned / sizeof owned[0]; i++) {
		struct settings s;
		struct err err = {""};
		struct str text = arena_printf(*state, "kafka:\n  brokers: b\n  properties:\n    ssl.ca.location: x\n    %s: 1\n"
		                                       "models: [{name: m, base_url: 'http://h', price: free}]\npolicy: p\n", owned[i][0]);
		assert_int_equal(settings_parse("s.yaml", text, &s, &err), RC_BAD_INPUT);
		assert_true(str_starts(str_of(err.text), arena_printf(*state, "s.yaml:5:5: error: \"%s\" cannot be set here\n", owned[i][0])));
		assert_non_null(strstr(err.text, owned[i][1]));
	}
}

static struct buf written(void **state, void (*write)(struct buf *))
{
	struct buf out;
	buf_init(&out, *state, 0);
	write(&out);
	return out;
}

static void the_example_loads_and_so_does_every_line_of_it_uncommented(void **state)
{
	struct buf example = written(state, settings_write_example), all;
	struct settings s;
	struct err err = {""};
	if (settings_parse("e.yaml", buf_view(&example), &s, &err) != RC_OK)
		fail_msg("%s", err.text);
	assert_true(str_is(s.models[0].name, "small"));
	settings_free(&s);

	/* take the # off each "#name:", but for the second way to give a token */
	buf_init(&all, *state, 0);
	for (size_t i = 0; i < example.len; i++) {
		const char *p = example.data + i;
		bool setting = *p == '#' && i + 1 < example.len && p[1] >= 'a' && p[1] <= 'z' && !str_starts((struct str){p, example.len - i}, STR("#token_file"));
		if (!setting)
			buf_char(&all, *p);
	}
	static const char *const names[] = {"SMALL_KEY", "REGISTRY_PASSWORD", "REGISTRY_TOKEN", "REDIS_PASSWORD", "POINTSMAN_CACHE_SECRET"};
	for (size_t i = 0; i < 5; i++)
		assert_int_equal(setenv(names[i], "a-secret-value", 1), 0);
	if (settings_parse("all.yaml", buf_view(&all), &s, &err) != RC_OK)
		fail_msg("%s", err.text);
	assert_int_equal(s.models[0].context_tokens, 32768);
	assert_true(str_is(s.models[0].tags.items[0].value, "eu") && str_is(s.kafka.instance, "triage-0") && str_is(s.cache.secret, "a-secret-value"));

	struct buf effective;
	buf_init(&effective, *state, 0);
	settings_write_effective(&s, &effective);
	buf_char(&effective, '\0');
	assert_null(strstr(effective.data, "a-secret-value"));
	assert_non_null(strstr(effective.data, "    api_key: \"***\"\n"));
	assert_non_null(strstr(effective.data, "headers: {\"x-team\": \"***\"}\n"));
	settings_free(&s);
	for (size_t i = 0; i < 5; i++)
		assert_int_equal(unsetenv(names[i]), 0);
	/* what is printed can be read again */
	if (settings_parse("again.yaml", (struct str){effective.data, effective.len - 1}, &s, &err) != RC_OK)
		fail_msg("%s", err.text);
	settings_free(&s);
}

static void the_effective_settings_hide_passwords_wherever_they_are(void **state)
{
	struct settings s;
	struct err err = {""};
	struct str text = STR("kafka: {brokers: b, properties: {sasl.username: joe, sasl.password: hidden1, ssl.key.pem: hidden2}}\n"
	                      "redis: {url: 'redis://:hidden3@h:1/0'}\n"
	                      "registry: {url: 'https://u:hid@den4@h/x@y'}\n"
	                      "cache: {secret: hidden5}\n"
	                      "models: [{name: m, base_url: 'http://h', price: free, query: {key: hidden6}, headers: {x: hidden7}, api_key: hidden8}]\n"
	                      "policy: p\n");
	if (settings_parse("s.yaml", text, &s, &err) != RC_OK)
		fail_msg("%s", err.text);
	struct buf out;
	buf_init(&out, *state, 0);
	settings_write_effective(&s, &out);
	buf_char(&out, '\0');
	assert_null(strstr(out.data, "hid"));
	assert_non_null(strstr(out.data, "\"sasl.username\": \"joe\""));
	assert_non_null(strstr(out.data, "\"redis://***@h:1/0\""));
	assert_non_null(strstr(out.data, "\"https://***@h/x@y\""));
	settings_free(&s);
}

static void the_schema_is_json_and_the_reference_names_every_setting(void **state)
{
	struct buf schema = written(state, settings_write_schema), reference = written(state, settings_write_reference);
	const struct json *j = NULL;
	struct err err = {""};
	if (json_parse(*state, buf_view(&schema), (struct json_limits){0}, &j, &err) != RC_OK)
		fail_msg("%s", err.text);
	assert_true(str_is(json_str(json_get(j, STR("$schema"))), "https://json-schema.org/draft/2020-12/schema"));
	assert_true(str_is(json_str(json_path(j, STR("properties.models.items.properties.limits.properties.concurrency.default"))), "64"));
	assert_non_null(json_path(j, STR("properties.cache.properties.secret_env")));
	assert_true(str_is(json_str(json_path(j, STR("properties.models.items.required.2"))), "price"));
	assert_true(str_is(json_str(json_path(j, STR("properties.output.properties.format.enum.0"))), "json"));
	buf_char(&reference, '\0');
	static const char *const rows[] = {
		"| `brokers` | text | **required** |", "### models[].limits\n", "| `secret`, `secret_env`, `secret_file` | secret |",
		"| `session_timeout` | duration, 1s to 30m | `6s` |", "| `delivery` | `exactly_once`, `at_least_once` | `exactly_once` |",
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		assert_non_null(strstr(reference.data, rows[i]));
}

static void secrets_and_tokens_are_read_from_files_beside_the_configuration(void **state)
{
	char folder[] = "/tmp/test_settings.XXXXXX";
	assert_non_null(mkdtemp(folder));
	struct str conf = arena_printf(*state, "%s/pm.yaml", folder), secret = arena_printf(*state, "%s/secret", folder);
	FILE *f = fopen(secret.data, "w");
	assert_non_null(f);
	assert_true(fputs("from-file\r\nsecond line\n", f) >= 0);
	assert_int_equal(fclose(f), 0);
	f = fopen(conf.data, "w");
	assert_non_null(f);
	assert_true(fputs("kafka: {brokers: b}\npolicy: p.yaml\ncache: {secret_file: secret}\n"
	                  "models: [{name: m, base_url: 'http://h', price: free, auth: {token_file: secret}}]\n", f) >= 0);
	assert_int_equal(fclose(f), 0);
	struct settings s;
	struct err err = {""};
	if (settings_load(conf.data, &s, &err) != RC_OK)
		fail_msg("%s", err.text);
	assert_true(str_is(s.cache.secret, "from-file") && str_is(s.models[0].api_key, "from-file"));
	assert_true(str_eq(s.models[0].token_file, secret) && str_eq(s.policy_file, arena_printf(*state, "%s/p.yaml", folder)));
	settings_free(&s);
	assert_int_equal(truncate(secret.data, 0), 0);
	assert_int_equal(settings_load(conf.data, &s, &err), RC_BAD_INPUT);
	assert_non_null(strstr(err.text, "the first line of this file is empty"));
	assert_int_equal(unlink(secret.data), 0);
	assert_int_equal(settings_load_no_secrets(conf.data, &s, &err), RC_OK);
	assert_true(s.cache.secret.data == NULL && s.models[0].api_key.data == NULL);
	settings_free(&s);
	assert_int_equal(unlink(conf.data), 0);
	assert_int_equal(rmdir(folder), 0);
	assert_int_equal(settings_load(conf.data, &s, &err), RC_BAD_INPUT);
	assert_non_null(strstr(err.text, "pm.yaml: error: No such file or directory"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_smallest_file_gets_the_defaults, set_up, tear_down),
		cmocka_unit_test_setup_teardown(every_setting_arrives_in_its_field, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_cannot_work_is_refused_with_its_place_and_advice, set_up, tear_down),
		cmocka_unit_test_setup_teardown(properties_that_the_worker_owns_are_refused_with_the_setting_to_use, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_example_loads_and_so_does_every_line_of_it_uncommented, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_effective_settings_hide_passwords_wherever_they_are, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_schema_is_json_and_the_reference_names_every_setting, set_up, tear_down),
		cmocka_unit_test_setup_teardown(secrets_and_tokens_are_read_from_files_beside_the_configuration, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
