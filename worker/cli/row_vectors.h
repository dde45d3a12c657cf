/*
 * row_vectors.h: a data set's rows as vectors, for the commands that group, compare or write them: the text that the policy would
 * read, embedded as the outlier stage embeds it, or the row's own embedding.
 *
 * Thread: main.
 */
#ifndef CLI_ROW_VECTORS_H
#define CLI_ROW_VECTORS_H

#include "worker/cli/cli.h"
#include "worker/lab/dataset.h"
#include "worker/route/document.h"

struct policy;
struct embed_remote;

struct row_vectors {
	/* what is asked for */
	const char *data;
	const struct dataset_fields *fields;
	int64_t windows;
	const struct policy *policy; /* NULL: the last user message, whole */
	struct embed_remote *remote; /* NULL: the table in this program; it needs the policy */
	bool given, skip_bad;        /* given: the rows' own embeddings */
	/* what came of it */
	const struct static_model *model; /* NULL with given or remote */
	struct arena arena;               /* the model's */
	int64_t rows, bad;
	uint32_t dim; /* 0 until it is known */
};

struct row_vector {
	const struct dataset_row *row;
	struct str text;      /* as it was embedded */
	uint32_t tokens_est;
	const float *values;  /* dim of them; NULL: there is no direction */
};

/* Calls see for each row; false ends it (*err is its). Prints what is wrong with rows, and a bar over the kB of the file. An exit code. */
int row_vectors_read(struct row_vectors *r, const char *what, bool (*see)(void *ctx, const struct row_vector *row, struct err *err), void *ctx);
void row_vectors_free(struct row_vectors *r);

#endif
