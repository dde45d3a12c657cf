/*
 * engine.h: the worker as a whole: its threads, from start to stop.
 *
 * Thread: all functions by the thread that started it (main), unless said otherwise.
 */
#ifndef ENGINE_ENGINE_H
#define ENGINE_ENGINE_H

#include "common/err.h"
#include "common/log.h"
#include "common/metrics.h"
#include "worker/engine/signals.h"
#include "worker/job/settings.h"

struct engine;

struct engine_options {
	const struct settings *settings; /* must outlive the engine */
	struct log *log;
	struct metrics *metrics;
};

/* Nothing is opened yet. engine_stop is the caller's, whatever becomes of the start. */
struct engine *engine_new(const struct engine_options *options);
/* Opens every room and starts their threads; the policy is read from settings->policy_file. What was opened before a failure
 * stays open until engine_stop, which alone can tell that a thread does not end. */
enum rc engine_start(struct engine *engine, struct err *err);

/* Reads the policy again; a bad one is refused and the old one stays. */
enum rc engine_reload(struct engine *engine, struct err *err);

/* Fetch no more, drop what waits, let calls on the wire finish. Returns at once; engine_idle tells when all is committed. */
void engine_drain(struct engine *engine);
bool engine_idle(struct engine *engine);
/* Gives up calls on the wire: their records stay unfinished and are taken up by whoever gets the partition. */
void engine_abort(struct engine *engine);
/* Commits what is finished, leaves the group, ends all threads, frees all. NULL is fine. RC_FATAL: a thread hangs in a call
 * that cannot be cancelled; nothing was freed, and nothing that the engine uses may be: end the process by _exit. */
enum rc engine_stop(struct engine *engine);

/* RC_FATAL: the process should end (it says why). */
enum rc engine_health(struct engine *engine, struct err *err);
/* "host:port" the admin pages listen on; empty when off. */
const char *engine_admin_address(const struct engine *engine);
/* The JSON of /status. Thread: any. */
void engine_status_json(struct engine *engine, struct buf *out);

/* Runs until a signal (SIGTERM, SIGINT: drain, a second one: give up calls; SIGHUP: reload) or a fatal error;
 * then drains within engine.shutdown_grace. RC_OK: a clean end. engine_stop is still the caller's. */
enum rc engine_serve(struct engine *engine, struct signals *signals, struct err *err);

#endif
