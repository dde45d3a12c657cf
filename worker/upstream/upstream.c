/*
 * upstream.c: the room's door: starts a pool per model, sorts jobs into them, and answers questions about them.
 *
 * The one idea: nothing here waits. A job is given to the pool of the first model that may be asked, and everything else
 * happens in that pool's thread. A new provider is one line in `provider_of`.
 */
#include "worker/upstream/upstream.h"

#include <stdlib.h>

#include "common/clock.h"
#include "worker/upstream/cost.h"
#include "worker/upstream/pool.h"

struct upstream {
	const struct settings *settings;
	struct upstream_hooks hooks;
	struct resolver *resolver;
	struct pool *pools;
	struct pool **by_index; /* pointers to them, for the pools themselves */
	uint32_t count;
	_Atomic uint32_t abort_round;
	struct arena arena;
	struct str cluster_id; /* a copy: the pools outlive whoever told it */
};

static const struct provider *provider_of(int kind)
{
	return kind == PROVIDER_OPENAI ? &provider_openai : NULL;
}

static void wake(void *ctx, uint32_t index)
{
	struct upstream *u = ctx;
	pool_poke(&u->pools[index]);
}

static void take_apart(struct upstream *u)
{
	for (uint32_t i = 0; i < u->count; i++)
		pool_stop(&u->pools[i]);
	resolver_close(u->resolver); /* it pokes pools: before their descriptors go */
	for (uint32_t i = 0; i < u->count; i++)
		pool_close(&u->pools[i]);
	free(u->pools);
	free(u->by_index);
	arena_free(&u->arena);
	free(u);
}

static enum rc open_pools(struct upstream *u, struct log *log, struct metrics *metrics, struct err *err)
{
	uint32_t max_jobs = u->settings->engine.max_jobs;
	for (uint32_t i = 0; i < u->settings->model_count; i++) {
		struct pool *pool = &u->pools[i];
		const struct model_settings *model = &u->settings->models[i];
		pool->index = (uint16_t)i;
		pool->model = model;
		pool->provider = provider_of(model->provider);
		pool->pools = u->by_index;
		pool->hooks = u->hooks;
		pool->log = log;
		pool->cluster_id = u->cluster_id;
		pool->abort_round = &u->abort_round;
		if (model->when_full == FULL_WAIT)
			pool->crowd = max_jobs - max_jobs / 10; /* some are always on the wire or being committed */
		u->by_index[i] = pool;
		if (pool->provider == NULL)
			return err_set(err, RC_BAD_INPUT, "model %.*s: its provider is not built in", STR_ARG(model->name));
		u->count = i + 1;
		enum rc rc = pool_open(pool, metrics, err);
		if (rc != RC_OK)
			return rc;
	}
	return RC_OK;
}

static enum rc open_resolver(struct upstream *u, struct log *log, struct err *err)
{
	struct str *urls = heap_zalloc(u->count + 1, sizeof *urls);
	for (uint32_t i = 0; i < u->count; i++)
		urls[i] = u->settings->models[i].base_url;
	enum rc rc = resolver_open(urls, u->count, log, wake, u, &u->resolver, err);
	free(urls);
	for (uint32_t i = 0; i < u->count; i++)
		u->pools[i].resolver = u->resolver;
	return rc;
}

enum rc upstream_start(const struct settings *settings, struct str cluster_id, struct log *log, struct metrics *metrics,
                       struct upstream_hooks hooks, struct upstream **ret, struct err *err)
{
	if (settings->model_count > UINT16_MAX)
		return err_set(err, RC_BAD_INPUT, "%u models are too many", (unsigned)settings->model_count);
	struct upstream *u = heap_zalloc(1, sizeof *u);
	u->settings = settings;
	u->hooks = hooks;
	u->pools = heap_zalloc(settings->model_count + 1u, sizeof *u->pools);
	u->by_index = heap_zalloc(settings->model_count + 1u, sizeof(struct pool *));
	arena_init(&u->arena, 64);
	u->cluster_id = arena_str(&u->arena, cluster_id);
	enum rc rc = open_pools(u, log, metrics, err);
	if (rc == RC_OK)
		rc = open_resolver(u, log, err);
	for (uint32_t i = 0; i < u->count && rc == RC_OK; i++)
		rc = pool_start(&u->pools[i], err);
	if (rc != RC_OK) {
		take_apart(u);
		return rc;
	}
	*ret = u;
	return RC_OK;
}

void upstream_submit(struct upstream *u, struct list *jobs)
{
	uint32_t round = atomic_load_explicit(&u->abort_round, memory_order_acquire);
	int64_t now_us = clock_mono_us();
	struct list run = {0};
	struct pool *run_to = NULL;
	for (struct link *l; (l = list_pop(jobs)) != NULL;) {
		struct job *job = LINK_OWNER(struct job, link, l);
		tries_begin(job, u->settings->engine.attempts, round);
		struct pool *to = pool_for(u->by_index, job, job->state == JOB_DECIDED, now_us);
		if (to == NULL)
			to = &u->pools[0]; /* it has ended already; a pool's thread hands it back */
		if (to != run_to && run_to != NULL)
			pool_push(run_to, &run); /* neighbours for one pool go in one push */
		run_to = to;
		list_push(&run, &job->link);
	}
	if (run_to != NULL)
		pool_push(run_to, &run);
}

void upstream_sweep(struct upstream *u)
{
	for (uint32_t i = 0; i < u->count; i++) {
		atomic_store_explicit(&u->pools[i].sweep, true, memory_order_release);
		pool_poke(&u->pools[i]);
	}
}

void upstream_abort(struct upstream *u)
{
	atomic_fetch_add_explicit(&u->abort_round, 1, memory_order_acq_rel);
	for (uint32_t i = 0; i < u->count; i++)
		pool_poke(&u->pools[i]);
}

void upstream_stop(struct upstream *u)
{
	if (u != NULL)
		take_apart(u);
}

uint32_t upstream_pool_count(const struct upstream *u)
{
	return u->count;
}

void upstream_pool_status(struct upstream *u, uint32_t model, struct pool_status *ret)
{
	struct pool *p = &u->pools[model];
	*ret = (struct pool_status){
	    .model = p->model->name,
	    .waiting = atomic_load_explicit(&p->waiting, memory_order_relaxed),
	    .calling = atomic_load_explicit(&p->calling, memory_order_relaxed),
	    .concurrency = p->concurrency,
	    .connections = atomic_load_explicit(&p->connections, memory_order_relaxed),
	    .answered = atomic_load_explicit(&p->answered, memory_order_relaxed),
	    .failed = atomic_load_explicit(&p->failed, memory_order_relaxed),
	    .retried = atomic_load_explicit(&p->retried, memory_order_relaxed),
	    .max_waiting = p->model->max_waiting,
	    .parked = atomic_load_explicit(&p->parked, memory_order_relaxed),
	    .passed_over = atomic_load_explicit(&p->passed_over, memory_order_relaxed),
	    .breaker_open = atomic_load_explicit(&p->counts.breaker_open->value, memory_order_relaxed) != 0,
	    .p50_us = histogram_quantile(p->counts.duration, 0.50),
	    .p95_us = histogram_quantile(p->counts.duration, 0.95),
	    .p99_us = histogram_quantile(p->counts.duration, 0.99),
	    .cost_usd = (double)atomic_load_explicit(&p->counts.nano_usd->value, memory_order_relaxed) * 1e-9,
	};
}

double upstream_price(const struct model_settings *model, int64_t input, int64_t cached, int64_t output)
{
	return cost_usd(&model->price, input, cached, output);
}
