/*
 * signals.c: signals as a descriptor, and a quick end during the start.
 *
 * The one idea: the start asks brokers with blocking calls, for half a minute when they are down, and must not hold up a
 * person who changed his mind. Until main reads the descriptor, a thread of its own waits for the signals that end. Nothing
 * needs to be saved then: an end at any moment is safe, and this one comes before the first commit.
 */
#include "worker/engine/signals.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "common/arena.h"

enum { LOOK_MS = 20 };

struct signals {
	int fd;
	bool watched;      /* the thread runs */
	_Atomic bool over; /* it may end */
	pthread_t thread;
};

static void add_ends(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGINT);
}

static void *end_early(void *arg)
{
	struct signals *signals = arg;
	const struct timespec look = {.tv_nsec = LOOK_MS * 1000000L};
	sigset_t ends;
	add_ends(&ends);
	while (!atomic_load(&signals->over)) {
		if (sigtimedwait(&ends, NULL, &look) < 0)
			continue; /* EAGAIN: none came */
		static const char words[] = "pointsman: ended while it was starting\n";
		ssize_t n = write(STDERR_FILENO, words, sizeof words - 1);
		(void)n; /* nobody is left to tell */
		_exit(EXIT_SUCCESS);
	}
	return NULL;
}

static void stop_watching(struct signals *signals)
{
	if (!signals->watched)
		return;
	signals->watched = false;
	atomic_store(&signals->over, true);
	pthread_join(signals->thread, NULL);
}

enum rc signals_open(struct signals **ret, struct err *err)
{
	sigset_t set;
	add_ends(&set);
	sigaddset(&set, SIGHUP);
	int failed = pthread_sigmask(SIG_BLOCK, &set, NULL);
	if (failed != 0)
		return err_set(err, RC_FATAL, "signals cannot be blocked: %s", strerror(failed));
	(void)signal(SIGPIPE, SIG_IGN); /* SIG_ERR is impossible for SIGPIPE; sockets report EPIPE instead */
	int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return err_set(err, RC_FATAL, "no descriptor for signals: %s; raise the limit of open files", strerror(errno));
	struct signals *signals = heap_zalloc(1, sizeof *signals);
	signals->fd = fd;
	failed = pthread_create(&signals->thread, NULL, end_early, signals);
	if (failed != 0) {
		signals_close(signals);
		return err_set(err, RC_FATAL, "no thread for signals: %s; raise the limit of processes", strerror(failed));
	}
	signals->watched = true;
	*ret = signals;
	return RC_OK;
}

int signals_next(struct signals *signals, int timeout_ms)
{
	stop_watching(signals);
	struct pollfd p = {.fd = signals->fd, .events = POLLIN};
	if (poll(&p, 1, timeout_ms) <= 0)
		return 0;
	struct signalfd_siginfo info;
	return read(signals->fd, &info, sizeof info) == (ssize_t)sizeof info ? (int)info.ssi_signo : 0;
}

void signals_close(struct signals *signals)
{
	if (signals == NULL)
		return;
	stop_watching(signals);
	close(signals->fd);
	free(signals);
}
