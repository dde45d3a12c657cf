/*
 * headers.h: headers of what goes out: the source's that are allowed, and a dead letter's own.
 *
 * Thread: the coder's owner. Memory: the job's arena; values may point into the record.
 */
#ifndef WIRE_HEADERS_H
#define WIRE_HEADERS_H

#include "worker/job/job.h"
#include "worker/job/settings.h"

enum { HEADERS_MAX = 32, HEADERS_MAX_BYTES = 16384 };

/* traceparent, tracestate, ce_* and what output.header_allow names; an event's own names are left out (event.h). */
void headers_copy(const struct output_settings *settings, struct job *job, struct output *out);
/* All of the source's but an earlier dead letter's, and Spring's names in Spring's encodings. original_bytes != 0: the value
 * was cut, and had so many. */
void headers_dead_letter(const struct settings *settings, struct job *job, size_t original_bytes, struct output *out);
size_t headers_bytes(const struct output *out);

#endif
