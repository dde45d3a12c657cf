/*
 * reply.h: where the sender of a request wants its response: the headers of Spring Kafka's request-reply.
 *
 * Thread: any. Pure. Texts point into the record.
 */
#ifndef WIRE_REPLY_H
#define WIRE_REPLY_H

#include "worker/job/record.h"
#include "worker/job/settings.h"

enum { REPLY_MAX_CORRELATION_BYTES = 1024 };

struct reply {
	struct str topic;       /* data NULL: the response topic */
	int32_t partition;      /* -1: not said */
	struct str correlation; /* returned as it came; data NULL: none */
	bool refused;           /* a topic was asked for that output.reply_topics does not name */
};

struct reply reply_read(const struct output_settings *settings, const struct record *rec);

#endif
