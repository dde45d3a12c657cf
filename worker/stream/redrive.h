/*
 * redrive.h: dead letters back to the topic they came from, each once.
 *
 * What goes back and the record of it (redrive_ledger.h, as offsets of the group GROUP-redrive) are one transaction under one
 * transactional id, GROUP/redrive: a run that dies leaves nothing half done, the next goes on where it was, and a run that is
 * started beside another takes over from it.
 *
 * Thread: one. Blocking.
 */
#ifndef STREAM_REDRIVE_H
#define STREAM_REDRIVE_H

#include "common/err.h"
#include "worker/job/settings.h"
#include "worker/stream/dead_letter.h"

struct redrive_order {
	struct dead_letter_filter filter;
	struct str to; /* data NULL: each to its original topic */
	uint32_t max_redrives;
	int64_t limit; /* 0: none */
	int64_t rate;  /* a second; 0: as fast as it goes */
	bool dry_run, again;
	bool (*stop)(void *ctx);                               /* true: finish what was begun and end */
	void (*progress)(void *ctx, int64_t done, int64_t total); /* in offsets; often */
	void *ctx;
};

/* Letters with the same fate. */
struct redrive_row {
	const char *class; /* "other": none of the worker's */
	const char *topic; /* the original; "-": none that can be a topic's name */
	enum dead_letter_verdict verdict;
	int64_t count, oldest_ms, newest_ms;
};
/* One that cannot be redriven whatever is asked for. */
struct redrive_left {
	enum dead_letter_verdict verdict;
	int32_t partition; /* of the dead letter */
	int64_t offset;
	int32_t original_partition; /* -1: not said */
	int64_t original_offset;
	const char *topic; /* as in a row */
};

enum { REDRIVE_ROWS = 256, REDRIVE_NAMED = 20 };
struct redrive_report {
	struct arena arena;
	struct redrive_row rows[REDRIVE_ROWS]; /* what finds no room is counted in the last */
	uint32_t row_count;
	struct redrive_left named[REDRIVE_NAMED]; /* the first of them */
	uint32_t named_count;
	int64_t left;      /* how many such there are */
	int64_t read;      /* letters looked at */
	int64_t redriven;  /* committed, or for a dry run what would be */
	uint32_t full;     /* partitions whose ledger has no room: their later letters were not looked at */
	bool stopped, limited;
};

/* Fills the report as far as it came, also when it fails. RC_BAD_INPUT: the configuration or --to names what is not there. */
enum rc redrive_run(const struct settings *settings, const struct redrive_order *order, struct redrive_report *ret, struct err *err);
void redrive_report_free(struct redrive_report *report);

/* For redrive.c: counts one letter. */
void redrive_tally(struct redrive_report *report, const struct record *rec, const struct dead_letter *letter,
                   enum dead_letter_verdict verdict);

#endif
