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

enum { DEFAULT_RECORDS = 2000, MOST_RECORDS = 50000, DEFAULT_KILLS = 5, MOST_KILLS = 1000, PATIENCE_US = 120 * 1000000, FLUSH_MS = 30000, DRAIN_US = 10 * 1000000 };

static const char help[] =
    "usage: pointsman demo [--records N] [--json] [--serve] [--data DIR]\n"
    "       pointsman demo --kill [--brokers HOST:PORT] [--records N] [--kills K] [--instance] [--json] [--keep]\n"
    "\n"
    "Routes invented tickets, chat messages and documents with the real engine, on a Kafka in memory and\n"
    "simulated models, and shows who went where, why, and what was saved.\n"
    "\n"
    "      --records N   how many records (2,000)\n"
    "      --json        one JSON object instead of the table\n"
    "      --serve       stay up afterwards, with the status page, until Ctrl-C\n"
    "      --data DIR    the folder with pointsman.yaml, policy.yaml and prompts.jsonl\n"
    "\n"
    "With --kill: three workers on a real broker, killed with SIGKILL again and again, and then the books over the\n"
    "topics: in, out, lost, twice, repeated calls, longest pause. Makes topics of its own and deletes them.\n"
    "Exit code 4: the promise of delivery is broken; 1: it could not be shown.\n"
    "\n"
    "      --kill        do that\n"
    "      --brokers B   a real broker (the environment's KAFKA_BROKERS, else localhost:9092)\n"
    "      --kills K     how many kills (5)\n"
    "      --instance    the workers are static members of their group: shorter pauses\n"
    "      --keep        leave the topics\n"
    "  -h, --help        this text\n"
    "\n"
    "example: pointsman demo --serve\n";

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

static const struct option longs[] = {
	{"records", required_argument, NULL, 'n'}, {"json", no_argument, NULL, 'j'},  {"serve", no_argument, NULL, 's'},
	{"data", required_argument, NULL, 'd'},    {"kill", no_argument, NULL, 'k'},  {"brokers", required_argument, NULL, 'b'},
	{"kills", required_argument, NULL, 'K'},   {"instance", no_argument, NULL, 'i'}, {"keep", no_argument, NULL, 'e'},
	{"help", no_argument, NULL, 'h'},          {0},
};

static int run(const struct command *self, int argc, char **argv)
{
	struct asked asked = {.records = DEFAULT_RECORDS, .kills = DEFAULT_KILLS};
	const char *of_kill = NULL; /* an option that needs --kill */
	int code = EXIT_DONE;
	for (int c; (c = cli_option(self, argc, argv, "h", longs, &code)) != -1;) {
		switch (c) {
		case 'n':
			if (!str_to_i64(str_of(optarg), &asked.records) || asked.records < 1 || asked.records > MOST_RECORDS)
				return cli_usage(self, "--records takes 1 to %d, not \"%s\"", MOST_RECORDS, optarg);
			break;
		case 'K':
			if (!str_to_i64(str_of(optarg), &asked.kills) || asked.kills < 0 || asked.kills > MOST_KILLS)
				return cli_usage(self, "--kills takes 0 to %d, not \"%s\"", MOST_KILLS, optarg);
			of_kill = "--kills";
			break;
		case 'b': asked.brokers = optarg, of_kill = "--brokers"; break;
		case 'i': asked.instance = true, of_kill = "--instance"; break;
		case 'e': asked.keep = true, of_kill = "--keep"; break;
		case 'k': asked.kill = true; break;
		case 'j': asked.json = true; break;
		case 's': asked.serve = true; break;
		case 'd': asked.data = optarg; break;
		default: return code;
		}
	}
	if (optind < argc)
		return cli_usage(self, "unexpected argument \"%s\"", argv[optind]);
	if (of_kill != NULL && !asked.kill)
		return cli_usage(self, "%s goes with --kill", of_kill);
	return asked.kill ? act_with_kills(self, &asked) : act(self, &asked);
}

const struct command command_demo = {.name = "demo", .summary = "show the worker at work, without a broker or a model", .help = help, .run = run};
