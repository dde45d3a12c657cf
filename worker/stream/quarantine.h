/*
 * quarantine.h: records that may have brought a worker down are worked on alone, one after the other.
 *
 * A partition whose owners died again and again without finishing anything of it is in quarantine: the lowest records that
 * may have been begun are its members, and nothing else of it is read until they are through.
 *
 * Thread: stream.
 */
#ifndef STREAM_QUARANTINE_H
#define STREAM_QUARANTINE_H

#include "worker/stream/inflight.h"
#include "worker/stream/progress_codec.h"

struct stream;
struct batch_part;

enum {
	QUARANTINE_RESTARTS = 3, /* deaths in a row with nothing finished */
	QUARANTINE_STUCK = 10,   /* deaths in a row with the same lowest record */
	QUARANTINE_MEMBERS = 16,
};

/* The stream's. */
struct quarantine {
	struct taken *alone; /* about to be, or at work; NULL: nobody */
	bool told;           /* a commit says so */
	bool closed;         /* nothing but alone may be begun */
};

/* A partition's. */
struct quarantined {
	bool active;
	bool selecting;   /* there may be more members to come */
	uint32_t left;    /* as many at most */
	uint32_t members; /* taken and not committed */
	int64_t since_us;
};

/* What the marks of a new owner are, found those of the one before. died: it did not leave, and is not this worker. Pure. */
void quarantine_judge(const struct progress_mark *found, bool died, struct progress_mark *ret);

/* Progress was loaded: does the quarantine begin? */
void quarantine_open(struct stream *s, struct partition *p);
/* May a record be taken, as a member where *ret_member? suspicious: the owner before may have begun it. */
bool quarantine_admits(struct partition *p, bool suspicious, bool *ret_member);
/* The end of the log: no member is behind it. */
void quarantine_all_read(struct partition *p);
/* May anything of p be read now? */
bool quarantine_lets_read(const struct stream *s, const struct partition *p);
void quarantine_leave(struct stream *s, struct taken *member);
/* The commit that says who will be alone. */
void quarantine_told(const struct stream *s, struct batch_part *part);
void quarantine_committed(struct stream *s, const struct batch_part *part);
/* Chooses who is next, ends what is through. */
void quarantine_tick(struct stream *s, int64_t now_us);

#endif
