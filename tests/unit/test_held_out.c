/* test_held_out.c: folds of texts, and answers of a real classifier to rows that it was trained on. */
#include "tests/unit/route_fixture.h"

#include "worker/lab/held_out.h"
#include "worker/lab/train.h"

enum { FOLDS = 5, ROWS = 200, ROUTES = 2 };

static void equal_texts_share_a_fold_and_folds_are_about_equal(void **state)
{
	(void)state;
	uint32_t counts[FOLDS] = {0};
	for (int i = 0; i < 10000; i++) {
		char text[32];
		int n = snprintf(text, sizeof text, "ticket number %d", i);
		uint32_t fold = held_out_fold((struct str){text, (size_t)n}, FOLDS);
		assert_true(fold < FOLDS);
		assert_int_equal(fold, held_out_fold((struct str){text, (size_t)n}, FOLDS));
		counts[fold]++;
	}
	for (int i = 0; i < FOLDS; i++)
		assert_in_range(counts[i], 1850, 2150);
	assert_int_equal(held_out_fold(STR(""), 1), 0);
}

/* Rows whose labels are drawn by lot: by heart most are right (a step of training sees half of a text), held out about half. */
static void rows_known_by_heart_are_answered_by_classifiers_that_do_not_know_them(void **state)
{
	(void)state;
	static const char *const words[] = {"printer", "invoice", "router", "refund", "garden", "battery", "window", "ticket", "harbour", "sugar",
	                                    "velvet", "engine", "button", "summer", "pencil", "mirror"};
	struct train_row train[ROWS];
	struct calibrate_row rows[ROWS];
	struct str texts[ROWS], labels[ROUTES] = {STR("a"), STR("b")};
	struct stage_answer answers[ROWS];
	struct train_report trained;
	struct static_model *model;
	struct arena arena;
	struct err err = {""};
	struct buf file;
	uint64_t seed = 9;
	arena_init(&arena, 0);
	for (int i = 0; i < ROWS; i++) {
		struct buf text;
		buf_init(&text, &arena, 64);
		for (int k = 0; k < 5; k++) {
			seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
			buf_printf(&text, "%s ", words[seed >> 60]);
		}
		texts[i] = buf_view(&text);
		train[i] = (struct train_row){texts[i], (uint32_t)(seed >> 40) & 1};
	}
	assert_int_equal(static_model_builtin(&arena, &model, &err), RC_OK);
	buf_init(&file, &arena, 1 << 20);
	struct train_setup setup = {.rows = train, .row_count = ROWS, .labels = labels, .label_count = ROUTES, .model = model, .seed = 1};
	assert_int_equal(train_classifier(&setup, &file, &trained, &err), RC_OK);
	char *folder = fixture_folder();
	fixture_file(folder, "lots.pmc", file.data, file.len);
	struct policy *policy = fixture_policy("name: p\nwhen_unsure: a\nroutes: [{name: a, models: [small]}, {name: b, models: [small]}]\n"
	                                       "stages: [classifier: {model: lots.pmc, accept: 0.5, any_scope: true}]\n", folder);
	struct route_scratch *scratch = route_scratch_new(policy);
	int by_heart = 0, held_out = 0;
	for (int i = 0; i < ROWS; i++) {
		struct fixture_job f;
		fixture_job_init(&f, arena_cstr(&arena, texts[i]));
		route_ask_all(policy, scratch, &f.job, &answers[i]);
		fixture_job_free(&f);
		rows[i] = (struct calibrate_row){(int)train[i].label, held_out_fold(texts[i], FOLDS), &answers[i]};
		assert_true(answers[i].learned);
		by_heart += answers[i].route == rows[i].label;
	}
	struct held_out_setup held = {.policy = policy, .stage = 0, .folds = FOLDS, .rows = rows, .texts = texts, .row_count = ROWS};
	struct held_out_report report;
	assert_int_equal(held_out_answers(&held, &report, &err), RC_OK);
	assert_int_equal(report.learned, ROWS);
	assert_int_equal(report.unanswered, 0);
	for (int i = 0; i < ROWS; i++)
		held_out += answers[i].route == rows[i].label;
	assert_true(by_heart > ROWS * 8 / 10);
	assert_in_range(held_out, ROWS * 35 / 100, ROWS * 65 / 100);
	route_scratch_free(scratch);
	policy_unref(policy);
	fixture_remove_folder(folder, (const char *const[]){"lots.pmc", NULL});
	arena_free(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(equal_texts_share_a_fold_and_folds_are_about_equal),
		cmocka_unit_test(rows_known_by_heart_are_answered_by_classifiers_that_do_not_know_them),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
