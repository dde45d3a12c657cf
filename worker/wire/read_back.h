/*
 * read_back.h: our own decision and response records, read as any consumer reads them: what a check of the topics needs.
 *
 * Whatever output.format says now, the first bytes tell the format, so a topic that holds several is read too.
 *
 * Thread: the coder's owner. Memory: the arena given; texts may point into value.
 */
#ifndef WIRE_READ_BACK_H
#define WIRE_READ_BACK_H

#include "common/http.h"
#include "worker/wire/wire.h"

struct read_decision {
	struct str decision_id, outcome, route, source_topic;
	int64_t source_partition, source_offset; /* of the record that was parked, when this was answered from a park topic */
	uint32_t attempts; /* model calls it tells of */
	bool redelivered, was_parked;
	struct str parked_by; /* the model that was full; data NULL: none was */
};
struct read_response {
	struct str decision_id, status;
};

/* RC_AGAIN: bring the schema (read_back_schema) and ask again. RC_BAD_INPUT: it is not such a record; err says why. */
enum rc read_back_decision(struct wire_coder *coder, struct arena *arena, struct str value, struct read_decision *ret, struct err *err);
/* The decision in a record of a destination topic. */
enum rc read_back_forward(struct wire_coder *coder, struct arena *arena, struct str value, struct read_decision *ret, struct err *err);
/* Where output.fields gives responses a shape of their own, what it does not name is null. */
enum rc read_back_response(struct wire_coder *coder, struct arena *arena, struct str value, struct read_response *ret, struct err *err);
/* Whether a response tells its decision_id, without which it cannot be matched. */
bool read_back_can_match(const struct output_settings *settings);

/* Fetches from the registry the schema that value lacked (RC_AGAIN). Blocks. RC_UNAVAILABLE; RC_BAD_INPUT: there is none. */
enum rc read_back_schema(struct wire_coder *coder, struct http *http, struct str value, int64_t now_us, struct err *err);

#endif
