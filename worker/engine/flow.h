/*
 * flow.h: the road of a record. One `struct flow` per decider thread.
 */
#ifndef ENGINE_FLOW_H
#define ENGINE_FLOW_H

#include "worker/cache/cache.h"
#include "worker/engine/tally.h"
#include "worker/route/route.h"
#include "worker/wire/wire.h"

struct flow;

enum { FLOW_BATCH = 64 };

/* What the road leads through, shared by all deciders. The functions take ownership of the jobs they are given. */
struct flow_shop {
	const struct settings *settings;
	struct wire *wire;
	struct cache *cache;
	struct tally *tally;
	struct job_pool *pool;
	const char *instance;
	void *ctx;
	struct policy *(*policy)(void *ctx);            /* the one in force, with a reference */
	void (*dispatch)(void *ctx, struct list *jobs); /* to the models' pools */
	void (*await_schema)(void *ctx, struct job *job);  /* to the control thread */
	void (*hand_back)(void *ctx, struct list *jobs);   /* to the stream */
};

struct flow *flow_new(const struct flow_shop *shop);
void flow_free(struct flow *flow); /* NULL is fine */

/* Moves each job as far as it can go without waiting. Takes ownership of all; empties jobs (at most FLOW_BATCH of them).
 * Thread: the flow's decider. */
void flow_batch(struct flow *flow, struct list *jobs);

/* Jobs that cache_unpark gave back: whom they waited for has not ended, so the wait does not count. For flow_batch next. Thread: any. */
void flow_unparked(struct list *jobs);

#endif
