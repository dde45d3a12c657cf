/*
 * wire.c: opens and closes the room; the public face of the registry's table.
 *
 * The one idea: everything that can be wrong with mapping, schemas and shapes is found when the room opens, before the first
 * record.
 */
#include "worker/wire/room.h"

#include <stdio.h>
#include <stdlib.h>

static enum rc load_own(struct wire *wire, struct err *err)
{
	for (int i = 0; i < OWN_COUNT; i++) {
		wire->own_text[i] = own_schema_text((enum own_schema)i, &wire->arena);
		/* what we write can also be read back: a forwarded record, a response in a chain of workers */
		enum rc rc = wire_know(wire, wire->own_text[i], &wire->own_fingerprint[i], err);
		if (rc != RC_OK)
			return err_prefix(err, rc, "schema %d of the program itself", i);
	}
	return RC_OK;
}

bool wire_may_write_confluent(const struct settings *settings)
{
	int in = settings->input.format, out = settings->output.format;
	if (settings->registry.url.data == NULL)
		return out == FORMAT_AVRO_CONFLUENT;
	return out == FORMAT_AVRO_CONFLUENT || (out == FORMAT_INPUT && (in == FORMAT_AVRO_CONFLUENT || in == FORMAT_AUTO));
}

/* Subjects by TopicNameStrategy; forwarded records go to many topics, so theirs is by the record's name. */
static enum rc open_registry(struct wire *wire, struct err *err)
{
	const struct settings *s = wire->settings;
	bool writes = wire_may_write_confluent(s);
	if ((writes || s->input.format == FORMAT_AVRO_CONFLUENT) && s->registry.url.data == NULL)
		return err_set(err, RC_BAD_INPUT, "the format avro-confluent needs registry.url");
	wire->registry = registry_new(s);
	if (!writes)
		return RC_OK;
	struct str subjects[WIRE_WRITTEN] = {
		[OWN_RESPONSE] = arena_printf(&wire->arena, "%.*s-value", STR_ARG(s->output.responses)),
		[OWN_DECISION] = arena_printf(&wire->arena, "%.*s-value", STR_ARG(s->output.decisions)),
		[OWN_FORWARD] = STR("pointsman.Forward"),
	};
	for (int i = 0; i < WIRE_WRITTEN; i++)
		registry_add_output(wire->registry, subjects[i], wire->own_text[i]);
	return RC_OK;
}

static enum rc know_folder(struct wire *wire, struct err *err)
{
	struct str folder = wire->settings->input.schema_dir;
	return folder.data != NULL ? wire_know_folder(wire, arena_cstr(&wire->arena, folder), err) : RC_OK;
}

enum rc wire_open(const struct settings *settings, struct metrics *metrics, struct wire **ret, struct err *err)
{
	struct wire *wire = heap_zalloc(1, sizeof *wire);
	wire->settings = settings;
	if (metrics != NULL)
		wire->replies_refused = metrics_counter(metrics, "pointsman_replies_not_allowed_total", "Requests that named a reply topic which output.reply_topics does not list", NULL);
	arena_init(&wire->arena, 16384);
	enum rc rc = mapping_compile(settings, &wire->arena, &wire->mapping, err);
	if (rc == RC_OK)
		rc = shape_check(&settings->output, err);
	if (rc == RC_OK)
		rc = load_own(wire, err);
	if (rc == RC_OK)
		rc = know_folder(wire, err);
	if (rc == RC_OK)
		rc = open_registry(wire, err);
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
	registry_free(wire->registry);
	free(wire->known);
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
	if (coder == NULL)
		return;
	for (int i = 0; i < WIRE_WRITTEN; i++)
		avro_encoder_free(coder->encoders[i]);
	free(coder);
}

bool wire_wanted(struct wire *wire, int64_t now_us, struct arena *arena, struct wire_want *ret)
{
	(void)arena; /* subject and schema live as long as the room */
	return registry_wanted(wire->registry, now_us, ret);
}

void wire_want_schema(struct wire *wire, uint32_t schema_id, int64_t now_us)
{
	registry_want(wire->registry, schema_id, now_us);
}

enum schema_state wire_schema_state(struct wire *wire, uint32_t schema_id, int64_t now_us)
{
	return registry_state(wire->registry, schema_id, now_us);
}

enum rc wire_ready(struct wire *wire, struct err *err)
{
	return registry_ready(wire->registry, err);
}
