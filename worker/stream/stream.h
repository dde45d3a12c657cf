/*
 * stream.h: Kafka, whole: consuming, progress out of order, transactions, rebalances. Knows nothing of prompts.
 *
 * Two threads of its own: "stream" (consumer, progress) and "committer" (transactional producer). Jobs come out by
 * hooks->deliver and come back by stream_finish; after the commit the stream gives them to the job pool.
 */
#ifndef STREAM_STREAM_H
#define STREAM_STREAM_H

#include "common/log.h"
#include "common/metrics.h"
#include "worker/job/job_pool.h"
#include "worker/job/settings.h"

struct stream;

struct stream_hooks {
	void *ctx;
	/* New jobs, state FETCHED, record filled. Takes ownership of all in list. Thread: stream. Must not block. */
	void (*deliver)(void *ctx, struct list *jobs);
	/* Leases changed (draining or dead): sweep waiting lines for jobs that may not start. Thread: stream. Must not block. */
	void (*leases_changed)(void *ctx);
	/* The broker refuses this job's outputs for good: make other outputs that say so (outcome OUTPUT_REFUSED) and call
	 * stream_finish again. Takes ownership. Thread: stream. Must not block. */
	void (*refused)(void *ctx, struct job *job, const struct err *why);
};

struct stream_options {
	const struct settings *settings;
	struct job_pool *pool;
	struct log *log;
	struct metrics *metrics;
	struct stream_hooks hooks;
};

/* Connects, checks versions and fencing and that the output topics exist, joins the group, starts both threads. */
enum rc stream_start(const struct stream_options *options, struct stream **ret, struct err *err);

/* A finished job: state ENCODED with outputs, or DROPPED (nothing is written and its record stays unfinished).
 * Takes ownership. Thread: any. */
void stream_finish(struct stream *stream, struct job *job);
void stream_finish_list(struct stream *stream, struct list *jobs); /* empties jobs */

/* Graceful stop: fetch no more, every lease to DRAINING; finished jobs go on being committed. Thread: any; returns at once. */
void stream_drain(struct stream *stream);
/* Jobs that are out (delivered, not yet committed or dropped). Thread: any. */
uint32_t stream_outstanding(const struct stream *stream);
/* Commits what is finished, leaves the group, ends both threads; takes 20 s at most, and 20 s more in the worst of cases.
 * Jobs that are still out are not waited for. RC_FATAL: a call into librdkafka does not come back and holds jobs: nothing
 * may be freed, the process is to be ended. */
enum rc stream_stop(struct stream *stream);
void stream_free(struct stream *stream);

/* Something the process cannot go on from (a transaction call hung past its bound, a living twin, a broker that does not
 * fence): RC_FATAL with words. RC_OK while all is well. Thread: main, each second. */
enum rc stream_health(struct stream *stream, struct err *err);

struct stream_status {
	bool assigned, brokers_reachable;
	uint32_t partitions, holes;
	int64_t lag; /* sum over assigned partitions; -1 unknown */
	uint64_t committed, redone_commits, rebalances;
	char member[64], cluster_id[64];
};
void stream_status(struct stream *stream, struct stream_status *ret); /* Thread: any */

#endif
