/*
 * room.h: what the files of this room share and nobody else sees.
 */
#ifndef WIRE_ROOM_H
#define WIRE_ROOM_H

#include "worker/wire/mapping.h"
#include "worker/wire/records.h"
#include "worker/wire/wire.h"

enum { WIRE_MAX_VALUES = 48000, WIRE_MAX_DEPTH = 64 };

/* Records that we write. */
enum wire_record { RECORD_RESPONSE, RECORD_DECISION, RECORD_FORWARD, RECORD_KINDS };

struct wire {
	const struct settings *settings;
	struct arena arena; /* what wire_open made; read-only after it */
	struct mapping mapping;
};

struct wire_coder {
	struct wire *wire;
};

/* Writes one record in format, framing included, into the job's arena. */
enum rc wire_write(struct wire_coder *coder, int format, enum wire_record kind, const struct telling *telling, struct arena *arena,
                   struct str *ret, struct err *err);
/* Checks output.fields against the response's names. */
enum rc shape_check(const struct output_settings *settings, struct err *err);
/* The response in the reader's own shape; data NULL when it cannot be. response is our JSON. */
struct str shape_response(const struct output_settings *settings, struct arena *arena, struct str response);

#endif
