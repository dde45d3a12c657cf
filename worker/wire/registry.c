/*
 * registry.c: what is known of the schema registry's ids.
 */
#include "worker/wire/room.h"

bool wire_wanted(struct wire *wire, int64_t now_us, struct arena *arena, struct wire_want *ret)
{
	(void)wire, (void)now_us, (void)arena, (void)ret; /* JSON wants nothing */
	return false;
}

void wire_want_schema(struct wire *wire, uint32_t schema_id, int64_t now_us)
{
	(void)wire, (void)schema_id, (void)now_us; /* JSON wants nothing */
}

enum rc wire_fetch(struct wire *wire, struct http *http, const struct wire_want *want, int64_t now_us, struct err *err)
{
	(void)wire, (void)http, (void)want, (void)now_us; /* JSON wants nothing */
	return err_set(err, RC_BAD_INPUT, "no registry is configured");
}

enum schema_state wire_schema_state(struct wire *wire, uint32_t schema_id, int64_t now_us)
{
	(void)wire, (void)schema_id, (void)now_us; /* none can be known */
	return SCHEMA_MISSING;
}

enum rc wire_ready(struct wire *wire, struct err *err)
{
	(void)wire, (void)err; /* JSON needs no registration */
	return RC_OK;
}
