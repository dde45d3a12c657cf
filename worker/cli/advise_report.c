/*
 * advise_report.c: the advice in words, and as JSON.
 *
 * The verdict stands last, after what it rests on, and every sum with the assumptions that it hangs on.
 */
#include <inttypes.h>
#include <math.h>

#include "common/json.h"
#include "worker/cli/advise.h"
#include "worker/cli/cli_table.h"
#include "worker/lab/wrap.h"

enum { GROUPS_SHOWN = 15, TEXT_COLUMNS = 60 };

static const char *model_name(const struct advise_work *w, int model) { return w->settings.models[model].name.data; }

/* ---- words ----------------------------------------------------------------------------------------------------------- */

static void tell_kinds(const struct advise_work *w)
{
	const struct share *tight = &w->advice.tight;
	enum mark mark = tight->low >= advise_clear_share ? MARK_OK : tight->high >= advise_some_share ? MARK_WARN : MARK_FAILED;
	cli_mark(mark, "categories: %.0f %% of the texts (95 %%: %.0f to %.0f %%) lie clearly in one of the groups that other texts show\n"
	         "    (under %.0f %% there are none, from %.0f %% on they are clear: a rule of thumb); %u clear groups",
	         100 * tight->share, 100 * tight->low, 100 * tight->high, 100 * advise_some_share, 100 * advise_clear_share, w->found.clear_groups);
	double same = w->vectors != 0 ? 100.0 * w->found.duplicates / w->vectors : 0;
	cli_mark(MARK_OK, "repeats: %.1f %% of the texts are nearly the same as an earlier one", same);
}

static void tell_gap(const struct advise_work *w)
{
	const struct advice *a = &w->advice;
	const char *capable = model_name(w, w->capable), *cheaper = model_name(w, w->cheaper);
	if (w->capable == w->cheaper) {
		cli_mark(MARK_FAILED, "prices: %s is the only model", capable);
		return;
	}
	cli_mark(a->cost_ratio >= advise_gap ? MARK_OK : MARK_FAILED, "prices: 1,000 records cost %.2f USD with %s, %.2f with %s", a->capable_usd, capable,
	         a->cheaper_usd, cheaper);
	if (isnan(a->time_ratio))
		cli_mark(MARK_WARN, "time: how long answers take is not known; --latency %s=TIME and %s=TIME say it", capable, cheaper);
	else
		cli_mark(a->time_ratio >= advise_gap ? MARK_OK : MARK_WARN, "time: %s takes %.0f ms, %s %.0f ms", capable, w->facts.capable.latency_ms, cheaper,
		         w->facts.cheaper.latency_ms);
}

static void tell_place(const struct advise_work *w)
{
	cli_mark(w->decisions_there ? MARK_OK : MARK_WARN, "log: decisions go to the topic %.*s%s", STR_ARG(w->settings.output.decisions),
	         w->decisions_there ? "" : ", which is not there yet (pointsman topics --create)");
	if (w->policy == NULL) {
		cli_mark(MARK_WARN, "fallback: there is no policy yet; the draft has when_unsure and on_error");
		return;
	}
	cli_mark(MARK_OK, "fallback: what no stage is sure of goes to %.*s", STR_ARG(policy_route(w->policy, (uint32_t)policy_when_unsure(w->policy))->name));
	if (w->lone_routes != 0)
		cli_mark(MARK_WARN, "fallback: %u of %u routes have one model only, and nothing when it is down; on_error gives them one", w->lone_routes, w->routes);
}

static void tell_groups(const struct advise_work *w)
{
	static const char *const heads[] = {"texts", "tight", "group", "its most typical text"};
	struct cli_table *table = cli_table_new("rrll", heads);
	struct arena arena;
	arena_init(&arena, 0);
	for (uint32_t g = 0; g < w->found.clusters.k && g < GROUPS_SHOWN; g++) {
		const struct found_group *group = &w->found.groups[g];
		char size[16], tight[16];
		(void)snprintf(size, sizeof size, "%u", group->size); /* both fit */
		(void)snprintf(tight, sizeof tight, "%.0f %%", group->size != 0 ? 100.0 * group->tight / group->size : 0);
		struct str text = wrap_line(w->texts[w->row_of[w->found.clusters.all[g].central]], TEXT_COLUMNS, &arena);
		const char *cells[] = {size, tight, arena_printf(&arena, "%.*s%s", STR_ARG(w->names[g]), group->clear ? "" : " (not clear)").data,
		                       arena_cstr(&arena, text)};
		cli_table_row(table, cells);
	}
	puts("");
	cli_table_print(table, stdout);
	if (w->found.clusters.k > GROUPS_SHOWN)
		printf("... and %u more\n", w->found.clusters.k - GROUPS_SHOWN);
	arena_free(&arena);
}

static const char *why(enum advise_reason reason)
{
	switch (reason) {
	case ADVISE_ROWS: return "Too few records to say anything: 200 are needed, some thousands are better.";
	case ADVISE_ONE_MODEL: return "Routing does not pay here: one model is configured, so there is nothing to choose between.";
	case ADVISE_NO_GAP: return "Routing does not pay here: no model is clearly cheaper than the capable one, or known to be clearly faster.";
	case ADVISE_NO_KINDS:
		return "Routing by what texts are about does not pay here: too few of them fall into categories that come again.\n"
		       "Rules on attributes, length or code may still tell records apart, and what makes a prompt hard can be learned from\n"
		       "labels (train) or from outcomes of both models (train --gain): this looks at neither.";
	case ADVISE_ONE_KIND:
		return "Routing does not pay here: nearly all texts are of one kind, so there is nothing to tell apart. Try whether the cheaper\n"
		       "model serves them all. (Texts that begin with the same long instruction look alike; --field can leave it out.)";
	case ADVISE_SMALL_SHARE: return "Routing does not pay here: what it would save is a small share of the costs.";
	case ADVISE_SMALL_SUM: return "Routing does not pay here: what it would save in a month is less than labelling costs.";
	case ADVISE_SOME_KINDS: return "Routing may pay here: there are categories, but not clear ones, or too few records to be sure. Label rows and let eval tell.";
	case ADVISE_TIME_ONLY: return "Routing saves no money here, but time. Label the rows and let eval tell for how many records.";
	case ADVISE_CLEAR: return "Routing is likely to pay here: there are clear categories, and a cheaper model for what is in them. Whether it answers\n"
		       "them well enough is not known before rows are labelled.";
	}
	return "";
}

static void tell_saving(const struct advise_work *w)
{
	const struct advice *a = &w->advice;
	const char *capable = model_name(w, w->capable), *cheaper = model_name(w, w->cheaper);
	if (a->usd_high <= 0 || a->verdict == ADVISE_TOO_FEW || a->reason == ADVISE_ONE_KIND)
		return;
	printf("\nsaving        %.0f to %.0f %% of what all records with %s cost: %.2f to %.2f USD for 1,000 records\n", 100 * a->saved_low, 100 * a->saved_high,
	       capable, a->usd_low, a->usd_high);
	if (!isnan(a->month_high))
		printf("              %.0f to %.0f USD in 30 days, at %.0f records a day\n", a->month_low, a->month_high, w->facts.records_a_day);
	printf("it is assumed that %s serves %.0f to %.0f %% of those texts well enough, and none of the others;\n"
	       "              that a record has %.0f tokens (estimated) and its answer %.0f (--output-tokens);\n"
	       "              that all records are as these are, and that a wrong route costs nothing. Only labels and eval can tell.\n",
	       cheaper, 100 * advise_served_low, 100 * advise_served_high, w->facts.input_tokens, w->facts.output_tokens);
}

static void tell_draft(const struct advise_work *w)
{
	const char *dir = w->asked->dir;
	if (dir == NULL) {
		puts("\nnext: the same with -o DIR, which writes a draft policy and rows to label");
		return;
	}
	if (w->drafted == 0) {
		printf("\n%s: nothing was written: there is no clear group to make a route of\n", dir);
		return;
	}
	printf("\n%s: a draft policy of %u routes with their examples, a configuration to try it with, and %u rows to label\n", dir, w->drafted, w->picked);
	printf("next: read %s/policy.yaml and decide which groups the cheaper model may serve; then\n"
	       "      pointsman label %s/rows.jsonl -c %s/pointsman.yaml -o labelled.jsonl\n"
	       "      pointsman train labelled.jsonl -c %s/pointsman.yaml -o %s/model.pmc\n"
	       "      pointsman calibrate labelled.jsonl -c %s/pointsman.yaml --target-misroute 3%%\n"
	       "      pointsman eval labelled.jsonl -c %s/pointsman.yaml\n",
	       dir, dir, dir, dir, dir, dir, dir);
}

void advise_tell(const struct advise_work *w)
{
	printf("%" PRId64 " records", w->rows.seen);
	if (w->rows.count < w->rows.seen)
		printf(", %u of them looked at", w->rows.count);
	if (w->rows.bad != 0)
		printf(", %" PRId64 " left out that could not be read", w->rows.bad);
	if (w->vectors < w->rows.count)
		printf(", %u without a word that the table of this program knows", w->rows.count - w->vectors);
	puts("");
	tell_kinds(w);
	tell_gap(w);
	tell_place(w);
	tell_groups(w);
	tell_saving(w);
	printf("\n%s\n", why(w->advice.reason));
	tell_draft(w);
}

/* ---- JSON ------------------------------------------------------------------------------------------------------------ */

static void add_range(struct buf *out, const char *name, double low, double high)
{
	json_key(out, name);
	buf_char(out, '[');
	json_write_double(out, low);
	buf_char(out, ',');
	json_write_double(out, high);
	buf_char(out, ']');
}

static void add_groups(const struct advise_work *w, struct buf *out)
{
	json_key(out, "groups");
	buf_char(out, '[');
	for (uint32_t g = 0; g < w->found.clusters.k; g++) {
		json_sep(out);
		buf_char(out, '{');
		json_member_str(out, "name", w->names[g]);
		json_member_i64(out, "rows", w->found.groups[g].size);
		json_member_i64(out, "tight", w->found.groups[g].tight);
		json_member_bool(out, "clear", w->found.groups[g].clear);
		json_member_str(out, "typical", w->texts[w->row_of[w->found.clusters.all[g].central]]);
		buf_char(out, '}');
	}
	buf_char(out, ']');
}

void advise_tell_json(const struct advise_work *w)
{
	const struct advice *a = &w->advice;
	struct arena arena;
	struct buf out;
	arena_init(&arena, 1 << 16);
	buf_init(&out, &arena, 1 << 14);
	buf_char(&out, '{');
	json_member_str(&out, "verdict", str_of(advise_verdict_name(a->verdict)));
	json_member_str(&out, "reason", str_of(why(a->reason)));
	json_member_i64(&out, "rows", w->rows.seen);
	json_member_i64(&out, "looked_at", w->rows.count);
	json_member_i64(&out, "bad_rows", w->rows.bad);
	json_member_double(&out, "tight_share", w->facts.tight_share);
	add_range(&out, "tight_share_interval", a->tight.low, a->tight.high);
	json_member_i64(&out, "clear_groups", w->found.clear_groups);
	json_member_i64(&out, "near_duplicates", w->found.duplicates);
	json_member_str(&out, "capable", w->settings.models[w->capable].name);
	json_member_str(&out, "cheaper", w->settings.models[w->cheaper].name);
	json_member_double(&out, "capable_usd_per_1000", a->capable_usd);
	json_member_double(&out, "cheaper_usd_per_1000", a->cheaper_usd);
	json_member_double(&out, "time_ratio", a->time_ratio);
	json_member_double(&out, "input_tokens_estimated", w->facts.input_tokens);
	json_member_double(&out, "output_tokens_assumed", w->facts.output_tokens);
	add_range(&out, "served_by_cheaper_assumed", advise_served_low, advise_served_high);
	add_range(&out, "saved_share", a->saved_low, a->saved_high);
	add_range(&out, "saved_usd_per_1000", a->usd_low, a->usd_high);
	add_range(&out, "saved_usd_per_month", a->month_low, a->month_high);
	json_member_bool(&out, "decisions_topic", w->decisions_there);
	json_member_bool(&out, "policy", w->policy != NULL);
	json_member_i64(&out, "routes_without_fallback", w->lone_routes);
	json_member_i64(&out, "drafted_routes", w->drafted);
	json_member_i64(&out, "rows_to_label", w->picked);
	add_groups(w, &out);
	buf_cstr(&out, "}\n");
	fwrite(out.data, 1, out.len, stdout); /* main looks at the stream's state */
	arena_free(&arena);
}
