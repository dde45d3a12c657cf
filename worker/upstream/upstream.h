/*
 * upstream.h: models: pools, limits, retries, breaker, provider formats, price. Knows nothing of routes: it is given an
 * ordered list of models in job->call.
 *
 * One thread per model. A job handed in comes back exactly once through the done hook, whatever happens.
 */
#ifndef UPSTREAM_UPSTREAM_H
#define UPSTREAM_UPSTREAM_H

#include "common/err.h"
#include "common/log.h"
#include "common/metrics.h"
#include "worker/job/job.h"
#include "worker/job/settings.h"

struct upstream;

struct upstream_hooks {
	void *ctx;
	/* Finished jobs: state ANSWERED (job->call.outcome OK), FAILED or EXPIRED (job->outcome set), FORWARDED (to be
	 * parked in job->call.park_topic), or DROPPED (its lease no
	 * longer allowed a start). Takes ownership of all in list. Thread: a pool. Must not block. */
	void (*done)(void *ctx, struct list *jobs);
};

/* cluster_id goes into idempotency keys. Starts one thread per model; connects lazily. */
enum rc upstream_start(const struct settings *settings, struct str cluster_id, struct log *log, struct metrics *metrics,
                       struct upstream_hooks hooks, struct upstream **ret, struct err *err);
/* Jobs in state DECIDED (or ASKING) with job->call asked. Takes ownership. Thread: any; never blocks. */
void upstream_submit(struct upstream *upstream, struct list *jobs);
/* Looks at every waiting job again: those that may not start come back DROPPED. Thread: any; returns at once. */
void upstream_sweep(struct upstream *upstream);
/* Gives up calls on the wire too: everything comes back, DROPPED. Thread: any; returns at once. */
void upstream_abort(struct upstream *upstream);
/* Ends the threads; all jobs must have come back. */
void upstream_stop(struct upstream *upstream);

struct pool_status {
	struct str model;
	uint32_t waiting, max_waiting, calling, concurrency, connections; /* max_waiting 0: no bound */
	uint64_t answered, failed, retried, parked, passed_over;
	bool breaker_open;
	int64_t p50_us, p95_us, p99_us;
	double cost_usd;
};
uint32_t upstream_pool_count(const struct upstream *upstream);
void upstream_pool_status(struct upstream *upstream, uint32_t model, struct pool_status *ret); /* Thread: any */

/* What the model would cost for so many tokens. Thread: any. */
double upstream_price(const struct model_settings *model, int64_t input, int64_t cached, int64_t output);

/* For check-config --connect --spend: one small blocking call outside the pools, for an answer or an embedding. Thread: caller's. */
enum rc upstream_probe(const struct settings *settings, uint32_t model, enum purpose purpose, int64_t *ret_ms, struct err *err);
/* For explain --ask: the question in job->call, put once to its first model, outside the pools; what a pool would bring back is in
 * job->call then, its outcome and message too. Blocks for its timeout at most. Thread: caller's. */
void upstream_ask(const struct settings *settings, struct job *job);

#endif
