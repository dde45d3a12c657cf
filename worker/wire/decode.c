/*
 * decode.c: which format a record is in, and on to its reader.
 *
 * The one idea: the first bytes decide. 00 and four bytes is Confluent's framing, C3 01 and eight bytes Avro's single-object
 * framing, a brace after white space JSON; JSON text cannot begin with either of the first two.
 */
#include "worker/wire/room.h"

#include "common/json.h"
#include "worker/wire/request.h"

static int detect(struct str value)
{
	if (value.len >= 5 && value.data[0] == 0)
		return FORMAT_AVRO_CONFLUENT;
	if (value.len >= 10 && (unsigned char)value.data[0] == 0xC3 && value.data[1] == 1)
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

enum rc wire_decode(struct wire_coder *coder, struct job *job, enum outcome *ret_outcome, struct err *err)
{
	const struct input_settings *in = &coder->wire->settings->input;
	struct str value = job->rec.value;
	int format = in->format == FORMAT_AUTO ? detect(value) : in->format;
	job->req.format = (uint8_t)(format == FORMAT_AUTO ? FORMAT_JSON : format);
	request_begin(job);
	if (in->max_bytes != 0 && value.len > in->max_bytes) {
		*ret_outcome = OUTCOME_TOO_LARGE;
		return err_set(err, RC_BAD_INPUT, "the value has %zu bytes; input.max_bytes is %zu", value.len, in->max_bytes);
	}
	*ret_outcome = OUTCOME_BAD_RECORD;
	if (value.len == 0)
		return err_set(err, RC_BAD_INPUT, value.data == NULL ? "the value is null" : "the value is empty");
	switch (format) {
	case FORMAT_JSON: return decode_json(coder, job, ret_outcome, err);
	default:
		return err_set(err, RC_BAD_INPUT, "the value is neither Avro (it begins with neither 00 nor C3 01) nor a JSON object");
	}
}
