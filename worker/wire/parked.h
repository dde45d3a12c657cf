/*
 * parked.h: the identity that a record takes with it to a model's park topic, and back.
 *
 * Headers, all text: pointsman-parked (1), pointsman-id, pointsman-deadline and pointsman-fetched-at (ms since 1970),
 * pointsman-attempts, pointsman-source (TOPIC/PARTITION/OFFSET).
 *
 * Thread: the coder's owner. Memory: the job's arena; texts may point into the record.
 */
#ifndef WIRE_PARKED_H
#define WIRE_PARKED_H

#include "worker/job/job.h"
#include "worker/job/settings.h"
#include "worker/wire/wire.h"

/* TOPIC/PARTITION/OFFSET, as in pointsman-source. False: it is no such text, and nothing of *ret is touched. */
bool parked_source(struct str text, struct origin *ret);
/* Fills job->origin. Nothing is given where the record's topic is no model's park topic: whoever can write there can write
 * these headers, and nobody else is believed. */
void parked_read(const struct settings *settings, struct job *job);
/* Whether a header is one of these names: copied to no other output. */
bool parked_is_header(struct str name);
/* The source's headers, bounded as a dead letter's, and the identity. */
void parked_headers(const struct settings *settings, struct job *job, const struct wire_facts *facts, struct output *out);

#endif
