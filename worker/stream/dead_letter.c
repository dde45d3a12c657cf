/*
 * dead_letter.c: reading, judging and undressing a dead letter.
 *
 * The one idea: of a name that stands there twice the last is meant, as Spring reads it; only the count of earlier redrives is
 * the highest that stands there, so that writing another beside it does not set it back.
 */
#include "worker/stream/dead_letter.h"

enum { MOST_REDRIVES = 1000000 };

/* Binary as Java writes it, or decimal text as other clients do. -1: neither. */
static int64_t number(struct str value, size_t width)
{
	int64_t n = -1;
	if (value.len == width) {
		uint64_t bits = 0;
		for (size_t i = 0; i < width; i++)
			bits = bits << 8 | (uint8_t)value.data[i];
		return bits >> (8 * width - 1) != 0 ? -1 : (int64_t)bits; /* negative: not a place */
	}
	return str_to_i64(value, &n) && n >= 0 && (width == 8 || n <= INT32_MAX) ? n : -1;
}

static uint32_t redrives(struct str value, uint32_t before)
{
	int64_t n;
	if (!str_to_i64(value, &n) || n < 0)
		return before; /* the next time it says a number */
	uint32_t count = n > MOST_REDRIVES ? MOST_REDRIVES : (uint32_t)n;
	return count > before ? count : before;
}

void dead_letter_read(const struct record *rec, struct dead_letter *ret)
{
	*ret = (struct dead_letter){.partition = -1, .offset = -1};
	for (uint32_t i = 0; i < rec->header_count; i++) {
		const struct header *h = &rec->headers[i];
		if (str_is(h->name, "kafka_dlt-original-topic"))
			ret->topic = h->value;
		else if (str_is(h->name, "kafka_dlt-original-partition"))
			ret->partition = (int32_t)number(h->value, 4);
		else if (str_is(h->name, "kafka_dlt-original-offset"))
			ret->offset = number(h->value, 8);
		else if (str_is(h->name, "kafka_dlt-exception-fqcn"))
			ret->class = outcome_by_name(h->value);
		else if (str_is(h->name, "pointsman-redrives"))
			ret->redrives = redrives(h->value, ret->redrives);
		else if (str_is(h->name, "pointsman-truncated"))
			ret->truncated = true;
	}
}

static bool has_header(const struct record *rec, const struct header *wanted)
{
	for (uint32_t i = 0; i < rec->header_count; i++)
		if (str_eq(rec->headers[i].name, wanted->name) && str_eq(rec->headers[i].value, wanted->value))
			return true;
	return false;
}

static bool may_go(const struct dead_letter *letter, const struct dead_letter_rules *rules)
{
	if (rules->to.data != NULL)
		return true;
	for (uint32_t i = 0; i < rules->topic_count && letter->topic.data != NULL; i++)
		if (str_eq(rules->topics[i], letter->topic))
			return true;
	return false;
}

enum dead_letter_verdict dead_letter_judge(const struct dead_letter *letter, const struct record *rec,
                                           const struct dead_letter_filter *filter, const struct dead_letter_rules *rules)
{
	if (!filter->classes[letter->class])
		return LETTER_OTHER_CLASS;
	if (rec->timestamp_ms < filter->since_ms || rec->timestamp_ms >= filter->until_ms)
		return LETTER_OTHER_TIME;
	for (uint32_t i = 0; i < filter->header_count; i++)
		if (!has_header(rec, &filter->headers[i]))
			return LETTER_OTHER_HEADER;
	if (letter->truncated)
		return LETTER_TRUNCATED;
	if (letter->redrives >= rules->max_redrives)
		return LETTER_LOOP;
	return may_go(letter, rules) ? LETTER_GO : LETTER_FOREIGN_TOPIC;
}

/* Said anew, or no longer true of what goes back. */
static bool of_the_letter(struct str name)
{
	return str_starts(name, STR("kafka_dlt-")) || str_is(name, "pointsman-stage") || str_is(name, "pointsman-truncated") ||
	       str_is(name, "pointsman-attempts") || str_is(name, "pointsman-redrives");
}

uint32_t dead_letter_headers(const struct dead_letter *letter, const struct record *rec, struct arena *arena,
                             struct header **ret_headers)
{
	enum { OWN = 2 };
	struct str attempts = STR("0");
	struct header *headers = arena_array(arena, (size_t)rec->header_count + OWN, sizeof *headers);
	uint32_t count = 0;
	headers[count++] = (struct header){STR("pointsman-redrives"), arena_printf(arena, "%u", letter->redrives + 1)}; /* see the header */
	for (uint32_t i = 0; i < rec->header_count; i++) {
		if (str_is(rec->headers[i].name, "pointsman-attempts"))
			attempts = rec->headers[i].value;
		if (!of_the_letter(rec->headers[i].name))
			headers[count++] = rec->headers[i];
	}
	headers[count++] = (struct header){STR("pointsman-attempts"), attempts};
	*ret_headers = headers;
	return count;
}
