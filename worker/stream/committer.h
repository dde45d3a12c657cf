/*
 * committer.h: the thread that owns the producer, with at most one transaction open.
 *
 * It takes tasks (a batch to commit, the ends of a log to look up) one after the other and gives each back on `answers`.
 * Calls run in slices of about a second and are resumed; a producer that died is replaced, with backoff, under the same
 * transactional id, which settles what the dead one left open.
 *
 * Thread: as said at each function.
 */
#ifndef STREAM_COMMITTER_H
#define STREAM_COMMITTER_H

#include <librdkafka/rdkafka.h>

#include "common/log.h"
#include "worker/job/settings.h"
#include "worker/stream/batch.h"

struct committer;

struct lookup {
	struct task task;
	struct partition *partition; /* NULL: only whether a broker answers is asked */
	uint32_t question;
	const char *topic;
	int32_t number;
	bool asks_outputs; /* whether anything was ever decided is asked, too */
	rd_kafka_resp_err_t error;
	int64_t low, high;
	bool has_outputs; /* the topic of decisions is not, or no longer, empty */
};

struct committer_options {
	const struct settings *settings;
	struct log *log;
	const char *owner; /* names the transactional id */
	void (*wake)(void *ctx); /* an answer is there. Thread: committer */
	void *ctx;
};

/* Connects the producer, and probes that the broker fences (exactly once). May take seconds. Thread: main. */
enum rc committer_start(const struct committer_options *options, struct committer **ret, struct err *err);
/* Thread: stream. */
void committer_give(struct committer *c, struct task *task);
size_t committer_take(struct committer *c, struct list *answers);
/* Ends the thread; what is in work is given up at once. RC_FATAL: a call into librdkafka does not come back; the thread, the
 * batch and its jobs are lost and nothing of the committer may be freed. Thread: main. */
enum rc committer_stop(struct committer *c);
void committer_free(struct committer *c); /* NULL is fine */
/* Seconds that a call which cannot be cancelled has been hanging; 0: none. Thread: any. */
int64_t committer_hanging_s(const struct committer *c);
/* Cluster id as the broker names it, or "". Thread: main, before others use it. */
void committer_cluster_id(struct committer *c, char *out, size_t size);

#endif
