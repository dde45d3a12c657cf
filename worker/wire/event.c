/*
 * event.c: an output of an event is an event.
 *
 * The one idea: id and source of a CloudEvent name that event and no other, so copying them to a response and a decision would
 * make three events that claim to be one, and every consumer that drops repeats would drop two of them. Each output has an id
 * of its own and names the request as its cause, by the attributes of the Correlation extension (correlationid,
 * causationid). The other attributes of the request (subject, extensions) are copied like its headers.
 */
#include "worker/wire/event.h"

#include <time.h>

enum { MAX_ID_BYTES = 256 };

static struct str attribute_of(const struct record *rec, const char *name)
{
	for (uint32_t i = rec->header_count; i-- > 0;)
		if (str_is(rec->headers[i].name, name))
			return rec->headers[i].value;
	return STR_NULL;
}

static bool is_name(struct str s)
{
	return s.len != 0 && s.len <= MAX_ID_BYTES && str_utf8_valid(s) && memchr(s.data, '\0', s.len) == NULL;
}

struct str event_id(const struct record *rec)
{
	struct str id = rec->header_count != 0 ? attribute_of(rec, "ce_id") : STR_NULL;
	return is_name(id) && attribute_of(rec, "ce_specversion").len != 0 ? id : STR_NULL;
}

bool event_retells(const struct record *rec, struct str name)
{
	static const char *const told[] = {"ce_id", "ce_source", "ce_type", "ce_time", "ce_specversion", "ce_dataschema",
	                                   "ce_correlationid", "ce_causationid", "content-type"};
	for (size_t i = 0; i < sizeof told / sizeof told[0]; i++)
		if (str_is(name, told[i]))
			return event_id(rec).data != NULL;
	return false;
}

static struct str timestamp(struct arena *arena, int64_t ms)
{
	time_t seconds = (time_t)(ms / 1000);
	struct tm tm;
	if (gmtime_r(&seconds, &tm) == NULL)
		return STR_NULL;
	return arena_printf(arena, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour,
	                    tm.tm_min, tm.tm_sec, (int)(ms % 1000));
}

uint32_t event_headers(const struct settings *settings, struct job *job, enum output_kind kind, bool is_json, int64_t now_ms,
                       struct header *headers)
{
	static const char *const kinds[OUTPUT_KINDS] = {"response", "decision", "dead_letter", "forward", "sample"};
	struct arena *arena = &job->arena;
	struct str cause = event_id(&job->rec), earlier = attribute_of(&job->rec, "ce_correlationid");
	if (cause.data == NULL)
		return 0;
	uint32_t n = 0;
	headers[n++] = (struct header){STR("ce_specversion"), STR("1.0")};
	headers[n++] = (struct header){STR("ce_id"), arena_printf(arena, "%s-%s", job->dec.id, kinds[kind])};
	headers[n++] = (struct header){STR("ce_source"), arena_printf(arena, "/pointsman/%.*s", STR_ARG(settings->kafka.group))};
	headers[n++] = (struct header){STR("ce_type"), arena_printf(arena, "pointsman.%s.v1", kinds[kind])};
	headers[n++] = (struct header){STR("ce_time"), timestamp(arena, now_ms)};
	headers[n++] = (struct header){STR("ce_correlationid"), is_name(earlier) ? earlier : cause};
	headers[n++] = (struct header){STR("ce_causationid"), cause};
	headers[n++] = (struct header){STR("content-type"), is_json ? STR("application/json") : STR("application/avro")};
	return n;
}
