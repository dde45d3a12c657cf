/*
 * dead_letter.h: what a dead letter says of itself, whether it is asked for, and the record that goes back.
 *
 * Its headers are anybody's to write: Spring's own recoverer and other workers write the same names (numbers as big-endian
 * binaries), and a forged one must lead nowhere it should not.
 *
 * Thread: any. Pure. Memory: results point into the record.
 */
#ifndef STREAM_DEAD_LETTER_H
#define STREAM_DEAD_LETTER_H

#include "common/arena.h"
#include "worker/job/outcome.h"
#include "worker/job/record.h"

struct dead_letter {
	struct str topic;   /* where it came from; data NULL: it does not say */
	int32_t partition;  /* -1: it does not say */
	int64_t offset;
	enum outcome class; /* OUTCOME_NONE: none of the worker's */
	uint32_t redrives;  /* how often it was sent back before */
	bool truncated;     /* the value is not whole */
};

/* What is asked for. All parts must hold. */
struct dead_letter_filter {
	bool classes[OUTCOME_COUNT]; /* [OUTCOME_NONE]: letters of none of the worker's classes */
	int64_t since_ms, until_ms;  /* when it died: since <= its timestamp < until */
	const struct header *headers; /* each must be there with that value */
	uint32_t header_count;
};

/* Where it may go. */
struct dead_letter_rules {
	const struct str *topics; /* the only original topics that are believed */
	uint32_t topic_count;
	struct str to; /* data NULL: to the original topic; else there, whatever the letter says */
	uint32_t max_redrives;
};

enum dead_letter_verdict {
	LETTER_GO,
	LETTER_DONE, /* redriven by an earlier run; not said by dead_letter_judge */
	LETTER_OTHER_CLASS,
	LETTER_OTHER_TIME,
	LETTER_OTHER_HEADER,
	LETTER_TRUNCATED,
	LETTER_LOOP,
	LETTER_FOREIGN_TOPIC,
	LETTER_TOO_LARGE, /* the client refuses it; not said by dead_letter_judge */
	LETTER_VERDICTS
};

void dead_letter_read(const struct record *rec, struct dead_letter *ret);
enum dead_letter_verdict dead_letter_judge(const struct dead_letter *letter, const struct record *rec,
                                           const struct dead_letter_filter *filter, const struct dead_letter_rules *rules);
/* The headers that go back: the count, the letter's without those that made it one, the attempts so far. The count stands first,
 * so that whoever copies a bounded number of headers copies it. Returns how many; ret_headers lives in the arena. */
uint32_t dead_letter_headers(const struct dead_letter *letter, const struct record *rec, struct arena *arena,
                             struct header **ret_headers);

#endif
