/*
 * group_learn.c: groups of a backlog: found in most rows, measured on the rest, written as a file.
 */
#include "worker/lab/group_learn.h"

#include <stdlib.h>

#include "common/json.h"
#include "worker/lab/cluster.h"
#include "worker/lab/tensor_file.h"
#include "worker/route/kernels.h"

enum { HOLD_OUT = 5, NAME_BYTES = 12 };

struct group_learn {
	const struct group_learn_setup *setup;
	struct cluster_set *learned, *held;
	struct clusters clusters;
	struct group_learned *groups;
	char (*names)[NAME_BYTES];
	uint32_t *of; /* of each row kept aside: its nearest group */
	float *cosine;
};

struct group_learn *group_learn_new(const struct group_learn_setup *setup)
{
	struct group_learn *l = heap_zalloc(1, sizeof *l);
	l->setup = setup;
	l->learned = cluster_set_new(setup->dim);
	l->held = cluster_set_new(setup->dim);
	return l;
}

void group_learn_free(struct group_learn *l)
{
	if (l == NULL)
		return;
	cluster_set_free(l->learned);
	cluster_set_free(l->held);
	clusters_free(&l->clusters);
	free(l->groups);
	free(l->names);
	free(l->of);
	free(l->cosine);
	free(l);
}

bool group_learn_add(struct group_learn *l, const float *vector)
{
	uint32_t rows = cluster_set_count(l->learned) + cluster_set_count(l->held);
	return cluster_set_add(rows % HOLD_OUT == HOLD_OUT - 1 ? l->held : l->learned, vector);
}

/* Of a row that was not learned from: its nearest group, and the cosine to it. */
static float nearest(const struct clusters *c, const struct cluster_set *set, uint32_t row, uint32_t *ret)
{
	float inverse, best = -2;
	const int8_t *values = cluster_set_row(set, row, &inverse);
	for (uint32_t k = 0; k < c->k; k++) {
		float now = kernels_cosine(values, inverse, c->centres + (size_t)k * c->dim, c->all[k].inverse, c->dim);
		if (now <= best)
			continue;
		best = now;
		*ret = k;
	}
	return best;
}

static void assign_held(struct group_learn *l)
{
	uint32_t count = cluster_set_count(l->held);
	l->of = heap_zalloc((size_t)count + 1, sizeof *l->of);
	l->cosine = heap_zalloc((size_t)count + 1, sizeof *l->cosine);
	for (uint32_t i = 0; i < count; i++)
		l->cosine[i] = nearest(&l->clusters, l->held, i, &l->of[i]);
}

static int by_value(const void *a, const void *b)
{
	float x = *(const float *)a, y = *(const float *)b;
	return (x > y) - (x < y);
}

/* Sorts them. */
static void take_limits(float *cosines, uint32_t count, float limits[GROUPS_SHARES])
{
	qsort(cosines, count, sizeof *cosines, by_value);
	for (int s = 0; s < GROUPS_SHARES; s++)
		limits[s] = cosines[(uint32_t)(cluster_shares[s] * count)];
}

static void find_limits(struct group_learn *l)
{
	const struct clusters *c = &l->clusters;
	uint32_t count = cluster_set_count(l->held);
	float *some = heap_zalloc((size_t)count + 1, sizeof *some), pooled[GROUPS_SHARES];
	memcpy(some, l->cosine, count * sizeof *some);
	take_limits(some, count, pooled);
	for (uint32_t k = 0; k < c->k; k++) {
		uint32_t mine = 0;
		for (uint32_t i = 0; i < count; i++)
			if (l->of[i] == k)
				some[mine++] = l->cosine[i];
		memcpy(l->groups[k].limits, pooled, sizeof pooled);
		if (mine >= GROUP_LEARN_OWN_LIMIT)
			take_limits(some, mine, l->groups[k].limits);
		l->groups[k].held_out = mine;
	}
	free(some);
}

static void add_row(struct cluster_set *to, const struct cluster_set *from, uint32_t row, float *vector)
{
	float ignored;
	const int8_t *values = cluster_set_row(from, row, &ignored); /* its length does not matter */
	for (uint32_t d = 0; d < cluster_set_dim(from); d++)
		vector[d] = values[d];
	(void)cluster_set_add(to, vector); /* it had a direction before */
}

/* So few that none can be spared. */
static void take_all(struct group_learn *l)
{
	struct cluster_set *all = cluster_set_new(l->setup->dim);
	uint32_t learned = 0, held = 0, rows = cluster_set_count(l->learned) + cluster_set_count(l->held);
	float *vector = heap_zalloc(l->setup->dim, sizeof *vector);
	for (uint32_t i = 0; i < rows; i++)
		if (i % HOLD_OUT == HOLD_OUT - 1)
			add_row(all, l->held, held++, vector);
		else
			add_row(all, l->learned, learned++, vector);
	free(vector);
	cluster_set_free(l->learned);
	cluster_set_free(l->held);
	l->learned = all;
	l->held = cluster_set_new(l->setup->dim);
}

/* Where none can be kept aside: each fifth in its turn against groups of the other four, and one limit for all. */
static void find_limits_in_turn(struct group_learn *l)
{
	uint32_t count = cluster_set_count(l->learned), dim = l->setup->dim, taken = 0;
	float *cosines = heap_zalloc((size_t)count + 1, sizeof *cosines), *vector = heap_zalloc(dim, sizeof *vector), limits[GROUPS_SHARES];
	for (uint32_t turn = 0; turn < HOLD_OUT; turn++) {
		struct cluster_set *others = cluster_set_new(dim);
		struct clusters c;
		for (uint32_t i = 0; i < count; i++)
			if (i % HOLD_OUT != turn)
				add_row(others, l->learned, i, vector);
		if (cluster_fit(&(struct cluster_setup){.set = others, .k = l->clusters.k, .seed = l->setup->seed}, &c)) {
			for (uint32_t i = turn, ignored; i < count; i += HOLD_OUT) /* which group it is does not matter */
				cosines[taken++] = nearest(&c, l->learned, i, &ignored);
			clusters_free(&c);
		}
		cluster_set_free(others);
	}
	if (taken == 0) /* a single row */
		cosines[taken++] = 1;
	take_limits(cosines, taken, limits);
	for (uint32_t k = 0; k < l->clusters.k; k++)
		memcpy(l->groups[k].limits, limits, sizeof limits);
	free(cosines);
	free(vector);
}

/* g1 to g9, or g01 to g64: so that they sort. */
static void name_groups(struct group_learn *l)
{
	uint32_t count = l->clusters.k;
	int width = 1;
	for (uint32_t most = 9; most < count; most = most * 10 + 9)
		width++;
	l->names = heap_zalloc(count, sizeof *l->names);
	for (uint32_t i = 0; i < count; i++) {
		uint32_t number = i + 1;
		l->names[i][0] = 'g';
		for (int at = width; at > 0; at--, number /= 10)
			l->names[i][at] = (char)('0' + number % 10);
		l->groups[i].name = str_of(l->names[i]);
	}
}

static struct str settings_text(const struct group_learn *l, struct arena *arena)
{
	struct buf out;
	buf_init(&out, arena, 4096);
	buf_char(&out, '{');
	json_member_str(&out, "format", STR(GROUPS_FORMAT));
	json_member_str(&out, "embedder", l->setup->embedder == GROUPS_GIVEN ? STR("given") : STR("static"));
	json_member_str(&out, "static_model", l->setup->static_version);
	json_member_i64(&out, "windows", l->setup->windows);
	json_key(&out, "names");
	buf_char(&out, '[');
	for (uint32_t i = 0; i < l->clusters.k; i++) {
		json_sep(&out);
		json_write_str(&out, l->groups[i].name);
	}
	buf_cstr(&out, "]}");
	return buf_view(&out);
}

static void write_file(const struct group_learn *l, struct buf *out)
{
	const struct clusters *c = &l->clusters;
	struct arena arena;
	struct tensor_file f;
	arena_init(&arena, 8192);
	float *limits = arena_array(&arena, (size_t)c->k * GROUPS_SHARES, sizeof *limits);
	for (uint32_t i = 0; i < c->k; i++)
		memcpy(limits + (size_t)i * GROUPS_SHARES, l->groups[i].limits, sizeof l->groups[i].limits);
	tensor_file_begin(&f, settings_text(l, &arena));
	tensor_file_add(&f, "limits", TENSOR_F32, c->k, GROUPS_SHARES, limits);
	tensor_file_add(&f, "centres", TENSOR_I8, c->k, c->dim, c->centres);
	tensor_file_end(&f, out);
	arena_free(&arena);
}

enum rc group_learn_run(struct group_learn *l, struct buf *ret_file, struct group_learn_report *ret, struct err *err)
{
	uint32_t rows = cluster_set_count(l->learned) + cluster_set_count(l->held);
	if (rows < GROUP_LEARN_LEAST)
		take_all(l);
	bool has_held = cluster_set_count(l->held) != 0;
	const struct cluster_setup setup = {l->learned, l->setup->k, l->setup->most_k, l->setup->seed, l->setup->progress, l->setup->ctx};
	if (!cluster_fit(&setup, &l->clusters))
		return err_set(err, RC_BAD_INPUT, "no row has a vector: there is nothing to learn from");
	const struct clusters *c = &l->clusters;
	l->groups = heap_zalloc(c->k, sizeof *l->groups);
	for (uint32_t i = 0; i < c->k; i++) {
		uint32_t at = c->all[i].central;
		l->groups[i].size = c->all[i].size;
		l->groups[i].central = has_held ? at / (HOLD_OUT - 1) * HOLD_OUT + at % (HOLD_OUT - 1) : at;
	}
	name_groups(l);
	if (has_held) {
		assign_held(l);
		find_limits(l);
	} else {
		find_limits_in_turn(l);
	}
	write_file(l, ret_file);
	*ret = (struct group_learn_report){l->groups, c->k, rows, cluster_set_count(l->held), c->mean_cosine, c->silhouette, c->sampled};
	return RC_OK;
}
