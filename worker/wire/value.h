/*
 * value.h: one look at a decoded record, whatever format it came in.
 *
 * A value is a JSON node or a piece of an Avro record; the mapping of fields reads both through these functions, so a path
 * means the same in either. Values borrow: from the JSON tree, or from the job's arena.
 *
 * Thread: the job's owner. Nothing here fails but by saying "absent".
 */
#ifndef WIRE_VALUE_H
#define WIRE_VALUE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/arena.h"
#include "common/json.h"

enum value_kind {
	VALUE_ABSENT, /* no such field */
	VALUE_NULL,
	VALUE_BOOL,
	VALUE_NUMBER, /* JSON: text as written */
	VALUE_INT,    /* Avro int and long */
	VALUE_REAL,   /* Avro float and double */
	VALUE_TEXT,   /* UTF-8, checked */
	VALUE_BYTES,  /* Avro bytes and fixed */
	VALUE_LIST,
	VALUE_MAP /* JSON map, Avro map and record */
};

struct value {
	enum value_kind kind;
	uint32_t count; /* of a list or map */
	union {
		struct str text; /* NUMBER, TEXT, BYTES; of a JSON null, list or map its source; of an Avro union that is null its bytes */
		int64_t whole;   /* INT, BOOL */
		double real;     /* REAL */
	};
	const struct json *json; /* NUMBER, LIST, MAP from JSON */
	struct value *items;     /* LIST, MAP from Avro */
	struct str *keys;        /* MAP from Avro */
	bool micros;             /* INT: a timestamp in microseconds */
};

struct value value_of_json(const struct json *json);
struct value value_item(const struct value *list, uint32_t index);
struct str value_key(const struct value *map, uint32_t index);
struct value value_get(const struct value *map, struct str name);
/* "a.b.0": through maps by name, through lists by index. */
struct value value_path(const struct value *root, struct str path);

static inline bool value_given(const struct value *v)
{
	return v->kind != VALUE_ABSENT && v->kind != VALUE_NULL;
}
/* A scalar as text: numbers as written or shortest, true and false; bytes when they are UTF-8. False for anything else. */
bool value_text(const struct value *v, struct arena *arena, struct str *ret);
bool value_i64(const struct value *v, int64_t *ret);
bool value_double(const struct value *v, double *ret); /* finite */

#endif
