/*
 * control.c: the control thread: schema registry look-ups and the jobs that wait for them.
 *
 * The one idea: whatever may block on a slow service outside the road of a record does so here, on one thread, so that no
 * decider and no pool ever waits for it. Requests are coalesced by the wire room; this thread only asks "what next".
 */
#include <stdlib.h>

#include "common/clock.h"
#include "common/http.h"
#include "worker/engine/room.h"

enum { NO_SCHEMA = 0 }; /* the job waits for the ids of our own output schemas */
enum { TICK_MS = 100, RETRY_US = 1000000, REGISTRY_MAX_BODY = 4 * 1024 * 1024 };

struct control {
	struct engine *engine;
	struct handover arrivals;
	struct list waiting; /* jobs in state NEEDS_SCHEMA */
	struct http *http;
	int64_t retry_at_us; /* the registry did not answer: not before */
	pthread_t thread;
};

static void fetch_wanted(struct control *control, struct arena *arena)
{
	struct engine *e = control->engine;
	struct wire_want want;
	int64_t now_us = clock_mono_us();
	if (now_us < control->retry_at_us)
		return;
	while (wire_wanted(e->wire, now_us, arena, &want)) {
		struct err err;
		enum rc rc = wire_fetch(e->wire, control->http, &want, now_us, &err);
		if (rc == RC_OK)
			continue;
		log_warn(e->log, "wire", "schema registry", LOG_C("error", err.text), LOG_I("schema_id", want.schema_id));
		if (rc == RC_UNAVAILABLE) {
			control->retry_at_us = clock_mono_us() + RETRY_US;
			return;
		}
	}
}

/* Back to the deciders: a known schema to be decoded, a missing one to be failed, a lost partition to be dropped. */
static bool ready_again(struct control *control, struct job *job)
{
	struct engine *e = control->engine;
	if (!record_may_start(&job->rec))
		return job_advance(job, JOB_DROPPED);
	if (job->schema_id == NO_SCHEMA)
		return wire_ready(e->wire, NULL) == RC_OK && job_advance(job, JOB_FETCHED);
	switch (wire_schema_state(e->wire, job->schema_id, clock_mono_us())) {
	case SCHEMA_KNOWN:
		return job_advance(job, JOB_FETCHED);
	case SCHEMA_MISSING:
		job_fail(job, OUTCOME_BAD_SCHEMA, "the registry has no schema with id %u", job->schema_id);
		return true;
	case SCHEMA_UNKNOWN:
		break;
	}
	return false;
}

static void sort_waiting(struct control *control)
{
	struct list still = {0}, ready = {0};
	for (struct link *link; (link = list_pop(&control->waiting)) != NULL;) {
		struct job *job = LINK_OWNER(struct job, link, link);
		bool ready_now = ready_again(control, job);
		if (ready_now)
			atomic_fetch_sub(&job->rec.lease->held, 1);
		list_push(ready_now ? &ready : &still, link);
	}
	control->waiting = still;
	handover_push_list(&control->engine->work, &ready);
}

static void *control_main(void *arg)
{
	struct control *control = arg;
	(void)pthread_setname_np(pthread_self(), "control"); /* a name for people; nothing depends on it */
	struct arena arena;
	arena_init(&arena, 0);
	while (!handover_is_closed(&control->arrivals)) {
		handover_wait(&control->arrivals, TICK_MS);
		struct list new_jobs = {0};
		handover_take(&control->arrivals, &new_jobs, 0);
		for (struct link *link = new_jobs.head; link != NULL; link = link->next) {
			const struct job *job = LINK_OWNER(struct job, link, link);
			if (job->schema_id != NO_SCHEMA)
				wire_want_schema(control->engine->wire, job->schema_id, clock_mono_us());
		}
		list_join(&control->waiting, &new_jobs);
		fetch_wanted(control, &arena);
		if (control->waiting.head != NULL)
			sort_waiting(control);
		arena_reset(&arena);
	}
	arena_free(&arena);
	return NULL;
}

enum rc control_start(struct engine *engine, struct control **ret, struct err *err)
{
	struct control *control = heap_zalloc(1, sizeof *control);
	control->engine = engine;
	enum rc rc = handover_open(&control->arrivals, err);
	if (rc != RC_OK) {
		free(control);
		return rc;
	}
	control->http = http_new(engine->settings->registry.timeout_ms, REGISTRY_MAX_BODY);
	if (pthread_create(&control->thread, NULL, control_main, control) != 0) {
		http_free(control->http);
		handover_close(&control->arrivals);
		free(control);
		return err_set(err, RC_FATAL, "no thread for the control plane: raise the limit of processes");
	}
	*ret = control;
	return RC_OK;
}

void control_await_schema(struct control *control, struct job *job)
{
	atomic_fetch_add(&job->rec.lease->held, 1);
	handover_push(&control->arrivals, &job->link);
}

void control_stop(struct control *control)
{
	if (control == NULL)
		return;
	handover_wake_all(&control->arrivals);
	pthread_join(control->thread, NULL);
	http_free(control->http);
	handover_close(&control->arrivals);
	free(control);
}
