/*
 * eval_compare.c: `pointsman eval --compare`: two policies over the same rows.
 *
 * The one idea: only the rows that one of them has right and the other wrong can tell them apart, so these are what is counted and
 * tested; a difference of two rates says less than it seems to.
 */
#include "worker/cli/eval.h"

#include <inttypes.h>
#include <math.h>

#include "common/json.h"
#include "worker/cli/cli_table.h"

enum { CELL = 48, CHANGES_SHOWN = 15 };
static const double chance = .05;

static void side_row(struct cli_table *table, const char *name, const struct eval_summary *s)
{
	const double shares[] = {s->accuracy, s->misroutes.share, s->unsure.share, s->out_of_scope.share};
	char c[6][CELL];
	const char *cells[7] = {name};
	for (int i = 0; i < 4; i++) {
		(void)snprintf(c[i], CELL, isnan(shares[i]) ? "-" : "%.1f %%", shares[i] * 100); /* fits */
		cells[i + 1] = c[i];
	}
	(void)snprintf(c[4], CELL, isnan(s->macro_f1) ? "-" : "%.3f", s->macro_f1); /* fits */
	(void)snprintf(c[5], CELL, isnan(s->cost) ? "-" : "%.2f", s->cost);         /* fits */
	cells[5] = c[4];
	cells[6] = c[5];
	cli_table_row(table, cells);
}

static void changes(struct eval_work *work, FILE *out)
{
	static const char *const heads[] = {"went to", "goes to", "rows", "better", "worse"};
	uint32_t count;
	const struct compare_change *all = compare_changes(work->compare, &work->arena, &count);
	if (count == 0)
		return;
	fputs("\nWhat changes\n", out);
	struct cli_table *table = cli_table_new("llrrr", heads);
	for (uint32_t i = 0; i < count && i < CHANGES_SHOWN; i++) {
		const int64_t numbers[] = {all[i].rows, all[i].better, all[i].worse};
		char c[3][CELL];
		for (int k = 0; k < 3; k++)
			(void)snprintf(c[k], CELL, "%" PRId64, numbers[k]); /* fits */
		const char *const cells[] = {all[i].from.data, all[i].to.data, c[0], c[1], c[2]}; /* names of routes end with a NUL */
		cli_table_row(table, cells);
	}
	cli_table_print(table, out);
	if (count > CHANGES_SHOWN)
		fprintf(out, "... and %u more; --json has them all\n", count - CHANGES_SHOWN);
}

void eval_compare_text(struct eval_work *work, FILE *out)
{
	static const char *const heads[] = {"policy", "accuracy", "misroutes", "unsure", "out of scope", "macro-F1", "errors cost"};
	struct compare_counts n = compare_counts(work->compare);
	struct eval_summary first = eval_summary(work->side.eval), second = eval_summary(work->other.eval);
	fprintf(out, "\nCompared with %s\n", work->asked->compare);
	struct cli_table *table = cli_table_new("lrrrrrr", heads);
	side_row(table, "the first", &first);
	side_row(table, "the second", &second);
	cli_table_print(table, out);
	fprintf(out, "\n%" PRId64 " of %" PRId64 " rows go elsewhere. Only the second is right on %" PRId64 ", only the first on %" PRId64 ";\n", n.changed, n.rows,
	        n.only_second, n.only_first);
	fprintf(out, "such a difference comes by chance with p = %.3g (McNemar, %s): %s.\n", n.p, n.exact ? "exact" : "chi-square",
	        n.p >= chance                     ? "the rows do not tell them apart"
	        : n.only_second > n.only_first ? "the second is better"
	                                       : "the first is better");
	changes(work, out);
}

void eval_compare_json(struct eval_work *work, struct buf *out)
{
	struct compare_counts n = compare_counts(work->compare);
	struct eval_summary second = eval_summary(work->other.eval);
	uint32_t count;
	const struct compare_change *all = compare_changes(work->compare, &work->arena, &count);
	json_key(out, "compare");
	buf_char(out, '{');
	json_member_str(out, "policy", policy_name(work->other.policy));
	json_member_str(out, "decision_version", policy_decision_version(work->other.policy));
	json_member_double(out, "accuracy", second.accuracy);
	json_member_double(out, "macro_f1", second.macro_f1);
	json_member_double(out, "misroutes", second.misroutes.share);
	json_member_double(out, "unsure", second.unsure.share);
	json_member_double(out, "out_of_scope_caught", second.out_of_scope.share);
	json_member_double(out, "error_cost", second.cost);
	json_member_i64(out, "both_right", n.both);
	json_member_i64(out, "only_first_right", n.only_first);
	json_member_i64(out, "only_second_right", n.only_second);
	json_member_i64(out, "neither_right", n.neither);
	json_member_i64(out, "changed", n.changed);
	json_member_double(out, "mcnemar_p", n.p);
	json_member_bool(out, "mcnemar_exact", n.exact);
	json_key(out, "changes");
	buf_char(out, '[');
	for (uint32_t i = 0; i < count; i++) {
		json_sep(out);
		buf_char(out, '{');
		json_member_str(out, "from", all[i].from);
		json_member_str(out, "to", all[i].to);
		json_member_i64(out, "rows", all[i].rows);
		json_member_i64(out, "better", all[i].better);
		json_member_i64(out, "worse", all[i].worse);
		buf_char(out, '}');
	}
	buf_cstr(out, "]}");
}
