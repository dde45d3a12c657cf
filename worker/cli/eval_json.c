/*
 * eval_json.c: the figures of `pointsman eval` as one JSON object, all of them and uncut.
 *
 * Without --timings the bytes depend on data and policy alone: two runs give the same.
 */
#include <math.h>

#include "common/json.h"
#include "worker/cli/eval.h"

enum { CONSISTENT_MOST = 100 };

static void summary(struct buf *out, const struct eval_summary *s)
{
	json_member_i64(out, "rows", s->rows);
	json_member_i64(out, "right", s->right);
	json_member_double(out, "accuracy", s->accuracy);
	cli_json_share(out, "misroutes", s->misroutes);
	json_member_double(out, "macro_f1", s->macro_f1);
	cli_json_share(out, "unsure", s->unsure);
	cli_json_share(out, "out_of_scope_caught", s->out_of_scope);
	cli_json_share(out, "in_scope_decided", s->kept);
	json_member_i64(out, "wasted", s->wasted);
	json_member_i64(out, "at_risk", s->risky);
	if (isnan(s->cost))
		return;
	json_member_double(out, "error_cost", s->cost);
	json_member_double(out, "error_cost_wasted", s->cost_wasted);
	json_member_double(out, "error_cost_at_risk", s->cost_risky);
	json_member_double(out, "error_cost_per_row", s->cost / (double)s->rows);
	json_member_i64(out, "misroutes_without_price", (int64_t)s->unpriced);
}

/* Of the classifier; left out where there is none. */
static void scores(struct buf *out, const struct eval_work *work)
{
	if (work->scope == NULL)
		return;
	double least = scope_threshold(work->scope, EVAL_RETAINED);
	struct share caught = scope_caught(work->scope, least);
	json_key(out, "calibration");
	buf_char(out, '{');
	json_member_i64(out, "rows", work->reliability.rows);
	json_member_double(out, "ece", reliability_ece(&work->reliability));
	json_member_double(out, "brier", reliability_brier(&work->reliability));
	buf_char(out, '}');
	json_key(out, "in_scope");
	buf_char(out, '{');
	json_member_i64(out, "rows", scope_rows(work->scope, false));
	json_member_i64(out, "rows_of_none", scope_rows(work->scope, true));
	json_member_i64(out, "rows_of_labels_not_learned", work->strange);
	json_member_double(out, "auroc", scope_auroc(work->scope));
	json_member_double(out, "threshold_at_95_retained", least);
	cli_json_share(out, "caught_at_95_retained", caught);
	buf_char(out, '}');
}

static void stages(struct buf *out, const struct eval_side *side)
{
	const struct eval *e = side->eval;
	json_key(out, "stages");
	buf_char(out, '[');
	for (uint32_t i = 0; i < eval_stages(e); i++) {
		struct eval_stage s = eval_stage(e, i);
		json_sep(out);
		buf_char(out, '{');
		const char *calibration = cli_calibration(side->policy, i);
		json_member_str(out, "stage", str_of(s.name));
		json_member_str(out, "calibration", calibration[0] != '\0' ? str_of(calibration) : STR_NULL);
		json_member_i64(out, "reached", s.reached);
		cli_json_share(out, "decided", s.decided);
		cli_json_share(out, "right", s.right);
		json_member_i64(out, "failed", s.failed);
		json_member_i64(out, "would_ask", s.asked);
		buf_char(out, '}');
	}
	buf_char(out, ']');
}

static void consistent(struct buf *out, const struct eval_side *side)
{
	struct eval_consistent worst[CONSISTENT_MOST];
	uint32_t count = eval_consistent(side->eval, worst, CONSISTENT_MOST);
	json_key(out, "consistently_wrong");
	buf_char(out, '[');
	for (uint32_t i = 0; i < count; i++) {
		json_sep(out);
		buf_char(out, '{');
		json_member_str(out, "label", worst[i].label == EVAL_NONE ? STR_NULL : str_of(eval_label_name(side->policy, worst[i].label)));
		cli_json_share(out, "wrong", worst[i].wrong);
		json_member_str(out, "most_to", str_of(eval_label_name(side->policy, (int)worst[i].route)));
		json_member_i64(out, "rows_to", worst[i].rows);
		buf_char(out, '}');
	}
	buf_char(out, ']');
}

static void routes(struct buf *out, const struct eval_side *side)
{
	json_key(out, "routes");
	buf_char(out, '[');
	for (uint32_t i = 0; i < side->setup.routes; i++) {
		struct eval_class c = eval_class(side->eval, i);
		json_sep(out);
		buf_char(out, '{');
		json_member_str(out, "route", policy_route(side->policy, i)->name);
		json_member_i64(out, "rows", c.support);
		json_member_i64(out, "sent_there", c.taken);
		json_member_i64(out, "right", c.right);
		json_member_double(out, "precision", c.precision);
		json_member_double(out, "recall", c.recall);
		json_member_double(out, "f1", c.f1);
		buf_char(out, '}');
	}
	buf_char(out, ']');
}

/* One list of counts a label, the last for none of the routes; columns as in "routes". */
static void confusion(struct buf *out, const struct eval_side *side)
{
	uint32_t n = side->setup.routes;
	json_key(out, "confusion");
	buf_char(out, '[');
	for (uint32_t i = 0; i <= n; i++) {
		json_sep(out);
		buf_char(out, '[');
		for (uint32_t k = 0; k < n; k++) {
			json_sep(out);
			buf_i64(out, eval_cell(side->eval, i < n ? (int)i : EVAL_NONE, k));
		}
		buf_char(out, ']');
	}
	buf_char(out, ']');
}

static void slices(struct buf *out, struct eval_work *work)
{
	uint32_t count;
	struct eval_slice *all = eval_slices(work->side.eval, work->asked->slice_rows, &work->arena, &count);
	json_key(out, "slices");
	buf_char(out, '[');
	for (uint32_t i = 0; i < count; i++) {
		json_sep(out);
		buf_char(out, '{');
		json_member_str(out, "name", all[i].name);
		json_member_str(out, "value", all[i].value);
		summary(out, &all[i].summary);
		json_member_str(out, "worst_route", all[i].worst != EVAL_NONE ? policy_route(work->side.policy, (uint32_t)all[i].worst)->name : STR_NULL);
		cli_json_share(out, "worst_route_right", all[i].worst_right);
		buf_char(out, '}');
	}
	buf_char(out, ']');
}

static void worst(struct buf *out, const struct eval_work *work)
{
	json_key(out, "worst");
	buf_char(out, '[');
	for (uint32_t i = 0; i < work->miss_count; i++) {
		const struct eval_miss *m = &work->misses[i];
		json_sep(out);
		buf_char(out, '{');
		json_member_str(out, "id", str_of(m->id));
		json_member_i64(out, "line", (int64_t)m->line);
		json_member_str(out, "text", str_of(m->text));
		json_member_str(out, "label", m->label == EVAL_NONE ? STR_NULL : str_of(eval_label_name(work->side.policy, m->label)));
		json_member_str(out, "route", str_of(eval_label_name(work->side.policy, m->route)));
		json_member_str(out, "stage", str_of(m->stage));
		json_member_double(out, "confidence", m->stage != NULL ? m->confidence : NAN);
		json_member_double(out, "threshold", m->threshold);
		json_member_str(out, "reason", str_of(m->reason));
		buf_char(out, '}');
	}
	buf_char(out, ']');
}

void eval_report_json(struct eval_work *work, struct buf *out)
{
	struct eval_summary s = eval_summary(work->side.eval);
	buf_char(out, '{');
	json_member_str(out, "data", str_of(work->asked->data));
	json_member_i64(out, "bad_rows", work->bad);
	json_member_str(out, "policy", policy_name(work->side.policy));
	json_member_str(out, "decision_version", policy_decision_version(work->side.policy));
	if (work->asked->stages != NULL)
		json_member_str(out, "only_stages", str_of(work->asked->stages));
	summary(out, &s);
	consistent(out, &work->side);
	scores(out, work);
	stages(out, &work->side);
	routes(out, &work->side);
	confusion(out, &work->side);
	slices(out, work);
	worst(out, work);
	if (work->compare != NULL)
		eval_compare_json(work, out);
	if (work->asked->timings) {
		json_key(out, "decision_us");
		buf_char(out, '{');
		json_member_double(out, "p50", eval_micros(work->side.eval, .5));
		json_member_double(out, "p99", eval_micros(work->side.eval, .99));
		buf_char(out, '}');
	}
	buf_cstr(out, "}\n");
}
