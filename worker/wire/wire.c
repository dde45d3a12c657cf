/*
 * wire.c: opens and closes the room.
 */
#include "worker/wire/room.h"

#include <stdlib.h>

enum rc wire_open(const struct settings *settings, struct metrics *metrics, struct wire **ret, struct err *err)
{
	(void)metrics; /* nothing is counted here yet */
	struct wire *wire = heap_zalloc(1, sizeof *wire);
	wire->settings = settings;
	arena_init(&wire->arena, 0);
	enum rc rc = mapping_compile(settings, &wire->arena, &wire->mapping, err);
	if (rc == RC_OK)
		rc = shape_check(&settings->output, err);
	if (rc != RC_OK) {
		wire_close(wire);
		return rc;
	}
	*ret = wire;
	return RC_OK;
}

void wire_close(struct wire *wire)
{
	if (wire == NULL)
		return;
	arena_free(&wire->arena);
	free(wire);
}

struct wire_coder *wire_coder_new(struct wire *wire)
{
	struct wire_coder *coder = heap_zalloc(1, sizeof *coder);
	coder->wire = wire;
	return coder;
}

void wire_coder_free(struct wire_coder *coder)
{
	free(coder);
}
