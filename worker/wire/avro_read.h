/*
 * avro_read.h: Avro's binary encoding, read by the schema it was written with; bounded whatever the bytes say.
 *
 * Only what is wanted is kept; the rest is walked over. Lengths are checked against what is left before anything is done
 * with them; nesting, the number of kept values, and the work per byte (items that take no bytes) have bounds; booleans,
 * enums, union branches and int ranges are checked; all input must be used up.
 *
 * Thread: the arena's owner. Texts point into bytes, which must outlive the value.
 */
#ifndef WIRE_AVRO_READ_H
#define WIRE_AVRO_READ_H

#include "common/err.h"
#include "worker/wire/avro_schema.h"
#include "worker/wire/mapping.h"
#include "worker/wire/value.h"

enum {
	AVRO_READ_MAX_DEPTH = 64,
	AVRO_READ_MAX_VALUES = 32000,
	AVRO_READ_MAX_PLACES = 80000, /* for them; only lists and maps in several blocks need more places than values */
	AVRO_READ_FREE_STEPS = 100000, /* and four for each byte: an honest record takes about two */
};

/* RC_BAD_INPUT: "offset N: what is wrong". */
enum rc avro_read(struct arena *arena, const struct avro_type *type, const struct wanted *wanted, struct str bytes, struct value *ret,
                  struct err *err);

#endif
