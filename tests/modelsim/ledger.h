/*
 * ledger.h: how often each key was called, and how often it was answered.
 *
 * Keys are kept as 64-bit fingerprints: two of a million keys collide once in some 37 million runs.
 *
 * Thread: one.
 */
#ifndef MODELSIM_LEDGER_H
#define MODELSIM_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/str.h"

struct ledger_entry {
	uint64_t fingerprint; /* 0: free */
	uint32_t calls, answers;
};

struct ledger {
	struct ledger_entry *entries; /* open addressing; room is a power of two, or 0 */
	size_t room, distinct;
	uint64_t repeated_answers; /* answers given to a key that had one */
};

/* Good enough to spread keys and to choose texts; not for secrets. */
uint64_t ledger_hash(struct str text);

void ledger_call(struct ledger *ledger, uint64_t fingerprint);
void ledger_answer(struct ledger *ledger, uint64_t fingerprint);
/* As new; also the way to free it. */
void ledger_reset(struct ledger *ledger);

#endif
