/*
 * records.h: the fields of our records, told to a sink in the order of schemas/.
 *
 * Thread: the coder's owner; the job is only read.
 */
#ifndef WIRE_RECORDS_H
#define WIRE_RECORDS_H

#include "worker/job/job.h"
#include "worker/job/settings.h"
#include "worker/wire/sink.h"
#include "worker/wire/wire.h"

struct telling {
	const struct settings *settings;
	const struct job *job;
	const struct wire_facts *facts;
	struct arena *arena; /* for texts made here: a sink borrows them until its record is written */
	struct str reply_topic; /* the response went there; data NULL: to the usual topic */
	bool brief; /* leave out what can be large: the answer's text, attributes, the stages' reasons */
};

void records_response(struct sink *sink, const struct telling *t);
void records_decision(struct sink *sink, const struct telling *t);
void records_request(struct sink *sink, const struct telling *t);

#endif
