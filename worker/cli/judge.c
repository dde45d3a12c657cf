/*
 * judge.c: `pointsman judge`: a judge model's labels against people's, before they count.
 *
 * The one idea: the data is read twice, because what people called a row says what a verdict can be; anything else is unknown.
 */
#include <math.h>
#include <stdlib.h>

#include "common/json.h"
#include "worker/cli/cli_table.h"
#include "worker/cli/data_rows.h"
#include "worker/lab/agreement.h"

enum { CELL = 32 };

static const char usage[] = "DATA --judge COLUMN [OPTION...]\n";
static const char about[] =
    "Compares a judge's labels with people's over the same rows: how often they agree, Cohen's kappa, and for each label\n"
    "how often the judge misses it and how often it gives it wrongly, all with 95 % intervals. A verdict that is none of\n"
    "the labels that people used (cut off, empty, absent, prose) is unknown: it agrees with nobody. The judge counts when\n"
    "the lower end of its agreement's interval reaches --at-least: that is what these rows show of it.\n"
    "DATA is JSON Lines or CSV with a header; read twice, so not standard input. Needs no configuration.\n";
static const char example[] = "pointsman judge judged.jsonl --judge verdict -f label=human --at-least 85%\n";

struct asked {
	const char *data, *judge;
	struct dataset_fields fields;
	double at_least;
	bool required, skip_bad, json;
};

struct work {
	const struct asked *asked;
	struct arena arena;
	struct agreement *agreement;
	int64_t bad, without_verdict;
};

static struct str people_of(const struct dataset_row *row)
{
	return row->label.data != NULL ? row->label : STR("oos");
}

static struct str verdict_of(const struct dataset_row *row, const char *column)
{
	for (uint32_t i = 0; i < row->req.attribute_count; i++)
		if (str_is(row->req.attributes[i].name, column))
			return row->req.attributes[i].value;
	return STR_NULL;
}

/* The first reading: what people call rows. */
static enum rc learn_row(void *ctx, const struct dataset_row *row, struct arena *arena, struct err *err)
{
	struct work *w = ctx;
	(void)arena; /* nothing is needed beside the row */
	if (!row->labelled)
		return err_set(err, RC_BAD_INPUT, "the row has no label of people's; which field is it? --field label=NAME");
	if (!agreement_learn(w->agreement, people_of(row)))
		return err_set(err, RC_BAD_INPUT, "there are more than %d labels; is it the right field?", AGREEMENT_MAX_LABELS);
	return RC_OK;
}

/* The second: what the judge does. */
static enum rc judge_row(void *ctx, const struct dataset_row *row, struct arena *arena, struct err *err)
{
	struct work *w = ctx;
	(void)arena;
	if (!row->labelled)
		return err_set(err, RC_BAD_INPUT, "the row has no label");
	struct str verdict = verdict_of(row, w->asked->judge);
	w->without_verdict += verdict.data == NULL;
	agreement_add(w->agreement, people_of(row), str_trim(verdict));
	return RC_OK;
}

static int read_rows(struct work *w)
{
	struct data_rows rows = {.path = w->asked->data, .fields = &w->asked->fields,
	                         .skip_bad = w->asked->skip_bad, .take = learn_row, .ctx = w};
	int code = data_rows_read(&rows);
	w->bad = rows.bad;
	rows.quiet = true;
	rows.take = judge_row;
	return code == EXIT_DONE ? data_rows_read(&rows) : code;
}

/* ---- reports --------------------------------------------------------------------------------------------------------- */

static const char *percent(char *out, struct share s)
{
	if (isnan(s.share))
		(void)snprintf(out, CELL, "-"); /* fits */
	else
		(void)snprintf(out, CELL, "%.1f %% (%.1f to %.1f)", s.share * 100, s.low * 100, s.high * 100); /* fits */
	return out;
}

static bool counts(const struct work *w, const struct agreement_figures *f)
{
	return f->agreed.low >= w->asked->at_least; /* false without rows: NAN */
}

static void tell(const struct work *w, const struct agreement_figures *f)
{
	static const char *const heads[] = {"label", "people", "judge", "both", "unknown", "missed", "false"};
	char c[6][CELL];
	printf("data          %s, %lld rows", w->asked->data, (long long)f->rows);
	if (w->bad != 0)
		printf(" (%lld bad ones left out)", (long long)w->bad);
	printf("\nunknown       %lld verdicts are none of people's labels", (long long)f->unknown);
	if (w->without_verdict != 0)
		printf(", %lld of them absent", (long long)w->without_verdict);
	printf("\nagreement     %s of all rows\n", percent(c[0], f->agreed));
	printf("              %s of those with a known verdict\n", percent(c[0], f->known));
	if (isnan(f->kappa))
		printf("kappa         cannot be told: by chance alone they would always agree\n");
	else
		printf("kappa         %.3f (%.3f to %.3f), of those\n", f->kappa, f->kappa_low, f->kappa_high);
	printf("the judge     %s: its agreement is %s %.4g %% at 95 %% confidence\n\n", counts(w, f) ? "counts" : "does not count",
	       counts(w, f) ? "at least" : "not shown to be", w->asked->at_least * 100);
	struct cli_table *table = cli_table_new("lrrrrrr", heads);
	for (uint32_t i = 0; i < agreement_labels(w->agreement); i++) {
		struct agreement_label l = agreement_label(w->agreement, i);
		const int64_t numbers[] = {l.people, l.judge, l.both, l.unknown};
		for (int k = 0; k < 4; k++)
			(void)snprintf(c[k], CELL, "%lld", (long long)numbers[k]); /* fits */
		const char *const cells[] = {l.name.data, c[0], c[1], c[2], c[3], percent(c[4], l.missed), percent(c[5], l.false_alarms)}; /* names end with a NUL */
		cli_table_row(table, cells);
	}
	cli_table_print(table, stdout);
}

static void json_label(const struct work *w, uint32_t index, struct buf *out)
{
	struct agreement_label l = agreement_label(w->agreement, index);
	json_sep(out);
	buf_char(out, '{');
	json_member_str(out, "label", l.name);
	json_member_i64(out, "people", l.people);
	json_member_i64(out, "judge", l.judge);
	json_member_i64(out, "both", l.both);
	json_member_i64(out, "unknown", l.unknown);
	cli_json_share(out, "missed", l.missed);
	cli_json_share(out, "false", l.false_alarms);
	json_key(out, "judged_as");
	buf_char(out, '{');
	for (uint32_t i = 0; i < agreement_labels(w->agreement); i++)
		if (agreement_cell(w->agreement, index, i) != 0)
			json_member_i64(out, agreement_label(w->agreement, i).name.data, agreement_cell(w->agreement, index, i));
	buf_cstr(out, "}}");
}

static void tell_json(struct work *w, const struct agreement_figures *f)
{
	struct buf out;
	buf_init(&out, &w->arena, 4096);
	buf_char(&out, '{');
	json_member_str(&out, "data", str_of(w->asked->data));
	json_member_i64(&out, "rows", f->rows);
	json_member_i64(&out, "bad_rows", w->bad);
	json_member_i64(&out, "unknown", f->unknown);
	cli_json_share(&out, "agreement", f->agreed);
	cli_json_share(&out, "agreement_known", f->known);
	json_member_double(&out, "kappa", f->kappa);
	json_member_double(&out, "kappa_low", f->kappa_low);
	json_member_double(&out, "kappa_high", f->kappa_high);
	json_member_double(&out, "at_least", w->asked->at_least);
	json_member_bool(&out, "counts", counts(w, f));
	json_key(&out, "labels");
	buf_char(&out, '[');
	for (uint32_t i = 0; i < agreement_labels(w->agreement); i++)
		json_label(w, i, &out);
	buf_cstr(&out, "]}\n");
	fwrite(out.data, 1, out.len, stdout); /* main looks at the stream's state */
}

/* ---- options --------------------------------------------------------------------------------------------------------- */

static enum rc take_at_least(void *ctx, const char *text, struct err *err)
{
	struct asked *asked = ctx;
	asked->required = true;
	if (cli_share(text, &asked->at_least) && asked->at_least >= 0 && asked->at_least <= 1)
		return RC_OK;
	return err_set(err, RC_BAD_INPUT, "--at-least takes a share, such as 0.85 or 85%%, not \"%s\"", text);
}

static int run(const struct command *self, int argc, char **argv)
{
	struct asked asked = {.at_least = 0.8};
	const struct arg args[] = {
		{.operand = &asked.data, .needed = "one data set is needed, in a file"},
		{0, "judge", "COLUMN", "the field with the judge's label", .text = &asked.judge,
		 .needed = "which field has the judge's label? --judge COLUMN"},
		{'f', "field", "NAME=PATH", "a field stands elsewhere: label=human, text=ticket.body, attributes.judge=verdict.label",
		 .take = cli_take_field, .ctx = &asked.fields},
		{0, "at-least", "X", "the agreement from which the judge counts, 0.8 or 80% (0.8); when it is given and not reached, the exit code is 4",
		 .take = take_at_least, .ctx = &asked},
		{0, "skip-bad", NULL, CLI_SKIP_BAD_HELP, .flag = &asked.skip_bad},
		{0, "json", NULL, "one JSON object instead of words", .flag = &asked.json},
		{0},
	};
	struct work w = {.asked = &asked};
	int code = EXIT_DONE;
	if (!cli_args(self, args, argc, argv, &code))
		return code;
	if (strcmp(asked.data, "-") == 0)
		return cli_usage(self, "one data set is needed, in a file: it is read twice, which standard input cannot be");
	arena_init(&w.arena, 0);
	w.agreement = agreement_new(&w.arena);
	code = read_rows(&w);
	struct agreement_figures f = agreement_figures(w.agreement);
	if (code == EXIT_DONE)
		code = data_rows_some(asked.data, f.rows, w.bad);
	if (code == EXIT_DONE && w.without_verdict == f.rows) {
		fprintf(stderr, "%s: no row has the field --judge names; --field attributes.NAME=PATH finds it elsewhere\n", asked.data);
		code = EXIT_CONFIG;
	}
	if (code == EXIT_DONE) {
		if (asked.json)
			tell_json(&w, &f);
		else
			tell(&w, &f);
		code = asked.required && !counts(&w, &f) ? EXIT_CHECK : EXIT_DONE;
	}
	agreement_free(w.agreement);
	arena_free(&w.arena);
	return code;
}

const struct command command_judge = {
	.name = "judge", .summary = "measure a judge's labels against people's", .usage = usage, .about = about,
	.example = example, .run = run,
};
