/*
 * avro_encode.h: our own records in Avro's binary encoding, by avro-c.
 *
 * avro-c sees our schemas and our values only, never bytes or schemas of others.
 *
 * Thread: the coder's owner. One encoder per record kind and coder; its values are reused.
 */
#ifndef WIRE_AVRO_ENCODE_H
#define WIRE_AVRO_ENCODE_H

#include "common/arena.h"
#include "common/err.h"
#include "worker/wire/sink.h"

struct avro_encoder;

enum rc avro_encoder_new(struct str schema, struct avro_encoder **ret, struct err *err);
void avro_encoder_free(struct avro_encoder *encoder);
/* The sink to tell the record's fields to; texts are borrowed until avro_encoder_end. Copies of names go to arena. */
struct sink *avro_encoder_begin(struct avro_encoder *encoder, struct arena *arena);
/* Appends the record. RC_BAD_INPUT: what was told is not what the schema says, which is a bug. */
enum rc avro_encoder_end(struct avro_encoder *encoder, struct buf *out, struct err *err);

#endif
