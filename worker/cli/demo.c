/*
 * demo.c: `pointsman demo`: the real engine on a Kafka in memory and simulated models.
 *
 * The one idea: it feeds records and reads the output topics as two strangers would, while the engine runs between them
 * exactly as under `run`.
 */
#include <unistd.h>

#include "common/clock.h"
#include "worker/cli/cli.h"
#include "worker/cli/demo_feed.h"
#include "worker/cli/demo_kill.h"
#include "worker/cli/demo_report.h"
#include "worker/cli/demo_world.h"
#include "worker/engine/engine.h"
#include "worker/stream/plain.h"

enum { DEFAULT_RECORDS = 2000, MOST_RECORDS = 50000, DEFAULT_KILLS = 5, MOST_KILLS = 1000, NOT_SAID = -1,
       PATIENCE_US = 120 * 1000000, FLUSH_MS = 30000, DRAIN_US = 10 * 1000000 };

static const char usage[] =
    "[--records N] [--json] [--serve] [--data DIR]\n"
    "--kill [--brokers HOST:PORT] [--records N] [--kills K] [--instance] [--json] [--keep]\n";
static const char about[] =
    "Routes invented tickets, chat messages and documents with the real engine, on a Kafka in memory and\n"
    "simulated models, and shows who went where, why, and what was saved.\n"
    "\n"
    "With --kill: three workers on a real broker, killed with SIGKILL again and again, and then the books over the\n"
    "topics: in, out, lost, twice, repeated calls, longest pause. Makes topics of its own and deletes them.\n"
    "Exit code 4: the promise of delivery is broken; 1: it could not be shown.\n";
static const char example[] =
    "pointsman demo --serve\n"
    "pointsman demo --kill --brokers localhost:9092\n";

struct asked {
	int64_t records, kills;
	bool json, serve, kill, instance, keep;
	const char *data, *brokers;
};

/* All that runs during a demo. */
struct demo {
	struct asked asked;
	struct settings settings;
	struct demo_feed *feed;
	struct demo_world *world;
	struct demo_report *report;
	struct log *log;
	struct metrics *metrics;
	struct engine *engine;
	bool running; /* the engine has started */
	struct signals *signals; /* NULL: Ctrl-C simply ends the program */
};

static void banner(const struct demo *demo)
{
	fprintf(stderr,
	        "Kafka, cache and models of this demo live in memory: nothing is kept, and the in-memory Kafka has no\n"
	        "transactions, so exactly-once is not shown here (`make test` shows it on a real broker). The engine,\n"
	        "the policy (%.*s) and the HTTP calls are real.\n\n",
	        STR_ARG(demo->settings.policy_file));
}

static enum rc feed_records(struct demo *demo, struct err *err)
{
	struct plain_writer *writer = NULL;
	enum rc rc = plain_writer_open(&demo->settings, &writer, err);
	const char *topic = arena_cstr(&demo->settings.arena, demo->settings.input.topics.items[0]);
	for (int64_t i = 0; i < demo->asked.records && rc == RC_OK; i++) {
		char key[24];
		(void)snprintf(key, sizeof key, "%lld", (long long)i); /* fits */
		rc = plain_writer_send(writer, topic, str_of(key), demo_feed_record(demo->feed, i), err);
	}
	if (rc == RC_OK)
		rc = plain_writer_flush(writer, FLUSH_MS, err);
	plain_writer_close(writer);
	return rc;
}

static void see_output(void *ctx, const char *topic, struct str key, struct str value)
{
	(void)key; /* the demo counts by what stands in the records */
	struct demo *demo = ctx;
	if (str_is(demo->settings.output.responses, topic))
		(void)demo_report_response(demo->report, value); /* a fault is seen in the count */
	else if (str_is(demo->settings.output.decisions, topic))
		(void)demo_report_decision(demo->report, value); /* likewise */
	else
		demo_report_dead_letter(demo->report);
}

static bool all_seen(const struct demo *demo)
{
	return demo_report_responses(demo->report) >= demo->asked.records && demo_report_decisions(demo->report) >= demo->asked.records;
}

static enum rc read_outputs(struct demo *demo, struct err *err)
{
	const char *const topics[] = {arena_cstr(&demo->settings.arena, demo->settings.output.responses),
	                              arena_cstr(&demo->settings.arena, demo->settings.output.decisions),
	                              arena_cstr(&demo->settings.arena, demo->settings.output.dead_letters)};
	struct plain_reader *reader = NULL;
	enum rc rc = plain_reader_open(&demo->settings, topics, 3, &reader, err);
	if (rc != RC_OK)
		return rc;
	struct cli_progress progress;
	cli_progress_begin(&progress, "routing", demo->asked.records);
	int64_t last_us = clock_mono_us();
	while (rc == RC_OK && !all_seen(demo)) {
		if (plain_reader_poll(reader, 100, 256, see_output, demo) != 0)
			last_us = clock_mono_us();
		else if (clock_mono_us() - last_us > PATIENCE_US)
			rc = err_set(err, RC_FATAL, "nothing came for %d s; %lld of %lld responses are there", PATIENCE_US / 1000000,
			             (long long)demo_report_responses(demo->report), (long long)demo->asked.records);
		if (rc == RC_OK)
			rc = engine_health(demo->engine, err);
		cli_progress_at(&progress, demo_report_responses(demo->report));
	}
	if (rc == RC_OK)
		cli_progress_end(&progress);
	plain_reader_close(reader);
	return rc;
}

static enum rc route_all(struct demo *demo, struct err *err)
{
	const struct engine_options options = {.settings = &demo->settings, .log = demo->log, .metrics = demo->metrics};
	enum rc rc = feed_records(demo, err);
	if (rc == RC_OK) {
		demo->engine = engine_new(&options);
		rc = engine_start(demo->engine, err);
		demo->running = rc == RC_OK;
	}
	if (rc == RC_OK)
		rc = read_outputs(demo, err);
	if (rc != RC_OK)
		return rc;
	if (demo->asked.json)
		demo_report_json(demo->report, demo->asked.records, stdout);
	else
		demo_report_print(demo->report, demo->asked.records, demo_feed_prompt, demo->feed, stdout);
	if (!demo->asked.serve)
		return RC_OK;
	printf("\nstatus page: http://%s/   (Ctrl-C ends)\n", engine_admin_address(demo->engine));
	(void)fflush(stdout); /* a pipe that is gone shows at the next write */
	return engine_serve(demo->engine, demo->signals, err);
}

static void end(struct demo *demo)
{
	if (demo->running) {
		engine_drain(demo->engine);
		int64_t until_us = clock_mono_us() + DRAIN_US;
		while (!engine_idle(demo->engine) && clock_mono_us() < until_us)
			(void)usleep(10000); /* a shorter sleep does no harm */
	}
	(void)engine_stop(demo->engine); /* its cluster is in this process: no call hangs on it */
	demo_world_stop(demo->world);
	demo_feed_close(demo->feed);
	demo_report_free(demo->report);
	metrics_free(demo->metrics);
	log_close(demo->log);
	settings_free(&demo->settings);
	signals_close(demo->signals);
}

static int act(const struct command *self, const struct asked *asked)
{
	struct demo demo = {.asked = *asked};
	char folder[4096], config[4200];
	if (!demo_world_folder(asked->data, folder, sizeof folder))
		return asked->data != NULL ? cli_usage(self, "--data: the folder \"%s\" cannot be read", asked->data)
		                           : cli_usage(self, "the demo's files are not beside the program; say where they are with --data DIR");
	(void)snprintf(config, sizeof config, "%s/pointsman.yaml", folder); /* fits */
	int code = cli_settings(self, config, &demo.settings);
	if (code != EXIT_DONE)
		return code;
	struct err err;
	demo.report = demo_report_new();
	enum rc rc = asked->serve ? signals_open(&demo.signals, &err) : RC_OK;
	if (rc == RC_OK)
		rc = demo_feed_open(folder, &demo.feed, &err);
	if (rc == RC_OK)
		rc = demo_world_start(&demo.settings, asked->serve, &demo.world, &err);
	if (rc == RC_OK) {
		banner(&demo);
		demo.log = log_open(STDERR_FILENO, LOG_ERROR, (enum log_format)demo.settings.log.format);
		demo.metrics = metrics_new();
		rc = route_all(&demo, &err);
	}
	end(&demo);
	return rc == RC_OK ? EXIT_DONE : cli_fail(&err, EXIT_FAILED);
}

static int act_with_kills(const struct command *self, const struct asked *asked)
{
	char folder[4096];
	if (asked->serve)
		return cli_usage(self, "--serve does not go with --kill");
	if (asked->records <= asked->kills)
		return cli_usage(self, "--records must be more than --kills");
	if (!demo_world_folder(asked->data, folder, sizeof folder))
		return cli_usage(self, "the demo's files cannot be read; say where they are with --data DIR");
	return demo_kill(self, &(struct demo_kill_asked){.brokers = asked->brokers, .folder = folder, .records = asked->records, .kills = asked->kills,
	                                                 .instance = asked->instance, .json = asked->json, .keep = asked->keep});
}

/* An option that was given and says nothing without --kill; NULL: none. */
static const char *of_kill(const struct asked *asked)
{
	return asked->brokers != NULL     ? "--brokers"
	       : asked->kills != NOT_SAID ? "--kills"
	       : asked->instance          ? "--instance"
	       : asked->keep              ? "--keep"
	                                  : NULL;
}

static int run(const struct command *self, int argc, char **argv)
{
	struct asked asked = {.records = DEFAULT_RECORDS, .kills = NOT_SAID};
	const struct arg args[] = {
		{0, "records", "N", "how many records", .number = &asked.records, .least = 1, .most = MOST_RECORDS},
		{0, "json", NULL, "one JSON object instead of the table", .flag = &asked.json},
		{0, "serve", NULL, "stay up afterwards, with the status page, until Ctrl-C", .flag = &asked.serve},
		{0, "data", "DIR", "the folder with pointsman.yaml, policy.yaml and prompts.jsonl", .text = &asked.data},
		{0, "kill", NULL, "show the promise of delivery, on a real broker", .flag = &asked.kill},
		{.help = "With --kill:"},
		{0, "brokers", "HOST:PORT", "a real broker (the environment's KAFKA_BROKERS, else localhost:9092)", .text = &asked.brokers},
		{0, "kills", "K", "how many kills (5)", .number = &asked.kills, .most = MOST_KILLS},
		{0, "instance", NULL, "the workers are static members of their group: shorter pauses", .flag = &asked.instance},
		{0, "keep", NULL, "leave the topics", .flag = &asked.keep},
		{0},
	};
	int code = EXIT_DONE;
	if (!cli_args(self, args, argc, argv, &code))
		return code;
	if (!asked.kill && of_kill(&asked) != NULL)
		return cli_usage(self, "%s goes with --kill", of_kill(&asked));
	if (asked.kills == NOT_SAID)
		asked.kills = DEFAULT_KILLS;
	return asked.kill ? act_with_kills(self, &asked) : act(self, &asked);
}

const struct command command_demo = {
	.name = "demo", .summary = "show the worker at work, without a broker or a model", .usage = usage, .about = about,
	.example = example, .run = run,
};
