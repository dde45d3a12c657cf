/*
 * own_schemas.h: the schemas of schemas/, as the program carries them.
 * Thread: any (constant data).
 */
#ifndef WIRE_OWN_SCHEMAS_H
#define WIRE_OWN_SCHEMAS_H

#include "common/arena.h"

enum own_schema { OWN_RESPONSE, OWN_DECISION, OWN_FORWARD, OWN_REQUEST, OWN_COUNT };

/* The whole text; a forwarded record's has the two schemas it names put in. */
struct str own_schema_text(enum own_schema which, struct arena *arena);

#endif
