/*
 * eval_html.c: the report of `pointsman eval` as one page of HTML that needs nothing but itself.
 *
 * The one idea: no script and no outside file, so the page can be mailed, kept beside a release and printed; what a colour says, a
 * number says too. Every text from the data or the policy is escaped. It holds the figures of eval_json.c, none of its own.
 */
#include <errno.h>
#include <inttypes.h>
#include <math.h>

#include "common/json.h"
#include "worker/cli/eval_charts.h"
#include "worker/cli/eval.h"
#include "worker/cli/html.h"

enum { HEAT_ROUTES = 40, MOST_EXAMPLE_BYTES = 64 * 1024 * 1024 };

static const char style[] =
    ":root{color-scheme:light dark;--ground:#f6f7f9;--card:#fff;--ink:#1b2330;--soft:#5d6878;--line:#dfe3ea;--good:26,127,75;--bad:192,57,43}\n"
    "@media (prefers-color-scheme:dark){:root{--ground:#12161d;--card:#1a2029;--ink:#e4e8ee;--soft:#93a0b3;--line:#2b3340;"
    "--good:60,170,110;--bad:225,95,80}}\n"
    "*{box-sizing:border-box}body{margin:0;background:var(--ground);color:var(--ink);font:15px/1.45 system-ui,sans-serif}\n"
    "header,main{max-width:1080px;margin:0 auto;padding:12px 16px}h1{font-size:1.3rem;margin:0}h2{font-size:1rem;margin:0 0 8px}\n"
    "p,.soft{color:var(--soft);font-size:.85rem;margin:2px 0}main{display:grid;gap:12px;padding-top:0}main>*{min-width:0}\n"
    ".tiles{display:grid;gap:12px;grid-template-columns:repeat(auto-fill,minmax(150px,1fr))}\n"
    ".tile,section{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:10px 14px}\n"
    ".tile b{display:block;font-size:1.3rem}.scroll{overflow-x:auto}table{border-collapse:collapse;font-variant-numeric:tabular-nums}\n"
    "th,td{text-align:right;padding:4px 8px;border-top:1px solid var(--line);white-space:nowrap}th{color:var(--soft);font-weight:500}\n"
    "th:first-child,td:first-child{text-align:left}.heat td,.heat th{padding:3px 6px;border:1px solid var(--line)}\n"
    ".bar{display:flex;height:18px;min-width:160px;border-radius:4px;overflow:hidden;background:var(--line)}\n"
    ".bar i{background:rgb(var(--good))}.bar u{background:rgb(var(--bad))}\n"
    ".chart{display:block;width:100%;max-width:560px;height:auto}.chart text{font-size:12px;fill:var(--soft)}.grid{stroke:var(--line);fill:none}\n"
    ".line,.ideal{fill:none;stroke-width:2}.line{stroke:var(--ink)}.ideal{stroke:var(--soft);stroke-dasharray:5 5}\n"
    ".mark{fill:rgb(var(--good));fill-opacity:.65}.now{fill:rgb(var(--bad))}\n"
    "li{padding:6px 0;border-top:1px solid var(--line);overflow-wrap:anywhere}ol{margin:0;padding-left:1.4em}\n"
    "@media print{body{background:#fff;color:#000}section{break-inside:avoid}.scroll{overflow:visible}"
    "*{print-color-adjust:exact;-webkit-print-color-adjust:exact}}\n";

static void tile(struct buf *out, const char *title, double share, const struct share *s)
{
	buf_printf(out, "<div class=tile><b>");
	html_percent(out, share);
	buf_printf(out, "</b>%s", title);
	if (s != NULL) {
		buf_cstr(out, "<p>95 %: ");
		html_interval(out, s);
		buf_cstr(out, "</p>");
	}
	buf_cstr(out, "</div>\n");
}

static void head(const struct eval_work *work, const struct eval_summary *s, struct buf *out)
{
	const struct eval_side *side = &work->side;
	buf_cstr(out, "<!doctype html>\n<html lang=en><head><meta charset=utf-8>\n<meta name=viewport content=\"width=device-width, initial-scale=1\">\n"
	              "<title>Routing report</title>\n<style>\n");
	buf_cstr(out, style);
	buf_cstr(out, "</style></head><body>\n<header><h1>How ");
	html_escaped(out, policy_name(side->policy));
	buf_cstr(out, " routes ");
	html_escaped(out, str_of(work->asked->data));
	buf_printf(out, "</h1><p>%" PRId64 " rows, %" PRId64 " bad ones left out; decisions of version ", s->rows, work->bad);
	html_escaped(out, policy_decision_version(side->policy));
	buf_cstr(out, "; unsure rows go to ");
	html_escaped(out, policy_route(side->policy, (uint32_t)side->setup.when_unsure)->name);
	buf_cstr(out, "</p></header>\n<main><div class=tiles>\n");
	tile(out, "accuracy", s->accuracy, NULL);
	tile(out, "misroutes", s->misroutes.share, &s->misroutes);
	tile(out, "macro-F1", s->macro_f1, NULL);
	tile(out, "unsure", s->unsure.share, &s->unsure);
	if (s->out_of_scope.rows != 0)
		tile(out, "of the rows for no route caught", s->out_of_scope.share, &s->out_of_scope);
	if (!isnan(s->cost))
		buf_printf(out, "<div class=tile><b>%.2f</b>cost of errors<p>%.4f a row</p></div>\n", s->cost, s->cost / (double)s->rows);
	buf_cstr(out, "</div>\n");
}

static void stages(const struct eval_work *work, struct buf *out)
{
	html_section(out, "Stages", "What each decided, of all rows: right in the first part of the bar, wrong in the second.");
	buf_cstr(out, "<table><tr><th>stage<th>coverage<th>decided<th>share<th>right<th>95 %<th>failed<th>asks</tr>\n");
	for (uint32_t i = 0; i < eval_stages(work->side.eval); i++) {
		struct eval_stage s = eval_stage(work->side.eval, i);
		double right = s.decided.hits != 0 ? s.decided.share * s.right.share : 0;
		buf_cstr(out, "<tr>");
		html_cell_name(out, str_of(s.name));
		buf_printf(out, "<td><div class=bar><i style=\"width:%.2f%%\"></i><u style=\"width:%.2f%%\"></u></div></td>", right * 100,
		           (s.decided.share - right) * 100);
		html_cell_number(out, s.decided.hits);
		html_cell_percent(out, s.decided.share);
		html_cell_percent(out, s.right.share);
		html_cell_interval(out, &s.right);
		html_cell_number(out, s.failed);
		html_cell_number(out, s.asked);
		buf_cstr(out, "</tr>\n");
	}
	buf_cstr(out, "</table>");
	html_section_end(out);
}

static void routes(const struct eval_work *work, struct buf *out)
{
	html_section(out, "Routes", "Precision: how many of those sent there belong there. Recall: how many that belong there were sent there.");
	buf_cstr(out, "<table><tr><th>route<th>rows<th>sent there<th>precision<th>recall<th>F1</tr>\n");
	for (uint32_t i = 0; i < work->side.setup.routes; i++) {
		struct eval_class c = eval_class(work->side.eval, i);
		buf_cstr(out, "<tr>");
		html_cell_name(out, policy_route(work->side.policy, i)->name);
		html_cell_number(out, c.support);
		html_cell_number(out, c.taken);
		html_cell_percent(out, c.precision);
		html_cell_percent(out, c.recall);
		html_cell_percent(out, c.f1);
		buf_cstr(out, "</tr>\n");
	}
	buf_cstr(out, "</table>");
	html_section_end(out);
}

static void heat_row(const struct eval_work *work, int label, int64_t rows, struct buf *out)
{
	buf_cstr(out, "<tr>");
	html_cell_name(out, str_of(eval_label_name(work->side.policy, label)));
	for (uint32_t k = 0; k < work->side.setup.routes; k++) {
		int64_t n = eval_cell(work->side.eval, label, k);
		bool right = eval_is_right(&work->side.setup, label, (int)k);
		if (n == 0)
			buf_cstr(out, "<td class=soft>&middot;</td>");
		else
			buf_printf(out, "<td style=\"background:rgba(var(--%s),%.2f)\">%" PRId64 "</td>", right ? "good" : "bad", .12 + .6 * (double)n / (double)rows, n);
	}
	buf_cstr(out, "</tr>\n");
}

static void heat(const struct eval_work *work, struct buf *out)
{
	uint32_t routes_count = work->side.setup.routes;
	if (routes_count > HEAT_ROUTES)
		return;
	html_section(out, "Confusions", "A line for where rows belong, a column for where they went; the stronger the colour, the larger the part of its line.");
	buf_cstr(out, "<table class=heat><tr><th>belongs to");
	for (uint32_t k = 0; k < routes_count; k++) {
		buf_cstr(out, "<th>");
		html_escaped(out, policy_route(work->side.policy, k)->name);
	}
	buf_cstr(out, "</tr>\n");
	for (uint32_t i = 0; i <= routes_count; i++) {
		int label = i < routes_count ? (int)i : EVAL_NONE;
		int64_t rows = 0;
		for (uint32_t k = 0; k < routes_count; k++)
			rows += eval_cell(work->side.eval, label, k);
		if (rows != 0)
			heat_row(work, label, rows, out);
	}
	buf_cstr(out, "</table>");
	html_section_end(out);
}

static void slices(struct eval_work *work, struct buf *out)
{
	uint32_t count;
	const struct eval_slice *all = eval_slices(work->side.eval, work->asked->slice_rows, &work->arena, &count);
	if (count == 0)
		return;
	html_section(out, "Slices", "The worst first; the last columns name the route that fares worst there.");
	buf_cstr(out, "<table><tr><th>slice<th>value<th>rows<th>misroutes<th>95 %<th>unsure<th>worst route<th>right there</tr>\n");
	for (uint32_t i = 0; i < count; i++) {
		const struct eval_summary *s = &all[i].summary;
		buf_cstr(out, "<tr>");
		html_cell_name(out, all[i].name);
		html_cell_name(out, all[i].value);
		html_cell_number(out, s->rows);
		html_cell_percent(out, s->misroutes.share);
		html_cell_interval(out, &s->misroutes);
		html_cell_percent(out, s->unsure.share);
		html_cell_name(out, all[i].worst != EVAL_NONE ? policy_route(work->side.policy, (uint32_t)all[i].worst)->name : STR_NULL);
		html_cell_percent(out, all[i].worst_right.share);
		buf_cstr(out, "</tr>\n");
	}
	buf_cstr(out, "</table>");
	html_section_end(out);
}

/* The text at a line of a file of examples: the line itself, or what its JSON holds. data NULL: it is not there any more. */
static struct str example_text(const struct near_example *near, struct arena *arena)
{
	struct str all, line = STR_NULL;
	struct err ignored; /* the file was readable when the policy was loaded; if it is gone, its name and line must do */
	if (config_read_file(arena, near->file, MOST_EXAMPLE_BYTES, &all, &ignored) != RC_OK)
		return STR_NULL;
	size_t at = 0;
	for (uint32_t n = 1; n <= near->line && at < all.len; n++) {
		const char *end = memchr(all.data + at, '\n', all.len - at);
		size_t stop = end != NULL ? (size_t)(end - all.data) : all.len;
		line = n == near->line ? str_trim((struct str){all.data + at, stop - at}) : STR_NULL;
		at = stop + 1;
	}
	const struct json *json;
	if (str_starts(line, STR("{")) && json_parse(arena, line, (struct json_limits){0}, &json, &ignored) == RC_OK)
		line = json_str(json_get(json, STR("text")));
	line.len = str_utf8_cut(line, EVAL_TEXT_BYTES);
	return line;
}

/* Which examples of the policy lie nearest to the text. */
static void pulled_by(const struct eval_work *work, const struct eval_miss *m, struct buf *out)
{
	struct arena arena;
	arena_init(&arena, 0);
	for (uint32_t i = 0; i < m->near_count; i++) {
		const struct near_example *near = &m->near[i];
		buf_printf(out, "<p>%s example of ", i == 0 ? "nearest" : "then an");
		html_escaped(out, policy_route(work->side.policy, (uint32_t)near->route)->name);
		buf_printf(out, " (%.2f): ", near->score);
		html_escaped(out, example_text(near, &arena));
		buf_cstr(out, " <span class=place>");
		html_escaped(out, str_of(near->file));
		buf_printf(out, ":%u</span></p>", near->line);
		arena_reset(&arena);
	}
	arena_free(&arena);
}

static void misses(const struct eval_work *work, struct buf *out)
{
	if (work->miss_count == 0)
		return;
	html_section(out, "Wrong, and sure of it", "The most confident first.");
	buf_cstr(out, "<ol>\n");
	for (uint32_t i = 0; i < work->miss_count; i++) {
		const struct eval_miss *m = &work->misses[i];
		buf_cstr(out, "<li>");
		html_escaped(out, str_of(m->text));
		buf_printf(out, "<p>line %" PRIu64 ", id ", m->line);
		html_escaped(out, str_of(m->id));
		buf_cstr(out, ": belongs to <b>");
		html_escaped(out, str_of(eval_label_name(work->side.policy, m->label)));
		buf_cstr(out, "</b>, went to <b>");
		html_escaped(out, str_of(eval_label_name(work->side.policy, m->route)));
		buf_cstr(out, "</b>: ");
		html_escaped(out, str_of(m->reason));
		buf_cstr(out, "</p>");
		pulled_by(work, m, out);
		buf_cstr(out, "</li>\n");
	}
	buf_cstr(out, "</ol>");
	html_section_end(out);
}

int eval_report_html(struct eval_work *work, const char *path)
{
	struct eval_summary s = eval_summary(work->side.eval);
	struct buf out;
	buf_init(&out, &work->arena, 64 * 1024);
	head(work, &s, &out);
	stages(work, &out);
	heat(work, &out);
	eval_chart_reliability(&work->reliability, &out);
	eval_chart_thresholds(&work->scores, &work->arena, &out);
	eval_chart_cost(&work->scores, eval_label_name(work->side.policy, work->side.setup.when_unsure), &work->arena, &out);
	slices(work, &out);
	misses(work, &out);
	routes(work, &out);
	buf_cstr(&out, "</main></body></html>\n");
	FILE *file = fopen(path, "w");
	bool written = file != NULL && fwrite(out.data, 1, out.len, file) == out.len;
	if (file != NULL)
		written = fclose(file) == 0 && written;
	if (written)
		return EXIT_DONE;
	fprintf(stderr, "%s: cannot be written: %s\n", path, strerror(errno));
	return EXIT_FAILED;
}
