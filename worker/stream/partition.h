/*
 * partition.h: one partition of an input topic: its lease, its progress, and the admission of its records.
 *
 * The road of a partition:
 *   AWAY -> UNKNOWN -> ASKED -> (LOOKUP) -> MARKING -> READING -> AWAY
 * It is read only in READING: progress is certain and the running mark is committed. A partition struct is never freed
 * before the stream: jobs point to its lease.
 *
 * Thread: stream, but for `readable` (any) and the lease (read by any).
 */
#ifndef STREAM_PARTITION_H
#define STREAM_PARTITION_H

#include <librdkafka/rdkafka.h>
#include <stdatomic.h>

#include "worker/job/record.h"
#include "worker/stream/inflight.h"
#include "worker/stream/progress_codec.h"
#include "worker/stream/quarantine.h"

struct stream;

enum partition_state {
	PARTITION_AWAY,    /* not assigned */
	PARTITION_UNKNOWN, /* assigned; its progress is to be asked for */
	PARTITION_ASKED,   /* the question is out */
	PARTITION_LOOKUP,  /* the log's ends are being asked for */
	PARTITION_MARKING, /* progress known; waiting for the commit of the running mark */
	PARTITION_READING,
};
enum { PARTITION_BATCH = 64 };

struct partition {
	struct lease lease;
	struct stream *stream;
	struct str topic; /* the settings' */
	const char *topic_name;
	int32_t number;
	enum partition_state state;
	struct progress *progress; /* NULL before MARKING */
	struct progress_mark mark; /* what the next commit says */
	int64_t taken_top;         /* above everything that this worker has ever taken of this log */
	int64_t committed_top;     /* the highest offset of this log that was committed, as far as this worker has been told */
	uint32_t suspects;         /* the next so many new ones too: the owner before did not leave cleanly */
	bool marked;               /* the running mark of this worker, in this life of it, is committed */
	bool consuming;            /* incremental_assign was called */
	bool mark_due;             /* MARKING: not yet in a transaction; READING: the clean leave's */
	bool hole_finishing;       /* a record that was found unfinished is to be in the next commit */
	struct quarantined quarantine;
	bool is_park_topic; /* what comes from here may wait for long: it leaves room for others */
	uint32_t window; /* records of it in the worker, at most; 0: no such bound. Grows with each commit */
	bool restart_due;          /* a released record lies behind the consumer */
	bool in_batch;
	bool was_out_of_range; /* the log no longer has W: LOOKUP corrects it */
	bool has_committed;    /* LOOKUP: there was a committed offset, at base */
	int64_t base;
	struct progress_snapshot *loaded; /* between ASKED and MARKING; NULL: nothing to be trusted */
	int64_t retry_at_us;
	int64_t unstable_since_us; /* an open transaction has made the answer uncertain since; 0: none */
	bool asks_owner;           /* the question is who left it open */
	int64_t doubted_since_us;  /* the broker has named less than committed_top since; 0: it has not */
	uint32_t tries, question; /* which question the answer must be to */
	rd_kafka_queue_t *queue;
	_Atomic bool readable;
	rd_kafka_message_t *held[PARTITION_BATCH]; /* fetched, not admitted yet */
	uint32_t held_at, held_count;
	struct taken *takens; /* all that is in the worker, orphans too */
	uint32_t taken_count;
	uint32_t orphan_count;
	uint32_t waiting; /* of takens: not begun, for it is not their turn */
	size_t waiting_bytes;
	int64_t high; /* end of the log as far as known; -1: unknown */
};

struct partition *partition_new(struct stream *s, struct str topic, const char *topic_name, int32_t number);
void partition_free(struct partition *p); /* NULL is fine */

/* Its records may be admitted and its jobs committed. */
static inline bool partition_is_owned(const struct partition *p)
{
	return p->progress != NULL;
}
/* Not being revoked: new records may be begun. */
static inline bool partition_is_live(const struct partition *p)
{
	return atomic_load_explicit(&p->lease.state, memory_order_relaxed) == LEASE_LIVE;
}
/* t belongs to the partition as it is held now: its outputs may be committed. */
static inline bool partition_owns(const struct partition *p, const struct taken *t)
{
	return p->progress != NULL && !t->orphan && t->epoch == atomic_load_explicit(&p->lease.epoch, memory_order_relaxed);
}

void partition_set_lease(struct partition *p, enum lease_state state, bool new_epoch);
/* The consumer starts at offset (incremental_assign); what was fetched before is forgotten. */
void partition_start_consuming(struct partition *p, int64_t offset);
/* unassign NULL: tells the consumer; else adds to the list, and the caller does. */
void partition_stop_consuming(struct partition *p, rd_kafka_topic_partition_list_t *unassign);
/* Progress is forgotten; everything of it in the worker becomes an orphan. Stops consuming. */
void partition_forget(struct partition *p, enum partition_state state, rd_kafka_topic_partition_list_t *unassign);
/* Admits up to budget records into out. Returns how many messages were looked at; sets s->starved when the pool is empty. */
uint32_t partition_read(struct partition *p, uint32_t budget, struct list *out);

#endif
