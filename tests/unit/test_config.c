/* test_config.c: YAML to nodes, each error with its exact words and place, and files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/config.h"

static int set_up(void **state)
{
	struct arena *arena = heap_alloc(sizeof *arena);
	arena_init(arena, 0);
	*state = arena;
	return setenv("TEST_CONFIG_PORT", "9092", 1) | setenv("TEST_CONFIG_EMPTY", "", 1) | unsetenv("TEST_CONFIG_UNSET");
}

static int tear_down(void **state)
{
	arena_free(*state);
	free(*state);
	return 0;
}

static const struct node *parsed(void **state, const char *text)
{
	const struct node *root = NULL;
	struct err err = {""};
	if (config_parse(*state, "t.yaml", str_of(text), &root, &err) != RC_OK)
		fail_msg("%s", err.text);
	return root;
}

static void nodes_know_their_kind_and_their_place(void **state)
{
	const struct node *root = parsed(state, "a: 1\n"
	                                        "list: [x, \"2\", ~, null, '']\n"
	                                        "map:\n"
	                                        "  k\xc3\xa9y: \"q\" # comment\n"
	                                        "  empty:\n"
	                                        "text: |\n"
	                                        "  two\n"
	                                        "  lines\n");
	assert_int_equal(root->kind, NODE_MAP);
	assert_int_equal(root->count, 4);
	const struct node *a = config_get(root, "a"), *list = config_get(root, "list"), *map = config_get(root, "map");
	assert_true(a->kind == NODE_SCALAR && !a->quoted && str_is(a->scalar, "1"));
	assert_true(a->line == 1 && a->column == 4 && a->width == 1);
	assert_true(list->kind == NODE_LIST && list->count == 5 && list->entries[0].key == NULL);
	assert_true(list->entries[1].value->quoted && list->entries[1].value->column == 11 && list->entries[1].value->width == 3);
	assert_int_equal(list->entries[2].value->kind, NODE_NULL);
	assert_int_equal(list->entries[3].value->kind, NODE_NULL);
	assert_true(list->entries[4].value->kind == NODE_SCALAR && list->entries[4].value->scalar.len == 0);
	const struct node *q = config_get(map, "k\xc3\xa9y"), *empty = config_get(map, "empty");
	assert_true(q->quoted && q->line == 4 && q->column == 8 && q->width == 3); /* columns count characters */
	assert_true(empty->kind == NODE_NULL && empty->line == 5 && empty->column == 3 && empty->width == 5);
	assert_true(str_is(config_get(root, "text")->scalar, "two\nlines\n"));
	assert_null(config_get(root, "absent"));
	assert_null(config_get(a, "a"));
	assert_null(config_get(NULL, "a"));
}

static void an_empty_file_is_a_null_node(void **state)
{
	assert_int_equal(parsed(state, "")->kind, NODE_NULL);
	assert_int_equal(parsed(state, "# only words\n")->kind, NODE_NULL);
	assert_int_equal(parsed(state, "---\n...\n")->kind, NODE_NULL);
}

static void variables_are_replaced_in_values(void **state)
{
	const struct node *root = parsed(state, "a: localhost:${TEST_CONFIG_PORT}\nb: ['${TEST_CONFIG_PORT}${TEST_CONFIG_PORT}', \"x$$y$z\", '$$$${q', '^\\d+$', \"${TEST_CONFIG_EMPTY}\"]\n");
	const struct node *list = config_get(root, "b");
	assert_true(str_is(config_get(root, "a")->scalar, "localhost:9092"));
	assert_true(str_is(list->entries[0].value->scalar, "90929092"));
	assert_true(str_is(list->entries[1].value->scalar, "x$y$z"));
	assert_true(str_is(list->entries[2].value->scalar, "$${q"));
	assert_true(str_is(list->entries[3].value->scalar, "^\\d+$"));
	assert_true(str_is(list->entries[4].value->scalar, ""));
}

static const struct {
	struct str text;
	const char *message;
} refused[] = {
	{STR("a: [1,,2]\n"), "t.yaml:1:7: error: flow sequence with invalid extra comma\n   1 | a: [1,,2]\n     |       ^"},
	{STR("a:\n\t- x\n"), "t.yaml:2:1: error: tab character may not be used as indentation\n   2 | \t- x\n     | ^"},
	{STR("a: \"open\n"), "t.yaml:1:5: error: double-quoted scalar without closing quote\n   1 | a: \"open\n     |     ^"},
	{STR("a: 1\nb: 2\na: 3\n"), "t.yaml:3:1: error: \"a\" is given twice; the first is in line 1\n   3 | a: 3\n     | ^"},
	{STR("x: {aa: 1, \"aa\": 2}\n"),
	 "t.yaml:1:12: error: \"aa\" is given twice; the first is in line 1\n   1 | x: {aa: 1, \"aa\": 2}\n     |            ^~~~"},
	{STR("a: &x 1\n"), "t.yaml:1:7: error: anchors are not supported\n   1 | a: &x 1\n     |       ^  write the value out where it is needed"},
	{STR("a: *xyz\n"), "t.yaml:1:5: error: aliases are not supported\n   1 | a: *xyz\n     |     ^~~  write the value out"},
	{STR("a: !!str 1\n"), "t.yaml:1:10: error: tags are not supported\n   1 | a: !!str 1\n     |          ^  quote the value to make it a text"},
	{STR("{a: b}: c\n"), "t.yaml:1:1: error: a key must be a word, not a list or a map\n   1 | {a: b}: c\n     | ^"},
	{STR("a: 1\n---\nb: 2\n"),
	 "t.yaml:2:1: error: a second document begins here; a configuration is one document\n   2 | ---\n     | ^~~"},
	{STR("a: x\nb: \xff\n"), "t.yaml:2:1: error: this line holds a NUL or is not UTF-8; save the file as UTF-8"},
	{STR("a: x\0b: y\n"), "t.yaml:1:1: error: this line holds a NUL or is not UTF-8; save the file as UTF-8"},
	{STR("a: \"x\\0y\"\n"), "t.yaml:1:4: error: this text holds a NUL or is not UTF-8\n   1 | a: \"x\\0y\"\n     |    ^~~~~~"},
	{STR("a: b\nport: ${TEST_CONFIG_UNSET}\n"),
	 "t.yaml:2:7: error: the environment variable \"TEST_CONFIG_UNSET\" is not set\n   2 | port: ${TEST_CONFIG_UNSET}\n"
	 "     |       ^~~~~~~~~~~~~~~~~~~~  set it, or write $$ for a dollar"},
	{STR("a: x${1}\n"),
	 "t.yaml:1:4: error: \"${\" without a variable's name and \"}\"\n   1 | a: x${1}\n"
	 "     |    ^~~~~  ${NAME} is a variable of the environment; $$ stands for a dollar"},
	{STR("a: 'x${TEST_CONFIG_PORT'\n"),
	 "t.yaml:1:4: error: \"${\" without a variable's name and \"}\"\n   1 | a: 'x${TEST_CONFIG_PORT'\n"
	 "     |    ^~~~~~~~~~~~~~~~~~~~~  ${NAME} is a variable of the environment; $$ stands for a dollar"},
};

static void what_cannot_be_read_is_shown_where_it_stands(void **state)
{
	for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
		const struct node *root = (const void *)state;
		struct err err = {""};
		assert_int_equal(config_parse(*state, "t.yaml", refused[i].text, &root, &err), RC_BAD_INPUT);
		assert_string_equal(err.text, refused[i].message);
		assert_ptr_equal(root, state);
	}
}

static struct str filled(struct arena *arena, const char *unit, size_t count)
{
	struct buf out;
	buf_init(&out, arena, 0);
	for (size_t i = 0; i < count; i++)
		buf_cstr(&out, unit);
	return buf_view(&out);
}

static void depth_size_and_number_of_values_are_bounded(void **state)
{
	const struct node *root;
	struct err err = {""};
	assert_int_equal(config_parse(*state, "t", arena_printf(*state, "%.*s1%.*s", STR_ARG(filled(*state, "[", 32)), STR_ARG(filled(*state, "]", 32))), &root, &err), RC_OK);
	assert_int_equal(config_parse(*state, "t", filled(*state, "[", 33), &root, &err), RC_BAD_INPUT);
	assert_true(str_starts(str_of(err.text), STR("t:1:33: error: nested deeper than 32\n")));
	assert_int_equal(config_parse(*state, "t", filled(*state, "[", 100000), &root, &err), RC_BAD_INPUT);
	assert_int_equal(config_parse(*state, "t", filled(*state, "- a\n", 200000), &root, &err), RC_BAD_INPUT);
	assert_true(str_starts(str_of(err.text), STR("t:200000:3: error: more than 200000 values in one file\n")));
	assert_int_equal(config_parse(*state, "t", filled(*state, "# xxxxxxxxxxxxx\n", 262145), &root, &err), RC_BAD_INPUT);
	assert_string_equal(err.text, "t: error: larger than 4 MiB");
	struct buf keys;
	buf_init(&keys, *state, 0);
	for (int i = 0; i < 4097; i++)
		buf_printf(&keys, "k%d: 1\n", i);
	assert_int_equal(config_parse(*state, "t", buf_view(&keys), &root, &err), RC_BAD_INPUT);
	assert_true(str_starts(str_of(err.text), STR("t:4097:")));
}

static void the_caret_stands_under_the_word(void **state)
{
	static const struct {
		const char *text, *picture;
	} cases[] = {
		{"\tx: {a: bad}\n", NULL}, /* not YAML: tabs cannot indent */
		{"k: {h\xc3\xa9: bad}\n", "   1 | k: {h\xc3\xa9: bad}\n     |         ^~~"},
		{"k:\ta: bad\n", NULL},
		{"k: {a:\tbad}\n", "   1 | k: {a:\tbad}\n     |       \t^~~"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		const struct node *root;
		struct err err = {""};
		enum rc rc = config_parse(*state, "t", str_of(cases[i].text), &root, &err);
		assert_int_equal(rc, cases[i].picture != NULL ? RC_OK : RC_BAD_INPUT);
		if (rc != RC_OK)
			continue;
		assert_int_equal(config_error(config_get(root, "k")->entries[0].value, &err, "no"), RC_BAD_INPUT);
		assert_string_equal(strchr(err.text, '\n') + 1, cases[i].picture);
	}
}

static void a_long_line_is_shown_around_the_caret_and_the_message_fits(void **state)
{
	struct str dots = filled(*state, "\xe2\x80\xa6", 300);
	const struct node *root = parsed(state, arena_printf(*state, "k: [\"%.*s\", wrong, \"%.*s\"]\n", STR_ARG(dots), STR_ARG(dots)).data);
	struct err err;
	assert_int_equal(config_error(config_get(root, "k")->entries[1].value, &err, "%.*s", STR_ARG(dots)), RC_BAD_INPUT);
	assert_true(strlen(err.text) < sizeof err.text);
	assert_true(str_utf8_valid(str_of(err.text)));
	assert_non_null(strstr(err.text, "wrong"));
	assert_non_null(strstr(err.text, "^~~~~"));
	assert_int_equal(config_error_hint(NULL, &err, "do that", "this"), RC_BAD_INPUT);
	assert_string_equal(err.text, "error: this; do that");
	assert_int_equal(config_error(root, NULL, "no one listens"), RC_BAD_INPUT);
}

static const char *route_at(const void *ctx, unsigned i)
{
	return ((const char *const *)ctx)[i];
}

static void a_slip_of_the_finger_gets_a_suggestion(void **state)
{
	static const char *const routes[] = {"kb_answer", "human", "careful", "ab"};
	static const struct {
		const char *word, *best;
	} cases[] = {
		{"kb_anwser", "kb_answer"}, {"humna", "human"}, {"carefull", "careful"}, {"zzz", NULL}, {"xy", NULL}, {"a", "ab"}, {"", NULL}, {"kbanswr", "kb_answer"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		const char *best = config_suggest(str_of(cases[i].word), route_at, routes, 4);
		assert_true(cases[i].best == NULL ? best == NULL : best != NULL && strcmp(best, cases[i].best) == 0);
	}
	struct err err;
	const struct node *root;
	assert_int_equal(config_parse(*state, "triage/policy.yaml", STR("rules:\n  - when: x\n    route: kb_anwser\n"), &root, &err), RC_OK);
	const struct node *at = config_get(config_get(root, "rules")->entries[0].value, "route");
	assert_int_equal(config_error_unknown(at, &err, "route", route_at, routes, 4), RC_BAD_INPUT);
	assert_string_equal(err.text, "triage/policy.yaml:3:12: error: unknown route \"kb_anwser\"\n"
	                              "   3 |     route: kb_anwser\n"
	                              "     |            ^~~~~~~~~  did you mean \"kb_answer\"?");
}

static void files_are_read_and_paths_start_at_the_file(void **state)
{
	char folder[] = "/tmp/test_config.XXXXXX";
	assert_non_null(mkdtemp(folder));
	struct str path = arena_printf(*state, "%s/a.yaml", folder);
	FILE *f = fopen(path.data, "w");
	assert_non_null(f);
	assert_true(fputs("policy: p.yaml\nbad: [\n", f) >= 0);
	assert_int_equal(fclose(f), 0);
	struct err err;
	const struct node *root;
	assert_int_equal(config_load(*state, path.data, &root, &err), RC_BAD_INPUT);
	assert_true(str_starts(str_of(err.text), arena_printf(*state, "%s:3:1: error: ", path.data)));
	assert_int_equal(truncate(path.data, 15), 0);
	assert_int_equal(config_load(*state, path.data, &root, &err), RC_OK);
	assert_true(str_eq(config_path(*state, config_get(root, "policy"), STR("p.yaml")), arena_printf(*state, "%s/p.yaml", folder)));
	assert_true(str_is(config_path(*state, root, STR("/abs")), "/abs"));
	assert_true(str_is(config_path(*state, NULL, STR("p")), "p"));
	struct str text;
	assert_int_equal(config_read_file(*state, path.data, 14, &text, &err), RC_BAD_INPUT);
	assert_string_equal(err.text, arena_printf(*state, "%s: error: larger than 14 bytes", path.data).data);
	assert_int_equal(config_load(*state, folder, &root, &err), RC_BAD_INPUT);
	assert_string_equal(err.text, arena_printf(*state, "%s: error: this is a folder, not a file", folder).data);
	assert_int_equal(unlink(path.data), 0);
	assert_int_equal(config_load(*state, path.data, &root, &err), RC_BAD_INPUT);
	assert_string_equal(err.text, arena_printf(*state, "%s: error: No such file or directory", path.data).data);
	assert_int_equal(rmdir(folder), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(nodes_know_their_kind_and_their_place, set_up, tear_down),
		cmocka_unit_test_setup_teardown(an_empty_file_is_a_null_node, set_up, tear_down),
		cmocka_unit_test_setup_teardown(variables_are_replaced_in_values, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_cannot_be_read_is_shown_where_it_stands, set_up, tear_down),
		cmocka_unit_test_setup_teardown(depth_size_and_number_of_values_are_bounded, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_caret_stands_under_the_word, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_long_line_is_shown_around_the_caret_and_the_message_fits, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_slip_of_the_finger_gets_a_suggestion, set_up, tear_down),
		cmocka_unit_test_setup_teardown(files_are_read_and_paths_start_at_the_file, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
