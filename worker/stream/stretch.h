/*
 * stretch.h: topics read from given offsets to the end that stood at the opening, committed records only. For tools: no group
 * is joined, nothing is committed.
 *
 * Thread: one. Blocking, bounded.
 */
#ifndef STREAM_STRETCH_H
#define STREAM_STRETCH_H

#include "common/err.h"
#include "worker/job/record.h"
#include "worker/job/settings.h"

struct stretch;

/* One partition. The owner may raise from before stretch_begin. */
struct stretch_part {
	const char *topic;
	int32_t number;
	int64_t low, end; /* what was there at the opening; end: the last stable offset, the first that is not read */
	int64_t from;     /* where reading begins; low at first */
	int64_t at;       /* everything below has been given or does not exist */
	bool over;
};

/* Asks for the partitions and their bounds. group: whose commits stretch_committed asks for. RC_BAD_INPUT: there is no such
 * topic; RC_UNAVAILABLE: no answer. */
enum rc stretch_open(const struct settings *settings, const char *group, const char *const *topics, unsigned count,
                     struct stretch **ret, struct err *err);
void stretch_close(struct stretch *stretch); /* NULL is fine */
uint32_t stretch_count(const struct stretch *stretch);
struct stretch_part *stretch_part(struct stretch *stretch, uint32_t i);

/* Calls see(ctx, i, offset, metadata) for each partition in which the group has committed. Waits for an open transaction that
 * holds such commits. */
enum rc stretch_committed(struct stretch *stretch, int timeout_ms,
                          void (*see)(void *ctx, uint32_t i, int64_t offset, struct str metadata), void *ctx, struct err *err);

enum rc stretch_begin(struct stretch *stretch, struct err *err);
bool stretch_is_over(const struct stretch *stretch);
/* Of the offsets between from and end, over all parts: how many are behind. */
void stretch_progress(const struct stretch *stretch, int64_t *ret_done, int64_t *ret_total);
/* RC_OK: a record of partition *ret_i; it is valid until the next call. RC_AGAIN: none within the timeout (a partition may have
 * ended). Records of one partition ascend. */
enum rc stretch_next(struct stretch *stretch, int timeout_ms, struct record *ret, uint32_t *ret_i, struct err *err);
/* No more of this partition is wanted. */
void stretch_leave(struct stretch *stretch, uint32_t i);

#endif
