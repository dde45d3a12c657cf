/*
 * embed.h: what the files of `pointsman embed` share. Thread: main.
 */
#ifndef CLI_EMBED_H
#define CLI_EMBED_H

#include "worker/cli/embed_remote.h"
#include "worker/cli/row_vectors.h"
#include "worker/lab/near_duplicates.h"

struct embed_asked {
	const char *config, *out, *model; /* model: whose price repeats are counted at; NULL: the policy's baseline, or the first */
	const char *from_topic, *to_topic;
	const char *remote; /* name of the model that embeds; NULL: the table */
	struct dataset_fields fields;
	double near; /* 0: not asked for */
	bool base64, json, again;
	struct row_vectors rows;
};

/* What is kept of a row, to name it later. */
struct embed_row {
	uint64_t line;
	const char *id;
	uint32_t tokens_est;
};
struct embed_repeats {
	const struct near_duplicates *found;
	const struct embed_row *rows; /* near_duplicates_count of them */
	double threshold;
	const struct model_settings *model; /* NULL: no price is known */
};

/* embed_report.c: the groups of near duplicates, to stdout. */
void embed_tell_repeats(const struct embed_repeats *repeats, bool json);
/* embed_vector.c: a member "embedding": numbers that read back to the same floats, or base64 of little-endian floats. */
void embed_write_vector(struct buf *out, const float *values, uint32_t count, bool base64);
/* embed_topic.c: from a topic into a topic. An exit code. */
int embed_topic(const struct command *self, const struct embed_asked *asked);

#endif
