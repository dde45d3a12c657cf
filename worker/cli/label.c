/*
 * label.c: `pointsman label`: a person gives each row its label, a key a row.
 *
 * The one idea: an answer is on the disk before the next row is seen, so there is nothing to save, and stopping is always right.
 */
#include <stdlib.h>
#include <unistd.h>

#include "common/json.h"
#include "worker/cli/cli.h"
#include "worker/cli/label_file.h"
#include "worker/cli/label_screen.h"
#include "worker/cli/rows.h"
#include "worker/cli/terminal.h"
#include "worker/lab/decide.h"
#include "worker/lab/label_book.h"
#include "worker/lab/label_keys.h"
#include "worker/lab/row_write.h"

enum { MOST_ROWS = 100000, MOST_SHOWN = 16, LONGEST_LABEL = 64, NONE_KEY = '0', BACK_KEY = '-' };

static const char usage[] = "DATA (-c FILE | --labels A,B,...) --out FILE [OPTION...]\n";
static const char about[] =
    "Shows the rows of DATA one after the other, and adds each to FILE with the label whose key was pressed: a data\n"
    "set for train, calibrate and eval. Each answer is on the disk before the next row is shown. Stop when you like;\n"
    "the same command goes on where you stopped, also when DATA has got more rows meanwhile.\n";
static const char notes[] =
    "Keys: each label's own, shown below the row; 0 none of these; space skip (it comes again the next time);\n"
    "backspace or - back to the row before, whose answer is taken away; arrows and page keys for long texts; Ctrl-C\n"
    "or Ctrl-D stop. A label that a row has already is not shown, so that two people can be compared.\n";
static const char example[] =
    "pointsman sample -c pointsman.yaml --from-topic tickets --rows 800 -o rows.jsonl\n"
    "pointsman label rows.jsonl -c pointsman.yaml -o labelled.jsonl\n";

struct asked {
	const char *config, *labels, *out, *data;
	struct dataset_fields fields;
	struct str shown[MOST_SHOWN];
	uint32_t shown_count;
	bool propose, skip_bad, json;
};

struct work {
	const struct asked *asked;
	struct arena brief;
	struct settings settings;
	struct policy *policy;
	struct str labels[LABEL_KEYS_MAX];
	char keys[LABEL_KEYS_MAX];
	uint32_t label_count;
	struct rows rows;
	struct label_book *book;
	struct label_file *file;
	struct terminal *terminal;
	struct decider *decider;
	uint32_t foreign;
};
enum { ANSWER_OPEN = -2, ANSWER_NONE = -1 };

/* ---- what is labelled ------------------------------------------------------------------------------------------------ */

static int add_label(const struct command *self, struct work *w, struct str name)
{
	if (name.len == 0 || name.len > LONGEST_LABEL || !str_utf8_valid(name) || str_is(name, "oos"))
		return cli_usage(self, "\"%.*s\" is no label: one has 1 to %d bytes (oos is there already: none of these)", STR_ARG(name), LONGEST_LABEL);
	for (uint32_t i = 0; i < w->label_count; i++)
		if (str_eq(w->labels[i], name))
			return cli_usage(self, "the label \"%.*s\" is given twice", STR_ARG(name));
	if (w->label_count == LABEL_KEYS_MAX)
		return cli_usage(self, "there are more than %d labels, and no key for more; --labels takes those that matter", LABEL_KEYS_MAX);
	w->labels[w->label_count++] = name;
	return EXIT_DONE;
}

static int read_labels(const struct command *self, struct work *w)
{
	int code = EXIT_DONE;
	for (uint32_t i = 0; w->asked->labels == NULL && i < policy_route_count(w->policy) && code == EXIT_DONE; i++)
		code = add_label(self, w, policy_route(w->policy, i)->name);
	for (struct str rest = str_of(w->asked->labels); rest.data != NULL && code == EXIT_DONE;) {
		const char *comma = rest.len != 0 ? memchr(rest.data, ',', rest.len) : NULL;
		code = add_label(self, w, str_trim((struct str){rest.data, comma != NULL ? (size_t)(comma - rest.data) : rest.len}));
		rest = comma != NULL ? (struct str){comma + 1, rest.len - (size_t)(comma + 1 - rest.data)} : STR_NULL;
	}
	label_keys_assign(w->labels, w->label_count, w->keys);
	return code;
}

static int read_rows(struct work *w)
{
	struct rows_asked asked = {.file = w->asked->data, .fields = &w->asked->fields, .most = MOST_ROWS,
	                           .skip_bad = w->asked->skip_bad};
	int code = rows_read(&asked, &w->rows);
	if (code != EXIT_DONE || w->rows.seen == w->rows.count)
		return code;
	fprintf(stderr, "%s: more than %d rows; pointsman sample picks those worth a label\n", w->asked->data, MOST_ROWS);
	return EXIT_CONFIG;
}

/* What earlier runs have answered. */
static int recall(struct work *w)
{
	struct dataset *ds = NULL;
	struct err err;
	struct dataset_row row;
	enum dataset_step step = DATASET_ROW;
	w->book = label_book_new(w->rows.all, w->rows.count);
	if (dataset_open(w->asked->out, NULL, 0, &ds, &err) != RC_OK)
		return cli_fail(&err, EXIT_FAILED);
	while (step == DATASET_ROW && (step = dataset_next(ds, &w->brief, &row, &err)) == DATASET_ROW) {
		w->foreign += !label_book_recall(w->book, &row);
		arena_reset(&w->brief);
	}
	dataset_close(ds);
	return step == DATASET_END ? EXIT_DONE : cli_fail(&err, EXIT_CONFIG);
}

/* ---- row by row ------------------------------------------------------------------------------------------------------ */

static int32_t label_of(const struct work *w, struct str name)
{
	for (uint32_t i = 0; i < w->label_count; i++)
		if (str_eq(w->labels[i], name))
			return (int32_t)i;
	return ANSWER_OPEN;
}

/* What the policy would do; ANSWER_OPEN: nothing to propose. */
static int32_t propose(const struct work *w, uint32_t row, struct str *ret_name)
{
	struct decided d;
	if (w->decider == NULL)
		return ANSWER_OPEN;
	decider_run(w->decider, &w->rows.all[row].req, 1, &d);
	*ret_name = policy_route(w->policy, (uint32_t)d.route)->name;
	return d.unsure ? ANSWER_OPEN : label_of(w, *ret_name);
}

static enum rc answer(struct work *w, uint32_t row, int32_t label, struct err *err)
{
	struct row_member member = {"label", row_json(label >= 0 ? w->labels[label] : STR_NULL, &w->brief)};
	struct buf line;
	buf_init(&line, &w->brief, 1024);
	row_write(&line, &w->rows.all[row], &member, 1, &w->brief);
	enum rc rc = label_file_add(w->file, buf_view(&line), err);
	if (rc == RC_OK)
		label_book_answer(w->book, row);
	return rc;
}

/* The row before, opened again. *ret_row stays when there is none. */
static enum rc go_back(struct work *w, uint32_t *ret_row, const char **ret_message, struct err *err)
{
	enum label_back back = label_book_back(w->book, ret_row);
	*ret_message = back == LABEL_BACK_NOWHERE   ? "this is the first row"
	               : back == LABEL_BACK_FOREIGN ? "the answer before this one is of a row that is not in the data set"
	               : back == LABEL_BACK_SKIPPED ? "back at a row that was skipped"
	                                            : "back: the answer to this row was taken away";
	return back == LABEL_BACK_ANSWERED ? label_file_take_back(w->file, err) : RC_OK;
}

struct turn {
	uint32_t row, top, page;
	int32_t proposed;
	struct str proposal;
	const char *message;
	bool again; /* the same row is asked about once more */
};

static void draw(struct work *w, struct turn *turn)
{
	const char *no_colour = getenv("NO_COLOR");
	struct label_view view = {.row = &w->rows.all[turn->row], .number = turn->row + 1, .total = w->rows.count, .answered = label_book_answered(w->book),
	                          .skipped = label_book_skipped(w->book), .labels = w->labels, .keys = w->keys, .label_count = w->label_count,
	                          .shown = w->asked->shown, .shown_count = w->asked->shown_count, .message = turn->message, .top = turn->top,
	                          .bold = no_colour == NULL || no_colour[0] == '\0'};
	if (turn->proposed != ANSWER_OPEN)
		view.proposal = turn->proposal;
	terminal_size(w->terminal, &view.columns, &view.lines);
	terminal_draw(w->terminal, label_screen(&view, &w->brief, &turn->top, &turn->page));
	arena_reset(&w->brief);
}

static bool scroll(struct turn *turn, int key)
{
	int64_t by = key == TERMINAL_UP ? -1 : key == TERMINAL_DOWN ? 1 : key == TERMINAL_PAGE_UP ? -(int64_t)turn->page : (int64_t)turn->page;
	if (key != TERMINAL_UP && key != TERMINAL_DOWN && key != TERMINAL_PAGE_UP && key != TERMINAL_PAGE_DOWN)
		return false;
	turn->top = (int64_t)turn->top + by < 0 ? 0 : (uint32_t)((int64_t)turn->top + by);
	return true;
}

static bool is_back(int key) { return key == BACK_KEY || key == 0x7F || key == '\b'; }

/* One key. *ret_moved: another row is to be shown. */
static enum rc act(struct work *w, struct turn *turn, int key, bool *ret_moved, struct err *err)
{
	const char *at = key > ' ' && key < 0x7F ? memchr(w->keys, key, w->label_count) : NULL;
	*ret_moved = true;
	turn->message = NULL;
	if (at != NULL)
		return answer(w, turn->row, (int32_t)(at - w->keys), err);
	if (key == NONE_KEY)
		return answer(w, turn->row, ANSWER_NONE, err);
	if (key == '\r' && turn->proposed != ANSWER_OPEN)
		return answer(w, turn->row, turn->proposed, err);
	if (key == ' ')
		label_book_skip(w->book, turn->row);
	else if (is_back(key)) {
		turn->again = true;
		return go_back(w, &turn->row, &turn->message, err);
	} else {
		*ret_moved = false;
		if (!scroll(turn, key) && key != TERMINAL_REDRAW)
			turn->message = "no label has that key";
	}
	return RC_OK;
}

static bool is_end(int key) { return key == TERMINAL_INTERRUPTED || key == TERMINAL_ENDED || key == 0x04; }

/* *ret_key: what ended it; 0: every row has been shown. */
static enum rc ask_all(struct work *w, int *ret_key, struct err *err)
{
	struct turn turn = {0};
	for (;;) {
		int64_t next = turn.again ? turn.row : label_book_next(w->book);
		*ret_key = 0;
		if (next < 0)
			return RC_OK;
		turn.row = (uint32_t)next;
		turn.top = 0;
		turn.again = false;
		turn.proposed = propose(w, turn.row, &turn.proposal);
		for (bool moved = false; !moved;) {
			draw(w, &turn);
			*ret_key = terminal_key(w->terminal);
			if (is_end(*ret_key))
				return RC_OK;
			enum rc rc = act(w, &turn, *ret_key, &moved, err);
			if (rc != RC_OK)
				return rc;
		}
	}
}

/* ---- the end --------------------------------------------------------------------------------------------------------- */

static void tell(const struct work *w)
{
	uint32_t answered = label_book_answered(w->book), skipped = label_book_skipped(w->book);
	if (w->asked->json) {
		printf("{\"rows\":%u,\"labelled\":%u,\"skipped\":%u,\"left\":%u,\"bad_rows\":%lld,\"answers_to_other_rows\":%u}\n", w->rows.count, answered,
		       skipped, w->rows.count - answered, (long long)w->rows.bad, w->foreign);
		return;
	}
	printf("%u of %u rows are labelled in %s", answered, w->rows.count, w->asked->out);
	if (w->foreign != 0)
		printf(", and %u of other data", w->foreign);
	puts("");
	if (answered < w->rows.count)
		printf("%u are left%s; the same command goes on there\n", w->rows.count - answered, skipped != 0 ? ", the skipped ones among them" : "");
	else
		printf("next: pointsman train %s -o model.pmc, or pointsman eval -c FILE %s\n", w->asked->out, w->asked->out);
}

static int label(struct work *w)
{
	struct err err;
	bool cut = false;
	int key = 0;
	if (label_file_open(w->asked->out, w->asked->data, &w->file, &cut, &err) != RC_OK)
		return cli_fail(&err, EXIT_CONFIG);
	if (cut)
		fprintf(stderr, "%s: its last line was not whole, and was cut off\n", w->asked->out);
	int code = recall(w);
	if (code != EXIT_DONE)
		return code;
	if (w->asked->propose)
		w->decider = decider_new(w->policy, 1);
	if (label_book_next(w->book) >= 0) {
		if (terminal_open(&w->terminal, &err) != RC_OK)
			return cli_fail(&err, EXIT_FAILED);
		enum rc rc = ask_all(w, &key, &err);
		terminal_close(w->terminal);
		if (rc != RC_OK)
			code = cli_fail(&err, EXIT_FAILED);
	}
	tell(w);
	return code == EXIT_DONE && key == TERMINAL_ENDED ? EXIT_FAILED : code;
}

static int prepare_and_label(const struct command *self, const struct asked *asked)
{
	struct work *w = heap_zalloc(1, sizeof *w);
	w->asked = asked;
	arena_init(&w->brief, 65536);
	int code = cli_policy(self, w->asked->config, NULL, &w->settings, &w->policy);
	if (code == EXIT_DONE)
		code = read_labels(self, w);
	if (code == EXIT_DONE)
		code = read_rows(w);
	if (code == EXIT_DONE)
		code = label(w);
	label_file_close(w->file);
	label_book_free(w->book);
	decider_free(w->decider);
	policy_unref(w->policy);
	settings_free(&w->settings);
	rows_free(&w->rows);
	arena_free(&w->brief);
	free(w);
	return code;
}

static enum rc take_shown(void *ctx, const char *text, struct err *err)
{
	struct asked *asked = ctx;
	if (asked->shown_count == MOST_SHOWN)
		return err_set(err, RC_BAD_INPUT, "--show can be given %d times at most", MOST_SHOWN);
	asked->shown[asked->shown_count++] = str_of(text);
	return RC_OK;
}

/* It is read again as a data set, whose name tells its format. */
static bool is_fit_for_rows(const char *path)
{
	const char *dot = strrchr(path, '.');
	return strcmp(path, "-") != 0 && (dot == NULL || (!str_eq_nocase(str_of(dot), STR(".csv")) && !str_eq_nocase(str_of(dot), STR(".tsv"))));
}

static int run(const struct command *self, int argc, char **argv)
{
	struct asked asked = {0};
	const struct arg args[] = {
		{.operand = &asked.data, .needed = CLI_DATA_NEEDED},
		{'c', "config", "FILE", "the labels are the routes of this configuration's policy", .text = &asked.config},
		{0, "labels", "A,B,...", "the labels are these", .text = &asked.labels},
		{'o', "out", "FILE", "the labelled rows, JSON Lines; made, or added to", .text = &asked.out,
		 .needed = "--out FILE is needed: where labelled rows are added"},
		{'f', "field", "NAME=PATH", "a field stands elsewhere: text=ticket.body", .take = cli_take_field, .ctx = &asked.fields},
		{0, "show", "NAME", "show this attribute of a row, too (may be repeated)", .take = take_shown, .ctx = &asked},
		{0, "propose", NULL, "show what the policy would decide; Enter takes it. Off by default: who sees an answer tends to give it, and then "
		 "the figures flatter the policy", .flag = &asked.propose},
		{0, "skip-bad", NULL, CLI_SKIP_BAD_HELP, .flag = &asked.skip_bad},
		{0, "json", NULL, "one JSON object instead of words at the end", .flag = &asked.json},
		{0},
	};
	int code = EXIT_DONE;
	if (!cli_args(self, args, argc, argv, &code))
		return code;
	if (!is_fit_for_rows(asked.out))
		return cli_usage(self, "--out is JSON Lines, one object a row: give it a name such as labelled.jsonl, not \"%s\"", asked.out);
	if (asked.config == NULL && (asked.labels == NULL || asked.propose))
		return cli_usage(self, asked.propose ? "--propose needs -c FILE, whose policy proposes" : "which labels? -c FILE takes the policy's routes, --labels A,B others");
	return prepare_and_label(self, &asked);
}

const struct command command_label = {
	.name = "label", .summary = "give rows their labels, a key a row", .usage = usage, .about = about,
	.notes = notes, .example = example, .run = run,
};
