/*
 * run.c: `pointsman run`: the worker itself.
 */
#include <malloc.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/fault.h"
#include "worker/cli/cli.h"
#include "worker/engine/engine.h"

static const char usage[] = "-c FILE [--log LEVEL]\n";
static const char about[] =
    "Consumes the input topics, decides, calls the models, and publishes one response and one decision\n"
    "record for every request. Runs until SIGTERM or SIGINT, then finishes the calls on the wire, commits\n"
    "and leaves; a second signal gives up the calls. SIGHUP reads the policy again.\n";
static const char example[] = "pointsman run -c triage/pointsman.yaml\n";

/* A call in flight holds a descriptor: ask for all that the system allows. */
static void raise_descriptor_limit(void)
{
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit); /* refused: the old limit holds, and a lack of descriptors says so */
	}
}

/* Memory is taken by one thread and given back by another here, so each heap of the C library keeps holes that only its own threads
 * could fill; of its own accord it makes eight heaps a core. */
static void share_heaps(void)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	(void)mallopt(M_ARENA_MAX, cores < 2 ? 1 : (int)(1 + cores / 2)); /* refused: more memory, nothing else */
}

static int serve(const struct settings *settings)
{
	raise_descriptor_limit();
	share_heaps();
	FAULT_POINT("start");
	struct err err;
	struct signals *signals = NULL;
	if (signals_open(&signals, &err) != RC_OK)
		return cli_fail(&err, EXIT_FAILED);
	struct log *log = log_open(STDERR_FILENO, (enum log_level)settings->log.level, (enum log_format)settings->log.format);
	struct metrics *metrics = metrics_new();
	const struct engine_options options = {.settings = settings, .log = log, .metrics = metrics};
	struct engine *engine = engine_new(&options);
	enum rc rc = engine_start(engine, &err);
	if (rc == RC_OK) {
		log_info(log, "engine", "running", LOG_C("version", POINTSMAN_VERSION), LOG_S("config", settings->file),
		         LOG_C("admin", engine_admin_address(engine)));
		rc = engine_serve(engine, signals, &err);
	}
	if (rc != RC_OK)
		log_error(log, "engine", "cannot go on", LOG_C("error", err.text));
	if (engine_stop(engine) != RC_OK) {
		log_error(log, "engine", "a call into the Kafka client does not come back; ending without it: nothing committed is lost");
		_exit(EXIT_FAILED);
	}
	if (rc == RC_OK)
		log_info(log, "engine", "stopped", LOG_C("version", POINTSMAN_VERSION));
	metrics_free(metrics);
	log_close(log);
	signals_close(signals);
	return rc == RC_OK ? EXIT_DONE : rc == RC_BAD_INPUT ? EXIT_CONFIG : EXIT_FAILED;
}

static enum rc take_level(void *ctx, const char *text, struct err *err)
{
	static const char *const names[] = {"debug", "info", "warn", "error"};
	for (int i = 0; i < 4; i++)
		if (strcmp(text, names[i]) == 0) {
			*(int *)ctx = i;
			return RC_OK;
		}
	return err_set(err, RC_BAD_INPUT, "--log takes debug, info, warn or error, not \"%s\"", text);
}

static int run(const struct command *self, int argc, char **argv)
{
	const char *path = NULL;
	int code = EXIT_DONE, level = -1;
	const struct arg args[] = {
		{'c', "config", "FILE", "the configuration", .text = &path},
		{0, "log", "LEVEL", "debug, info, warn or error; over the configuration's", .take = take_level, .ctx = &level},
		{0},
	};
	if (!cli_args(self, args, argc, argv, &code))
		return code;
	struct settings settings;
	code = cli_settings(self, path, &settings);
	if (code != EXIT_DONE)
		return code;
	if (level >= 0)
		settings.log.level = level;
	code = serve(&settings);
	settings_free(&settings);
	return code;
}

const struct command command_run = {
	.name = "run", .summary = "run the worker", .usage = usage, .about = about,
	.example = example, .run = run,
};
