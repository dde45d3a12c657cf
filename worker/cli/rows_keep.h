/*
 * rows_keep.h: rows being kept while they are read. Private to rows*.c.
 */
#ifndef CLI_ROWS_KEEP_H
#define CLI_ROWS_KEEP_H

#include "worker/cli/rows.h"

struct rows_kept {
	uint64_t number; /* by the hash of its place */
	uint32_t part;   /* of a topic */
	struct dataset_row row;
};
struct rows_keep {
	struct arena arena;
	struct rows_kept *items;
	uint32_t count, cap, most;
	uint64_t limit, seed;
	int64_t seen;
};

void rows_keep_add(struct rows_keep *k, uint32_t part, const struct dataset_row *row); /* copies */

/* rows_topic.c */
int rows_read_topic(const struct rows_asked *asked, struct rows_keep *k, int64_t *ret_bad);

#endif
