/*
 * event.h: requests that are CloudEvents (1.0, Kafka protocol binding, binary mode), and outputs that answer them.
 *
 * Thread: the coder's owner. Memory: the job's arena.
 */
#ifndef WIRE_EVENT_H
#define WIRE_EVENT_H

#include "worker/job/job.h"
#include "worker/job/settings.h"

enum { EVENT_HEADERS = 9, EVENT_BYTES = 2048 }; /* what event_headers adds, at most */

/* The id of the request's event; data NULL: it is none, or its id is no text of a fitting length. */
struct str event_id(const struct record *rec);
/* Is this header of a request's event told anew by event_headers, and so never copied? */
bool event_retells(const struct record *rec, struct str name);
/* An event of its own for this output, caused by the request's. headers has room for EVENT_HEADERS; returns how many. */
uint32_t event_headers(const struct settings *settings, struct job *job, enum output_kind kind, bool is_json, int64_t now_ms,
                       struct header *headers);

#endif
