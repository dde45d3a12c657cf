/*
 * calibrate.h: thresholds for the stages of a policy, chosen on labelled rows and tried on rows that were not chosen on.
 *
 * What it gets are the answers of all stages to all rows (inspect.h), so it decides nothing by itself. Stages are chosen for in
 * their order, each on the rows that the ones before it leave. A route has a threshold of its own when enough rows are likest to it;
 * the others share one. For the figures the rows are split into folds: a fold is decided by thresholds that the other folds chose.
 *
 * Thread: one at a time. Pure. Memory: the arena given.
 */
#ifndef LAB_CALIBRATE_H
#define LAB_CALIBRATE_H

#include "worker/lab/curve.h"
#include "worker/lab/eval.h"
#include "worker/route/inspect.h"

enum { CALIBRATE_LEAST_ROWS = 100 /* for goals that name no rate of their own */ };

struct calibrate_row {
	int label;      /* route, or EVAL_NONE */
	uint32_t fold;  /* rows of equal text share one */
	struct stage_answer *answers; /* one a stage */
};
struct calibrate_setup {
	const struct calibrate_row *rows;
	uint32_t row_count, folds;
	const struct stage_info *stages; /* with the thresholds that are in force */
	uint32_t stage_count;
	struct eval_setup eval;  /* routes, when_unsure, costs, prices */
	struct curve_goal goal;  /* MISROUTE: of what each stage decides. SHARE: of all rows, decided by any stage. COST needs eval.costs */
	uint32_t route_rows;     /* that a route needs for a threshold of its own */
};

/* CHOSEN, or why the stage's thresholds stay. KEPT: it has none, or answers nothing here. TOO_FEW: the rows cannot show the goal.
 * NOT_KEPT: on rows not chosen on it misroutes more than the goal allows, however low it aims. */
enum calibrate_state { CALIBRATE_KEPT, CALIBRATE_TOO_FEW, CALIBRATE_NOT_KEPT, CALIBRATE_CHOSEN };

struct calibrate_route {
	int64_t rows;  /* reach the stage, and are likest to this route */
	int64_t now, now_wrong, proposed, proposed_wrong; /* of them, decided */
	bool own;      /* has a threshold of its own */
};
struct calibrate_stage {
	enum calibrate_state state;
	int64_t rows, needed;   /* that it could decide; at TOO_FEW: how many have to be decided without an error */
	int64_t reachable;      /* at TOO_FEW: how many would be decided */
	double aimed;           /* MISROUTE: the rate that was chosen for, so that rows not chosen on keep the goal's */
	struct share tried;     /* MISROUTE: misroutes on rows not chosen on, at the last try */
	double accept;          /* for routes without one of their own */
	double *thresholds;     /* by route */
	struct calibrate_route *routes;
	struct curve curve;     /* of one threshold for all routes, on the rows that reach the stage: at most 200 points */
};
struct calibrate_result {
	struct calibrate_stage *stages;
	struct eval *now, *proposed; /* the rows under both; proposed: each fold by what the others chose. calibrate_free */
	bool reached;                /* SHARE: false: the stages cannot decide as much */
};

void calibrate(const struct calibrate_setup *setup, struct arena *arena, struct calibrate_result *ret);
void calibrate_free(struct calibrate_result *result);
/* Misroutes among the rows that some stage decided. */
struct share calibrate_misroutes(const struct eval *e);

#endif
