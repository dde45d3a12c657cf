/*
 * data_rows.h: the rows of a data set, one after the other; what is wrong with one is said with its place.
 *
 * Thread: main.
 */
#ifndef CLI_DATA_ROWS_H
#define CLI_DATA_ROWS_H

#include "worker/cli/cli.h"
#include "worker/lab/dataset.h"

struct data_rows {
	const char *path;
	const struct dataset_fields *fields;
	bool skip_bad;   /* leave out what is wrong, and count it; else the first one ends it */
	bool quiet;      /* rows' faults were said in an earlier reading */
	const char *bar; /* what is done, for a bar over the file's bytes; NULL: none */
	/* Each row; it and arena end with the call. RC_BAD_INPUT: the row is wrong, and err says why. Anything else but RC_OK ends it. */
	enum rc (*take)(void *ctx, const struct dataset_row *row, struct arena *arena, struct err *err);
	void *ctx;
	int64_t bad; /* out: rows left out */
};

/* EXIT_DONE, or the exit code after the reason was printed: EXIT_CONFIG for the data, EXIT_FAILED for what take could not do. */
int data_rows_read(struct data_rows *rows);
/* The text of a row as the policy's router reads it; policy NULL: the last message of a user, as it is. In arena, or the row's. */
struct policy;
struct str data_rows_text(const struct policy *policy, const struct dataset_row *row, struct arena *arena);

#endif
