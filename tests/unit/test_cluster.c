/*
 * Clusters: that made groups are found and counted, what must hold of every clustering, and that the same vectors give the same bits.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/noise.h"
#include "worker/lab/cluster.h"
#include "worker/route/kernels.h"

enum { DIM = 32 };

/* Row i belongs to blob i % blobs; about one row in 100 of a blob is skipped, so the sizes differ. truth: by row. */
static struct cluster_set *blobs(uint32_t rows, uint32_t count, float spread, uint64_t seed, uint32_t *truth)
{
	struct cluster_set *set = cluster_set_new(DIM);
	float centre[64][DIM], v[DIM];
	for (uint32_t b = 0; b < count; b++)
		for (int d = 0; d < DIM; d++)
			centre[b][d] = noise(&seed);
	for (uint32_t i = 0; cluster_set_count(set) < rows; i++) {
		uint32_t b = i % count;
		for (int d = 0; d < DIM; d++)
			v[d] = centre[b][d] + spread * noise(&seed);
		if (draw(&seed) % (100 + b) == 0)
			continue;
		truth[cluster_set_count(set)] = b;
		assert_true(cluster_set_add(set, v));
	}
	return set;
}

static void check_is_sound(const struct cluster_set *set, const struct clusters *c)
{
	uint32_t rows = cluster_set_count(set), total = 0;
	uint32_t *size = calloc(c->k, sizeof *size);
	for (uint32_t i = 0; i < rows; i++) {
		float inverse;
		const int8_t *row = cluster_set_row(set, i, &inverse);
		assert_true(c->of[i] < c->k);
		size[c->of[i]]++;
		for (uint32_t k = 0; k < c->k; k++) {
			float cosine = kernels_cosine(row, inverse, c->centres + (size_t)k * c->dim, c->all[k].inverse, c->dim);
			assert_true(cosine <= c->cosine[i]);
			if (k == c->of[i])
				assert_true(cosine == c->cosine[i]);
		}
		assert_true(c->cosine[i] <= c->cosine[c->all[c->of[i]].central]);
	}
	for (uint32_t k = 0; k < c->k; k++) {
		assert_int_equal(size[k], c->all[k].size);
		assert_true(size[k] > 0 && (k == 0 || size[k] <= size[k - 1]));
		assert_int_equal(c->of[c->all[k].central], k);
		for (int q = 1; q < CLUSTER_QUANTILES; q++)
			assert_true(c->all[k].quantiles[q] >= c->all[k].quantiles[q - 1]);
		uint32_t below = 0;
		for (uint32_t i = 0; i < rows; i++)
			below += c->of[i] == k && c->cosine[i] < c->all[k].quantiles[1];
		assert_true(below <= 0.05 * size[k] + 1);
		total += size[k];
	}
	assert_int_equal(total, rows);
	free(size);
}

static bool is_pure(const struct clusters *c, const uint32_t *truth, uint32_t rows)
{
	for (uint32_t i = 0; i < rows; i++)
		if (truth[i] != truth[c->all[c->of[i]].central])
			return false;
	return true;
}

static void made_groups_are_found_and_counted(void **state)
{
	(void)state;
	static const uint32_t counts[] = {2, 3, 8, 24};
	for (unsigned i = 0; i < sizeof counts / sizeof counts[0]; i++) {
		enum { ROWS = 1500 };
		static uint32_t truth[ROWS];
		struct cluster_set *set = blobs(ROWS, counts[i], 0.3f, 40 + i, truth);
		struct clusters c;
		assert_true(cluster_fit(&(struct cluster_setup){.set = set, .seed = 7}, &c));
		assert_int_equal(c.k, counts[i]);
		assert_true(is_pure(&c, truth, ROWS));
		assert_true(c.silhouette > 0.7 && c.mean_cosine > 0.9 && !c.sampled);
		check_is_sound(set, &c);
		clusters_free(&c);
		cluster_set_free(set);
	}
}

static void noise_without_groups_looks_far_less_clear(void **state)
{
	(void)state;
	uint32_t truth[1000];
	struct cluster_set *set = blobs(1000, 1, 30, 3, truth);
	struct clusters c;
	assert_true(cluster_fit(&(struct cluster_setup){.set = set, .seed = 7}, &c));
	assert_true(c.silhouette < 0.35);
	clusters_free(&c);
	cluster_set_free(set);
}

static void what_holds_of_every_clustering_holds(void **state)
{
	(void)state;
	uint64_t seed = 11;
	uint32_t truth[400];
	for (uint32_t round = 0; round < 40; round++) {
		uint32_t rows = 1 + (uint32_t)(draw(&seed) % 400), k = 1 + (uint32_t)(draw(&seed) % 50);
		struct cluster_set *set = blobs(rows, 1 + round % 20, (float)(round % 7), draw(&seed), truth);
		struct clusters c, again;
		assert_true(cluster_fit(&(struct cluster_setup){.set = set, .k = k, .seed = round}, &c));
		assert_true(c.k >= 1 && c.k <= k && c.k <= rows);
		assert_true(isnan(c.silhouette));
		check_is_sound(set, &c);
		assert_true(cluster_fit(&(struct cluster_setup){.set = set, .k = k, .seed = round}, &again));
		assert_int_equal(again.k, c.k);
		assert_memory_equal(again.centres, c.centres, (size_t)c.k * c.dim);
		assert_memory_equal(again.of, c.of, rows * sizeof *c.of);
		assert_memory_equal(again.cosine, c.cosine, rows * sizeof *c.cosine);
		assert_memory_equal(again.all, c.all, c.k * sizeof *c.all);
		clusters_free(&c);
		clusters_free(&again);
		cluster_set_free(set);
	}
}

static void equal_rows_are_one_cluster_and_opposite_ones_are_two(void **state)
{
	(void)state;
	struct cluster_set *set = cluster_set_new(3);
	struct clusters c;
	for (int i = 0; i < 20; i++)
		assert_true(cluster_set_add(set, (const float[]){1, 2, 3}));
	assert_true(cluster_set_cosine(set, 3, 11) == 1);
	assert_true(cluster_fit(&(struct cluster_setup){.set = set, .k = 5, .seed = 1}, &c));
	assert_int_equal(c.k, 1);
	assert_int_equal(c.all[0].size, 20);
	assert_true(c.all[0].quantiles[0] == 1 && c.mean_cosine == 1);
	clusters_free(&c);
	for (int i = 0; i < 20; i++)
		assert_true(cluster_set_add(set, (const float[]){-1, -2, -3}));
	assert_true(cluster_set_cosine(set, 3, 30) == -1);
	assert_true(cluster_fit(&(struct cluster_setup){.set = set, .k = 5, .seed = 1}, &c));
	assert_int_equal(c.k, 2);
	assert_int_equal(c.all[0].size, 20);
	assert_int_equal(c.of[0], 0); /* of equal sizes, the one with the first row */
	check_is_sound(set, &c);
	clusters_free(&c);
	cluster_set_free(set);
}

static void what_has_no_direction_is_not_taken(void **state)
{
	(void)state;
	struct cluster_set *set = cluster_set_new(2);
	struct clusters c;
	assert_false(cluster_fit(&(struct cluster_setup){.set = set}, &c));
	assert_false(cluster_set_add(set, (const float[]){0, 0}));
	assert_false(cluster_set_add(set, (const float[]){1, NAN}));
	assert_false(cluster_set_add(set, (const float[]){INFINITY, 1}));
	assert_int_equal(cluster_set_count(set), 0);
	assert_true(cluster_set_add(set, (const float[]){1e-30f, 1e-30f}));
	assert_true(cluster_fit(&(struct cluster_setup){.set = set}, &c));
	assert_int_equal(c.k, 1);
	clusters_free(&c);
	cluster_set_free(set);
	cluster_set_free(NULL);
}

struct shares {
	double last;
	unsigned calls;
};

static void note(void *ctx, double share)
{
	struct shares *s = ctx;
	assert_true(share >= s->last && share <= 1);
	s->last = share;
	s->calls++;
}

/* More rows than are learned from: each still goes to its nearest centre, and small groups are found. */
static void of_very_many_rows_a_sample_is_enough(void **state)
{
	(void)state;
	enum { ROWS = CLUSTER_SAMPLE + 20000 };
	uint32_t *truth = calloc(ROWS, sizeof *truth);
	struct cluster_set *set = blobs(ROWS, 12, 0.3f, 5, truth);
	struct clusters c;
	struct shares shares = {0};
	assert_true(cluster_fit(&(struct cluster_setup){.set = set, .seed = 2, .progress = note, .ctx = &shares}, &c));
	assert_true(c.sampled);
	assert_int_equal(c.k, 12);
	assert_true(is_pure(&c, truth, ROWS));
	assert_true(shares.calls > 3 && shares.last == 1);
	clusters_free(&c);
	cluster_set_free(set);
	free(truth);
}

static uint64_t fnv(uint64_t h, const void *data, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		h = (h ^ ((const unsigned char *)data)[i]) * UINT64_C(1099511628211);
	return h;
}

/* Made by gcc 12 on x86-64 with AVX2; every other compiler and machine must come to it. */
static void the_bits_are_those_of_every_machine(void **state)
{
	(void)state;
	uint32_t truth[900];
	struct cluster_set *set = blobs(900, 9, 2, 77, truth);
	struct clusters c;
	assert_true(cluster_fit(&(struct cluster_setup){.set = set, .seed = 3, .most_k = 20}, &c));
	uint64_t h = UINT64_C(14695981039346656037);
	h = fnv(h, &c.k, sizeof c.k);
	h = fnv(h, c.all, c.k * sizeof *c.all);
	h = fnv(h, c.centres, (size_t)c.k * c.dim);
	h = fnv(h, c.of, 900 * sizeof *c.of);
	h = fnv(h, c.cosine, 900 * sizeof *c.cosine);
	h = fnv(h, &c.silhouette, sizeof c.silhouette);
	h = fnv(h, &c.mean_cosine, sizeof c.mean_cosine);
	assert_true(h == UINT64_C(0xc486b26b815d4566));
	clusters_free(&c);
	cluster_set_free(set);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(made_groups_are_found_and_counted),
		cmocka_unit_test(noise_without_groups_looks_far_less_clear),
		cmocka_unit_test(what_holds_of_every_clustering_holds),
		cmocka_unit_test(equal_rows_are_one_cluster_and_opposite_ones_are_two),
		cmocka_unit_test(what_has_no_direction_is_not_taken),
		cmocka_unit_test(of_very_many_rows_a_sample_is_enough),
		cmocka_unit_test(the_bits_are_those_of_every_machine),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
