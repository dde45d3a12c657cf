/* test_fold.c: one spelling for all ways to write a word, and where words end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "worker/route/fold.h"

static struct str folded(const char *text, char *out)
{
	return (struct str){out, fold_text(str_of(text), out)};
}

static void spellings_of_one_word_fold_to_one(void **state)
{
	(void)state;
	static const struct {
		const char *text, *expected;
	} cases[] = {
		{"", ""},
		{"plain words, 100 %", "plain words, 100 %"},
		{"LaWsUiT", "lawsuit"},
		{"caf\u00E9 CAF\u00C9 cafe\u0301", "cafe cafe cafe"},
		{"Stra\u00DFe STRASSE", "strasse strasse"},
		{"\u0130stanbul \u0131\u015F\u0131k", "istanbul isik"},
		{"\u00C6r\u00F8 \u0141\u00F3d\u017A \u0152uvre", "aero lodz oeuvre"},
		{"\uFF32\uFF25\uFF26\uFF35\uFF2E\uFF24 \uFB01ne \u2460", "refund fine 1"},
		{"\u041F\u0420\u0418\u0412\u0415\u0422 \u0451\u043B\u043A\u0430", "\u043F\u0440\u0438\u0432\u0435\u0442 \u0435\u043B\u043A\u0430"},
		{"\u03A3\u03AF\u03C3\u03C5\u03C6\u03BF\u03C2", "\u03C3\u03B9\u03C3\u03C5\u03C6\u03BF\u03C3"},
		{"re\u00ADfund re\u200Bfund", "refund refund"},
		{"credit \t\r\n card\u00A0\u2003number", "credit card number"},
		{"don\u2019t \u201Cx\u201D E\u20111234", "don't \"x\" e-1234"},
		{"\u304C\u304E\u30D0 \uD55C\uAD6D\uC5B4", "\u304C\u304E\u30D0 \uD55C\uAD6D\uC5B4"},
		{"\u0915\u0941\u0924\u094D\u0924\u093E", "\u0915\u0941\u0924\u094D\u0924\u093E"},
		{"\xFF\xC3(", "\xFF\xC3("}, /* not UTF-8: as it is */
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char out[512];
		struct str got = folded(cases[i].text, out);
		if (!str_is(got, cases[i].expected))
			fail_msg("case %zu: got \"%.*s\", expected \"%s\"", i, STR_ARG(got), cases[i].expected);
	}
}

static size_t encode(uint32_t c, char *out)
{
	if (c < 0x80)
		return out[0] = (char)c, 1;
	if (c < 0x800)
		return out[0] = (char)(0xC0 | c >> 6), out[1] = (char)(0x80 | (c & 63)), 2;
	if (c < 0x10000)
		return out[0] = (char)(0xE0 | c >> 12), out[1] = (char)(0x80 | (c >> 6 & 63)), out[2] = (char)(0x80 | (c & 63)), 3;
	out[0] = (char)(0xF0 | c >> 18), out[1] = (char)(0x80 | (c >> 12 & 63)), out[2] = (char)(0x80 | (c >> 6 & 63));
	return out[3] = (char)(0x80 | (c & 63)), 4;
}

static void folding_keeps_its_bound_and_folds_no_further(void **state)
{
	(void)state;
	for (uint32_t c = 1; c < 0x110000; c++) {
		if (c >= 0xD800 && c < 0xE000)
			continue;
		char text[4], once[4 * FOLD_GROWTH], twice[4 * FOLD_GROWTH * FOLD_GROWTH];
		size_t bytes = encode(c, text), again;
		struct str s = {text, bytes}, first = {once, fold_text(s, once)};
		assert_int_equal(fold_decode(s, 0, &again), c);
		assert_int_equal(again, bytes);
		assert_int_equal(fold_decode_before(s, bytes), c);
		if (first.len > FOLD_GROWTH * bytes || !str_utf8_valid(first))
			fail_msg("U+%04X folds to %zu bytes", c, first.len);
		struct str second = {twice, fold_text(first, twice)};
		if (!str_eq(first, second))
			fail_msg("U+%04X folds to something that folds further", c);
	}
}

static void a_text_folds_as_its_characters_do_one_by_one(void **state)
{
	(void)state;
	static const char *const alphabet[] = {" ", " ", "a", "Z", "A", "z", "@", "[", "`", "{", "~", "\x7F", "\t", "\n", "\x01", "7", "\u00C9", "\u2003", "\u200B"};
	uint64_t seed = 11;
	for (int round = 0; round < 20000; round++) {
		char text[128], out[128 * FOLD_GROWTH], expected[128 * FOLD_GROWTH];
		size_t n = 0, e = 0, pieces = (size_t)round % 40;
		for (size_t i = 0; i < pieces; i++) {
			seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
			struct str c = str_of(alphabet[(seed >> 33) % (sizeof alphabet / sizeof alphabet[0])]);
			memcpy(text + n, c.data, c.len);
			n += c.len;
			size_t added = fold_text(c, expected + e);
			bool repeated = added == 1 && expected[e] == ' ' && e != 0 && expected[e - 1] == ' ';
			e += repeated ? 0 : added;
		}
		struct str got = {out, fold_text((struct str){text, n}, out)};
		if (!str_eq(got, (struct str){expected, e}))
			fail_msg("\"%.*s\" folds to \"%.*s\", its characters to \"%.*s\"", (int)n, text, STR_ARG(got), (int)e, expected);
	}
}

static void word_characters_are_those_of_scripts_with_spaces(void **state)
{
	(void)state;
	static const uint32_t words[] = {'a', 'Z', '7', 0xE9, 0x416, 0x3B1, 0x5D0, 0x628, 0x905, 0x94D, 0x301, 0x1E00};
	static const uint32_t others[] = {' ', '-', '\'', '_', 0, 0x20AC, 0x6F22, 0x3042, 0xAC00, 0x0E01, 0x20000, 0xFFFD, 0x10FFFF};
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		assert_true(fold_is_word(words[i]));
	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
		assert_false(fold_is_word(others[i]));
}

static void cut_characters_are_read_as_single_bytes(void **state)
{
	(void)state;
	struct str s = STR("\xE2\x82");
	size_t bytes;
	assert_int_equal(fold_decode(s, 0, &bytes), 0xFFFD);
	assert_int_equal(bytes, 1);
	assert_int_equal(fold_decode_before(s, 2), 0xFFFD);
	assert_int_equal(fold_decode_before(STR("a\x80"), 2), 0xFFFD);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(spellings_of_one_word_fold_to_one),
		cmocka_unit_test(folding_keeps_its_bound_and_folds_no_further),
		cmocka_unit_test(a_text_folds_as_its_characters_do_one_by_one),
		cmocka_unit_test(word_characters_are_those_of_scripts_with_spaces),
		cmocka_unit_test(cut_characters_are_read_as_single_bytes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
