/*
 * data_rows.c: reading a data set row by row.
 *
 * The one idea: what a command does with a row is a function; where rows come from, what is wrong with them and when it is enough is
 * the same for all.
 */
#include "worker/cli/data_rows.h"

#include "worker/route/route.h"

enum { BAD_SHOWN = 20 };

struct str data_rows_text(const struct policy *policy, const struct dataset_row *row, struct arena *arena)
{
	if (policy != NULL) {
		struct job job = {.arena = *arena, .req = row->req};
		struct str text = route_text(policy, &job);
		*arena = job.arena;
		return text;
	}
	for (uint32_t i = row->req.message_count; i-- > 0;)
		if (str_is(row->req.messages[i].role, "user"))
			return row->req.messages[i].content;
	return row->req.messages[0].content;
}

/* false: it ends here. */
static bool leave_out(struct data_rows *rows, const struct err *err)
{
	if (!rows->quiet && (rows->bad < BAD_SHOWN || !rows->skip_bad))
		fprintf(stderr, "%s\n", err->text);
	rows->bad++;
	if (!rows->skip_bad)
		fputs("(--skip-bad leaves such rows out and counts them)\n", stderr);
	return rows->skip_bad;
}

/* A good row, or one that is found wrong only now. */
static enum rc take(struct data_rows *rows, const struct dataset_row *row, struct arena *arena, struct err *err)
{
	struct err why;
	enum rc rc = rows->take(rows->ctx, row, arena, &why);
	if (rc == RC_OK)
		rows->taken++;
	else if (rc == RC_BAD_INPUT)
		(void)err_set(err, rc, "%s:%llu: error: %.300s", rows->path, (unsigned long long)row->line, why.text); /* rc is returned below */
	else
		*err = why;
	return rc;
}

/* One more row; false: there are no more, or it ended with *ret_code. */
static bool next(struct data_rows *rows, struct dataset *ds, struct arena *arena, int *ret_code)
{
	struct dataset_row row;
	struct err err;
	if (rows->limit != 0 && rows->taken == rows->limit)
		return false;
	enum dataset_step step = dataset_next(ds, arena, &row, &err);
	if (step == DATASET_END)
		return false;
	if (step == DATASET_ROW && rows->most != 0 && rows->taken == rows->most) {
		fprintf(stderr, "%s: more than %lld rows; --limit takes the first ones\n", rows->path, (long long)rows->most);
		*ret_code = EXIT_CONFIG;
		return false;
	}
	enum rc rc = step == DATASET_ROW ? take(rows, &row, arena, &err) : RC_BAD_INPUT;
	if (rc == RC_OK)
		return true;
	if (step == DATASET_FAILED || rc != RC_BAD_INPUT) {
		*ret_code = cli_fail(&err, step == DATASET_FAILED ? EXIT_CONFIG : EXIT_FAILED);
		return false;
	}
	if (leave_out(rows, &err))
		return true;
	*ret_code = EXIT_CONFIG;
	return false;
}

static int read_all(struct data_rows *rows, struct dataset *ds, struct arena *brief)
{
	struct cli_progress bar = {0};
	int code = EXIT_DONE;
	bool drawn = rows->bar != NULL && dataset_bytes_total(ds) != 0;
	if (drawn)
		cli_progress_begin(&bar, rows->bar, dataset_bytes_total(ds) / 1024);
	while (next(rows, ds, rows->arena != NULL ? rows->arena : brief, &code)) {
		arena_reset(brief);
		if (drawn)
			cli_progress_at(&bar, dataset_bytes_read(ds) / 1024);
	}
	cli_progress_end(&bar);
	if (rows->bad > BAD_SHOWN && rows->skip_bad && !rows->quiet)
		fprintf(stderr, "... and %lld more bad rows\n", (long long)(rows->bad - BAD_SHOWN));
	return code;
}

int data_rows_read(struct data_rows *rows)
{
	struct dataset *ds = NULL;
	struct arena brief;
	struct err err;
	rows->taken = rows->bad = 0;
	if (dataset_open(rows->path, rows->fields->items, rows->fields->count, &ds, &err) != RC_OK)
		return cli_fail(&err, EXIT_CONFIG);
	arena_init(&brief, 65536);
	int code = read_all(rows, ds, &brief);
	arena_free(&brief);
	dataset_close(ds);
	return code;
}

int data_rows_some(const char *name, int64_t taken, int64_t bad)
{
	if (taken != 0)
		return EXIT_DONE;
	fprintf(stderr, "%s: there is no %srow in it\n", name, bad != 0 ? "good " : "");
	return EXIT_CONFIG;
}
