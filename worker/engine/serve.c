/*
 * serve.c: the main thread: signals, reload, watchdog, graceful end.
 *
 * The one idea: the main thread owns nothing of the road; it looks once a second whether all is well, and turns signals into
 * one of three words: reload, drain, give up.
 */
#include <signal.h>

#include "common/clock.h"
#include "worker/engine/room.h"

enum { LOOK_MS = 1000, DRAIN_LOOK_MS = 20, ABORT_GRACE_US = 5 * 1000000 };

static void reload(struct engine *e)
{
	struct err err;
	if (engine_reload(e, &err) != RC_OK) {
		log_error(e->log, "engine", "policy not reloaded, the old one stays", LOG_C("error", err.text));
		return;
	}
	struct policy *policy = engine_policy(e);
	log_info(e->log, "engine", "policy reloaded", LOG_S("name", policy_name(policy)),
	         LOG_S("decision_version", policy_decision_version(policy)));
	policy_unref(policy);
}

/* Waits until all is committed, a second signal, or the grace is over; then gives up calls on the wire. */
static enum rc drain(struct engine *e, struct signals *signals, struct err *err)
{
	int64_t give_up_us = clock_mono_us() + e->settings->engine.shutdown_grace_ms * 1000;
	log_info(e->log, "engine", "shutting down: calls on the wire may finish", LOG_I("outstanding", stream_outstanding(e->stream)),
	         LOG_I("grace_ms", e->settings->engine.shutdown_grace_ms));
	engine_drain(e);
	bool aborted = false;
	while (!engine_idle(e)) {
		if (engine_health(e, err) != RC_OK)
			return RC_FATAL;
		int signal_number = signals_next(signals, DRAIN_LOOK_MS);
		bool hurried = signal_number == SIGTERM || signal_number == SIGINT;
		if (!aborted && (hurried || clock_mono_us() >= give_up_us)) {
			log_warn(e->log, "engine", "giving up calls on the wire: their records will be taken up again",
			         LOG_I("outstanding", stream_outstanding(e->stream)), LOG_C("why", hurried ? "second signal" : "grace is over"));
			engine_abort(e);
			aborted = true;
			give_up_us = clock_mono_us() + ABORT_GRACE_US;
		} else if (aborted && clock_mono_us() >= give_up_us) {
			log_warn(e->log, "engine", "leaving with work uncommitted: it will be redone",
			         LOG_I("outstanding", stream_outstanding(e->stream)));
			break;
		}
	}
	return RC_OK;
}

enum rc engine_serve(struct engine *engine, struct signals *signals, struct err *err)
{
	for (;;) {
		enum rc rc = engine_health(engine, err);
		if (rc != RC_OK)
			return rc;
		switch (signals_next(signals, LOOK_MS)) {
		case SIGTERM:
		case SIGINT:
			return drain(engine, signals, err);
		case SIGHUP:
			reload(engine);
			break;
		default:
			break;
		}
	}
}
