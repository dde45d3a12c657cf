/*
 * room.h: what the files of this room share and nobody else sees.
 */
#ifndef WIRE_ROOM_H
#define WIRE_ROOM_H

#include "worker/wire/avro_encode.h"
#include "worker/wire/avro_schema.h"
#include "worker/wire/mapping.h"
#include "worker/wire/own_schemas.h"
#include "worker/wire/records.h"
#include "worker/wire/registry.h"
#include "worker/wire/wire.h"

enum { WIRE_MAX_VALUES = 32000, WIRE_MAX_DEPTH = 64, WIRE_WRITTEN = OWN_REQUEST /* schemas we write; requests are only read */ };

/* A schema that records framed as single objects can name by its fingerprint. */
struct known_schema {
	uint64_t fingerprint;
	const struct avro_type *root;
};

struct wire {
	const struct settings *settings;
	struct arena arena; /* what wire_open made; read-only after it */
	struct mapping mapping;
	struct str own_text[OWN_COUNT];
	uint64_t own_fingerprint[OWN_COUNT];
	struct known_schema *known;
	uint32_t known_count, known_cap;
	struct registry *registry;
	struct counter *replies_refused; /* NULL in offline use */
};

struct wire_coder {
	struct wire *wire;
	struct avro_encoder *encoders[WIRE_WRITTEN]; /* NULL until first used */
	uint32_t last_id; /* the schema that the last record had: most topics have one */
	const struct avro_type *last_schema;
	bool has_output_id[WIRE_WRITTEN];
	uint32_t output_id[WIRE_WRITTEN];
};

/* Adds a schema for single-object input. */
enum rc wire_know(struct wire *wire, struct str text, uint64_t *ret_fingerprint, struct err *err);
/* Every *.avsc of a folder. */
enum rc wire_know_folder(struct wire *wire, const char *folder, struct err *err);
/* Whether records can be read or written in Confluent's framing under these settings. */
bool wire_may_write_confluent(const struct settings *settings);

/* Writes one record in format, framing included, into the arena. RC_AGAIN: its schema has no id yet. */
enum rc wire_write(struct wire_coder *coder, int format, enum own_schema kind, const struct telling *telling, struct arena *arena,
                   struct str *ret, struct err *err);
/* Checks output.fields against the response's names. */
enum rc shape_check(const struct output_settings *settings, struct err *err);
/* The response in the reader's own shape; data NULL when it cannot be. response is our JSON. */
struct str shape_response(const struct output_settings *settings, struct arena *arena, struct str response);

#endif
