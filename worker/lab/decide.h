/*
 * decide.h: many requests through a policy, on all cores, with the code of the worker's road.
 *
 * Nothing is called, unless decider_ask was: a stage that would ask a model is answered that nobody is there, and passes with that
 * reason. Results stand in the order of the requests and do not depend on the number of threads, but for the times and for what models
 * say.
 *
 * Thread: one at a time. Memory: results point into the decider until its next use, route names into the policy.
 */
#ifndef LAB_DECIDE_H
#define LAB_DECIDE_H

#include "worker/route/route.h"

enum { DECIDE_MAX_STAGES = 16 };

/* What a stage said of the text, whether it decided or not. NAN and null: nothing. */
struct decided_stage {
	const char *name; /* constant */
	uint8_t verdict;  /* enum verdict; ASK: it would have asked a model, and passed */
	struct str label, runner_up;
	double score, runner_up_score, threshold, in_scope;
};

struct decided {
	int route;             /* index in the policy */
	bool unsure;           /* no stage was confident: the route is when_unsure's */
	int stage;             /* which one decided; -1: none */
	uint32_t stage_count;  /* how many were reached */
	struct decided_stage *said;               /* stage_count */
	const char *stages[DECIDE_MAX_STAGES];    /* their names */
	uint8_t verdicts[DECIDE_MAX_STAGES];      /* and verdicts */
	double confidence, threshold; /* NAN: none */
	struct str runner_up, reason;
	const char *language;  /* guess, constant */
	uint32_t chars;        /* of the text before it was cut */
	uint32_t nanos;        /* of the thread's CPU for the decision, without reading and reporting */
};

struct decider;
struct decider *decider_new(const struct policy *policy, unsigned threads); /* 0: one per core */
void decider_free(struct decider *d);                                       /* NULL is fine */
/* From now on models are really asked, each thread waiting for its answer, until budget_usd is spent (what is on its way then is paid
 * too). settings must outlive the decider. */
void decider_ask(struct decider *d, const struct settings *settings, double budget_usd);
struct decider_asked {
	uint64_t questions, unasked; /* unasked: the budget was spent */
	double cost_usd;
};
struct decider_asked decider_asked(const struct decider *d);
void decider_run(struct decider *d, const struct request *requests, uint32_t count, struct decided *results);

#endif
