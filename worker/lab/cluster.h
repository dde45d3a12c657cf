/*
 * cluster.h: which directions many vectors lie in: spherical k-means (Dhillon and Modha 2001), begun by greedy k-means++ (Arthur
 * and Vassilvitskii 2007).
 *
 * Vectors are kept as int8, so a cosine is a whole number times two lengths, and sums run in the order of the rows: the same vectors and
 * the same seed give the same clusters, to the bit, on every machine. Up to CLUSTER_SAMPLE rows are all learned from; of more, a
 * sample that the seed draws, and all of them move the centres once. Two million rows of 256 take 600 MB.
 *
 * Thread: one at a time; a set is read-only while it is clustered. Pure.
 */
#ifndef LAB_CLUSTER_H
#define LAB_CLUSTER_H

#include <stdbool.h>
#include <stdint.h>

enum {
	CLUSTER_MAX_ROWS = 20000000,
	CLUSTER_MAX_DIM = 8192,
	CLUSTER_MAX_K = 4096,
	CLUSTER_SAMPLE = 200000, /* rows learned from */
	CLUSTER_QUANTILES = 5
};

/* ---- vectors --------------------------------------------------------------------------------------------------------- */

struct cluster_set;
struct cluster_set *cluster_set_new(uint32_t dim);
void cluster_set_free(struct cluster_set *set); /* NULL is fine */
/* The vector's direction. false: it has none (all zeros, not finite), or the set is full; nothing is added. */
bool cluster_set_add(struct cluster_set *set, const float *vector);
uint32_t cluster_set_count(const struct cluster_set *set);
uint32_t cluster_set_dim(const struct cluster_set *set);
/* A row's whole numbers, and one over their length (route/kernels.h). */
const int8_t *cluster_set_row(const struct cluster_set *set, uint32_t row, float *ret_inverse);
float cluster_set_cosine(const struct cluster_set *set, uint32_t a, uint32_t b); /* 1 for a row with itself, to rounding */

/* ---- clusters -------------------------------------------------------------------------------------------------------- */

struct cluster_setup {
	const struct cluster_set *set;
	uint32_t k;      /* 0: chosen, from 2 up to most_k */
	uint32_t most_k; /* 0: 256 */
	uint64_t seed;
	void (*progress)(void *ctx, double share); /* NULL: nobody looks. share: 0 to 1, rising */
	void *ctx;
};

/* The shares that the quantiles of a cluster are taken at. */
extern const double cluster_shares[CLUSTER_QUANTILES]; /* .01 .05 .10 .25 .50 */

struct cluster {
	uint32_t size;    /* rows */
	uint32_t central; /* the row nearest to the centre; the first of equals */
	float inverse;    /* of centre */
	float quantiles[CLUSTER_QUANTILES]; /* that share of the rows have a cosine to the centre of at most this */
};

struct clusters {
	uint32_t k, dim;
	struct cluster *all; /* the largest first; of equals the one with the first row */
	int8_t *centres;     /* k * dim */
	uint32_t *of;        /* by row: its cluster */
	float *cosine;       /* by row: to that cluster's centre */
	double mean_cosine;
	double silhouette; /* of the choice of k (cluster_choose_k); NAN where k was given */
	bool sampled;      /* not all rows were learned from */
};

/* Fewer than k where there are not so many different rows: none is empty. false: the set is. */
bool cluster_fit(const struct cluster_setup *setup, struct clusters *ret);
void clusters_free(struct clusters *c);

#endif
