/*
 * train_rows.c: reading what is learned from: rows with their texts, wrong ones said with their place.
 */
#include "worker/cli/train_rows.h"

enum { BAD_SHOWN = 20 };

static struct str text_of(const struct policy *policy, const struct dataset_row *row, struct arena *arena)
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

/* One more row; false: there are no more, or it ended with *ret_code. */
static bool next(struct train_rows *rows, struct dataset *ds, struct arena *arena, int *ret_code)
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
	if (step == DATASET_ROW) {
		if (rows->take(rows->ctx, &row, text_of(rows->policy, &row, arena), &why) == RC_OK)
			return true;
		(void)err_set(&err, RC_BAD_INPUT, "%s:%llu: error: %.300s", rows->path, (unsigned long long)row.line, why.text); /* shown next */
	}
	if (rows->bad++ < BAD_SHOWN || !rows->skip_bad)
		fprintf(stderr, "%s\n", err.text);
	if (!rows->skip_bad) {
		fputs("(--skip-bad leaves such rows out and counts them)\n", stderr);
		*ret_code = EXIT_CONFIG;
	}
	return rows->skip_bad;
}

int train_rows_read(struct train_rows *rows)
{
	struct dataset *ds = NULL;
	struct arena arena;
	struct err err;
	int code = EXIT_DONE;
	if (dataset_open(rows->path, rows->fields, rows->field_count, &ds, &err) != RC_OK)
		return cli_fail(&err, EXIT_CONFIG);
	arena_init(&arena, 65536);
	while (next(rows, ds, &arena, &code))
		;
	arena_free(&arena);
	dataset_close(ds);
	return code;
}
