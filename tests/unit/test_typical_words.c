/*
 * Names for groups, from their words.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "worker/lab/typical_words.h"

static void names_are_of_words_that_stand_here_and_not_elsewhere(void **state)
{
	(void)state; /* unused */
	static const struct {
		const char *text;
		uint32_t group;
	} rows[] = {
		{"please tell me where the card is", 0}, {"please, the cards are late: the delivery of my card", 0}, {"please help, no card delivery yet", 0},
		{"Please, my card's delivery?", 0},      {"please what is the exchange rate", 1},                    {"please the rate for dollars", 1},
		{"please give me the RATE of exchange", 1}, {"please 12 34", 2}, {"please a1 b2", 2}, {"please x@y.z", 2},
		{"please \xC3\xA9t\xC3\xA9", 2},
	};
	struct typical_text texts[sizeof rows / sizeof rows[0]];
	struct arena arena;
	arena_init(&arena, 0);
	for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++)
		texts[i] = (struct typical_text){str_of(rows[i].text), rows[i].group};
	struct str *names = typical_words_name(texts, sizeof rows / sizeof rows[0], 4, &arena);
	assert_true(str_is(names[0], "card_delivery"));
	assert_true(str_is(names[1], "rate"));
	assert_true(str_is(names[2], "group_3")); /* what all hold is typical of none */
	assert_true(str_is(names[3], "group_4")); /* no texts */
	arena_free(&arena);
}

static void names_differ_and_are_fit_for_routes(void **state)
{
	(void)state; /* unused */
	enum { COUNT = 3000, GROUPS = 30 };
	static const char *const words[] = {"alpha", "beta", "gamma", "delta", "epsilon", "straightforward", "unquestionable", "../../etc", "\x1b[31m", "a\"b:", "na\xC3\xAFve"};
	struct typical_text texts[COUNT];
	struct arena arena;
	uint32_t seed = 3;
	arena_init(&arena, 1 << 20);
	for (uint32_t i = 0; i < COUNT; i++) {
		struct buf text;
		buf_init(&text, &arena, 64);
		for (int n = 0; n < 6; n++) {
			seed = seed * 1103515245u + 12345u;
			buf_printf(&text, "%s ", words[(seed >> 16) % (sizeof words / sizeof words[0])]);
		}
		texts[i] = (struct typical_text){buf_view(&text), i % GROUPS};
	}
	struct str *names = typical_words_name(texts, COUNT, GROUPS, &arena), *again = typical_words_name(texts, COUNT, GROUPS, &arena);
	for (uint32_t g = 0; g < GROUPS; g++) {
		assert_true(names[g].len > 0 && names[g].len <= 64);
		for (size_t i = 0; i < names[g].len; i++)
			assert_non_null(memchr("abcdefghijklmnopqrstuvwxyz0123456789_", names[g].data[i], 37));
		for (uint32_t k = 0; k < g; k++)
			assert_false(str_eq(names[g], names[k]));
		assert_true(str_eq(names[g], again[g]));
	}
	arena_free(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_of_words_that_stand_here_and_not_elsewhere),
		cmocka_unit_test(names_differ_and_are_fit_for_routes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
