/*
 * avro_canonical.h: what the schema reader and the canonical writer share: the kinds' names.
 */
#ifndef WIRE_AVRO_CANONICAL_H
#define WIRE_AVRO_CANONICAL_H

#include "worker/wire/avro_schema.h"

const char *avro_kind_name(enum avro_kind kind);

#endif
