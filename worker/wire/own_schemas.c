/*
 * own_schemas.c: schema texts compiled in from schemas/ (the Makefile turns the files into a header).
 */
#include "worker/wire/own_schemas.h"

#include "wire_schemas.h"

#define STR_OF_SCHEMA(text) ((struct str){(text), sizeof(text) - 1})

/* The first place of a quoted name that stands for a type, replaced by the type itself. */
static struct str put_in(struct arena *arena, struct str text, struct str quoted, struct str schema)
{
	const char *at = memmem(text.data, text.len, quoted.data, quoted.len);
	if (at == NULL)
		return text;
	struct buf out;
	buf_init(&out, arena, text.len + schema.len);
	buf_add(&out, text.data, (size_t)(at - text.data));
	buf_str(&out, schema);
	buf_add(&out, at + quoted.len, text.len - (size_t)(at - text.data) - quoted.len);
	return buf_view(&out);
}

struct str own_schema_text(enum own_schema which, struct arena *arena)
{
	const struct str request = STR_OF_SCHEMA(schema_request), response = STR_OF_SCHEMA(schema_response);
	const struct str decision = STR_OF_SCHEMA(schema_decision), forward = STR_OF_SCHEMA(schema_forward);
	switch (which) {
	case OWN_RESPONSE: return response;
	case OWN_DECISION: return decision;
	case OWN_REQUEST: return request;
	default: return put_in(arena, put_in(arena, forward, STR("\"Request\""), request), STR("\"Decision\""), decision);
	}
}
