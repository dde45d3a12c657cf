/*
 * audit_read.h: reads a deployment's topics into a ledger. Used by `audit verify`.
 *
 * The order of reading is the proof: the group's progress first, then responses, dead letters and the topics that routes and full
 * models hand records to, then decisions up to ends
 * asked for only then, the input last. So a worker that goes on meanwhile adds to what is in progress, never to what is wrong.
 *
 * Thread: main.
 */
#ifndef CLI_AUDIT_READ_H
#define CLI_AUDIT_READ_H

#include "worker/cli/cli.h"
#include "worker/lab/ledger.h"
#include "worker/route/route.h"
#include "worker/stream/span.h"

enum { AUDIT_TOLD = 20, AUDIT_TELL_BYTES = 400 };

struct audit_books {
	struct span *outputs; /* the places' parts */
	struct ledger *ledger;
	const struct settings *settings;
	struct arena names;
	int64_t read_records, model_calls, redelivered; /* calls and redeliveries that decisions tell of */
	int64_t foreign_dead_letters, foreign_forwards, unread_forwards, unreadable; /* unread: to topics that are named no more */
	unsigned unreadable_told, note_count;
	char unreadables[AUDIT_TOLD][AUDIT_TELL_BYTES]; /* the first ones, with coordinates */
	char notes[AUDIT_TOLD][AUDIT_TELL_BYTES];       /* what could not be checked */
};

/* since_ms and until_ms: of the input records; -1: all. Free with audit_books_free, failed or not. */
enum rc audit_read(const struct settings *settings, const struct policy *policy, int64_t since_ms, int64_t until_ms,
                   struct audit_books *ret, struct err *err);
void audit_books_free(struct audit_books *books);

#endif
