/*
 * pool.h: one model: a thread, its waiting lines, its breaker, its transfers. Inside the room only.
 *
 * A job is owned by the pool that has it; pools pass jobs on through their inboxes. Thread: as said for each.
 */
#ifndef UPSTREAM_POOL_H
#define UPSTREAM_POOL_H

#include <pthread.h>
#include <stdatomic.h>

#include "worker/upstream/breaker.h"
#include "worker/upstream/tries.h"
#include "worker/upstream/line.h"
#include "worker/upstream/provider.h"
#include "worker/upstream/resolve.h"
#include "worker/upstream/transfer.h"
#include "worker/upstream/upstream.h"

struct pool_counts { /* series of the model; counting is atomic */
	struct counter *calls[OUTCOME_COUNT]; /* made when first needed */
	struct counter *retries, *repeated, *tokens_in, *tokens_cached, *tokens_out, *nano_usd, *parked, *passed_over;
	struct gauge *waiting, *calling, *breaker_open;
	struct histogram *duration;
	struct metrics *metrics;
};

struct pool {
	/* constant after pool_open */
	uint16_t index;
	uint32_t concurrency;
	uint32_t crowd; /* so many waiting records leave no room for other models'; 0: never */
	const struct model_settings *model;
	const struct provider *provider;
	struct pool *const *pools; /* all of them, by index in settings.models */
	struct upstream_hooks hooks;
	struct log *log;
	struct resolver *resolver;
	struct str cluster_id, where; /* where: the base URL without a password, for people */
	pthread_t thread;
	bool has_thread;
	/* any thread */
	struct handover inbox;
	int poke_fd;
	const _Atomic uint32_t *abort_round; /* the room's: raised by each upstream_abort */
	_Atomic bool stop, sweep;
	_Atomic int64_t blocked_until_us; /* by the breaker; 0: not */
	_Atomic int blocked_by;           /* enum outcome */
	_Atomic uint64_t answered, failed, retried, parked, passed_over;
	_Atomic uint32_t waiting; /* given to this pool and not on the wire: in its inbox or its lines */
	_Atomic uint32_t calling, connections;
	_Atomic bool crowded; /* that so many wait has been said */
	struct pool_counts counts;
	/* the pool's thread */
	uint32_t seen_round, names_version;
	enum resolve_state names;
	struct transfers *transfers;
	struct line ready, later;
	struct list finished;
	struct breaker breaker;
	struct arena arena, scratch; /* arena: as long as the pool; scratch: until the next answer */
	struct sha256 *hash;
	uint64_t random;
};

/* Everything but the thread; the constant members above metrics are set. Thread: the owner of the room. */
enum rc pool_open(struct pool *pool, struct metrics *metrics, struct err *err);
enum rc pool_start(struct pool *pool, struct err *err);
void pool_stop(struct pool *pool);  /* ends the thread; fine where none was started */
void pool_close(struct pool *pool); /* after pool_stop; fine after a failed pool_open */
void *pool_run(void *pool);         /* the thread */
void pool_poke(struct pool *pool);  /* wakes the thread. Thread: any. */

/* Which of the URLs there. */
static inline unsigned pool_url(enum purpose purpose)
{
	return purpose == PURPOSE_EMBED ? 1 : 0;
}
/* What a model's transfers are made with; texts in arena. Thread: any. */
struct transfers_setup pool_transfers_setup(const struct model_settings *model, const struct provider *provider,
                                            struct arena *arena);
/* Picks the first model of the job's list that may be asked now, else the one that may be first, and takes a place in its
 * line. comes_in: it is new in the room, and limits.max_waiting holds for it. NULL: none is left, the deadline comes sooner, or
 * it is to be parked; the job has then ended. Thread: the job's owner. */
struct pool *pool_for(struct pool *const *pools, struct job *job, bool comes_in, int64_t now_us);
void pool_join_line(struct pool *pool, struct job *job); /* Nothing where it is in that line. Thread: the job's owner. */
void pool_leave_line(struct job *job);                   /* It starts, or leaves the room. Likewise. */
void pool_push(struct pool *pool, struct list *jobs); /* Takes ownership. Thread: any. */

/* Inside the pool's thread. */
void pool_finish(struct pool *pool, struct job *job); /* out with the next batch */
void pool_wait_until(struct pool *pool, struct job *job, int64_t not_before_us);
void pool_move_on(struct pool *pool, struct job *job); /* to the next model, or out */
void pool_publish_breaker(struct pool *pool, int64_t now_us);
/* A transfer ended: notes the attempt and does what follows. Takes the job, gives the transfer back. */
void settle(struct pool *pool, struct transfer *t, const struct transfer_result *result);
/* What only the router's questions bring, copied from the answer. Thread: the job's owner. */
void settle_keep_numbers(struct job *job, const struct provider_answer *answer);
/* An attempt that ended before it began (its name does not resolve). */
void settle_unstarted(struct pool *pool, struct job *job, const struct transfer_result *result);

#endif
