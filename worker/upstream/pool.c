/*
 * pool.c: the thread of one model.
 *
 * The one idea: a round. Take what came in, start what may start, hand out what is finished in one batch, sleep until a
 * socket, a timer or another thread has something. Everything a job can wait for is one of two lines: `ready` waits for a
 * free place, `later` for a time (a retry, a resting model). So each waiting job has an end: a place, a time, its deadline,
 * a sweep.
 *
 * Which pool a job goes to is choose.c's, what a finished call means settle.c's; limits shared between workers will be asked for in `start_ready`, where a
 * place is given out.
 */
#include "worker/upstream/pool.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/clock.h"

enum { TIMEOUT_MS = 60000 }; /* where the settings say nothing */
#define QUESTIONS_FIRST (-(INT64_C(1) << 40)) /* below every priority's rank */

void pool_poke(struct pool *pool)
{
	uint64_t one = 1;
	ssize_t n = write(pool->poke_fd, &one, sizeof one);
	(void)n; /* full means that it is readable, which is all we want */
}

void pool_push(struct pool *pool, struct list *jobs)
{
	handover_push_list(&pool->inbox, jobs);
}

void pool_finish(struct pool *pool, struct job *job)
{
	pool_leave_line(job);
	list_push(&pool->finished, &job->link);
}

static void drop_all(struct pool *pool, struct list *jobs)
{
	for (struct link *l; (l = list_pop(jobs)) != NULL;) {
		struct job *job = LINK_OWNER(struct job, link, l);
		tries_dropped(job);
		pool_finish(pool, job);
	}
}

static void fail_expired(struct pool *pool, struct line *line, int64_t now_us)
{
	struct list expired = {0};
	line_take_expired(line, now_us, &expired);
	for (struct link *l; (l = list_pop(&expired)) != NULL;) {
		struct job *job = LINK_OWNER(struct job, link, l);
		tries_expired(job);
		pool_finish(pool, job);
	}
}

void pool_wait_until(struct pool *pool, struct job *job, int64_t not_before_us)
{
	job->call.not_before_us = not_before_us;
	pool_join_line(pool, job);
	line_push(&pool->later, not_before_us, job->call.deadline_us, job->fetched_us, job);
}

void pool_publish_breaker(struct pool *pool, int64_t now_us)
{
	atomic_store_explicit(&pool->blocked_until_us, breaker_blocked_until(&pool->breaker, now_us), memory_order_relaxed);
	gauge_set(pool->counts.breaker_open, pool->breaker.state == BREAKER_CLOSED ? 0 : 1);
}

/* Higher priorities first. A stage's question goes before every answer: it is short, and late it is worth nothing. */
static int64_t rank_of(const struct job *job)
{
	int64_t rank = -(int64_t)job->req.priority;
	return job->state == JOB_ASKING ? rank + QUESTIONS_FIRST : rank;
}

/* Into the line it belongs to. */
static void admit(struct pool *pool, struct job *job, int64_t now_us)
{
	if (job->call.outcome != OUTCOME_NONE) { /* no model was left when it was submitted */
		pool_finish(pool, job);
		return;
	}
	if ((int32_t)(tries_of(job)->round - pool->seen_round) < 0 || !record_may_start(&job->rec)) {
		tries_dropped(job);
		pool_finish(pool, job);
		return;
	}
	if (job->state == JOB_DECIDED || job->state == JOB_CALLING)
		(void)job_advance(job, JOB_WAITING); /* aborts in debug builds */
	if (job->call.not_before_us > now_us)
		pool_wait_until(pool, job, job->call.not_before_us);
	else
		line_push(&pool->ready, rank_of(job), job->call.deadline_us, job->fetched_us, job);
}

static void place(struct pool *pool, struct job *job, int64_t now_us)
{
	struct pool *to = pool_for(pool->pools, job, false, now_us);
	if (to == NULL)
		pool_finish(pool, job);
	else if (to == pool)
		admit(pool, job, now_us);
	else
		handover_push(&to->inbox, &job->link);
}

void pool_move_on(struct pool *pool, struct job *job)
{
	if (job->state == JOB_CALLING)
		(void)job_advance(job, JOB_WAITING); /* aborts in debug builds */
	if (job->call.model_at < TRIES_MODELS)
		tries_of(job)->spent |= UINT64_C(1) << job->call.model_at;
	place(pool, job, clock_mono_us());
}

/* The record's id where it may stand in a header as it is. */
static struct str header_id(struct str id)
{
	if (id.len == 0 || id.len > TRANSFER_ID_MAX || id.data[0] == ' ' || id.data[id.len - 1] == ' ')
		return STR_NULL;
	for (size_t i = 0; i < id.len; i++)
		if (id.data[i] < 0x20 || id.data[i] > 0x7e)
			return STR_NULL;
	return id;
}

static void start(struct pool *pool, struct job *job, bool trial, int64_t now_us)
{
	struct call *call = &job->call;
	struct tries *tries = tries_of(job);
	pool_leave_line(job);
	if (tries->built_for != pool->index) {
		tries->body = pool->provider->build_request(pool->model, call, &job->arena);
		idempotency_key(pool->hash, pool->cluster_id, &job->rec, call->purpose, pool->model->name, tries->body, tries->key);
		tries->built_for = pool->index;
	}
	int64_t timeout_ms = call->timeout_ms > 0 ? call->timeout_ms : pool->model->timeout_ms > 0 ? pool->model->timeout_ms : TIMEOUT_MS;
	tries->cut_short = call->deadline_us != 0 && (call->deadline_us - now_us) / 1000 < timeout_ms;
	if (tries->cut_short)
		timeout_ms = (call->deadline_us - now_us + 999) / 1000;
	tries->trial = trial;
	tries->tries_here++;
	call->attempts_left--;
	tries->started_us = now_us;
	tries->started_at_ms = clock_wall_ms();
	if (job->called_us == 0)
		job->called_us = now_us;
	if (job->rec.redelivered && !call->repeated) {
		call->repeated = true;
		counter_add(pool->counts.repeated, 1);
	}
	if (job->state != JOB_ASKING)
		(void)job_advance(job, JOB_CALLING); /* aborts in debug builds */
	if (pool->names == RESOLVE_FAILED) {
		const struct transfer_result no_name = {.end = TRANSFER_NO_NAME, .why = "the host's name does not resolve"};
		settle_unstarted(pool, job, &no_name);
		return;
	}
	transfers_start(pool->transfers, pool_url(call->purpose), tries->body, (struct str){tries->key, IDEMPOTENCY_CHARS},
	                header_id(job->req.id), timeout_ms, job);
}

/* True when calls can start; false while the name is being looked up. */
static bool names_ready(struct pool *pool)
{
	if (pool->names == RESOLVE_NOT_NEEDED)
		return true;
	char line[RESOLVE_LINE_MAX];
	uint32_t before = pool->names_version;
	pool->names = resolver_get(pool->resolver, pool->index, &pool->names_version, line);
	if (pool->names_version != before)
		transfers_resolve(pool->transfers, str_of(line));
	return pool->names != RESOLVE_PENDING;
}

static bool may_not_start(void *ctx, const struct line_entry *entry)
{
	(void)ctx;
	return !record_may_start(&entry->job->rec);
}

static bool every_one(void *ctx, const struct line_entry *entry)
{
	(void)ctx;
	(void)entry;
	return true;
}

/* While the model rests nobody waits in its line: each job goes on to another model or waits for the time. */
static void clear_line(struct pool *pool, int64_t now_us)
{
	struct list waiting = {0};
	pool_publish_breaker(pool, now_us);
	line_take_if(&pool->ready, every_one, NULL, &waiting);
	for (struct link *l; (l = list_pop(&waiting)) != NULL;)
		place(pool, LINK_OWNER(struct job, link, l), now_us);
}

static void start_ready(struct pool *pool, int64_t now_us)
{
	if (pool->ready.count > 0 && breaker_blocked_until(&pool->breaker, now_us) > now_us)
		clear_line(pool, now_us);
	if (pool->ready.count == 0 || !names_ready(pool))
		return;
	while (transfers_active(pool->transfers) < pool->concurrency) {
		struct job *job = line_pop(&pool->ready);
		bool trial = false;
		if (job == NULL)
			break;
		if (!record_may_start(&job->rec)) {
			tries_dropped(job);
			pool_finish(pool, job);
		} else if (job->call.deadline_us != 0 && job->call.deadline_us <= now_us) {
			tries_expired(job);
			pool_finish(pool, job);
		} else if (!breaker_admit(&pool->breaker, now_us, &trial)) {
			pool_publish_breaker(pool, now_us);
			place(pool, job, now_us);
		} else {
			if (trial)
				pool_publish_breaker(pool, now_us);
			start(pool, job, trial, now_us);
		}
	}
}

static void cancel(void *ctx, struct transfer *t)
{
	struct pool *pool = ctx;
	struct job *job = transfer_owner(t);
	struct tries *tries = tries_of(job);
	struct attempt *a = tries_note(job, pool->index);
	a->started_at_ms = tries->started_at_ms;
	a->micros = clock_mono_us() - tries->started_us;
	a->sent = true;
	a->detail = STR("given up: the worker stops");
	breaker_saw(&pool->breaker, BREAKER_NEUTRAL, tries->trial, clock_mono_us());
	transfers_cancel(pool->transfers, t);
	tries_dropped(job);
	pool_finish(pool, job);
}

/* What other threads asked for. */
static void obey(struct pool *pool)
{
	struct list out = {0};
	uint64_t count;
	ssize_t n = read(pool->poke_fd, &count, sizeof count);
	(void)n; /* EAGAIN: nobody poked */
	uint32_t round = atomic_load_explicit(pool->abort_round, memory_order_acquire);
	bool abort_all = round != pool->seen_round;
	bool sweep = atomic_exchange_explicit(&pool->sweep, false, memory_order_acquire);
	if (!abort_all && !sweep)
		return;
	pool->seen_round = round;
	line_take_if(&pool->ready, abort_all ? every_one : may_not_start, NULL, &out);
	line_take_if(&pool->later, abort_all ? every_one : may_not_start, NULL, &out);
	drop_all(pool, &out);
	if (abort_all)
		transfers_each(pool->transfers, cancel, pool);
}

static void take_inbox(struct pool *pool, int64_t now_us)
{
	struct list in = {0};
	handover_take(&pool->inbox, &in, 0);
	for (struct link *l; (l = list_pop(&in)) != NULL;)
		admit(pool, LINK_OWNER(struct job, link, l), now_us);
	const struct line_entry *due;
	while ((due = line_first(&pool->later)) != NULL && due->rank <= now_us) {
		struct job *job = line_pop(&pool->later);
		job->call.not_before_us = 0;
		admit(pool, job, now_us);
	}
}

static int64_t next_time(const struct pool *pool)
{
	const struct line_entry *first = line_first(&pool->later);
	int64_t next = first != NULL ? first->rank : INT64_MAX, deadline = line_next_deadline(&pool->ready);
	next = deadline < next ? deadline : next;
	deadline = line_next_deadline(&pool->later);
	return deadline < next ? deadline : next;
}

static void hand_over(struct pool *pool)
{
	uint32_t waiting = atomic_load_explicit(&pool->waiting, memory_order_relaxed), calling = transfers_active(pool->transfers);
	if (waiting < pool->crowd / 2)
		atomic_store_explicit(&pool->crowded, false, memory_order_relaxed);
	atomic_store_explicit(&pool->calling, calling, memory_order_relaxed);
	atomic_store_explicit(&pool->connections, transfers_connections(pool->transfers), memory_order_relaxed);
	gauge_set(pool->counts.waiting, waiting);
	gauge_set(pool->counts.calling, calling);
	if (pool->finished.count == 0)
		return;
	struct list batch = pool->finished;
	pool->finished = (struct list){0};
	pool->hooks.done(pool->hooks.ctx, &batch);
}

void *pool_run(void *arg)
{
	struct pool *pool = arg;
	(void)pthread_setname_np(pthread_self(), "pool"); /* a name for people; nothing depends on it */
	while (!atomic_load_explicit(&pool->stop, memory_order_acquire)) {
		int64_t now_us = clock_mono_us();
		obey(pool);
		take_inbox(pool, now_us);
		fail_expired(pool, &pool->ready, now_us);
		fail_expired(pool, &pool->later, now_us);
		start_ready(pool, now_us);
		hand_over(pool);
		transfers_wait(pool->transfers, next_time(pool));
		struct transfer_result result;
		for (struct transfer *t; (t = transfers_next(pool->transfers, &result)) != NULL;)
			settle(pool, t, &result);
	}
	hand_over(pool);
	return NULL;
}
