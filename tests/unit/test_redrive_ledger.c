/*
 * test_redrive_ledger.c: runs of done offsets against a map of bits, and their text.
 *
 * The properties: a ledger holds what was marked, however it was marked; its text reads back as the same ledger and as no other;
 * it is never longer than a broker keeps.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "worker/stream/redrive_ledger.h"

enum { SPAN = 600, ROUNDS = 400, MARKS = 300 };

static uint64_t below(uint64_t *seed, uint64_t n)
{
	uint64_t z = *seed += 0x9e3779b97f4a7c15u; /* splitmix64, public domain, S. Vigna */
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return (z ^ z >> 31) % n;
}

static void assert_equal_ledgers(const struct redrive_ledger *a, const struct redrive_ledger *b)
{
	assert_int_equal(a->low, b->low);
	assert_int_equal(a->count, b->count);
	assert_int_equal(a->bits, b->bits);
	if (a->count != 0)
		assert_memory_equal(a->runs, b->runs, a->count * sizeof *a->runs);
}

static void assert_reads_back(const struct redrive_ledger *ledger)
{
	char text[REDRIVE_LEDGER_TEXT_MAX + 1];
	size_t len = redrive_ledger_encode(ledger, text);
	assert_true(len <= REDRIVE_LEDGER_TEXT_MAX);
	assert_int_equal(strlen(text), len);
	struct redrive_ledger again;
	struct err err;
	if (redrive_ledger_decode((struct str){text, len}, ledger->low, &again, &err) != RC_OK)
		fail_msg("%s: %s", text, err.text);
	assert_equal_ledgers(ledger, &again);
	redrive_ledger_free(&again);
}

static void it_holds_what_was_marked_in_whatever_order(void **state)
{
	(void)state;
	uint64_t seed = 1;
	for (int round = 0; round < ROUNDS; round++) {
		bool done[SPAN] = {false};
		struct redrive_ledger ledger;
		int64_t low = (int64_t)below(&seed, 20);
		memset(done, true, (size_t)low);
		redrive_ledger_init(&ledger, low);
		for (uint64_t i = below(&seed, MARKS); i-- > 0;) {
			int64_t from = (int64_t)below(&seed, SPAN), to = from + (int64_t)below(&seed, 4);
			if (to > SPAN)
				to = SPAN;
			assert_true(redrive_ledger_fits(&ledger, from, to));
			assert_true(redrive_ledger_mark(&ledger, from, to));
			for (int64_t k = from; k < to; k++)
				done[k] = true;
		}
		for (int64_t k = 0; k < SPAN; k++)
			assert_int_equal(redrive_ledger_has(&ledger, k), done[k]);
		assert_false(redrive_ledger_has(&ledger, SPAN));
		assert_reads_back(&ledger);
		redrive_ledger_free(&ledger);
	}
}

static void large_offsets_and_long_runs_read_back(void **state)
{
	(void)state;
	struct redrive_ledger ledger;
	redrive_ledger_init(&ledger, INT64_C(1) << 40);
	assert_true(redrive_ledger_mark(&ledger, (INT64_C(1) << 41) + 3, (INT64_C(1) << 50) + 1));
	assert_true(redrive_ledger_mark(&ledger, INT64_MAX - 1, INT64_MAX));
	assert_int_equal(ledger.count, 2);
	assert_reads_back(&ledger);
	redrive_ledger_free(&ledger);
}

static void what_does_not_fit_is_refused_and_changes_nothing(void **state)
{
	(void)state;
	struct redrive_ledger ledger;
	redrive_ledger_init(&ledger, 0);
	int64_t offset = 1;
	while (redrive_ledger_mark(&ledger, offset, offset + 1))
		offset += 2;
	assert_true(ledger.count > 5000); /* each second one: the worst of small gaps */
	assert_false(redrive_ledger_fits(&ledger, offset, offset + 1));
	assert_false(redrive_ledger_has(&ledger, offset));
	assert_reads_back(&ledger);
	assert_true(redrive_ledger_mark(&ledger, 0, 1)); /* what joins the low side always fits, and makes room */
	assert_int_equal(ledger.low, 2);
	assert_true(redrive_ledger_mark(&ledger, offset, offset + 1));
	assert_reads_back(&ledger);
	redrive_ledger_free(&ledger);
}

static void a_text_that_was_touched_is_refused(void **state)
{
	(void)state;
	char text[REDRIVE_LEDGER_TEXT_MAX + 1];
	struct redrive_ledger ledger, untouched = {.low = 4711};
	uint64_t seed = 3;
	redrive_ledger_init(&ledger, 10);
	for (int i = 0; i < 40; i++)
		assert_true(redrive_ledger_mark(&ledger, 12 + i * 7, 12 + i * 7 + 1 + i % 5));
	size_t len = redrive_ledger_encode(&ledger, text);
	struct redrive_ledger got = untouched;
	assert_int_equal(redrive_ledger_decode((struct str){text, len}, 11, &got, NULL), RC_BAD_INPUT);
	for (size_t cut = 0; cut < len; cut++)
		assert_int_equal(redrive_ledger_decode((struct str){text, cut}, 10, &got, NULL), RC_BAD_INPUT);
	for (int i = 0; i < 5000; i++) {
		char other[REDRIVE_LEDGER_TEXT_MAX + 1];
		memcpy(other, text, len);
		size_t at = (size_t)below(&seed, len);
		char byte = (char)below(&seed, 256);
		if (other[at] == byte)
			continue;
		other[at] = byte;
		assert_int_equal(redrive_ledger_decode((struct str){other, len}, 10, &got, NULL), RC_BAD_INPUT);
	}
	assert_int_equal(got.low, untouched.low);
	redrive_ledger_free(&ledger);
}

static void foreign_texts_are_refused(void **state)
{
	(void)state;
	static const char *const texts[] = {"", "pmr1:", "pmr1:00000000:", "some other tool's words", "pmr1:00000000:AAAAAAAAAAAAAAAAAAAAAAAA"};
	struct redrive_ledger got;
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
		assert_int_equal(redrive_ledger_decode(str_of(texts[i]), 0, &got, NULL), RC_BAD_INPUT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_holds_what_was_marked_in_whatever_order),
		cmocka_unit_test(large_offsets_and_long_runs_read_back),
		cmocka_unit_test(what_does_not_fit_is_refused_and_changes_nothing),
		cmocka_unit_test(a_text_that_was_touched_is_refused),
		cmocka_unit_test(foreign_texts_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
