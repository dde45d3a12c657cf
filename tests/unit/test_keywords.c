/* test_keywords.c: against a search that does it the slow way, and where words end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "worker/route/fold.h"
#include "worker/route/keywords.h"

struct one_list {
	struct keywords *keywords;
	struct keywords_scan *scan;
};

static struct one_list list_of(const char *const *words)
{
	struct one_list l = {keywords_new(), NULL};
	struct err err = {""};
	assert_int_equal(keywords_list(l.keywords), 0);
	for (; *words != NULL; words++)
		assert_int_equal(keywords_add(l.keywords, str_of(*words), &err), RC_OK);
	if (keywords_compile(l.keywords, &err) != RC_OK)
		fail_msg("%s", err.text);
	l.scan = keywords_scan_new(l.keywords);
	return l;
}

static void list_free(struct one_list l)
{
	keywords_scan_free(l.scan);
	keywords_free(l.keywords);
}

static void keywords_match_whole_words_in_any_spelling(void **state)
{
	(void)state;
	static const struct {
		const char *keyword, *text;
		bool found;
	} cases[] = {
		{"cat", "Cat!", true},
		{"cat", "concatenate", false},
		{"cat", "cats", false},
		{"cat", "bobcat", false},
		{"cat", "bobcat cats cat", true},
		{"cat", "cat_id", true},
		{"cat", "cat7", false},
		{"cat", "\u00E9cat", false},
		{"cat", "cat\u0436", false},
		{"cat", "cat\u0301", true}, /* an accent is folded away before */
		{"caf\u00E9", "two CAFE\u0301S", false},
		{"caf\u00E9", "two cafes, one cafe", true},
		{"Stra\u00DFe", "HAUPTSTRASSE 1", false},
		{"Stra\u00DFe", "Lange STRASSE 1", true},
		{"credit card", "my credit\n  card", true},
		{"credit card", "my credit-card", false},
		{"C++", "I like C++.", true},
		{"C++", "C+++", true}, /* its end is no word character: no boundary is asked for */
		{"C++", "AC++", false},
		{"#1", "we are #1", true},
		{"\u8FD4\u91D1", "\u8ACB\u5E6B\u6211\u8FD4\u91D1\u3002", true}, /* no spaces in Chinese */
		{"\uD658\uBD88", "\uD658\uBD88\uC744 \uC6D0\uD574\uC694", true},  /* Korean endings are glued on */
		{"X200", "the\u8D77X200\u8D77", true},
		{"refund", "re\u200Bfund", true},
		{"don't", "I don\u2019t", true},
		{"a", "a", true},
		{"a", "", false},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		const char *words[] = {cases[i].keyword, NULL};
		struct one_list l = list_of(words);
		keywords_run(l.keywords, l.scan, str_of(cases[i].text));
		if ((keywords_found(l.keywords, l.scan, 0).data != NULL) != cases[i].found)
			fail_msg("\"%s\" in \"%s\": expected %s", cases[i].keyword, cases[i].text, cases[i].found ? "a match" : "none");
		list_free(l);
	}
}

static void the_keyword_named_is_the_one_that_ends_first_as_it_was_written(void **state)
{
	(void)state;
	const char *words[] = {"Lawsuit", "COURT", "law", "lawsuit", NULL};
	struct one_list l = list_of(words);
	assert_int_equal(keywords_count(l.keywords), 3);
	keywords_run(l.keywords, l.scan, STR("court and lawsuit"));
	assert_true(str_is(keywords_found(l.keywords, l.scan, 0), "COURT"));
	keywords_run(l.keywords, l.scan, STR("a LAWSUIT in court"));
	assert_true(str_is(keywords_found(l.keywords, l.scan, 0), "Lawsuit"));
	keywords_run(l.keywords, l.scan, STR("nothing"));
	assert_null(keywords_found(l.keywords, l.scan, 0).data);
	list_free(l);
}

static void bad_keywords_are_refused(void **state)
{
	(void)state;
	struct keywords *keywords = keywords_new();
	(void)keywords_list(keywords); /* number 0 */
	char big[KEYWORD_MAX_BYTES + 1];
	memset(big, 'x', sizeof big);
	struct err err;
	assert_int_equal(keywords_add(keywords, STR(""), &err), RC_BAD_INPUT);
	assert_int_equal(keywords_add(keywords, STR(" \u200B "), &err), RC_BAD_INPUT);
	assert_string_equal(err.text, "a keyword is empty");
	assert_int_equal(keywords_add(keywords, (struct str){big, sizeof big}, &err), RC_BAD_INPUT);
	assert_string_equal(err.text, "a keyword is longer than 256 bytes: \"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...\"");
	assert_int_equal(keywords_compile(keywords, &err), RC_OK); /* a list without words never matches */
	struct keywords_scan *scan = keywords_scan_new(keywords);
	keywords_run(keywords, scan, STR("x"));
	assert_null(keywords_found(keywords, scan, 0).data);
	keywords_scan_free(scan);
	keywords_free(keywords);
}

static uint32_t next_random(uint64_t *seed)
{
	*seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(*seed >> 33);
}

/* A word of few letters, so that words overlap and contain each other. */
static size_t random_text(uint64_t *seed, size_t pieces, char *out)
{
	static const char *const alphabet[] = {"a", "b", "B", "\u00E4", "\u0436", " ", "-", "\u8FD4", "1"};
	size_t n = 0;
	for (size_t i = 0; i < pieces; i++) {
		const char *p = alphabet[next_random(seed) % (sizeof alphabet / sizeof alphabet[0])];
		memcpy(out + n, p, strlen(p));
		n += strlen(p);
	}
	return n;
}

static bool word_at(struct str s, size_t at)
{
	size_t bytes;
	return at < s.len && fold_is_word(fold_decode(s, at, &bytes));
}

/* Tries every place. Returns where the match ends, 0 for none. */
static size_t naive(struct str text, struct str word)
{
	char t[4096], w[256];
	struct str ft = {t, fold_text(text, t)}, fw = str_trim((struct str){w, fold_text(word, w)});
	for (size_t at = 0; at + fw.len <= ft.len; at++) {
		if (memcmp(t + at, fw.data, fw.len) != 0)
			continue;
		bool head = word_at(fw, 0) && at > 0 && fold_is_word(fold_decode_before(ft, at));
		bool tail = fold_is_word(fold_decode_before(fw, fw.len)) && word_at(ft, at + fw.len);
		if (!head && !tail)
			return at + fw.len;
	}
	return 0;
}

static void it_finds_what_the_slow_search_finds(void **state)
{
	(void)state;
	enum { ROUNDS = 60, LISTS = 8, WORDS = 5, TEXTS = 20 };
	uint64_t seed = 20261124;
	for (int round = 0; round < ROUNDS; round++) {
		struct keywords *keywords = keywords_new();
		struct str words[LISTS][WORDS];
		static char store[LISTS][WORDS][64];
		struct err err;
		for (unsigned l = 0; l < LISTS; l++) {
			assert_int_equal(keywords_list(keywords), l);
			for (unsigned w = 0; w < WORDS; w++) {
				do
					words[l][w] = (struct str){store[l][w], random_text(&seed, 1 + next_random(&seed) % 5, store[l][w])};
				while (keywords_add(keywords, words[l][w], &err) != RC_OK);
			}
		}
		assert_int_equal(keywords_compile(keywords, &err), RC_OK);
		struct keywords_scan *scan = keywords_scan_new(keywords);
		for (int n = 0; n < TEXTS; n++) {
			char data[512];
			struct str text = {data, random_text(&seed, next_random(&seed) % 80, data)};
			keywords_run(keywords, scan, text);
			for (unsigned l = 0; l < LISTS; l++) {
				size_t best = 0;
				struct str named = STR_NULL;
				for (unsigned w = 0; w < WORDS; w++) {
					size_t end = naive(text, words[l][w]);
					if (end != 0 && (best == 0 || end < best)) {
						best = end;
						named = words[l][w];
					}
				}
				struct str found = keywords_found(keywords, scan, l);
				if ((found.data == NULL) != (named.data == NULL) || !str_eq(found, named))
					fail_msg("round %d: in \"%.*s\" found \"%.*s\", expected \"%.*s\"", round, STR_ARG(text), STR_ARG(found), STR_ARG(named));
			}
		}
		keywords_scan_free(scan);
		keywords_free(keywords);
	}
}

static void a_thousand_keywords_are_each_found(void **state)
{
	(void)state;
	enum { WORDS = 1000 };
	struct keywords *keywords = keywords_new();
	struct err err;
	char word[32], text[128];
	for (unsigned i = 0; i < WORDS; i++) {
		(void)keywords_list(keywords); /* numbers count from 0 */
		(void)snprintf(word, sizeof word, "Product-%u", i); /* fits */
		assert_int_equal(keywords_add(keywords, str_of(word), &err), RC_OK);
	}
	assert_int_equal(keywords_compile(keywords, &err), RC_OK);
	assert_int_equal(keywords_count(keywords), WORDS);
	struct keywords_scan *scan = keywords_scan_new(keywords);
	for (unsigned i = 0; i < WORDS; i++) {
		(void)snprintf(text, sizeof text, "my PRODUCT-%u is broken", i); /* fits */
		keywords_run(keywords, scan, str_of(text));
		for (unsigned l = 0; l < WORDS; l++)
			assert_int_equal(keywords_found(keywords, scan, l).data != NULL, l == i);
	}
	keywords_scan_free(scan);
	keywords_free(keywords);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keywords_match_whole_words_in_any_spelling),
		cmocka_unit_test(the_keyword_named_is_the_one_that_ends_first_as_it_was_written),
		cmocka_unit_test(bad_keywords_are_refused),
		cmocka_unit_test(it_finds_what_the_slow_search_finds),
		cmocka_unit_test(a_thousand_keywords_are_each_found),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
