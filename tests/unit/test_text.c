/* test_text.c: which messages are read, what is stripped, how long texts are cut. */
#include "tests/unit/route_fixture.h"

struct text_case {
	const char *name, *text, *expected;
	uint32_t strip;
};

static void mail_is_read_without_what_programs_put_around_it(void **state)
{
	(void)state;
	static const struct text_case cases[] = {
		{"nothing asked for", " <b>x</b>\n-- \nMe ", " <b>x</b>\n-- \nMe ", 0},
		{"tags", "<p>My <b>router</b> is&nbsp;down &amp; out</p><br/>Help", "My  router  is down & out\n\nHelp", STRIP_HTML},
		{"style and script", "<style>p{a:b}</style>Hi<script>if (a<b) x()</script>!", "Hi !", STRIP_HTML},
		{"no tags", "if a < b && c > d: 5 <6", "if a < b && c > d: 5 <6", STRIP_HTML},
		{"an unclosed tag", "see <a href=", "see <a href=", STRIP_HTML},
		{"entities that are none", "AT&T &unknown; <i>x</i>", "AT&T &unknown;  x", STRIP_HTML},
		{"only tags", "<br><br>", "<br><br>", STRIP_HTML},
		{"a quoted reply", "It broke again.\n\nOn Mon, 3 Feb 2025, Support wrote:\n> Did it help?\n> Regards", "It broke again.", STRIP_QUOTED_REPLY},
		{"a reply below", "> Did it help?\nNo.\n", "No.", STRIP_QUOTED_REPLY},
		{"an original message", "Please see below.\r\n-----Original Message-----\r\nFrom: x\r\n", "Please see below.", STRIP_QUOTED_REPLY},
		{"a German reply", "Geht nicht.\nAm 3.2.2025 um 10:00 schrieb Hilfe:\n> Alles gut?", "Geht nicht.", STRIP_QUOTED_REPLY},
		{"only a quotation", "> Did it help?", "> Did it help?", STRIP_QUOTED_REPLY},
		{"a signature", "Cancel it.\n-- \nA. Person\nSales", "Cancel it.", STRIP_SIGNATURE},
		{"a phone", "Cancel it.\n\nSent from my iPhone", "Cancel it.", STRIP_SIGNATURE},
		{"dashes in a text", "a -- b\n--- c", "a -- b\n--- c", STRIP_SIGNATURE},
		{"all three", "<div>Hello</div><div>-- </div><div>Me</div>", "Hello", STRIP_HTML | STRIP_QUOTED_REPLY | STRIP_SIGNATURE},
		{"empty", "", "", STRIP_HTML | STRIP_QUOTED_REPLY | STRIP_SIGNATURE},
	};
	struct arena arena;
	arena_init(&arena, 0);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct str got = strip_text(str_of(cases[i].text), cases[i].strip, &arena);
		if (!str_is(got, cases[i].expected))
			fail_msg("%s: got \"%.*s\"", cases[i].name, STR_ARG(got));
	}
	arena_free(&arena);
}

static void the_messages_asked_for_are_read(void **state)
{
	(void)state;
	struct message talk[] = {
		{STR("system"), STR("Be kind.")}, {STR("user"), STR("first")}, {STR("assistant"), STR("answer")},
		{STR("user"), STR("second")}, {STR("assistant"), STR("more")},
	};
	struct request req = {.messages = talk, .message_count = 5};
	struct arena arena;
	arena_init(&arena, 0);
	assert_str(text_use(TEXT_LAST_USER, &req, &arena), "second");
	assert_str(text_use(TEXT_FIRST_USER, &req, &arena), "first");
	assert_str(text_use(TEXT_ALL_USER, &req, &arena), "first\n\nsecond");
	assert_str(text_use(TEXT_ALL, &req, &arena), "Be kind.\n\nfirst\n\nanswer\n\nsecond\n\nmore");
	req = (struct request){.messages = talk, .message_count = 1}; /* nobody spoke: what is there */
	for (int use = TEXT_LAST_USER; use <= TEXT_ALL; use++)
		assert_str(text_use(use, &req, &arena), "Be kind.");
	req.message_count = 0;
	assert_str(text_use(TEXT_LAST_USER, &req, &arena), "");
	arena_free(&arena);
}

static void long_texts_keep_head_and_tail_and_their_length(void **state)
{
	(void)state;
	struct message m = {STR("user"), STR("\u00E4\u00F6\u00FC 456789 bcdef \u00E9\u00E8\u00EA")};
	struct request req = {.messages = &m, .message_count = 1};
	struct arena arena;
	arena_init(&arena, 0);
	struct text_rules rules = {.use = TEXT_LAST_USER, .max_chars = 100};
	struct text *text = text_read(&rules, &req, &arena);
	assert_true(str_eq(text->shown, m.content));
	assert_int_equal(text->chars, 20);
	assert_int_equal(text->words, 4);
	static const struct {
		uint32_t max;
		const char *expected;
	} cases[] = {{20, "\u00E4\u00F6\u00FC 456789 bcdef \u00E9\u00E8\u00EA"}, {9, "\u00E4\u00F6\u00FC \n \u00E9\u00E8\u00EA"},
	             {6, "\u00E4\u00F6\u00FC\n\u00E8\u00EA"}, {2, "\u00E4\n"}, {1, "\n"}};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		rules.max_chars = cases[i].max;
		text = text_read(&rules, &req, &arena);
		assert_str(text->shown, cases[i].expected);
		assert_int_equal(str_utf8_count(text->shown), cases[i].max);
		assert_int_equal(text->chars, 20); /* before the cut */
	}
	arena_free(&arena);
}

static void characters_and_words_are_counted_as_by_hand(void **state)
{
	(void)state;
	static const char *const alphabet[] = {" ", "\t", "a", "b", "!", "\u00E9", "\u6211", "\n", "x", "\x7F"};
	struct text_rules rules = {.max_chars = 1000};
	struct arena arena;
	arena_init(&arena, 0);
	uint64_t seed = 3;
	for (int round = 0; round < 20000; round++) {
		char data[256];
		size_t n = 0, pieces = (size_t)round % 60;
		uint32_t words = 0;
		bool in_word = false;
		for (size_t i = 0; i < pieces; i++) {
			seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
			const char *c = alphabet[(seed >> 33) % (sizeof alphabet / sizeof alphabet[0])];
			bool blank = c[0] == ' ' || c[0] == '\t' || c[0] == '\n';
			words += !blank && !in_word;
			in_word = !blank;
			memcpy(data + n, c, strlen(c));
			n += strlen(c);
		}
		struct message m = {STR("user"), {data, n}};
		struct request req = {.messages = &m, .message_count = 1};
		const struct text *text = text_read(&rules, &req, &arena);
		assert_int_equal(text->chars, pieces);
		assert_int_equal(text->words, words);
		arena_reset(&arena);
	}
	arena_free(&arena);
}

static void tokens_are_estimated_by_alphabet(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		uint32_t low, high;
	} cases[] = {{"", 0, 0}, {"How do I reset my password?", 6, 9}, {"\u043F\u0430\u0440\u043E\u043B\u044C", 2, 5},
	             {"\u6211\u7684\u8BA2\u5355\u5728\u54EA\u91CC", 5, 9}};
	struct arena arena;
	arena_init(&arena, 0);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct message m = {STR("user"), str_of(cases[i].text)};
		struct request req = {.messages = &m, .message_count = 1};
		struct text_rules rules = {.max_chars = 100};
		assert_in_range(text_read(&rules, &req, &arena)->tokens_est, cases[i].low, cases[i].high);
	}
	arena_free(&arena);
}

static void code_is_told_from_prose(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		bool code;
	} cases[] = {
		{"Please fix:\n```\nx\n```", true},
		{"int main(void)\n{\n\treturn 0;\n}", true},
		{"def f(x):\n    return x + 1", true},
		{"Traceback (most recent call last):\n  File \"a.py\", line 1", true},
		{"SELECT a = 1\nfrom b where (c)", true},
		{"How do I return a parcel (the red one)?", false},
		{"Hello;\nI have a question.", false},
		{"for (example) this\nis prose", false},
		{"From my desk.\nReturn it please.", false},
		{"import duties are high.\nfrom where do they come?", false},
		{"", false},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		if (text_has_code(str_of(cases[i].text)) != cases[i].code)
			fail_msg("\"%s\": expected %s", cases[i].text, cases[i].code ? "code" : "prose");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mail_is_read_without_what_programs_put_around_it),
		cmocka_unit_test(the_messages_asked_for_are_read),
		cmocka_unit_test(long_texts_keep_head_and_tail_and_their_length),
		cmocka_unit_test(characters_and_words_are_counted_as_by_hand),
		cmocka_unit_test(tokens_are_estimated_by_alphabet),
		cmocka_unit_test(code_is_told_from_prose),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
