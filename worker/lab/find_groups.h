/*
 * find_groups.h: what kinds of texts there are, and whether these kinds are there to stay.
 *
 * Half of the rows is clustered, and each row of the other half is put to those clusters; a row is tight when it lies near one of
 * them and clearly nearer than to any other. So a category counts only where rows that had no part in it fall into it: texts without
 * categories form clusters, too, but others do not fall into them.
 *
 * Thread: one at a time. Pure: the same vectors and seed give the same groups.
 */
#ifndef LAB_FIND_GROUPS_H
#define LAB_FIND_GROUPS_H

#include "worker/lab/cluster.h"

enum { FIND_GROUPS_MOST = 40 };
extern const double find_groups_near; /* the least cosine of a tight row to its centre */

struct found_group {
	uint32_t size, tight; /* rows; tight ones */
	bool clear;           /* at least a third of its rows are tight, and there are not too few of them */
};
struct found_groups {
	struct clusters clusters;   /* of all rows, the largest first */
	struct found_group *groups; /* clusters.k of them */
	bool *tight;                /* by row */
	uint32_t tight_count, clear_groups, most_tight; /* most_tight: of the group that has most tight rows */
	uint32_t duplicates;        /* rows nearly the same as an earlier one */
};
/* progress as in cluster.h. false: there are no rows. */
bool find_groups(const struct cluster_set *set, uint64_t seed, void (*progress)(void *ctx, double share), void *ctx, struct found_groups *ret);
void found_groups_free(struct found_groups *found);

#endif
