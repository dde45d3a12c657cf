/*
 * Other routers' files: what is taken over, and that everything else is said with its place.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>

#include "worker/lab/import_routes.h"

static const char two_routes[] =
    "{\n"
    "  \"encoder_type\": \"openai\",\n"
    "  \"encoder_name\": \"text-embedding-3-large\",\n"
    "  \"routes\": [\n"
    "    {\n"
    "      \"name\": \"politics\",\n"
    "      \"utterances\": [\n"
    "        \"who wins the election\",\n"
    "        \"  two\\nlines \",\n"
    "        \"\",\n"
    "        {\"image\": 1}\n"
    "      ],\n"
    "      \"description\": \"of  state\",\n"
    "      \"function_schemas\": null,\n"
    "      \"llm\": {\"module\": \"semantic_router.llms\"},\n"
    "      \"score_threshold\": 0.5,\n"
    "      \"metadata\": {}\n"
    "    },\n"
    "    {\"name\": \"openai/gpt 4\", \"utterances\": [\"hello\"],\n"
    "     \"colour\": \"red\"}\n"
    "  ],\n"
    "  \"surprise\": [1]\n"
    "}\n";

static void check(struct str got, const char *expected)
{
	if (!str_is(got, expected))
		fail_msg("got \"%.*s\", expected \"%s\"", STR_ARG(got), expected);
}

static void routes_utterances_and_thresholds_are_taken_over(void **state)
{
	(void)state; /* unused */
	struct arena arena;
	struct imported in;
	struct err err;
	arena_init(&arena, 0);
	assert_int_equal(import_routes_read(str_of(two_routes), &arena, &in, &err), RC_OK);
	assert_int_equal(in.route_count, 2);
	check(in.encoder, "openai text-embedding-3-large");
	check(in.routes[0].name, "politics");
	check(in.routes[0].description, "of  state");
	assert_true(in.routes[0].threshold == 0.5);
	assert_int_equal(in.routes[0].utterance_count, 2);
	check(in.routes[0].utterances[0].text, "who wins the election");
	check(in.routes[0].utterances[1].text, "two lines");
	check(in.routes[1].name, "openai_gpt_4");
	check(in.routes[1].given_name, "openai/gpt 4");
	assert_true(isnan(in.routes[1].threshold));
	arena_free(&arena);
}

static void everything_else_is_said_with_its_line_and_path(void **state)
{
	(void)state; /* unused */
	static const struct {
		uint32_t line;
		const char *path, *words;
	} expected[] = {
		{22, "surprise", "not known"}, {9, "routes[0].utterances[1]", "joined"}, {9, "routes[0].utterances[2]", "empty"},
		{11, "routes[0].utterances[3]", "no text"}, {15, "routes[0].llm", "models"}, {19, "routes[1].name", "openai_gpt_4"},
		{20, "routes[1].colour", "not known"},
	};
	struct arena arena;
	struct imported in;
	struct err err;
	arena_init(&arena, 0);
	assert_int_equal(import_routes_read(str_of(two_routes), &arena, &in, &err), RC_OK);
	assert_int_equal(in.note_count, sizeof expected / sizeof expected[0]);
	for (unsigned i = 0; i < in.note_count; i++) {
		check(in.notes[i].path, expected[i].path);
		assert_non_null(strstr(arena_cstr(&arena, in.notes[i].words), expected[i].words));
		assert_in_range(in.notes[i].line, expected[i].line - 1, expected[i].line + 1); /* a string with escapes has the line of what is before it */
		if (i != 1 && i != 2)
			assert_int_equal(in.notes[i].line, expected[i].line);
	}
	arena_free(&arena);
}

static void names_are_fit_for_a_policy_and_differ(void **state)
{
	(void)state; /* unused */
	static const char text[] = "[{\"name\": \"a b\"}, {\"name\": \"a/b\"}, {\"name\": \"a_b\"}, {\"name\": \"oos\"}, {\"name\": \"\\u00e9t\\u00e9\"}]";
	static const char *const names[] = {"a_b", "a_b_2", "a_b_3", "oos_2", "_t_"};
	struct arena arena;
	struct imported in;
	struct err err;
	arena_init(&arena, 0);
	assert_int_equal(import_routes_read(str_of(text), &arena, &in, &err), RC_OK);
	assert_int_equal(in.route_count, 5);
	for (unsigned i = 0; i < 5; i++)
		check(in.routes[i].name, names[i]);
	arena_free(&arena);
}

static void what_is_wrong_is_said_with_its_line(void **state)
{
	(void)state; /* unused */
	static const struct {
		const char *text, *words;
	} cases[] = {
		{"", "1: error"},
		{"{\n\"routes\": [\n{]}", "3: error"},
		{"3", "1: error: routes: a list"},
		{"{\"routes\": {}}", "a list"},
		{"{\"routes\": []}", "there are none"},
		{"{\"routes\": [\n\n7]}", "3: error: routes[0]: a route is an object"},
		{"{\"routes\": [{\"utterances\": []}]}", "routes[0]: it has no name"},
		{"{\"routes\": [{\"name\": \"a\",\n \"utterances\": \"b\"}]}", "routes[0].utterances: it is no list"},
		{"{\"routes\": [{\"name\": \"a\",\n \"score_threshold\": \"high\"}]}", "2: error: routes[0].score_threshold: it is no number"},
	};
	struct arena arena;
	arena_init(&arena, 0);
	for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct imported in;
		struct err err;
		assert_int_equal(import_routes_read(str_of(cases[i].text), &arena, &in, &err), RC_BAD_INPUT);
		if (strstr(err.text, cases[i].words) == NULL)
			fail_msg("%s: %s", cases[i].text, err.text);
	}
	arena_free(&arena);
}

static void a_threshold_out_of_range_is_put_to_its_end_and_said(void **state)
{
	(void)state; /* unused */
	struct arena arena;
	struct imported in;
	struct err err;
	arena_init(&arena, 0);
	assert_int_equal(import_routes_read(STR("{\"name\": \"a\", \"utterances\": [\"x\"], \"score_threshold\": 1.5}"), &arena, &in, &err), RC_OK);
	assert_true(in.routes[0].threshold == 1);
	assert_int_equal(in.note_count, 1);
	check(in.notes[0].words, "1.5 is put to 1: thresholds here are from 0 to 1");
	arena_free(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(routes_utterances_and_thresholds_are_taken_over),
		cmocka_unit_test(everything_else_is_said_with_its_line_and_path),
		cmocka_unit_test(names_are_fit_for_a_policy_and_differ),
		cmocka_unit_test(what_is_wrong_is_said_with_its_line),
		cmocka_unit_test(a_threshold_out_of_range_is_put_to_its_end_and_said),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
