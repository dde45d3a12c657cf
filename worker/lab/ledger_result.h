/*
 * ledger_result.h: what a checked ledger says: figures of each source, and offences by where they can be looked at.
 * Thread: any.
 */
#ifndef LAB_LEDGER_RESULT_H
#define LAB_LEDGER_RESULT_H

#include <stdbool.h>
#include <stdint.h>

#include "worker/job/outcome.h"
#include "worker/lab/ledger_fault.h"

enum { LEDGER_NO_SOURCE = 65535 };

/* Where an output record stands; part is the caller's number for a topic and partition. */
struct ledger_place {
	uint32_t part;
	int64_t offset;
};
struct ledger_offence {
	enum ledger_fault fault;
	uint32_t source; /* LEDGER_NO_SOURCE: only the place is known */
	int64_t offset;
	bool has_place; /* the output record that is one too many, or that shows it */
	struct ledger_place place;
};
struct ledger_figures { /* of one source */
	int64_t records, decided, by_status[STATUS_REJECTED + 1], dead_letters, in_topics; /* in_topics: of routes, and park topics */
	int64_t in_progress, unknown; /* in progress: or parked; unknown: retention took what would tell */
};
struct ledger_result {
	struct ledger_figures *figures; /* one a source; the ledger's */
	int64_t faults[LEDGER_FAULTS];
	int64_t foreign;                  /* decisions about other topics */
	int64_t unchecked_responses;      /* whose decision retention may have taken */
	struct ledger_offence *offences;  /* the first max_listed of each fault; the ledger's */
	uint32_t offence_count;
	bool holds;
};

#endif
