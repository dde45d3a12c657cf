/*
 * Examples and a first threshold from groups.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "worker/lab/draft.h"

enum { DIM = 32, ROWS = 400, KINDS = 4 };

static float noise(uint64_t *state)
{
	float sum = 0;
	for (int i = 0; i < 12; i++) {
		*state = *state * UINT64_C(6364136223846793005) + 1442695040888963407u;
		sum += (float)(*state >> 40 & 0xFFFF) / 65536.0f;
	}
	return sum - 6;
}

/* Every fourth row of a kind is the same as the kind's first; each tenth row is noise. */
static struct cluster_set *made(void)
{
	struct cluster_set *set = cluster_set_new(DIM);
	uint64_t seed = 11;
	float centre[KINDS][DIM], v[DIM];
	for (int k = 0; k < KINDS; k++)
		for (int d = 0; d < DIM; d++)
			centre[k][d] = noise(&seed);
	for (uint32_t i = 0; i < ROWS; i++) {
		for (int d = 0; d < DIM; d++)
			v[d] = i % 10 == 9 ? noise(&seed) : centre[i % KINDS][d] + (i / KINDS % 4 == 0 ? 0 : 0.5f * noise(&seed));
		assert_true(cluster_set_add(set, v));
	}
	return set;
}

static void examples_are_of_their_group_and_differ(void **state)
{
	(void)state; /* unused */
	struct cluster_set *set = made();
	struct found_groups found;
	struct arena arena;
	arena_init(&arena, 0);
	assert_true(find_groups(set, 1, NULL, NULL, &found));
	struct draft_group *groups = draft_examples(set, &found, 8, &arena);
	uint32_t with = 0;
	for (uint32_t g = 0; g < found.clusters.k; g++) {
		assert_true(groups[g].count <= 8 && (groups[g].count == 0) == !found.groups[g].clear);
		with += groups[g].count != 0;
		for (uint32_t i = 0; i < groups[g].count; i++) {
			assert_int_equal(found.clusters.of[groups[g].rows[i]], g);
			assert_true(found.tight[groups[g].rows[i]]);
			for (uint32_t k = 0; k < i; k++) {
				assert_true(cluster_set_cosine(set, groups[g].rows[i], groups[g].rows[k]) < 0.9f);
				assert_true(found.clusters.cosine[groups[g].rows[k]] >= found.clusters.cosine[groups[g].rows[i]]);
			}
		}
	}
	assert_in_range(with, KINDS, found.clear_groups);
	found_groups_free(&found);
	cluster_set_free(set);
	arena_free(&arena);
}

/* Counted again, with a plain sum: nine of ten tight rows reach the threshold, and a hundredth more is too much for some of them. */
static void nine_of_ten_reach_the_threshold(void **state)
{
	(void)state; /* unused */
	struct cluster_set *set = made();
	struct found_groups found;
	struct arena arena;
	arena_init(&arena, 0);
	assert_true(find_groups(set, 1, NULL, NULL, &found));
	struct draft_group *groups = draft_examples(set, &found, 3, &arena); /* three: the best three are all */
	double accept = draft_accept(set, &found, groups);
	uint32_t scored = 0, reach = 0, reach_more = 0;
	for (uint32_t i = 0; i < ROWS; i++) {
		const struct draft_group *g = &groups[found.clusters.of[i]];
		double sum = 0;
		uint32_t n = 0;
		for (uint32_t k = 0; found.tight[i] && k < g->count; k++)
			if (g->rows[k] != i) {
				sum += (double)cluster_set_cosine(set, i, g->rows[k]);
				n++;
			}
		scored += n != 0;
		reach += n != 0 && sum / n >= accept;
		reach_more += n != 0 && sum / n >= accept + 0.01;
	}
	assert_true(accept > 0.3 && accept < 1);
	assert_true(reach >= scored * 9 / 10 && reach_more <= scored * 9 / 10 + 1);
	found_groups_free(&found);
	cluster_set_free(set);
	arena_free(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(examples_are_of_their_group_and_differ),
		cmocka_unit_test(nine_of_ten_reach_the_threshold),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
