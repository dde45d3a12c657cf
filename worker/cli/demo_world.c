/*
 * demo_world.c: a Kafka in this process and simulated models in child processes.
 *
 * The one idea: the demo runs the real engine; only what is around it is made up. The models are real HTTP servers (the same
 * simulator that the tests use), one process a model, each with its own latency. They die with this process.
 */
#include "worker/cli/demo_world.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/http.h"
#include "common/json.h"
#include "worker/stream/embedded.h"

enum { MAX_MODELS = 8, PARTITIONS = 4, STATS_TIMEOUT_MS = 10000, STATS_BYTES = 65536 };

struct demo_world {
	struct embedded *kafka;
	pid_t models[MAX_MODELS];
	int ports[MAX_MODELS];
	bool slow;
	unsigned model_count;
};

/* Small models are quick, large ones are not; the spread is that of real servers. The slow ones leave a kill calls to hit. */
static const struct {
	const char *latency_ms, *slow_latency_ms, *sigma;
} manners[] = {{"25", "250", "0.4"}, {"90", "600", "0.5"}, {"110", "700", "0.5"}};

static bool beside_program(const char *relative, char *out, size_t out_bytes)
{
	char exe[3072];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
	if (n <= 0)
		return false;
	exe[n] = '\0';
	char *slash = strrchr(exe, '/');
	if (slash == NULL)
		return false;
	*slash = '\0';
	int len = snprintf(out, out_bytes, "%s/%s", exe, relative);
	return len > 0 && (size_t)len < out_bytes && access(out, R_OK) == 0;
}

bool demo_world_folder(const char *given, char *out, size_t out_bytes)
{
	if (given != NULL)
		return snprintf(out, out_bytes, "%s", given) < (int)out_bytes && access(out, R_OK) == 0;
	static const char *const places[] = {"../deploy/demo", "../../deploy/demo", "../share/pointsman/demo"};
	for (unsigned i = 0; i < sizeof places / sizeof places[0]; i++)
		if (beside_program(places[i], out, out_bytes))
			return true;
	return false;
}

static bool simulator(char *out, size_t out_bytes)
{
	static const char *const places[] = {"modelsim", "../modelsim", "../libexec/pointsman/modelsim"};
	for (unsigned i = 0; i < sizeof places / sizeof places[0]; i++)
		if (beside_program(places[i], out, out_bytes))
			return true;
	return false;
}

/* In the child: never returns. */
static _Noreturn void become_model(const char *program, unsigned index, bool slow, int stdout_fd)
{
	unsigned manner = index % (sizeof manners / sizeof manners[0]);
	sigset_t none;
	sigemptyset(&none);
	if (prctl(PR_SET_PDEATHSIG, SIGTERM) != 0 || sigprocmask(SIG_SETMASK, &none, NULL) != 0 || dup2(stdout_fd, STDOUT_FILENO) < 0)
		_exit(127);
	const char *latency_ms = slow ? manners[manner].slow_latency_ms : manners[manner].latency_ms;
	execl(program, "modelsim", "--port", "0", "--latency-ms", latency_ms, "--sigma", manners[manner].sigma, (char *)NULL);
	_exit(127);
}

/* The simulator prints its port on a line of its own. */
static int read_port(int fd)
{
	char text[64];
	size_t len = 0;
	ssize_t n;
	while (len < sizeof text - 1 && memchr(text, '\n', len) == NULL && (n = read(fd, text + len, sizeof text - 1 - len)) > 0)
		len += (size_t)n;
	int64_t port;
	return str_to_i64(str_trim((struct str){text, len}), &port) && port > 0 && port < 65536 ? (int)port : -1;
}

static enum rc start_model(struct demo_world *world, struct settings *settings, unsigned index, const char *program, struct err *err)
{
	int ends[2];
	if (pipe(ends) != 0)
		return err_set(err, RC_FATAL, "no pipe for a simulated model: %s", strerror(errno));
	pid_t child = fork();
	if (child == 0)
		become_model(program, index, world->slow, ends[1]);
	close(ends[1]);
	int port = child > 0 ? read_port(ends[0]) : -1;
	close(ends[0]);
	if (child > 0) {
		world->ports[world->model_count] = port;
		world->models[world->model_count++] = child;
	}
	if (port < 0)
		return err_set(err, RC_FATAL, "the simulated model %s did not start", program);
	settings->models[index].base_url = arena_printf(&settings->arena, "http://127.0.0.1:%d/v1", port);
	return RC_OK;
}

static enum rc start_models(struct demo_world *world, struct settings *settings, struct err *err)
{
	char program[4096];
	if (!simulator(program, sizeof program))
		return err_set(err, RC_FATAL, "the model simulator is not beside this program; build it with: make");
	if (settings->model_count > MAX_MODELS)
		return err_set(err, RC_BAD_INPUT, "the demo runs at most %d models", MAX_MODELS);
	for (unsigned i = 0; i < settings->model_count; i++) {
		enum rc rc = start_model(world, settings, i, program, err);
		if (rc != RC_OK)
			return rc;
	}
	return RC_OK;
}

static enum rc start_kafka(struct demo_world *world, struct settings *settings, struct err *err)
{
	enum rc rc = embedded_start(1, &world->kafka, err);
	if (rc != RC_OK)
		return rc;
	const struct str topics[] = {settings->input.topics.items[0], settings->output.responses, settings->output.decisions,
	                             settings->output.dead_letters, STR("human.review")};
	for (unsigned i = 0; i < sizeof topics / sizeof topics[0] && rc == RC_OK; i++)
		rc = embedded_topic(world->kafka, arena_cstr(&settings->arena, topics[i]), PARTITIONS, err);
	settings->kafka.brokers = str_of(embedded_bootstrap(world->kafka));
	settings->kafka.delivery = DELIVERY_AT_LEAST_ONCE;
	return rc;
}

enum rc demo_world_start(struct settings *settings, bool serve, struct demo_world **ret, struct err *err)
{
	struct demo_world *world = heap_zalloc(1, sizeof *world);
	if (!serve)
		settings->admin.listen = STR_NULL;
	enum rc rc = start_models(world, settings, err);
	if (rc == RC_OK)
		rc = start_kafka(world, settings, err);
	if (rc != RC_OK) {
		demo_world_stop(world);
		return rc;
	}
	*ret = world;
	return RC_OK;
}

enum rc demo_world_models(struct settings *settings, struct demo_world **ret, struct err *err)
{
	struct demo_world *world = heap_zalloc(1, sizeof *world);
	world->slow = true;
	enum rc rc = start_models(world, settings, err);
	if (rc != RC_OK) {
		demo_world_stop(world);
		return rc;
	}
	*ret = world;
	return RC_OK;
}

static enum rc calls_of(struct http *http, int port, struct arena *arena, int64_t *ret_calls, int64_t *ret_distinct, struct err *err)
{
	struct http_answer answer;
	const struct json *stats;
	enum rc rc = http_send(http, arena_printf(arena, "http://127.0.0.1:%d/stats", port).data, NULL, STR_NULL, arena, &answer, err);
	if (rc == RC_OK)
		rc = json_parse(arena, answer.body, (struct json_limits){0}, &stats, err);
	if (rc == RC_OK && (!json_i64(json_get(stats, STR("calls")), ret_calls) || !json_i64(json_get(stats, STR("distinct")), ret_distinct)))
		rc = err_set(err, RC_BAD_INPUT, "a simulated model does not tell its calls");
	return rc;
}

enum rc demo_world_calls(const struct demo_world *world, int64_t *ret_calls, int64_t *ret_repeated, struct err *err)
{
	struct http *http = http_new(STATS_TIMEOUT_MS, STATS_BYTES);
	struct arena arena;
	int64_t all = 0, repeated = 0;
	enum rc rc = RC_OK;
	arena_init(&arena, 0);
	for (unsigned i = 0; i < world->model_count && rc == RC_OK; i++) {
		int64_t calls = 0, distinct = 0;
		rc = calls_of(http, world->ports[i], &arena, &calls, &distinct, err);
		all += calls;
		repeated += calls - distinct;
	}
	if (rc == RC_OK) {
		*ret_calls = all;
		*ret_repeated = repeated;
	}
	arena_free(&arena);
	http_free(http);
	return rc;
}

void demo_world_stop(struct demo_world *world)
{
	if (world == NULL)
		return;
	for (unsigned i = 0; i < world->model_count; i++)
		(void)kill(world->models[i], SIGTERM); /* ESRCH: it ended by itself */
	for (unsigned i = 0; i < world->model_count; i++)
		(void)waitpid(world->models[i], NULL, 0); /* its status does not matter */
	if (world->kafka != NULL)
		embedded_stop(world->kafka);
	free(world);
}
