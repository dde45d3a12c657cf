/*
 * train_gain.c: `pointsman train --gain`: judged answers of two models become the file of a difficulty stage.
 */
#include <math.h>
#include <stdlib.h>

#include "common/json.h"
#include "worker/cli/cli_table.h"
#include "worker/cli/data_rows.h"
#include "worker/cli/outcome_rows.h"
#include "worker/cli/whole_file.h"
#include "worker/lab/gain_measure.h"
#include "worker/lab/gain_train.h"

enum { BLOCK = 1024, PROGRESS_STEPS = 1000, MOST_NAMES = 1000 };

static const char usage[] = "DATA --out FILE [OPTION...]\n";
static const char about[] =
    "Learns from prompts that both a weak and a strong model have answered how much better the strong one's answer will\n"
    "be, and writes a model that a policy uses as a stage:\n"
    "\n"
    "    stages:\n"
    "      - difficulty: {model: support.pmg, weak: quick, strong: careful, threshold: 0.20}\n"
    "\n"
    "DATA is JSON Lines or CSV with a header (- for standard input). A row has text (or prompt, or messages) and the\n"
    "quality of both answers, weak.quality and strong.quality: from 0 to 1, or true and false. It may have weak.cost and\n"
    "strong.cost (USD), topic (what it is about; without it similar texts are found) and task (what is reported\n"
    "separately; texts of one task may all begin with the same examples or instructions, which are left out). Rows\n"
    "where a quality is missing are left out and counted.\n"
    "\n"
    "The report is of rows that were held out: APGR is the mean share of the quality between both models that is had\n"
    "when the texts of the highest scores go to the strong one (RouteLLM); 0.50 is chance. Nothing is called. The same\n"
    "rows and the same seed give the same file.\n";
static const char example[] = "pointsman train --gain judged.jsonl -f weak.quality=small.ok -f strong.quality=large.ok -o support.pmg\n";

struct asked {
	const char *config, *out;
	struct dataset_fields fields;
	int64_t seed;
	bool json;
};

struct names {
	struct str *items;
	uint32_t count;
};

struct work {
	const struct asked *asked;
	struct policy *policy; /* NULL: none was named */
	struct arena arena;
	struct gain_train_row *rows;
	struct gain_outcome *outcomes;
	uint32_t row_count, row_cap, without_topic;
	struct names topics, tasks;
	int64_t without_quality;
	struct cli_progress bar;
};

static enum rc number_of(struct work *w, struct names *names, enum outcome_field field, struct str name, uint32_t *ret, struct err *err)
{
	for (*ret = 0; *ret < names->count; ++*ret)
		if (str_eq(names->items[*ret], name))
			return RC_OK;
	if (names->count == MOST_NAMES)
		return err_set(err, RC_BAD_INPUT, "there are more than %d values of %s; is it the right field?", MOST_NAMES, outcome_rows_name(field));
	names->items[names->count++] = arena_str(&w->arena, name);
	return RC_OK;
}

static enum rc take(void *ctx, const struct dataset_row *row, struct arena *arena, struct err *err)
{
	struct work *w = ctx;
	struct str text = data_rows_text(w->policy, row, arena);
	struct gain_train_row new = {.text = text};
	struct gain_outcome outcome;
	struct str topic = outcome_rows_value(row, OUTCOME_TOPIC);
	enum rc rc = outcome_rows_read(row, &outcome, err);
	if (rc != RC_OK)
		return rc;
	if (isnan(outcome.weak) || isnan(outcome.strong)) {
		w->without_quality++;
		return RC_OK;
	}
	rc = number_of(w, &w->tasks, OUTCOME_TASK, outcome_rows_value(row, OUTCOME_TASK), &new.task, err);
	if (rc == RC_OK && topic.len != 0)
		rc = number_of(w, &w->topics, OUTCOME_TOPIC, topic, &new.topic, err);
	if (rc != RC_OK)
		return rc;
	w->without_topic += topic.len == 0;
	if (w->row_count == w->row_cap) {
		w->row_cap = w->row_cap == 0 ? BLOCK : w->row_cap * 2;
		w->rows = heap_resize(w->rows, w->row_cap, sizeof *w->rows);
		w->outcomes = heap_resize(w->outcomes, w->row_cap, sizeof *w->outcomes);
	}
	text.len = str_utf8_cut(text, GAIN_MAX_BYTES);
	new.text = arena_str(&w->arena, text);
	new.weak = outcome.weak;
	new.strong = outcome.strong;
	w->rows[w->row_count] = new;
	w->outcomes[w->row_count++] = outcome;
	return RC_OK;
}

/* ---- report ---------------------------------------------------------------------------------------------------------- */

/* Held-out rows of a task (all: every one). */
static struct gain_measure measure(const struct work *w, uint32_t task, bool all)
{
	struct gain_outcome *of = heap_zalloc((size_t)w->row_count + 1, sizeof *of);
	uint32_t count = 0;
	for (uint32_t i = 0; i < w->row_count; i++)
		if (!isnan(w->outcomes[i].score) && (all || w->rows[i].task == task))
			of[count++] = w->outcomes[i];
	struct gain_measure m = gain_measure(of, count);
	free(of);
	return m;
}

static void measure_json(struct buf *out, struct str task, const struct gain_measure *m)
{
	json_sep(out);
	buf_char(out, '{');
	json_member_str(out, "task", task);
	json_member_i64(out, "held_out", m->rows);
	json_member_double(out, "weak_quality", m->weak);
	json_member_double(out, "strong_quality", m->strong);
	json_member_double(out, "apgr", m->apgr);
	json_member_double(out, "apgr_low", m->low);
	json_member_double(out, "apgr_high", m->high);
	buf_char(out, '}');
}

static void tell_json(struct work *w, const struct gain_train_report *r, int64_t bad, size_t bytes)
{
	struct buf out;
	struct gain_measure m = measure(w, 0, true);
	buf_init(&out, &w->arena, 1024);
	buf_char(&out, '{');
	json_member_i64(&out, "rows", w->row_count);
	json_member_i64(&out, "bad_rows", bad);
	json_member_i64(&out, "rows_without_quality", w->without_quality);
	json_member_i64(&out, "topics", r->topics);
	json_member_bool(&out, "topics_found", r->topics_found);
	json_member_i64(&out, "preambles", r->preambles);
	json_member_double(&out, "mean_gain", r->base);
	json_member_double(&out, "weight_of_topics", r->weights[GAIN_TOPICS]);
	json_member_double(&out, "weight_of_words", r->weights[GAIN_WORDS]);
	json_member_double(&out, "weight_of_surface", r->weights[GAIN_OF_SURFACE]);
	json_key(&out, "held_out");
	buf_char(&out, '[');
	for (uint32_t t = 0; w->tasks.count > 1 && t < w->tasks.count; t++) {
		struct gain_measure of = measure(w, t, false);
		measure_json(&out, w->tasks.items[t], &of);
	}
	measure_json(&out, STR_NULL, &m);
	buf_char(&out, ']');
	json_member_i64(&out, "bytes", (int64_t)bytes);
	buf_cstr(&out, "}\n");
	fwrite(out.data, 1, out.len, stdout); /* main looks at the stream's state */
}

static void table_row(struct cli_table *table, struct arena *arena, struct str task, const struct gain_measure *m)
{
	const char *cells[] = {task.data != NULL ? arena_cstr(arena, task) : "(none)",
	                       arena_printf(arena, "%lld", (long long)m->rows).data,
	                       arena_printf(arena, "%.3f", m->weak).data,
	                       arena_printf(arena, "%.3f", m->strong).data,
	                       isnan(m->apgr) ? "-" : arena_printf(arena, "%.3f", m->apgr).data,
	                       isnan(m->apgr) ? "the strong model is not better" : arena_printf(arena, "%.3f to %.3f", m->low, m->high).data};
	cli_table_row(table, cells);
}

static void tell(struct work *w, const struct gain_train_report *r, int64_t bad, size_t bytes)
{
	struct gain_measure m = measure(w, 0, true);
	if (w->asked->json) {
		tell_json(w, r, bad, bytes);
		return;
	}
	printf("learned       %u rows, %u topics%s, %u common beginnings left out\n", w->row_count, r->topics,
	       r->topics_found ? " (found by similarity)" : "", r->preambles);
	if (w->without_quality + bad != 0)
		printf("left out      %lld rows without both qualities, %lld that could not be read\n", (long long)w->without_quality, (long long)bad);
	printf("weights       topics %.2f, words %.2f, surface %.2f\n\n", r->weights[GAIN_TOPICS], r->weights[GAIN_WORDS], r->weights[GAIN_OF_SURFACE]);
	struct cli_table *table = cli_table_new("lrrrrl", (const char *const[]){"held out", "rows", "weak", "strong", "APGR", "95 % interval", NULL});
	for (uint32_t t = 0; w->tasks.count > 1 && t < w->tasks.count; t++) {
		struct gain_measure of = measure(w, t, false);
		table_row(table, &w->arena, w->tasks.items[t], &of);
	}
	table_row(table, &w->arena, STR("all"), &m);
	cli_table_print(table, stdout);
	if (!isnan(m.apgr) && m.low <= 0.5)
		printf("\nThe interval holds 0.50: on these rows the scores cannot be told from chance. More rows, or a topic field, may help.\n");
	printf("\nwritten       %s, %.1f MB\n", w->asked->out, (double)bytes / 1e6);
}

/* ---- the command ----------------------------------------------------------------------------------------------------- */

static void show(void *ctx, double share)
{
	cli_progress_at(&((struct work *)ctx)->bar, (int64_t)(share * PROGRESS_STEPS));
}

static int learn(struct work *w, int64_t bad)
{
	struct static_model *model = NULL;
	struct gain_train_report report;
	struct buf file;
	struct err err;
	double *held = heap_zalloc((size_t)w->row_count + 1, sizeof *held);
	buf_init(&file, &w->arena, 1 << 20);
	if (w->without_topic != 0 && w->topics.count != 0)
		fprintf(stderr, "pointsman train: %u rows have no topic; topics are found by similarity instead\n", w->without_topic);
	enum rc rc = static_model_builtin(&w->arena, &model, &err);
	struct gain_train_setup setup = {.rows = w->rows, .row_count = w->row_count, .topics = w->topics.items,
	                                 .topic_count = w->without_topic == 0 ? w->topics.count : 0, .task_count = w->tasks.count,
	                                 .model = model, .seed = (uint64_t)w->asked->seed, .progress = show, .ctx = w};
	cli_progress_begin(&w->bar, "learning", PROGRESS_STEPS);
	if (rc == RC_OK)
		rc = gain_train(&setup, held, &file, &report, &err);
	cli_progress_end(&w->bar);
	for (uint32_t i = 0; i < w->row_count; i++)
		w->outcomes[i].score = held[i];
	free(held);
	if (rc != RC_OK)
		return cli_fail(&err, EXIT_CONFIG);
	if (whole_file_write(w->asked->out, buf_view(&file), &err) != RC_OK)
		return cli_fail(&err, EXIT_FAILED);
	tell(w, &report, bad, file.len);
	return EXIT_DONE;
}

static int train(const struct command *self, const struct asked *asked, struct data_rows *rows, struct arena *arena)
{
	struct work w = {.asked = asked, .arena = *arena};
	struct settings settings;
	int code = cli_policy(self, asked->config, NULL, &settings, &w.policy);
	w.topics.items = arena_array(&w.arena, MOST_NAMES, sizeof *w.topics.items);
	w.tasks.items = arena_array(&w.arena, MOST_NAMES, sizeof *w.tasks.items);
	rows->fields = &asked->fields;
	rows->take = take;
	rows->ctx = &w;
	if (code == EXIT_DONE)
		code = data_rows_read(rows);
	if (code == EXIT_DONE)
		code = learn(&w, rows->bad);
	free(w.rows);
	free(w.outcomes);
	*arena = w.arena;
	policy_unref(w.policy);
	settings_free(&settings);
	return code;
}

static int run(const struct command *self, int argc, char **argv)
{
	struct asked asked = {.seed = 1};
	struct data_rows rows = {0};
	bool gain = false; /* known already */
	const struct arg args[] = {
		{.operand = &rows.path, .needed = CLI_DATA_NEEDED},
		{0, "gain", NULL, NULL, .flag = &gain},
		{'o', "out", "FILE", "the model of gains; written whole or not at all", .text = &asked.out,
		 .needed = "--out FILE is needed: where the model of gains is written"},
		{'c', "config", "FILE", "read the texts as this configuration's policy does", .text = &asked.config},
		{'f', "field", "NAME=PATH", "a field stands elsewhere: text=prompt, weak.quality=scores.small, task=source", .take = cli_take_field,
		 .ctx = &asked.fields},
		{0, "seed", "N", "another order of learning and another choice of what is held out", .number = &asked.seed, .most = CLI_MOST_SEED},
		{0, "skip-bad", NULL, CLI_SKIP_BAD_HELP, .flag = &rows.skip_bad},
		{0, "json", NULL, "one JSON object instead of words", .flag = &asked.json},
		{0},
	};
	struct arena arena;
	int code = EXIT_DONE;
	if (!cli_args(self, args, argc, argv, &code))
		return code;
	arena_init(&arena, 1 << 20);
	if (!outcome_rows_fields(&asked.fields, rows.path, &arena))
		code = cli_usage(self, "there are too many --field options");
	else
		code = train(self, &asked, &rows, &arena);
	arena_free(&arena);
	return code;
}

const struct command command_train_gain = {.name = "train --gain", .usage = usage, .about = about, .example = example, .run = run};
