/*
 * check_config.c: `pointsman check-config`: everything that can be known before the first record.
 *
 * The one idea: one line a fact, each with what to do about it. Without --connect nothing leaves the process.
 */
#include "common/http.h"
#include "worker/cache/cache.h"
#include "worker/cli/cli.h"
#include "worker/cli/destinations.h"
#include "worker/stream/topics.h"
#include "worker/upstream/upstream.h"
#include "worker/wire/wire.h"

enum { TIMEOUT_MS = 10000, REGISTRY_MAX_BODY = 1 << 20 };

static const char usage[] = "-c FILE [--connect [--spend]]\n";
static const char about[] = "Reads the configuration and its policy and says what is wrong, with file, line and column.\n";
static const char example[] = "pointsman check-config -c triage/pointsman.yaml --connect\n";

struct asked {
	const char *config;
	bool connect, spend;
};

/* Counts what failed; a failed check does not stop the others. */
static void tell(enum rc rc, const struct err *err, const char *what, int *failures)
{
	if (rc == RC_OK) {
		cli_mark(MARK_OK, "%s", what);
		return;
	}
	cli_mark(MARK_FAILED, "%s: %s", what, err->text);
	(*failures)++;
}

static void check_topics(const struct asked *asked, const struct settings *settings, const struct policy *policy, struct topics *topics,
                         int *failures)
{
	struct arena arena;
	arena_init(&arena, 0);
	struct destinations all = destinations_of(settings, policy, &arena);
	int input_partitions = 0;
	for (unsigned i = 0; i < all.count; i++) {
		struct err err;
		int have = 0;
		enum rc rc = topics_partitions(topics, all.items[i].name, &have, &err);
		if (rc == RC_OK && have == 0 && strcmp(all.items[i].use, DESTINATION_REPLIES) == 0) {
			cli_mark(MARK_WARN, "topic %s (%s) is missing; whoever waits for replies there has to make it", all.items[i].name, all.items[i].use);
			continue;
		}
		if (rc != RC_OK || have == 0) {
			cli_mark(MARK_FAILED, "topic %s (%s): %s", all.items[i].name, all.items[i].use, rc != RC_OK ? err.text : "missing");
			(*failures)++;
			if (rc == RC_OK)
				printf("         -> pointsman topics -c %s --create\n", asked->config);
			continue;
		}
		cli_mark(MARK_OK, "topic %s (%s), %d partitions", all.items[i].name, all.items[i].use, have);
		if (i == 0)
			input_partitions = have;
		else if (strcmp(all.items[i].use, "input") != 0 && strcmp(all.items[i].use, DESTINATION_REPLIES) != 0 && have != input_partitions)
			cli_mark(MARK_WARN, "topic %s has another number of partitions than the input: not co-partitioned with it", all.items[i].name);
	}
	arena_free(&arena);
}

static void check_kafka(const struct asked *asked, const struct settings *settings, const struct policy *policy, int *failures)
{
	struct err err;
	struct topics *topics = NULL;
	enum rc rc = topics_open(settings, TIMEOUT_MS, &topics, &err);
	tell(rc, &err, "brokers", failures);
	if (rc != RC_OK)
		return;
	if (settings->kafka.delivery == DELIVERY_EXACTLY_ONCE)
		tell(topics_try_transaction(settings, TIMEOUT_MS, &err), &err, "transactions", failures);
	check_topics(asked, settings, policy, topics, failures);
	topics_close(topics);
}

static enum rc ask_registry(const struct settings *settings, struct err *err)
{
	struct arena arena;
	struct http_answer answer;
	arena_init(&arena, 0);
	struct http *http = http_new(settings->registry.timeout_ms, REGISTRY_MAX_BODY);
	struct str url = arena_printf(&arena, "%.*s/subjects", STR_ARG(settings->registry.url));
	enum rc rc = http_send(http, url.data, NULL, STR_NULL, &arena, &answer, err);
	if (rc == RC_OK && answer.status >= 500)
		rc = err_set(err, RC_UNAVAILABLE, "%s answers %ld", url.data, answer.status);
	http_free(http);
	arena_free(&arena);
	return rc;
}

static void check_models(const struct settings *settings, const struct policy *policy, int *failures)
{
	for (uint32_t i = 0; i < settings->model_count; i++) {
		struct err err;
		int64_t ms = 0;
		bool embeds = policy_embeds(policy, i);
		if (upstream_probe(settings, i, embeds ? PURPOSE_EMBED : PURPOSE_ANSWER, &ms, &err) == RC_OK) {
			cli_mark(MARK_OK, "model %.*s%s, %lld ms", STR_ARG(settings->models[i].name), embeds ? " embeds" : "", (long long)ms);
			continue;
		}
		cli_mark(MARK_FAILED, "model %.*s: %s", STR_ARG(settings->models[i].name), err.text);
		(*failures)++;
	}
}

static void check_connections(const struct asked *asked, const struct settings *settings, const struct policy *policy, int *failures)
{
	struct err err;
	check_kafka(asked, settings, policy, failures);
	if (settings->redis.url.data != NULL)
		tell(cache_ping(settings, &err), &err, "Redis", failures);
	if (settings->registry.url.data != NULL)
		tell(ask_registry(settings, &err), &err, "schema registry", failures);
	if (asked->spend)
		check_models(settings, policy, failures);
	else
		printf("         models were not called: --spend does that\n");
}

static void say_warnings(const struct settings *settings, const struct policy *policy)
{
	struct arena arena;
	struct buf lines;
	arena_init(&arena, 0);
	buf_init(&lines, &arena, 0);
	policy_warnings(policy, &lines);
	struct str left = buf_view(&lines);
	while (left.len != 0) {
		const char *end = memchr(left.data, '\n', left.len);
		size_t n = end != NULL ? (size_t)(end - left.data) : left.len;
		cli_mark(MARK_WARN, "%.*s", (int)n, left.data);
		left = (struct str){left.data + n + (end != NULL), left.len - n - (end != NULL)};
	}
	if (settings->redis.url.data == NULL && settings->cache.enabled)
		cli_mark(MARK_WARN, "no redis.url: decisions are cached in this process only, and prompt_hash stays empty");
	if (settings->kafka.delivery == DELIVERY_AT_LEAST_ONCE)
		cli_mark(MARK_WARN, "delivery at_least_once: outputs can be written twice around a crash");
	else
		printf("         readers of the outputs: set isolation.level=read_committed, others see aborted records too\n");
	arena_free(&arena);
}

static int check(const struct asked *asked, const struct settings *settings)
{
	struct err err;
	struct policy *policy = NULL;
	struct wire *wire = NULL;
	if (policy_load(settings->policy_file.data, settings, &policy, &err) != RC_OK)
		return cli_fail(&err, EXIT_CONFIG);
	if (wire_open(settings, NULL, &wire, &err) != RC_OK) {
		policy_unref(policy);
		return cli_fail(&err, EXIT_CONFIG);
	}
	wire_close(wire);
	cli_mark(MARK_OK, "configuration %.*s: %u models", STR_ARG(settings->file), settings->model_count);
	cli_mark(MARK_OK, "policy %.*s: %u routes, decisions %.*s", STR_ARG(policy_name(policy)), policy_route_count(policy),
	         STR_ARG(policy_decision_version(policy)));
	say_warnings(settings, policy);
	int failures = 0;
	if (asked->connect)
		check_connections(asked, settings, policy, &failures);
	policy_unref(policy);
	return failures == 0 ? EXIT_DONE : EXIT_FAILED;
}

static int run(const struct command *self, int argc, char **argv)
{
	struct asked asked = {0};
	const struct arg args[] = {
		{'c', "config", "FILE", "the configuration", .text = &asked.config},
		{0, "connect", NULL, "also asks the brokers (with a real, empty transaction), looks for each topic, and asks Redis and the schema registry",
		 .flag = &asked.connect},
		{0, "spend", NULL, "with --connect: also calls each model for one token", .flag = &asked.spend},
		{0},
	};
	int code = EXIT_DONE;
	if (!cli_args(self, args, argc, argv, &code))
		return code;
	if (asked.spend && !asked.connect)
		return cli_usage(self, "--spend goes with --connect");
	struct settings settings;
	code = cli_settings(self, asked.config, &settings);
	if (code != EXIT_DONE)
		return code;
	code = check(&asked, &settings);
	settings_free(&settings);
	return code;
}

const struct command command_check_config = {
	.name = "check-config", .summary = "say what is wrong with a configuration", .usage = usage, .about = about,
	.example = example, .run = run,
};
