/*
 * job_pool.c: preallocated jobs and the bound on their bytes.
 *
 * The one idea: admission reserves what a record is known to need; growth beyond that is charged when the job comes back to
 * be counted, never refused, and holds up the next admission instead. A free job keeps its arena's first chunk, so a warm
 * worker takes no memory per record.
 */
#include "worker/job/job_pool.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum {
	JOB_FIRST_CHUNK = 4080, /* with the chunk's head as large as libcurl's receive buffer: each fits into the other's hole */
	JOB_EXTRA_BYTES = 16 * 1024
};

struct job_pool {
	pthread_mutex_t lock;
	struct list free;
	struct job *jobs;
	uint32_t max_jobs;
	size_t used_bytes, max_bytes;
	int event_fd;
	bool starved; /* a take failed since the last event */
	void (*release)(void *ctx, struct job *job);
	void *ctx;
};

struct job_pool *job_pool_new(uint32_t max_jobs, size_t max_bytes, void (*release)(void *ctx, struct job *job), void *ctx)
{
	struct job_pool *pool = heap_zalloc(1, sizeof *pool);
	pthread_mutex_init(&pool->lock, NULL);
	pool->jobs = heap_zalloc(max_jobs, sizeof *pool->jobs);
	pool->max_jobs = max_jobs;
	pool->max_bytes = max_bytes;
	pool->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (pool->event_fd < 0) {
		fprintf(stderr, "pointsman: no event descriptor for the jobs: %s; raise the limit of open files\n", strerror(errno));
		abort(); /* at start, before any record was read */
	}
	pool->release = release;
	pool->ctx = ctx;
	for (uint32_t i = 0; i < max_jobs; i++) {
		arena_init(&pool->jobs[i].arena, JOB_FIRST_CHUNK);
		list_push(&pool->free, &pool->jobs[i].link);
	}
	return pool;
}

void job_pool_free(struct job_pool *pool)
{
	if (pool == NULL)
		return;
	for (uint32_t i = 0; i < pool->max_jobs; i++) {
		if (pool->jobs[i].state != JOB_FREE && pool->release != NULL) /* still out when all ended */
			pool->release(pool->ctx, &pool->jobs[i]);
		arena_free(&pool->jobs[i].arena);
	}
	free(pool->jobs);
	close(pool->event_fd);
	pthread_mutex_destroy(&pool->lock);
	free(pool);
}

struct job *job_pool_take(struct job_pool *pool, size_t record_bytes)
{
	size_t want = record_bytes < SIZE_MAX - JOB_EXTRA_BYTES ? record_bytes + JOB_EXTRA_BYTES : SIZE_MAX;
	pthread_mutex_lock(&pool->lock);
	struct job *job = NULL;
	/* a record larger than the whole bound goes through alone */
	bool fits = pool->used_bytes <= pool->max_bytes && want <= pool->max_bytes - pool->used_bytes;
	if (pool->free.head != NULL && (fits || pool->used_bytes == 0)) {
		job = LINK_OWNER(struct job, link, list_pop(&pool->free));
		pool->used_bytes += want;
	} else {
		pool->starved = true;
		uint64_t count;
		ssize_t n = read(pool->event_fd, &count, sizeof count);
		(void)n; /* EAGAIN: no event was pending */
	}
	pthread_mutex_unlock(&pool->lock);
	if (job == NULL)
		return NULL;
	struct arena arena = job->arena;
	*job = (struct job){.arena = arena, .reserved_bytes = want, .state = JOB_FETCHED};
	job->req.temperature = job->call.temperature = (double)NAN; /* not given; 0 would be a temperature */
	job->dec.confidence = job->dec.threshold = (double)NAN;
	job->dec.route = -1;
	job->call.model = -1;
	return job;
}

void job_pool_give(struct job_pool *pool, struct job *job)
{
	if (job->state == JOB_FREE) { /* a second give would tie the free list into a ring and hand one job to two owners */
		fprintf(stderr, "bug: a job is given back twice\n");
		abort();
	}
	if (pool->release != NULL)
		pool->release(pool->ctx, job);
	arena_reset(&job->arena);
	pthread_mutex_lock(&pool->lock);
	pool->used_bytes -= job->reserved_bytes;
	job->state = JOB_FREE;
	/* last in, first out: a warm arena is reused while it is in the processor's cache */
	job->link.next = pool->free.head;
	pool->free.head = &job->link;
	if (pool->free.tail == NULL)
		pool->free.tail = &job->link;
	pool->free.count++;
	if (pool->starved) {
		pool->starved = false;
		uint64_t one = 1;
		ssize_t n = write(pool->event_fd, &one, sizeof one);
		(void)n; /* cannot overflow: one write per starvation */
	}
	pthread_mutex_unlock(&pool->lock);
}

int job_pool_event_fd(const struct job_pool *pool)
{
	return pool->event_fd;
}

void job_pool_charge(struct job_pool *pool, struct job *job)
{
	if (job->arena.total_bytes <= job->reserved_bytes)
		return;
	size_t more = job->arena.total_bytes - job->reserved_bytes;
	pthread_mutex_lock(&pool->lock);
	pool->used_bytes += more;
	pthread_mutex_unlock(&pool->lock);
	job->reserved_bytes += more;
}

struct job_pool_use job_pool_use(struct job_pool *pool)
{
	pthread_mutex_lock(&pool->lock);
	struct job_pool_use use = {pool->max_jobs - (uint32_t)pool->free.count, pool->max_jobs, pool->used_bytes, pool->max_bytes};
	pthread_mutex_unlock(&pool->lock);
	return use;
}
