/*
 * train_rows.h: the rows of a data set that a `train` learns from.
 *
 * Thread: main.
 */
#ifndef CLI_TRAIN_ROWS_H
#define CLI_TRAIN_ROWS_H

#include "worker/cli/cli.h"
#include "worker/lab/dataset.h"
#include "worker/route/route.h"

struct train_rows {
	const char *path;
	const struct dataset_field *fields;
	uint32_t field_count;
	bool skip_bad;
	const struct policy *policy; /* texts are read as it does; NULL: the last message of a user, as it is */
	/* Each row with its text, both of which end with the call. RC_BAD_INPUT: the row is bad, and err says why. */
	enum rc (*take)(void *ctx, const struct dataset_row *row, struct str text, struct err *err);
	void *ctx;
	int64_t bad; /* out: rows left out */
};

/* EXIT_DONE, or the exit code after the reason was printed. */
int train_rows_read(struct train_rows *rows);

#endif
