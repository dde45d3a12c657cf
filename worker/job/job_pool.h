/*
 * job_pool.h: the one valve of back-pressure. Jobs are preallocated and their bytes bounded.
 *
 * Limits gate admission only: a job once begun may grow; the growth is charged to a slack, and while the slack is used
 * nothing new is admitted.
 *
 * Thread: take by the stream thread; give by any; counters by any.
 */
#ifndef JOB_JOB_POOL_H
#define JOB_JOB_POOL_H

#include "worker/job/job.h"

struct job_pool;

/* release is called for each job given back, before its arena is reset (to unpin the policy). May be NULL. */
struct job_pool *job_pool_new(uint32_t max_jobs, size_t max_bytes, void (*release)(void *ctx, struct job *job), void *ctx);
void job_pool_free(struct job_pool *pool); /* NULL is fine. Jobs still out are released; nobody may hold one any more. */

/* A clean job in state FETCHED with its bytes reserved (record bytes + 16 KiB), or NULL when a bound is reached. */
struct job *job_pool_take(struct job_pool *pool, size_t record_bytes);
void job_pool_give(struct job_pool *pool, struct job *job); /* Takes ownership of job. */
/* Readable (eventfd) when a take that returned NULL may work now; the stream puts it into its epoll. Cleared by take. */
int job_pool_event_fd(const struct job_pool *pool);

/* Counts what the job's arena has grown beyond its reservation. Thread: the job's owner. */
void job_pool_charge(struct job_pool *pool, struct job *job);

struct job_pool_use {
	uint32_t jobs, max_jobs;
	size_t bytes, max_bytes;
};
struct job_pool_use job_pool_use(struct job_pool *pool);

#endif
