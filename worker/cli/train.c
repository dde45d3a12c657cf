/*
 * train.c: `pointsman train`: a data set with labels becomes the file of a classifier stage.
 */
#include <math.h>
#include <stdlib.h>

#include "common/json.h"
#include "worker/cli/data_rows.h"
#include "worker/cli/whole_file.h"
#include "worker/lab/stats.h"
#include "worker/lab/train.h"
#include "worker/route/route.h"

enum { BLOCK = 1024, PROGRESS_STEPS = 1000 };

static const char usage[] =
    "DATA --out FILE [OPTION...]\n"
    "--groups DATA --out FILE [OPTION...]   (see pointsman train --groups --help)\n"
    "--gain DATA --out FILE [OPTION...]     (see pointsman train --gain --help)\n";
static const char about[] =
    "Learns from texts with labels, and writes a classifier that a policy uses as a stage:\n"
    "\n"
    "    stages:\n"
    "      - classifier: {model: triage.pmc, accept: 0.80}\n"
    "\n"
    "Its labels are the names of the routes. Nothing is called and nothing is downloaded. The same rows and the same\n"
    "seed give the same file. Parts of the rows are held out first, to say how often it is right and to calibrate.\n"
    "DATA is JSON Lines or CSV with a header (- for standard input), with the fields text (or prompt, or messages)\n"
    "and label. Rows of no route (label null or oos) are no label of their own: from 100 of them on it is learned what\n"
    "tells them from the others, with fewer a formula does.\n";
static const char example[] = "pointsman train tickets.csv -f text=body -f label=queue -o triage.pmc\n";

struct asked {
	const char *config, *policy, *none, *data, *out;
	struct dataset_fields fields;
	int64_t seed;
	bool skip_bad, json, no_names;
};

struct work {
	const struct asked *asked;
	struct policy *policy; /* NULL: none was named */
	struct arena arena;    /* what is learned from */
	struct train_row *rows;
	struct str *labels;
	struct str *none; /* texts of no route */
	uint32_t row_count, row_cap, label_count, none_count, none_cap;
	int64_t bad;
	struct cli_progress bar;
};

/* The label's number; a new one is added. */
static enum rc label_number(struct work *w, struct str label, uint32_t *ret, struct err *err)
{
	for (uint32_t i = 0; i < w->label_count; i++)
		if (str_eq(w->labels[i], label)) {
			*ret = i;
			return RC_OK;
		}
	bool is_route = w->policy == NULL;
	for (uint32_t i = 0; !is_route && i < policy_route_count(w->policy); i++)
		is_route = str_eq(policy_route(w->policy, i)->name, label);
	if (!is_route)
		return err_set(err, RC_BAD_INPUT, "the label \"%.*s\" is no route of the policy %.*s", (int)str_utf8_cut(label, 100), label.data,
		               STR_ARG(policy_name(w->policy)));
	if (w->label_count == CLASSIFIER_MAX_LABELS)
		return err_set(err, RC_BAD_INPUT, "there are more than %d labels; is it the right field?", CLASSIFIER_MAX_LABELS);
	w->labels[w->label_count] = arena_str(&w->arena, label);
	*ret = w->label_count++;
	return RC_OK;
}

static struct str text_kept(struct work *w, const struct dataset_row *row, struct arena *arena)
{
	struct str text = data_rows_text(w->policy, row, arena);
	text.len = str_utf8_cut(text, FEATURES_MAX_BYTES);
	return arena_str(&w->arena, text);
}

static enum rc take_row(void *ctx, const struct dataset_row *row, struct arena *arena, struct err *err)
{
	struct work *w = ctx;
	uint32_t label = 0;
	if (!row->labelled)
		return err_set(err, RC_BAD_INPUT, "the row has no label; which field is it? --field label=NAME");
	if (row->label.data == NULL || (w->asked->none != NULL && str_is(row->label, w->asked->none))) {
		if (w->none_count == CLASSIFIER_MAX_EXAMPLES)
			return err_set(err, RC_BAD_INPUT, "there are more than %d rows of no route", CLASSIFIER_MAX_EXAMPLES);
		if (w->none_count == w->none_cap) {
			w->none_cap = w->none_cap == 0 ? BLOCK : w->none_cap * 2;
			w->none = heap_resize(w->none, w->none_cap, sizeof *w->none);
		}
		w->none[w->none_count++] = text_kept(w, row, arena);
		return RC_OK;
	}
	enum rc rc = label_number(w, row->label, &label, err);
	if (rc != RC_OK)
		return rc;
	if (w->row_count == w->row_cap) {
		w->row_cap = w->row_cap == 0 ? BLOCK : w->row_cap * 2;
		w->rows = heap_resize(w->rows, w->row_cap, sizeof *w->rows);
	}
	w->rows[w->row_count++] = (struct train_row){text_kept(w, row, arena), label};
	return RC_OK;
}

static int read_rows(struct work *w)
{
	struct data_rows rows = {.path = w->asked->data, .fields = &w->asked->fields,
	                         .skip_bad = w->asked->skip_bad, .take = take_row, .ctx = w};
	int code = data_rows_read(&rows);
	w->bad = rows.bad;
	return code;
}

static void tell_held_out(const struct work *w, const struct train_report *r, const struct share *right)
{
	printf("held out      %u rows%s: %.1f %% right (%.1f to %.1f %% at 95 %% confidence)\n", r->held_out, r->folds > 1 ? ", a fifth at a time" : "",
	       100 * right->share, 100 * right->low, 100 * right->high);
	printf("probabilities off by %.1f %% on average after calibration, %.1f %% before (Brier score %.4f, %.4f)\n", 100 * r->ece[1], 100 * r->ece[0],
	       r->brier[1], r->brier[0]);
	if (w->none_count == 0)
		return;
	printf("out of scope  %u rows of no route: AUROC %.3f, %.1f %% caught where 95 %% of the others are kept (95 %%: %.1f to %.1f %%)%s\n", w->none_count,
	       r->auroc, 100 * r->caught.share, 100 * r->caught.low, 100 * r->caught.high,
	       r->scope_learned ? "; learned from them, measured on those left out" : "");
}

static void tell(const struct work *w, const struct train_report *r, size_t bytes)
{
	struct share right = share_of(r->held_out_right, r->held_out);
	if (w->asked->json) {
		struct buf out;
		struct arena arena;
		arena_init(&arena, 4096);
		buf_init(&out, &arena, 1024);
		buf_char(&out, '{');
		json_member_i64(&out, "rows", w->row_count);
		json_member_i64(&out, "labels", w->label_count);
		json_member_i64(&out, "bad_rows", w->bad);
		json_member_i64(&out, "rows_of_no_route", w->none_count);
		json_member_i64(&out, "names_learned", r->names);
		json_member_i64(&out, "held_out", r->held_out);
		json_member_i64(&out, "times_held_out", r->folds);
		json_member_double(&out, "held_out_accuracy", right.share);
		json_member_double(&out, "held_out_accuracy_low", right.low);
		json_member_double(&out, "held_out_accuracy_high", right.high);
		json_member_double(&out, "ece_before", r->held_out != 0 ? r->ece[0] : NAN);
		json_member_double(&out, "ece", r->held_out != 0 ? r->ece[1] : NAN);
		json_member_double(&out, "brier_before", r->held_out != 0 ? r->brier[0] : NAN);
		json_member_double(&out, "brier", r->held_out != 0 ? r->brier[1] : NAN);
		json_member_double(&out, "sharpness", r->sharpness);
		json_member_double(&out, "in_scope_threshold", r->held_out != 0 ? r->threshold : NAN);
		json_member_bool(&out, "scope_learned", r->scope_learned);
		json_member_double(&out, "out_of_scope_auroc", r->auroc);
		json_member_double(&out, "out_of_scope_caught_at_95_retained", r->held_out != 0 ? r->caught.share : NAN);
		json_member_i64(&out, "features", r->places);
		json_member_i64(&out, "bytes", (int64_t)bytes);
		buf_cstr(&out, "}\n");
		fwrite(out.data, 1, out.len, stdout); /* main looks at the stream's state */
		arena_free(&arena);
		return;
	}
	printf("learned       %u rows, %u labels, %u features%s\n", w->row_count, w->label_count, r->places,
	       r->names != 0 ? "; the labels' names are texts of theirs, too" : "");
	if (w->bad != 0)
		printf("left out      %lld rows that could not be read\n", (long long)w->bad);
	if (r->held_out != 0)
		tell_held_out(w, r, &right);
	else
		printf("held out      none: there are too few rows; nothing is calibrated\n");
	printf("written       %s, %.1f MB\n", w->asked->out, (double)bytes / 1e6);
}

static void show(void *ctx, double share)
{
	cli_progress_at(&((struct work *)ctx)->bar, (int64_t)(share * PROGRESS_STEPS));
}

static int learn(struct work *w)
{
	struct static_model *model = NULL;
	struct train_report report;
	struct buf file;
	struct err err;
	buf_init(&file, &w->arena, 1 << 20);
	enum rc rc = static_model_builtin(&w->arena, &model, &err);
	struct train_setup setup = {.rows = w->rows, .row_count = w->row_count, .labels = w->labels, .label_count = w->label_count, .none = w->none,
	                            .none_count = w->none_count, .no_names = w->asked->no_names, .model = model, .seed = (uint64_t)w->asked->seed,
	                            .progress = show, .ctx = w};
	cli_progress_begin(&w->bar, "learning", PROGRESS_STEPS);
	if (rc == RC_OK)
		rc = train_classifier(&setup, &file, &report, &err);
	cli_progress_end(&w->bar);
	if (rc != RC_OK)
		return cli_fail(&err, EXIT_CONFIG);
	if (whole_file_write(w->asked->out, buf_view(&file), &err) != RC_OK)
		return cli_fail(&err, EXIT_FAILED);
	tell(w, &report, file.len);
	return EXIT_DONE;
}

static int train(const struct command *self, const struct asked *asked)
{
	struct work w = {.asked = asked};
	struct settings settings;
	int code = cli_policy(self, asked->config, asked->policy, &settings, &w.policy);
	arena_init(&w.arena, 1 << 20);
	w.labels = arena_array(&w.arena, CLASSIFIER_MAX_LABELS, sizeof *w.labels);
	if (code == EXIT_DONE)
		code = read_rows(&w);
	if (code == EXIT_DONE)
		code = learn(&w);
	free(w.rows);
	free(w.none);
	arena_free(&w.arena);
	policy_unref(w.policy);
	settings_free(&settings);
	return code;
}

static int run(const struct command *self, int argc, char **argv)
{
	struct asked asked = {.seed = 1};
	bool labels_as_routes = false;
	const struct arg args[] = {
		{.operand = &asked.data, .needed = CLI_DATA_NEEDED},
		{'o', "out", "FILE", "the classifier; written whole or not at all", .text = &asked.out,
		 .needed = "--out FILE is needed: where the classifier is written"},
		{'c', "config", "FILE", "read the texts as this configuration's policy does, and accept its routes only", .text = &asked.config},
		{0, "policy", "FILE", CLI_POLICY_HELP, .text = &asked.policy},
		{'f', "field", "NAME=PATH", "a field stands elsewhere: text=ticket.body, label=ticket.queue", .take = cli_take_field, .ctx = &asked.fields},
		{0, "labels-as-routes", NULL, "without a policy every label is learned; said here, it is what happens without --config",
		 .flag = &labels_as_routes},
		{0, "none", "LABEL", "this label means none of the routes, too", .text = &asked.none},
		{0, "no-names", NULL, "the labels' names say nothing: do not learn them as texts", .flag = &asked.no_names},
		{0, "seed", "N", "another order of learning", .number = &asked.seed, .most = CLI_MOST_SEED},
		{0, "skip-bad", NULL, CLI_SKIP_BAD_HELP, .flag = &asked.skip_bad},
		{0, "json", NULL, "one JSON object instead of words", .flag = &asked.json},
		{0},
	};
	int code = EXIT_DONE;
	if (args_have(argc, argv, "--groups"))
		return command_train_groups.run(&command_train_groups, argc, argv);
	if (args_have(argc, argv, "--gain"))
		return command_train_gain.run(&command_train_gain, argc, argv);
	if (!cli_args(self, args, argc, argv, &code))
		return code;
	if (labels_as_routes && asked.config != NULL)
		return cli_usage(self, "--labels-as-routes takes the place of a policy: give either it or --config");
	return train(self, &asked);
}

const struct command command_train = {
	.name = "train", .summary = "learn a classifier from texts with labels", .usage = usage, .about = about, .example = example, .run = run,
};
