/*
 * The score of scope and the reliability of probabilities, against figures worked out by hand.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>

#include "worker/lab/reliability.h"
#include "worker/lab/scope.h"

static void close_to(double is, double expected)
{
	if (!(fabs(is - expected) < 1e-9))
		fail_msg("%.12f instead of %.12f", is, expected);
}

static void the_area_counts_pairs_and_ties_by_half(void **state)
{
	(void)state;
	struct scope *s = scope_new();
	assert_true(isnan(scope_auroc(s)) && isnan(scope_threshold(s, .95)));
	for (int i = 1; i <= 4; i++)
		scope_add(s, i, false); /* 1 2 3 4 */
	scope_add(s, 0.5, true);
	scope_add(s, 2, true);
	close_to(scope_auroc(s), (4 + 2.5) / 8); /* 2 is under 3 and 4, and equal to one */
	scope_add(s, 9, true);
	close_to(scope_auroc(s), (4 + 2.5) / 12);
	assert_int_equal(scope_rows(s, true), 3);
	scope_free(s);
	scope_free(NULL);
}

static void the_threshold_keeps_the_share_that_was_asked_for(void **state)
{
	(void)state;
	struct scope *s = scope_new();
	for (int i = 99; i >= 0; i--)
		scope_add(s, i, false);
	close_to(scope_threshold(s, .95), 5);
	for (int i = 0; i < 10; i++)
		scope_add(s, i, true);
	struct share caught = scope_caught(s, 5);
	assert_int_equal(caught.hits, 5);
	assert_int_equal(caught.rows, 10);
	scope_free(s);
}

static void an_honest_probability_has_no_error_and_a_boastful_one_has(void **state)
{
	(void)state;
	struct reliability honest = {0}, boastful = {0};
	assert_true(isnan(reliability_ece(&honest)) && isnan(reliability_brier(&honest)));
	for (int i = 0; i < 10; i++) {
		reliability_add(&honest, .8, i < 8);
		reliability_add(&boastful, 1, i < 6);
	}
	close_to(reliability_ece(&honest), 0);
	close_to(reliability_brier(&honest), .8 * .04 + .2 * .64);
	close_to(reliability_ece(&boastful), .4);
	close_to(reliability_brier(&boastful), .4);
	reliability_add(&boastful, 0, false);
	close_to(reliability_ece(&boastful), 4. / 11);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_area_counts_pairs_and_ties_by_half),
		cmocka_unit_test(the_threshold_keeps_the_share_that_was_asked_for),
		cmocka_unit_test(an_honest_probability_has_no_error_and_a_boastful_one_has),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
