/*
 * audit_take.c: what each record of the outputs says of the input record that it is about.
 */
#include "worker/cli/audit_take.h"

#include <inttypes.h>

#include "common/clock.h"
#include "worker/wire/parked.h"

static void unreadable(struct audit_books *b, const struct span_record *record, const char *why)
{
	const struct span_part *part = span_part(b->outputs, record->part);
	b->unreadable++;
	if (b->unreadable_told < AUDIT_TOLD)
		(void)snprintf(b->unreadables[b->unreadable_told++], AUDIT_TELL_BYTES, "%s-%d@%" PRId64 ": %s", part->topic,
		               (int)part->partition, record->offset, why); /* cut is fine: for a person */
}

/* Reading it failed for want of a schema, and now that is here. */
static bool brought_schema(struct audit_taker *t, const struct span_record *record, enum rc *rc, struct err *why)
{
	if (*rc != RC_AGAIN)
		return false;
	*rc = read_back_schema(t->coder, t->http, record->value, clock_mono_us(), why);
	return *rc == RC_OK;
}

static enum status status_by_name(struct str name)
{
	for (int i = STATUS_OK; i <= STATUS_REJECTED; i++)
		if (str_is(name, status_name((enum status)i)))
			return (enum status)i;
	return STATUS_NONE;
}

/* Forwarded or parked to a topic that is not read here. */
static bool is_unread(const struct audit_taker *t, unsigned outcome, const struct read_decision *d)
{
	const struct settings *s = t->books->settings;
	for (uint32_t i = 0; outcome == OUTCOME_FORWARDED && i < policy_route_count(t->policy); i++)
		if (str_eq(policy_route(t->policy, i)->name, d->route))
			return t->unread_routes[i];
	for (uint32_t i = 0; outcome == LEDGER_PARKED && i < s->model_count; i++)
		if (str_eq(s->models[i].name, d->parked_by))
			return t->unread_models[i];
	return outcome == OUTCOME_FORWARDED || outcome == LEDGER_PARKED;
}

static bool take_decision(struct audit_taker *t, const struct span_record *record, struct ledger_place place)
{
	struct audit_books *b = t->books;
	struct read_decision d;
	struct err why;
	enum rc rc = read_back_decision(t->coder, &t->arena, record->value, &d, &why);
	if (brought_schema(t, record, &rc, &why))
		rc = read_back_decision(t->coder, &t->arena, record->value, &d, &why);
	if (rc == RC_UNAVAILABLE) {
		*t->err = why;
		return false;
	}
	unsigned outcome = rc == RC_OK ? outcome_by_name(d.outcome) : OUTCOME_NONE;
	if (outcome == OUTCOME_PARKED)
		outcome = LEDGER_PARKED;
	if (rc == RC_OK && outcome == OUTCOME_NONE)
		rc = err_set(&why, RC_BAD_INPUT, "outcome \"%.*s\" is not known to this version", STR_ARG(d.outcome));
	if (rc != RC_OK) {
		unreadable(b, record, why.text);
		return true;
	}
	struct ledger_decided decided = {.source = ledger_find(b->ledger, d.source_topic, d.source_partition), .offset = d.source_offset,
	                                 .key = d.was_parked ? STR_NULL : record->key, .id = d.decision_id, .outcome = outcome,
	                                 .unread = is_unread(t, outcome, &d), .place = place, .time_ms = record->timestamp_ms};
	b->model_calls += d.attempts;
	b->redelivered += d.redelivered;
	b->unread_forwards += decided.unread && decided.source != LEDGER_NO_SOURCE;
	ledger_decision(b->ledger, &decided);
	return true;
}

static bool take_response(struct audit_taker *t, const struct span_record *record, struct ledger_place place, bool shared)
{
	struct read_response d;
	struct err why;
	enum rc rc = read_back_response(t->coder, &t->arena, record->value, &d, &why);
	if (brought_schema(t, record, &rc, &why))
		rc = read_back_response(t->coder, &t->arena, record->value, &d, &why);
	if (rc == RC_UNAVAILABLE) {
		*t->err = why;
		return false;
	}
	if (rc != RC_OK && !shared)
		unreadable(t->books, record, why.text);
	if (rc == RC_OK && d.decision_id.data != NULL)
		ledger_response(t->books->ledger, d.decision_id, status_by_name(d.status), shared, place, record->timestamp_ms);
	return true;
}

/* A route's topic may be anybody's: a record that is none of ours says nothing. */
static bool take_routed(struct audit_taker *t, const struct span_record *record, struct ledger_place place)
{
	struct read_decision d;
	struct err why;
	enum rc rc = read_back_forward(t->coder, &t->arena, record->value, &d, &why);
	if (brought_schema(t, record, &rc, &why))
		rc = read_back_forward(t->coder, &t->arena, record->value, &d, &why);
	if (rc == RC_UNAVAILABLE) {
		*t->err = why;
		return false;
	}
	uint32_t source = rc == RC_OK ? ledger_find(t->books->ledger, d.source_topic, d.source_partition) : LEDGER_NO_SOURCE;
	if (source == LEDGER_NO_SOURCE)
		t->books->foreign_forwards++;
	else
		ledger_companion(t->books->ledger, LEDGER_ROUTED, source, d.source_offset, d.decision_id, place);
	return true;
}

static bool take_parked(struct audit_taker *t, const struct span_record *record, struct ledger_place place)
{
	struct origin origin;
	uint32_t source = LEDGER_NO_SOURCE;
	if (parked_source(span_header(record, "pointsman-source"), &origin))
		source = ledger_find(t->books->ledger, origin.topic, origin.partition);
	if (source == LEDGER_NO_SOURCE)
		t->books->foreign_forwards++;
	else
		ledger_companion(t->books->ledger, LEDGER_PARK_TOPICS, source, origin.offset, STR_NULL, place);
	return true;
}

static bool number_header(const struct span_record *record, const char *name, size_t bytes, int64_t *ret)
{
	struct str value = span_header(record, name);
	uint64_t n = 0;
	if (value.data == NULL || value.len != bytes)
		return false;
	for (size_t i = 0; i < bytes; i++)
		n = n << 8 | (uint8_t)value.data[i];
	*ret = (int64_t)n;
	return true;
}

/* Spring's headers; a dead letter of another group or tool is none of ours. */
static bool take_dead_letter(struct audit_taker *t, const struct span_record *record, struct ledger_place place)
{
	struct audit_books *b = t->books;
	struct str topic = span_header(record, "kafka_dlt-original-topic"), group = span_header(record, "kafka_dlt-original-consumer-group");
	int64_t partition = 0, offset = 0;
	uint32_t source = LEDGER_NO_SOURCE;
	if (topic.data != NULL && number_header(record, "kafka_dlt-original-partition", 4, &partition) &&
	    number_header(record, "kafka_dlt-original-offset", 8, &offset) && (group.data == NULL || str_eq(group, b->settings->kafka.group)))
		source = ledger_find(b->ledger, topic, partition);
	if (source == LEDGER_NO_SOURCE)
		b->foreign_dead_letters++;
	else
		ledger_companion(b->ledger, LEDGER_DEAD_LETTERS, source, offset, STR_NULL, place);
	return true;
}

bool audit_take(struct audit_taker *t, enum audit_use use, const struct span_record *record)
{
	struct ledger_place place = {record->part, record->offset};
	arena_reset(&t->arena);
	switch (use) {
	case USE_DECISIONS: return take_decision(t, record, place);
	case USE_DEAD_LETTERS: return take_dead_letter(t, record, place);
	case USE_ROUTES: return take_routed(t, record, place);
	case USE_PARKS: return take_parked(t, record, place);
	default: return take_response(t, record, place, use == USE_REPLIES);
	}
}
