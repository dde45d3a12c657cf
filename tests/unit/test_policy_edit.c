/* test_policy_edit.c: the ways in which a stage can be written, and what becomes of them. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "worker/lab/policy_edit.h"

static struct policy_edit_threshold routes[] = {{STR("kb"), STR("was 0.5: decides 7"), 0.61}, {STR("human"), STR(""), 0.4}};
static const struct policy_edit_stage stage = {.stage = 1, .accept = 0.55, .accept_comment = STR("was 0.5"), .routes = routes, .route_count = 2,
                                               .data = STR("d1"), .seal = STR("s1"), .comment = STR("goal"), .rows = 9};
#define OWN(indent) \
	indent "thresholds:\n" indent "  kb: 0.61  # was 0.5: decides 7\n" indent "  human: 0.4\n" indent "calibrated: {data: d1, rows: 9, stage: s1}  # goal\n"
#define RULES "stages:\n  - rules: []\n"

static void a_stage_keeps_what_is_not_a_threshold_in_whatever_form_it_is_written(void **state)
{
	(void)state;
	static const struct {
		const char *before, *after;
	} cases[] = {
		/* braces on one line, with a comment behind */
		{RULES "  - semantic: {embedder: static, accept: 0.5, margin: 0.05}  # mine\nname: x\n",
		 RULES "  - semantic:  # mine\n      embedder: static\n      accept: 0.55  # was 0.5\n" OWN("      ") "      margin: 0.05\nname: x\n"},
		/* braces over lines, values with commas, braces and quotes in them, without a line's end */
		{RULES "  - semantic: {accept: 0.5,\n      examples: \"a, {b}.jsonl\",\n      x: {y: [1, 2], z: 'it''s, {'}}",
		 RULES "  - semantic:\n      accept: 0.55  # was 0.5\n" OWN("      ") "      examples: \"a, {b}.jsonl\"\n      x: {y: [1, 2], z: 'it''s, {'}\n"},
		/* a block, its keys in any order; the user's own comment stays */
		{RULES "  - semantic:\n      margin: 0.05   # near\n      accept: 0.5    # mine\n      k: 3\n\n# end\n",
		 RULES "  - semantic:\n      margin: 0.05   # near\n      accept: 0.55  # mine\n" OWN("      ") "      k: 3\n\n# end\n"},
		/* a block that was calibrated before, in both forms of a map */
		{RULES "  - semantic:\n      accept: 0.5  # was 0.7\n      thresholds:\n        kb: 0.3  # was 0.2\n        human: 0.3\n      margin: 0.05\n"
		       "      calibrated: {data: old,\n        rows: 1, stage: old}\n      k: 3\n",
		 RULES "  - semantic:\n      accept: 0.55  # was 0.5\n" OWN("      ") "      margin: 0.05\n      k: 3\n"},
		{RULES "  - semantic:\n      accept: 0.5\n      thresholds: {kb: 0.3}\n",
		 RULES "  - semantic:\n      accept: 0.55  # was 0.5\n" OWN("      ")},
		/* dashes at the margin, letters of more than one byte before */
		{"stages:\n- rules: [\"\xC3\xA4\xC3\xB6\"]\n- semantic: {examples: \xC3\xA4\xC3\xB6.jsonl, accept: 0.5}\n",
		 "stages:\n- rules: [\"\xC3\xA4\xC3\xB6\"]\n- semantic:\n    examples: \xC3\xA4\xC3\xB6.jsonl\n    accept: 0.55  # was 0.5\n" OWN("    ")},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct arena arena;
		struct str text, diff;
		struct err err = {""};
		arena_init(&arena, 0);
		if (policy_edit("p.yaml", str_of(cases[i].before), &stage, 1, &arena, &text, &diff, &err) != RC_OK)
			fail_msg("%s", err.text);
		if (!str_is(text, cases[i].after))
			fail_msg("case %zu:\n%.*s", i, STR_ARG(text));
		assert_true(str_starts(diff, STR("--- p.yaml\n+++ p.yaml\n@@ ")));
		arena_free(&arena);
	}
}

static void what_cannot_be_changed_line_by_line_is_refused_with_its_place(void **state)
{
	(void)state;
	static const struct {
		const char *text, *words;
	} cases[] = {
		{"stages: [rules: [], semantic: {accept: 0.5}]\n", "p.yaml:1:21: error: this stage is written in a way that calibrate cannot change"},
		{"stages:\n  - rules: []\n", "p.yaml: the policy has no stage 2"},
		{"name: x\n", "p.yaml: the policy has no stage 2"},
		{"stages: {", "p.yaml:"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct arena arena;
		struct str text, diff;
		struct err err = {""};
		arena_init(&arena, 0);
		assert_int_equal(policy_edit("p.yaml", str_of(cases[i].text), &stage, 1, &arena, &text, &diff, &err), RC_BAD_INPUT);
		if (strstr(err.text, cases[i].words) == NULL)
			fail_msg("got: %s", err.text);
		arena_free(&arena);
	}
}

static void two_stages_are_two_changes_of_one_diff(void **state)
{
	(void)state;
	struct policy_edit_stage both[] = {stage, stage};
	struct arena arena;
	struct str text, diff;
	struct err err = {""};
	both[0].stage = 0;
	both[0].route_count = both[1].route_count = 0;
	arena_init(&arena, 0);
	assert_int_equal(policy_edit("p", STR("stages:\n  - a: {accept: 0.1}\n  - b:\n      accept: 0.2\n"), both, 2, &arena, &text, &diff, &err), RC_OK);
	if (!str_is(text, "stages:\n  - a:\n      accept: 0.55  # was 0.5\n      calibrated: {data: d1, rows: 9, stage: s1}  # goal\n"
	                  "  - b:\n      accept: 0.55  # was 0.5\n      calibrated: {data: d1, rows: 9, stage: s1}  # goal\n"))
		fail_msg("%.*s", STR_ARG(text));
	arena_free(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_stage_keeps_what_is_not_a_threshold_in_whatever_form_it_is_written),
		cmocka_unit_test(what_cannot_be_changed_line_by_line_is_refused_with_its_place),
		cmocka_unit_test(two_stages_are_two_changes_of_one_diff),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
