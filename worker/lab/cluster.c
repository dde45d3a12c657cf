/*
 * cluster.c: the whole of a clustering: how many, where, and what lies in each.
 *
 * The one idea: what is learned from a sample is measured on all rows. Clusters are numbered by size, so that the numbers say something
 * and do not hang on how the search began.
 */
#include "worker/lab/cluster.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/arena.h"
#include "worker/lab/cluster_fit.h"

enum { RESTARTS = 4, RESTART_ROWS = 20000 };

const double cluster_shares[CLUSTER_QUANTILES] = {0.01, 0.05, 0.10, 0.25, 0.50};

static void tell(const struct cluster_setup *setup, double share)
{
	if (setup->progress != NULL)
		setup->progress(setup->ctx, share);
}

struct told {
	const struct cluster_setup *setup;
};

static void tell_round(void *ctx, double share)
{
	tell(((const struct told *)ctx)->setup, 0.65 + 0.15 * share);
}

static void copy_centres(const struct cluster_fit *from, struct cluster_fit *to)
{
	memcpy(to->centres, from->centres, (size_t)from->k * from->dim);
	memcpy(to->inverse, from->inverse, from->k * sizeof *to->inverse);
}

/* Where k-means ends hangs on where it begins: of RESTARTS over some of the rows the best is gone on with. */
static void learn(const struct cluster_setup *setup, struct cluster_fit *f, uint64_t *state)
{
	uint32_t count = 0, *rows = cluster_sample(f->count, RESTART_ROWS, state, &count);
	double best = -INFINITY, from = setup->k == 0 ? 0.5 : 0;
	for (uint32_t i = 0; i < count; i++)
		rows[i] = f->rows[rows[i]];
	for (int i = 0; i < RESTARTS; i++) {
		struct cluster_fit part;
		cluster_fit_init(&part, f->set, rows, count, f->k);
		cluster_fit_begin(&part, state);
		double mean = cluster_fit_settle(&part, NULL, NULL);
		if (mean > best) {
			best = mean;
			copy_centres(&part, f);
		}
		cluster_fit_free(&part);
		tell(setup, from + (0.65 - from) * (i + 1) / RESTARTS);
	}
	free(rows);
	(void)cluster_fit_settle(f, tell_round, &(struct told){setup}); /* how good it is was judged above */
}

/* Puts what was learned over all rows: one more step from there. */
static void spread(const struct cluster_setup *setup, const struct cluster_fit *learned, struct cluster_fit *all)
{
	copy_centres(learned, all);
	(void)cluster_fit_assign(all); /* all of them are new */
	tell(setup, 0.9);
	cluster_fit_move(all);
	(void)cluster_fit_assign(all); /* the last step: who changed does not matter */
}

static int by_cosine(const void *a, const void *b)
{
	float x = *(const float *)a, y = *(const float *)b;
	return (x > y) - (x < y);
}

/* The cosines of each cluster side by side, to take quantiles of. */
static void take_quantiles(struct clusters *c, uint32_t count)
{
	float *sorted = heap_zalloc((size_t)count + 1, sizeof *sorted);
	uint32_t *next = heap_zalloc((size_t)c->k + 1, sizeof *next);
	for (uint32_t i = 1; i < c->k; i++)
		next[i] = next[i - 1] + c->all[i - 1].size;
	for (uint32_t i = 0; i < count; i++)
		sorted[next[c->of[i]]++] = c->cosine[i];
	for (uint32_t i = 0; i < c->k; i++) {
		uint32_t size = c->all[i].size;
		float *mine = sorted + (next[i] - size);
		qsort(mine, size, sizeof *mine, by_cosine);
		for (int q = 0; q < CLUSTER_QUANTILES; q++)
			c->all[i].quantiles[q] = size != 0 ? mine[(uint32_t)(cluster_shares[q] * (size - 1))] : 1;
	}
	free(sorted);
	free(next);
}

struct order {
	uint32_t size, first, was;
};

static int by_size(const void *a, const void *b)
{
	const struct order *x = a, *y = b;
	if (x->size != y->size)
		return x->size > y->size ? -1 : 1;
	if (x->first != y->first)
		return x->first < y->first ? -1 : 1;
	return (x->was > y->was) - (x->was < y->was);
}

/* The fit's centres, the largest first, without empty ones. */
static void number_by_size(const struct cluster_fit *f, struct clusters *c)
{
	struct order *order = heap_zalloc(f->k, sizeof *order);
	uint32_t *number = heap_zalloc(f->k, sizeof *number);
	for (uint32_t i = 0; i < f->k; i++)
		order[i] = (struct order){0, UINT32_MAX, i};
	for (uint32_t i = f->count; i-- > 0;) {
		order[f->of[i]].size++;
		order[f->of[i]].first = i;
	}
	qsort(order, f->k, sizeof *order, by_size);
	for (uint32_t i = 0; i < f->k && order[i].size != 0; i++) {
		number[order[i].was] = i;
		c->k = i + 1;
		c->all[i].size = order[i].size;
		c->all[i].inverse = f->inverse[order[i].was];
		memcpy(c->centres + (size_t)i * f->dim, f->centres + (size_t)order[i].was * f->dim, f->dim);
	}
	for (uint32_t i = 0; i < f->count; i++)
		c->of[i] = number[f->of[i]];
	free(order);
	free(number);
}

static void describe(struct cluster_fit *f, struct clusters *c)
{
	c->all = heap_zalloc(f->k, sizeof *c->all);
	c->centres = heap_zalloc((size_t)f->k * f->dim, 1);
	c->of = f->of;
	c->cosine = f->cosine;
	f->of = NULL;
	f->cosine = NULL;
	c->dim = f->dim;
	struct cluster_fit view = *f;
	view.of = c->of;
	number_by_size(&view, c);
	double sum = 0;
	for (uint32_t i = 0; i < c->k; i++)
		c->all[i].central = UINT32_MAX;
	for (uint32_t i = 0; i < f->count; i++) {
		struct cluster *mine = &c->all[c->of[i]];
		if (mine->central == UINT32_MAX || c->cosine[i] > c->cosine[mine->central])
			mine->central = i;
		sum += (double)c->cosine[i];
	}
	c->mean_cosine = sum / f->count;
	take_quantiles(c, f->count);
}

bool cluster_fit(const struct cluster_setup *setup, struct clusters *ret)
{
	uint32_t count = cluster_set_count(setup->set), sampled = 0, k = setup->k;
	struct clusters c = {.silhouette = NAN};
	struct cluster_fit f;
	if (count == 0)
		return false;
	uint64_t state = setup->seed;
	if (k == 0)
		k = cluster_choose_k(setup, &state, &c.silhouette);
	k = k < CLUSTER_MAX_K ? k : CLUSTER_MAX_K;
	uint32_t *rows = cluster_sample(count, CLUSTER_SAMPLE, &state, &sampled);
	k = k < sampled ? k : sampled;
	c.sampled = sampled < count;
	cluster_fit_init(&f, setup->set, rows, sampled, k);
	learn(setup, &f, &state);
	if (c.sampled) {
		struct cluster_fit all;
		uint32_t total = 0, *every = cluster_sample(count, count, &state, &total);
		cluster_fit_init(&all, setup->set, every, total, k);
		spread(setup, &f, &all);
		describe(&all, &c);
		cluster_fit_free(&all);
		free(every);
	} else {
		describe(&f, &c);
	}
	tell(setup, 1);
	cluster_fit_free(&f);
	free(rows);
	*ret = c;
	return true;
}

void clusters_free(struct clusters *c)
{
	free(c->all);
	free(c->centres);
	free(c->of);
	free(c->cosine);
	*c = (struct clusters){0};
}
