/*
 * choose.c: which model a job goes to, and who may still stand in a model's waiting line.
 *
 * The one idea: coming in is not moving on. A job that comes into the room may be turned away where limits.max_waiting is
 * reached: to the next model, or to the park topic. One that is inside already (a retry, a model that began to rest) is
 * counted and never turned away: nobody else would have it.
 *
 * A place in the line is counted by whoever gives the job to the pool, with one atomic addition, so the bound holds also for
 * what is still in the inbox. It does not order the line; that is line.c.
 */
#include "worker/upstream/pool.h"

#include "common/clock.h"

void pool_leave_line(struct job *job)
{
	struct tries *tries = tries_of(job);
	if (tries->line != NULL)
		atomic_fetch_sub_explicit(tries->line, 1, memory_order_relaxed);
	tries->line = NULL;
}

/* Said once; again when the backlog has gone down by half meanwhile. */
static void note_crowd(struct pool *pool, uint32_t waiting)
{
	if (pool->crowd == 0 || waiting < pool->crowd || atomic_exchange_explicit(&pool->crowded, true, memory_order_relaxed))
		return;
	log_warn(pool->log, "upstream", "the backlog of one model fills the worker: records for other models wait behind it",
	         LOG_S("model", pool->model->name), LOG_I("waiting", waiting),
	         LOG_C("advice", "limits.max_waiting with when_full: next or park keeps the other models going"));
}

void pool_join_line(struct pool *pool, struct job *job)
{
	struct tries *tries = tries_of(job);
	if (tries->line == &pool->waiting)
		return;
	pool_leave_line(job);
	tries->line = &pool->waiting;
	note_crowd(pool, atomic_fetch_add_explicit(&pool->waiting, 1, memory_order_relaxed) + 1);
}

/* False, and no place taken, when the line is full. */
static bool join_if_room(struct pool *pool, struct job *job)
{
	uint32_t before = atomic_fetch_add_explicit(&pool->waiting, 1, memory_order_relaxed);
	if (before >= pool->model->max_waiting) {
		atomic_fetch_sub_explicit(&pool->waiting, 1, memory_order_relaxed);
		return false;
	}
	tries_of(job)->line = &pool->waiting;
	return true;
}

static void note_skip(struct pool *pool, struct job *job, uint32_t at, enum outcome why, struct str detail)
{
	struct tries *tries = tries_of(job);
	if ((tries->skipped >> at & 1) != 0)
		return;
	tries->skipped |= UINT64_C(1) << at;
	struct attempt *a = tries_note(job, pool->index);
	a->started_at_ms = clock_wall_ms();
	a->outcome = why;
	a->detail = detail;
}

static void pass_over(struct pool *pool, struct job *job, uint32_t at)
{
	note_skip(pool, job, at, OUTCOME_MODEL_FULL, STR("not called: as many records wait for it as limits.max_waiting allows"));
	atomic_fetch_add_explicit(&pool->passed_over, 1, memory_order_relaxed);
	counter_add(pool->counts.passed_over, 1);
}

static void park(struct pool *pool, struct job *job, uint32_t at)
{
	note_skip(pool, job, at, OUTCOME_PARKED,
	          arena_printf(&job->arena, "not called: %u records wait for it already; parked in %.*s", pool->model->max_waiting,
	                       STR_ARG(pool->model->park_topic)));
	atomic_fetch_add_explicit(&pool->parked, 1, memory_order_relaxed);
	counter_add(pool->counts.parked, 1);
	tries_parked(job, pool->model->park_topic);
}

struct choice {
	struct pool *pool; /* NULL: no model is left */
	uint32_t at;
	int64_t from_us; /* it rests until then */
};

/* The first that may be asked now; else the first of those that are full; else the one that rests for the shortest time. */
static struct choice choose(struct pool *const *pools, struct job *job, bool comes_in, int64_t now_us)
{
	const struct call *call = &job->call;
	struct choice resting = {0}, full = {0};
	for (uint32_t i = 0; i < call->model_count && i < TRIES_MODELS && call->attempts_left > 0; i++) {
		if ((tries_of(job)->spent >> i & 1) != 0)
			continue;
		struct pool *pool = pools[call->models[i]];
		int64_t until_us = atomic_load_explicit(&pool->blocked_until_us, memory_order_relaxed);
		if (until_us > now_us) {
			note_skip(pool, job, i, (enum outcome)atomic_load_explicit(&pool->blocked_by, memory_order_relaxed),
			          STR("not called: the model rests after errors"));
			if (resting.pool == NULL || until_us < resting.from_us)
				resting = (struct choice){pool, i, until_us};
		} else if (comes_in && pool->model->when_full == FULL_NEXT && !join_if_room(pool, job)) {
			pass_over(pool, job, i);
			if (full.pool == NULL)
				full = (struct choice){pool, i, 0};
		} else {
			return (struct choice){pool, i, 0};
		}
	}
	return full.pool != NULL ? full : resting;
}

struct pool *pool_for(struct pool *const *pools, struct job *job, bool comes_in, int64_t now_us)
{
	struct call *call = &job->call;
	struct tries *tries = tries_of(job);
	struct choice to = choose(pools, job, comes_in, now_us);
	if (to.pool == NULL) {
		tries_given_up(job);
		return NULL;
	}
	bool question = call->purpose == PURPOSE_ROUTER || call->purpose == PURPOSE_EMBED;
	if (question && to.from_us > now_us) { /* its record has a way on without an answer */
		tries_failed(job, OUTCOME_NO_MODEL, arena_printf(&job->arena, "model %.*s rests after errors", STR_ARG(to.pool->model->name)));
		return NULL;
	}
	if (call->deadline_us != 0 && to.from_us >= call->deadline_us) {
		tries_failed(job, OUTCOME_NO_MODEL,
		              arena_printf(&job->arena, "every model left rests after errors for longer than the deadline allows%s%.*s",
		                           tries->last_words.data != NULL ? "; " : "", STR_ARG(tries->last_words)));
		return NULL;
	}
	if (comes_in && to.pool->model->when_full == FULL_PARK && call->may_park && !join_if_room(to.pool, job)) {
		park(to.pool, job, to.at);
		return NULL;
	}
	pool_join_line(to.pool, job);
	if (call->model_at != to.at)
		tries->tries_here = 0;
	call->model_at = to.at;
	call->not_before_us = to.from_us;
	return to.pool;
}
