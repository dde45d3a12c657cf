/*
 * calibrate_report.c: what calibration proposes, and what to expect of it.
 *
 * The one idea: the figures that a reader should believe are those of rows that the thresholds were not chosen on; those come last
 * before the diff, beside what the policy does now. The diff ends the output, so that `patch` can read it.
 */
#include <inttypes.h>
#include <math.h>

#include "common/json.h"
#include "worker/cli/calibrate.h"
#include "worker/cli/cli_table.h"

enum { CELL = 48, ROUTES_SHOWN = 40 };

static const char *cell(char *out, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static const char *cell(char *out, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(out, CELL, fmt, ap); /* cut on purpose */
	va_end(ap);
	return out;
}

static const char *route_of(const struct calibrate_work *work, uint32_t r)
{
	return policy_route(work->policy, r)->name.data; /* ends with a NUL */
}

static void head(const struct calibrate_work *work, FILE *out)
{
	struct arena arena;
	arena_init(&arena, 0);
	struct str goal = calibrate_goal_words(work->asked, &arena);
	fprintf(out, "data          %s, %u rows", work->asked->data, work->count);
	if (work->bad != 0)
		fprintf(out, " (%" PRId64 " bad ones left out)", work->bad);
	if (work->repeated != 0)
		fprintf(out, ", %" PRId64 " of them repeat a text", work->repeated);
	fprintf(out, "\npolicy        %.*s, decisions %.*s\n", STR_ARG(policy_name(work->policy)), STR_ARG(policy_decision_version(work->policy)));
	fprintf(out, "goal          %.*s\n", STR_ARG(goal));
	if (!work->result.reached)
		fprintf(out, "out of reach  the stages cannot decide as much, whatever their thresholds; nothing is proposed\n");
	for (uint32_t s = 0; s < policy_stage_count(work->policy); s++) {
		const struct calibrate_stage *stage = &work->result.stages[s];
		if (work->asked->goal.kind == CURVE_MISROUTE && stage->state == CALIBRATE_CHOSEN && stage->aimed < work->asked->goal.value)
			fprintf(out, "aimed at      %.2g %% for %s, so that rows not chosen on keep the goal\n", stage->aimed * 100, work->stages[s].name);
		const struct held_out_report *l = &work->learned[s];
		if (l->learned != 0)
			fprintf(out, "held out      %s was trained on %s: %s\n", work->stages[s].name, l->unanswered == l->learned ? "a few of the rows" : "these rows",
			        l->unanswered == l->learned ? "it has no say in those" : "classifiers trained without each row's fold answered");
		if (l->unanswered != 0)
			fprintf(out, "              %u rows have no answer of it\n", l->unanswered);
	}
	arena_free(&arena);
}

static void threshold_row(const struct calibrate_work *work, uint32_t s, const char *name, double now, double proposed,
                          const struct calibrate_route *r, struct cli_table *table)
{
	char c[5][CELL];
	struct share wrong = share_of(r->proposed_wrong, r->proposed);
	const char *const cells[] = {work->stages[s].name,
	                             name,
	                             cell(c[0], "%" PRId64, r->rows),
	                             now == proposed ? cell(c[1], "%.3g", now) : cell(c[1], "%.3g -> %.3g", now, proposed),
	                             cell(c[2], "%" PRId64 " -> %" PRId64, r->now, r->proposed),
	                             cell(c[3], "%" PRId64 " -> %" PRId64, r->now_wrong, r->proposed_wrong),
	                             isnan(wrong.share) ? cell(c[4], "-") : cell(c[4], "%.1f to %.1f %%", wrong.low * 100, wrong.high * 100)};
	cli_table_row(table, cells);
}

/* Routes with a threshold of their own, and all others together. */
static void stage_rows(const struct calibrate_work *work, uint32_t s, struct cli_table *table, uint32_t *left)
{
	const struct calibrate_stage *stage = &work->result.stages[s];
	struct calibrate_route rest = {0};
	for (uint32_t r = 0; r < work->eval.routes; r++) {
		const struct calibrate_route *route = &stage->routes[r];
		if (!route->own) {
			rest.rows += route->rows;
			rest.now += route->now;
			rest.now_wrong += route->now_wrong;
			rest.proposed += route->proposed;
			rest.proposed_wrong += route->proposed_wrong;
		} else if (*left != 0) {
			(*left)--;
			threshold_row(work, s, route_of(work, r), work->stages[s].thresholds[r], stage->thresholds[r], route, table);
		}
	}
	if (rest.rows != 0)
		threshold_row(work, s, "(the others)", work->stages[s].accept, stage->accept, &rest, table);
}

static void thresholds(const struct calibrate_work *work, FILE *out)
{
	static const char *const heads[] = {"stage", "route", "rows", "threshold", "decides", "wrong", "95 %"};
	struct cli_table *table = cli_table_new("llrrrrr", heads);
	uint32_t left = ROUTES_SHOWN;
	for (uint32_t s = 0; s < policy_stage_count(work->policy); s++)
		if (work->result.stages[s].state == CALIBRATE_CHOSEN)
			stage_rows(work, s, table, &left);
	fputs("\nThresholds, now -> proposed, on all rows\n", out);
	cli_table_print(table, out);
	if (left == 0)
		fputs("... and more; --json has them all\n", out);
}

static void kept(const struct calibrate_work *work, FILE *out)
{
	for (uint32_t s = 0; s < policy_stage_count(work->policy); s++) {
		const struct calibrate_stage *stage = &work->result.stages[s];
		if (stage->state == CALIBRATE_KEPT && work->stages[s].thresholds != NULL)
			fprintf(out, "\n%s keeps its thresholds: it answers none of these rows without being asked\n", work->stages[s].name);
		if (stage->state == CALIBRATE_NOT_KEPT)
			fprintf(out, "\n%s keeps its thresholds: on rows not chosen on, %.1f %% (%.1f to %.1f) of what it decides would be wrong,\n"
			             "even when %.2g %% is aimed at. Label more rows, or allow more misroutes.\n",
			        work->stages[s].name, stage->tried.share * 100, stage->tried.low * 100, stage->tried.high * 100, stage->aimed * 100);
		if (stage->state != CALIBRATE_TOO_FEW)
			continue;
		if (work->asked->goal.kind == CURVE_MISROUTE)
			fprintf(out, "\n%s keeps its thresholds: the rows are too few. With this goal it would decide %" PRId64 " of them; %" PRId64
			             " without an error\nare needed to show it at 95 %% confidence. Label more rows, or allow more misroutes.\n",
			        work->stages[s].name, stage->reachable, stage->needed);
		else
			fprintf(out, "\n%s keeps its thresholds: only %" PRId64 " rows reach it; %" PRId64 " are needed. Label more rows.\n", work->stages[s].name,
			        stage->reachable, stage->needed);
	}
}

static void figure(struct cli_table *table, const char *name, struct share now, struct share proposed)
{
	char c[2][CELL];
	const struct share shares[] = {now, proposed};
	for (int i = 0; i < 2; i++)
		if (isnan(shares[i].share))
			(void)cell(c[i], "-"); /* used below */
		else
			(void)cell(c[i], "%.1f %% (%.1f to %.1f)", shares[i].share * 100, shares[i].low * 100, shares[i].high * 100); /* used below */
	const char *const cells[] = {name, c[0], c[1]};
	cli_table_row(table, cells);
}

static void amount(struct cli_table *table, const char *name, double now, double proposed)
{
	char c[2][CELL];
	const char *const cells[] = {name, cell(c[0], "%.10g", now), cell(c[1], "%.10g", proposed)};
	cli_table_row(table, cells);
}

static struct share decided(const struct eval_summary *s)
{
	return share_of(s->rows - s->unsure.hits, s->rows);
}

static void expect(const struct calibrate_work *work, FILE *out)
{
	static const char *const heads[] = {"", "now", "proposed"};
	struct eval_summary now = eval_summary(work->result.now), proposed = eval_summary(work->result.proposed);
	struct cli_table *table = cli_table_new("lrr", heads);
	fputs("\nWhat to expect, on rows that the thresholds were not chosen on (95 %)\n", out);
	figure(table, "decided by a stage", decided(&now), decided(&proposed));
	figure(table, "of them misrouted", calibrate_misroutes(work->result.now), calibrate_misroutes(work->result.proposed));
	for (uint32_t s = 0; s < policy_stage_count(work->policy); s++) {
		struct eval_stage a = eval_stage(work->result.now, s), b = eval_stage(work->result.proposed, s);
		char name[CELL];
		figure(table, cell(name, "  by %s", work->stages[s].name), share_of(a.right.rows - a.right.hits, a.right.rows),
		       share_of(b.right.rows - b.right.hits, b.right.rows));
	}
	figure(table, "all misroutes", now.misroutes, proposed.misroutes);
	amount(table, "rows at a dearer route than their own", (double)now.wasted, (double)proposed.wasted);
	amount(table, "rows at a wrong one as dear or cheaper", (double)now.risky, (double)proposed.risky);
	if (!isnan(now.cost)) {
		amount(table, "errors cost", now.cost, proposed.cost);
		amount(table, "  capacity wasted", now.cost_wasted, proposed.cost_wasted);
		amount(table, "  quality at risk", now.cost_risky, proposed.cost_risky);
	}
	cli_table_print(table, out);
	if (now.unpriced > 0 || proposed.unpriced > 0)
		fputs("some misroutes have no price: they count as free; `default: 1` in the costs gives all one\n", out);
}

void calibrate_report_text(const struct calibrate_work *work, FILE *out)
{
	head(work, out);
	if (calibrate_chose(work))
		thresholds(work, out);
	kept(work, out);
	expect(work, out);
	if (work->diff.data != NULL)
		fprintf(out, "\n%.*s", STR_ARG(work->diff));
	else if (calibrate_chose(work) && work->result.reached)
		fprintf(out, "\nThe policy has these thresholds already, from this very data.\n");
}

/* ---- JSON ------------------------------------------------------------------------------------------------------------ */

static void json_side(const struct calibrate_work *work, struct buf *out, const char *name, const struct eval *e)
{
	struct eval_summary s = eval_summary(e);
	json_key(out, name);
	buf_char(out, '{');
	cli_json_share(out, "decided", decided(&s));
	cli_json_share(out, "decided_misroutes", calibrate_misroutes(e));
	cli_json_share(out, "misroutes", s.misroutes);
	json_member_double(out, "accuracy", s.accuracy);
	json_member_i64(out, "wasted", s.wasted);
	json_member_i64(out, "at_risk", s.risky);
	if (work->eval.costs != NULL) {
		json_member_double(out, "error_cost", s.cost);
		json_member_double(out, "error_cost_wasted", s.cost_wasted);
		json_member_double(out, "error_cost_at_risk", s.cost_risky);
		json_member_i64(out, "misroutes_without_price", (int64_t)s.unpriced);
	}
	buf_char(out, '}');
}

static void json_curve(struct buf *out, const struct curve *curve)
{
	json_key(out, "curve");
	buf_char(out, '[');
	for (uint32_t i = 0; i < curve->count; i++) {
		const struct curve_point *p = &curve->points[i];
		struct share wrong = share_of((int64_t)p->errors_taken, p->taken);
		json_sep(out);
		buf_char(out, '{');
		json_member_double(out, "threshold", p->threshold);
		json_member_i64(out, "decided", p->taken);
		json_member_double(out, "share", curve->rows != 0 ? (double)p->taken / (double)curve->rows : NAN);
		json_member_double(out, "misroutes", wrong.share);
		json_member_double(out, "low", wrong.low);
		json_member_double(out, "high", wrong.high);
		json_member_double(out, "error_cost", p->cost);
		buf_char(out, '}');
	}
	buf_char(out, ']');
}

static void json_routes(const struct calibrate_work *work, uint32_t s, struct buf *out)
{
	const struct calibrate_stage *stage = &work->result.stages[s];
	json_key(out, "thresholds");
	buf_char(out, '[');
	for (uint32_t r = 0; r < work->eval.routes; r++) {
		const struct calibrate_route *route = &stage->routes[r];
		json_sep(out);
		buf_char(out, '{');
		json_member_str(out, "route", policy_route(work->policy, r)->name);
		json_member_bool(out, "own", route->own);
		json_member_double(out, "now", work->stages[s].thresholds[r]);
		json_member_double(out, "proposed", stage->thresholds[r]);
		json_member_i64(out, "rows", route->rows);
		json_member_i64(out, "decides_now", route->now);
		json_member_i64(out, "wrong_now", route->now_wrong);
		json_member_i64(out, "decides_proposed", route->proposed);
		json_member_i64(out, "wrong_proposed", route->proposed_wrong);
		buf_char(out, '}');
	}
	buf_char(out, ']');
}

static void json_stage(const struct calibrate_work *work, uint32_t s, struct buf *out)
{
	static const char *const states[] = {"kept", "too_few_rows", "goal_not_kept", "chosen"};
	const struct calibrate_stage *stage = &work->result.stages[s];
	json_sep(out);
	buf_char(out, '{');
	json_member_str(out, "stage", str_of(work->stages[s].name));
	json_member_str(out, "state", str_of(states[stage->state]));
	json_member_str(out, "calibration_now", str_of(calibration_name(work->stages[s].calibration)));
	json_member_i64(out, "rows", stage->rows);
	json_member_i64(out, "rows_learned", work->learned[s].learned);
	if (stage->state == CALIBRATE_TOO_FEW) {
		json_member_i64(out, "rows_needed", stage->needed);
		json_member_i64(out, "rows_reachable", stage->reachable);
	}
	if (work->asked->goal.kind == CURVE_MISROUTE) {
		json_member_double(out, "aimed", stage->aimed);
		cli_json_share(out, "tried", stage->tried);
	}
	json_member_double(out, "accept_now", work->stages[s].accept);
	json_member_double(out, "accept", stage->accept);
	json_routes(work, s, out);
	json_curve(out, &stage->curve);
	buf_char(out, '}');
}

void calibrate_report_json(const struct calibrate_work *work, struct buf *out)
{
	static const char *const kinds[] = {"misroute", "share", "quality", "slope", "cost"};
	const struct curve_goal *goal = &work->asked->goal;
	buf_char(out, '{');
	json_member_str(out, "data", str_of(work->asked->data));
	json_member_str(out, "data_digest", str_of(work->digest));
	json_member_i64(out, "rows", work->count);
	json_member_i64(out, "bad_rows", work->bad);
	json_member_i64(out, "repeated_rows", work->repeated);
	json_member_i64(out, "folds", work->asked->folds);
	json_member_str(out, "policy", policy_name(work->policy));
	json_member_str(out, "decision_version", policy_decision_version(work->policy));
	json_member_str(out, "goal", str_of(kinds[goal->kind]));
	json_member_double(out, "goal_value", goal->kind == CURVE_COST ? NAN : goal->value);
	json_member_bool(out, "reached", work->result.reached);
	json_key(out, "stages");
	buf_char(out, '[');
	for (uint32_t s = 0; s < policy_stage_count(work->policy); s++)
		if (work->stages[s].thresholds != NULL)
			json_stage(work, s, out);
	buf_char(out, ']');
	json_side(work, out, "now", work->result.now);
	json_side(work, out, "proposed", work->result.proposed);
	json_member_str(out, "diff", work->diff);
	buf_cstr(out, "}\n");
}
