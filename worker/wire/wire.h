/*
 * wire.h: bytes <-> job. Hides formats (JSON, Avro single-object, Avro with Confluent framing), field mapping, dead letters.
 * Knows nothing of Kafka.
 *
 * Thread: a `struct wire` is shared and read-only but for its schema table (locked); a `struct wire_coder` belongs to one
 * decider. Nothing here does I/O; missing schemas are asked for by wire_wanted and brought by wire_schema_arrived.
 */
#ifndef WIRE_WIRE_H
#define WIRE_WIRE_H

#include "common/err.h"
#include "common/log.h"
#include "common/metrics.h"
#include "worker/job/job.h"
#include "worker/job/settings.h"

struct wire;
struct wire_coder;

/* Compiles the mapping, reads output schemas (compiled in from schemas/) and input.schema_dir. */
enum rc wire_open(const struct settings *settings, struct metrics *metrics, struct wire **ret, struct err *err);
void wire_close(struct wire *wire);
struct wire_coder *wire_coder_new(struct wire *wire);
void wire_coder_free(struct wire_coder *coder);

/* Fills job->req from job->rec.
 * RC_OK; RC_AGAIN: job->schema_id is not known yet (park the job in NEEDS_SCHEMA);
 * RC_BAD_INPUT: *ret_outcome says which (BAD_RECORD, BAD_SCHEMA, NO_PROMPT, INVALID, TOO_LARGE) and err why. After NO_PROMPT
 * and INVALID job->req.id and key fields are filled as far as they could be read. */
enum rc wire_decode(struct wire_coder *coder, struct job *job, enum outcome *ret_outcome, struct err *err);
/* In its place for a record whose value must not be looked at: the id is topic-partition-offset. RC_OK. */
enum rc wire_decode_nothing(struct wire_coder *coder, struct job *job);

/* A full model may send the record to its park topic: it has not been there yet, and fits through. After wire_decode. */
bool wire_may_park(const struct wire_coder *coder, const struct job *job);

/* What only the engine knows of a finished job. */
struct wire_facts {
	const char *worker_instance, *worker_version;
	int64_t now_ms; /* wall: answered_at, finished_at */
	int64_t now_us; /* monotonic */
	struct str policy_name, decision_version, policy_version;
	struct str route_topic;   /* FORWARDED: where to */
	bool clarification;       /* the route's kind */
	double baseline_cost_usd; /* NAN: unknown */
	const uint16_t *candidates;
	uint32_t candidate_count;
};

/* Writes job->outputs (response, decision, dead letter, forward) by job->outcome. Sizes are checked: a response over
 * output.max_bytes turns the outcome into OUTPUT_TOO_LARGE; a dead letter over it carries a cut value and a flag; audits are
 * bounded by cutting texts. Never fails: what cannot be encoded becomes outcome INTERNAL with a minimal record. */
void wire_encode(struct wire_coder *coder, struct job *job, const struct wire_facts *facts);

/* The control thread's side of Schema Registry. */
struct wire_want {
	uint32_t schema_id;  /* look this id up: GET /schemas/ids/ID */
	struct str subject;  /* or register this schema under this subject: POST /subjects/S/versions (output side) */
	struct str schema;   /* original text; data NULL for a look-up */
};
/* The next thing to fetch; false when there is none. Coalesced by id; negative answers are not asked again for 30 s. */
bool wire_wanted(struct wire *wire, int64_t now_us, struct arena *arena, struct wire_want *ret);
void wire_want_schema(struct wire *wire, uint32_t schema_id, int64_t now_us); /* Thread: any */
/* Does one look-up or registration over HTTP. Thread: control. RC_UNAVAILABLE: try later; RC_BAD_INPUT: answered, negative. */
struct http;
enum rc wire_fetch(struct wire *wire, struct http *http, const struct wire_want *want, int64_t now_us, struct err *err);
enum schema_state { SCHEMA_UNKNOWN, SCHEMA_KNOWN, SCHEMA_MISSING };
/* MISSING: the registry has said 404 for longer than input.schema_missing_after. Thread: any. */
enum schema_state wire_schema_state(struct wire *wire, uint32_t schema_id, int64_t now_us);
/* Output schemas are registered when format avro-confluent needs them; RC_AGAIN until then. */
enum rc wire_ready(struct wire *wire, struct err *err);

#endif
