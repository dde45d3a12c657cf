/*
 * engine.c: opening the rooms in order, the deciders, and closing in the opposite order.
 *
 * The one idea: rooms do not know each other; the engine joins them with function tables and hand-over lists. A job goes
 * round: stream -> work queue -> flow -> pool -> work queue -> flow -> stream. Everything a room needs from another is one of
 * the small functions here.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/clock.h"
#include "worker/engine/room.h"

/* ---- joints ---------------------------------------------------------------------------------------------------------- */

struct policy *engine_policy(struct engine *engine)
{
	pthread_mutex_lock(&engine->policy_lock);
	struct policy *policy = policy_ref(engine->policy);
	pthread_mutex_unlock(&engine->policy_lock);
	return policy;
}

static struct policy *flow_policy(void *ctx)
{
	return engine_policy(ctx);
}

static void flow_dispatch(void *ctx, struct list *jobs)
{
	upstream_submit(((struct engine *)ctx)->upstream, jobs);
}

static void flow_await_schema(void *ctx, struct job *job)
{
	control_await_schema(((struct engine *)ctx)->control, job);
}

static void flow_hand_back(void *ctx, struct list *jobs)
{
	stream_finish_list(((struct engine *)ctx)->stream, jobs);
}

static void to_deciders(void *ctx, struct list *jobs)
{
	handover_push_list(&((struct engine *)ctx)->work, jobs);
}

/* What waits for another's decision has to see whether it still may be decided here. */
static void wake_parked(struct engine *e)
{
	struct list jobs = {0};
	cache_unpark(e->cache, &jobs);
	flow_unparked(&jobs);
	if (jobs.count != 0)
		to_deciders(e, &jobs);
}

static void stream_leases_changed(void *ctx)
{
	struct engine *e = ctx;
	if (!atomic_load(&e->wired)) /* before and after that nothing waits there */
		return;
	upstream_sweep(e->upstream);
	wake_parked(e);
}

/* The broker will not have this record's outputs: it becomes a failure, which is encoded like any other. */
static void stream_refused(void *ctx, struct job *job, const struct err *why)
{
	struct engine *e = ctx;
	job_fail(job, OUTCOME_OUTPUT_REFUSED, "%s", why->text);
	handover_push(&e->work, &job->link);
}

static void unpin_policy(void *ctx, struct job *job)
{
	(void)ctx; /* the hook's shape */
	policy_unref(job->dec.policy);
}

/* ---- deciders -------------------------------------------------------------------------------------------------------- */

static void *decider_main(void *arg)
{
	struct engine *e = arg;
	(void)pthread_setname_np(pthread_self(), "decider"); /* a name for people; nothing depends on it */
	const struct flow_shop shop = {
		.settings = e->settings,
		.wire = e->wire,
		.cache = e->cache,
		.tally = e->tally,
		.pool = e->pool,
		.instance = e->instance,
		.ctx = e,
		.policy = flow_policy,
		.dispatch = flow_dispatch,
		.await_schema = flow_await_schema,
		.hand_back = flow_hand_back,
	};
	struct flow *flow = flow_new(&shop);
	for (;;) {
		struct list jobs = {0};
		if (handover_take(&e->work, &jobs, FLOW_BATCH) != 0)
			flow_batch(flow, &jobs);
		else if (handover_is_closed(&e->work))
			break;
		else
			handover_wait(&e->work, -1);
	}
	flow_free(flow);
	return NULL;
}

static enum rc start_deciders(struct engine *e, struct err *err)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	uint32_t want = e->settings->engine.deciders;
	if (want == 0)
		want = cores > 0 ? (uint32_t)cores : 1;
	e->deciders = heap_zalloc(want, sizeof *e->deciders);
	for (; e->decider_count < want; e->decider_count++)
		if (pthread_create(&e->deciders[e->decider_count], NULL, decider_main, e) != 0)
			return err_set(err, RC_FATAL, "no thread for decider %u: raise the limit of processes or lower engine.deciders",
			               e->decider_count);
	return RC_OK;
}

/* ---- admin ----------------------------------------------------------------------------------------------------------- */

enum { STALE_US = 10 * 1000000 }; /* main goes round each second */

static bool admin_healthy(void *ctx)
{
	struct engine *e = ctx;
	if (!atomic_load(&e->up)) /* the start has bounds of its own, and a restart would only begin it anew */
		return true;
	return clock_mono_us() - atomic_load(&e->beat_us) < STALE_US;
}

bool engine_ready(struct engine *e, struct buf *why)
{
	struct stream_status st;
	struct err err;
	if (!atomic_load(&e->up)) {
		buf_cstr(why, "starting");
		return false;
	}
	stream_status(e->stream, &st);
	if (atomic_load(&e->draining))
		buf_cstr(why, "shutting down");
	else if (!st.brokers_reachable)
		buf_cstr(why, "no broker is reachable");
	else if (!st.assigned)
		buf_cstr(why, "no partitions are assigned yet");
	else if (wire_ready(e->wire, &err) != RC_OK)
		buf_cstr(why, err.text);
	return why->len == 0;
}

static bool admin_ready(void *ctx, struct buf *why)
{
	return engine_ready(ctx, why);
}

static void admin_status(void *ctx, struct buf *out)
{
	engine_status_json(ctx, out);
}

static enum rc start_admin(struct engine *e, struct err *err)
{
	if (e->settings->admin.listen.data == NULL)
		return RC_OK;
	const struct admin_source source = {.ctx = e, .healthy = admin_healthy, .ready = admin_ready, .status_json = admin_status};
	return admin_start(e->settings->admin.listen, &source, e->metrics, &e->admin, err);
}

const char *engine_admin_address(const struct engine *engine)
{
	return engine->admin != NULL ? admin_address(engine->admin) : "";
}

/* ---- life ------------------------------------------------------------------------------------------------------------ */

static void name_instance(struct engine *e)
{
	char host[64] = "";
	if (gethostname(host, sizeof host - 1) != 0)
		(void)snprintf(host, sizeof host, "unknown-host"); /* fits */
	struct str given = e->settings->kafka.instance;
	if (given.data != NULL)
		(void)snprintf(e->instance, sizeof e->instance, "%.*s", (int)str_utf8_cut(given, sizeof e->instance - 1), given.data); /* fits */
	else
		(void)snprintf(e->instance, sizeof e->instance, "%s-%ld", host, (long)getpid()); /* fits */
}

static enum rc start_stream(struct engine *e, struct err *err)
{
	const struct stream_options options = {
		.settings = e->settings,
		.pool = e->pool,
		.log = e->log,
		.metrics = e->metrics,
		.hooks = {.ctx = e, .deliver = to_deciders, .leases_changed = stream_leases_changed, .refused = stream_refused},
	};
	return stream_start(&options, &e->stream, err);
}

static enum rc start_upstream(struct engine *e, struct err *err)
{
	struct stream_status st;
	stream_status(e->stream, &st);
	const struct upstream_hooks hooks = {.ctx = e, .done = to_deciders};
	enum rc rc = upstream_start(e->settings, str_of(st.cluster_id), e->log, e->metrics, hooks, &e->upstream, err);
	atomic_store(&e->wired, rc == RC_OK);
	return rc;
}

static enum rc start_rooms(struct engine *e, struct err *err)
{
	const struct settings *s = e->settings;
	enum rc rc = handover_open(&e->work, err);
	if (rc == RC_OK)
		rc = policy_load(s->policy_file.data, s, &e->policy, err);
	if (rc == RC_OK)
		rc = wire_open(s, e->metrics, &e->wire, err);
	if (rc == RC_OK)
		rc = cache_open(s, e->log, e->metrics, &e->cache, err);
	if (rc == RC_OK)
		cache_on_resume(e->cache, to_deciders, e);
	if (rc == RC_OK) /* a taken port is said before the group is joined, and a slow start can be watched */
		rc = start_admin(e, err);
	if (rc == RC_OK)
		rc = control_start(e, &e->control, err);
	if (rc == RC_OK)
		rc = start_stream(e, err);
	if (rc == RC_OK)
		rc = start_upstream(e, err);
	if (rc == RC_OK)
		rc = start_deciders(e, err);
	return rc;
}

struct engine *engine_new(const struct engine_options *options)
{
	struct engine *e = heap_zalloc(1, sizeof *e);
	e->settings = options->settings;
	e->log = options->log;
	e->metrics = options->metrics;
	e->work.event_fd = -1;
	e->started_us = clock_mono_us();
	atomic_store(&e->beat_us, e->started_us);
	pthread_mutex_init(&e->policy_lock, NULL);
	name_instance(e);
	e->tally = tally_new(e->metrics);
	e->pool = job_pool_new(e->settings->engine.max_jobs, e->settings->engine.max_bytes, unpin_policy, e);
	return e;
}

enum rc engine_start(struct engine *engine, struct err *err)
{
	enum rc rc = start_rooms(engine, err);
	if (rc != RC_OK)
		return rc;
	atomic_store(&engine->beat_us, clock_mono_us());
	atomic_store(&engine->up, true);
	return RC_OK;
}

enum rc engine_reload(struct engine *engine, struct err *err)
{
	struct policy *fresh = NULL;
	enum rc rc = policy_load(engine->settings->policy_file.data, engine->settings, &fresh, err);
	if (rc != RC_OK)
		return rc;
	pthread_mutex_lock(&engine->policy_lock);
	struct policy *old = engine->policy;
	engine->policy = fresh;
	pthread_mutex_unlock(&engine->policy_lock);
	policy_unref(old);
	return RC_OK;
}

void engine_drain(struct engine *engine)
{
	atomic_store(&engine->draining, true);
	stream_drain(engine->stream);
	upstream_sweep(engine->upstream);
	wake_parked(engine);
}

bool engine_idle(struct engine *engine)
{
	return stream_outstanding(engine->stream) == 0;
}

void engine_abort(struct engine *engine)
{
	upstream_abort(engine->upstream);
}

enum rc engine_health(struct engine *engine, struct err *err)
{
	int64_t now_us = clock_mono_us();
	atomic_store(&engine->beat_us, now_us);
	cache_tick(engine->cache, now_us);
	return stream_health(engine->stream, err);
}

/* The stream stops first: after it nothing new comes in and nothing is written. Then the deciders, who reach into all other
 * rooms; then those rooms. Jobs that are still out have nowhere to go but back to the pool that dies with the engine. */
enum rc engine_stop(struct engine *engine)
{
	if (engine == NULL)
		return RC_OK;
	admin_stop(engine->admin);
	if (engine->stream != NULL && stream_stop(engine->stream) != RC_OK)
		return RC_FATAL;
	if (engine->work.event_fd >= 0)
		handover_wake_all(&engine->work);
	for (uint32_t i = 0; i < engine->decider_count; i++)
		pthread_join(engine->deciders[i], NULL);
	free(engine->deciders);
	atomic_store(&engine->wired, false); /* the stream tells of its last leases when it is freed */
	if (engine->upstream != NULL)
		upstream_stop(engine->upstream);
	control_stop(engine->control);
	if (engine->stream != NULL)
		stream_free(engine->stream);
	cache_close(engine->cache);
	wire_close(engine->wire);
	policy_unref(engine->policy);
	job_pool_free(engine->pool);
	tally_free(engine->tally);
	handover_close(&engine->work);
	pthread_mutex_destroy(&engine->policy_lock);
	free(engine);
	return RC_OK;
}
