/*
 * ledger_check.c: what the books say of the promise.
 *
 * The one idea: each list is sorted once and walked once. Decisions and what stands beside them (dead letters, records in topics of
 * routes and park topics) meet their input record by its offset, so a source is one merge of three ascending lists; responses meet
 * their decision by a hash of its id.
 *
 * Two things keep a check honest while workers run and retention deletes. Only what the group had finished before anything was
 * read can be missing; and what retention may have taken is "unknown", never "lost".
 */
#include "worker/lab/ledger_books.h"

#include <stdlib.h>

static int order(int64_t a, int64_t b)
{
	return (a > b) - (a < b);
}

static int by_place(struct ledger_place a, struct ledger_place b)
{
	return a.part != b.part ? order(a.part, b.part) : order(a.offset, b.offset);
}

static int by_source(const void *x, const void *y)
{
	const struct decision *a = x, *b = y;
	if (a->source != b->source)
		return order(a->source, b->source);
	return a->offset != b->offset ? order(a->offset, b->offset) : by_place(a->place, b->place);
}

static int by_companion_source(const void *x, const void *y)
{
	const struct companion *a = x, *b = y;
	if (a->source != b->source)
		return order(a->source, b->source);
	return a->offset != b->offset ? order(a->offset, b->offset) : by_place(a->place, b->place);
}

static int by_id(const void *x, const void *y)
{
	const struct response *a = x, *b = y;
	return a->id != b->id ? (a->id > b->id) - (a->id < b->id) : by_place(a->place, b->place);
}

static int by_standing(const void *x, const void *y)
{
	const struct response *a = x, *b = y;
	return by_place(a->place, b->place);
}

static void sort(void *items, size_t count, size_t size, int (*compare)(const void *, const void *))
{
	if (count > 1)
		qsort(items, count, size, compare);
}

static void accuse(struct ledger *l, enum ledger_fault fault, uint32_t source, int64_t offset, const struct ledger_place *place)
{
	l->result.faults[fault]++;
	if (l->listed[fault] == l->max_listed)
		return;
	l->listed[fault]++;
	if (l->result.offence_count == l->offence_cap) {
		l->offence_cap = l->offence_cap != 0 ? l->offence_cap * 2 : 32;
		l->result.offences = heap_resize(l->result.offences, l->offence_cap, sizeof *l->result.offences);
	}
	struct ledger_offence o = {.fault = fault, .source = source, .offset = offset, .has_place = place != NULL};
	if (place != NULL)
		o.place = *place;
	l->result.offences[l->result.offence_count++] = o;
}

/* Had the group finished with it before anything was read? */
static bool is_settled(const struct source *s, int64_t offset)
{
	if (offset < s->is.committed)
		return true;
	if (s->is.committed < 0 || offset >= s->is.finished_end)
		return false;
	uint32_t low = 0, high = s->is.hole_count;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		if (s->holes[middle] < offset)
			low = middle + 1;
		else
			high = middle;
	}
	return low == s->is.hole_count || s->holes[low] != offset;
}

static bool bit_at(const uint8_t *bits, const struct source *s, int64_t offset)
{
	uint64_t bit = (uint64_t)(offset - s->is.begin);
	return (bits[bit / 8] >> (bit % 8) & 1) != 0;
}

static bool is_within(const struct source *s, int64_t offset)
{
	return offset >= s->is.begin && offset < s->is.end;
}

static bool has_response(const struct decision *d)
{
	return d->outcome < OUTCOME_COUNT && outcome_info((enum outcome)d->outcome)->status != STATUS_NONE;
}

/* Marks the responses of one decision. */
static void match(struct ledger *l, const struct decision *d, bool must)
{
	size_t low = 0, high = l->response_table.count, found = 0;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (l->responses[middle].id < d->id)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < l->response_table.count && l->responses[low].id == d->id; low++) {
		struct response *r = &l->responses[low];
		if (r->seen) /* a copy of this decision has counted it */
			continue;
		r->seen = true;
		found++;
		if (!has_response(d) || r->status != outcome_info((enum outcome)d->outcome)->status)
			accuse(l, LEDGER_WRONG_RESPONSE, d->source, d->offset, &r->place);
		else if (found > 1 && !l->rules.twice_is_allowed)
			accuse(l, LEDGER_RESPONSE_TWICE, d->source, d->offset, &r->place);
	}
	if (must && found == 0 && has_response(d) && !ledger_is_cut(l, LEDGER_RESPONSES, d->time_ms))
		accuse(l, LEDGER_NO_RESPONSE, d->source, d->offset, &d->place);
}

/* All that the topics hold of one input offset. */
struct evidence {
	uint32_t source;
	int64_t offset;
	const struct decision *decisions;
	const struct companion *companions;
	size_t decision_count, companion_count;
	bool within, exists, early, settled; /* within: in the stretch that was read */
	const struct decision *last;         /* the final decision; NULL: none */
};

static void check_decisions(struct ledger *l, struct evidence *e)
{
	const struct decision *parked = NULL;
	for (size_t i = 0; i < e->decision_count; i++) {
		const struct decision *d = &e->decisions[i], **of = d->outcome == LEDGER_PARKED ? &parked : &e->last;
		if (l->rules.match_responses && of == &e->last)
			match(l, d, e->settled && e->exists && e->last == NULL);
		if (*of != NULL && !l->rules.twice_is_allowed)
			accuse(l, LEDGER_TWICE, e->source, e->offset, &d->place);
		if (*of == NULL)
			*of = d;
	}
}

static bool asks_for(const struct ledger *l, const struct decision *d, enum ledger_topic topic)
{
	if (topic == LEDGER_PARK_TOPICS || d->outcome == LEDGER_PARKED)
		return topic == LEDGER_PARK_TOPICS && d->outcome == LEDGER_PARKED;
	if (topic == LEDGER_ROUTED)
		return d->outcome == OUTCOME_FORWARDED;
	return outcome_info((enum outcome)d->outcome)->dead_letter || (d->outcome == OUTCOME_EXPIRED && l->rules.dead_letter_expired);
}

static const struct decision *who_asks_for(const struct ledger *l, const struct evidence *e, enum ledger_topic topic)
{
	for (size_t i = 0; i < e->decision_count; i++)
		if (asks_for(l, &e->decisions[i], topic))
			return &e->decisions[i];
	return NULL;
}

static bool is_told_of(const struct evidence *e, uint64_t id)
{
	bool told = false;
	for (size_t i = 0; i < e->decision_count && !told; i++)
		told = e->decisions[i].id == id;
	return told;
}

/* What a decision puts beside itself in one kind of topic. */
static void check_companions(struct ledger *l, const struct evidence *e, enum ledger_topic topic)
{
	static const struct {
		enum ledger_fault missing, twice, wrong, orphan;
	} faults[LEDGER_TOPICS] = {
		[LEDGER_DEAD_LETTERS] = {LEDGER_NO_DEAD_LETTER, LEDGER_DEAD_LETTER_TWICE, LEDGER_WRONG_DEAD_LETTER, LEDGER_ORPHAN_DEAD_LETTER},
		[LEDGER_ROUTED] = {LEDGER_NO_FORWARD, LEDGER_FORWARD_TWICE, LEDGER_WRONG_FORWARD, LEDGER_ORPHAN_FORWARD},
		[LEDGER_PARK_TOPICS] = {LEDGER_NO_FORWARD, LEDGER_FORWARD_TWICE, LEDGER_WRONG_FORWARD, LEDGER_ORPHAN_FORWARD},
	};
	const struct decision *asks = who_asks_for(l, e, topic);
	bool is_judged = topic == LEDGER_PARK_TOPICS ? !e->early : e->last != NULL; /* else its decision may come, or may be deleted */
	size_t found = 0;
	for (size_t i = 0; i < e->companion_count; i++) {
		const struct companion *c = &e->companions[i];
		enum ledger_fault fault = LEDGER_FAULTS;
		if (c->topic != topic)
			continue;
		found++;
		if (e->decision_count == 0)
			fault = e->early ? LEDGER_FAULTS : faults[topic].orphan;
		else if (asks == NULL)
			fault = is_judged ? faults[topic].wrong : LEDGER_FAULTS;
		else if (topic == LEDGER_ROUTED && !is_told_of(e, c->id))
			fault = faults[topic].wrong;
		else if (found > 1 && !l->rules.twice_is_allowed)
			fault = faults[topic].twice;
		if (fault != LEDGER_FAULTS)
			accuse(l, fault, e->source, e->offset, &c->place);
	}
	if (asks != NULL && found == 0 && e->settled && !asks->unread && !ledger_is_cut(l, topic, asks->time_ms))
		accuse(l, faults[topic].missing, e->source, e->offset, &asks->place);
}

static void count_record(struct ledger *l, const struct evidence *e)
{
	struct ledger_figures *f = &l->result.figures[e->source];
	bool waits = e->decision_count != 0 || !e->settled; /* where nothing final is told: parked, or not finished */
	f->records++;
	for (size_t i = 0; i < e->companion_count; i++)
		*(e->companions[i].topic == LEDGER_DEAD_LETTERS ? &f->dead_letters : &f->in_topics) += 1;
	if (e->last != NULL) {
		f->decided++;
		f->by_status[outcome_info((enum outcome)e->last->outcome)->status]++;
		return;
	}
	f->in_progress += waits;
	f->unknown += !waits && e->early;
	if (!waits && !e->early)
		accuse(l, LEDGER_LOST, e->source, e->offset, NULL);
}

static void check_record(struct ledger *l, struct evidence *e)
{
	const struct source *s = &l->sources[e->source];
	e->within = is_within(s, e->offset);
	e->exists = e->within && bit_at(s->exists, s, e->offset);
	e->early = e->exists && bit_at(s->early, s, e->offset);
	e->settled = is_settled(s, e->offset);
	check_decisions(l, e);
	if (e->exists)
		count_record(l, e);
	else if (e->last != NULL && (e->within || (e->offset >= s->is.end && !s->is.open_end)))
		accuse(l, LEDGER_ORPHAN_DECISION, e->source, e->offset, &e->last->place);
	if (e->exists || (e->within && e->decision_count == 0))
		for (int topic = LEDGER_DEAD_LETTERS; topic < LEDGER_TOPICS; topic++)
			check_companions(l, e, (enum ledger_topic)topic);
}

/* The next offset of a source that anything is said of: an input record, a decision or a companion. */
static int64_t next_offset(const struct source *s, int64_t at, const struct decision *d, const struct decision *d_end,
                           const struct companion *c, const struct companion *c_end)
{
	int64_t next = INT64_MAX;
	if (d < d_end)
		next = d->offset;
	if (c < c_end && c->offset < next)
		next = c->offset;
	for (int64_t o = at > s->is.begin ? at : s->is.begin; o < s->is.end && o < next; o++)
		if (bit_at(s->exists, s, o))
			return o;
	return next;
}

static void check_source(struct ledger *l, uint32_t index, const struct decision **d, const struct companion **c)
{
	const struct decision *d_end = *d, *all_d = l->decisions + l->decision_table.count;
	const struct companion *c_end = *c, *all_c = l->companions + l->companion_table.count;
	while (d_end < all_d && d_end->source == index)
		d_end++;
	while (c_end < all_c && c_end->source == index)
		c_end++;
	for (int64_t at = INT64_MIN; (at = next_offset(&l->sources[index], at, *d, d_end, *c, c_end)) != INT64_MAX; at++) {
		struct evidence e = {.source = index, .offset = at, .decisions = *d, .companions = *c};
		for (; *d < d_end && (*d)->offset == at; (*d)++)
			e.decision_count++;
		for (; *c < c_end && (*c)->offset == at; (*c)++)
			e.companion_count++;
		check_record(l, &e);
	}
}

/* What no decision has claimed. */
static void check_orphans(struct ledger *l)
{
	sort(l->responses, l->response_table.count, sizeof *l->responses, by_standing);
	for (size_t i = 0; i < l->response_table.count; i++) {
		const struct response *r = &l->responses[i];
		if (r->seen || r->foreign)
			continue;
		if (ledger_is_cut(l, LEDGER_DECISIONS, r->time_ms))
			l->result.unchecked_responses++;
		else
			accuse(l, LEDGER_ORPHAN_RESPONSE, LEDGER_NO_SOURCE, 0, &r->place);
	}
}

static void out_of_order(void *ctx, const struct ledger_told *late)
{
	struct ledger_place place = {late->part, late->stands_at};
	accuse(ctx, LEDGER_OUT_OF_ORDER, late->source, late->offset, &place);
}

static int by_fault(const void *x, const void *y)
{
	const struct ledger_offence *a = x, *b = y;
	if (a->fault != b->fault)
		return order(a->fault, b->fault);
	if (a->source != b->source)
		return order(a->source, b->source);
	return a->offset != b->offset ? order(a->offset, b->offset) : by_place(a->place, b->place);
}

struct ledger_result ledger_check(struct ledger *l, uint32_t max_listed)
{
	l->max_listed = max_listed;
	l->result.figures = heap_zalloc(l->source_table.count + 1, sizeof *l->result.figures);
	sort(l->decisions, l->decision_table.count, sizeof *l->decisions, by_source);
	sort(l->companions, l->companion_table.count, sizeof *l->companions, by_companion_source);
	sort(l->responses, l->response_table.count, sizeof *l->responses, by_id);
	const struct decision *d = l->decisions;
	const struct companion *c = l->companions;
	for (uint32_t i = 0; i < l->source_table.count; i++)
		check_source(l, i, &d, &c);
	for (; d < l->decisions + l->decision_table.count; d++) { /* of other topics, whose input nobody read */
		l->result.foreign++;
		if (l->rules.match_responses)
			match(l, d, false);
	}
	if (l->rules.match_responses)
		check_orphans(l);
	ledger_order_check(l->told, l->told_table.count, out_of_order, l);
	sort(l->result.offences, l->result.offence_count, sizeof *l->result.offences, by_fault);
	l->result.holds = true;
	for (int i = 0; i < LEDGER_FAULTS; i++)
		l->result.holds &= l->result.faults[i] == 0;
	return l->result;
}
