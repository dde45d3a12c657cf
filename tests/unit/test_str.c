/* test_str.c: slices, UTF-8, numbers, distances and the growing buffer, by tables. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "common/arena.h"

static void slices_compare_and_trim(void **state)
{
	(void)state;
	assert_true(str_eq(STR(""), STR_NULL)); /* equal as bytes; absent is told by data */
	assert_true(str_is(STR("abc"), "abc") && !str_is(STR("abc"), "ab") && !str_is(STR("a\0b"), "a"));
	assert_true(str_cmp(STR("a"), STR("b")) < 0 && str_cmp(STR("ab"), STR("a")) > 0 && str_cmp(STR("a"), STR("a")) == 0);
	assert_true(str_cmp(STR_NULL, STR("a")) < 0 && str_cmp(STR("\x80"), STR("a")) > 0);
	assert_true(str_starts(STR("abc"), STR("ab")) && str_starts(STR("abc"), STR_NULL) && !str_starts(STR("a"), STR("ab")));
	assert_true(str_eq_nocase(STR("AbZ[1"), STR("aBz[1")) && !str_eq_nocase(STR("@"), STR("`")) && !str_eq_nocase(STR("a"), STR("ab")));
	assert_true(str_is(str_trim(STR(" \t\r\n\v\fa b\n ")), "a b") && str_trim(STR(" \n")).len == 0 && str_trim(STR_NULL).len == 0);
}

static void utf8_is_checked_as_rfc_3629_says(void **state)
{
	(void)state;
	static const struct {
		struct str s;
		bool valid;
	} cases[] = {
		{{NULL, 0}, true},
		{STR("plain ascii, longer than eight bytes"), true},
		{STR("a\0b"), true},
		{STR("\xc2\x80"), true},
		{STR("\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf"), true},
		{STR("\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"), true},
		{STR("12345678\xc3\xa9" "12345678\xc3"), false},
		{STR("\x80"), false},
		{STR("\xc0\x80"), false}, /* overlong NUL */
		{STR("\xc1\xbf"), false},
		{STR("\xe0\x9f\xbf"), false},
		{STR("\xf0\x8f\xbf\xbf"), false},
		{STR("\xed\xa0\x80"), false}, /* surrogates */
		{STR("\xed\xbf\xbf"), false},
		{STR("\xf4\x90\x80\x80"), false}, /* beyond U+10FFFF */
		{STR("\xf5\x80\x80\x80"), false},
		{STR("\xff"), false},
		{STR("\xe2\x82"), false},
		{STR("\xe2\x28\xa1"), false},
		{STR("\xf0\x9f\x98"), false},
		{STR("1234567\xc3"), false},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char *copy = heap_alloc(cases[i].s.len); /* exactly the bytes, so that a sanitizer sees a read past the end */
		if (cases[i].s.len != 0)
			memcpy(copy, cases[i].s.data, cases[i].s.len);
		if (str_utf8_valid((struct str){copy, cases[i].s.len}) != cases[i].valid)
			fail_msg("case %zu", i);
		free(copy);
	}
}

/* All 2^16 + 2^24 short sequences would be slow; every lead byte with every second byte and two kinds of rest is not. */
static void utf8_agrees_with_decoding_by_the_book(void **state)
{
	(void)state;
	static const unsigned char rests[][2] = {{0x80, 0x80}, {0xBF, 0xBF}, {0x41, 0x80}, {0x80, 0xC0}};
	for (unsigned lead = 0x80; lead < 256; lead++) {
		for (unsigned second = 0; second < 256; second++) {
			for (unsigned r = 0; r < 4; r++) {
				unsigned need = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
				unsigned char text[4] = {(unsigned char)lead, (unsigned char)second, rests[r][0], rests[r][1]};
				uint32_t code = need == 4 ? lead & 7 : need == 3 ? lead & 15 : lead & 31;
				bool valid = lead >= 0xC0 && lead < 0xF8;
				for (unsigned i = 1; i < need; i++) {
					valid = valid && (text[i] & 0xC0) == 0x80;
					code = code << 6 | (text[i] & 0x3F);
				}
				static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
				valid = valid && code >= least[need] && code <= 0x10FFFF && (code < 0xD800 || code > 0xDFFF);
				if (str_utf8_valid((struct str){(const char *)text, need}) != valid)
					fail_msg("%02x %02x %02x %02x", text[0], text[1], text[2], text[3]);
			}
		}
	}
}

static void a_cut_splits_no_character(void **state)
{
	(void)state;
	struct str s = STR("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80z"); /* 1 + 2 + 3 + 4 + 1 bytes */
	static const size_t cuts[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 11, 11};
	for (size_t i = 0; i < sizeof cuts / sizeof cuts[0]; i++)
		assert_int_equal(str_utf8_cut(s, i), cuts[i]);
	assert_int_equal(str_utf8_count(s), 5);
	assert_int_equal(str_utf8_cut(STR("\x80\x80\x80"), 2), 0);
	assert_int_equal(str_utf8_cut(STR_NULL, 5), 0);
}

static void whole_numbers_are_read_in_range_only(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		bool good;
		int64_t value;
	} cases[] = {
		{"0", true, 0}, {"-0", true, 0}, {"+7", true, 7}, {"007", true, 7}, {"9223372036854775807", true, INT64_MAX},
		{"-9223372036854775808", true, INT64_MIN}, {"9223372036854775808", false, 0}, {"-9223372036854775809", false, 0},
		{"99999999999999999999", false, 0}, {"", false, 0}, {"-", false, 0}, {"+", false, 0}, {"+-5", false, 0}, {" 1", false, 0}, {"1 ", false, 0},
		{"1.0", false, 0}, {"0x1", false, 0}, {"1e3", false, 0},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		int64_t n = 42;
		assert_int_equal(str_to_i64(str_of(cases[i].text), &n), cases[i].good);
		assert_true(n == (cases[i].good ? cases[i].value : 42));
	}
}

static void decimal_numbers_are_read_without_words_or_hex(void **state)
{
	(void)state;
	static const struct {
		struct str text;
		bool good;
		double value;
	} cases[] = {
		{STR("0"), true, 0}, {STR("-1.5e3"), true, -1500}, {STR(".5"), true, 0.5}, {STR("5."), true, 5}, {STR("1e-400"), true, 0},
		{STR("1e400"), false, 0}, {STR("nan"), false, 0}, {STR("inf"), false, 0}, {STR("0x10"), false, 0}, {STR(""), false, 0}, {STR(" 1"), false, 0},
		{STR("1 "), false, 0}, {STR("1,5"), false, 0}, {STR("."), false, 0}, {STR("1e"), false, 0}, {STR("1\0"), false, 0}, {STR("--1"), false, 0},
		{STR("1111111111111111111111111111111111111111111111111111111111111111"), false, 0}, /* 64 characters: too long */
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		double d = 42;
		if (str_to_double(cases[i].text, &d) != cases[i].good || d != (cases[i].good ? cases[i].value : 42))
			fail_msg("%s gives %g", cases[i].text.data, d);
	}
}

static void distance_counts_slips(void **state)
{
	(void)state;
	static const struct {
		const char *a, *b;
		unsigned distance;
	} cases[] = {
		{"", "", 0}, {"", "abc", 3}, {"abc", "", 3}, {"route", "route", 0}, {"route", "rouet", 1}, {"route", "rote", 1}, {"route", "routes", 1},
		{"route", "rouze", 1}, {"kitten", "sitting", 3}, {"ca", "abc", 3}, {"abcdef", "badcfe", 3},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		assert_int_equal(str_distance(str_of(cases[i].a), str_of(cases[i].b)), cases[i].distance);
		assert_int_equal(str_distance(str_of(cases[i].b), str_of(cases[i].a)), cases[i].distance);
	}
	char text[66];
	memset(text, 'a', sizeof text);
	assert_int_equal(str_distance((struct str){text, 64}, (struct str){text, 64}), 0);
	assert_true(str_distance((struct str){text, 65}, (struct str){text, 65}) >= 1000);
}

static void a_buffer_grows_and_keeps_its_bytes(void **state)
{
	(void)state;
	struct arena arena;
	struct buf buf;
	arena_init(&arena, 0);
	buf_init(&buf, &arena, 0);
	assert_true(buf.data == NULL && str_eq(buf_view(&buf), STR("")) && buf_view(&buf).data != NULL);
	buf_add(&buf, NULL, 0);
	buf_str(&buf, STR_NULL);
	assert_null(buf.data);
	for (int i = 0; i < 2000; i++) {
		buf_i64(&buf, i % 2 ? -i : i);
		buf_char(&buf, ',');
	}
	buf_cstr(&buf, "x");
	buf_printf(&buf, "%s-%05d", "y", 42);
	buf_i64(&buf, INT64_MIN);
	buf_i64(&buf, INT64_MAX);
	struct str s = buf_view(&buf);
	assert_true(str_starts(s, STR("0,-1,2,-3,4,")));
	struct str end = STR("-1999,xy-00042-92233720368547758089223372036854775807");
	assert_true(str_eq((struct str){s.data + s.len - end.len, end.len}, end));
	buf_init(&buf, &arena, 5000);
	char *data = buf.data;
	memset(buf_room(&buf, 5000), 'z', 5000);
	assert_ptr_equal(buf.data, data); /* reserved once is enough */
	arena_free(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(slices_compare_and_trim),
		cmocka_unit_test(utf8_is_checked_as_rfc_3629_says),
		cmocka_unit_test(utf8_agrees_with_decoding_by_the_book),
		cmocka_unit_test(a_cut_splits_no_character),
		cmocka_unit_test(whole_numbers_are_read_in_range_only),
		cmocka_unit_test(decimal_numbers_are_read_without_words_or_hex),
		cmocka_unit_test(distance_counts_slips),
		cmocka_unit_test(a_buffer_grows_and_keeps_its_bytes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
