/*
 * request.h: a decoded record -> job->req, by the mapping, every bound checked.
 *
 * Thread: the job's owner. Memory: the job's arena; texts may point into the record.
 */
#ifndef WIRE_REQUEST_H
#define WIRE_REQUEST_H

#include "common/err.h"
#include "worker/job/job.h"
#include "worker/wire/mapping.h"
#include "worker/wire/value.h"

enum {
	REQUEST_MAX_ID_BYTES = 256,
	REQUEST_MAX_TENANT_BYTES = 128,
	REQUEST_MAX_ATTRIBUTES = 64,
	REQUEST_MAX_ATTRIBUTE_BYTES = 4096,
	REQUEST_MAX_MESSAGES = 1000,
	REQUEST_MAX_ROLE_BYTES = 32,
	REQUEST_MAX_EMBEDDING = 8192,
	REQUEST_MAX_STOP = 16,
	REQUEST_MAX_STOP_BYTES = 256,
	REQUEST_MAX_FORMAT_BYTES = 65536,
	REQUEST_MAX_PROMPT_BYTES = 8 * 1024 * 1024 /* put together from a template, which can name a field twice */
};

/* An empty request with the id that every record has: the one it was parked with, its event's where it is a CloudEvent, else
 * topic-partition-offset. */
void request_begin(struct job *job);
/* RC_OK, or RC_BAD_INPUT with NO_PROMPT or INVALID. Fields that could be read are filled even then; what could not is as
 * after request_begin. */
enum rc request_fill(const struct mapping *mapping, const struct value *root, struct job *job, enum outcome *ret_outcome, struct err *err);
/* True when text is a traceparent of W3C Trace Context, version 00. */
bool request_is_traceparent(struct str text);

#endif
