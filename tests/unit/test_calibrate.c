/* test_calibrate.c: choosing for several stages on made answers, where the right thresholds are known, and folds that see nothing of
 * themselves. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>

#include "worker/lab/calibrate.h"

enum { ROUTES = 3, SAFE = 2, STAGES = 2, FOLDS = 4, MOST = 8000 };

struct made {
	struct arena arena;
	struct calibrate_row *rows;
	uint32_t count;
	double thresholds[STAGES][ROUTES];
	struct stage_info stages[STAGES];
};

static void start(struct made *m)
{
	*m = (struct made){0};
	arena_init(&m->arena, 0);
	m->rows = arena_array(&m->arena, MOST, sizeof *m->rows);
	for (int s = 0; s < STAGES; s++) {
		for (int r = 0; r < ROUTES; r++)
			m->thresholds[s][r] = 0.5;
		m->stages[s] = (struct stage_info){.name = s == 0 ? "first" : "second", .thresholds = m->thresholds[s], .accept = 0.5};
	}
}

static void stop(struct made *m)
{
	arena_free(&m->arena);
}

static const struct stage_answer silent = {.verdict = VERDICT_PASS, .route = -1, .score = NAN};

static struct stage_answer says(int route, double score)
{
	return (struct stage_answer){.verdict = VERDICT_PASS, .route = route, .score = score};
}

static void add(struct made *m, int label, struct stage_answer first, struct stage_answer second)
{
	struct calibrate_row *row = &m->rows[m->count];
	*row = (struct calibrate_row){.label = label, .fold = m->count % FOLDS};
	row->answers = arena_array(&m->arena, STAGES, sizeof *row->answers);
	row->answers[0] = first;
	row->answers[1] = second;
	m->count++;
}

static struct calibrate_setup setup_of(const struct made *m, enum curve_goal_kind kind, double value)
{
	return (struct calibrate_setup){.rows = m->rows, .row_count = m->count, .folds = FOLDS, .stages = m->stages, .stage_count = STAGES,
	                                .eval = {.routes = ROUTES, .when_unsure = SAFE}, .goal = {kind, value}, .route_rows = 50};
}

/* Scores .01 to .99, 20 rows each; of score s, so many of 20 are wrong as wrong(s) says. */
static void spread(struct made *m, int route, double (*wrong)(double), int stage)
{
	for (int i = 1; i < 100; i++)
		for (int k = 0; k < 20; k++) {
			double score = i / 100.0;
			struct stage_answer a = says(route, score);
			add(m, k < wrong(score) * 20 - 1e-9 ? SAFE : route, stage == 0 ? a : silent, stage == 1 ? a : silent);
		}
}

static double falling(double score) { return 1 - score; }
static double half_falling(double score) { return (1 - score) / 2; }

static void each_route_gets_the_threshold_that_its_own_errors_ask_for(void **state)
{
	(void)state;
	struct made m;
	struct calibrate_result result;
	start(&m);
	spread(&m, 0, falling, 0);
	spread(&m, 1, half_falling, 0);
	struct calibrate_setup setup = setup_of(&m, CURVE_MISROUTE, .15);
	calibrate(&setup, &m.arena, &result);
	const struct calibrate_stage *stage = &result.stages[0];
	assert_int_equal(stage->state, CALIBRATE_CHOSEN);
	assert_int_equal(result.stages[1].state, CALIBRATE_KEPT); /* it answers nothing */
	assert_true(result.stages[1].accept == .5);
	assert_true(stage->routes[0].own && stage->routes[1].own && !stage->routes[2].own);
	/* the next row errs as often in both: 1 - a = (1 - b) / 2 */
	double a = stage->thresholds[0], b = stage->thresholds[1];
	if (fabs((1 - a) - (1 - b) / 2) > .06)
		fail_msg("%g and %g", a, b);
	struct share wrong = calibrate_misroutes(result.proposed);
	assert_true(result.reached && wrong.share <= .15 && wrong.share > .12);
	assert_true((double)(stage->routes[0].proposed_wrong + stage->routes[1].proposed_wrong) <= .15 * (double)(stage->routes[0].proposed + stage->routes[1].proposed));
	calibrate_free(&result);
	stop(&m);
}

static void a_later_stage_is_chosen_for_on_the_rows_that_the_first_leaves(void **state)
{
	(void)state;
	struct made m;
	struct calibrate_result result;
	start(&m);
	/* the first is sure and right above .8 and always wrong below; the second is right on what the first leaves, wrong on the rest */
	for (int i = 1; i < 100; i++)
		for (int k = 0; k < 10; k++) {
			bool high = i >= 80;
			add(&m, high ? 0 : 1, says(0, i / 100.0), says(1, .9));
		}
	struct calibrate_setup setup = setup_of(&m, CURVE_MISROUTE, .03);
	calibrate(&setup, &m.arena, &result);
	assert_int_equal(result.stages[0].routes[0].proposed, 200);
	assert_true(result.stages[0].thresholds[0] > .79 - 1e-9 && result.stages[0].thresholds[0] <= .8);
	assert_int_equal(result.stages[1].rows, 790); /* without the 200 that would be wrong there */
	assert_int_equal(result.stages[1].routes[1].proposed, 790);
	assert_int_equal(eval_summary(result.proposed).right, 990);
	calibrate_free(&result);
	stop(&m);
}

static void barred_answers_and_stages_without_thresholds_are_left_as_they_are(void **state)
{
	(void)state;
	struct made m;
	struct calibrate_result result;
	start(&m);
	m.stages[0] = (struct stage_info){.name = "rules"};
	for (int i = 0; i < 300; i++) {
		struct stage_answer rule = {.verdict = i % 3 == 0 ? VERDICT_DECIDED : VERDICT_PASS, .route = i % 3 == 0 ? 1 : -1, .score = NAN};
		struct stage_answer other = says(0, .3 + i % 2 * .4);
		other.barred = i % 2 == 1; /* high, and too close to the next */
		add(&m, 0, rule, other);
	}
	struct calibrate_setup setup = setup_of(&m, CURVE_SHARE, .9);
	calibrate(&setup, &m.arena, &result);
	assert_int_equal(result.stages[0].state, CALIBRATE_KEPT);
	assert_int_equal(eval_stage(result.proposed, 0).decided.hits, 100);
	assert_int_equal(eval_stage(result.proposed, 1).decided.hits, 100); /* the 200 that are left, without the barred half */
	assert_false(result.reached); /* two thirds are all that can be decided */
	calibrate_free(&result);
	stop(&m);
}

static void a_share_is_spread_over_stages_by_how_often_their_next_rows_err(void **state)
{
	(void)state;
	struct made m;
	struct calibrate_result result;
	start(&m);
	spread(&m, 0, falling, 0);
	spread(&m, 1, half_falling, 1);
	struct calibrate_setup setup = setup_of(&m, CURVE_SHARE, .4);
	calibrate(&setup, &m.arena, &result);
	assert_true(result.reached);
	int64_t first = result.stages[0].routes[0].proposed, second = result.stages[1].routes[1].proposed;
	assert_true(first + second >= (int64_t)(.4 * m.count) && first + second <= (int64_t)(.4 * m.count) + 40);
	assert_true(second > first); /* it errs half as often */
	double a = result.stages[0].thresholds[0], b = result.stages[1].thresholds[1];
	assert_true(fabs((1 - a) - (1 - b) / 2) < .06);
	calibrate_free(&result);
	stop(&m);
}

/* Wrong costs 4, passing on a row that could have been decided 1: it pays down to a score of .8. */
static void the_least_cost_is_where_an_error_is_worth_what_it_saves(void **state)
{
	(void)state;
	struct made m;
	struct calibrate_result result;
	double costs[(ROUTES + 1) * ROUTES];
	start(&m);
	spread(&m, 0, falling, 0);
	for (size_t i = 0; i < sizeof costs / sizeof costs[0]; i++)
		costs[i] = 1;
	costs[SAFE * ROUTES + 0] = 4;
	struct calibrate_setup setup = setup_of(&m, CURVE_COST, 0);
	setup.eval.costs = costs;
	calibrate(&setup, &m.arena, &result);
	if (fabs(result.stages[0].thresholds[0] - .8) > .03)
		fail_msg("%g", result.stages[0].thresholds[0]);
	assert_true(eval_summary(result.proposed).cost < eval_summary(result.now).cost);
	calibrate_free(&result);
	stop(&m);
}

static void too_few_rows_leave_the_thresholds_and_say_what_is_needed(void **state)
{
	(void)state;
	struct made m;
	struct calibrate_result result;
	start(&m);
	for (int i = 0; i < 120; i++)
		add(&m, 0, says(0, .7), silent); /* all right; and yet 120 rows do not show 3 % */
	struct calibrate_setup setup = setup_of(&m, CURVE_MISROUTE, .03);
	calibrate(&setup, &m.arena, &result);
	assert_int_equal(result.stages[0].state, CALIBRATE_TOO_FEW);
	assert_int_equal(result.stages[0].needed, 125);
	assert_int_equal(result.stages[0].reachable, 120);
	assert_true(result.stages[0].accept == .5 && result.stages[0].thresholds[0] == .5);
	calibrate_free(&result);
	for (int i = 0; i < 5; i++)
		add(&m, 0, says(0, .7), silent);
	setup = setup_of(&m, CURVE_MISROUTE, .03);
	calibrate(&setup, &m.arena, &result);
	assert_int_equal(result.stages[0].state, CALIBRATE_CHOSEN);
	calibrate_free(&result);
	stop(&m);
}

/* Right and wrong by lot: whatever looks good in one fold is chance, and the folds say so. */
static void figures_of_rows_not_chosen_on_do_not_flatter(void **state)
{
	(void)state;
	struct made m;
	struct calibrate_result result;
	uint64_t seed = 5;
	start(&m);
	for (int i = 0; i < 2000; i++) {
		seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		double score = (double)(seed >> 40) / (double)(1 << 24);
		seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		add(&m, seed >> 63 ? 0 : 1, says(0, score), silent);
	}
	struct calibrate_setup setup = setup_of(&m, CURVE_SHARE, .2);
	calibrate(&setup, &m.arena, &result);
	struct share wrong = calibrate_misroutes(result.proposed);
	assert_true(wrong.low < .5 && wrong.high > .5);
	calibrate_free(&result);
	setup = setup_of(&m, CURVE_MISROUTE, .1); /* no threshold reaches it on enough rows */
	calibrate(&setup, &m.arena, &result);
	assert_true(result.stages[0].state == CALIBRATE_TOO_FEW || result.stages[0].state == CALIBRATE_NOT_KEPT);
	assert_true(result.stages[0].accept == .5);
	calibrate_free(&result);
	stop(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_route_gets_the_threshold_that_its_own_errors_ask_for),
		cmocka_unit_test(a_later_stage_is_chosen_for_on_the_rows_that_the_first_leaves),
		cmocka_unit_test(barred_answers_and_stages_without_thresholds_are_left_as_they_are),
		cmocka_unit_test(a_share_is_spread_over_stages_by_how_often_their_next_rows_err),
		cmocka_unit_test(the_least_cost_is_where_an_error_is_worth_what_it_saves),
		cmocka_unit_test(too_few_rows_leave_the_thresholds_and_say_what_is_needed),
		cmocka_unit_test(figures_of_rows_not_chosen_on_do_not_flatter),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
