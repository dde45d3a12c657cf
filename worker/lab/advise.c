/*
 * advise.c: figures first, then the first reason that settles the matter.
 */
#include "worker/lab/advise.h"

#include <math.h>

const double advise_served_low = 0.5, advise_served_high = 0.9;
const double advise_clear_share = 0.45, advise_some_share = 0.15, advise_gap = 1.5;
/* Below these, what is saved is not worth half a day of labelling. */
static const double SMALL_SHARE = 0.05, SMALL_MONTH_USD = 50;
/* So many of the texts in one group are all of them. */
static const double ONE_KIND = 0.9;
/* From here on it is worth it even if the low end comes true. */
static const double GOOD_SHARE = 0.10;

const char *advise_verdict_name(enum advise_verdict verdict)
{
	static const char *const names[] = {"too few rows", "no", "maybe", "yes"};
	return names[verdict];
}

static double thousand(const struct advise_model *m, const struct advise_facts *f)
{
	return 1000 * (f->input_tokens * m->input_usd + f->output_tokens * m->output_usd) / 1e6;
}

static struct advice figures(const struct advise_facts *f)
{
	struct advice a = {.tight = share_of(llround(f->tight_share * (double)f->rows), f->rows),
	                   .capable_usd = thousand(&f->capable, f), .cheaper_usd = thousand(&f->cheaper, f)};
	double gain = a.capable_usd - a.cheaper_usd;
	a.cost_ratio = a.cheaper_usd > 0 ? a.capable_usd / a.cheaper_usd : a.capable_usd > 0 ? INFINITY : 1;
	a.time_ratio = f->cheaper.latency_ms > 0 ? f->capable.latency_ms / f->cheaper.latency_ms : NAN;
	a.routed_low = advise_served_low * f->tight_share;
	a.routed_high = advise_served_high * f->tight_share;
	a.usd_low = gain > 0 ? a.routed_low * gain : 0;
	a.usd_high = gain > 0 ? a.routed_high * gain : 0;
	a.saved_low = a.capable_usd > 0 ? a.usd_low / a.capable_usd : 0;
	a.saved_high = a.capable_usd > 0 ? a.usd_high / a.capable_usd : 0;
	a.month_low = a.usd_low / 1000 * f->records_a_day * 30;
	a.month_high = a.usd_high / 1000 * f->records_a_day * 30;
	return a;
}

static void settle(struct advice *a, enum advise_verdict verdict, enum advise_reason reason)
{
	a->verdict = verdict;
	a->reason = reason;
}

struct advice advise(const struct advise_facts *f)
{
	struct advice a = figures(f);
	bool clear = a.tight.low >= advise_clear_share; /* false for NAN */
	bool costs = a.cost_ratio >= advise_gap, takes = a.time_ratio >= advise_gap; /* false for NAN */
	if (f->rows < ADVISE_LEAST_ROWS)
		settle(&a, ADVISE_TOO_FEW, ADVISE_ROWS);
	else if (f->models < 2)
		settle(&a, ADVISE_NO, ADVISE_ONE_MODEL);
	else if (!costs && !takes)
		settle(&a, ADVISE_NO, ADVISE_NO_GAP);
	else if (a.tight.high < advise_some_share)
		settle(&a, ADVISE_NO, ADVISE_NO_KINDS);
	else if (f->largest_share >= ONE_KIND)
		settle(&a, ADVISE_NO, ADVISE_ONE_KIND);
	else if (!costs)
		settle(&a, clear ? ADVISE_YES : ADVISE_MAYBE, ADVISE_TIME_ONLY);
	else if (a.saved_high < SMALL_SHARE && !takes)
		settle(&a, ADVISE_NO, ADVISE_SMALL_SHARE);
	else if (a.month_high < SMALL_MONTH_USD && !takes) /* false for NAN */
		settle(&a, ADVISE_NO, ADVISE_SMALL_SUM);
	else if (!clear || a.saved_low < GOOD_SHARE)
		settle(&a, ADVISE_MAYBE, ADVISE_SOME_KINDS);
	else
		settle(&a, ADVISE_YES, ADVISE_CLEAR);
	return a;
}
