/* test_regex.c: matches, errors with their place, and searches that would never end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "common/arena.h"
#include "worker/route/regex.h"

static enum regex_result run(const char *pattern, struct str text)
{
	struct regex *regex = NULL;
	struct err err = {""};
	if (regex_new(str_of(pattern), &regex, NULL, &err) != RC_OK)
		fail_msg("%s", err.text);
	struct regex_scan *scan = regex_scan_new();
	enum regex_result result = regex_run(regex, scan, text);
	regex_scan_free(scan);
	regex_free(regex);
	return result;
}

static void patterns_match_as_written(void **state)
{
	(void)state;
	static const struct {
		const char *pattern;
		struct str text;
		enum regex_result expected;
	} cases[] = {
		{"\\bE-\\d{4}\\b", {"error E-1234.", 13}, REGEX_MATCH},
		{"\\bE-\\d{4}\\b", {"error E-12345", 13}, REGEX_NO_MATCH},
		{"(?i)refund", {"REFUND", 6}, REGEX_MATCH},
		{"refund", {"REFUND", 6}, REGEX_NO_MATCH},
		{"^\\w+$", {"na\u00EFve", 6}, REGEX_MATCH},
		{"\\bcaf\u00E9\\b", {"un caf\u00E9!", 9}, REGEX_MATCH},
		{".", {"", 0}, REGEX_NO_MATCH},
		{"^$", {NULL, 0}, REGEX_MATCH},
		{"a.c", {"\xFF" "a\xFF" "c", 4}, REGEX_NO_MATCH},
		{"abc", {"\xFF\xFE" "abc", 5}, REGEX_MATCH},
		{"b$", {"a\0b", 3}, REGEX_MATCH},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		if (run(cases[i].pattern, cases[i].text) != cases[i].expected)
			fail_msg("case %zu: %s", i, cases[i].pattern);
}

static void a_bad_pattern_is_refused_with_its_place(void **state)
{
	(void)state;
	static const struct {
		const char *pattern, *words;
		size_t offset;
	} cases[] = {
		{"", "the pattern is empty: it would match every text", 0},
		{"a(b", "missing closing parenthesis at character 4 of the pattern", 3},
		{"\u00E9[z-a]", "range out of order in character class at character 5 of the pattern", 5},
		{"*", "quantifier does not follow a repeatable item at character 1 of the pattern", 0},
		{"a\\Cb", "using \\C is disabled by the application at character 4 of the pattern", 3},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct regex *regex = NULL;
		struct err err = {""};
		size_t offset = 99;
		assert_int_equal(regex_new(str_of(cases[i].pattern), &regex, &offset, &err), RC_BAD_INPUT);
		assert_null(regex);
		assert_string_equal(err.text, cases[i].words);
		assert_int_equal(offset, cases[i].offset);
	}
	static char big[REGEX_MAX_BYTES + 1];
	memset(big, 'x', sizeof big);
	struct regex *regex = NULL;
	assert_int_equal(regex_new((struct str){big, sizeof big}, &regex, NULL, NULL), RC_BAD_INPUT);
}

static void a_search_that_explodes_is_given_up(void **state)
{
	(void)state;
	enum { LENGTH = 50000 };
	char *text = heap_alloc(LENGTH);
	memset(text, 'a', LENGTH);
	text[LENGTH - 1] = '!';
	struct str s = {text, LENGTH};
	assert_int_equal(run("^(a+)+$", s), REGEX_LIMIT);
	assert_int_equal(run("^(a|aa)+$", s), REGEX_LIMIT);
	assert_int_equal(run("a{5}", s), REGEX_MATCH);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(patterns_match_as_written),
		cmocka_unit_test(a_bad_pattern_is_refused_with_its_place),
		cmocka_unit_test(a_search_that_explodes_is_given_up),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
