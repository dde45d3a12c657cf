/* test_thresholds.c: marks of a calibration, and what makes them stale; a stage's own answers, with a text's own example left out. */
#include "tests/unit/route_fixture.h"

#include "worker/route/inspect.h"

#define HEAD "name: p\nwhen_unsure: careful\nroutes: [{name: kb, models: [small]}, {name: careful, models: [capable]}]\n"
#define STAGE "stages: [semantic: {embedder: given, examples: e.jsonl, "
static const char corners[] = "{\"label\": \"kb\", \"embedding\": [1, 0, 0]}\n{\"label\": \"careful\", \"embedding\": [0, 1, 0]}\n"
                              "{\"label\": \"kb\", \"embedding\": [1, 1, 0]}\n";

struct fixture {
	char *folder;
	char yaml[1024];
};

static void start(struct fixture *x)
{
	x->folder = fixture_folder();
	fixture_file(x->folder, "e.jsonl", corners, strlen(corners));
}

static void stop(struct fixture *x)
{
	fixture_remove_folder(x->folder, (const char *const[]){"e.jsonl", NULL});
}

static struct policy *load(struct fixture *x, const char *head, const char *stage)
{
	(void)snprintf(x->yaml, sizeof x->yaml, "%s%s", head, stage); /* fits */
	return fixture_policy(x->yaml, x->folder);
}

static bool warns(const struct policy *policy, const char *words)
{
	struct arena arena;
	struct buf out;
	arena_init(&arena, 0);
	buf_init(&out, &arena, 0);
	policy_warnings(policy, &out);
	buf_char(&out, '\0');
	bool is = strstr(out.data, words) != NULL;
	arena_free(&arena);
	return is;
}

static void a_mark_holds_until_something_that_it_was_made_for_changes(void **state)
{
	(void)state;
	static const struct {
		const char *head, *options;
		enum calibration expected;
	} cases[] = {
		{HEAD, "accept: 0.5, thresholds: {kb: 0.6}, margin: 0.05", CALIBRATION_HOLDS},
		{"# a comment\n" HEAD, "accept: 0.5, margin: 0.05, thresholds: {kb: 0.60}, k: 3", CALIBRATION_HOLDS},
		{HEAD, "accept: 0.5, thresholds: {kb: 0.61}, margin: 0.05", CALIBRATION_STALE},
		{HEAD, "accept: 0.51, thresholds: {kb: 0.6}, margin: 0.05", CALIBRATION_STALE},
		{HEAD, "accept: 0.5, thresholds: {kb: 0.6}, margin: 0.06", CALIBRATION_STALE},
		{HEAD, "accept: 0.5, thresholds: {kb: 0.6}, k: 2", CALIBRATION_STALE},
		{"text: {max_chars: 100}\n" HEAD, "accept: 0.5, thresholds: {kb: 0.6}", CALIBRATION_STALE},
	};
	struct fixture x;
	char stage[1024], seal[32];
	start(&x);
	struct policy *first = load(&x, HEAD, STAGE "accept: 0.5, thresholds: {kb: 0.6}}]\n");
	assert_int_equal(policy_stage_info(first, 0).calibration, CALIBRATION_NONE);
	assert_true(warns(first, "semantic: its thresholds are uncalibrated"));
	(void)snprintf(seal, sizeof seal, "%.*s", STR_ARG(policy_stage_info(first, 0).seal)); /* fits */
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		(void)snprintf(stage, sizeof stage, STAGE "%s, calibrated: {data: abc, rows: 12, stage: %s}}]\n", cases[i].options, seal); /* fits */
		struct policy *policy = load(&x, cases[i].head, stage);
		struct stage_info info = policy_stage_info(policy, 0);
		if (info.calibration != cases[i].expected)
			fail_msg("%s%s is %s", cases[i].head, stage, calibration_name(info.calibration));
		assert_str(info.data, "abc");
		assert_int_equal(info.rows, 12);
		assert_int_equal(warns(policy, "its calibration is stale"), cases[i].expected == CALIBRATION_STALE);
		assert_false(warns(policy, "uncalibrated"));
		if (i == 0) /* the mark decides nothing */
			assert_true(str_eq(policy_decision_version(policy), policy_decision_version(first)));
		policy_unref(policy);
	}
	policy_unref(first);
	stop(&x);
}

static void new_examples_make_a_mark_stale(void **state)
{
	(void)state;
	struct fixture x;
	char stage[512];
	start(&x);
	struct policy *policy = load(&x, HEAD, STAGE "accept: 0.5}]\n");
	(void)snprintf(stage, sizeof stage, STAGE "accept: 0.5, calibrated: {data: a, rows: 1, stage: %.*s}}]\n", STR_ARG(policy_stage_info(policy, 0).seal)); /* fits */
	policy_unref(policy);
	policy = load(&x, HEAD, stage);
	assert_int_equal(policy_stage_info(policy, 0).calibration, CALIBRATION_HOLDS);
	policy_unref(policy);
	static const char more[] = "{\"label\": \"kb\", \"embedding\": [1, 0, 0]}\n{\"label\": \"careful\", \"embedding\": [0, 1, 1]}\n";
	fixture_file(x.folder, "e.jsonl", more, strlen(more));
	policy = load(&x, HEAD, stage);
	assert_int_equal(policy_stage_info(policy, 0).calibration, CALIBRATION_STALE);
	policy_unref(policy);
	stop(&x);
}

static void a_mark_that_is_none_is_refused_with_its_place(void **state)
{
	(void)state;
	static const struct {
		const char *mark, *words;
	} cases[] = {
		{"yes", "4:82: error: a map of settings is expected here"},
		{"{data: a, rows: 1}", "4:82: error: \"stage\" is missing"},
		{"{data: a, rows: 0, stage: b}", "4:98: error: \"rows\" must be"},
		{"{data: a, rows: 1, stage: b, on: monday}", "4:111: error: unknown setting \"on\""},
	};
	struct fixture x;
	start(&x);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct policy *policy = NULL;
		struct err err = {""};
		(void)snprintf(x.yaml, sizeof x.yaml, HEAD STAGE "accept: 0.5, calibrated: %s}]\n", cases[i].mark); /* fits */
		assert_int_equal(policy_parse("policy.yaml", str_of(x.yaml), x.folder, &fixture_settings, &policy, &err), RC_BAD_INPUT);
		if (strstr(err.text, cases[i].words) == NULL)
			fail_msg("got: %s\nexpected: %s", err.text, cases[i].words);
	}
	stop(&x);
}

static struct stage_answer ask(const struct policy *policy, const float *embedding)
{
	struct stage_answer answer;
	struct route_scratch *scratch = route_scratch_new(policy);
	struct fixture_job f;
	fixture_job_init(&f, "text");
	f.job.req.embedding = embedding;
	f.job.req.embedding_len = 3;
	route_ask_all(policy, scratch, &f.job, &answer);
	fixture_job_free(&f);
	route_scratch_free(scratch);
	return answer;
}

static void a_text_that_is_an_example_is_compared_with_the_others_only(void **state)
{
	(void)state;
	struct fixture x;
	start(&x);
	struct policy *policy = load(&x, HEAD, STAGE "accept: 0.5, margin: 0.1, k: 2}]\n");
	struct stage_answer kb = ask(policy, (const float[]){2, 0, 0}), near = ask(policy, (const float[]){1, 0.1f, 0});
	assert_int_equal(kb.route, 0); /* by [1, 1, 0] alone */
	assert_true(fabs(kb.score - sqrt(0.5)) < 1e-6);
	assert_true(near.score > kb.score); /* is no example: both count */
	struct stage_answer careful = ask(policy, (const float[]){0, 1, 0});
	assert_int_equal(careful.route, 0); /* the only example of careful is the text itself */
	assert_int_equal(careful.verdict, VERDICT_PASS);
	policy_unref(policy);
	stop(&x);
}

static void too_close_to_the_next_is_barred_at_any_threshold(void **state)
{
	(void)state;
	struct fixture x;
	start(&x);
	struct policy *policy = load(&x, HEAD, STAGE "accept: 0, margin: 0.9, k: 1}]\n");
	struct stage_answer answer = ask(policy, (const float[]){1, 0.5f, 0});
	assert_int_equal(answer.route, 0);
	assert_true(answer.barred);
	assert_int_equal(answer.verdict, VERDICT_PASS);
	policy_unref(policy);
	policy = load(&x, HEAD, STAGE "accept: 1, margin: 0.01, k: 1}]\n");
	answer = ask(policy, (const float[]){1, 0.5f, 0});
	assert_false(answer.barred); /* a lower threshold would let it decide */
	assert_int_equal(answer.verdict, VERDICT_PASS);
	policy_unref(policy);
	stop(&x);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_mark_holds_until_something_that_it_was_made_for_changes),
		cmocka_unit_test(new_examples_make_a_mark_stale),
		cmocka_unit_test(a_mark_that_is_none_is_refused_with_its_place),
		cmocka_unit_test(a_text_that_is_an_example_is_compared_with_the_others_only),
		cmocka_unit_test(too_close_to_the_next_is_barred_at_any_threshold),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
