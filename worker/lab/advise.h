/*
 * advise.h: whether routing pays, from what the texts look like and what the models cost.
 *
 * Two things make it pay: kinds of texts that come again and can be told apart, and a model that serves some of them for clearly less
 * money or time. One of them missing is enough for a no. What cannot be known without labels is a range: of the texts that lie clearly
 * in one group the cheaper model is assumed to serve between half and nine tenths well enough; all others go to the capable one.
 * Few rows make the share of such texts uncertain: where its 95 % interval holds a threshold, the verdict is the one between.
 *
 * Thread: any. Pure.
 */
#ifndef LAB_ADVISE_H
#define LAB_ADVISE_H

#include "worker/lab/stats.h"

enum { ADVISE_LEAST_ROWS = 200 };
extern const double advise_served_low, advise_served_high;  /* 0.5, 0.9 */
extern const double advise_clear_share, advise_some_share;  /* from which categories are clear, or there are some */
extern const double advise_gap;                             /* the least ratio of costs, or times, that is a gap */

struct advise_model {
	double input_usd, output_usd; /* of a million tokens */
	double latency_ms;            /* NAN: not known */
};
struct advise_facts {
	int64_t rows;         /* looked at */
	double tight_share;   /* of them, those that lie clearly in one group (find_groups.h) */
	double largest_share; /* of those, the ones in the group that has most of them */
	uint32_t models;      /* that are configured */
	struct advise_model capable, cheaper; /* the baseline, and the one that is to serve what it can */
	double input_tokens, output_tokens;   /* of a record: the mean, and what is assumed */
	double records_a_day; /* NAN: not known */
};

enum advise_verdict { ADVISE_TOO_FEW, ADVISE_NO, ADVISE_MAYBE, ADVISE_YES };
enum advise_reason {
	ADVISE_ROWS,         /* too few to say anything */
	ADVISE_ONE_MODEL,    /* nothing to choose between */
	ADVISE_NO_GAP,       /* no model is clearly cheaper or faster */
	ADVISE_NO_KINDS,     /* texts without categories that come again */
	ADVISE_ONE_KIND,     /* all texts are of one: no route can tell them apart */
	ADVISE_SMALL_SHARE,  /* what would be saved is a small share */
	ADVISE_SMALL_SUM,    /* or a small sum */
	ADVISE_SOME_KINDS,   /* some categories, not clear ones: a matter of measuring */
	ADVISE_TIME_ONLY,    /* no money to save, but time */
	ADVISE_CLEAR         /* clear categories, and a gap */
};
const char *advise_verdict_name(enum advise_verdict verdict); /* "too few rows", "no", "maybe", "yes" */

struct advice {
	enum advise_verdict verdict;
	enum advise_reason reason;
	double capable_usd, cheaper_usd; /* of 1,000 records, each by that model */
	double cost_ratio, time_ratio;   /* capable by cheaper; INFINITY: the cheaper one is free; NAN: not known */
	struct share tight;              /* of the rows, with its interval */
	double routed_low, routed_high;  /* share of records for the cheaper model */
	double saved_low, saved_high;    /* share of what all by the capable one cost */
	double usd_low, usd_high;        /* of 1,000 records */
	double month_low, month_high;    /* USD in 30 days; NAN: not known */
};
struct advice advise(const struct advise_facts *facts);

#endif
