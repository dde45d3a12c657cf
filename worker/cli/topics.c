/*
 * topics.c: `pointsman topics`: which topics the configuration names, which are missing, and making those.
 */
#include "worker/cli/cli.h"
#include "worker/cli/destinations.h"
#include "worker/stream/topics.h"

enum { TIMEOUT_MS = 10000, DEFAULT_PARTITIONS = 12, MOST_PARTITIONS = 10000, MOST_REPLICAS = 100 };

static const char usage[] = "-c FILE [--create] [--partitions N] [--replication N]\n";
static const char about[] =
    "Lists every topic that the configuration and its policy name, and what is missing. With --create the\n"
    "missing ones are made: outputs get as many partitions as the input, so that they are co-partitioned.\n";
static const char notes[] =
    "Readers of the outputs should set isolation.level=read_committed: others see records of aborted\n"
    "transactions too.\n";
static const char example[] = "pointsman topics -c triage/pointsman.yaml --create\n";

struct asked {
	const char *config;
	bool create;
	int64_t partitions, replication;
};

/* One line for the topic; makes it when it is missing and asked for. *ret_partitions: what it has now. */
static enum rc settle_topic(struct topics *topics, const struct destination *topic, const struct asked *asked, int partitions,
                            int *ret_partitions, struct err *err)
{
	int have = 0;
	enum rc rc = topics_partitions(topics, topic->name, &have, err);
	if (rc != RC_OK)
		return rc;
	*ret_partitions = have;
	if (have != 0) {
		cli_mark(MARK_OK, "%-13s %s, %d partitions", topic->use, topic->name, have);
		return RC_OK;
	}
	if (strcmp(topic->use, DESTINATION_REPLIES) == 0) {
		cli_mark(MARK_WARN, "%-13s %s is missing; whoever waits for replies there has to make it", topic->use, topic->name);
		return RC_OK;
	}
	if (!asked->create) {
		cli_mark(MARK_WARN, "%-13s %s is missing  -> pointsman topics -c %s --create", topic->use, topic->name, asked->config);
		return RC_AGAIN;
	}
	rc = topics_create(topics, topic->name, partitions, (int)asked->replication, err);
	if (rc == RC_OK) {
		*ret_partitions = partitions;
		cli_mark(MARK_OK, "%-13s %s made, %d partitions", topic->use, topic->name, partitions);
	}
	return rc;
}

static int settle_all(struct topics *topics, const struct destinations *all, const struct asked *asked)
{
	int partitions = (int)asked->partitions, missing = 0;
	for (unsigned i = 0; i < all->count; i++) {
		struct err err;
		int now = 0;
		enum rc rc = settle_topic(topics, &all->items[i], asked, partitions, &now, &err);
		if (rc == RC_AGAIN)
			missing++;
		else if (rc != RC_OK)
			return cli_fail(&err, EXIT_FAILED);
		if (i == 0 && now > 0)
			partitions = now; /* the outputs follow the input */
	}
	return missing == 0 ? EXIT_DONE : EXIT_FAILED;
}

static int act(const struct asked *asked, const struct settings *settings)
{
	struct err err;
	struct policy *policy = NULL;
	struct topics *topics = NULL;
	if (policy_load(settings->policy_file.data, settings, &policy, &err) != RC_OK)
		return cli_fail(&err, EXIT_CONFIG);
	struct arena arena;
	arena_init(&arena, 0);
	int code;
	if (topics_open(settings, TIMEOUT_MS, &topics, &err) != RC_OK) {
		code = cli_fail(&err, EXIT_FAILED);
	} else {
		struct destinations all = destinations_of(settings, policy, &arena);
		code = settle_all(topics, &all, asked);
	}
	topics_close(topics);
	arena_free(&arena);
	policy_unref(policy);
	return code;
}

static int run(const struct command *self, int argc, char **argv)
{
	struct asked asked = {.partitions = DEFAULT_PARTITIONS};
	const struct arg args[] = {
		{'c', "config", "FILE", "the configuration", .text = &asked.config},
		{0, "create", NULL, "make what is missing", .flag = &asked.create},
		{0, "partitions", "N", "of a missing input topic", .number = &asked.partitions, .least = 1, .most = MOST_PARTITIONS},
		{0, "replication", "N", "copies of each partition (the broker's default)", .number = &asked.replication, .least = 1, .most = MOST_REPLICAS},
		{0},
	};
	int code = EXIT_DONE;
	if (!cli_args(self, args, argc, argv, &code))
		return code;
	struct settings settings;
	code = cli_settings(self, asked.config, &settings);
	if (code != EXIT_DONE)
		return code;
	code = act(&asked, &settings);
	settings_free(&settings);
	return code;
}

const struct command command_topics = {
	.name = "topics", .summary = "list and make the topics", .usage = usage, .about = about,
	.notes = notes, .example = example, .run = run,
};
