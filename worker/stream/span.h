/*
 * span.h: reads stretches of topics to ends that stood fast when they were asked for, committed records only; and what a group
 * has committed. For tools: nothing is joined, nothing committed.
 *
 * An end is the log's own, not the last stable offset: where a transaction is open before it, reading waits until it is settled.
 *
 * Thread: one at a time. Texts given to the callback are valid during the call.
 */
#ifndef STREAM_SPAN_H
#define STREAM_SPAN_H

#include "common/err.h"
#include "worker/job/settings.h"
#include "worker/stream/progress.h"

struct span;

/* One partition. */
struct span_part {
	const char *topic;
	int32_t partition;
	int64_t begin, end; /* what is read: [begin, end) */
	int64_t low;        /* the log's start: above 0, earlier records were deleted */
	int use;            /* as given to span_add */
};

struct span_record {
	unsigned part; /* index of its span_part */
	int64_t offset, timestamp_ms;
	struct str key, value; /* key, data NULL: has none */
	const void *message; /* for span_header */
};

enum rc span_open(const struct settings *settings, struct span **ret, struct err *err);
void span_close(struct span *span); /* NULL is fine */
/* Adds every partition of the topic, its end as it is now. since_ms and until_ms: -1, or only from the first record of that
 * time on, and up to it. RC_BAD_INPUT: there is no such topic. */
enum rc span_add(struct span *span, const char *topic, int use, int64_t since_ms, int64_t until_ms, struct err *err);
unsigned span_parts(const struct span *span);
const struct span_part *span_part(const struct span *span, unsigned index);
int64_t span_total(const struct span *span); /* offsets to read, those that hold no record included */

/* Reads the parts of one use to their ends. done: offsets of these passed so far. see returns false to stop (*err is its).
 * RC_UNAVAILABLE: nothing came for idle_ms; err names the partition. */
enum rc span_read(struct span *span, int use, int idle_ms, bool (*see)(void *ctx, const struct span_record *record, int64_t done),
                  void *ctx, struct err *err);
/* The header's value; data NULL when there is none. */
struct str span_header(const struct span_record *record, const char *name);

/* What the group has committed of one partition: *ret_offset -1 when nothing. snapshot: what is not finished above it; when the
 * metadata says nothing that can be trusted, *ret_known is false. Waits for an open transaction of the group's. */
enum rc span_committed(struct span *span, const char *topic, int32_t partition, int timeout_ms, int64_t *ret_offset, bool *ret_known,
                       struct progress_snapshot *ret, struct err *err);

#endif
