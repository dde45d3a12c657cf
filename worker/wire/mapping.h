/*
 * mapping.h: which field of the user's record is which field of the request; compiled once from `input.fields` and
 * `output.carry`.
 *
 * Also the set of wanted paths as a tree of names, by which the Avro reader knows what to keep and what to skip.
 *
 * Thread: read-only after mapping_compile. Memory: the arena given, which must outlive it; paths borrow from the settings.
 */
#ifndef WIRE_MAPPING_H
#define WIRE_MAPPING_H

#include "common/arena.h"
#include "common/err.h"
#include "worker/job/settings.h"

enum field {
	FIELD_ID, FIELD_TENANT, FIELD_CONVERSATION_ID, FIELD_JOB_ID, FIELD_PROMPT, FIELD_MESSAGES, FIELD_ATTRIBUTES,
	FIELD_EMBEDDING, FIELD_DEADLINE, FIELD_PRIORITY, FIELD_MAX_TOKENS, FIELD_TEMPERATURE, FIELD_STOP,
	FIELD_RESPONSE_FORMAT, FIELD_ROUTE_HINT, FIELD_TRACEPARENT, FIELD_COUNT
};

struct prompt_part {
	struct str text; /* a literal, or a path */
	bool is_path;
};

struct named_path {
	struct str name, path;
};

/* A name on the way to a wanted value. */
struct wanted {
	struct str name;
	bool whole; /* everything below is wanted */
	struct wanted *child, *next;
};

struct mapping {
	struct str path[FIELD_COUNT];     /* data NULL: not looked at */
	struct prompt_part *prompt_parts; /* NULL: the prompt is the value at its path */
	uint32_t prompt_part_count;
	struct named_path *attributes; /* instead of the record's own map; count 0: the map */
	uint32_t attribute_count;
	struct named_path *carry;
	uint32_t carry_count;
	struct wanted *wanted; /* the root; its name is empty */
};

/* RC_BAD_INPUT: a path or template that cannot be meant. */
enum rc mapping_compile(const struct settings *settings, struct arena *arena, struct mapping *ret, struct err *err);
const char *mapping_field_name(enum field field);
/* The child of that name, or NULL. */
const struct wanted *mapping_wanted(const struct wanted *parent, struct str name);

#endif
