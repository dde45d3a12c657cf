/*
 * train.c: `pointsman train`: a data set with labels becomes the file of a classifier stage.
 */
#include <math.h>
#include <stdlib.h>

#include "common/json.h"
#include "worker/cli/data_rows.h"
#include "worker/cli/train_gain.h"
#include "worker/cli/train_groups.h"
#include "worker/cli/whole_file.h"
#include "worker/lab/stats.h"
#include "worker/lab/train.h"
#include "worker/route/route.h"

enum { BLOCK = 1024, MOST_SEED = 1000000000, PROGRESS_STEPS = 1000 };

static const char help[] =
    "usage: pointsman train DATA --out FILE [OPTION...]\n"
    "       pointsman train --groups DATA --out FILE [OPTION...]   (see pointsman train --groups --help)\n"
    "       pointsman train --gain DATA --out FILE [OPTION...]     (see pointsman train --gain --help)\n"
    "\n"
    "Learns from texts with labels, and writes a classifier that a policy uses as a stage:\n"
    "\n"
    "    stages:\n"
    "      - classifier: {model: triage.pmc, accept: 0.80}\n"
    "\n"
    "Its labels are the names of the routes. Nothing is called and nothing is downloaded. The same rows and the same\n"
    "seed give the same file. Parts of the rows are held out first, to say how often it is right and to calibrate.\n"
    "DATA is JSON Lines or CSV with a header (- for standard input), with the fields text (or prompt, or messages)\n"
    "and label. Rows of no route (label null or oos) are no label of their own: from 100 of them on it is learned what\n"
    "tells them from the others, with fewer a formula does.\n"
    "\n"
    "  -o, --out FILE          the classifier; written whole or not at all\n"
    "  -c, --config FILE       read the texts as this configuration's policy does, and accept its routes only\n"
    "  -f, --field NAME=PATH   a field stands elsewhere: text=ticket.body, label=ticket.queue\n"
    "      --labels-as-routes  without a policy every label is learned; said here, it is what happens without --config\n"
    "      --none LABEL        this label means none of the routes, too\n"
    "      --no-names          the labels' names say nothing: do not learn them as texts\n"
    "      --seed N            another order of learning (1)\n"
    "      --skip-bad          leave out rows that cannot be read, and count them; else the first one ends it\n"
    "      --json              one JSON object instead of words\n"
    "  -h, --help              this text\n"
    "\n"
    "example: pointsman train tickets.csv -f text=body -f label=queue -o triage.pmc\n";

struct asked {
	const char *config, *none, *data, *out;
	struct dataset_field fields[DATASET_MAX_FIELDS];
	uint32_t field_count;
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
	struct data_rows rows = {.path = w->asked->data, .fields = w->asked->fields, .field_count = w->asked->field_count,
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
	int code = cli_policy(self, asked->config, &settings, &w.policy);
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

static bool has_word(int argc, char **argv, const char *word)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (strcmp(argv[i], word) == 0)
			return true;
	return false;
}

static int run(const struct command *self, int argc, char **argv)
{
	static const struct option longs[] = {{"config", required_argument, NULL, 'c'}, {"field", required_argument, NULL, 'f'},
	                                      {"out", required_argument, NULL, 'o'},    {"seed", required_argument, NULL, 's'},
	                                      {"skip-bad", no_argument, NULL, 'b'},     {"json", no_argument, NULL, 'j'},
	                                      {"none", required_argument, NULL, 'n'},   {"labels-as-routes", no_argument, NULL, 'L'},
	                                      {"no-names", no_argument, NULL, 'N'},
	                                      {"help", no_argument, NULL, 'h'},         {0}};
	struct asked asked = {.seed = 1};
	int code = EXIT_DONE;
	bool labels_as_routes = false;
	if (has_word(argc, argv, "--groups"))
		return train_groups(self, argc, argv);
	if (has_word(argc, argv, "--gain"))
		return train_gain(argc, argv);
	for (int c; (c = cli_option(self, argc, argv, "c:f:o:h", longs, &code)) != -1;) {
		if (c == '?')
			return code;
		if (c == 'c')
			asked.config = optarg;
		else if (c == 'o')
			asked.out = optarg;
		else if (c == 'n')
			asked.none = optarg;
		else if (c == 'N')
			asked.no_names = true;
		else if (c == 'L')
			labels_as_routes = true;
		else if (c == 'b')
			asked.skip_bad = true;
		else if (c == 'j')
			asked.json = true;
		else if (c == 's' && (!str_to_i64(str_of(optarg), &asked.seed) || asked.seed < 0 || asked.seed > MOST_SEED))
			return cli_usage(self, "--seed takes 0 to %d, not \"%s\"", MOST_SEED, optarg);
		else if (c == 'f' && cli_field(self, optarg, asked.fields, &asked.field_count) != EXIT_DONE)
			return EXIT_USAGE;
	}
	if (optind + 1 != argc)
		return cli_usage(self, "one data set is needed: a file, or - for standard input");
	if (labels_as_routes && asked.config != NULL)
		return cli_usage(self, "--labels-as-routes takes the place of a policy: give either it or --config");
	if (asked.out == NULL)
		return cli_usage(self, "--out FILE is needed: where the classifier is written");
	asked.data = argv[optind];
	return train(self, &asked);
}

const struct command command_train = {.name = "train", .summary = "learn a classifier from texts with labels", .help = help, .run = run};
