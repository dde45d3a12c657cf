/*
 * read_back.c: the reader of our own records.
 *
 * The one idea: the bounded readers of the input, by the schema a record was written with; nothing of the code that wrote it.
 */
#include "worker/wire/read_back.h"

#include "common/json.h"
#include "worker/wire/avro_read.h"
#include "worker/wire/room.h"

static enum rc find_single(const struct wire *wire, struct str value, const struct avro_type **ret, struct err *err)
{
	uint64_t fingerprint = 0;
	for (unsigned i = 0; i < 8; i++)
		fingerprint |= (uint64_t)(uint8_t)value.data[2 + i] << (8 * i);
	for (uint32_t i = 0; i < wire->known_count; i++) {
		if (wire->known[i].fingerprint != fingerprint)
			continue;
		*ret = wire->known[i].root;
		return RC_OK;
	}
	return err_set(err, RC_BAD_INPUT, "no schema with the fingerprint %016llx is known; put its .avsc into input.schema_dir",
	               (unsigned long long)fingerprint);
}

static uint32_t registered_id(struct str value)
{
	uint32_t id = 0;
	for (unsigned i = 1; i <= 4; i++)
		id = id << 8 | (uint8_t)value.data[i];
	return id;
}

static enum rc find_registered(const struct wire *wire, struct str value, const struct avro_type **ret, struct err *err)
{
	uint32_t id = registered_id(value);
	if (wire->settings->registry.url.data == NULL)
		return err_set(err, RC_BAD_INPUT, "it names schema %u of a registry, but registry.url is not set", id);
	switch (registry_find(wire->registry, id, ret)) {
	case SCHEMA_KNOWN: return RC_OK;
	case SCHEMA_UNKNOWN: return err_set(err, RC_AGAIN, "schema %u is not known yet", id);
	default: return err_set(err, RC_BAD_INPUT, "the registry has no Avro schema %u that can be read", id);
	}
}

static enum rc read_any(struct wire_coder *coder, struct arena *arena, const struct wanted *wanted, struct str value, struct value *ret,
                        struct err *err)
{
	const struct avro_type *schema = NULL;
	size_t framing = 0;
	enum rc rc;
	if (value.len >= 10 && (uint8_t)value.data[0] == 0xC3 && value.data[1] == 1) {
		framing = 10;
		rc = find_single(coder->wire, value, &schema, err);
	} else if (value.len >= 5 && value.data[0] == 0) {
		framing = 5;
		rc = find_registered(coder->wire, value, &schema, err);
	} else {
		const struct json *json;
		rc = json_parse(arena, value, (struct json_limits){.max_depth = WIRE_MAX_DEPTH, .max_nodes = WIRE_MAX_VALUES}, &json, err);
		if (rc == RC_OK)
			*ret = value_of_json(json);
		return rc;
	}
	if (rc == RC_OK)
		rc = avro_read(arena, schema, wanted, (struct str){value.data + framing, value.len - framing}, ret, err);
	return rc;
}

static bool text_at(const struct value *root, const char *path, struct arena *arena, struct str *ret)
{
	struct value v = value_path(root, str_of(path));
	return v.kind == VALUE_TEXT && value_text(&v, arena, ret);
}

static bool whole_at(const struct value *root, const char *path, int64_t *ret)
{
	struct value v = value_path(root, str_of(path));
	return value_i64(&v, ret);
}

static struct str who_parked(const struct value *attempts, struct arena *arena)
{
	struct str outcome, model;
	for (uint32_t i = 0; attempts->kind == VALUE_LIST && i < attempts->count; i++) {
		struct value attempt = value_item(attempts, i);
		if (text_at(&attempt, "outcome", arena, &outcome) && str_is(outcome, outcome_info(OUTCOME_PARKED)->name) &&
		    text_at(&attempt, "model", arena, &model))
			return model;
	}
	return STR_NULL;
}

static enum rc read_decision(const struct value *v, struct arena *arena, struct read_decision *ret, struct err *err)
{
	static const char *const places[2][3] = {{"source.topic", "source.partition", "source.offset"},
	                                         {"parked_from.topic", "parked_from.partition", "parked_from.offset"}};
	struct read_decision d = {0};
	/* one that was answered from a park topic is about the record that was parked */
	bool parked = value_path(v, STR("parked_from")).kind == VALUE_MAP;
	const char *const *at = places[parked];
	if (!text_at(v, "decision_id", arena, &d.decision_id) || !text_at(v, "outcome", arena, &d.outcome) ||
	    !text_at(v, at[0], arena, &d.source_topic) || !whole_at(v, at[1], &d.source_partition) || !whole_at(v, at[2], &d.source_offset))
		return err_set(err, RC_BAD_INPUT, "it has not the fields of a decision record (decision_id, outcome, source)");
	struct value attempts = value_path(v, STR("attempts")), redelivered = value_path(v, STR("redelivered"));
	if (!text_at(v, "route", arena, &d.route))
		d.route = STR_NULL;
	d.attempts = attempts.kind == VALUE_LIST ? attempts.count : 0;
	d.parked_by = who_parked(&attempts, arena);
	d.was_parked = parked;
	d.redelivered = redelivered.kind == VALUE_BOOL && redelivered.whole != 0;
	*ret = d;
	return RC_OK;
}

enum rc read_back_decision(struct wire_coder *coder, struct arena *arena, struct str value, struct read_decision *ret, struct err *err)
{
	static const char *const names[] = {"decision_id", "outcome", "route", "source", "parked_from", "attempts", "redelivered"};
	enum { NAMES = sizeof names / sizeof names[0] };
	struct wanted all[NAMES], root = {.child = all};
	for (int i = 0; i < NAMES; i++)
		all[i] = (struct wanted){.name = str_of(names[i]), .whole = true, .next = i + 1 < NAMES ? &all[i + 1] : NULL};
	struct value v;
	enum rc rc = read_any(coder, arena, &root, value, &v, err);
	return rc == RC_OK ? read_decision(&v, arena, ret, err) : rc;
}

enum rc read_back_forward(struct wire_coder *coder, struct arena *arena, struct str value, struct read_decision *ret, struct err *err)
{
	struct wanted decision = {.name = STR("decision"), .whole = true}, root = {.child = &decision};
	struct value v;
	enum rc rc = read_any(coder, arena, &root, value, &v, err);
	if (rc != RC_OK)
		return rc;
	v = value_path(&v, STR("decision"));
	return read_decision(&v, arena, ret, err);
}

/* What output.fields calls that field of ours; data NULL when it leaves it out. */
static struct str shaped_name(const struct output_settings *settings, const char *name)
{
	if (settings->fields.count == 0)
		return str_of(name);
	for (uint32_t i = 0; i < settings->fields.count; i++)
		if (str_is(settings->fields.items[i].value, name))
			return settings->fields.items[i].name;
	return STR_NULL;
}

bool read_back_can_match(const struct output_settings *settings)
{
	return shaped_name(settings, "decision_id").data != NULL;
}

/* Our own name where it stands, else the name in the user's shape. */
static bool member_text(const struct value *root, const struct output_settings *settings, const char *name, struct arena *arena,
                        struct str *ret)
{
	struct str shaped = shaped_name(settings, name);
	struct value v = shaped.data != NULL ? value_get(root, shaped) : (struct value){.kind = VALUE_ABSENT};
	if (v.kind != VALUE_TEXT)
		v = value_get(root, str_of(name));
	return v.kind == VALUE_TEXT && value_text(&v, arena, ret);
}

enum rc read_back_response(struct wire_coder *coder, struct arena *arena, struct str value, struct read_response *ret, struct err *err)
{
	struct wanted status = {.name = STR("status"), .whole = true}, id = {.name = STR("decision_id"), .whole = true, .next = &status};
	struct wanted root = {.child = &id};
	const struct output_settings *settings = &coder->wire->settings->output;
	struct value v;
	struct read_response r = {0};
	enum rc rc = read_any(coder, arena, &root, value, &v, err);
	if (rc != RC_OK)
		return rc;
	if (v.kind != VALUE_MAP)
		return err_set(err, RC_BAD_INPUT, "it is no object");
	bool matched = member_text(&v, settings, "decision_id", arena, &r.decision_id);
	bool told = member_text(&v, settings, "status", arena, &r.status);
	if (settings->fields.count == 0 && (!matched || !told))
		return err_set(err, RC_BAD_INPUT, "it has not the fields of a response (decision_id, status)");
	*ret = r;
	return RC_OK;
}

enum rc read_back_schema(struct wire_coder *coder, struct http *http, struct str value, int64_t now_us, struct err *err)
{
	struct wire_want want = {.schema_id = registered_id(value)};
	wire_want_schema(coder->wire, want.schema_id, now_us);
	return wire_fetch(coder->wire, http, &want, now_us, err);
}
