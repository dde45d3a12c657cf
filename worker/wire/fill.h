/*
 * fill.h: a record with its embedding filled in, and every other byte as it is.
 *
 * JSON: the field is put behind the last one of its object, or in the place of its null. Avro: in the place of its null, so the
 * writer's schema must have the field as a union of null and an array of floats or doubles.
 *
 * Thread: the coder's owner. Pure but for the coder's memory of schemas.
 */
#ifndef WIRE_FILL_H
#define WIRE_FILL_H

#include "worker/wire/wire.h"

/* value was decoded by this coder just now (wire_decode), and has no embedding. vector: finite. *ret lives in the arena.
 * RC_BAD_INPUT: the record has no place for it; err says why. */
enum rc fill_embedding(struct wire_coder *coder, struct arena *arena, struct str value, const float *vector, uint32_t count, struct str *ret,
                       struct err *err);

#endif
