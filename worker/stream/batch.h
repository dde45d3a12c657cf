/*
 * batch.h: what one transaction carries, and how its end changes progress.
 *
 * There is one batch, made by the stream thread, worked on by the committer, and settled by the stream thread: whoever has
 * it owns it and the jobs in it.
 */
#ifndef STREAM_BATCH_H
#define STREAM_BATCH_H

#include <librdkafka/rdkafka.h>

#include "common/arena.h"
#include "worker/job/job.h"
#include "worker/stream/bisect.h"

struct stream;
struct partition;

enum task_kind { TASK_BATCH, TASK_LOOKUP };
/* What goes to the committer and comes back. */
struct task {
	struct link link;
	enum task_kind kind;
};

enum batch_result {
	BATCH_COMMITTED,
	BATCH_ABORTED, /* certainly not committed */
	BATCH_UNKNOWN, /* the producer died: progress must be read again */
};

struct batch_part {
	struct partition *partition;
	uint32_t epoch;
	bool was_mark;
	bool finishes_hole;
	int64_t base;  /* what the commit says */
	int64_t alone; /* the offset that it says will be alone; -1: none */
};

struct batch {
	struct task task;
	bool busy; /* made and not settled yet */
	struct list jobs;
	size_t bytes;
	struct batch_part *parts;
	uint32_t part_count, part_cap;
	rd_kafka_topic_partition_list_t *offsets; /* with metadata */
	rd_kafka_consumer_group_metadata_t *group;
	enum batch_result result;
	struct list refused; /* jobs of an aborted batch whose own output is at fault; off jobs */
	bool refusal;        /* aborted by a permanent refusal that names no record */
	struct err why;      /* of a refusal or an abort */
	/* the stream's, between batches */
	struct bisect bisect; /* after a refusal that names no culprit */
	int64_t not_before_us;
	uint32_t aborts_in_a_row;
	bool offsets_due;        /* at_least_once: outputs are out, the offset commit is not done */
	bool committing_offsets; /* it is under way */
};

/* Hands a batch over when one is due. Thread: stream. */
void batch_make(struct stream *s, int64_t now_us);
/* The committer gave it back. Thread: stream. */
void batch_done(struct stream *s);
/* at_least_once: the answer to the offset commit. Thread: stream. */
void batch_offsets_committed(struct stream *s, rd_kafka_resp_err_t err);
void batch_retry_offsets(struct stream *s, int64_t now_us);
/* The worker ends: records whose refusal is refused too are not waited for. Thread: stream. */
void batch_drop_refused(struct stream *s);
void batch_close(struct batch *b);
/* Would batch_make have something to say now? Thread: stream. */
bool batch_is_idle(const struct stream *s);

#endif
