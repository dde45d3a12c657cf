/*
 * test_difficulty.c: learning gains from made-up outcomes that follow a rule, the model's file, and the stage that decides by it.
 */
#include "tests/unit/route_fixture.h"

#include "worker/lab/gain_train.h"

enum { ROWS = 400 };
#define PREAMBLE "Answer the following question with a single letter and nothing else at all, as in the examples.\n\n"

/* The strong model alone proves things and counts beyond small numbers; nobody else's words matter. */
static const char *const hard[] = {"prove that the sum of %u and %u is odd", "derive the integral of x to the power %u over %u",
                                   "prove the theorem for all n above %u and below %u", "derive a bound of order %u for the %u terms"};
static const char *const easy[] = {"what colour has the sky on day %u of month %u", "name a capital city with %u or %u letters",
                                   "which animal has %u legs and %u eyes", "what is the colour of grass in the year %u or %u"};

struct made {
	struct gain_train_row rows[ROWS];
	char texts[ROWS][256];
	double held[ROWS];
	struct gain_train_report report;
	struct buf file;
	struct static_model *model;
	struct arena arena;
};

static void make_rows(struct made *m, const char *preamble)
{
	for (uint32_t i = 0; i < ROWS; i++) {
		bool is_hard = i % 2 == 0;
		const char *form = (is_hard ? hard : easy)[i / 2 % 4];
		char question[160];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		(void)snprintf(question, sizeof question, form, i * 7 % 31, i * 13 % 53); /* fits */
#pragma GCC diagnostic pop
		(void)snprintf(m->texts[i], sizeof m->texts[i], "%s%s", preamble, question); /* fits */
		bool noise = i % 10 == 9;
		m->rows[i] = (struct gain_train_row){str_of(m->texts[i]), is_hard == noise ? 1 : 0, 1, 0, 0};
	}
}

static enum rc learn(struct made *m, uint64_t seed, struct err *err)
{
	struct gain_train_setup setup = {.rows = m->rows, .row_count = ROWS, .task_count = 1, .model = m->model, .seed = seed};
	buf_init(&m->file, &m->arena, 1 << 16);
	return gain_train(&setup, m->held, &m->file, &m->report, err);
}

static struct made *made_new(const char *preamble)
{
	struct made *m = calloc(1, sizeof *m);
	struct err err = {""};
	assert_non_null(m);
	arena_init(&m->arena, 1 << 20);
	assert_int_equal(static_model_builtin(&m->arena, &m->model, NULL), RC_OK);
	make_rows(m, preamble);
	if (learn(m, 1, &err) != RC_OK)
		fail_msg("%s", err.text);
	return m;
}

static void made_free(struct made *m)
{
	arena_free(&m->arena);
	free(m);
}

static void held_out_rows_get_the_gain_of_their_kind(void **state)
{
	(void)state;
	struct made *m = made_new("");
	double mean[2] = {0, 0};
	for (uint32_t i = 0; i < ROWS; i++) {
		assert_true(isfinite(m->held[i])); /* few rows: each is held out once */
		mean[i % 2] += m->held[i] / (ROWS / 2);
	}
	assert_int_equal(m->report.held_out, ROWS);
	assert_int_equal(m->report.preambles, 0);
	assert_true(mean[0] > 0.7 && mean[1] < 0.3);
	assert_true(m->report.topics_found && m->report.topics >= 2);
	made_free(m);
}

static void the_same_rows_and_seed_give_the_same_bytes_and_the_same_gains(void **state)
{
	(void)state;
	struct made *m = made_new("");
	struct buf first = m->file;
	assert_int_equal(learn(m, 1, NULL), RC_OK);
	assert_int_equal(first.len, m->file.len);
	assert_memory_equal(first.data, m->file.data, first.len);
	struct gain *g = NULL;
	assert_int_equal(gain_open(buf_view(&first), m->model, &m->arena, &g, NULL), RC_OK);
	struct gain_scratch *s = gain_scratch_new(g), *other = gain_scratch_new(g);
	for (uint32_t i = 0; i < ROWS; i++) {
		struct gained a, b;
		gain_run(g, s, m->rows[i].text, &a);
		gain_run(g, other, m->rows[ROWS - 1 - i].text, &b);
		gain_run(g, other, m->rows[i].text, &b);
		assert_memory_equal(&a.gain, &b.gain, sizeof a.gain);
	}
	gain_scratch_free(s);
	gain_scratch_free(other);
	assert_int_equal(learn(m, 2, NULL), RC_OK);
	assert_true(first.len != m->file.len || memcmp(first.data, m->file.data, first.len) != 0);
	made_free(m);
}

static void what_all_texts_begin_with_is_left_out_and_without_it_a_text_is_read_alike(void **state)
{
	(void)state;
	struct made *m = made_new(PREAMBLE);
	struct gain *g = NULL;
	assert_int_equal(m->report.preambles, 1);
	assert_int_equal(gain_open(buf_view(&m->file), m->model, &m->arena, &g, NULL), RC_OK);
	struct gain_scratch *s = gain_scratch_new(g);
	struct gained with, without, changed;
	gain_run(g, s, STR(PREAMBLE "prove that 7 is prime"), &with);
	gain_run(g, s, STR("prove that 7 is prime"), &without);
	gain_run(g, s, STR("Never " PREAMBLE "prove that 7 is prime"), &changed);
	assert_memory_equal(&with.gain, &without.gain, sizeof with.gain);
	assert_true(with.gain != changed.gain);
	gain_scratch_free(s);
	made_free(m);
}

static void a_file_that_was_changed_or_cut_is_refused_or_harmless(void **state)
{
	(void)state;
	struct made *m = made_new("");
	uint64_t seed = 9;
	for (size_t cut = 0; cut < m->file.len; cut += 1 + m->file.len / 40) {
		struct arena each;
		struct gain *g = NULL;
		arena_init(&each, 0);
		assert_int_equal(gain_open((struct str){m->file.data, cut}, m->model, &each, &g, NULL), RC_BAD_INPUT);
		arena_free(&each);
	}
	for (unsigned round = 0; round < 200; round++) {
		struct arena each;
		struct gain *g = NULL;
		seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
		size_t at = (seed >> 20) % (round % 2 == 0 ? m->file.len : 1500);
		char kept = m->file.data[at];
		m->file.data[at] = (char)(seed >> 50);
		arena_init(&each, 0);
		if (gain_open(buf_view(&m->file), m->model, &each, &g, NULL) == RC_OK) {
			struct gain_scratch *s = gain_scratch_new(g);
			struct gained found;
			gain_run(g, s, STR("prove it"), &found);
			gain_scratch_free(s);
		}
		m->file.data[at] = kept;
		arena_free(&each);
	}
	made_free(m);
}

static void too_few_rows_and_rows_without_a_difference_are_refused_in_words(void **state)
{
	(void)state;
	struct made *m = made_new("");
	struct err err = {""};
	struct gain_train_setup setup = {.rows = m->rows, .row_count = GAIN_TRAIN_LEAST_ROWS - 1, .task_count = 1, .model = m->model};
	assert_int_equal(gain_train(&setup, m->held, &m->file, &m->report, &err), RC_BAD_INPUT);
	assert_non_null(strstr(err.text, "49 rows"));
	for (uint32_t i = 0; i < ROWS; i++)
		m->rows[i].weak = 0.5;
	assert_int_equal(learn(m, 1, &err), RC_BAD_INPUT);
	assert_non_null(strstr(err.text, "nothing to tell apart"));
	made_free(m);
}

#define ROUTES "when_unsure: careful\nlanguages: [en]\nroutes: [{name: quick, models: [small]}, {name: careful, models: [capable]}]\n"

static void the_stage_decides_weak_or_strong_and_says_why(void **state)
{
	(void)state;
	static const struct {
		const char *threshold, *text, *route, *reason;
	} cases[] = {
		{"0.5", "prove that the sum of 3 and 4 is odd", "careful", "the strong model is expected to gain"},
		{"0.5", "what colour has the sky on day 3 of month 4", "quick", "under 0.500"},
		{"-1", "what colour has the sky on day 3 of month 4", "careful", "at least -1.000"},
		{"1", "what colour has the sky on day 3 of month 4", "quick", "under 1.000"},
		{"0.5", "wie ist die farbe des grases und warum ist sie nicht rot oder blau", "careful", "difficulty passed"},
	};
	struct made *m = made_new("");
	char *folder = fixture_folder(), yaml[512];
	fixture_file(folder, "g.pmg", m->file.data, m->file.len);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct fixture_job f;
		(void)snprintf(yaml, sizeof yaml, ROUTES "stages: [difficulty: {model: g.pmg, weak: quick, strong: careful, threshold: %s}]\n",
		               cases[i].threshold); /* fits */
		struct policy *policy = fixture_policy(yaml, folder);
		struct route_scratch *scratch = route_scratch_new(policy);
		fixture_job_init(&f, cases[i].text);
		assert_int_equal(route_decide(policy, scratch, &f.job), ROUTE_DONE);
		assert_str(f.job.dec.route_name, cases[i].route);
		struct str reason = arena_str(&f.job.arena, f.job.dec.reason);
		if (strstr(reason.data, cases[i].reason) == NULL)
			fail_msg("%s: %s", cases[i].text, reason.data);
		fixture_job_free(&f);
		route_scratch_free(scratch);
		policy_unref(policy);
	}
	fixture_remove_folder(folder, (const char *const[]){"g.pmg", NULL});
	made_free(m);
}

static void what_is_wrong_with_its_settings_is_said_with_the_place(void **state)
{
	(void)state;
	static const struct {
		const char *options, *words;
	} cases[] = {
		{"model: g.pmg, weak: quick, strong: quick, threshold: 0.1", "weak and strong are the same route"},
		{"model: g.pmg, weak: quik, strong: careful, threshold: 0.1", "did you mean \"quick\""},
		{"model: g.pmg, weak: quick, strong: careful, threshold: 2", "threshold"},
		{"model: g.pmg, weak: quick, strong: careful", "threshold"},
		{"model: none.pmg, weak: quick, strong: careful, threshold: 0.1", "paths start at the policy's folder"},
		{"model: bad.pmg, weak: quick, strong: careful, threshold: 0.1", "safetensors"},
	};
	struct made *m = made_new("");
	char *folder = fixture_folder(), yaml[512];
	fixture_file(folder, "g.pmg", m->file.data, m->file.len);
	fixture_file(folder, "bad.pmg", "no model", 8);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct policy *policy = NULL;
		struct err err = {""};
		(void)snprintf(yaml, sizeof yaml, ROUTES "stages: [difficulty: {%s}]\n", cases[i].options); /* fits */
		assert_int_equal(policy_parse("policy.yaml", str_of(yaml), folder, &fixture_settings, &policy, &err), RC_BAD_INPUT);
		if (strstr(err.text, cases[i].words) == NULL || strstr(err.text, "policy.yaml:") == NULL)
			fail_msg("%s: %s", cases[i].options, err.text);
	}
	fixture_remove_folder(folder, (const char *const[]){"g.pmg", "bad.pmg", NULL});
	made_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(held_out_rows_get_the_gain_of_their_kind),
		cmocka_unit_test(the_same_rows_and_seed_give_the_same_bytes_and_the_same_gains),
		cmocka_unit_test(what_all_texts_begin_with_is_left_out_and_without_it_a_text_is_read_alike),
		cmocka_unit_test(a_file_that_was_changed_or_cut_is_refused_or_harmless),
		cmocka_unit_test(too_few_rows_and_rows_without_a_difference_are_refused_in_words),
		cmocka_unit_test(the_stage_decides_weak_or_strong_and_says_why),
		cmocka_unit_test(what_is_wrong_with_its_settings_is_said_with_the_place),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
