/*
 * rows.h: the rows that a command works on, from a file or a topic, in memory.
 *
 * Of more rows than are asked for, a share is kept that a hash of their places chooses: the same rows and the same seed keep the same
 * ones, whatever order a topic's partitions come in. A topic is read with the configuration's input mapping, up to the end that
 * stands when it begins; nothing is committed.
 *
 * Thread: main.
 */
#ifndef CLI_ROWS_H
#define CLI_ROWS_H

#include "worker/cli/cli.h"
#include "worker/lab/dataset.h"

struct rows_asked {
	const char *file;  /* "-": standard input; NULL: a topic */
	const char *topic;
	const struct settings *settings; /* for a topic */
	int64_t since_ms, until_ms;      /* of a topic's records; -1: all */
	const struct dataset_fields *fields;
	uint32_t most; /* rows to keep */
	uint64_t seed;
	bool skip_bad; /* a file's rows; a topic's are always left out and counted */
};
struct rows {
	struct arena arena;
	struct dataset_row *all; /* in the order of file or topic */
	uint32_t count;
	int64_t seen, bad; /* good ones there were, and those that could not be read */
};

/* EXIT_DONE, or what went wrong was said. No row at all is wrong, too. Free with rows_free, failed or not. */
int rows_read(const struct rows_asked *asked, struct rows *ret);
void rows_free(struct rows *rows);

#endif
