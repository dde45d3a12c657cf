/*
 * group_learn.h: from the vectors of a backlog to the file of its groups (route/groups.h).
 *
 * Every fifth row is kept aside: groups are found in the others (cluster.h), and how far from a group is far is the quantile of the
 * cosines of rows that were not learned from, so that the share that counts as far is the share that will. A group with few such
 * rows takes the quantile of all. The same rows and the same seed give the same bytes.
 *
 * Thread: one at a time.
 */
#ifndef LAB_GROUP_LEARN_H
#define LAB_GROUP_LEARN_H

#include "worker/route/groups.h"

enum {
	GROUP_LEARN_LEAST = 100,   /* rows; of fewer all are learned from, and one limit is found for all groups: each fifth in its turn
	                              against groups of the other four */
	GROUP_LEARN_OWN_LIMIT = 20 /* rows kept aside that a group needs for limits of its own */
};

struct group_learn_setup {
	enum groups_embedder embedder;
	uint32_t dim, windows;
	struct str static_version;
	uint32_t k;      /* 0: chosen */
	uint32_t most_k; /* 0: 256 */
	uint64_t seed;
	void (*progress)(void *ctx, double share); /* NULL: nobody looks */
	void *ctx;
};

struct group_learned {
	struct str name;
	uint32_t size, held_out; /* rows learned from, and kept aside */
	uint32_t central;        /* number of the row nearest to the centre, in the order they were added */
	float limits[GROUPS_SHARES];
};

struct group_learn_report {
	struct group_learned *groups; /* the largest first; freed by group_learn_free */
	uint32_t count, rows, held_out;
	double mean_cosine, silhouette; /* silhouette: NAN where k was given */
	bool sampled;
};

struct group_learn;
struct group_learn *group_learn_new(const struct group_learn_setup *setup); /* borrows setup */
void group_learn_free(struct group_learn *l);                               /* NULL is fine */
/* false: the vector has no direction, or there are too many; it is not counted. */
bool group_learn_add(struct group_learn *l, const float *vector);
/* Appends the file's bytes. RC_BAD_INPUT: there is nothing to learn from. */
enum rc group_learn_run(struct group_learn *l, struct buf *ret_file, struct group_learn_report *ret, struct err *err);

#endif
