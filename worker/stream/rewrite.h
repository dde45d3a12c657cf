/*
 * rewrite.h: a topic's records into another topic, changed on the way, each once.
 *
 * What is written and how far was read are one transaction (redrive_txn.h); how far is the committed offset of the group GROUP-TASK. A run
 * that dies leaves nothing half done, the next goes on where it was, and one that is started beside another takes over from it.
 * Key and headers stay; the partition's number too, where the other topic has one of that number, else the key decides.
 *
 * Thread: one. Blocking.
 */
#ifndef STREAM_REWRITE_H
#define STREAM_REWRITE_H

#include "common/arena.h"
#include "common/err.h"
#include "worker/job/record.h"
#include "worker/job/settings.h"

struct rewrite_order {
	const char *from, *to, *task;
	bool again; /* from the beginning, whatever was committed */
	/* The value to write: rec's own, or one in the arena. Anything but RC_OK ends the run. */
	enum rc (*change)(void *ctx, const struct record *rec, struct arena *arena, struct str *ret_value, struct err *err);
	bool (*stop)(void *ctx);                                  /* true: finish what was begun and end */
	void (*progress)(void *ctx, int64_t done, int64_t total); /* in offsets; often */
	void *ctx;
};

struct rewrite_report {
	int64_t written; /* committed */
	bool stopped;
};

/* Fills the report as far as it came, also when it fails. RC_BAD_INPUT: there is no such topic, or a record became too large. */
enum rc rewrite_run(const struct settings *settings, const struct rewrite_order *order, struct rewrite_report *ret, struct err *err);

#endif
