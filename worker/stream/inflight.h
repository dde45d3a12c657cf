/*
 * inflight.h: every record that is in the worker, and those whose partition went away meanwhile.
 *
 * A taken is the stream's side of a job: while the job is out, only the taken may be looked at. When its partition is lost
 * or must be loaded anew it becomes an orphan, found again by partition and offset when the record is delivered again.
 *
 * Thread: stream.
 */
#ifndef STREAM_INFLIGHT_H
#define STREAM_INFLIGHT_H

#include <stdbool.h>
#include <stdint.h>

#include "worker/job/job.h"
#include "worker/stream/key_order.h"

struct partition;

enum taken_state {
	TAKEN_OUT,       /* with the engine */
	TAKEN_WAITING,   /* not begun: it is not its turn */
	TAKEN_COLLECTED, /* finished, in the list to be committed */
	TAKEN_OPEN,      /* in the transaction in flight */
	TAKEN_HELD,      /* finished, an orphan, waiting for its partition to come back */
};

struct taken {
	struct job *job;
	struct partition *partition;
	int64_t offset;
	int64_t held_until_us; /* HELD: given up then */
	int64_t again_us;      /* COLLECTED: in no batch before; 0: at once */
	uint32_t epoch;        /* the lease's when it was taken or adopted */
	enum taken_state state;
	bool orphan;
	bool hole;    /* the owner before may have begun it */
	bool quarantined; /* a member */
	bool doubted; /* the producer refused its outputs: once may pass */
	bool refused; /* they were refused again: its outputs now say so */
	struct taken *prev, *next; /* its partition's list */
	struct taken *hash_next;
	struct key_place place; /* in the line of its key */
};

struct inflight {
	struct taken *all, *free;
	struct taken **buckets;
	uint32_t mask;
	uint32_t orphans, held, out; /* out: in state TAKEN_OUT */
};

void inflight_open(struct inflight *f, uint32_t max_jobs);
void inflight_close(struct inflight *f);

/* A record was taken: sets job->rec.slot. */
struct taken *inflight_take(struct inflight *f, struct partition *partition, struct job *job, uint32_t epoch);
/* The job is about to go back to the pool. */
void inflight_remove(struct inflight *f, struct taken *t);
void inflight_make_orphan(struct inflight *f, struct taken *t); /* does nothing to one that is */
/* NULL when there is none. */
struct taken *inflight_find_orphan(const struct inflight *f, const struct partition *partition, int64_t offset);
void inflight_adopt(struct inflight *f, struct taken *t, uint32_t epoch);
/* Its record is no longer in the log: it is never found again. */
void inflight_estrange(struct inflight *f, struct taken *t);
void inflight_set_state(struct inflight *f, struct taken *t, enum taken_state state);

static inline struct taken *taken_of(const struct job *job)
{
	return job->rec.slot;
}

#endif
