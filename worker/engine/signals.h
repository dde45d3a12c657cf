/*
 * signals.h: the signals that the worker answers, and what they mean while it is starting.
 *
 * Thread: main. Open it before any other thread is started: threads inherit what is blocked.
 */
#ifndef ENGINE_SIGNALS_H
#define ENGINE_SIGNALS_H

#include "common/err.h"

struct signals;

/* Blocks SIGTERM, SIGINT and SIGHUP in this thread and all that it starts. Until the first signals_next, SIGTERM and SIGINT
 * end the process at once, with exit code 0. RC_FATAL: no descriptor or no thread. */
enum rc signals_open(struct signals **ret, struct err *err);
/* The signal that came within timeout_ms, 0 for none. */
int signals_next(struct signals *signals, int timeout_ms);
void signals_close(struct signals *signals); /* NULL is fine */

#endif
