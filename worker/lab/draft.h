/*
 * draft.h: from groups of texts to what a first policy needs: examples of each clear group, and a threshold to begin with.
 *
 * Thread: any. Pure. Memory: the arena given.
 */
#ifndef LAB_DRAFT_H
#define LAB_DRAFT_H

#include "common/arena.h"
#include "worker/lab/find_groups.h"

enum { DRAFT_MOST_EXAMPLES = 32, DRAFT_BEST = 3 };

struct draft_group {
	uint32_t *rows; /* of the set: the examples, the most central one first */
	uint32_t count;
};
/* By group; groups that are not clear have none. Examples are tight rows, near the centre and not nearly the same as one another. */
struct draft_group *draft_examples(const struct cluster_set *set, const struct found_groups *found, uint32_t most, struct arena *arena);
/* The score (mean of the best DRAFT_BEST cosines) that nine of ten tight rows reach with the examples of their own group, themselves
 * left out; two decimals. */
double draft_accept(const struct cluster_set *set, const struct found_groups *found, const struct draft_group *examples);

#endif
