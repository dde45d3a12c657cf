/*
 * Training and the classifier: the wide loops against their plain twins, that learning is the same to the byte, that it learns, and that a
 * file from elsewhere is not believed.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>

#include "worker/lab/train.h"
#include "worker/route/elementary.h"
#include "worker/route/kernels.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static uint64_t draw(uint64_t *state)
{
	*state = *state * UINT64_C(6364136223846793005) + 1442695040888963407u;
	return *state >> 33;
}

static void wide_loops_and_plain_ones_give_the_same_bits(void **state)
{
	(void)state;
	enum { MOST = 300 };
	uint64_t seed = 5;
	for (uint32_t n = 0; n <= MOST; n++) {
		float a[MOST + 1], b[MOST + 1];
		int8_t row[MOST + 1], other[MOST + 1];
		for (uint32_t i = 0; i < n; i++) {
			a[i] = b[i] = (float)draw(&seed) / 1e7f - 100;
			row[i] = (int8_t)(draw(&seed) % 255 - 127);
			other[i] = (int8_t)(draw(&seed) % 255 - 127);
		}
		kernels_add_row(a, row, 0.0371f, n);
		kernels_add_row_portable(b, row, 0.0371f, n);
		assert_memory_equal(a, b, n * sizeof *a);
		assert_int_equal(kernels_dot(row, other, n), kernels_dot_portable(row, other, n));
		int32_t wide[3], plain[3];
		kernels_dots(row, other, 3, n / 3, wide);
		kernels_dots_portable(row, other, 3, n / 3, plain);
		assert_memory_equal(wide, plain, sizeof wide);
		int8_t whole[MOST + 1], plain_whole[MOST + 1];
		float scale = kernels_quantise(a, n, whole), plain_scale = kernels_quantise_portable(a, n, plain_whole);
		assert_memory_equal(&scale, &plain_scale, sizeof scale);
		assert_memory_equal(whole, plain_whole, n);
		assert_int_equal(wide[2], kernels_dot_portable(row, other + 2 * (n / 3), n / 3));
	}
}

static void steps_of_learning_have_the_same_bits_wide_and_plain(void **state)
{
	(void)state;
	enum { MOST = 100 };
	uint64_t seed = 6;
	for (uint32_t n = 0; n <= MOST; n++) {
		float weight[2][MOST + 1], square[2][MOST + 1], slope[MOST + 1];
		for (uint32_t i = 0; i < n; i++) {
			weight[0][i] = weight[1][i] = (float)draw(&seed) / 1e9f - 1;
			square[0][i] = square[1][i] = (float)(draw(&seed) % 1000) / 100;
			slope[i] = (float)draw(&seed) / 2e9f - .5f;
		}
		struct kernels_step step = {.7f, .1f, 1e-6f};
		kernels_adagrad(weight[0], square[0], slope, step, n);
		kernels_adagrad_portable(weight[1], square[1], slope, step, n);
		assert_memory_equal(weight[0], weight[1], n * sizeof **weight);
		assert_memory_equal(square[0], square[1], n * sizeof **square);
	}
}

static void exp_and_ln_of_many_have_the_same_bits_wide_and_plain_and_one_by_one(void **state)
{
	(void)state;
	enum { MOST = 101 };
	uint64_t seed = 7;
	for (uint32_t n = 0; n <= MOST; n++) {
		float wide[MOST + 1], plain[MOST + 1], logs[MOST + 1], plain_logs[MOST + 1], one[MOST + 1];
		for (uint32_t i = 0; i < n; i++)
			one[i] = wide[i] = plain[i] = i == 3 ? -INFINITY : (float)draw(&seed) / 1e7f - 200;
		kernels_exp(wide, n, .37f, 10);
		kernels_exp_portable(plain, n, .37f, 10);
		assert_memory_equal(wide, plain, n * sizeof *wide);
		for (uint32_t i = 0; i < n; i++) {
			assert_true(wide[i] == (float)elementary_exp((double)(.37f * (one[i] - 10))));
			wide[i] += 1e-9f;
		}
		kernels_log(wide, n, logs);
		kernels_log_portable(wide, n, plain_logs);
		assert_memory_equal(logs, plain_logs, n * sizeof *logs);
		for (uint32_t i = 0; i < n; i++)
			assert_true(logs[i] == (float)elementary_log((double)wide[i]));
	}
}

static void whole_numbers_come_close_to_what_they_stand_for(void **state)
{
	(void)state;
	const float values[] = {0.5f, -1, 0, 0.25f, 0.999f};
	int8_t whole[COUNT(values)];
	float scale = kernels_quantise(values, COUNT(values), whole);
	for (size_t i = 0; i < COUNT(values); i++)
		assert_true(fabsf((float)whole[i] * scale - values[i]) <= scale / 2 + 1e-7f);
	assert_true(kernels_quantise((const float[]){0, 0}, 2, whole) == 0 && whole[0] == 0);
}

static const char *const cards[] = {"my card has not arrived", "where is the card I ordered", "the new card is still not here",
                                    "card delivery takes too long", "when will my card come", "I wait for my card since a week",
                                    "did you send the card", "the card was promised for Monday", "my bank card is lost in the post",
                                    "can I track my card", "still no card in my letter box", "how long does a card take"};
static const char *const pins[] = {"I forgot my PIN", "how do I change the pin", "the pin is blocked", "reset my PIN please",
                                   "can I choose a new pin", "wrong pin three times", "the machine refuses my pin", "I need another pin",
                                   "what was my pin again", "pin entered wrongly", "unblock the pin", "the pin does not work"};

enum { STRANGE = 120 };

/* none: so many texts of no label are there, too. */
static struct buf learn_beside(struct arena *arena, const struct static_model *model, uint64_t seed, uint32_t none, struct train_report *report)
{
	static const char *const things[] = {"purple elephants", "the weather", "a poem", "my cat", "old music", "football"};
	static const char *const acts[] = {"dance on the moon", "in spring", "about love", "sleeps all day", "from Vienna", "last night"};
	static struct str strange[STRANGE];
	for (uint32_t i = 0; i < STRANGE; i++)
		strange[i] = arena_printf(arena, "%s %s %u", things[i % 6], acts[i / 6 % 6], i / 36);
	static const struct str labels[] = {{"card", 4}, {"pin", 3}};
	static struct train_row rows[COUNT(cards) + COUNT(pins)];
	for (size_t i = 0; i < COUNT(cards); i++) {
		rows[2 * i] = (struct train_row){str_of(cards[i]), 0};
		rows[2 * i + 1] = (struct train_row){str_of(pins[i]), 1};
	}
	struct train_setup setup = {.rows = rows, .row_count = COUNT(rows), .labels = labels, .label_count = 2, .model = model, .seed = seed,
	                            .none = strange, .none_count = none};
	struct buf file;
	buf_init(&file, arena, 1 << 16);
	assert_int_equal(train_classifier(&setup, &file, report, NULL), RC_OK);
	return file;
}

static struct buf learn(struct arena *arena, const struct static_model *model, uint64_t seed, struct train_report *report)
{
	return learn_beside(arena, model, seed, 0, report);
}

static void it_learns_and_two_times_the_same_is_the_same_to_the_byte(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		uint32_t label;
	} cases[] = {{"my card did not arrive", 0}, {"the card is not here yet", 0}, {"please reset the pin", 1}, {"I FORGOT THE PIN", 1}};
	struct arena arena;
	arena_init(&arena, 1 << 20);
	struct static_model *model = NULL;
	assert_int_equal(static_model_builtin(&arena, &model, NULL), RC_OK);
	struct train_report report;
	struct buf first = learn(&arena, model, 1, &report), again = learn(&arena, model, 1, &report), other = learn(&arena, model, 2, &report);
	assert_int_equal(first.len, again.len);
	assert_memory_equal(first.data, again.data, first.len);
	assert_true(other.len != first.len || memcmp(other.data, first.data, first.len) != 0);
	struct classifier *c = NULL;
	assert_int_equal(classifier_open(buf_view(&first), model, &arena, &c, NULL), RC_OK);
	struct classifier_scratch *scratch = classifier_scratch_new(c);
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct classified found;
		classifier_run(c, scratch, str_of(cases[i].text), &found);
		assert_int_equal(found.best, cases[i].label);
		const float *p = classifier_probabilities(scratch);
		assert_true(fabsf(p[0] + p[1] - 1) < 1e-5f && p[found.best] == found.confidence && found.confidence > 0.6f);
		struct classified once_more;
		classifier_run(c, scratch, str_of(cases[i].text), &once_more);
		assert_memory_equal(&found, &once_more, sizeof found);
	}
	struct classified alike, unlike;
	classifier_run(c, scratch, STR("where is my card"), &alike);
	classifier_run(c, scratch, STR("purple elephants dance on the moon"), &unlike);
	assert_true(alike.in_scope > unlike.in_scope);
	static const char *const odd[] = {"", " ", "\xff\xfe", "\xe2\x98\x83"};
	for (size_t i = 0; i < COUNT(odd); i++) {
		struct classified found;
		classifier_run(c, scratch, str_of(odd[i]), &found);
		assert_true(found.best < 2 && found.confidence >= 0 && found.confidence <= 1);
	}
	classifier_scratch_free(scratch);
	arena_free(&arena);
}

static void held_out_rows_say_how_good_it_is_and_names_are_learned_but_never_held_out(void **state)
{
	(void)state;
	struct arena arena;
	arena_init(&arena, 1 << 20);
	struct static_model *model = NULL;
	struct train_report report;
	assert_int_equal(static_model_builtin(&arena, &model, NULL), RC_OK);
	(void)learn(&arena, model, 1, &report); /* the file is not wanted here */
	assert_int_equal(report.held_out, COUNT(cards) + COUNT(pins));
	assert_int_equal(report.names, 2);
	assert_int_equal(report.folds, 5);
	assert_true(report.held_out_right > report.held_out * 3 / 4 && report.held_out_right <= report.held_out);
	assert_true(report.ece[1] >= 0 && report.brier[1] <= report.brier[0] + 0.02);
	assert_true(isnan(report.auroc) && !report.scope_learned);
	arena_free(&arena);
}

static void texts_of_no_label_teach_what_is_out_of_scope(void **state)
{
	(void)state;
	struct arena arena;
	arena_init(&arena, 1 << 20);
	struct static_model *model = NULL;
	struct train_report few, many, again;
	assert_int_equal(static_model_builtin(&arena, &model, NULL), RC_OK);
	(void)learn_beside(&arena, model, 1, TRAIN_NONE_FOR_SCOPE - 1, &few); /* only its report */
	struct buf file = learn_beside(&arena, model, 1, STRANGE, &many), twin = learn_beside(&arena, model, 1, STRANGE, &again);
	assert_true(!few.scope_learned && many.scope_learned);
	assert_int_equal(many.caught.rows, STRANGE);
	assert_true(many.auroc > .9 && many.auroc >= few.auroc - .05);
	assert_int_equal(file.len, twin.len);
	assert_memory_equal(file.data, twin.data, file.len);
	struct classifier *c = NULL;
	assert_int_equal(classifier_open(buf_view(&file), model, &arena, &c, NULL), RC_OK);
	struct classifier_scratch *scratch = classifier_scratch_new(c);
	struct classified alike, unlike;
	classifier_run(c, scratch, STR("where is my card"), &alike);
	classifier_run(c, scratch, STR("green elephants dance in spring"), &unlike);
	assert_true(alike.known && !unlike.known && alike.in_scope > unlike.in_scope);
	classifier_scratch_free(scratch);
	arena_free(&arena);
}

static void a_file_that_was_changed_or_cut_is_refused_or_harmless(void **state)
{
	(void)state;
	struct arena arena;
	arena_init(&arena, 1 << 20);
	struct static_model *model = NULL;
	struct train_report report;
	assert_int_equal(static_model_builtin(&arena, &model, NULL), RC_OK);
	struct buf file = learn(&arena, model, 1, &report);
	uint64_t seed = 9;
	for (size_t cut = 0; cut < file.len; cut += 1 + file.len / 40) {
		struct arena each;
		struct classifier *c = NULL;
		arena_init(&each, 0);
		assert_int_equal(classifier_open((struct str){file.data, cut}, model, &each, &c, NULL), RC_BAD_INPUT);
		arena_free(&each);
	}
	for (unsigned round = 0; round < 200; round++) {
		struct arena each;
		struct classifier *c = NULL;
		size_t at = draw(&seed) % (round % 2 == 0 ? file.len : 1500);
		char kept = file.data[at];
		file.data[at] = (char)draw(&seed);
		arena_init(&each, 0);
		if (classifier_open(buf_view(&file), model, &each, &c, NULL) == RC_OK) {
			struct classifier_scratch *scratch = classifier_scratch_new(c);
			struct classified found;
			classifier_run(c, scratch, STR("where is my card"), &found);
			assert_true(found.best < classifier_label_count(c));
			classifier_scratch_free(scratch);
		}
		file.data[at] = kept;
		arena_free(&each);
	}
	arena_free(&arena);
}

static void one_label_is_nothing_to_tell_apart(void **state)
{
	(void)state;
	struct arena arena;
	arena_init(&arena, 0);
	struct str label = STR("only");
	struct train_row row = {STR("x"), 0};
	struct train_report report;
	struct err err = {""};
	struct buf file;
	buf_init(&file, &arena, 64);
	struct train_setup setup = {.rows = &row, .row_count = 1, .labels = &label, .label_count = 1};
	assert_int_equal(train_classifier(&setup, &file, &report, &err), RC_BAD_INPUT);
	assert_non_null(strstr(err.text, "at least two"));
	arena_free(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wide_loops_and_plain_ones_give_the_same_bits),
		cmocka_unit_test(steps_of_learning_have_the_same_bits_wide_and_plain),
		cmocka_unit_test(exp_and_ln_of_many_have_the_same_bits_wide_and_plain_and_one_by_one),
		cmocka_unit_test(whole_numbers_come_close_to_what_they_stand_for),
		cmocka_unit_test(it_learns_and_two_times_the_same_is_the_same_to_the_byte),
		cmocka_unit_test(held_out_rows_say_how_good_it_is_and_names_are_learned_but_never_held_out),
		cmocka_unit_test(texts_of_no_label_teach_what_is_out_of_scope),
		cmocka_unit_test(a_file_that_was_changed_or_cut_is_refused_or_harmless),
		cmocka_unit_test(one_label_is_nothing_to_tell_apart),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
