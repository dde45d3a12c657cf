/*
 * Near duplicates: against a plain search over all pairs, and that nothing is joined by a chain.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "worker/lab/near_duplicates.h"
#include "worker/route/kernels.h"

static uint64_t draw(uint64_t *state)
{
	*state = *state * UINT64_C(6364136223846793005) + 1442695040888963407u;
	return *state >> 33;
}

static float value(uint64_t *state)
{
	return (float)(draw(state) % 20001) / 10000.0f - 1;
}

/* Rows around few directions at many distances, some the same to the bit, some without a direction. */
static float *make_rows(uint32_t rows, uint32_t dim, uint64_t seed)
{
	float *all = calloc((size_t)rows * dim, sizeof *all);
	for (uint32_t i = 0; i < rows; i++) {
		float *v = all + (size_t)i * dim, spread = 0.05f * (float)(draw(&seed) % 20);
		uint64_t about = 900 + draw(&seed) % 7;
		if (i > 3 && draw(&seed) % 6 == 0) {
			memcpy(v, all + (size_t)(draw(&seed) % i) * dim, dim * sizeof *v);
			continue;
		}
		for (uint32_t d = 0; d < dim && i % 50 != 49; d++)
			v[d] = value(&about) + spread * value(&seed);
	}
	return all;
}

static void it_is_what_a_search_over_all_pairs_gives(void **state)
{
	(void)state;
	static const struct {
		uint32_t rows, dim;
		double threshold;
	} cases[] = {{1, 8, 0.9}, {700, 8, 0.95}, {900, 100, 0.8}, {1500, 256, 0.95}, {1500, 256, 0.6}, {600, 130, 1}, {513, 384, 0.9}};
	for (unsigned c = 0; c < sizeof cases / sizeof cases[0]; c++) {
		uint32_t rows = cases[c].rows, dim = cases[c].dim, leaders = 0, joined = 0;
		float *all = make_rows(rows, dim, 3 + c), *inverse = calloc(rows, sizeof *inverse);
		int8_t *whole = calloc((size_t)rows * dim, 1);
		uint32_t *leader = calloc(rows, sizeof *leader);
		struct near_duplicates *n = near_duplicates_new(dim, cases[c].threshold);
		for (uint32_t i = 0; i < rows; i++)
			near_duplicates_add(n, all + (size_t)i * dim);
		near_duplicates_end(n);
		assert_int_equal(near_duplicates_count(n), rows);
		for (uint32_t i = 0; i < rows; i++) {
			uint32_t expected = i;
			float best = -2, got;
			inverse[i] = kernels_direction(all + (size_t)i * dim, dim, whole + (size_t)i * dim);
			for (uint32_t l = 0; l < leaders && inverse[i] != 0; l++) {
				float cosine = kernels_cosine(whole + (size_t)i * dim, inverse[i], whole + (size_t)leader[l] * dim, inverse[leader[l]], dim);
				if (cosine < (float)(cases[c].threshold < 1 ? cases[c].threshold : 1 - 1e-6) || cosine <= best)
					continue;
				best = cosine;
				expected = leader[l];
			}
			if (expected == i && inverse[i] != 0)
				leader[leaders++] = i;
			joined += expected != i;
			assert_int_equal(near_duplicates_of(n, i, &got), expected);
			assert_true(got == (expected == i ? 1 : best));
		}
		if (rows > 1)
			assert_true(joined > rows / 20 && leaders > 5);
		near_duplicates_free(n);
		free(all);
		free(inverse);
		free(whole);
		free(leader);
	}
}

static void equal_rows_are_found_at_a_threshold_of_one(void **state)
{
	(void)state;
	uint64_t seed = 21;
	for (int round = 0; round < 200; round++) { /* of some the cosine to themselves is rounded to a little less */
		float v[100], cosine;
		struct near_duplicates *n = near_duplicates_new(100, 1);
		for (int d = 0; d < 100; d++)
			v[d] = value(&seed);
		near_duplicates_add(n, v);
		near_duplicates_add(n, v);
		near_duplicates_end(n);
		assert_int_equal(near_duplicates_of(n, 1, &cosine), 0);
		near_duplicates_free(n);
	}
}

static void a_chain_of_small_steps_joins_only_what_is_near(void **state)
{
	(void)state;
	struct near_duplicates *n = near_duplicates_new(2, cos(0.1));
	for (int i = 0; i < 100; i++) { /* each step is half of what is near */
		double angle = 0.05 * i;
		near_duplicates_add(n, (const float[]){(float)cos(angle), (float)sin(angle)});
	}
	near_duplicates_add(n, NULL);
	near_duplicates_end(n);
	uint32_t groups = 0;
	for (uint32_t i = 0; i < 101; i++) {
		float cosine;
		uint32_t of = near_duplicates_of(n, i, &cosine);
		groups += of == i;
		assert_true(of <= i && i - of <= 2 && cosine >= 0.99f);
	}
	assert_true(groups >= 33);
	near_duplicates_free(n);
	near_duplicates_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_what_a_search_over_all_pairs_gives),
		cmocka_unit_test(equal_rows_are_found_at_a_threshold_of_one),
		cmocka_unit_test(a_chain_of_small_steps_joins_only_what_is_near),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
