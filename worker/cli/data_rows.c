/*
 * data_rows.c: reading a data set row by row.
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

/* One more row; false: there are no more, or it ended with *ret_code. */
static bool next(struct data_rows *rows, struct dataset *ds, struct arena *arena, int *ret_code)
{
	struct dataset_row row;
	struct err err, why;
	arena_reset(arena);
	enum dataset_step step = dataset_next(ds, arena, &row, &err);
	if (step == DATASET_END)
		return false;
	if (step == DATASET_FAILED) {
		*ret_code = cli_fail(&err, EXIT_CONFIG);
		return false;
	}
	enum rc rc = step == DATASET_ROW ? rows->take(rows->ctx, &row, arena, &why) : RC_BAD_INPUT;
	if (rc == RC_OK)
		return true;
	if (rc != RC_BAD_INPUT) {
		*ret_code = cli_fail(&why, EXIT_FAILED);
		return false;
	}
	if (step == DATASET_ROW)
		(void)err_set(&err, RC_BAD_INPUT, "%s:%llu: error: %.300s", rows->path, (unsigned long long)row.line, why.text); /* shown next */
	if (leave_out(rows, &err))
		return true;
	*ret_code = EXIT_CONFIG;
	return false;
}

int data_rows_read(struct data_rows *rows)
{
	struct dataset *ds = NULL;
	struct arena arena;
	struct cli_progress bar;
	struct err err;
	int code = EXIT_DONE;
	if (dataset_open(rows->path, rows->fields->items, rows->fields->count, &ds, &err) != RC_OK)
		return cli_fail(&err, EXIT_CONFIG);
	arena_init(&arena, 65536);
	if (rows->bar != NULL)
		cli_progress_begin(&bar, rows->bar, dataset_bytes_total(ds));
	while (next(rows, ds, &arena, &code))
		if (rows->bar != NULL)
			cli_progress_at(&bar, dataset_bytes_read(ds));
	if (rows->bar != NULL)
		cli_progress_end(&bar);
	arena_free(&arena);
	dataset_close(ds);
	return code;
}
