/*
 * ledger_check.c: what the books say of the promise.
 *
 * The one idea: each list is sorted once and walked once. Decisions and dead letters meet their input record by its offset, so a
 * source is one merge of three ascending lists; responses meet their decision by a hash of its id.
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

static int by_dead_source(const void *x, const void *y)
{
	const struct dead_letter *a = x, *b = y;
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

static bool wants_dead_letter(const struct ledger *l, unsigned outcome)
{
	return outcome_info((enum outcome)outcome)->dead_letter || (outcome == OUTCOME_EXPIRED && l->rules.dead_letter_expired);
}

/* One input offset: its decisions and dead letters, none or several of each. */
static void check_record(struct ledger *l, uint32_t index, int64_t offset, const struct decision *d, size_t decisions,
                         const struct dead_letter *dead, size_t dead_count)
{
	struct source *s = &l->sources[index];
	struct ledger_figures *f = &l->result.figures[index];
	bool within = is_within(s, offset), exists = within && bit_at(s->exists, s, offset), settled = is_settled(s, offset);
	bool told = false, parked = false; /* told: not judged by what is outside of what was read */
	const struct decision *last = NULL;
	for (size_t i = 0; i < decisions; i++) {
		if (d[i].outcome == LEDGER_PARKED) {
			parked = true;
			continue;
		}
		if (l->rules.match_responses)
			match(l, &d[i], settled && exists && last == NULL);
		if (last != NULL && !l->rules.twice_is_allowed)
			accuse(l, LEDGER_TWICE, index, offset, &d[i].place);
		if (last == NULL)
			last = &d[i];
		told = true;
	}
	if (!exists) {
		if (told && (within || (offset >= s->is.end && !s->is.open_end)))
			accuse(l, LEDGER_ORPHAN_DECISION, index, offset, &last->place);
		for (size_t i = 0; i < dead_count && !told && within; i++)
			accuse(l, LEDGER_ORPHAN_DEAD_LETTER, index, offset, &dead[i].place);
		return;
	}
	f->records++;
	f->dead_letters += (int64_t)dead_count;
	if (!told) {
		bool early = bit_at(s->early, s, offset);
		bool waits = parked || !settled;
		f->unknown += !waits && early;
		f->in_progress += waits;
		if (!waits && !early)
			accuse(l, LEDGER_LOST, index, offset, NULL);
		for (size_t i = 0; i < dead_count && !early && decisions == 0; i++)
			accuse(l, LEDGER_ORPHAN_DEAD_LETTER, index, offset, &dead[i].place);
		return;
	}
	f->decided++;
	f->by_status[outcome_info((enum outcome)last->outcome)->status]++;
	bool due = wants_dead_letter(l, last->outcome);
	if (due && dead_count == 0 && settled && !ledger_is_cut(l, LEDGER_DEAD_LETTERS, last->time_ms))
		accuse(l, LEDGER_NO_DEAD_LETTER, index, offset, &last->place);
	for (size_t i = due ? 1 : 0; i < dead_count; i++)
		if (!due || !l->rules.twice_is_allowed)
			accuse(l, due ? LEDGER_DEAD_LETTER_TWICE : LEDGER_WRONG_DEAD_LETTER, index, offset, &dead[i].place);
}

/* The next offset of a source that anything is said of: an input record, a decision or a dead letter. */
static int64_t next_offset(const struct source *s, int64_t at, const struct decision *d, const struct decision *d_end,
                           const struct dead_letter *dead, const struct dead_letter *dead_end)
{
	int64_t next = INT64_MAX;
	if (d < d_end)
		next = d->offset;
	if (dead < dead_end && dead->offset < next)
		next = dead->offset;
	for (int64_t o = at > s->is.begin ? at : s->is.begin; o < s->is.end && o < next; o++)
		if (bit_at(s->exists, s, o))
			return o;
	return next;
}

static void check_source(struct ledger *l, uint32_t index, const struct decision **d, const struct dead_letter **dead)
{
	const struct decision *d_end = *d, *all_d = l->decisions + l->decision_table.count;
	const struct dead_letter *dead_end = *dead, *all_dead = l->dead_letters + l->dead_letter_table.count;
	while (d_end < all_d && d_end->source == index)
		d_end++;
	while (dead_end < all_dead && dead_end->source == index)
		dead_end++;
	for (int64_t at = INT64_MIN; (at = next_offset(&l->sources[index], at, *d, d_end, *dead, dead_end)) != INT64_MAX; at++) {
		const struct decision *of = *d;
		const struct dead_letter *dead_of = *dead;
		while (*d < d_end && (*d)->offset == at)
			(*d)++;
		while (*dead < dead_end && (*dead)->offset == at)
			(*dead)++;
		check_record(l, index, at, of, (size_t)(*d - of), dead_of, (size_t)(*dead - dead_of));
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
	sort(l->dead_letters, l->dead_letter_table.count, sizeof *l->dead_letters, by_dead_source);
	sort(l->responses, l->response_table.count, sizeof *l->responses, by_id);
	const struct decision *d = l->decisions;
	const struct dead_letter *dead = l->dead_letters;
	for (uint32_t i = 0; i < l->source_table.count; i++)
		check_source(l, i, &d, &dead);
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
