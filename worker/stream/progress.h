/*
 * progress.h: which records of one partition are finished, when they finish in any order.
 *
 * One `struct progress` per assigned partition. An entry is an offset that was taken and is in no committed transaction
 * yet; everything else below `top` is finished. The lowest entry is the watermark W, the offset that a commit stores; the
 * others are the holes, which travel in the commit's metadata (progress_codec.h).
 *
 * The road of an offset:   new -> taken -> (finish) collected -> (begin) open -> (commit) finished
 *                           release: back to awaited, until it is delivered again;   abort: open -> taken
 *
 * Thread: stream. Pure: no I/O, no clock. A call against the rules below is a bug of the caller and is asserted.
 */
#ifndef STREAM_PROGRESS_H
#define STREAM_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

enum { PROGRESS_MAX_ENTRIES = 2000 };

struct progress;

/* What a commit stores: everything in [base, base + span) that is not listed is finished. The list ascends; when it is
 * not empty its first is base, when it is empty span is 0. */
struct progress_snapshot {
	int64_t base, span;
	uint32_t count;
	int64_t unfinished[PROGRESS_MAX_ENTRIES];
};

/* base: the committed offset. loaded: what the metadata of that commit said, NULL when it said nothing that can be
 * trusted (then nothing from base on is finished). Delivery starts at base. Free with progress_close. */
struct progress *progress_open(int64_t base, const struct progress_snapshot *loaded);
void progress_close(struct progress *p); /* NULL is fine */

enum progress_place {
	PROGRESS_NEW,      /* at or above top: ask progress_may_take */
	PROGRESS_AWAITED,  /* loaded or released and not delivered again yet: may always be taken */
	PROGRESS_TAKEN,    /* in the worker: a second delivery is skipped */
	PROGRESS_FINISHED, /* committed before: skipped */
};
enum progress_place progress_look(const struct progress *p, int64_t offset);
static inline bool progress_is_finished(const struct progress *p, int64_t offset)
{
	return progress_look(p, offset) == PROGRESS_FINISHED;
}

/* Would everything still fit into a commit's metadata if offset were taken? The transaction in flight counts as not
 * committed, so an abort never overflows. True for awaited offsets. Once false it stays so until something commits. */
bool progress_may_take(const struct progress *p, int64_t offset);

/* Takes a delivered record: new (after progress_may_take) or awaited. Deliveries ascend; what lies between two of them
 * does not exist (transaction markers, compaction) and counts as finished. */
void progress_take(struct progress *p, int64_t offset);
/* Everything below position was delivered or does not exist: the end that a partition-EOF names, or the log's start. */
void progress_position(struct progress *p, int64_t position);
/* The consumer was placed at offset, not above progress_seek_target: deliveries ascend anew from there. */
void progress_seek(struct progress *p, int64_t offset);
/* A taken or collected record (not one in the open transaction) was dropped. It stays unfinished and holds W until it is
 * delivered again, for which the caller seeks: the consumer and progress_seek, to progress_seek_target. */
void progress_release(struct progress *p, int64_t offset);

/* The record's outputs are in the next transaction. */
void progress_finish(struct progress *p, int64_t offset);
/* Opens a transaction of all that was collected and tells what its commit is to store. What is finished from now on
 * belongs to the next. None may be open. An empty transaction is fine (marks, a moved position). */
void progress_begin(struct progress *p, struct progress_snapshot *ret);
void progress_commit(struct progress *p);
/* Its records are taken again, to be finished again, all or some (a bisection). */
void progress_abort(struct progress *p);

int64_t progress_watermark(const struct progress *p); /* W, the open transaction counted as not committed */
int64_t progress_top(const struct progress *p);       /* above everything delivered */
uint32_t progress_entries(const struct progress *p);
int64_t progress_seek_target(const struct progress *p); /* the lowest that must come; -1: none was released */
bool progress_has_open(const struct progress *p);
bool progress_has_news(const struct progress *p); /* progress_begin would store more than the last one did */

#endif
