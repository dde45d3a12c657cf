/*
 * data_rows.h: the one way in which commands read a data set: row by row, with a bar, bounds, and what is wrong with a row said with its
 * place.
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
	bool skip_bad;       /* leave out what is wrong, and count it; else the first one ends it */
	bool quiet;          /* rows' faults were said in an earlier reading */
	int64_t limit, most; /* good rows: to stop behind; that are too many, which is an error. 0: no such bound */
	const char *bar;     /* what is done, for a bar over the file; NULL: none */
	struct arena *arena; /* where rows live until the caller resets it; NULL: each ends with its call of take */
	/* RC_BAD_INPUT: the row is wrong, and err says why. Anything else but RC_OK ends it. */
	enum rc (*take)(void *ctx, const struct dataset_row *row, struct arena *arena, struct err *err);
	void *ctx;
	int64_t taken, bad; /* out: good rows, and those left out */
};

/* EXIT_DONE, or the exit code after the reason was printed: EXIT_CONFIG for the data, EXIT_FAILED for what take could not do. */
int data_rows_read(struct data_rows *rows);
/* For who needs one: EXIT_CONFIG, and it is said, when none was taken from the file or topic of that name. */
int data_rows_some(const char *name, int64_t taken, int64_t bad);
/* The text of a row as the policy's router reads it; policy NULL: the last message of a user, as it is. In arena, or the row's. */
struct policy;
struct str data_rows_text(const struct policy *policy, const struct dataset_row *row, struct arena *arena);

#endif
