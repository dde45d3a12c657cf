/*
 * train_groups.c: `pointsman train --groups`: a backlog becomes the file of an outlier stage.
 */
#include <math.h>
#include <stdlib.h>

#include "common/json.h"
#include "worker/cli/cli_table.h"
#include "worker/cli/row_vectors.h"
#include "worker/cli/whole_file.h"
#include "worker/lab/group_learn.h"
#include "worker/route/route.h"

enum { PROGRESS_STEPS = 1000, DEFAULT_SHARE = 1, TEXT_SHOWN = 60 };

static const char usage[] = "DATA --out FILE [OPTION...]\n";
static const char about[] =
    "Finds the groups that a backlog falls into, without labels, and writes them for a policy's stage:\n"
    "\n"
    "    stages:\n"
    "      - outlier: {groups: groups.pmv, route: accurate, near_route: plain}\n"
    "\n"
    "Give it what the cheaper model was tried on and found good enough for: what is far from that is what it was not\n"
    "tried on. A record gets the name of its nearest group as group_id; one that is far from every group goes to the careful\n"
    "route. A fifth of the rows is kept aside: how far is far comes from rows that were not learned from. Of more than\n"
    "200,000 rows a sample is learned from. Nothing is called; the same rows and seed give the same file.\n"
    "DATA is JSON Lines or CSV with a header (- for standard input), with the field text (or prompt, or messages).\n"
    "Texts of more than some 200 words are read as the mean of windows, spread from head to tail.\n";
static const char example[] = "pointsman train --groups backlog.jsonl -f text=body -o models/groups.pmv\n";

struct asked {
	const char *config, *out, *label;
	struct dataset_fields fields;
	int64_t seed, count; /* count 0: as many as lie clearest apart */
	bool json;
	struct row_vectors rows;
};

/* What is kept of a row, to show the one that stands for its group. */
struct kept {
	uint64_t line;
	char text[TEXT_SHOWN + 1];
};

struct work {
	const struct asked *asked;
	struct group_learn_setup setup;
	struct group_learn *learn; /* NULL until the first vector */
	struct kept *kept;
	uint32_t count, cap;
	int64_t without, other; /* other: rows of another label */
	struct cli_progress bar;
};

static void show(void *ctx, double share)
{
	cli_progress_at(&((struct work *)ctx)->bar, (int64_t)(share * PROGRESS_STEPS));
}

static void begin(struct work *w)
{
	const struct asked *asked = w->asked;
	w->setup = (struct group_learn_setup){.embedder = asked->rows.given ? GROUPS_GIVEN : GROUPS_STATIC, .dim = asked->rows.dim,
	                                      .windows = (uint32_t)asked->rows.windows, .k = (uint32_t)asked->count, .seed = (uint64_t)asked->seed,
	                                      .progress = show, .ctx = w};
	w->setup.static_version = asked->rows.model != NULL ? static_model_version(asked->rows.model) : STR_NULL;
	w->learn = group_learn_new(&w->setup);
}

/* The beginning of a text, on one line. */
static void keep(struct work *w, const struct row_vector *row)
{
	if (w->count == w->cap) {
		w->cap = w->cap == 0 ? 1024 : w->cap * 2;
		w->kept = heap_resize(w->kept, w->cap, sizeof *w->kept);
	}
	struct kept *kept = &w->kept[w->count++];
	struct str text = str_trim(row->text);
	text.len = str_utf8_cut(text, TEXT_SHOWN);
	kept->line = row->row->line;
	memcpy(kept->text, text.data, text.len);
	kept->text[text.len] = '\0';
	for (char *c = kept->text; *c != '\0'; c++)
		*c = (unsigned char)*c < ' ' || *c == 0x7f ? ' ' : *c;
}

static bool see(void *ctx, const struct row_vector *row, struct err *err)
{
	struct work *w = ctx;
	if (w->asked->label != NULL && !str_is(row->row->label, w->asked->label)) {
		w->other++;
		return true;
	}
	if (w->learn == NULL)
		begin(w);
	if (w->setup.dim == 0 || w->setup.dim > GROUPS_MAX_DIM)
		return err_set(err, RC_BAD_INPUT, "embeddings of 1 to %d numbers are grouped, not of %u", GROUPS_MAX_DIM, w->setup.dim) == RC_OK;
	if (row->values != NULL && group_learn_add(w->learn, row->values))
		keep(w, row);
	else
		w->without++;
	return true;
}

static void tell_json(const struct work *w, const struct group_learn_report *r, size_t bytes)
{
	struct arena arena;
	struct buf out;
	arena_init(&arena, 16384);
	buf_init(&out, &arena, 16384);
	buf_char(&out, '{');
	json_member_i64(&out, "rows", r->rows);
	json_member_i64(&out, "held_out", r->held_out);
	json_member_i64(&out, "bad_rows", w->asked->rows.bad);
	json_member_i64(&out, "rows_without_vector", w->without);
	json_member_i64(&out, "rows_of_other_labels", w->other);
	json_member_bool(&out, "sampled", r->sampled);
	json_member_double(&out, "mean_cosine", r->mean_cosine);
	json_member_double(&out, "silhouette", r->silhouette);
	json_member_i64(&out, "bytes", (int64_t)bytes);
	json_key(&out, "groups");
	buf_char(&out, '[');
	for (uint32_t i = 0; i < r->count; i++) {
		json_sep(&out);
		buf_char(&out, '{');
		json_member_str(&out, "name", r->groups[i].name);
		json_member_i64(&out, "rows", r->groups[i].size);
		json_member_i64(&out, "held_out", r->groups[i].held_out);
		json_member_double(&out, "far", (double)r->groups[i].limits[DEFAULT_SHARE]);
		json_member_i64(&out, "central_line", (int64_t)w->kept[r->groups[i].central].line);
		buf_char(&out, '}');
	}
	buf_cstr(&out, "]}\n");
	fwrite(out.data, 1, out.len, stdout); /* main looks at the stream's state */
	arena_free(&arena);
}

static void tell(const struct work *w, const struct group_learn_report *r, size_t bytes)
{
	static const char *const heads[] = {"group", "rows", "far below", "line", "the row nearest to its centre"};
	struct cli_table *table = cli_table_new("lrrrl", heads);
	for (uint32_t i = 0; i < r->count; i++) {
		char rows[16], far[16], line[24];
		const struct group_learned *g = &r->groups[i];
		(void)snprintf(rows, sizeof rows, "%u", g->size); /* numbers fit */
		(void)snprintf(far, sizeof far, "%.2f%s", (double)g->limits[DEFAULT_SHARE], g->held_out < GROUP_LEARN_OWN_LIMIT ? "*" : " ");
		(void)snprintf(line, sizeof line, "%llu", (unsigned long long)w->kept[g->central].line);
		cli_table_row(table, (const char *const[]){g->name.data, rows, far, line, w->kept[g->central].text});
	}
	printf("learned       %u rows, %u kept aside%s\n", r->rows - r->held_out, r->held_out, r->sampled ? " (of more than fits, a sample)" : "");
	if (w->other != 0)
		printf("left out      %lld rows of other labels than %s\n", (long long)w->other, w->asked->label);
	if (w->without + w->asked->rows.bad != 0)
		printf("left out      %lld rows without a word that is known, %lld that could not be read\n", (long long)w->without,
		       (long long)w->asked->rows.bad);
	printf("groups        %u; mean cosine to the centre %.2f", r->count, r->mean_cosine);
	if (!isnan(r->silhouette))
		printf(", clearness %.2f (0: none, 1: apart)", r->silhouette);
	printf("\n\n");
	cli_table_print(table, stdout);
	printf("\n* fewer than %d rows kept aside: the limit of all groups\n", GROUP_LEARN_OWN_LIMIT);
	printf("written       %s, %.1f KB\n", w->asked->out, (double)bytes / 1e3);
}

static int learn(struct work *w)
{
	struct group_learn_report report;
	struct arena arena;
	struct buf file;
	struct err err;
	if (w->learn == NULL)
		begin(w);
	arena_init(&arena, 1 << 16);
	buf_init(&file, &arena, 1 << 16);
	cli_progress_begin(&w->bar, "finding groups", PROGRESS_STEPS);
	enum rc rc = group_learn_run(w->learn, &file, &report, &err);
	cli_progress_end(&w->bar);
	int code = rc == RC_OK ? EXIT_DONE : EXIT_CONFIG;
	if (rc == RC_OK && whole_file_write(w->asked->out, buf_view(&file), &err) != RC_OK)
		code = EXIT_FAILED;
	if (code != EXIT_DONE)
		code = cli_fail(&err, code);
	else if (w->asked->json)
		tell_json(w, &report, file.len);
	else
		tell(w, &report, file.len);
	arena_free(&arena);
	return code;
}

static int work(const struct command *self, struct asked *asked)
{
	struct work w = {.asked = asked};
	struct settings settings;
	struct policy *policy;
	int code = cli_policy(self, asked->config, NULL, &settings, &policy);
	asked->rows.policy = policy;
	if (code == EXIT_DONE) {
		code = row_vectors_read(&asked->rows, "reading, kB", see, &w);
		if (code == EXIT_DONE)
			code = learn(&w);
		row_vectors_free(&asked->rows);
	}
	group_learn_free(w.learn);
	free(w.kept);
	policy_unref(policy);
	settings_free(&settings);
	return code;
}

static int run(const struct command *self, int argc, char **argv)
{
	struct asked asked = {.seed = 1, .rows = {.windows = DOCUMENT_WINDOWS}};
	struct row_vectors *rows = &asked.rows;
	bool groups = false; /* known already */
	const struct arg args[] = {
		{.operand = &rows->data, .needed = CLI_DATA_NEEDED},
		{0, "groups", NULL, NULL, .flag = &groups},
		{'o', "out", "FILE", "the groups; written whole or not at all", .text = &asked.out, .needed = "--out FILE is needed: where the groups are written"},
		{'c', "config", "FILE", "read the texts as this configuration's policy does (its text.max_chars too)", .text = &asked.config},
		{'f', "field", "NAME=PATH", "a field stands elsewhere: text=document.body", .take = cli_take_field, .ctx = &asked.fields},
		{0, "label", "NAME", "only rows with this label: those that the cheaper model is trusted with", .text = &asked.label},
		{'k', "count", "N", "so many groups; else so many as lie clearest apart, at most 256", .number = &asked.count, .least = 1, .most = GROUPS_MOST},
		{0, "windows", "N", "of a long text; 3 are head, middle, tail", .number = &rows->windows, .least = 1, .most = DOCUMENT_MAX_WINDOWS},
		{0, "given", NULL, "the rows' own embeddings instead of the table in this program", .flag = &rows->given},
		{0, "seed", "N", "another beginning of the search", .number = &asked.seed, .most = CLI_MOST_SEED},
		{0, "skip-bad", NULL, CLI_SKIP_BAD_HELP, .flag = &rows->skip_bad},
		{0, "json", NULL, "one JSON object instead of words", .flag = &asked.json},
		{0},
	};
	int code = EXIT_DONE;
	if (!cli_args(self, args, argc, argv, &code))
		return code;
	rows->fields = &asked.fields;
	return work(self, &asked);
}

const struct command command_train_groups = {.name = "train --groups", .usage = usage, .about = about, .example = example, .run = run};
