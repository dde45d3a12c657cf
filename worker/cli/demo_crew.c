/*
 * demo_crew.c: the workers of `demo --kill`.
 *
 * The one idea: nothing but `pointsman run` with an ordinary configuration, so what the demo shows holds for a deployment too.
 * The kernel kills each worker when this process ends, however it ends.
 */
#include "worker/cli/demo_crew.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/json.h"

enum { GRACE_US = 20 * 1000000, LOOK_US = 20000 };

struct demo_crew {
	struct arena arena;
	const char *folder, *name, *config;
	pid_t workers[DEMO_CREW_SIZE]; /* 0: not running */
	bool keep;
};

static const char policy[] =
    "name: demo-kill\n"
    "when_unsure: careful\n"
    "baseline: capable\n"
    "routes:\n"
    "  - {name: quick, models: [small], on_error: [capable]}\n"
    "  - {name: careful, models: [capable], on_error: [standby]}\n"
    "  - {name: human, topic: %s.review}\n"
    "stages:\n"
    "  - rules:\n"
    "      - {name: a-person-is-needed, priority: 20, when: {keywords: [person, human, agent, lawyer]}, route: human}\n"
    "      - {name: short-question, priority: 10, when: {max_words: 18}, route: quick}\n";

static const char *path_of(struct demo_crew *crew, unsigned index, const char *suffix)
{
	return arena_printf(&crew->arena, "%s/worker-%u.%s", crew->folder, index + 1, suffix).data;
}

static enum rc write_file(const char *path, struct str text, struct err *err)
{
	FILE *file = fopen(path, "we");
	bool written = file != NULL && fwrite(text.data, 1, text.len, file) == text.len;
	if (file != NULL && fclose(file) != 0)
		written = false;
	return written ? RC_OK : err_set(err, RC_FATAL, "%s cannot be written: %s", path, strerror(errno));
}

static void quoted(struct buf *out, const char *key, struct str value)
{
	buf_printf(out, "%s: ", key);
	json_write_str(out, value); /* a JSON string is one of YAML's */
}

static void write_models(struct buf *out, const struct settings *models)
{
	buf_cstr(out, "models:\n");
	for (uint32_t i = 0; i < models->model_count; i++) {
		const struct model_settings *m = &models->models[i];
		quoted(out, "  - {provider: openai, name", m->name);
		quoted(out, ", base_url", m->base_url);
		quoted(out, ", model", m->model);
		buf_printf(out, ", limits: {concurrency: 16}, timeout: 30s, price: {input: %g, output: %g}}\n", m->price.input, m->price.output);
	}
}

static enum rc write_config(struct demo_crew *crew, const struct demo_crew_plan *plan, unsigned index, struct err *err)
{
	struct buf out;
	buf_init(&out, &crew->arena, 4096);
	quoted(&out, "kafka: {brokers", str_of(plan->brokers));
	buf_printf(&out, ", group: %s", crew->name);
	if (plan->instance)
		buf_printf(&out, ", instance: worker-%u", index + 1);
	buf_printf(&out, "}\ninput: {topics: [%s.requests], format: json}\n", crew->name);
	buf_printf(&out, "output: {responses: %s.responses, decisions: %s.decisions, dead_letters: %s.dead-letters, format: json}\n",
	           crew->name, crew->name, crew->name);
	write_models(&out, plan->models);
	buf_cstr(&out, "policy: policy.yaml\nadmin: {listen: \"off\"}\nlog: {level: warn}\n");
	return write_file(path_of(crew, index, "yaml"), buf_view(&out), err);
}

enum rc demo_crew_new(const struct demo_crew_plan *plan, struct demo_crew **ret, struct err *err)
{
	const char *tmp = getenv("TMPDIR");
	struct demo_crew *crew = heap_zalloc(1, sizeof *crew);
	arena_init(&crew->arena, 0);
	struct str pattern = arena_printf(&crew->arena, "%s/pointsman-demo-XXXXXX", tmp != NULL && tmp[0] != '\0' ? tmp : "/tmp");
	char *folder = heap_strdup(pattern.data);
	if (mkdtemp(folder) == NULL) {
		enum rc rc = err_set(err, RC_FATAL, "no temporary folder %s: %s", folder, strerror(errno));
		free(folder);
		demo_crew_free(crew);
		return rc;
	}
	crew->folder = arena_printf(&crew->arena, "%s", folder).data;
	crew->name = strrchr(crew->folder, '/') + 1;
	crew->config = path_of(crew, 0, "yaml");
	free(folder);
	const char *text = arena_printf(&crew->arena, policy, crew->name).data;
	enum rc rc = write_file(arena_printf(&crew->arena, "%s/policy.yaml", crew->folder).data, str_of(text), err);
	for (unsigned i = 0; i < DEMO_CREW_SIZE && rc == RC_OK; i++)
		rc = write_config(crew, plan, i, err);
	if (rc != RC_OK) {
		demo_crew_free(crew);
		return rc;
	}
	*ret = crew;
	return RC_OK;
}

const char *demo_crew_name(const struct demo_crew *crew)
{
	return crew->name;
}

const char *demo_crew_config(const struct demo_crew *crew)
{
	return crew->config;
}

/* ---- processes ------------------------------------------------------------------------------------------------------- */

/* In the child: never returns. A group of its own, so that Ctrl-C is this process's to handle. */
static _Noreturn void become_worker(const char *config, const char *log, pid_t parent)
{
	sigset_t none;
	sigemptyset(&none);
	int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || getppid() != parent || setpgid(0, 0) != 0 || fd < 0 ||
	    dup2(fd, STDOUT_FILENO) < 0 || dup2(fd, STDERR_FILENO) < 0 || sigprocmask(SIG_SETMASK, &none, NULL) != 0)
		_exit(127);
	execl("/proc/self/exe", "pointsman", "run", "-c", config, (char *)NULL);
	_exit(127);
}

enum rc demo_crew_start(struct demo_crew *crew, unsigned index, struct err *err)
{
	const char *config = path_of(crew, index, "yaml"), *log = path_of(crew, index, "log");
	pid_t self = getpid(), child = fork();
	if (child == 0)
		become_worker(config, log, self);
	if (child < 0)
		return err_set(err, RC_FATAL, "no process for a worker: %s", strerror(errno));
	crew->workers[index] = child;
	return RC_OK;
}

void demo_crew_kill(struct demo_crew *crew, unsigned index)
{
	if (crew->workers[index] == 0)
		return;
	(void)kill(crew->workers[index], SIGKILL); /* ESRCH is impossible before waitpid */
	(void)waitpid(crew->workers[index], NULL, 0); /* its status is known */
	crew->workers[index] = 0;
}

enum rc demo_crew_look(struct demo_crew *crew, struct err *err)
{
	for (unsigned i = 0; i < DEMO_CREW_SIZE; i++) {
		int status;
		if (crew->workers[i] == 0 || waitpid(crew->workers[i], &status, WNOHANG) != crew->workers[i])
			continue;
		crew->workers[i] = 0;
		crew->keep = true;
		return err_set(err, RC_FATAL, "worker %u ended by itself (status %d); its log is %s", i + 1,
		               WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), path_of(crew, i, "log"));
	}
	return RC_OK;
}

void demo_crew_stop(struct demo_crew *crew)
{
	int64_t until_us = clock_mono_us() + GRACE_US;
	for (unsigned i = 0; i < DEMO_CREW_SIZE; i++)
		if (crew->workers[i] != 0)
			(void)kill(crew->workers[i], SIGTERM); /* ESRCH is impossible before waitpid */
	for (unsigned i = 0; i < DEMO_CREW_SIZE; i++) {
		while (crew->workers[i] != 0 && waitpid(crew->workers[i], NULL, WNOHANG) == 0 && clock_mono_us() < until_us)
			(void)usleep(LOOK_US); /* a shorter sleep does no harm */
		if (crew->workers[i] != 0 && clock_mono_us() >= until_us)
			demo_crew_kill(crew, i);
		crew->workers[i] = 0;
	}
}

static void remove_folder(struct demo_crew *crew)
{
	for (unsigned i = 0; i < DEMO_CREW_SIZE; i++) {
		(void)unlink(path_of(crew, i, "yaml")); /* what is not there need not go; what stays is in the temporary folder */
		(void)unlink(path_of(crew, i, "log"));  /* likewise */
	}
	(void)unlink(arena_printf(&crew->arena, "%s/policy.yaml", crew->folder).data); /* likewise */
	(void)rmdir(crew->folder);                                                      /* likewise */
}

void demo_crew_free(struct demo_crew *crew)
{
	if (crew == NULL)
		return;
	demo_crew_stop(crew);
	if (crew->folder != NULL && !crew->keep)
		remove_folder(crew);
	arena_free(&crew->arena);
	free(crew);
}
