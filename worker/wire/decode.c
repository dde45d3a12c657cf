/*
 * decode.c: which format a record is in, and on to its reader.
 *
 * The one idea: the first bytes decide. 00 and four bytes is Confluent's framing, C3 01 and eight bytes Avro's single-object
 * framing, a brace after white space JSON; JSON text cannot begin with either of the first two.
 */
#include "worker/wire/room.h"

#include "common/fault.h"
#include "common/json.h"
#include "worker/wire/avro_read.h"
#include "worker/wire/parked.h"
#include "worker/wire/request.h"

static int detect(struct str value)
{
	if (value.len != 0 && value.data[0] == 0)
		return FORMAT_AVRO_CONFLUENT;
	if (value.len >= 2 && (unsigned char)value.data[0] == 0xC3 && value.data[1] == 1)
		return FORMAT_AVRO_SINGLE_OBJECT;
	for (size_t i = 0; i < value.len; i++) {
		if (value.data[i] == '{')
			return FORMAT_JSON;
		if (value.data[i] != ' ' && value.data[i] != '\t' && value.data[i] != '\r' && value.data[i] != '\n')
			break;
	}
	return FORMAT_AUTO;
}

static enum rc decode_json(struct wire_coder *coder, struct job *job, enum outcome *ret_outcome, struct err *err)
{
	const struct json_limits limits = {.max_depth = WIRE_MAX_DEPTH, .max_nodes = WIRE_MAX_VALUES};
	const struct json *json;
	enum rc rc = json_parse(&job->arena, job->rec.value, limits, &json, err);
	if (rc != RC_OK) {
		*ret_outcome = OUTCOME_BAD_RECORD;
		return err_prefix(err, rc, "not JSON as this worker reads it");
	}
	if (json->kind != JSON_MAP) {
		*ret_outcome = OUTCOME_BAD_RECORD;
		return err_set(err, RC_BAD_INPUT, "the JSON value is not an object");
	}
	struct value root = value_of_json(json);
	return request_fill(&coder->wire->mapping, &root, job, ret_outcome, err);
}

static enum rc decode_avro(struct wire_coder *coder, const struct avro_type *schema, size_t framing, struct job *job,
                           enum outcome *ret_outcome, struct err *err)
{
	struct str bytes = {job->rec.value.data + framing, job->rec.value.len - framing};
	struct value root;
	if (schema->kind != KIND_RECORD && schema->kind != KIND_MAP) {
		*ret_outcome = OUTCOME_BAD_SCHEMA;
		return err_set(err, RC_BAD_INPUT, "the schema is neither a record nor a map: no field can be named in it");
	}
	enum rc rc = avro_read(&job->arena, schema, coder->wire->mapping.wanted, bytes, &root, err);
	if (rc != RC_OK) {
		*ret_outcome = OUTCOME_BAD_RECORD;
		return err_prefix(err, rc, "not what its Avro schema says");
	}
	return request_fill(&coder->wire->mapping, &root, job, ret_outcome, err);
}

static enum rc decode_single_object(struct wire_coder *coder, struct job *job, enum outcome *ret_outcome, struct err *err)
{
	const struct wire *wire = coder->wire;
	struct str value = job->rec.value;
	uint64_t fingerprint = 0;
	if (value.len < 10 || (unsigned char)value.data[0] != 0xC3 || value.data[1] != 1)
		return err_set(err, RC_BAD_INPUT, "the value does not begin with C3 01 and a fingerprint (Avro single-object encoding)");
	for (unsigned i = 0; i < 8; i++)
		fingerprint |= (uint64_t)(uint8_t)value.data[2 + i] << (8 * i);
	for (uint32_t i = 0; i < wire->known_count; i++)
		if (wire->known[i].fingerprint == fingerprint)
			return decode_avro(coder, wire->known[i].root, 10, job, ret_outcome, err);
	*ret_outcome = OUTCOME_BAD_SCHEMA;
	return err_set(err, RC_BAD_INPUT, "no schema with the fingerprint %016llx is known; put its .avsc into input.schema_dir",
	               (unsigned long long)fingerprint);
}

static enum rc decode_confluent(struct wire_coder *coder, struct job *job, enum outcome *ret_outcome, struct err *err)
{
	struct wire *wire = coder->wire;
	struct str value = job->rec.value;
	if (value.len < 5 || value.data[0] != 0)
		return err_set(err, RC_BAD_INPUT, "the value does not begin with 00 and a schema id (Confluent's framing)");
	uint32_t id = 0;
	for (unsigned i = 1; i <= 4; i++)
		id = id << 8 | (uint8_t)value.data[i];
	job->schema_id = id;
	if (coder->last_schema == NULL || coder->last_id != id) {
		const struct avro_type *schema = NULL;
		enum schema_state state = wire->settings->registry.url.data == NULL ? SCHEMA_MISSING : registry_find(wire->registry, id, &schema);
		if (state == SCHEMA_UNKNOWN)
			return err_set(err, RC_AGAIN, "schema %u is not known yet", id);
		if (state == SCHEMA_MISSING) {
			*ret_outcome = OUTCOME_BAD_SCHEMA;
			return err_set(err, RC_BAD_INPUT, wire->settings->registry.url.data == NULL
			                                      ? "the record names schema %u of a registry, but registry.url is not set"
			                                      : "the registry has no Avro schema %u that can be read", id);
		}
		coder->last_id = id;
		coder->last_schema = schema;
	}
	return decode_avro(coder, coder->last_schema, 5, job, ret_outcome, err);
}

enum rc wire_decode(struct wire_coder *coder, struct job *job, enum outcome *ret_outcome, struct err *err)
{
	const struct input_settings *in = &coder->wire->settings->input;
	struct str value = job->rec.value;
	int format = in->format == FORMAT_AUTO ? detect(value) : in->format;
	job->req.format = (uint8_t)(format == FORMAT_AUTO ? FORMAT_JSON : format);
	parked_read(coder->wire->settings, job);
	request_begin(job);
	FAULT_POISON("decode", value.data, value.len);
	if (in->max_bytes != 0 && value.len > in->max_bytes) {
		*ret_outcome = OUTCOME_TOO_LARGE;
		return err_set(err, RC_BAD_INPUT, "the value has %zu bytes; input.max_bytes is %zu", value.len, in->max_bytes);
	}
	*ret_outcome = OUTCOME_BAD_RECORD;
	if (value.len == 0)
		return err_set(err, RC_BAD_INPUT, value.data == NULL ? "the value is null" : "the value is empty");
	switch (format) {
	case FORMAT_JSON: return decode_json(coder, job, ret_outcome, err);
	case FORMAT_AVRO_SINGLE_OBJECT: return decode_single_object(coder, job, ret_outcome, err);
	case FORMAT_AVRO_CONFLUENT: return decode_confluent(coder, job, ret_outcome, err);
	default:
		return err_set(err, RC_BAD_INPUT, "the value is neither Avro (it begins with neither 00 nor C3 01) nor a JSON object");
	}
}

enum rc wire_decode_nothing(struct wire_coder *coder, struct job *job)
{
	int format = coder->wire->settings->input.format;
	job->req.format = (uint8_t)(format == FORMAT_AUTO ? FORMAT_JSON : format);
	parked_read(coder->wire->settings, job);
	request_begin(job);
	return RC_OK;
}
