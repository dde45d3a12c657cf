/*
 * eval_report.c: the figures of `pointsman eval` as tables, for 80 columns.
 *
 * The one idea: what a reader should act on comes first (how often wrong, how sure of that), the evidence after it: stages, routes,
 * confusions, slices, and single rows with the words of the stage that sent them there.
 */
#include "worker/cli/eval.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "worker/cli/cli_table.h"

enum { CELL = 32, NAME = 24, MATRIX_ROUTES = 12, PAIRS_SHOWN = 15, SLICES_SHOWN = 20, CONSISTENT_SHOWN = 3 };

static const char *percent(char *out, double share)
{
	if (isnan(share))
		(void)snprintf(out, CELL, "-"); /* fits */
	else
		(void)snprintf(out, CELL, "%.1f %%", share * 100); /* fits */
	return out;
}

static const char *number(char *out, int64_t n)
{
	(void)snprintf(out, CELL, "%" PRId64, n); /* fits */
	return out;
}

static const char *interval(char *out, const struct share *s)
{
	if (isnan(s->share))
		(void)snprintf(out, CELL, "-"); /* fits */
	else
		(void)snprintf(out, CELL, "%.1f to %.1f %%", s->low * 100, s->high * 100); /* fits */
	return out;
}

/* A name cut to most bytes. */
static const char *name_cut(char *out, struct str name, size_t most)
{
	size_t n = name.len <= most ? name.len : str_utf8_cut(name, most - 1);
	(void)snprintf(out, CELL, "%.*s%s", (int)n, name.data, n < name.len ? "~" : ""); /* cut on purpose */
	return out;
}

static const char *name_cell(char *out, struct str name)
{
	return name_cut(out, name, NAME);
}

static void title(FILE *out, const char *text)
{
	bool colour = cli_colour(out);
	fprintf(out, "\n%s%s%s\n", colour ? "\033[1m" : "", text, colour ? "\033[0m" : "");
}

static void wrong_rows(const char *name, const char *words, int64_t rows, double cost, FILE *out)
{
	fprintf(out, "%-14s%" PRId64 " %s", name, rows, words);
	if (!isnan(cost))
		fprintf(out, ", at a cost of %.2f", cost);
	fputc('\n', out);
}

/* What a reader should look at before any mean: classes that go wrong more often than not. */
static void consistently_wrong(const struct eval_work *work, FILE *out)
{
	struct eval_consistent worst[CONSISTENT_SHOWN];
	uint32_t count = eval_consistent(work->side.eval, worst, CONSISTENT_SHOWN);
	for (uint32_t i = 0; i < count; i++)
		fprintf(out, "%-14s%s: %" PRId64 " of %" PRId64 " rows go wrong, most to %s (%" PRId64 ")\n", i == 0 ? "look first" : "",
		        eval_label_name(work->side.policy, worst[i].label), worst[i].wrong.hits, worst[i].wrong.rows,
		        eval_label_name(work->side.policy, (int)worst[i].route), worst[i].rows);
}

/* What the classifier's two scores are worth. */
static void scores(const struct eval_work *work, FILE *out)
{
	char a[CELL], b[CELL];
	if (work->reliability.rows != 0)
		fprintf(out, "probabilities the classifier's are off by %s on average (calibration error); Brier score %.4f\n",
		        percent(a, reliability_ece(&work->reliability)), reliability_brier(&work->reliability));
	if (work->scope == NULL || scope_rows(work->scope, true) == 0)
		return;
	double least = scope_threshold(work->scope, EVAL_RETAINED);
	struct share caught = scope_caught(work->scope, least);
	fprintf(out, "in-scope score tells %" PRId64 " rows of none from the others: AUROC %.4f, %s caught (95 %%: %s) where 95 %% are kept (from %.3f on)\n",
	        caught.rows, scope_auroc(work->scope), percent(a, caught.share), interval(b, &caught), least);
	if (work->strange != 0)
		fprintf(out, "              %" PRId64 " of them have labels that the classifier has not learned\n", work->strange);
}

static void head(const struct eval_work *work, const struct eval_summary *s, FILE *out)
{
	const struct eval_side *side = &work->side;
	char a[CELL], b[CELL];
	fprintf(out, "data          %s, %" PRId64 " rows", work->asked->data, s->rows);
	if (work->bad != 0)
		fprintf(out, " (%" PRId64 " bad ones left out)", work->bad);
	fprintf(out, "\npolicy        %.*s, decisions %.*s\n", STR_ARG(policy_name(side->policy)), STR_ARG(policy_decision_version(side->policy)));
	if (work->asked->stages != NULL)
		fprintf(out, "asked         only the stages %s\n", work->asked->stages);
	fprintf(out, "accuracy      %s (%" PRId64 " right)\n", percent(a, s->accuracy), s->right);
	fprintf(out, "misroutes     %s (95 %%: %s)\n", percent(a, s->misroutes.share), interval(b, &s->misroutes));
	consistently_wrong(work, out);
	fprintf(out, "macro-F1      %.3f\n", s->macro_f1);
	fprintf(out, "unsure        %s (95 %%: %s) went to %.*s\n", percent(a, s->unsure.share), interval(b, &s->unsure),
	        STR_ARG(policy_route(side->policy, (uint32_t)side->setup.when_unsure)->name));
	if (s->out_of_scope.rows != 0)
		fprintf(out, "out of scope  %s of %" PRId64 " rows caught, while %s of the others were decided\n", percent(a, s->out_of_scope.share),
		        s->out_of_scope.rows, percent(b, s->kept.share));
	if (s->right != s->rows) {
		wrong_rows("wasted", "misroutes went to a dearer route than their own", s->wasted, s->cost_wasted, out);
		wrong_rows("at risk", "went to one as dear or cheaper", s->risky, s->cost_risky, out);
	}
	scores(work, out);
	if (!isnan(s->cost))
		fprintf(out, "errors cost   %.2f, %.4f a row%s\n", s->cost, s->cost / (double)s->rows,
		        s->unpriced > 0 ? "; some misroutes have no price in the table" : "");
}

static void stages(const struct eval_work *work, FILE *out)
{
	static const char *const heads[] = {"stage", "decided", "share", "right", "95 %", "failed", "asks", "thresholds"};
	title(out, "Stages, in their order");
	struct cli_table *table = cli_table_new("lrrrrrrl", heads);
	for (uint32_t i = 0; i < eval_stages(work->side.eval); i++) {
		struct eval_stage s = eval_stage(work->side.eval, i);
		char c[6][CELL];
		const char *const cells[] = {s.name, number(c[0], s.decided.hits), percent(c[1], s.decided.share), percent(c[2], s.right.share),
		                             interval(c[3], &s.right), number(c[4], s.failed), number(c[5], s.asked), cli_calibration(work->side.policy, i)};
		cli_table_row(table, cells);
	}
	cli_table_print(table, out);
}

static void routes(const struct eval_work *work, FILE *out)
{
	static const char *const heads[] = {"route", "rows", "sent there", "precision", "recall", "F1"};
	title(out, "Routes");
	struct cli_table *table = cli_table_new("lrrrrr", heads);
	for (uint32_t i = 0; i < work->side.setup.routes; i++) {
		struct eval_class k = eval_class(work->side.eval, i);
		char c[6][CELL];
		if (k.support == 0 && k.taken == 0)
			continue;
		if (isnan(k.f1))
			(void)snprintf(c[5], CELL, "-"); /* fits */
		else
			(void)snprintf(c[5], CELL, "%.3f", k.f1); /* fits */
		const char *const cells[] = {name_cell(c[0], policy_route(work->side.policy, i)->name), number(c[1], k.support), number(c[2], k.taken),
		                             percent(c[3], k.precision), percent(c[4], k.recall), c[5]};
		cli_table_row(table, cells);
	}
	cli_table_print(table, out);
}

/* ---- confusion ------------------------------------------------------------------------------------------------------- */

static void matrix(const struct eval_work *work, FILE *out)
{
	uint32_t n = work->side.setup.routes;
	bool none = false;
	int width = n > 8 ? 4 : 6, label_width = n > 8 ? 18 : NAME;
	for (uint32_t k = 0; k < n; k++)
		none = none || eval_cell(work->side.eval, EVAL_NONE, k) != 0;
	title(out, "Where they went: a line for each label, a column for each route (numbered as the lines)");
	fprintf(out, "%*s", label_width + 3, "");
	for (uint32_t k = 0; k < n; k++)
		fprintf(out, " %*u", width, k + 1);
	fputc('\n', out);
	for (uint32_t i = 0; i < n + none; i++) {
		char name[CELL];
		int label = i < n ? (int)i : EVAL_NONE;
		if (i < n)
			fprintf(out, "%2u ", i + 1);
		else
			fputs("   ", out);
		fprintf(out, "%-*s", label_width, name_cut(name, str_of(eval_label_name(work->side.policy, label)), (size_t)label_width));
		for (uint32_t k = 0; k < n; k++) {
			int64_t rows = eval_cell(work->side.eval, label, k);
			if (rows == 0)
				fprintf(out, " %*s", width, ".");
			else
				fprintf(out, " %*" PRId64, width, rows);
		}
		fputc('\n', out);
	}
}

struct confused {
	int label;
	uint32_t route;
	int64_t rows;
};

static int most_first(const void *a, const void *b)
{
	const struct confused *x = a, *y = b;
	if (x->rows != y->rows)
		return x->rows < y->rows ? 1 : -1;
	if (x->label != y->label)
		return x->label < y->label ? -1 : 1;
	return x->route < y->route ? -1 : x->route > y->route;
}

static void pairs(const struct eval_work *work, FILE *out)
{
	static const char *const heads[] = {"belongs to", "went to", "rows"};
	uint32_t n = work->side.setup.routes, count = 0;
	struct confused *all = heap_zalloc(((size_t)n + 1) * n, sizeof *all);
	for (int label = EVAL_NONE; label < (int)n; label++)
		for (uint32_t k = 0; k < n; k++) {
			int64_t rows = eval_cell(work->side.eval, label, k);
			if (rows != 0 && !eval_is_right(&work->side.setup, label, (int)k))
				all[count++] = (struct confused){label, k, rows};
		}
	qsort(all, count, sizeof *all, most_first);
	title(out, "The most frequent confusions");
	struct cli_table *table = cli_table_new("llr", heads);
	for (uint32_t i = 0; i < count && i < PAIRS_SHOWN; i++) {
		char c[CELL];
		const char *const cells[] = {eval_label_name(work->side.policy, all[i].label), eval_label_name(work->side.policy, (int)all[i].route), number(c, all[i].rows)};
		cli_table_row(table, cells);
	}
	cli_table_print(table, out);
	free(all);
}

/* ---- slices and rows ------------------------------------------------------------------------------------------------- */

static void slices(struct eval_work *work, FILE *out)
{
	static const char *const heads[] = {"slice", "rows", "misroutes", "95 %", "unsure", "worst route there"};
	uint32_t count;
	struct eval_slice *all = eval_slices(work->side.eval, work->asked->slice_rows, &work->arena, &count);
	if (count == 0)
		return;
	title(out, "Slices, the worst first");
	struct cli_table *table = cli_table_new("lrrrrl", heads);
	for (uint32_t i = 0; i < count && i < SLICES_SHOWN; i++) {
		const struct eval_slice *s = &all[i];
		char c[6][CELL], label[3 * CELL], worst[3 * CELL] = "";
		(void)snprintf(label, sizeof label, "%s=%s", name_cell(c[0], s->name), name_cell(c[1], s->value)); /* fits */
		if (s->worst != EVAL_NONE)
			(void)snprintf(worst, sizeof worst, "%s, %s", name_cell(c[0], policy_route(work->side.policy, (uint32_t)s->worst)->name),
			               percent(c[1], s->worst_right.share)); /* fits */
		const char *const cells[] = {label, number(c[2], s->summary.rows), percent(c[3], s->summary.misroutes.share),
		                             interval(c[4], &s->summary.misroutes), percent(c[5], s->summary.unsure.share), worst};
		cli_table_row(table, cells);
	}
	cli_table_print(table, out);
	if (count > SLICES_SHOWN)
		fprintf(out, "... and %u more; --json has them all\n", count - SLICES_SHOWN);
}

static void misses(const struct eval_work *work, FILE *out)
{
	if (work->miss_count == 0)
		return;
	title(out, "Wrong, and sure of it: the worst first");
	for (uint32_t i = 0; i < work->miss_count; i++) {
		const struct eval_miss *m = &work->misses[i];
		fprintf(out, "%s:%" PRIu64 "  %s\n", work->asked->data, m->line, m->text);
		fprintf(out, "    belongs to %s, went to %s by %s: %s\n", eval_label_name(work->side.policy, m->label), eval_label_name(work->side.policy, m->route),
		        m->stage != NULL ? m->stage : "nobody", m->reason);
	}
}

void eval_report_text(struct eval_work *work, FILE *out)
{
	struct eval_summary s = eval_summary(work->side.eval);
	head(work, &s, out);
	stages(work, out);
	routes(work, out);
	if (s.right != s.rows) {
		if (work->side.setup.routes <= MATRIX_ROUTES)
			matrix(work, out);
		else
			pairs(work, out);
	}
	slices(work, out);
	misses(work, out);
	if (work->compare != NULL)
		eval_compare_text(work, out);
}
