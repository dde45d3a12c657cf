/*
 * encode.c: a finished job -> its outputs.
 *
 * The one idea: encoding cannot fail for its caller. A response over the limit becomes the record's failure and is told
 * without what made it large; an audit over the limit is told in brief; a dead letter's value is cut. What a format cannot
 * write becomes INTERNAL.
 */
#include "worker/wire/room.h"

#include "common/fault.h"
#include "common/hmac.h"
#include "common/json.h"
#include "worker/wire/event.h"
#include "worker/wire/headers.h"
#include "worker/wire/parked.h"
#include "worker/wire/reply.h"

enum { RECORD_OVERHEAD = 128, HEADER_OVERHEAD = 10, REPLY_HEADERS = 1 }; /* what Kafka adds to key, value and headers, generously */
enum { IDENTITY_BYTES = 512 }; /* names and numbers of parked.h */

struct encoding {
	struct wire_coder *coder;
	const struct settings *settings;
	struct job *job;
	const struct wire_facts *facts;
	struct output **tail;
	int format;
	struct reply reply;
	bool is_event; /* the request is a CloudEvent: so are its outputs */
	struct output copied; /* the headers that response, decision and forwarded record share */
	size_t beside_bytes;  /* of a record: key, headers and what Kafka adds */
};

static void tell_record(struct sink *sink, enum own_schema kind, const struct telling *t)
{
	switch (kind) {
	case OWN_RESPONSE: records_response(sink, t); break;
	case OWN_DECISION: records_decision(sink, t); break;
	default:
		sink->open_record(sink, "request");
		records_request(sink, t);
		sink->close(sink);
		sink->open_record(sink, "decision");
		records_decision(sink, t);
		sink->close(sink);
	}
}

static struct str write_json(enum own_schema kind, const struct telling *t, struct arena *arena)
{
	struct buf out;
	struct json_sink json;
	buf_init(&out, arena, kind == OWN_RESPONSE ? 1024 + t->job->call.text.len : 2048);
	json_sink_init(&json, &out);
	json.sink.open_record(&json.sink, NULL);
	tell_record(&json.sink, kind, t);
	json.sink.close(&json.sink);
	arena_shrink(arena, out.data, out.cap, out.len);
	return buf_view(&out);
}

/* What stands before the record; RC_AGAIN when the registry has given no id yet. */
static enum rc write_framing(struct wire_coder *coder, int format, enum own_schema kind, struct buf *out, struct err *err)
{
	if (format == FORMAT_AVRO_SINGLE_OBJECT) {
		buf_add(out, "\xC3\x01", 2);
		for (unsigned i = 0; i < 8; i++)
			buf_char(out, (char)(uint8_t)(coder->wire->own_fingerprint[kind] >> (8 * i)));
		return RC_OK;
	}
	if (!coder->has_output_id[kind])
		coder->has_output_id[kind] = registry_output_id(coder->wire->registry, kind, &coder->output_id[kind]);
	if (!coder->has_output_id[kind])
		return err_set(err, RC_AGAIN, "the schema registry has given no id to this worker's schemas yet");
	buf_char(out, 0);
	for (unsigned i = 0; i < 4; i++)
		buf_char(out, (char)(uint8_t)(coder->output_id[kind] >> (24 - 8 * i)));
	return RC_OK;
}

enum rc wire_write(struct wire_coder *coder, int format, enum own_schema kind, const struct telling *t, struct arena *arena,
                   struct str *ret, struct err *err)
{
	const struct output_settings *settings = &t->settings->output;
	if (format != FORMAT_AVRO_SINGLE_OBJECT && format != FORMAT_AVRO_CONFLUENT) {
		struct str json = write_json(kind, t, arena);
		if (kind == OWN_RESPONSE && settings->fields.count != 0)
			json = shape_response(settings, arena, json);
		*ret = json;
		return json.data != NULL ? RC_OK : err_set(err, RC_BAD_INPUT, "the response could not be given the shape of output.fields");
	}
	struct buf out;
	buf_init(&out, arena, kind == OWN_RESPONSE ? 256 + t->job->call.text.len : 1024);
	enum rc rc = write_framing(coder, format, kind, &out, err);
	if (rc == RC_OK && coder->encoders[kind] == NULL)
		rc = avro_encoder_new(coder->wire->own_text[kind], &coder->encoders[kind], err);
	if (rc != RC_OK)
		return rc;
	tell_record(avro_encoder_begin(coder->encoders[kind], arena), kind, t);
	rc = avro_encoder_end(coder->encoders[kind], &out, err);
	if (rc == RC_OK)
		*ret = buf_view(&out);
	return rc;
}

static struct output *add_output(struct encoding *e, enum output_kind kind, struct str topic, struct str value)
{
	struct output *out = arena_zalloc(&e->job->arena, sizeof *out);
	out->kind = kind;
	out->topic = topic;
	out->key = e->job->rec.key;
	out->value = value;
	out->partition = -1;
	*e->tail = out;
	e->tail = &out->next;
	return out;
}

static struct output *add_with_headers(struct encoding *e, enum output_kind kind, struct str topic, struct str value)
{
	struct output *out = add_output(e, kind, topic, value);
	bool is_json = e->format != FORMAT_AVRO_SINGLE_OBJECT && e->format != FORMAT_AVRO_CONFLUENT;
	bool correlated = kind == OUTPUT_RESPONSE && e->reply.correlation.data != NULL;
	out->headers = e->copied.headers;
	out->header_count = e->copied.header_count;
	if (!e->is_event && !correlated)
		return out;
	out->headers = arena_array(&e->job->arena, (size_t)e->copied.header_count + EVENT_HEADERS + REPLY_HEADERS, sizeof *out->headers);
	if (e->copied.header_count != 0)
		memcpy(out->headers, e->copied.headers, e->copied.header_count * sizeof *out->headers);
	out->header_count += event_headers(e->settings, e->job, kind, is_json, e->facts->now_ms, out->headers + out->header_count);
	if (correlated)
		out->headers[out->header_count++] = (struct header){STR("kafka_correlationId"), e->reply.correlation};
	return out;
}

static void become(struct encoding *e, enum outcome outcome, struct str message)
{
	e->job->outcome = outcome;
	e->job->error = message;
}

static struct telling telling(struct encoding *e, bool brief)
{
	return (struct telling){e->settings, e->job, e->facts, &e->job->arena, e->reply.topic, brief};
}

/* Data NULL when the record is over output.max_bytes. What cannot be written in its format is told in JSON: an odd record
 * that says why is better than none. */
static struct str write_bounded(struct encoding *e, enum own_schema kind, bool brief, size_t *ret_bytes)
{
	struct telling t = telling(e, brief);
	struct err err = {""};
	struct str value;
	if (wire_write(e->coder, e->format, kind, &t, &e->job->arena, &value, &err) != RC_OK) {
		become(e, OUTCOME_INTERNAL, arena_printf(&e->job->arena, "a record could not be written: %.300s", err.text));
		value = write_json(kind, &t, &e->job->arena);
	}
	size_t max = e->settings->output.max_bytes;
	*ret_bytes = value.len;
	return max != 0 && value.len + e->beside_bytes > max ? STR_NULL : value;
}

static void too_large(struct encoding *e, const char *what, size_t bytes)
{
	become(e, OUTCOME_OUTPUT_TOO_LARGE,
	       arena_printf(&e->job->arena, "the %s has %zu bytes; output.max_bytes is %zu", what, bytes, e->settings->output.max_bytes));
}

static void encode_forward(struct encoding *e)
{
	size_t bytes;
	struct str value = write_bounded(e, OWN_FORWARD, false, &bytes);
	if (value.data == NULL)
		too_large(e, "forwarded record", bytes);
	else
		add_with_headers(e, OUTPUT_FORWARD, e->facts->route_topic, value);
}

/* The bytes as they came: what could not carry them whole would be another request. */
static void encode_parked(struct encoding *e)
{
	struct job *job = e->job;
	struct output out = {.header_count = 0};
	parked_headers(e->settings, job, e->facts, &out);
	size_t bytes = job->rec.value.len + job->rec.key.len + headers_bytes(&out) + RECORD_OVERHEAD, max = e->settings->output.max_bytes;
	if (max != 0 && bytes > max) {
		too_large(e, "parked record", bytes);
		return;
	}
	struct output *to = add_output(e, OUTPUT_FORWARD, job->call.park_topic, job->rec.value);
	to->headers = out.headers;
	to->header_count = out.header_count;
}

bool wire_may_park(const struct wire_coder *coder, const struct job *job)
{
	const struct record *rec = &job->rec;
	size_t max = coder->wire->settings->output.max_bytes, headers = 0;
	for (uint32_t i = 0; i < rec->header_count; i++)
		headers += rec->headers[i].name.len + rec->headers[i].value.len + HEADER_OVERHEAD;
	headers += rec->topic.len + job->req.id.len + IDENTITY_BYTES;
	return !job->origin.given && (max == 0 || rec->value.len + rec->key.len + headers + RECORD_OVERHEAD <= max);
}

static void encode_response(struct encoding *e)
{
	size_t bytes;
	struct str value = write_bounded(e, OWN_RESPONSE, false, &bytes);
	if (value.data == NULL) {
		too_large(e, "response", bytes);
		struct telling brief = telling(e, true);
		if (wire_write(e->coder, e->format, OWN_RESPONSE, &brief, &e->job->arena, &value, NULL) != RC_OK)
			value = write_json(OWN_RESPONSE, &brief, &e->job->arena);
	}
	bool elsewhere = e->reply.topic.data != NULL;
	struct output *out = add_with_headers(e, OUTPUT_RESPONSE, elsewhere ? e->reply.topic : e->settings->output.responses, value);
	if (elsewhere)
		out->partition = e->reply.partition;
}

static void encode_decision(struct encoding *e)
{
	size_t bytes;
	struct str value = write_bounded(e, OWN_DECISION, false, &bytes);
	if (value.data == NULL) {
		struct telling brief = telling(e, true);
		if (wire_write(e->coder, e->format, OWN_DECISION, &brief, &e->job->arena, &value, NULL) != RC_OK)
			value = write_json(OWN_DECISION, &brief, &e->job->arena);
	}
	add_with_headers(e, OUTPUT_DECISION, e->settings->output.decisions, value);
}

static void encode_dead_letter(struct encoding *e)
{
	struct job *job = e->job;
	struct output *out = add_output(e, OUTPUT_DEAD_LETTER, e->settings->output.dead_letters, job->rec.value);
	size_t max = e->settings->output.max_bytes, original = job->rec.value.len;
	headers_dead_letter(e->settings, job, original, out);
	size_t beside = headers_bytes(out) + job->rec.key.len + RECORD_OVERHEAD;
	if (max == 0 || original + beside <= max) {
		if (original != 0)
			out->header_count--; /* the last says that the value was cut */
		return;
	}
	out->value.len = max > beside ? max - beside : 0;
}

static void address_reply(struct encoding *e)
{
	e->reply = reply_read(&e->settings->output, &e->job->rec);
	if (e->reply.refused && e->coder->wire->replies_refused != NULL)
		counter_add(e->coder->wire->replies_refused, 1);
	if (e->job->outcome == OUTCOME_OUTPUT_REFUSED) /* perhaps it was this topic that refused it */
		e->reply.topic = STR_NULL;
}

void wire_encode(struct wire_coder *coder, struct job *job, const struct wire_facts *facts)
{
	const struct settings *settings = coder->wire->settings;
	int format = settings->output.format == FORMAT_INPUT ? job->req.format : settings->output.format;
	if (format == FORMAT_AVRO_CONFLUENT && !wire_may_write_confluent(settings))
		format = FORMAT_JSON; /* bytes that look like it, in a worker without a registry */
	struct encoding e = {.coder = coder, .settings = settings, .job = job, .facts = facts, .tail = &job->outputs, .format = format};
	job->outputs = NULL;
	if (job->req.message_count > 0)
		FAULT_POISON("encode", job->rec.value.data, job->rec.value.len);
	address_reply(&e);
	headers_copy(&settings->output, job, &e.copied);
	e.is_event = event_id(&job->rec).data != NULL;
	e.beside_bytes = headers_bytes(&e.copied) + e.reply.correlation.len + (e.is_event ? EVENT_BYTES : 0) + job->rec.key.len + RECORD_OVERHEAD;
	if (job->dec.id[0] == '\0')
		uuid7(facts->now_ms, job->dec.id);
	if (job->outcome == OUTCOME_NONE)
		become(&e, OUTCOME_INTERNAL, STR("the record came to its end without an outcome"));
	if (job->outcome == OUTCOME_FORWARDED)
		encode_forward(&e);
	if (job->outcome == OUTCOME_PARKED)
		encode_parked(&e);
	if (outcome_info(job->outcome)->status != STATUS_NONE)
		encode_response(&e);
	encode_decision(&e);
	if (outcome_info(job->outcome)->dead_letter || (job->outcome == OUTCOME_EXPIRED && settings->output.dead_letter_expired))
		encode_dead_letter(&e);
}
