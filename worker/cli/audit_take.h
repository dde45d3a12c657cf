/*
 * audit_take.h: one record of an output topic -> the ledger. Used by audit_read.c.
 *
 * A decision or response that cannot be read is told by its coordinates. Topics that others write to as well (replies, routes') hold
 * what we cannot read: that is counted, not accused.
 *
 * Thread: main.
 */
#ifndef CLI_AUDIT_TAKE_H
#define CLI_AUDIT_TAKE_H

#include "worker/cli/audit_read.h"
#include "worker/wire/read_back.h"

enum audit_use { USE_INPUT, USE_RESPONSES, USE_REPLIES, USE_DEAD_LETTERS, USE_ROUTES, USE_PARKS, USE_DECISIONS };

struct audit_taker {
	struct audit_books *books;
	const struct policy *policy;
	struct wire_coder *coder;
	struct http *http;
	struct arena arena; /* of one record */
	bool *unread_routes, *unread_models; /* by the policy's and the settings' order: their topic is not read */
	struct err *err;
};

/* use: not USE_INPUT. False: reading cannot go on, *taker->err says why. */
bool audit_take(struct audit_taker *taker, enum audit_use use, const struct span_record *record);

#endif
