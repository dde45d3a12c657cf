/*
 * Kinds of texts: found where there are some, not found in noise, and the same each time.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "tests/unit/noise.h"
#include "worker/lab/find_groups.h"

enum { DIM = 64, ROWS = 1200, KINDS = 6 };

/* Row i is of kind i % KINDS, or of none where i % 10 < strays. */
static struct cluster_set *made(float spread, uint32_t strays, uint64_t seed)
{
	struct cluster_set *set = cluster_set_new(DIM);
	float centre[KINDS][DIM], v[DIM];
	for (uint32_t k = 0; k < KINDS; k++)
		for (int d = 0; d < DIM; d++)
			centre[k][d] = noise(&seed);
	for (uint32_t i = 0; i < ROWS; i++) {
		for (int d = 0; d < DIM; d++)
			v[d] = i % 10 < strays ? noise(&seed) : centre[i % KINDS][d] + spread * noise(&seed);
		assert_true(cluster_set_add(set, v));
	}
	return set;
}

static void rows_of_clear_kinds_are_tight_and_strays_are_not(void **state)
{
	(void)state; /* unused */
	struct cluster_set *set = made(0.6f, 3, 1);
	struct found_groups found;
	assert_true(find_groups(set, 1, NULL, NULL, &found));
	uint32_t strays = 0;
	for (uint32_t i = 0; i < ROWS; i++)
		strays += found.tight[i] && i % 10 < 3;
	assert_in_range(found.tight_count - strays, ROWS * 7 / 10 * 98 / 100, ROWS * 7 / 10);
	assert_true(strays <= ROWS * 3 / 10 / 50);
	assert_in_range(found.clear_groups, KINDS, KINDS + 2);
	assert_in_range(found.most_tight, ROWS / 10, ROWS / 5);
	found_groups_free(&found);
	cluster_set_free(set);
}

static void noise_has_no_kinds(void **state)
{
	(void)state; /* unused */
	for (uint64_t seed = 1; seed <= 3; seed++) {
		struct cluster_set *set = made(0, 10, seed);
		struct found_groups found;
		assert_true(find_groups(set, seed, NULL, NULL, &found));
		assert_true(found.tight_count <= ROWS / 50);
		assert_int_equal(found.clear_groups, 0);
		assert_int_equal(found.duplicates, 0);
		found_groups_free(&found);
		cluster_set_free(set);
	}
}

static void duplicates_are_counted_but_the_first(void **state)
{
	(void)state; /* unused */
	struct cluster_set *set = cluster_set_new(DIM);
	struct found_groups found;
	uint64_t seed = 5;
	float first[DIM], v[DIM];
	for (uint32_t i = 0; i < 300; i++) {
		for (int d = 0; d < DIM; d++)
			v[d] = noise(&seed);
		if (i == 0)
			memcpy(first, v, sizeof v);
		assert_true(cluster_set_add(set, i % 4 == 0 ? first : v)); /* 75 times the same */
	}
	assert_true(find_groups(set, 1, NULL, NULL, &found));
	assert_int_equal(found.duplicates, 74);
	found_groups_free(&found);
	cluster_set_free(set);
}

static void the_same_rows_give_the_same_groups_and_few_rows_are_no_trouble(void **state)
{
	(void)state; /* unused */
	struct cluster_set *set = made(1, 2, 9), *few = cluster_set_new(DIM);
	struct found_groups a, b;
	assert_true(find_groups(set, 4, NULL, NULL, &a) && find_groups(set, 4, NULL, NULL, &b));
	assert_int_equal(a.clusters.k, b.clusters.k);
	assert_memory_equal(a.tight, b.tight, ROWS * sizeof *a.tight);
	assert_memory_equal(a.clusters.of, b.clusters.of, ROWS * sizeof *a.clusters.of);
	found_groups_free(&a);
	found_groups_free(&b);
	assert_false(find_groups(few, 1, NULL, NULL, &a));
	float v[DIM] = {1};
	for (int i = 0; i < 3; i++) {
		assert_true(cluster_set_add(few, v));
		assert_true(find_groups(few, 1, NULL, NULL, &a));
		assert_int_equal(a.clear_groups, 0);
		found_groups_free(&a);
	}
	cluster_set_free(few);
	cluster_set_free(set);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_of_clear_kinds_are_tight_and_strays_are_not),
		cmocka_unit_test(noise_has_no_kinds),
		cmocka_unit_test(duplicates_are_counted_but_the_first),
		cmocka_unit_test(the_same_rows_give_the_same_groups_and_few_rows_are_no_trouble),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
