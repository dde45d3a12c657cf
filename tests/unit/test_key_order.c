/*
 * test_key_order.c: lines of equal keys against a model that compares every record with every other.
 *
 * The property: at any time a record is the first of its line exactly when no record of its key and partition with a lower
 * offset is there, whoever enters and leaves in whatever order.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "worker/stream/key_order.h"

enum { PLACES = 48, KEYS = 5, SCOPES = 2, STEPS = 60000 };

struct record {
	struct key_place place;
	bool here;
	unsigned key, scope;
	int64_t offset;
};

struct world {
	struct key_order order;
	struct record records[PLACES];
	char keys[KEYS][24];
	char scopes[SCOPES]; /* only their addresses matter */
	uint64_t seed;
	int64_t next_offset;
};

static uint64_t below(struct world *w, uint64_t n)
{
	uint64_t z = w->seed += 0x9e3779b97f4a7c15u; /* splitmix64, public domain, S. Vigna */
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return (z ^ z >> 31) % n;
}

static bool is_ahead(const struct record *a, const struct record *b)
{
	return a->here && a->key == b->key && a->scope == b->scope && a->offset < b->offset;
}

/* The model's answer. */
static bool waits(const struct world *w, const struct record *r)
{
	for (int i = 0; i < PLACES; i++)
		if (is_ahead(&w->records[i], r))
			return true;
	return false;
}

static struct record *next_in_line(struct world *w, const struct record *r)
{
	struct record *next = NULL;
	for (int i = 0; i < PLACES; i++)
		if (w->records[i].here && is_ahead(r, &w->records[i]) && (next == NULL || w->records[i].offset < next->offset))
			next = &w->records[i];
	return next;
}

static void enter(struct world *w, struct record *r)
{
	r->key = (unsigned)below(w, KEYS);
	r->scope = (unsigned)below(w, SCOPES);
	/* now and then one from far behind, as after a partition was read again */
	r->offset = below(w, 8) == 0 ? w->next_offset - (int64_t)below(w, 200) * 3 - 1 : w->next_offset;
	w->next_offset += 3;
	for (int i = 0; i < PLACES; i++)
		if (w->records[i].here && w->records[i].offset == r->offset)
			return;
	bool first = !waits(w, r);
	assert_int_equal(key_order_enter(&w->order, &r->place, &w->scopes[r->scope], str_of(w->keys[r->key]), r->offset), first);
	r->here = true;
}

static void leave(struct world *w, struct record *r)
{
	bool was_first = !waits(w, r);
	struct record *next = next_in_line(w, r);
	struct key_place *turn = key_order_leave(&w->order, &r->place);
	assert_ptr_equal(turn, was_first && next != NULL ? &next->place : NULL);
	r->here = false;
}

static void check(struct world *w)
{
	for (int i = 0; i < PLACES; i++) {
		const struct record *r = &w->records[i];
		if (!r->here)
			continue;
		assert_int_equal(key_order_is_first(&r->place), !waits(w, r));
		if (!waits(w, r))
			assert_ptr_equal(key_order_first(&w->order, &w->scopes[r->scope], str_of(w->keys[r->key])), &r->place);
	}
}

static void whoever_comes_and_goes_only_the_lowest_of_a_key_is_first(void **state)
{
	(void)state;
	static struct world w;
	w.seed = 20;
	key_order_open(&w.order, 4, 77); /* few buckets: lines share them */
	for (int i = 0; i < KEYS; i++)
		(void)snprintf(w.keys[i], sizeof w.keys[i], "%.*s-%d", i * 4, "a-long-prefix-of-keys", i); /* fits */
	for (int step = 0; step < STEPS; step++) {
		struct record *r = &w.records[below(&w, PLACES)];
		if (r->here)
			leave(&w, r);
		else
			enter(&w, r);
		check(&w);
	}
	for (int i = 0; i < PLACES; i++)
		if (w.records[i].here)
			leave(&w, &w.records[i]);
	for (unsigned i = 0; i < KEYS * SCOPES; i++)
		assert_null(key_order_first(&w.order, &w.scopes[i % SCOPES], str_of(w.keys[i / SCOPES])));
	key_order_close(&w.order);
}

static void keys_are_compared_as_bytes_and_with_their_length(void **state)
{
	(void)state;
	struct key_order o;
	struct key_place places[6];
	static const struct str keys[] = {
		{"", 0}, {"\0", 1}, {"\0\0", 2}, {"12345678", 8}, {"12345678\0", 9}, {"123456789", 9},
	};
	char scope;
	key_order_open(&o, 64, 1);
	for (size_t i = 0; i < 6; i++)
		assert_true(key_order_enter(&o, &places[i], &scope, keys[i], 10));
	struct key_place second;
	assert_false(key_order_enter(&o, &second, &scope, keys[4], 11));
	assert_ptr_equal(key_order_leave(&o, &places[4]), &second);
	key_order_close(&o);
}

static void who_stands_in_no_line_waits_for_nobody(void **state)
{
	(void)state;
	struct key_place none = {0};
	assert_true(key_order_is_first(&none));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whoever_comes_and_goes_only_the_lowest_of_a_key_is_first),
		cmocka_unit_test(keys_are_compared_as_bytes_and_with_their_length),
		cmocka_unit_test(who_stands_in_no_line_waits_for_nobody),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
