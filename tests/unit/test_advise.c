/*
 * Whether routing pays: each reason for a no, and figures computed by hand.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>

#include "worker/lab/advise.h"

/* Clear categories and a gap of 25: the best case. */
static struct advise_facts good(void)
{
	return (struct advise_facts){.rows = 5000, .tight_share = 0.6, .largest_share = 0.2, .models = 2, .capable = {2.5, 10, NAN}, .cheaper = {0.1, 0.4, NAN},
	                             .input_tokens = 400, .output_tokens = 300, .records_a_day = NAN};
}

static void near(double got, double expected)
{
	if (!(fabs(got - expected) <= 1e-9 * fabs(expected)))
		fail_msg("got %.12g, expected %.12g", got, expected);
}

static void the_figures_are_those_of_a_pocket_calculator(void **state)
{
	(void)state; /* unused */
	struct advise_facts f = good();
	f.records_a_day = 10000;
	struct advice a = advise(&f);
	near(a.capable_usd, 4.0); /* 1,000 x (400 x 2.5 + 300 x 10) / 1e6 */
	near(a.cheaper_usd, 0.16);
	near(a.cost_ratio, 25);
	near(a.routed_low, 0.30);
	near(a.routed_high, 0.54);
	near(a.usd_low, 0.3 * 3.84);
	near(a.usd_high, 0.54 * 3.84);
	near(a.saved_low, 0.288);
	near(a.saved_high, 0.5184);
	near(a.month_low, 0.3 * 3.84 * 300);
	near(a.month_high, 0.54 * 3.84 * 300);
	assert_true(isnan(a.time_ratio));
}

static void each_verdict_has_its_reason(void **state)
{
	(void)state; /* unused */
	struct advise_facts f[17];
	for (int i = 0; i < 17; i++)
		f[i] = good();
	f[1].rows = 199;
	f[2].models = 1;
	f[3].cheaper = (struct advise_model){2, 8, NAN};
	f[4].tight_share = 0.05;
	f[5].tight_share = 0.139;
	f[6].tight_share = 0.3;
	f[7].records_a_day = 100;      /* 0.54 x 3.84 x 3 a month */
	f[8].cheaper = f[8].capable;
	f[8].capable.latency_ms = 4000;
	f[8].cheaper.latency_ms = 500;
	f[9].capable = f[9].cheaper = (struct advise_model){0, 0, NAN}; /* both are free */
	f[10].cheaper = (struct advise_model){0, 0, NAN};
	f[11].cheaper = (struct advise_model){4, 12, NAN}; /* the other way round */
	f[12].tight_share = 1;
	f[12].largest_share = 0.95;
	f[13].tight_share = 0.149; /* to 0.159 */
	f[14].tight_share = f[15].tight_share = 0.48;
	f[14].rows = 400;          /* from 0.43 on */
	f[16] = f[8];
	f[16].tight_share = 0.455; /* from 0.441 on */
	static const struct {
		enum advise_verdict verdict;
		enum advise_reason reason;
	} expected[17] = {{ADVISE_YES, ADVISE_CLEAR},      {ADVISE_TOO_FEW, ADVISE_ROWS},   {ADVISE_NO, ADVISE_ONE_MODEL},   {ADVISE_NO, ADVISE_NO_GAP},
	                  {ADVISE_NO, ADVISE_NO_KINDS},    {ADVISE_NO, ADVISE_NO_KINDS},    {ADVISE_MAYBE, ADVISE_SOME_KINDS}, {ADVISE_NO, ADVISE_SMALL_SUM},
	                  {ADVISE_YES, ADVISE_TIME_ONLY},  {ADVISE_NO, ADVISE_NO_GAP},      {ADVISE_YES, ADVISE_CLEAR},      {ADVISE_NO, ADVISE_NO_GAP},
	                  {ADVISE_NO, ADVISE_ONE_KIND},    {ADVISE_MAYBE, ADVISE_SOME_KINDS}, {ADVISE_MAYBE, ADVISE_SOME_KINDS}, {ADVISE_YES, ADVISE_CLEAR},
	                  {ADVISE_MAYBE, ADVISE_TIME_ONLY}};
	for (int i = 0; i < 17; i++) {
		struct advice a = advise(&f[i]);
		if (a.verdict != expected[i].verdict || a.reason != expected[i].reason)
			fail_msg("case %d: verdict %d, reason %d", i, (int)a.verdict, (int)a.reason);
		assert_true(a.usd_low >= 0 && a.usd_low <= a.usd_high && a.saved_high <= 1);
	}
	assert_true(isinf(advise(&f[10]).cost_ratio));
}

/* More clear texts, or a cheaper cheap model, never make the verdict worse. */
static void the_verdict_is_monotone(void **state)
{
	(void)state; /* unused */
	for (double price = 0; price <= 3; price += 0.1) {
		enum advise_verdict last = ADVISE_NO;
		for (double share = 0; share <= 1; share += 0.01) {
			struct advise_facts f = good();
			f.tight_share = share;
			f.cheaper = (struct advise_model){price, 4 * price, NAN};
			enum advise_verdict verdict = advise(&f).verdict;
			assert_true(verdict >= last);
			last = verdict;
			f.cheaper.input_usd += 0.1;
			assert_true(advise(&f).verdict <= verdict);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_figures_are_those_of_a_pocket_calculator),
		cmocka_unit_test(each_verdict_has_its_reason),
		cmocka_unit_test(the_verdict_is_monotone),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
