/*
 * cluster_fit.h: the steps of k-means over some rows of a set. Private to cluster*.c.
 */
#ifndef LAB_CLUSTER_FIT_H
#define LAB_CLUSTER_FIT_H

#include "worker/lab/cluster.h"

struct cluster_fit {
	const struct cluster_set *set;
	const uint32_t *rows; /* numbers of those that are looked at, ascending */
	uint32_t count, k, dim;
	int8_t *centres; /* k * dim */
	float *inverse;  /* by centre */
	uint32_t *of;    /* by place in rows */
	float *cosine;
};

void cluster_fit_init(struct cluster_fit *f, const struct cluster_set *set, const uint32_t *rows, uint32_t count, uint32_t k);
void cluster_fit_free(struct cluster_fit *f);
/* Chooses k rows as centres. state: of the generator, moved on. */
void cluster_fit_begin(struct cluster_fit *f, uint64_t *state);
/* Each row to its nearest centre, the first of equals. Returns how many changed. */
uint32_t cluster_fit_assign(struct cluster_fit *f);
/* Each centre to the mean direction of its rows; an empty one to the row that lies farthest from its own. */
void cluster_fit_move(struct cluster_fit *f);
/* The nearest centre of a row, and the cosines to it and to the next (-1 where k is 1). */
uint32_t cluster_fit_nearest(const struct cluster_fit *f, uint32_t row, float *ret_best, float *ret_second);

/* Steps until few rows change, at most CLUSTER_ROUNDS of them. told: NULL, or called after each with the share of CLUSTER_ROUNDS.
 * Returns the mean cosine of the rows to their centres. */
enum { CLUSTER_ROUNDS = 30 };
double cluster_fit_settle(struct cluster_fit *f, void (*told)(void *ctx, double share), void *ctx);

/* most different numbers below count, ascending; all of them where there are no more. The caller frees them. */
uint32_t *cluster_sample(uint32_t count, uint32_t most, uint64_t *state, uint32_t *ret_count);

/* How many clusters: see cluster_choose.c. *ret_silhouette: what decided. */
uint32_t cluster_choose_k(const struct cluster_setup *setup, uint64_t *state, double *ret_silhouette);

#endif
