/*
 * The figures of an evaluation: against a case computed by hand, and against a slow computation of the definitions.
 */
#include "tests/unit/route_fixture.h"

#include "worker/lab/costs.h"
#include "worker/lab/decide.h"
#include "worker/lab/eval.h"

enum { A, B, SAFE, ROUTES };

static void near(double got, double expected)
{
	if (isnan(expected) ? !isnan(got) : !(fabs(got - expected) <= 1e-9))
		fail_msg("got %.9g, expected %.9g", got, expected);
}

static const char *const stage_names[] = {"rules", "semantic"};
static const uint8_t first_decides[] = {VERDICT_DECIDED}, second_decides[] = {VERDICT_PASS, VERDICT_DECIDED}, none_decides[] = {VERDICT_FAILED, VERDICT_ASK};

static struct eval_row row(int label, int route, int stage, const struct attribute *product)
{
	struct eval_row r = {.label = label, .route = route, .unsure = stage < 0, .stage = stage, .stages = stage_names, .stage_count = stage == 0 ? 1 : 2};
	r.verdicts = stage == 0 ? first_decides : stage == 1 ? second_decides : none_decides;
	r.slices = product;
	r.slice_count = product != NULL;
	return r;
}

static void a_small_case_gives_the_figures_computed_by_hand(void **state)
{
	(void)state; /* unused */
	double costs[(ROUTES + 1) * ROUTES];
	for (size_t i = 0; i < sizeof costs / sizeof costs[0]; i++)
		costs[i] = NAN;
	costs[A * ROUTES + B] = 2.5;
	costs[ROUTES * ROUTES + A] = 10;
	static const struct attribute old = {STR("product"), STR("old")}, new = {STR("product"), STR("new")};
	struct eval *e = eval_new(&(struct eval_setup){.routes = ROUTES, .when_unsure = SAFE, .costs = costs});
	const struct eval_row rows[] = {
		row(A, A, 0, &old), row(A, A, 1, &old), row(A, B, 1, &new), row(A, SAFE, -1, &new), row(B, B, 1, &old), row(B, B, 1, &old),
		row(SAFE, SAFE, 0, &old), row(EVAL_NONE, SAFE, -1, &old), row(EVAL_NONE, SAFE, -1, &new), row(EVAL_NONE, A, 1, &new),
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		eval_add(e, &rows[i]);
	struct eval_summary s = eval_summary(e);
	assert_int_equal(s.rows, 10);
	assert_int_equal(s.right, 7);
	near(s.accuracy, .7);
	near(s.misroutes.share, .3);
	near(s.misroutes.low, share_of(3, 10).low);
	near(s.unsure.share, .3);
	near(s.out_of_scope.share, 2.0 / 3);
	near(s.kept.share, 6.0 / 7);
	near(s.cost, 12.5);
	near(s.unpriced, 1); /* A -> SAFE */
	/* A: 2 of 4, taken 3; B: 2 of 2, taken 3; SAFE: 1 of 1, taken 2 (the caught rows of no route are not held against it) */
	near(s.macro_f1, (4.0 / 7 + 4.0 / 5 + 2.0 / 3) / 3);
	struct eval_class a = eval_class(e, A), b = eval_class(e, B);
	assert_int_equal(a.support, 4);
	assert_int_equal(a.taken, 3);
	near(a.precision, 2.0 / 3);
	near(a.recall, .5);
	near(b.precision, 2.0 / 3);
	near(b.recall, 1);
	assert_int_equal(eval_cell(e, A, A), 2);
	assert_int_equal(eval_cell(e, A, B), 1);
	assert_int_equal(eval_cell(e, EVAL_NONE, SAFE), 2);
	assert_int_equal(eval_stages(e), 2);
	struct eval_stage rules = eval_stage(e, 0), semantic = eval_stage(e, 1);
	assert_string_equal(semantic.name, "semantic");
	assert_int_equal(rules.decided.hits, 2);
	near(rules.right.share, 1);
	assert_int_equal(rules.failed, 3);
	assert_int_equal(semantic.reached, 8);
	assert_int_equal(semantic.decided.hits, 5);
	assert_int_equal(semantic.asked, 3);
	near(semantic.right.share, 3.0 / 5);

	struct arena arena;
	arena_init(&arena, 0);
	uint32_t count;
	struct eval_slice *slices = eval_slices(e, 1, &arena, &count);
	assert_int_equal(count, 2);
	assert_str(slices[0].value, "new");
	near(slices[0].summary.misroutes.share, .75);
	near(slices[1].summary.misroutes.share, 0);
	assert_int_equal(slices[0].summary.rows + slices[1].summary.rows, 10);
	(void)eval_slices(e, 5, &arena, &count); /* only the count is asked for */
	assert_int_equal(count, 1);
	arena_free(&arena);
	eval_free(e);
}

static void figures_without_rows_are_undefined_and_not_zero(void **state)
{
	(void)state; /* unused */
	struct eval *e = eval_new(&(struct eval_setup){.routes = ROUTES, .when_unsure = SAFE});
	struct eval_summary s = eval_summary(e);
	near(s.accuracy, NAN);
	near(s.macro_f1, NAN);
	near(s.misroutes.share, NAN);
	near(s.cost, NAN);
	near(eval_micros(e, .5), NAN);
	struct eval_row r = row(A, A, 0, NULL);
	eval_add(e, &r);
	near(eval_summary(e).out_of_scope.share, NAN);
	near(eval_class(e, B).precision, NAN);
	near(eval_class(e, B).f1, NAN);
	eval_free(e);
}

static void times_are_ranked(void **state)
{
	(void)state; /* unused */
	struct eval *e = eval_new(&(struct eval_setup){.routes = ROUTES, .when_unsure = SAFE});
	for (uint32_t i = 0; i <= 10000; i++) {
		struct eval_row r = row(A, A, 0, NULL);
		r.nanos = (i * 7919) % 10001 * 1000; /* each of 0 to 10,000 once */
		eval_add(e, &r);
	}
	near(eval_micros(e, .5), 5000);
	near(eval_micros(e, .99), 9900);
	near(eval_micros(e, 1), 10000);
	eval_free(e);
}

/* The definitions, over all rows kept, one figure at a time. */
static double naive_macro_f1(const struct eval_row *rows, size_t n, int routes, int safe)
{
	double sum = 0;
	int with_rows = 0;
	for (int k = 0; k < routes; k++) {
		double right = 0, wrongly_there = 0, wrongly_away = 0, support = 0;
		for (size_t i = 0; i < n; i++) {
			bool belongs = rows[i].label == k, went = rows[i].route == k;
			if (rows[i].label == EVAL_NONE && rows[i].route == safe)
				continue;
			support += belongs;
			right += belongs && went;
			wrongly_there += went && !belongs;
			wrongly_away += belongs && !went;
		}
		if (support == 0)
			continue;
		with_rows++;
		double precision = right + wrongly_there > 0 ? right / (right + wrongly_there) : 0, recall = right / (right + wrongly_away);
		sum += precision + recall > 0 ? 2 * precision * recall / (precision + recall) : 0;
	}
	return with_rows != 0 ? sum / with_rows : NAN;
}

static void counted_figures_are_those_of_the_definitions(void **state)
{
	(void)state; /* unused */
	uint32_t seed = 7;
	for (int round = 0; round < 300; round++) {
		int routes = 1 + (int)(seed >> 8) % 9, safe = (int)(seed >> 16) % routes;
		struct eval_row rows[200];
		size_t n = 1 + (seed >> 4) % 200;
		struct eval *e = eval_new(&(struct eval_setup){.routes = (uint32_t)routes, .when_unsure = safe});
		int64_t right = 0, none = 0, caught = 0;
		for (size_t i = 0; i < n; i++) {
			seed = seed * 1664525 + 1013904223;
			int label = (int)(seed >> 8) % (routes + 1) - 1, route = (int)(seed >> 20) % routes;
			rows[i] = row(label, route, route == safe ? -1 : 1, NULL);
			eval_add(e, &rows[i]);
			right += label == route || (label == EVAL_NONE && route == safe);
			none += label == EVAL_NONE;
			caught += label == EVAL_NONE && route == safe;
		}
		struct eval_summary s = eval_summary(e);
		near(s.accuracy, (double)right / (double)n);
		near(s.out_of_scope.share, none != 0 ? (double)caught / (double)none : NAN);
		near(s.macro_f1, naive_macro_f1(rows, n, routes, safe));
		int64_t cells = 0;
		for (int label = EVAL_NONE; label < routes; label++)
			for (uint32_t k = 0; k < (uint32_t)routes; k++)
				cells += eval_cell(e, label, k);
		assert_int_equal(cells, n);
		eval_free(e);
	}
}

static void an_attribute_of_many_values_is_no_slice(void **state)
{
	(void)state; /* unused */
	static const struct str wanted[] = {STR("kind")};
	struct arena arena;
	arena_init(&arena, 0);
	for (int only = 0; only < 2; only++) {
		struct eval *e = eval_new(&(struct eval_setup){.routes = ROUTES, .when_unsure = SAFE, .slices = wanted, .slice_count = (uint32_t)only});
		for (int i = 0; i < 200; i++) {
			char number[16];
			(void)snprintf(number, sizeof number, "%d", i); /* short */
			struct attribute slices[] = {{STR("ticket"), str_of(number)}, {STR("kind"), i % 2 ? STR("odd") : STR("even")}, {STR("half"), i < 100 ? STR("1") : STR("2")}};
			struct eval_row r = row(A, i % 2 ? A : B, 1, NULL);
			r.slices = slices;
			r.slice_count = 3;
			eval_add(e, &r);
		}
		uint32_t count;
		struct eval_slice *slices = eval_slices(e, 1, &arena, &count);
		assert_int_equal(count, only ? 2 : 4);
		assert_str(slices[0].value, "even");
		near(slices[0].summary.misroutes.share, 1);
		assert_int_equal(slices[0].worst, A);
		assert_str(slices[count - 1].value, "odd");
		assert_int_equal(slices[count - 1].worst, EVAL_NONE);
		eval_free(e);
	}
	arena_free(&arena);
}

/* ---- what to look at first ------------------------------------------------------------------------------------------- */

static void capacity_wasted_and_quality_at_risk_are_told_apart_by_the_prices_of_routes(void **state)
{
	(void)state; /* unused */
	const double prices[ROUTES] = {[A] = 1, [B] = 5, [SAFE] = 5};
	double costs[(ROUTES + 1) * ROUTES];
	for (size_t i = 0; i < sizeof costs / sizeof costs[0]; i++)
		costs[i] = 2;
	costs[B * ROUTES + A] = 30;
	struct eval *e = eval_new(&(struct eval_setup){.routes = ROUTES, .when_unsure = SAFE, .costs = costs, .prices = prices});
	const struct eval_row rows[] = {
		row(A, B, 0, NULL), row(A, SAFE, -1, NULL), row(A, A, 0, NULL), /* two wasted */
		row(B, A, 0, NULL), row(B, SAFE, -1, NULL), row(EVAL_NONE, B, 0, NULL), /* cheaper, as dear, and nobody's: at risk */
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		eval_add(e, &rows[i]);
	struct eval_summary s = eval_summary(e);
	assert_int_equal(s.wasted, 2);
	assert_int_equal(s.risky, 3);
	near(s.cost_wasted, 4);
	near(s.cost_risky, 34);
	near(s.cost, 38);
	eval_free(e);
}

static void a_class_that_goes_wrong_more_often_than_not_is_named_with_where_it_goes(void **state)
{
	(void)state; /* unused */
	struct eval *e = eval_new(&(struct eval_setup){.routes = ROUTES, .when_unsure = SAFE});
	struct eval_row all[] = {row(A, B, 0, NULL), row(A, SAFE, -1, NULL), row(B, A, 0, NULL), row(B, B, 0, NULL), row(EVAL_NONE, A, 0, NULL)};
	for (int i = 0; i < 12; i++)
		eval_add(e, &all[i < 9 ? 0 : 1]); /* A: all 12 wrong, 9 of them at B */
	for (int i = 0; i < 20; i++)
		eval_add(e, &all[i < 12 ? 2 : 3]); /* B: 12 of 20 wrong, which may be chance */
	for (int i = 0; i < 4; i++)
		eval_add(e, &all[4]); /* none: too few rows to say */
	struct eval_consistent worst[2];
	assert_int_equal(eval_consistent(e, worst, 2), 1);
	assert_int_equal(worst[0].label, A);
	assert_int_equal(worst[0].route, B);
	assert_int_equal(worst[0].rows, 9);
	assert_int_equal(worst[0].wrong.hits, 12);
	eval_add(e, &all[4]);
	assert_int_equal(eval_consistent(e, worst, 2), 2); /* five of five: shown, and less sure than A */
	assert_int_equal(worst[1].label, EVAL_NONE);
	assert_int_equal(eval_consistent(e, worst, 1), 1);
	assert_int_equal(worst[0].label, A);
	eval_free(e);
}

/* ---- costs and decisions, with a real policy ------------------------------------------------------------------------- */

static const char policy_text[] =
    "name: p\nwhen_unsure: careful\nroutes:\n"
    "  - {name: quick, models: [small]}\n  - {name: human, topic: desk}\n  - {name: careful, models: [capable]}\n"
    "stages:\n  - rules:\n      - {name: q, when: {keywords: [printer]}, route: quick}\n      - {name: h, when: {attributes: {vip: 'yes'}}, route: human}\n";

static void costs_are_read_and_mistakes_are_shown_where_they_are(void **state)
{
	(void)state; /* unused */
	char *folder = fixture_folder();
	struct policy *policy = fixture_policy(policy_text, folder);
	struct arena arena;
	arena_init(&arena, 0);
	struct err err = {""};
	double *costs = NULL;
	assert_int_equal(costs_parse("c.yaml", STR("costs: {quick->human: 2.00, careful->quick: 25, oos->human: 0.5, default: 1}"), policy, &arena, &costs, &err), RC_OK);
	static const double expected[] = {1, 2, 1, 1, 1, 1, 25, 1, 1, 1, .5, 1};
	for (int i = 0; i < 12; i++)
		near(costs[i], expected[i]);
	assert_int_equal(costs_parse("c.yaml", STR("costs: {quick->human: 2}"), policy, &arena, &costs, &err), RC_OK);
	near(costs[0], NAN);
	static const struct {
		const char *text, *words;
	} wrong[] = {
		{"quick->human: 2", "costs"},
		{"costs: {quick->humn: 2}", "did you mean \"human\""},
		{"costs: {quick: 2}", "a pair is expected"},
		{"costs: {quick->quick: 2}", "costs nothing"},
		{"costs: {quick->human: 2, quick -> human: 3}", "already"},
		{"costs: {quick->human: -2}", "0 or more"},
		{"costs: {quick->human: dear}", "0 or more"},
		{"costs: {human->oos: 1}", "\"oos\" is no route"},
		{"", "costs"},
	};
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		err.text[0] = '\0';
		assert_int_equal(costs_parse("c.yaml", str_of(wrong[i].text), policy, &arena, &costs, &err), RC_BAD_INPUT);
		if (strstr(err.text, wrong[i].words) == NULL || strncmp(err.text, "c.yaml:1:", 9) != 0)
			fail_msg("\"%s\": \"%s\" lacks \"%s\"", wrong[i].text, err.text, wrong[i].words);
	}
	arena_free(&arena);
	policy_unref(policy);
	fixture_remove_folder(folder, NULL);
}

static void decisions_do_not_depend_on_the_number_of_threads(void **state)
{
	(void)state; /* unused */
	enum { ROWS = 1000 };
	static const char *const texts[] = {"my printer burns", "hello", "another printer", "what now"};
	char *folder = fixture_folder();
	struct policy *policy = fixture_policy(policy_text, folder);
	struct attribute vip = {STR("vip"), STR("yes")};
	struct message *messages = calloc(ROWS, sizeof *messages);
	struct request *requests = calloc(ROWS, sizeof *requests);
	struct decided *first = calloc(ROWS, sizeof *first), *results = calloc(ROWS, sizeof *results);
	assert_true(messages != NULL && requests != NULL && first != NULL && results != NULL);
	for (int i = 0; i < ROWS; i++) {
		messages[i] = (struct message){STR("user"), str_of(texts[i % 4])};
		requests[i] = (struct request){.id = STR("1"), .messages = &messages[i], .message_count = 1, .attributes = &vip, .attribute_count = i % 8 == 1};
	}
	struct decider *alone = decider_new(policy, 1), *crowd = decider_new(policy, 7);
	decider_run(alone, requests, ROWS, first);
	for (int round = 0; round < 3; round++) {
		decider_run(crowd, requests, ROWS, results);
		for (int i = 0; i < ROWS; i++) {
			assert_int_equal(results[i].route, i % 2 == 0 ? 0 : i % 8 == 1 ? 1 : 2);
			assert_int_equal(results[i].route, first[i].route);
			assert_int_equal(results[i].unsure, first[i].unsure);
			assert_int_equal(results[i].stage, first[i].unsure ? -1 : 0);
			assert_true(str_eq(results[i].reason, first[i].reason));
		}
	}
	decider_free(alone);
	decider_free(crowd);
	free(messages);
	free(requests);
	free(first);
	free(results);
	policy_unref(policy);
	fixture_remove_folder(folder, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_small_case_gives_the_figures_computed_by_hand),
		cmocka_unit_test(figures_without_rows_are_undefined_and_not_zero),
		cmocka_unit_test(times_are_ranked),
		cmocka_unit_test(counted_figures_are_those_of_the_definitions),
		cmocka_unit_test(an_attribute_of_many_values_is_no_slice),
		cmocka_unit_test(capacity_wasted_and_quality_at_risk_are_told_apart_by_the_prices_of_routes),
		cmocka_unit_test(a_class_that_goes_wrong_more_often_than_not_is_named_with_where_it_goes),
		cmocka_unit_test(costs_are_read_and_mistakes_are_shown_where_they_are),
		cmocka_unit_test(decisions_do_not_depend_on_the_number_of_threads),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
