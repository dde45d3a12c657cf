/*
 * redrive_ledger.h: which offsets of a partition are done, as few runs, for work that picks records here and there.
 *
 * `low` is the first offset that is not done; above it the done ones are runs. A long stretch left out or done costs one run,
 * however many records it holds. The text is for an offset commit's metadata beside `low` as the offset:
 * "pmr1:", 8 hex digits (SHA-256 of low and what follows), ":", then 6 bits a character: the number of runs and, for each, the
 * gap before it and its length, as Elias gamma codes (P. Elias, IEEE Trans. Inf. Theory 21, 1975).
 *
 * Thread: the owner's. Pure.
 */
#ifndef STREAM_REDRIVE_LEDGER_H
#define STREAM_REDRIVE_LEDGER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/str.h"

enum { REDRIVE_LEDGER_TEXT_MAX = 4096 }; /* what brokers keep (offset.metadata.max.bytes) */

struct redrive_ledger_run {
	int64_t from, to; /* to is the first behind it */
};
struct redrive_ledger {
	int64_t low; /* everything below is done */
	struct redrive_ledger_run *runs; /* ascending, apart from each other and from low */
	uint32_t count, cap;
	uint64_t bits; /* of the runs as text */
};

void redrive_ledger_init(struct redrive_ledger *ledger, int64_t low); /* free with redrive_ledger_free */
void redrive_ledger_free(struct redrive_ledger *ledger);
bool redrive_ledger_has(const struct redrive_ledger *ledger, int64_t offset);
/* Would redrive_ledger_mark take it? */
bool redrive_ledger_fits(const struct redrive_ledger *ledger, int64_t from, int64_t to);
/* [from, to) is done. false, and nothing changed, when the text would be too long. Never false where it joins what is done on
 * the side of low. */
bool redrive_ledger_mark(struct redrive_ledger *ledger, int64_t from, int64_t to);

/* Writes a NUL-terminated text and returns its length. */
size_t redrive_ledger_encode(const struct redrive_ledger *ledger, char out[REDRIVE_LEDGER_TEXT_MAX + 1]);
/* Into a fresh ledger. RC_BAD_INPUT with the reason unless text is what redrive_ledger_encode wrote for this low; ret is not touched. */
enum rc redrive_ledger_decode(struct str text, int64_t low, struct redrive_ledger *ret, struct err *err);

#endif
