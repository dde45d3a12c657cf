/*
 * test_engine.c: starting half-way and stopping in the middle of the work, with the in-memory cluster and a model that takes
 * connections and never answers. What these tests look for, the sanitizers see: rooms used after they were closed, and leaks.
 *
 * A thread that does not end is made by a join with a time limit that says so at once: see pthread_clockjoin_np below.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/json.h"
#include "worker/engine/engine.h"
#include "worker/stream/embedded.h"
#include "worker/stream/plain.h"

enum { RECORDS = 300, CONCURRENCY = 8, PATIENCE_LOOKS = 3000, LOOK_MS = 20 };

struct world {
	char folder[64];
	struct embedded *cluster;
	struct settings settings;
	struct log *log;
	struct metrics *metrics;
	int model_fd;
};

static int listen_somewhere(uint16_t *ret_port)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t bytes = sizeof at;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
	assert_int_equal(listen(fd, 128), 0); /* the kernel takes the connections; nobody answers */
	assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &bytes), 0);
	*ret_port = ntohs(at.sin_port);
	return fd;
}

static void write_policy(const struct world *w, const char *text)
{
	char path[128];
	(void)snprintf(path, sizeof path, "%s/policy.yaml", w->folder); /* fits */
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static int open_world(void **state)
{
	struct world *w = heap_zalloc(1, sizeof *w);
	struct err err = {""};
	char text[1024];
	uint16_t port;
	*state = w;
	(void)snprintf(w->folder, sizeof w->folder, "/tmp/pointsman-engine-XXXXXX"); /* fits */
	assert_non_null(mkdtemp(w->folder));
	write_policy(w, "name: p\nwhen_unsure: only\nroutes:\n  - {name: only, models: [mute]}\nstages: []\n");
	w->model_fd = listen_somewhere(&port);
	if (embedded_start(1, &w->cluster, &err) != RC_OK)
		fail_msg("%s", err.text);
	static const char *const topics[] = {"in", "out", "audit", "dead"};
	for (size_t i = 0; i < sizeof topics / sizeof topics[0]; i++)
		assert_int_equal(embedded_topic(w->cluster, topics[i], 4, &err), RC_OK);
	(void)snprintf(text, sizeof text,
	               "kafka: {brokers: '%s', group: g, delivery: at_least_once}\n"
	               "input: {topics: [in]}\n"
	               "output: {responses: out, decisions: audit, dead_letters: dead}\n"
	               "engine: {max_jobs: 200}\n"
	               "models: [{name: mute, base_url: 'http://127.0.0.1:%u/v1', price: free, limits: {concurrency: %d}}]\n"
	               "policy: %s/policy.yaml\n"
	               "admin: {listen: '127.0.0.1:0'}\n",
	               embedded_bootstrap(w->cluster), port, CONCURRENCY, w->folder); /* fits */
	if (settings_parse("pm.yaml", str_of(text), &w->settings, &err) != RC_OK)
		fail_msg("%s", err.text);
	w->log = log_open(STDERR_FILENO, LOG_ERROR, LOG_LOGFMT);
	w->metrics = metrics_new();
	return 0;
}

static int close_world(void **state)
{
	struct world *w = *state;
	char path[128];
	metrics_free(w->metrics);
	log_close(w->log);
	settings_free(&w->settings);
	embedded_stop(w->cluster);
	close(w->model_fd);
	(void)snprintf(path, sizeof path, "%s/policy.yaml", w->folder); /* fits */
	(void)unlink(path);      /* a test's temporary file */
	(void)rmdir(w->folder);  /* likewise */
	free(w);
	return 0;
}

static struct engine *engine_of(const struct world *w)
{
	return engine_new(&(struct engine_options){.settings = &w->settings, .log = w->log, .metrics = w->metrics});
}

static struct engine *start(const struct world *w)
{
	struct engine *engine = engine_of(w);
	struct err err = {""};
	if (engine_start(engine, &err) != RC_OK)
		fail_msg("%s", err.text);
	return engine;
}

static enum rc fail_to_start(const struct world *w, struct err *err)
{
	struct engine *engine = engine_of(w);
	enum rc rc = engine_start(engine, err);
	assert_int_equal(engine_stop(engine), RC_OK);
	return rc;
}

static void send_records(const struct world *w)
{
	struct plain_writer *writer = NULL;
	struct err err = {""};
	if (plain_writer_open(&w->settings, &writer, &err) != RC_OK)
		fail_msg("%s", err.text);
	for (int i = 0; i < RECORDS; i++) {
		char text[64];
		int n = snprintf(text, sizeof text, "{\"prompt\":\"question %d\"}", i);
		assert_int_equal(plain_writer_send(writer, "in", STR_NULL, (struct str){text, (size_t)n}, &err), RC_OK);
	}
	assert_int_equal(plain_writer_flush(writer, 30000, &err), RC_OK);
	plain_writer_close(writer);
}

/* A number in /status, as "jobs.in_use" or "models.0.calling"; -1: it is not there. */
static int64_t status_number(struct engine *engine, const char *path)
{
	struct arena arena;
	struct buf out;
	const struct json *tree = NULL;
	int64_t number = -1;
	arena_init(&arena, 0);
	buf_init(&out, &arena, 0);
	engine_status_json(engine, &out);
	assert_int_equal(json_parse(&arena, buf_view(&out), (struct json_limits){0}, &tree, NULL), RC_OK);
	if (!json_i64(json_path(tree, str_of(path)), &number))
		number = -1;
	arena_free(&arena);
	return number;
}

static void wait_for(struct engine *engine, const char *path, int64_t least)
{
	for (int i = 0; i < PATIENCE_LOOKS; i++) {
		if (status_number(engine, path) >= least)
			return;
		(void)poll(NULL, 0, LOOK_MS); /* a shorter sleep does no harm */
	}
	fail_msg("%s never reached %lld", path, (long long)least);
}

static void it_stops_while_calls_are_on_the_wire_and_others_wait(void **state)
{
	struct world *w = *state;
	send_records(w);
	struct engine *engine = start(w);
	wait_for(engine, "models.0.calling", CONCURRENCY);
	wait_for(engine, "models.0.waiting", 1);
	assert_int_equal(engine_stop(engine), RC_OK);
}

static void it_drains_what_waits_and_gives_up_what_hangs(void **state)
{
	struct world *w = *state;
	send_records(w);
	struct engine *engine = start(w);
	wait_for(engine, "models.0.calling", CONCURRENCY);
	engine_drain(engine);
	engine_abort(engine);
	for (int i = 0; i < PATIENCE_LOOKS && !engine_idle(engine); i++)
		(void)poll(NULL, 0, LOOK_MS); /* a shorter sleep does no harm */
	assert_true(engine_idle(engine));
	assert_int_equal(engine_stop(engine), RC_OK);
}

/* Each breaks one room; those before it are open by then. */
static void a_start_that_fails_half_way_closes_what_it_opened(void **state)
{
	struct world *w = *state;
	struct err err = {""};
	uint16_t port;
	int taken = listen_somewhere(&port);
	struct str listen = arena_printf(&w->settings.arena, "127.0.0.1:%u", port);
	const struct settings good = w->settings;

	w->settings.admin.listen = listen;
	assert_int_equal(fail_to_start(w, &err), RC_FATAL);
	assert_non_null(strstr(err.text, "another process has the port"));
	close(taken);

	w->settings = good;
	w->settings.policy_file = STR("/nowhere/policy.yaml");
	assert_int_equal(fail_to_start(w, &err), RC_BAD_INPUT);

	w->settings = good;
	w->settings.input.schema_dir = STR("/nowhere/schemas");
	assert_int_equal(fail_to_start(w, &err), RC_BAD_INPUT);

	w->settings = good;
	w->settings.redis.url = STR("redis://[");
	assert_int_equal(fail_to_start(w, &err), RC_BAD_INPUT);

	w->settings = good;
	w->settings.models[0].provider = 99; /* the stream has joined the group by then */
	assert_int_equal(fail_to_start(w, &err), RC_BAD_INPUT);
	assert_non_null(strstr(err.text, "mute"));
	w->settings = good;
}

/* In place of libc's: the joins with a time limit, which are those of threads that may hang in the Kafka client. */
static bool nothing_ends;
static int join(pthread_t thread, void **value)
{
	return nothing_ends ? ETIMEDOUT : pthread_join(thread, value); /* what is not to hang ends soon */
}
#ifdef TSAN_JOIN_H /* there the library is made to call this one */
int pthread_timedjoin_np(pthread_t thread, void **value, const struct timespec *until)
{
	(void)until;
	return join(thread, value);
}
#else
int pthread_clockjoin_np(pthread_t thread, void **value, clockid_t clock, const struct timespec *until)
{
	(void)clock, (void)until;
	return join(thread, value);
}
#endif

/* In a process of its own, since nothing may be freed then. Its exit code: 0, or the step that went wrong. */
static int start_that_fails_while_a_thread_hangs(void)
{
	void *state = NULL;
	if (open_world(&state) != 0)
		return 1;
	struct world *w = state;
	struct err err = {""};
	w->settings.models[0].provider = 99; /* the stream has joined the group by then */
	struct engine *engine = engine_of(w);
	if (engine_start(engine, &err) != RC_BAD_INPUT || strstr(err.text, "mute") == NULL)
		return 2;
	nothing_ends = true;
	return engine_stop(engine) == RC_FATAL ? 0 : 3;
}

static void a_failed_start_that_cannot_be_undone_is_told_to_the_caller(void **state)
{
	(void)state;
	int status;
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0)
		_exit(start_that_fails_while_a_thread_hangs());
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void a_bad_policy_is_refused_and_a_good_one_taken_while_it_works(void **state)
{
	struct world *w = *state;
	struct engine *engine = start(w);
	struct err err = {""};
	write_policy(w, "name: broken\n");
	assert_int_equal(engine_reload(engine, &err), RC_BAD_INPUT);
	write_policy(w, "name: q\nwhen_unsure: other\nroutes:\n  - {name: other, models: [mute]}\nstages: []\n");
	assert_int_equal(engine_reload(engine, &err), RC_OK);
	send_records(w);
	wait_for(engine, "routes.0.count", CONCURRENCY);
	assert_int_equal(engine_health(engine, &err), RC_OK);
	assert_int_equal(engine_stop(engine), RC_OK);
}

int main(void)
{
#define IN_A_WORLD(test) cmocka_unit_test_setup_teardown(test, open_world, close_world)
	const struct CMUnitTest tests[] = {
		IN_A_WORLD(it_stops_while_calls_are_on_the_wire_and_others_wait),
		IN_A_WORLD(it_drains_what_waits_and_gives_up_what_hangs),
		IN_A_WORLD(a_start_that_fails_half_way_closes_what_it_opened),
		cmocka_unit_test(a_failed_start_that_cannot_be_undone_is_told_to_the_caller),
		IN_A_WORLD(a_bad_policy_is_refused_and_a_good_one_taken_while_it_works),
	};
	return cmocka_run_group_tests_name("engine", tests, NULL, NULL);
}
