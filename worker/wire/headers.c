/*
 * headers.c: which headers an output carries.
 *
 * The one idea: a header is the sender's to choose, so what is copied is chosen by an allow list and bounded in number and
 * bytes. Dead letters follow Spring Kafka's DeadLetterPublishingRecoverer (names in its KafkaHeaders), whose numbers are
 * big-endian, so that tools written for it read ours.
 */
#include "worker/wire/headers.h"

#include "worker/wire/event.h"
#include "worker/wire/parked.h"

static bool allowed(const struct output_settings *settings, struct str name)
{
	if (str_is(name, "traceparent") || str_is(name, "tracestate") || str_starts(name, STR("ce_")))
		return true;
	for (uint32_t i = 0; i < settings->header_allow.count; i++)
		if (str_is(settings->header_allow.items[i], "*") || str_eq(settings->header_allow.items[i], name))
			return true;
	return false;
}

/* Left by a dead letter that was sent back to its topic: a new failure tells its own. */
static bool of_dead_letter(struct str name)
{
	return str_starts(name, STR("kafka_dlt-")) || str_is(name, "pointsman-stage") || str_is(name, "pointsman-truncated") ||
	       str_is(name, "pointsman-attempts");
}

enum { REDRIVES_MAX_BYTES = 20 };

/* How often a redrive has sent the record back. It must survive whatever else the record carries, or nothing would end the
 * round of a record that fails each time: it goes first, outside the bounds of what is copied. */
static struct str redrives_of(const struct record *rec)
{
	for (uint32_t i = rec->header_count; i-- > 0;)
		if (str_is(rec->headers[i].name, "pointsman-redrives") && rec->headers[i].value.len <= REDRIVES_MAX_BYTES)
			return rec->headers[i].value;
	return STR_NULL;
}

size_t headers_bytes(const struct output *out)
{
	size_t bytes = 0;
	for (uint32_t i = 0; i < out->header_count; i++)
		bytes += out->headers[i].name.len + out->headers[i].value.len + 10; /* two lengths of at most five bytes */
	return bytes;
}

static void add(struct output *out, struct str name, struct str value)
{
	out->headers[out->header_count++] = (struct header){name, value};
}

void headers_copy(const struct output_settings *settings, struct job *job, struct output *out)
{
	const struct record *rec = &job->rec;
	bool traced = false;
	size_t bytes = 0;
	if (rec->header_count == 0 && job->req.traceparent.data == NULL)
		return;
	uint32_t room = rec->header_count < HEADERS_MAX ? rec->header_count : HEADERS_MAX;
	out->headers = arena_array(&job->arena, (size_t)room + 1, sizeof *out->headers);
	for (uint32_t i = 0; i < rec->header_count && out->header_count < room; i++) {
		const struct header *h = &rec->headers[i];
		if (!allowed(settings, h->name) || parked_is_header(h->name) || event_retells(rec, h->name) || bytes + h->name.len + h->value.len > HEADERS_MAX_BYTES)
			continue;
		traced |= str_is(h->name, "traceparent");
		bytes += h->name.len + h->value.len;
		add(out, h->name, h->value);
	}
	if (!traced && job->req.traceparent.data != NULL)
		add(out, STR("traceparent"), job->req.traceparent);
}

static struct str big_endian(struct arena *arena, int64_t n, unsigned bytes)
{
	char *p = arena_alloc(arena, bytes);
	for (unsigned i = 0; i < bytes; i++)
		p[i] = (char)(uint8_t)((uint64_t)n >> (8 * (bytes - 1 - i)));
	return (struct str){p, bytes};
}

/* Where on its road the record failed. */
static struct str failed_stage(const struct job *job)
{
	if (job->decoded_us == 0)
		return STR("decode");
	if (job->decided_us == 0)
		return STR("decide");
	return job->answered_us == 0 ? STR("call") : STR("output");
}

void headers_dead_letter(const struct settings *settings, struct job *job, size_t original_bytes, struct output *out)
{
	static const struct str types[] = {{"NoTimestampType", 15}, {"CreateTime", 10}, {"LogAppendTime", 13}};
	enum { OWN = 12 };
	struct arena *arena = &job->arena;
	const struct record *rec = &job->rec;
	const struct outcome_info *info = outcome_info(job->outcome);
	const struct origin *first = &job->origin; /* a parked record goes back to where it came from first */
	bool was_parked = first->topic.data != NULL;
	uint32_t room = rec->header_count < HEADERS_MAX ? rec->header_count : HEADERS_MAX;
	size_t bytes = 0;
	out->headers = arena_array(arena, (size_t)room + OWN, sizeof *out->headers);
	struct str redrives = redrives_of(rec);
	if (redrives.data != NULL)
		add(out, STR("pointsman-redrives"), redrives);
	for (uint32_t i = 0, copied = 0; i < rec->header_count && copied < room; i++) {
		const struct header *h = &rec->headers[i];
		if (of_dead_letter(h->name) || parked_is_header(h->name) || str_is(h->name, "pointsman-redrives") ||
		    bytes + h->name.len + h->value.len > HEADERS_MAX_BYTES)
			continue;
		bytes += h->name.len + h->value.len;
		add(out, h->name, h->value);
		copied++;
	}
	struct str message = job->error.data != NULL ? job->error : str_of(info->doc);
	message.len = str_utf8_cut(message, 512);
	add(out, STR("kafka_dlt-original-topic"), was_parked ? first->topic : rec->topic.data != NULL ? rec->topic : STR(""));
	add(out, STR("kafka_dlt-original-partition"), big_endian(arena, was_parked ? first->partition : rec->partition, 4));
	add(out, STR("kafka_dlt-original-offset"), big_endian(arena, was_parked ? first->offset : rec->offset, 8));
	add(out, STR("kafka_dlt-original-timestamp"), big_endian(arena, rec->timestamp_ms, 8));
	add(out, STR("kafka_dlt-original-timestamp-type"), types[rec->timestamp_type <= 2 ? rec->timestamp_type : 0]);
	if (settings->kafka.group.data != NULL)
		add(out, STR("kafka_dlt-original-consumer-group"), settings->kafka.group);
	add(out, STR("kafka_dlt-exception-fqcn"), str_of(info->name));
	add(out, STR("kafka_dlt-exception-message"), message);
	add(out, STR("pointsman-stage"), failed_stage(job));
	add(out, STR("pointsman-attempts"), arena_printf(arena, "%u", job->call.attempt_count));
	if (original_bytes != 0)
		add(out, STR("pointsman-truncated"), arena_printf(arena, "%zu", original_bytes));
}
