/*
 * ledger.c: the books of delivery: taking down what went in and what came out. ledger_check.c compares them.
 *
 * The one idea: flat arrays, about 40 bytes an output record; an input record is two bits of its source.
 */
#include "worker/lab/ledger_books.h"

#include <assert.h>
#include <stdlib.h>

static void *grown(void *old, struct table *t, size_t size)
{
	if (t->count < t->cap)
		return old;
	t->cap = t->cap != 0 ? t->cap + t->cap / 2 : 64;
	return heap_resize(old, t->cap, size);
}

struct ledger *ledger_new(struct ledger_rules rules)
{
	struct ledger *l = heap_zalloc(1, sizeof *l);
	l->rules = rules;
	for (int i = 0; i < LEDGER_TOPICS; i++)
		l->cut_ms[i] = INT64_MIN;
	l->decisions = grown(NULL, &l->decision_table, sizeof *l->decisions); /* so that no list is NULL */
	l->companions = grown(NULL, &l->companion_table, sizeof *l->companions);
	l->responses = grown(NULL, &l->response_table, sizeof *l->responses);
	return l;
}

void ledger_free(struct ledger *l)
{
	if (l == NULL)
		return;
	for (size_t i = 0; i < l->source_table.count; i++) {
		free(l->sources[i].holes);
		free(l->sources[i].exists);
		free(l->sources[i].early);
	}
	free(l->sources);
	free(l->decisions);
	free(l->responses);
	free(l->companions);
	free(l->told);
	free(l->result.figures);
	free(l->result.offences);
	free(l);
}

/* ---- taking down ----------------------------------------------------------------------------------------------------- */

uint32_t ledger_source(struct ledger *l, const struct ledger_source *is)
{
	assert(l->source_table.count < LEDGER_NO_SOURCE);
	l->sources = grown(l->sources, &l->source_table, sizeof *l->sources);
	struct source *s = &l->sources[l->source_table.count];
	*s = (struct source){.is = *is, .holes = heap_zalloc((size_t)is->hole_count + 1, sizeof *s->holes)};
	for (uint32_t i = 0; i < is->hole_count; i++)
		s->holes[i] = is->holes[i];
	s->is.holes = s->holes;
	uint32_t index = (uint32_t)l->source_table.count++;
	ledger_stretch(l, index, is->begin, is->end);
	return index;
}

void ledger_stretch(struct ledger *l, uint32_t source, int64_t begin, int64_t end)
{
	struct source *s = &l->sources[source];
	s->is.begin = begin;
	s->is.end = end;
	free(s->exists);
	free(s->early);
	s->exists = heap_zalloc((size_t)(end - begin) / 8 + 1, 1);
	s->early = heap_zalloc((size_t)(end - begin) / 8 + 1, 1);
}

uint32_t ledger_find(const struct ledger *l, struct str topic, int64_t partition)
{
	for (size_t i = 0; i < l->source_table.count; i++)
		if (l->sources[i].is.partition == partition && str_is(topic, l->sources[i].is.topic))
			return (uint32_t)i;
	return LEDGER_NO_SOURCE;
}

void ledger_cut(struct ledger *l, enum ledger_topic topic, int64_t time_ms)
{
	if (time_ms > l->cut_ms[topic])
		l->cut_ms[topic] = time_ms;
}

/* FNV-1a with a last mixing. Ids are drawn at random, so chance decides, not an attacker's: he could write the topics anyway. */
static uint64_t hash(struct str id)
{
	uint64_t h = 14695981039346656037u;
	for (size_t i = 0; i < id.len; i++)
		h = (h ^ (uint8_t)id.data[i]) * 1099511628211u;
	h ^= h >> 32;
	return h * 0x9E3779B97F4A7C15u;
}

/* What makes no dead letter and is neither forwarded nor parked keeps its order. */
static bool keeps_order(unsigned outcome)
{
	if (outcome >= OUTCOME_COUNT)
		return false;
	const struct outcome_info *info = outcome_info((enum outcome)outcome);
	return info->status != STATUS_NONE && info->status != STATUS_FORWARDED && !info->dead_letter;
}

void ledger_decision(struct ledger *l, const struct ledger_decided *d)
{
	if (l->rules.by_key && d->source != LEDGER_NO_SOURCE && d->key.data != NULL && keeps_order(d->outcome)) {
		l->told = grown(l->told, &l->told_table, sizeof *l->told);
		l->told[l->told_table.count++] = (struct ledger_told){d->source, d->place.part, d->offset, d->place.offset, hash(d->key)};
	}
	l->decisions = grown(l->decisions, &l->decision_table, sizeof *l->decisions);
	l->decisions[l->decision_table.count++] =
	    (struct decision){.source = (uint16_t)d->source, .offset = d->offset, .id = hash(d->id), .outcome = (uint8_t)d->outcome,
	                      .unread = d->unread, .place = d->place, .time_ms = d->time_ms};
}

void ledger_response(struct ledger *l, struct str id, enum status status, bool may_be_foreign, struct ledger_place place, int64_t time_ms)
{
	l->responses = grown(l->responses, &l->response_table, sizeof *l->responses);
	l->responses[l->response_table.count++] = (struct response){.id = hash(id), .status = (uint8_t)status, .foreign = may_be_foreign,
	                                                            .place = place, .time_ms = time_ms};
}

void ledger_companion(struct ledger *l, enum ledger_topic topic, uint32_t source, int64_t offset, struct str id,
                      struct ledger_place place)
{
	l->companions = grown(l->companions, &l->companion_table, sizeof *l->companions);
	l->companions[l->companion_table.count++] =
	    (struct companion){.topic = (uint8_t)topic, .source = (uint16_t)source, .offset = offset, .id = hash(id), .place = place};
}

bool ledger_is_cut(const struct ledger *l, enum ledger_topic topic, int64_t time_ms)
{
	return l->cut_ms[topic] != INT64_MIN && (l->cut_ms[topic] > INT64_MAX - LEDGER_SLACK_MS || time_ms <= l->cut_ms[topic] + LEDGER_SLACK_MS);
}

void ledger_input(struct ledger *l, uint32_t source, int64_t offset, int64_t time_ms)
{
	struct source *s = &l->sources[source];
	if (offset < s->is.begin || offset >= s->is.end)
		return;
	uint64_t bit = (uint64_t)(offset - s->is.begin);
	s->exists[bit / 8] |= (uint8_t)(1u << (bit % 8));
	if (ledger_is_cut(l, LEDGER_DECISIONS, time_ms))
		s->early[bit / 8] |= (uint8_t)(1u << (bit % 8));
}
