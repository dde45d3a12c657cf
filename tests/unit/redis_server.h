/*
 * redis_server.h: a real redis-server for one test, on a Unix socket in a folder of its own. It dies with the test.
 */
#ifndef TESTS_UNIT_REDIS_SERVER_H
#define TESTS_UNIT_REDIS_SERVER_H

#include <errno.h>
#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct redis_server {
	pid_t pid; /* 0: not running */
	char folder[64], socket[96], url[128];
	const char *password; /* NULL: none */
};

static inline void server_pause_ms(long ms)
{
	struct timespec t = {ms / 1000, ms % 1000 * 1000000};
	nanosleep(&t, NULL);
}

/* The test's own connection; the caller frees it. */
static inline redisContext *server_connect(const struct redis_server *s)
{
	redisContext *c = redisConnectUnix(s->socket);
	if (c != NULL && c->err == 0 && s->password != NULL)
		freeReplyObject(redisCommand(c, "AUTH %s", s->password));
	return c;
}

static inline bool server_answers(const struct redis_server *s)
{
	redisContext *c = server_connect(s);
	redisReply *reply = c != NULL && c->err == 0 ? redisCommand(c, "PING") : NULL;
	bool answers = reply != NULL && reply->type == REDIS_REPLY_STATUS;
	freeReplyObject(reply);
	redisFree(c);
	return answers;
}

/* Starts it, or starts it again. False when it does not answer within ten seconds. */
static inline bool server_start(struct redis_server *s)
{
	if (s->folder[0] == '\0') {
		snprintf(s->folder, sizeof s->folder, "/tmp/pointsman-redis-XXXXXX");
		if (mkdtemp(s->folder) == NULL)
			return false;
		snprintf(s->socket, sizeof s->socket, "%s/redis.sock", s->folder);
		snprintf(s->url, sizeof s->url, "unix://%s?db=2", s->socket);
	}
	pid_t parent = getpid();
	s->pid = fork();
	if (s->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(1);
		int null = open("/dev/null", O_RDWR);
		dup2(null, 1);
		dup2(null, 2);
		execlp("redis-server", "redis-server", "--port", "0", "--unixsocket", s->socket, "--dir", s->folder, "--save", "",
		       "--appendonly", "no", s->password != NULL ? "--requirepass" : (char *)NULL, s->password, (char *)NULL);
		_exit(127);
	}
	for (int i = 0; i < 1000 && s->pid > 0; i++) {
		if (server_answers(s))
			return true;
		server_pause_ms(10);
	}
	return false;
}

static inline void server_kill(struct redis_server *s)
{
	if (s->pid > 0) {
		kill(s->pid, SIGKILL);
		waitpid(s->pid, NULL, 0);
	}
	s->pid = 0;
}

static inline void server_end(struct redis_server *s)
{
	server_kill(s);
	unlink(s->socket);
	rmdir(s->folder);
}

/* Runs a command in database 2 and returns its reply, never NULL; free with freeReplyObject. */
static inline redisReply *server_ask(const struct redis_server *s, int argc, const char **argv, const size_t *lengths)
{
	redisContext *c = server_connect(s);
	freeReplyObject(redisCommand(c, "SELECT 2"));
	redisReply *reply = redisCommandArgv(c, argc, argv, lengths);
	redisFree(c);
	if (reply == NULL)
		abort();
	return reply;
}

#endif
