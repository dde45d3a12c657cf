/*
 * avro_schema.h: an Avro schema of anyone's as a small tree.
 *
 * Bounded in size, depth and number of types. Names are resolved, so a type may hold itself; who walks bytes by the tree
 * bounds the depth. Logical types that change how a number is meant are kept, aliases, docs and defaults are not: reading
 * what was written by its own schema needs none of them.
 *
 * Thread: immutable after avro_schema_parse. Memory: the arena given; texts are copied.
 * Source: Apache Avro specification 1.11, "Schema Declaration", "Parsing Canonical Form", "Schema Fingerprints".
 */
#ifndef WIRE_AVRO_SCHEMA_H
#define WIRE_AVRO_SCHEMA_H

#include <stdbool.h>
#include <stdint.h>

#include "common/arena.h"
#include "common/err.h"

enum { AVRO_SCHEMA_MAX_BYTES = 1024 * 1024, AVRO_SCHEMA_MAX_TYPES = 20000, AVRO_SCHEMA_MAX_NAMED = 2000 };

enum avro_kind { /* the primitive ones first, in the order of their names in avro_schema.c */
	KIND_NULL, KIND_BOOLEAN, KIND_INT, KIND_LONG, KIND_FLOAT, KIND_DOUBLE, KIND_BYTES, KIND_STRING,
	KIND_RECORD, KIND_ENUM, KIND_ARRAY, KIND_MAP, KIND_FIXED, KIND_UNION
};

struct avro_type {
	enum avro_kind kind;
	bool micros;             /* logicalType timestamp-micros or local-timestamp-micros */
	uint32_t count;          /* fields, symbols, branches */
	uint32_t named_index;    /* RECORD, ENUM, FIXED: position among the named types */
	struct str name;         /* full name of a named type */
	struct str *names;       /* of fields or symbols */
	struct avro_type **items; /* of fields or branches; of an ARRAY or MAP the one at 0 */
	uint64_t fixed_bytes;
};

struct avro_schema {
	const struct avro_type *root;
	uint32_t named_count;
	uint64_t fingerprint; /* CRC-64-AVRO of the canonical form */
};

/* RC_BAD_INPUT: what is wrong with it. */
enum rc avro_schema_parse(struct arena *arena, struct str text, struct avro_schema *ret, struct err *err);
/* Parsing Canonical Form. */
void avro_schema_canonical(const struct avro_schema *schema, struct buf *out);
uint64_t avro_crc64(struct str text);

#endif
