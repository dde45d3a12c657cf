/*
 * test_args.c: arguments by a table, and the --help that is written from it.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "common/arena.h"
#include "worker/cli/args.h"

enum { NOW_S = 1795514400, MOST_WORDS = 24 };
#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

struct told {
	const char *config, *out, *data, *second;
	int64_t rows, limit, since_ms;
	bool json, force;
	char taken[64]; /* what take was given, joined by '|' */
	char line[256]; /* what the texts are pieces of */
};

static enum rc take_pair(void *ctx, const char *text, struct err *err)
{
	struct told *told = ctx;
	if (strchr(text, '=') == NULL)
		return err_set(err, RC_BAD_INPUT, "--pair takes A=B, not \"%s\"", text);
	size_t used = strlen(told->taken);
	assert_true(snprintf(told->taken + used, sizeof told->taken - used, "%s|", text) < (int)(sizeof told->taken - used));
	return RC_OK;
}

/* The words, split at blanks, by a table that has each kind of row. */
static enum rc tell(const char *line, struct told *told, bool *ret_help, struct err *err)
{
	char *words[MOST_WORDS] = {told->line};
	int count = 1;
	*told = (struct told){.rows = 800, .limit = -1, .since_ms = -1};
	assert_true(strlen(line) < sizeof told->line);
	memcpy(told->line, line, strlen(line) + 1);
	for (char *c = told->line; *c != '\0'; c++)
		if (*c == ' ') {
			*c = '\0';
			assert_true(count < MOST_WORDS);
			words[count++] = c + 1;
		}
	const struct arg args[] = {
		{.operand = &told->data, .needed = "one data set is needed"},
		{.operand = &told->second},
		{'c', "config", "FILE", "the configuration", .text = &told->config},
		{'o', "out", "FILE", "where", .text = &told->out, .needed = "--out FILE is needed"},
		{'n', "rows", "N", "how many", .number = &told->rows, .least = 1, .most = 20000},
		{0, "limit", "N", "so many", .number = &told->limit, .least = 1, .most = INT64_MAX},
		{.help = "More:"},
		{0, "since", "WHEN", "from then on", .moment_ms = &told->since_ms},
		{'p', "pair", "A=B", "two", .take = take_pair, .ctx = told},
		{'j', "json", NULL, "one object", .flag = &told->json},
		{'F', "force", NULL, "overwrite", .flag = &told->force},
		{0, "forced", NULL, NULL, .flag = &told->force},
		{0},
	};
	return args_read(args, count, words, (int64_t)NOW_S * 1000, ret_help, err);
}

static void each_way_of_writing_an_argument_is_read(void **state)
{
	(void)state;
	static const char *const lines[] = {
		"x --config f data --out o --rows 5 --json --force --pair a=1 --pair b=2 --since 1h second",
		"x data second --config=f --out=o --rows=5 --json --force --pair=a=1 --pair=b=2 --since=1h",
		"x -cf -oo -n5 -jF -pa=1 -p b=2 --si 1h -- data second",
		"x -jFcf --ou o --ro 5 --pai a=1 --pair b=2 --since 2026-11-24T09:00Z data second",
	};
	for (size_t i = 0; i < COUNT(lines); i++) {
		struct told told;
		struct err err;
		bool help = true;
		if (tell(lines[i], &told, &help, &err) != RC_OK)
			fail_msg("%s: %s", lines[i], err.text);
		assert_false(help);
		assert_string_equal(told.data, "data");
		assert_string_equal(told.second, "second");
		assert_string_equal(told.config, "f");
		assert_string_equal(told.out, "o");
		assert_string_equal(told.taken, "a=1|b=2|");
		assert_int_equal(told.rows, 5);
		assert_int_equal(told.limit, -1);
		assert_int_equal(told.since_ms, (int64_t)(NOW_S - 3600) * 1000);
		assert_true(told.json && told.force);
	}
}

static void words_that_look_like_options_can_be_values_and_operands(void **state)
{
	(void)state;
	struct told told;
	struct err err;
	bool help = false;
	assert_int_equal(tell("x --out --json - ", &told, &help, &err), RC_OK);
	assert_string_equal(told.out, "--json");
	assert_string_equal(told.data, "-");
	assert_string_equal(told.second, "");
	assert_false(told.json);
	assert_int_equal(tell("x -o o -- -c --json", &told, &help, &err), RC_OK);
	assert_string_equal(told.data, "-c");
	assert_string_equal(told.second, "--json");
	assert_null(told.config);
	assert_int_equal(tell("x -o o data --force", &told, &help, &err), RC_OK); /* no beginning of --forced, but itself */
}

static void what_is_wrong_is_said_in_one_sentence(void **state)
{
	(void)state;
	static const struct {
		const char *line, *words;
	} cases[] = {
		{"x data -o o --jsn", "unknown option --jsn; did you mean --json?"},
		{"x data -o o --hepl", "unknown option --hepl; did you mean --help?"},
		{"x data -o o --nonsense=3", "unknown option --nonsense"},
		{"x data -o o -jx", "unknown option -x"},
		{"x data -o o --forc", "--forc can be --force or --forced; write it in full"},
		{"x data -o o --rows 0", "--rows takes 1 to 20000, not \"0\""},
		{"x data -o o --rows 20001", "--rows takes 1 to 20000, not \"20001\""},
		{"x data -o o -n many", "--rows takes 1 to 20000, not \"many\""},
		{"x data -o o --limit 0", "--limit takes a number of at least 1, not \"0\""},
		{"x data -o o --since never", "--since takes a time such as 2h, 7d or 2026-11-20T08:00Z, not \"never\""},
		{"x data -o o --pair a", "--pair takes A=B, not \"a\""},
		{"x data -o o --json=yes", "--json takes no value"},
		{"x data --out", "--out needs its FILE: --out FILE"},
		{"x data -jo", "--out needs its FILE: --out FILE"},
		{"x data second third -o o", "unexpected argument \"third\""},
		{"x -o o", "one data set is needed"},
		{"x data", "--out FILE is needed"},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct told told;
		struct err err = {"nothing was said"};
		bool help = false;
		if (tell(cases[i].line, &told, &help, &err) != RC_BAD_INPUT || strcmp(err.text, cases[i].words) != 0)
			fail_msg("%s: %s", cases[i].line, err.text);
	}
}

static void help_goes_before_what_is_missing_but_not_before_what_is_wrong(void **state)
{
	(void)state;
	static const char *const lines[] = {"x --help", "x -h", "x -jh --nonsense", "x --he", "x data -h -o"};
	struct told told;
	struct err err;
	bool help;
	for (size_t i = 0; i < COUNT(lines); i++) {
		help = false;
		if (tell(lines[i], &told, &help, &err) != RC_OK || !help)
			fail_msg("%s", lines[i]);
	}
	help = false;
	assert_int_equal(tell("x --nonsense --help", &told, &help, &err), RC_BAD_INPUT);
	assert_int_equal(tell("x -o o -- --help", &told, &help, &err), RC_OK);
	assert_false(help);
}

static void the_help_is_written_from_the_rows(void **state)
{
	(void)state;
	const char *text = NULL;
	int64_t rows = 800, unset = -1;
	bool flag = false;
	const struct arg args[] = {
		{.operand = &text},
		{'c', "config", "FILE", "the configuration", .text = &text},
		{0, "rows", "N", "how many", .number = &rows, .least = 1, .most = 20000},
		{0, "limit", "N", "so many at most", .number = &unset, .least = 1, .most = 5},
		{0, "other-spelling", NULL, NULL, .flag = &flag},
		{.help = "More:"},
		{0, "a-very-long-name-that-takes-room", "VALUE", "stands above its words", .text = &text},
		{0, "words", NULL, "these are more words than fit into one line of a terminal that is as wide as most are, and so they go on "
		 "below, where the first ones began", .flag = &flag},
		{0},
	};
	struct arena arena;
	struct buf out;
	arena_init(&arena, 4096);
	buf_init(&out, &arena, 1024);
	args_write_help(args, &out);
	buf_char(&out, '\0');
	assert_string_equal(out.data, "  -c, --config FILE  the configuration\n"
	                              "      --rows N       how many (800)\n"
	                              "      --limit N      so many at most\n"
	                              "\nMore:\n"
	                              "      --a-very-long-name-that-takes-room VALUE\n"
	                              "                     stands above its words\n"
	                              "      --words        these are more words than fit into one line of a terminal that is as wide as most are, and so\n"
	                              "                     they go on below, where the first ones began\n"
	                              "  -h, --help         this text\n");
	arena_free(&arena);
}

static void an_option_is_found_among_words(void **state)
{
	(void)state;
	char *words[] = {"train", "data", "--gain=x", "--groupss", "--", "--groups"};
	assert_true(args_have(6, words, "--gain"));
	assert_false(args_have(6, words, "--groups"));
	assert_false(args_have(6, words, "train"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_way_of_writing_an_argument_is_read),
		cmocka_unit_test(words_that_look_like_options_can_be_values_and_operands),
		cmocka_unit_test(what_is_wrong_is_said_in_one_sentence),
		cmocka_unit_test(help_goes_before_what_is_missing_but_not_before_what_is_wrong),
		cmocka_unit_test(the_help_is_written_from_the_rows),
		cmocka_unit_test(an_option_is_found_among_words),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
