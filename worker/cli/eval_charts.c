/*
 * eval_charts.c: what the report of `pointsman eval --html` draws: whether probabilities mean what they say, what each threshold
 * would do, and what care costs.
 *
 * The one idea: a chart shows what could be chosen and a dot what is chosen, so that a person sees what the next step would bring.
 * Each has a few of its numbers as a table beneath.
 */
#include <math.h>
#include <stdio.h>

#include "worker/cli/eval_charts.h"
#include "worker/cli/html.h"

enum { DRAWN = 200, TOLD = 8, FEWEST = 10 /* rows under which a share is noise */ };
static const double BIN_LEAST = 3, BIN_MOST = 12;

/* The end of an axis that shows y: the next round figure. */
static double axis_for(double most)
{
	static const double ends[] = {0.01, 0.02, 0.05, 0.1, 0.2, 0.25, 0.5, 1};
	for (unsigned i = 0; i < sizeof ends / sizeof ends[0]; i++)
		if (most <= ends[i])
			return ends[i];
	return ceil(most * 2) / 2;
}

/* ---- reliability ----------------------------------------------------------------------------------------------------- */

void eval_chart_reliability(const struct reliability *r, struct buf *out)
{
	if (r->rows == 0)
		return;
	struct html_chart chart;
	const struct html_point ideal[] = {{0, 0}, {1, 1}};
	html_section(out, "Reliability of the classifier",
	             "Of the rows that it gives a probability of so much, how many are right? On the line it says what it means; below it, it is too sure. "
	             "The larger the mark, the more rows.");
	html_chart_begin(&chart, out, "reliability diagram", "probability it gives", "right", 1, 1);
	html_chart_line(&chart, ideal, 2, "ideal");
	for (int i = 0; i < RELIABILITY_BINS; i++) {
		const struct reliability_bin *b = &r->bins[i];
		if (b->rows == 0)
			continue;
		char words[120];
		struct html_point at = {b->confidence / (double)b->rows, (double)b->right / (double)b->rows};
		(void)snprintf(words, sizeof words, "%lld rows: says %.1f %%, right %.1f %%", (long long)b->rows, at.x * 100, at.y * 100); /* fits */
		html_chart_dot(&chart, at, BIN_LEAST + (BIN_MOST - BIN_LEAST) * sqrt((double)b->rows / (double)r->rows), "mark", words);
	}
	html_chart_end(&chart);
	buf_printf(out, "<p>expected calibration error %.3f, Brier score %.3f, over %lld rows that belong to a route</p>\n", reliability_ece(r),
	           reliability_brier(r), (long long)r->rows);
	html_section_end(out);
}

/* ---- thresholds ------------------------------------------------------------------------------------------------------ */

static void tell_points(const struct curve *curve, struct buf *out)
{
	buf_cstr(out, "<table><tr><th>threshold<th>decided<th>share<th>wrong of them</tr>\n");
	for (uint32_t i = 0; i < curve->count; i++) {
		const struct curve_point *p = &curve->points[i];
		if (p->taken == 0)
			continue;
		buf_printf(out, "<tr><td>%.3g</td>", p->threshold);
		html_cell_number(out, p->taken);
		html_cell_percent(out, (double)p->taken / (double)curve->rows);
		html_cell_percent(out, p->errors_taken / (double)p->taken);
		buf_cstr(out, "</tr>\n");
	}
	buf_cstr(out, "</table>");
}

static void threshold_chart(const struct eval_stage_scores *s, struct arena *arena, struct buf *out)
{
	struct curve whole = curve_make(s->rows.rows, s->rows.count, arena), drawn = curve_thin(&whole, DRAWN, arena);
	struct html_point *points = arena_array(arena, drawn.count, sizeof *points);
	double rows = (double)whole.rows, most = 0;
	uint32_t count = 0;
	for (uint32_t i = 0; i < drawn.count; i++) {
		const struct curve_point *p = &drawn.points[i];
		if (p->taken < FEWEST && p->taken < whole.rows)
			continue;
		points[count] = (struct html_point){(double)p->taken / rows, p->errors_taken / (double)p->taken};
		most = points[count].y > most ? points[count].y : most;
		count++;
	}
	struct html_point now = {(double)s->decided / rows, s->decided != 0 ? (double)s->wrong / (double)s->decided : 0};
	char title[120], words[120];
	(void)snprintf(title, sizeof title, "Thresholds of %s", s->name); /* a stage's name is short */
	(void)snprintf(words, sizeof words, "in force: decides %.1f %%, %.1f %% of them wrong", now.x * 100, now.y * 100); /* fits */
	html_section(out, title, "The lower the threshold, the more of the rows that reach it are decided by this stage, and the more of them wrongly. The dot is "
	                         "what is in force (with its margins and thresholds by route, so it need not lie on the line).");
	struct html_chart chart;
	html_chart_begin(&chart, out, title, "decided by this stage", "wrong of those", 1, axis_for(most > now.y ? most : now.y));
	html_chart_line(&chart, points, count, "line");
	html_chart_dot(&chart, now, 6, "now", words);
	html_chart_end(&chart);
	buf_printf(out, "<p>%s</p>", words);
	struct curve told = curve_thin(&whole, TOLD, arena);
	tell_points(&told, out);
	html_section_end(out);
}

void eval_chart_thresholds(const struct eval_scores *scores, struct arena *arena, struct buf *out)
{
	for (uint32_t i = 0; i < EVAL_MAX_STAGES; i++)
		if (scores->stages[i].rows.count != 0)
			threshold_chart(&scores->stages[i], arena, out);
}

/* ---- cost and quality ------------------------------------------------------------------------------------------------ */

struct trade {
	double all; /* cost of leaving everything to the safe route */
	double rows;
};

static struct html_point trade_point(const struct trade *t, const struct curve_point *p)
{
	return (struct html_point){p->cost / t->all, p->errors / t->rows};
}

static void trade_row(const struct trade *t, const struct curve_point *p, const char *words, struct buf *out)
{
	struct html_point at = trade_point(t, p);
	buf_printf(out, "<tr><td>%s</td>", words);
	html_cell_percent(out, at.x);
	html_cell_percent(out, at.y);
	buf_cstr(out, "</tr>\n");
}

void eval_chart_cost(const struct eval_scores *scores, const char *safe, struct arena *arena, struct buf *out)
{
	struct curve whole = curve_make(scores->whole.rows, scores->whole.count, arena), drawn = curve_thin(&whole, DRAWN, arena);
	struct trade t = {whole.points[0].cost, (double)whole.rows};
	if (whole.rows == 0 || t.all <= 0) /* nothing has a price, or nobody knows what the safe route costs */
		return;
	struct html_point *points = arena_array(arena, drawn.count, sizeof *points);
	uint32_t now = 0;
	double x_most = 1, y_most = 0;
	for (uint32_t i = 0; i < whole.count; i++)
		if (whole.points[i].taken <= whole.rows - scores->unsure)
			now = i;
	for (uint32_t i = 0; i < drawn.count; i++) {
		points[i] = trade_point(&t, &drawn.points[i]);
		x_most = points[i].x > x_most ? points[i].x : x_most;
		y_most = points[i].y > y_most ? points[i].y : y_most;
	}
	html_section(out, "Cost and quality",
	             "What raising or lowering all thresholds together would bring: fewer rows left to the safe route make calls cheaper, and more rows get less "
	             "than they need (they go to another route that is not dearer than their own). Cost is the price of a row's text and of as long an "
	             "answer; topics, behind which people answer, count as nothing.");
	struct html_chart chart;
	struct html_point at = trade_point(&t, &whole.points[now]);
	char words[120];
	(void)snprintf(words, sizeof words, "in force: %.1f %% of the cost, %.1f %% at risk", at.x * 100, at.y * 100); /* fits */
	html_chart_begin(&chart, out, "cost and quality", "cost of calls, of that of the safe route for all", "rows that get less than they need",
	                 ceil(x_most * 5) / 5, axis_for(fmin(y_most, 1)));
	html_chart_line(&chart, points, drawn.count, "line");
	html_chart_dot(&chart, at, 6, "now", words);
	html_chart_end(&chart);
	buf_cstr(out, "<table><tr><th>choice<th>cost<th>at risk</tr>\n<tr><td>all to ");
	html_escaped(out, str_of(safe));
	buf_cstr(out, "</td>");
	html_cell_percent(out, 1);
	html_cell_percent(out, whole.points[0].errors / t.rows);
	buf_cstr(out, "</tr>\n");
	trade_row(&t, &whole.points[now], "as it is", out);
	trade_row(&t, &whole.points[whole.count - 1], "thresholds of nothing", out);
	buf_cstr(out, "</table>");
	html_section_end(out);
}
