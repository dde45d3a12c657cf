/*
 * eval_charts.h: the charts of the report of `pointsman eval --html`; each writes nothing where there is nothing to draw.
 * Thread: main. Pure.
 */
#ifndef CLI_EVAL_CHARTS_H
#define CLI_EVAL_CHARTS_H

#include "common/str.h"
#include "worker/cli/eval_scores.h"
#include "worker/lab/reliability.h"

void eval_chart_reliability(const struct reliability *r, struct buf *out);
void eval_chart_thresholds(const struct eval_scores *scores, struct arena *arena, struct buf *out);
/* safe: the name of the route for unsure rows. */
void eval_chart_cost(const struct eval_scores *scores, const char *safe, struct arena *arena, struct buf *out);

#endif
