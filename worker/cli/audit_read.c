/*
 * audit_read.c: the topics, read in the order that makes a check of them valid.
 */
#include "worker/cli/audit_take.h"

#include <inttypes.h>
#include <stdlib.h>

enum { IDLE_MS = 90 * 1000, PROGRESS_MS = 60 * 1000, WINDOW_SLACK_MS = 2 * LEDGER_SLACK_MS, REGISTRY_MAX_BODY = 4 * 1024 * 1024 };

struct reading {
	struct audit_books *books;
	struct audit_taker taker;
	struct span *span;
	struct cli_progress bar;
	enum audit_use use;
	bool *begun; /* by part: a record of it was seen */
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

static enum ledger_topic cut_of(enum audit_use use)
{
	switch (use) {
	case USE_DECISIONS: return LEDGER_DECISIONS;
	case USE_DEAD_LETTERS: return LEDGER_DEAD_LETTERS;
	case USE_ROUTES: return LEDGER_ROUTED;
	case USE_PARKS: return LEDGER_PARK_TOPICS;
	default: return LEDGER_RESPONSES;
	}
}

static bool see(void *ctx, const struct span_record *record, int64_t done)
{
	struct reading *r = ctx;
	const struct span_part *part = span_part(r->span, record->part);
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
	return audit_take(&r->taker, r->use, record);
}

static enum rc read_use(struct reading *r, enum audit_use use, const char *what, struct err *err)
{
	int64_t total = 0;
	unsigned parts = span_parts(r->span);
	r->use = use;
	r->taker.err = err;
	r->begun = heap_zalloc((size_t)parts + 1, sizeof *r->begun);
	for (unsigned i = 0; i < parts; i++)
		if (span_part(r->span, i)->use == (int)use)
			total += span_part(r->span, i)->end - span_part(r->span, i)->begin;
	cli_progress_begin(&r->bar, what, total);
	enum rc rc = span_read(r->span, (int)use, IDLE_MS, see, r, err);
	cli_progress_end(&r->bar);
	for (unsigned i = 0; i < parts && rc == RC_OK && use != USE_INPUT; i++) {
		const struct span_part *p = span_part(r->span, i);
		if (p->use != (int)use || p->low == 0 || p->begin != p->low)
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

/* Adds a topic that records are handed to. *ret_unread: it is not read. */
static enum rc add_destination(struct audit_books *b, struct str name, enum audit_use use, int64_t from, bool *ret_unread, struct err *err)
{
	for (unsigned i = 0; i < span_parts(b->outputs); i++) {
		const struct span_part *p = span_part(b->outputs, i);
		if (!str_is(name, p->topic) || p->use == (int)use) /* a topic of two routes is there already */
			continue;
		note(b, "topic %s is read for something else as well: what routes and models put there is not judged", p->topic);
		*ret_unread = true;
		return RC_OK;
	}
	for (unsigned i = 0; i < span_parts(b->outputs); i++)
		if (str_is(name, span_part(b->outputs, i)->topic))
			return RC_OK;
	enum rc rc = span_add(b->outputs, name_of(b, name), (int)use, from, -1, err);
	if (rc == RC_BAD_INPUT) {
		note(b, "topic %.*s: there is none", STR_ARG(name));
		rc = RC_OK;
	}
	return rc;
}

static enum rc add_destinations(struct reading *r, int64_t from, struct err *err)
{
	const struct settings *s = r->books->settings;
	const struct policy *policy = r->taker.policy;
	enum rc rc = RC_OK;
	for (uint32_t i = 0; i < policy_route_count(policy) && rc == RC_OK; i++) {
		struct str topic = policy_route(policy, i)->topic;
		r->taker.unread_routes[i] = topic.data == NULL;
		if (topic.data != NULL)
			rc = add_destination(r->books, topic, USE_ROUTES, from, &r->taker.unread_routes[i], err);
	}
	for (uint32_t i = 0; i < s->model_count && rc == RC_OK; i++) {
		struct str topic = s->models[i].park_topic;
		r->taker.unread_models[i] = topic.data == NULL;
		if (topic.data != NULL)
			rc = add_destination(r->books, topic, USE_PARKS, from, &r->taker.unread_models[i], err);
	}
	return rc;
}

static enum rc read_outputs(struct reading *r, int64_t since_ms, struct err *err)
{
	static const struct {
		enum audit_use use;
		const char *what;
	} uses[] = {{USE_RESPONSES, "responses"}, {USE_REPLIES, "replies"}, {USE_DEAD_LETTERS, "dead letters"},
	            {USE_ROUTES, "topics of routes"}, {USE_PARKS, "park topics"}};
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
	if (rc == RC_OK)
		rc = add_destinations(r, from, err);
	r->span = b->outputs;
	for (unsigned i = 0; i < sizeof uses / sizeof uses[0] && rc == RC_OK; i++)
		rc = read_use(r, uses[i].use, uses[i].what, err);
	if (rc == RC_OK) /* its ends are asked for only now: whatever was read above has its decision below them */
		rc = span_add(b->outputs, name_of(b, out->decisions), USE_DECISIONS, from, -1, err);
	if (rc == RC_OK)
		rc = read_use(r, USE_DECISIONS, "decisions", err);
	if (b->unread_forwards != 0)
		note(b, "%" PRId64 " records went to topics that the policy's routes and the models do not name now", b->unread_forwards);
	return rc;
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

enum rc audit_read(const struct settings *settings, const struct policy *policy, int64_t since_ms, int64_t until_ms,
                   struct audit_books *ret, struct err *err)
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
	struct reading r = {.books = b, .taker = {.books = b, .policy = policy}};
	r.taker.unread_routes = heap_zalloc((size_t)policy_route_count(policy) + 1, sizeof *r.taker.unread_routes);
	r.taker.unread_models = heap_zalloc((size_t)settings->model_count + 1, sizeof *r.taker.unread_models);
	arena_init(&r.taker.arena, 65536);
	enum rc rc = wire_open(settings, NULL, &wire, err);
	if (rc == RC_OK)
		rc = span_open(settings, &b->outputs, err);
	if (rc == RC_OK) {
		r.taker.coder = wire_coder_new(wire);
		r.taker.http = http_new(settings->registry.timeout_ms, REGISTRY_MAX_BODY);
		rc = take_progress(b, until_ms >= 0, err);
	}
	if (rc == RC_OK)
		rc = read_outputs(&r, since_ms, err);
	if (rc == RC_OK)
		rc = read_inputs(&r, since_ms, until_ms, err);
	if (r.span != b->outputs)
		span_close(r.span);
	http_free(r.taker.http);
	wire_coder_free(r.taker.coder);
	wire_close(wire);
	arena_free(&r.taker.arena);
	free(r.taker.unread_routes);
	free(r.taker.unread_models);
	return rc;
}

void audit_books_free(struct audit_books *b)
{
	ledger_free(b->ledger);
	span_close(b->outputs);
	arena_free(&b->names);
}
