/*
 * Strangers' texts on a terminal: safe, and no wider than asked.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "worker/lab/wrap.h"

static void lines_break_where_they_should(void **state)
{
	(void)state; /* unused */
	static const struct {
		const char *text;
		const char *lines[6];
	} cases[] = {
		{"", {""}},
		{"one two", {"one two"}},
		{"one two three", {"one two", "three"}},
		{"exactly 10 then", {"exactly 10", "then"}},
		{"a bcdefghijklmnop q", {"a", "bcdefghijk", "lmnop q"}},
		{"bcdefghijklmnopqrstuvw", {"bcdefghijk", "lmnopqrstu", "vw"}},
		{"a\n\nb\r\nc\n", {"a", "", "b", "c"}},
		{"a\tb", {"a    b"}},
		{"\x1b[2Jboo", {"<U+001B>[2", "Jboo"}},
		{"\xE4\xB8\xAD\xE6\x96\x87\xE4\xB8\xAD\xE6\x96\x87\xE4\xB8\xAD\xE6\x96\x87", {"\xE4\xB8\xAD\xE6\x96\x87\xE4\xB8\xAD\xE6\x96\x87\xE4\xB8\xAD", "\xE6\x96\x87"}},
		{"e\xCC\x81" "234567890", {"e\xCC\x81" "234567890"}},
		{"\xff" "a", {"\xEF\xBF\xBD" "a"}},
	};
	struct arena arena;
	arena_init(&arena, 0);
	for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct wrapped got = wrap_text(str_of(cases[i].text), 10, &arena);
		unsigned n = 0;
		for (; cases[i].lines[n] != NULL; n++) {
			assert_true(n < got.count);
			if (!str_is(got.lines[n], cases[i].lines[n]))
				fail_msg("%s, line %u: \"%.*s\"", cases[i].text, n, STR_ARG(got.lines[n]));
		}
		assert_int_equal(got.count, n);
	}
	arena_free(&arena);
}

static void one_line_is_cut_with_dots(void **state)
{
	(void)state; /* unused */
	struct arena arena;
	arena_init(&arena, 0);
	assert_true(str_is(wrap_line(STR("short\none"), 20, &arena), "short one"));
	assert_true(str_is(wrap_line(STR("exactly ten"), 11, &arena), "exactly ten"));
	assert_true(str_is(wrap_line(STR("one more than ten"), 10, &arena), "one mor..."));
	arena_free(&arena);
}

/* Whatever comes: no byte below 0x20, none of C1, no turn of direction; and no line over its width. */
static void nothing_that_commands_a_terminal_comes_through(void **state)
{
	(void)state; /* unused */
	struct arena arena;
	uint32_t seed = 1;
	arena_init(&arena, 65536);
	static const char *const parts[] = {"\x1b[31m", "\x1b]0;title\a", ("\xC2\x9B" "2J"), "\xE2\x80\xAE", "\xE2\x81\xA6", "\xEF\xBB\xBF", "\x7f", "\b\b", "\r", "a",
	                                    " ", "\n", "word", "\xF0\x9F\x98\x80", "\xE4\xB8\xAD", "\xCC\x81", "\xC3\xA9", "\xF3\xA0\x81\x81", "\x9b", "\xE2\x80"};
	for (int round = 0; round < 2000; round++) {
		struct buf text;
		buf_init(&text, &arena, 256);
		for (int i = 0; i < 30; i++) {
			seed = seed * 1103515245u + 12345u;
			buf_cstr(&text, parts[(seed >> 16) % (sizeof parts / sizeof parts[0])]);
		}
		struct wrapped got = wrap_text(buf_view(&text), 20, &arena);
		for (uint32_t i = 0; i < got.count; i++) {
			assert_true(str_utf8_valid(got.lines[i]));
			for (size_t k = 0; k < got.lines[i].len; k++) {
				unsigned char c = (unsigned char)got.lines[i].data[k], next = k + 1 < got.lines[i].len ? (unsigned char)got.lines[i].data[k + 1] : 0;
				assert_true(c >= 0x20 && c != 0x7F);
				assert_false(c == 0xC2 && next < 0xA0);
				assert_false(c == 0xE2 && next == 0x80 && k + 2 < got.lines[i].len && (unsigned char)got.lines[i].data[k + 2] == 0xAE);
			}
			assert_true(str_utf8_count(got.lines[i]) <= 20 * 5);
		}
		arena_reset(&arena);
	}
	arena_free(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_break_where_they_should),
		cmocka_unit_test(one_line_is_cut_with_dots),
		cmocka_unit_test(nothing_that_commands_a_terminal_comes_through),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
