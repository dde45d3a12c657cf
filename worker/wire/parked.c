/*
 * parked.c: writing and reading the identity of a parked record.
 *
 * The one idea: a parked record is the same request in another place. Its bytes are the original's; what the place would
 * change (its id, its deadline, since when it waits) travels in headers. A header that is damaged is as if it were not there;
 * the record is answered all the same.
 */
#include "worker/wire/parked.h"

#include "worker/wire/headers.h"
#include "worker/wire/request.h"

static const struct str names[] = {
	{"pointsman-parked", 16}, {"pointsman-id", 12}, {"pointsman-deadline", 18}, {"pointsman-fetched-at", 20},
	{"pointsman-attempts", 18}, {"pointsman-source", 16},
};
enum { PARKED, ID, DEADLINE, FETCHED_AT, ATTEMPTS, SOURCE, NAMES };
enum { PARKED_MAX_TOPIC = 249, PARKED_MAX_ID = PARKED_MAX_TOPIC + 36 }; /* Kafka's bound; an id may be made of topic, partition, offset */
#define PARKED_MAX_MS INT64_C(253402300799999) /* the year 9999 */
_Static_assert((int)PARKED_MAX_ID >= (int)REQUEST_MAX_ID_BYTES, "whatever id a record can have");
_Static_assert(sizeof names / sizeof names[0] == NAMES, "one name each");

bool parked_is_header(struct str name)
{
	for (unsigned i = 0; i < NAMES; i++)
		if (str_eq(name, names[i]))
			return true;
	return false;
}

/* The last of that name; data NULL: none. */
static struct str value_of(const struct record *rec, unsigned which)
{
	for (uint32_t i = rec->header_count; i-- > 0;)
		if (str_eq(rec->headers[i].name, names[which]))
			return rec->headers[i].value;
	return STR_NULL;
}

/* From 0 to max; 0 where it is no such number. */
static int64_t number_of(struct str text, int64_t max)
{
	int64_t n = 0;
	return text.len != 0 && str_to_i64(text, &n) && n >= 0 && n <= max ? n : 0;
}

/* A topic's name holds no slash. */
bool parked_source(struct str text, struct origin *ret)
{
	const char *first = text.len != 0 ? memchr(text.data, '/', text.len) : NULL;
	if (first == NULL || first == text.data || !str_utf8_valid(text))
		return false;
	struct str topic = {text.data, (size_t)(first - text.data)}, rest = {first + 1, text.len - topic.len - 1};
	const char *second = rest.len != 0 ? memchr(rest.data, '/', rest.len) : NULL;
	if (second == NULL || topic.len > PARKED_MAX_TOPIC)
		return false;
	struct str partition = {rest.data, (size_t)(second - rest.data)}, offset = {second + 1, rest.len - partition.len - 1};
	int64_t p, o;
	if (!str_to_i64(partition, &p) || p < 0 || p > INT32_MAX || !str_to_i64(offset, &o) || o < 0)
		return false;
	ret->topic = topic;
	ret->partition = (int32_t)p;
	ret->offset = o;
	return true;
}

void parked_read(const struct settings *settings, struct job *job)
{
	const struct record *rec = &job->rec;
	job->origin = (struct origin){.given = false};
	if (rec->header_count == 0 || !settings_is_park_topic(settings, rec->topic) || !str_is(value_of(rec, PARKED), "1"))
		return;
	struct origin *origin = &job->origin;
	struct str id = value_of(rec, ID);
	origin->given = true;
	if (id.len != 0 && id.len <= PARKED_MAX_ID && str_utf8_valid(id) && memchr(id.data, '\0', id.len) == NULL)
		origin->id = id;
	origin->deadline_ms = number_of(value_of(rec, DEADLINE), PARKED_MAX_MS);
	origin->fetched_at_ms = number_of(value_of(rec, FETCHED_AT), PARKED_MAX_MS);
	origin->attempts = (uint32_t)number_of(value_of(rec, ATTEMPTS), 1000);
	(void)parked_source(value_of(rec, SOURCE), origin); /* damaged is as if it were not there */
}

static void add(struct output *out, unsigned which, struct str value)
{
	out->headers[out->header_count++] = (struct header){names[which], value};
}

void parked_headers(const struct settings *settings, struct job *job, const struct wire_facts *facts, struct output *out)
{
	struct arena *arena = &job->arena;
	const struct record *rec = &job->rec;
	uint32_t room = rec->header_count < HEADERS_MAX ? rec->header_count : HEADERS_MAX, all = settings->engine.attempts;
	size_t bytes = 0;
	out->headers = arena_array(arena, (size_t)room + NAMES, sizeof *out->headers);
	for (uint32_t i = 0; i < rec->header_count && out->header_count < room; i++) {
		const struct header *h = &rec->headers[i];
		if (parked_is_header(h->name) || bytes + h->name.len + h->value.len > HEADERS_MAX_BYTES)
			continue;
		bytes += h->name.len + h->value.len;
		out->headers[out->header_count++] = *h;
	}
	add(out, PARKED, STR("1"));
	add(out, ID, job->req.id);
	if (job->deadline_us != 0)
		add(out, DEADLINE, arena_printf(arena, "%lld", (long long)(facts->now_ms + (job->deadline_us - facts->now_us) / 1000)));
	add(out, FETCHED_AT, arena_printf(arena, "%lld", (long long)(facts->now_ms - (facts->now_us - job->fetched_us) / 1000)));
	add(out, ATTEMPTS, arena_printf(arena, "%u", all > job->call.attempts_left ? all - job->call.attempts_left : 0));
	add(out, SOURCE, arena_printf(arena, "%.*s/%d/%lld", STR_ARG(rec->topic), rec->partition, (long long)rec->offset));
}
