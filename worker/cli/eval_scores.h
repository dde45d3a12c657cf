/*
 * eval_scores.h: what the charts of `pointsman eval --html` need of each row: what a stage's threshold, or the share of rows left
 * to the safe route, would have changed.
 *
 * Thread: main. Memory: bounded; beyond EVAL_MAX_SCORES rows nothing is added, and `full` says so.
 */
#ifndef CLI_EVAL_SCORES_H
#define CLI_EVAL_SCORES_H

#include "worker/lab/curve.h"
#include "worker/lab/decide.h"
#include "worker/lab/eval.h"

enum { EVAL_MAX_SCORES = 1000000 };

struct eval_score_rows {
	struct curve_row *rows;
	uint32_t count, cap;
};
/* A stage with thresholds: the rows that it scored. What it leaves counts as no error: a later stage may be right. */
struct eval_stage_scores {
	const char *name;
	struct eval_score_rows rows;
	int64_t decided, wrong; /* by the thresholds in force */
};
struct eval_scores { /* all zeros: empty */
	struct eval_stage_scores stages[EVAL_MAX_STAGES]; /* by their place in the policy; without rows: it has no thresholds, or nothing came to it */
	/* Every row, by how far its score lies above the threshold: as decided, or left to when_unsure; so a threshold of this curve is
	 * what all thresholds are raised by, and 0 what is in force. Of unsure rows, the route that came nearest to its threshold. An error
	 * is a row that goes where it gets less than it needs; the cost is that of the call, in units of prices. Empty without prices. */
	struct eval_score_rows whole;
	int64_t unsure; /* of them, left to when_unsure as it is */
	bool full;
};

void eval_scores_add(struct eval_scores *s, const struct policy *policy, const struct eval_setup *setup, int label, const struct decided *d);
void eval_scores_free(struct eval_scores *s);

#endif
