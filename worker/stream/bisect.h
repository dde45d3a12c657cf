/*
 * bisect.h: which record is at fault when the broker refuses a batch for good without saying whose.
 *
 * The first refusal may pass (a topic that is being made): the same batch is tried once more. From the second in a row on the
 * suspects, which stand first in line, are halved: one half goes alone. Committed: the other half has it. Refused: this one.
 * So a culprit among n is alone after log2(n) refusals at most, and what is not at fault is committed on the way.
 *
 * Thread: stream. Pure.
 */
#ifndef STREAM_BISECT_H
#define STREAM_BISECT_H

#include <stdbool.h>
#include <stdint.h>

struct bisect {
	uint32_t refusals; /* in a row */
	uint32_t suspects; /* the first so many in line; 0: no search is on */
};

/* Records that the next batch may have: UINT32_MAX when none is suspected. */
uint32_t bisect_limit(const struct bisect *b);
/* A batch of the first count records was committed, or lost its records. */
void bisect_committed(struct bisect *b, uint32_t count);
/* It was refused. true: its only record is the culprit. */
bool bisect_refused(struct bisect *b, uint32_t count);

#endif
