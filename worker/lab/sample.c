/*
 * sample.c: quotas, filled one kind after the other.
 *
 * The one idea: chance goes first and sees all rows, so what it takes of a route is a fair picture of that route; only then are weak
 * spots picked from the rest. Every kind is one order of the rows, and taking is the same for all.
 */
#include "worker/lab/sample.h"

#include <math.h>
#include <stdlib.h>

#include "common/hmac.h"
#include "worker/route/fold.h"

static const double shares[SAMPLE_KINDS] = {0.40, 0.25, 0.20, 0.15};
static const float SAME = 0.95f; /* cosine from which two rows are duplicates */

const char *sample_why_name(enum sample_why why)
{
	static const char *const names[SAMPLE_KINDS] = {"chance", "low_confidence", "disagreement", "far"};
	return names[why];
}

uint64_t sample_print(struct str text, struct arena *arena)
{
	char *folded = arena_alloc(arena, text.len * FOLD_GROWTH + 1);
	size_t n = fold_text(text, folded), kept = 0, bytes = 0;
	uint8_t hash[SHA256_BYTES];
	uint64_t print;
	for (size_t at = 0; at < n; at += bytes) {
		uint32_t c = fold_decode((struct str){folded, n}, at, &bytes);
		bool digit = c >= '0' && c <= '9', word = c >= 0x80 || fold_is_word(c);
		if (digit && kept > 0 && folded[kept - 1] == '0')
			continue;
		if (!word && (kept == 0 || folded[kept - 1] == ' '))
			continue;
		if (digit || !word)
			folded[kept++] = digit ? '0' : ' ';
		else {
			memmove(folded + kept, folded + at, bytes);
			kept += bytes;
		}
	}
	sha256_once(str_trim((struct str){folded, kept}), hash);
	memcpy(&print, hash, sizeof print);
	return print;
}

struct choosing {
	const struct sample_setup *setup;
	struct sample_result *result;
	bool *passed;     /* by row: taken, or a duplicate of one that was */
	uint64_t *prints; /* of those taken: open addressing, 0 empty */
	uint32_t print_cap;
};

/* Whether the print is there; it is added. */
static bool is_known(struct choosing *c, uint64_t print)
{
	print += print == 0;
	for (uint32_t at = (uint32_t)(print & (c->print_cap - 1));; at = (at + 1) & (c->print_cap - 1)) {
		if (c->prints[at] == print)
			return true;
		if (c->prints[at] == 0) {
			c->prints[at] = print;
			return false;
		}
	}
}

static bool is_near(const struct choosing *c, uint32_t vector)
{
	if (c->setup->vectors == NULL || vector == SAMPLE_NO_VECTOR)
		return false;
	for (uint32_t i = 0; i < c->result->count; i++) {
		uint32_t other = c->setup->rows[c->result->picks[i].row].vector;
		if (other != SAMPLE_NO_VECTOR && cluster_set_cosine(c->setup->vectors, vector, other) >= SAME)
			return true;
	}
	return false;
}

/* Takes the row unless it was passed or is a duplicate. */
static bool take(struct choosing *c, uint32_t row, enum sample_why why)
{
	if (c->passed[row] || c->result->count == c->setup->wanted)
		return false;
	c->passed[row] = true;
	if (is_near(c, c->setup->rows[row].vector) || is_known(c, c->setup->rows[row].print)) {
		c->result->duplicates++;
		return false;
	}
	c->result->picks[c->result->count++] = (struct sample_pick){row, why};
	c->result->by_why[why]++;
	return true;
}

/* ---- orders ---------------------------------------------------------------------------------------------------------- */

struct key {
	double first;
	uint64_t draw;
	uint32_t row;
};

static int by_key(const void *a, const void *b)
{
	const struct key *x = a, *y = b;
	if (x->first < y->first || x->first > y->first)
		return x->first < y->first ? -1 : 1;
	if (x->draw != y->draw)
		return x->draw < y->draw ? -1 : 1;
	return x->row < y->row ? -1 : x->row > y->row;
}

/* What a kind sorts by, the first first; NAN: the row is not of the kind. */
static double key_of(const struct sample_setup *s, const struct sample_row *row, enum sample_why why)
{
	switch (why) {
	case SAMPLE_CHANCE: return row->stratum;
	case SAMPLE_UNSURE: return row->margin;
	case SAMPLE_DISAGREEMENT: return row->disagreement > 0 ? -row->disagreement : NAN;
	default: return row->nearness < s->far_below ? row->nearness : NAN;
	}
}

static uint32_t sort_rows(const struct sample_setup *s, enum sample_why why, struct key *keys)
{
	uint32_t n = 0;
	for (uint32_t i = 0; i < s->row_count; i++) {
		double first = key_of(s, &s->rows[i], why);
		if (!isnan(first))
			keys[n++] = (struct key){first, s->rows[i].draw, i};
	}
	qsort(keys, n, sizeof *keys, by_key);
	return n;
}

/* ---- kinds ----------------------------------------------------------------------------------------------------------- */

/* One of each stratum in turn, as long as any has one. keys are sorted by stratum. */
static void take_by_chance(struct choosing *c, const struct key *keys, uint32_t count, uint32_t quota)
{
	uint32_t strata = c->setup->strata, *next = heap_zalloc((size_t)strata + 1, sizeof *next), *end = heap_zalloc((size_t)strata + 1, sizeof *end);
	for (uint32_t i = count; i-- > 0;)
		next[c->setup->rows[keys[i].row].stratum] = i;
	for (uint32_t i = 0; i < count; i++)
		end[c->setup->rows[keys[i].row].stratum] = i + 1;
	for (bool any = true; any && quota > 0;) {
		any = false;
		for (uint32_t s = 0; s < strata && quota > 0; s++) {
			bool taken = false;
			while (!taken && next[s] < end[s])
				taken = take(c, keys[next[s]++].row, SAMPLE_CHANCE);
			any |= taken;
			quota -= taken;
		}
	}
	free(next);
	free(end);
}

static void order_by_draw(const struct sample_setup *s, struct sample_result *r, struct key *keys)
{
	struct sample_pick *sorted = heap_zalloc((size_t)r->count + 1, sizeof *sorted);
	for (uint32_t i = 0; i < r->count; i++)
		keys[i] = (struct key){0, s->rows[r->picks[i].row].draw, i};
	qsort(keys, r->count, sizeof *keys, by_key);
	for (uint32_t i = 0; i < r->count; i++)
		sorted[i] = r->picks[keys[i].row];
	memcpy(r->picks, sorted, r->count * sizeof *sorted);
	free(sorted);
}

struct sample_result sample_choose(const struct sample_setup *setup, struct arena *arena)
{
	struct sample_result r = {0};
	struct choosing c = {.setup = setup, .result = &r, .print_cap = 64};
	while (c.print_cap / 2 <= setup->wanted)
		c.print_cap *= 2;
	r.picks = arena_array(arena, setup->wanted, sizeof *r.picks);
	c.passed = heap_zalloc((size_t)setup->row_count + 1, sizeof *c.passed);
	c.prints = heap_zalloc(c.print_cap, sizeof *c.prints);
	struct key *keys = heap_zalloc((size_t)setup->row_count + 1, sizeof *keys);
	uint32_t n = sort_rows(setup, SAMPLE_CHANCE, keys);
	take_by_chance(&c, keys, n, (uint32_t)(shares[SAMPLE_CHANCE] * setup->wanted));
	static const enum sample_why weak[] = {SAMPLE_DISAGREEMENT, SAMPLE_FAR, SAMPLE_UNSURE}; /* the rarest first */
	for (size_t w = 0; w < sizeof weak / sizeof weak[0]; w++) {
		uint32_t quota = (uint32_t)(shares[weak[w]] * setup->wanted);
		n = sort_rows(setup, weak[w], keys);
		for (uint32_t i = 0; i < n && quota > 0; i++)
			quota -= take(&c, keys[i].row, weak[w]);
	}
	n = sort_rows(setup, SAMPLE_CHANCE, keys);
	take_by_chance(&c, keys, n, setup->wanted - r.count);
	order_by_draw(setup, &r, keys);
	free(keys);
	free(c.prints);
	free(c.passed);
	return r;
}
