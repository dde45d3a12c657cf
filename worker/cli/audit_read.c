/*
 * audit_read.c: the topics, read in the order that makes a check of them valid.
 */
#include "worker/cli/audit_read.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/clock.h"
#include "worker/wire/read_back.h"

enum { USE_INPUT, USE_RESPONSES, USE_REPLIES, USE_DEAD_LETTERS, USE_DECISIONS, USES };
enum { IDLE_MS = 90 * 1000, PROGRESS_MS = 60 * 1000, WINDOW_SLACK_MS = 2 * LEDGER_SLACK_MS, REGISTRY_MAX_BODY = 4 * 1024 * 1024 };

struct reading {
	struct audit_books *books;
	struct span *span;
	struct wire_coder *coder;
	struct http *http;
	struct arena arena; /* of one record */
	struct cli_progress bar;
	int use;
	bool *begun; /* by part: a record of it was seen */
	struct err *err;
};

static void note(struct audit_books *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void note(struct audit_books *b, const char *fmt, ...)
{
	if (b->note_count == AUDIT_TOLD)
		return;
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(b->notes[b->note_count++], AUDIT_TELL_BYTES, fmt, ap); /* cut is fine: for a person */
	va_end(ap);
}

static void unreadable(struct reading *r, const struct span_record *record, const char *why)
{
	struct audit_books *b = r->books;
	const struct span_part *part = span_part(r->span, record->part);
	b->unreadable++;
	if (b->unreadable_told < AUDIT_TOLD)
		(void)snprintf(b->unreadables[b->unreadable_told++], AUDIT_TELL_BYTES, "%s-%d@%" PRId64 ": %s", part->topic,
		               (int)part->partition, record->offset, why); /* cut is fine: for a person */
}

static enum status status_by_name(struct str name)
{
	for (int i = STATUS_OK; i <= STATUS_REJECTED; i++)
		if (str_is(name, status_name((enum status)i)))
			return (enum status)i;
	return STATUS_NONE;
}

static bool take_decision(struct reading *r, const struct span_record *record, struct ledger_place place)
{
	struct read_decision d;
	struct err why;
	enum rc rc = read_back_decision(r->coder, &r->arena, record->value, &d, &why);
	if (rc == RC_AGAIN && (rc = read_back_schema(r->coder, r->http, record->value, clock_mono_us(), &why)) == RC_OK)
		rc = read_back_decision(r->coder, &r->arena, record->value, &d, &why);
	if (rc == RC_UNAVAILABLE) {
		*r->err = why;
		return false;
	}
	unsigned outcome = rc == RC_OK ? outcome_by_name(d.outcome) : OUTCOME_NONE;
	if (outcome == OUTCOME_PARKED)
		outcome = LEDGER_PARKED;
	if (rc == RC_OK && outcome == OUTCOME_NONE)
		rc = err_set(&why, RC_BAD_INPUT, "outcome \"%.*s\" is not known to this version", STR_ARG(d.outcome));
	if (rc != RC_OK) {
		unreadable(r, record, why.text);
		return true;
	}
	r->books->model_calls += d.attempts;
	r->books->redelivered += d.redelivered;
	ledger_decision(r->books->ledger, ledger_find(r->books->ledger, d.source_topic, d.source_partition), d.source_offset,
	                d.was_parked ? STR_NULL : record->key, d.decision_id, outcome, place, record->timestamp_ms);
	return true;
}

static bool take_response(struct reading *r, const struct span_record *record, struct ledger_place place)
{
	struct read_response d;
	struct err why;
	enum rc rc = read_back_response(r->coder, &r->arena, record->value, &d, &why);
	if (rc == RC_AGAIN && (rc = read_back_schema(r->coder, r->http, record->value, clock_mono_us(), &why)) == RC_OK)
		rc = read_back_response(r->coder, &r->arena, record->value, &d, &why);
	if (rc == RC_UNAVAILABLE) {
		*r->err = why;
		return false;
	}
	bool shared = r->use == USE_REPLIES;
	if (rc != RC_OK && !shared)
		unreadable(r, record, why.text);
	if (rc == RC_OK && d.decision_id.data != NULL)
		ledger_response(r->books->ledger, d.decision_id, status_by_name(d.status), shared, place, record->timestamp_ms);
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
static bool take_dead_letter(struct reading *r, const struct span_record *record, struct ledger_place place)
{
	struct str topic = span_header(record, "kafka_dlt-original-topic"), group = span_header(record, "kafka_dlt-original-consumer-group");
	int64_t partition = 0, offset = 0;
	uint32_t source = LEDGER_NO_SOURCE;
	if (topic.data != NULL && number_header(record, "kafka_dlt-original-partition", 4, &partition) &&
	    number_header(record, "kafka_dlt-original-offset", 8, &offset) &&
	    (group.data == NULL || str_eq(group, r->books->settings->kafka.group)))
		source = ledger_find(r->books->ledger, topic, partition);
	if (source == LEDGER_NO_SOURCE)
		r->books->foreign_dead_letters++;
	else
		ledger_dead_letter(r->books->ledger, source, offset, place);
	return true;
}

static enum ledger_topic cut_of(int use)
{
	return use == USE_DECISIONS ? LEDGER_DECISIONS : use == USE_DEAD_LETTERS ? LEDGER_DEAD_LETTERS : LEDGER_RESPONSES;
}

static bool see(void *ctx, const struct span_record *record, int64_t done)
{
	struct reading *r = ctx;
	const struct span_part *part = span_part(r->span, record->part);
	struct ledger_place place = {record->part, record->offset};
	r->books->read_records++;
	cli_progress_at(&r->bar, done);
	if (r->use == USE_INPUT) {
		uint32_t source = ledger_find(r->books->ledger, str_of(part->topic), part->partition);
		if (source != LEDGER_NO_SOURCE)
			ledger_input(r->books->ledger, source, record->offset, record->timestamp_ms);
		return true;
	}
	if (!r->begun[record->part] && part->low > 0 && part->begin == part->low)
		ledger_cut(r->books->ledger, cut_of(r->use), record->timestamp_ms);
	r->begun[record->part] = true;
	arena_reset(&r->arena);
	switch (r->use) {
	case USE_DECISIONS: return take_decision(r, record, place);
	case USE_DEAD_LETTERS: return take_dead_letter(r, record, place);
	default: return take_response(r, record, place);
	}
}

static enum rc read_use(struct reading *r, int use, const char *what, struct err *err)
{
	int64_t total = 0;
	unsigned parts = span_parts(r->span);
	r->use = use;
	r->err = err;
	r->begun = heap_zalloc((size_t)parts + 1, sizeof *r->begun);
	for (unsigned i = 0; i < parts; i++)
		if (span_part(r->span, i)->use == use)
			total += span_part(r->span, i)->end - span_part(r->span, i)->begin;
	cli_progress_begin(&r->bar, what, total);
	enum rc rc = span_read(r->span, use, IDLE_MS, see, r, err);
	cli_progress_end(&r->bar);
	for (unsigned i = 0; i < parts && rc == RC_OK && use != USE_INPUT; i++) {
		const struct span_part *p = span_part(r->span, i);
		if (p->use != use || p->low == 0 || p->begin != p->low)
			continue;
		note(r->books, "%s, partition %d: the first %" PRId64 " offsets are deleted; records that may have been told of there are not judged",
		     p->topic, (int)p->partition, p->low);
		if (!r->begun[i])
			ledger_cut(r->books->ledger, cut_of(use), INT64_MAX);
	}
	free(r->begun);
	r->begun = NULL;
	return rc;
}

/* ---- the steps ------------------------------------------------------------------------------------------------------- */

static const char *name_of(struct audit_books *b, struct str name)
{
	return arena_cstr(&b->names, name);
}

static enum rc add_inputs(struct audit_books *b, struct span *span, int64_t since_ms, int64_t until_ms, struct err *err)
{
	enum rc rc = RC_OK;
	for (uint32_t i = 0; i < b->settings->input.topics.count && rc == RC_OK; i++) {
		struct str topic = b->settings->input.topics.items[i];
		if (!settings_is_park_topic(b->settings, topic)) /* what is parked is judged as the record that it was */
			rc = span_add(span, name_of(b, topic), USE_INPUT, since_ms, until_ms, err);
	}
	return rc;
}

/* The group's progress before anything is read: only what is finished now can be missing later. */
static enum rc take_progress(struct audit_books *b, bool open_end, struct err *err)
{
	enum rc rc = add_inputs(b, b->outputs, -1, -1, err);
	struct progress_snapshot *snapshot = heap_alloc(sizeof *snapshot);
	for (unsigned i = 0; i < span_parts(b->outputs) && rc == RC_OK; i++) {
		const struct span_part *p = span_part(b->outputs, i);
		struct ledger_source source = {.topic = p->topic, .partition = p->partition, .open_end = open_end};
		bool known = false;
		rc = span_committed(b->outputs, p->topic, p->partition, PROGRESS_MS, &source.committed, &known, snapshot, err);
		if (rc != RC_OK)
			break;
		source.finished_end = known ? snapshot->base + snapshot->span : source.committed;
		source.holes = snapshot->unfinished;
		source.hole_count = known ? snapshot->count : 0;
		ledger_source(b->ledger, &source);
		if (source.committed > p->end)
			note(b, "%s, partition %d: the log ends at %" PRId64 ", below the committed offset %" PRId64 ": truncated or made anew",
			     p->topic, (int)p->partition, p->end, source.committed);
	}
	free(snapshot);
	return rc;
}

static enum rc read_outputs(struct reading *r, int64_t since_ms, struct err *err)
{
	struct audit_books *b = r->books;
	const struct output_settings *out = &b->settings->output;
	int64_t from = since_ms >= WINDOW_SLACK_MS ? since_ms - WINDOW_SLACK_MS : -1;
	for (int i = 0; i < LEDGER_TOPICS && from >= 0; i++)
		ledger_cut(b->ledger, (enum ledger_topic)i, from);
	enum rc rc = span_add(b->outputs, name_of(b, out->responses), USE_RESPONSES, from, -1, err);
	if (rc == RC_OK)
		rc = span_add(b->outputs, name_of(b, out->dead_letters), USE_DEAD_LETTERS, from, -1, err);
	for (uint32_t i = 0; i < out->reply_topics.count && rc == RC_OK; i++)
		if (span_add(b->outputs, name_of(b, out->reply_topics.items[i]), USE_REPLIES, from, -1, err) == RC_BAD_INPUT)
			note(b, "reply topic %.*s: there is none", STR_ARG(out->reply_topics.items[i]));
	r->span = b->outputs;
	if (rc == RC_OK)
		rc = read_use(r, USE_RESPONSES, "responses", err);
	if (rc == RC_OK)
		rc = read_use(r, USE_REPLIES, "replies", err);
	if (rc == RC_OK)
		rc = read_use(r, USE_DEAD_LETTERS, "dead letters", err);
	if (rc == RC_OK) /* its ends are asked for only now: whatever was read above has its decision below them */
		rc = span_add(b->outputs, name_of(b, out->decisions), USE_DECISIONS, from, -1, err);
	return rc == RC_OK ? read_use(r, USE_DECISIONS, "decisions", err) : rc;
}

static enum rc read_inputs(struct reading *r, int64_t since_ms, int64_t until_ms, struct err *err)
{
	struct audit_books *b = r->books;
	enum rc rc = span_open(b->settings, &r->span, err);
	if (rc == RC_OK)
		rc = add_inputs(b, r->span, since_ms, until_ms, err);
	for (unsigned i = 0; rc == RC_OK && i < span_parts(r->span); i++) {
		const struct span_part *p = span_part(r->span, i);
		uint32_t source = ledger_find(b->ledger, str_of(p->topic), p->partition);
		if (source != LEDGER_NO_SOURCE)
			ledger_stretch(b->ledger, source, p->begin, p->end);
		if (p->low > 0 && since_ms < 0)
			note(b, "%s, partition %d: offsets 0 to %" PRId64 " are deleted; what became of those records is not judged", p->topic,
			     (int)p->partition, p->low - 1);
	}
	if (rc == RC_OK)
		rc = read_use(r, USE_INPUT, "input", err);
	return rc;
}

enum rc audit_read(const struct settings *settings, int64_t since_ms, int64_t until_ms, struct audit_books *ret, struct err *err)
{
	struct audit_books *b = ret;
	struct wire *wire = NULL;
	*b = (struct audit_books){.settings = settings};
	arena_init(&b->names, 0);
	struct ledger_rules rules = {.dead_letter_expired = settings->output.dead_letter_expired,
	                             .match_responses = read_back_can_match(&settings->output),
	                             .twice_is_allowed = settings->kafka.delivery == DELIVERY_AT_LEAST_ONCE,
	                             .by_key = settings->input.ordering == ORDERING_KEY};
	b->ledger = ledger_new(rules);
	if (!rules.match_responses)
		note(b, "responses: output.fields leaves decision_id out, so they cannot be matched with their decisions");
	if (rules.twice_is_allowed)
		note(b, "kafka.delivery is at_least_once: what came twice is not held against it");
	struct reading r = {.books = b};
	arena_init(&r.arena, 65536);
	enum rc rc = wire_open(settings, NULL, &wire, err);
	if (rc == RC_OK)
		rc = span_open(settings, &b->outputs, err);
	if (rc == RC_OK) {
		r.coder = wire_coder_new(wire);
		r.http = http_new(settings->registry.timeout_ms, REGISTRY_MAX_BODY);
		rc = take_progress(b, until_ms >= 0, err);
	}
	if (rc == RC_OK)
		rc = read_outputs(&r, since_ms, err);
	if (rc == RC_OK)
		rc = read_inputs(&r, since_ms, until_ms, err);
	if (r.span != b->outputs)
		span_close(r.span);
	http_free(r.http);
	wire_coder_free(r.coder);
	wire_close(wire);
	arena_free(&r.arena);
	return rc;
}

void audit_books_free(struct audit_books *b)
{
	ledger_free(b->ledger);
	span_close(b->outputs);
	arena_free(&b->names);
}
