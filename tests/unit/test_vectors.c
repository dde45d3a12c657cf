/*
 * test_vectors.c: cosines of whole numbers: how far they are from those of the vectors given, that the wide loop and the plain one agree
 * to the bit, and what that does to the nearest rows.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "worker/route/kernels.h"
#include "worker/route/vectors.h"

static uint32_t next_random(uint64_t *seed)
{
	*seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(*seed >> 33);
}

static float random_value(uint64_t *seed)
{
	return (float)next_random(seed) / (float)(1u << 30) - 1.0f;
}

static void products_are_exact_to_rounding_and_the_same_every_time(void **state)
{
	(void)state;
	enum { MAX_DIM = 1000 };
	uint64_t seed = 4;
	static float a[MAX_DIM], b[MAX_DIM], ua[MAX_DIM + 8], ub[MAX_DIM + 8];
	for (uint32_t dim = 1; dim <= MAX_DIM; dim = dim * 3 / 2 + 1) {
		uint32_t stride = (dim + 7) / 8 * 8;
		double dot = 0, aa = 0, bb = 0;
		for (uint32_t i = 0; i < dim; i++) {
			a[i] = random_value(&seed);
			b[i] = random_value(&seed);
			dot += (double)a[i] * (double)b[i];
			aa += (double)a[i] * (double)a[i];
			bb += (double)b[i] * (double)b[i];
		}
		memset(ua + dim, 0, (stride - dim) * sizeof *ua);
		memset(ub + dim, 0, (stride - dim) * sizeof *ub);
		assert_true(vectors_unit(a, dim, ua) && vectors_unit(b, dim, ub));
		float got = vectors_dot(ua, ub, stride);
		assert_true(fabs((double)got - dot / sqrt(aa * bb)) < 1e-6);
		float again = vectors_dot(ub, ua, stride);
		assert_memory_equal(&got, &again, sizeof got);
		/* the order of the sums, spelled out: scores must not depend on the compiler */
		float lane[8] = {0};
		for (uint32_t i = 0; i < stride; i++) {
			volatile float product = ua[i] * ub[i];
			volatile float sum = lane[i % 8] + product;
			lane[i % 8] = sum;
		}
		volatile float l = (lane[0] + lane[4]) + (lane[2] + lane[6]), r = (lane[1] + lane[5]) + (lane[3] + lane[7]);
		float spelled = l + r;
		assert_memory_equal(&got, &spelled, sizeof got);
	}
}

static void what_has_no_direction_is_refused(void **state)
{
	(void)state;
	float out[2];
	assert_false(vectors_unit((const float[]){0, 0}, 2, out));
	assert_false(vectors_unit((const float[]){NAN, 1}, 2, out));
	assert_false(vectors_unit((const float[]){INFINITY, 1}, 2, out));
	assert_true(vectors_unit((const float[]){3e38f, 3e38f}, 2, out)); /* a sum of squares over a float's range */
	assert_true(fabs((double)out[0] - 0.70710678) < 1e-6);
	assert_true(vectors_unit((const float[]){1e-30f, 0}, 2, out));
	assert_true(out[0] == 1);
}

static void fill(float *values, uint32_t dim, uint64_t *seed)
{
	for (uint32_t i = 0; i < dim; i++)
		values[i] = random_value(seed);
}

static double cosine_of(const float *a, const float *b, uint32_t dim)
{
	double dot = 0, aa = 0, bb = 0;
	for (uint32_t i = 0; i < dim; i++) {
		dot += (double)a[i] * (double)b[i];
		aa += (double)a[i] * (double)a[i];
		bb += (double)b[i] * (double)b[i];
	}
	return dot / sqrt(aa * bb);
}

/* How far rounding to 8 bits can turn a vector: no number moves by more than half of its largest one's 127th. */
static double most_turn(const float *values, uint32_t dim)
{
	double most = 0, square = 0;
	for (uint32_t i = 0; i < dim; i++) {
		most = fmax(most, fabs((double)values[i]));
		square += (double)values[i] * (double)values[i];
	}
	return asin(fmin(1, sqrt((double)dim) * most / 254 / sqrt(square)));
}

static void cosines_have_the_same_bits_wide_and_plain_and_are_as_near_as_rounding_allows(void **state)
{
	(void)state;
	enum { MAX_DIM = 400, ROWS = 300 };
	static float given[ROWS][MAX_DIM];
	uint64_t seed = 11;
	for (uint32_t dim = 1; dim <= MAX_DIM; dim += dim < 70 ? 1 : 33) {
		struct vectors v;
		float query[MAX_DIM], unit[MAX_DIM], cosines[VECTORS_AT_ONCE];
		int8_t row[MAX_DIM + 32];
		vectors_init(&v, dim);
		for (uint32_t i = 0; i < ROWS; i++) {
			fill(given[i], dim, &seed);
			assert_true(vectors_add(&v, given[i], i % 7));
		}
		fill(query, dim, &seed);
		assert_true(vectors_unit(query, dim, unit));
		float inverse = vectors_row(&v, unit, row);
		for (uint32_t from = 0, count; from < ROWS; from += count) {
			count = ROWS - from < VECTORS_AT_ONCE ? ROWS - from : VECTORS_AT_ONCE;
			vectors_cosines(&v, row, inverse, from, count, cosines);
			for (uint32_t i = from; i < from + count; i++) {
				int32_t dot = kernels_dot_portable(row, v.rows + (size_t)i * v.stride, v.stride);
				float plain = kernels_cosine_of(dot, inverse, v.inverse[i]);
				assert_memory_equal(&cosines[i - from], &plain, sizeof plain);
				double off = fabs((double)plain - cosine_of(query, given[i], dim));
				assert_true(off <= most_turn(query, dim) + most_turn(given[i], dim) + 1e-6);
				assert_int_equal(v.labels[i], i % 7);
			}
		}
		vectors_free(&v);
	}
}

static void a_vector_lies_at_one_to_itself_at_any_length_and_what_has_no_direction_is_not_kept(void **state)
{
	(void)state;
	enum { DIM = 45 };
	uint64_t seed = 12;
	struct vectors v;
	vectors_init(&v, DIM);
	for (int exponent = -30; exponent <= 30; exponent += 10) {
		float values[DIM], unit[DIM], cosine;
		int8_t row[DIM + 32];
		fill(values, DIM, &seed);
		for (uint32_t i = 0; i < DIM; i++)
			values[i] = ldexpf(values[i], exponent);
		assert_true(vectors_add(&v, values, 0) && vectors_unit(values, DIM, unit));
		float inverse = vectors_row(&v, unit, row);
		vectors_cosines(&v, row, inverse, v.count - 1, 1, &cosine);
		assert_true(cosine > 0.99999f && cosine <= 1);
	}
	uint32_t before = v.count;
	assert_false(vectors_add(&v, (const float[DIM]){0}, 0) || vectors_add(&v, (const float[DIM]){INFINITY}, 0));
	assert_int_equal(v.count, before);
	vectors_free(&v);
}

enum { NEAR = 10 };

static void nearest_of(const double *cosines, uint32_t count, uint32_t *nearest)
{
	for (uint32_t found = 0, i = 0; i < count; i++) {
		uint32_t at = found < NEAR ? found++ : NEAR;
		for (; at > 0 && cosines[nearest[at - 1]] < cosines[i]; at--)
			if (at < NEAR)
				nearest[at] = nearest[at - 1];
		if (at < NEAR)
			nearest[at] = i;
	}
}

/* Rows in tight bunches, so that the ten nearest differ by little: what texts of one route are like. */
static void the_nearest_rows_are_nearly_those_of_a_search_in_floats(void **state)
{
	(void)state;
	enum { DIM = 256, ROWS = 3000, BUNCHES = 60, QUERIES = 60 };
	static float centre[BUNCHES][DIM], given[ROWS][DIM];
	static double exact[ROWS], rounded[ROWS];
	uint64_t seed = 13;
	struct vectors v;
	uint32_t same = 0;
	vectors_init(&v, DIM);
	for (uint32_t b = 0; b < BUNCHES; b++)
		fill(centre[b], DIM, &seed);
	for (uint32_t i = 0; i < ROWS; i++) {
		fill(given[i], DIM, &seed);
		for (uint32_t k = 0; k < DIM; k++)
			given[i][k] += centre[i % BUNCHES][k];
		assert_true(vectors_add(&v, given[i], 0));
	}
	for (uint32_t q = 0; q < QUERIES; q++) {
		float query[DIM], cosines[VECTORS_AT_ONCE];
		int8_t row[DIM];
		uint32_t a[NEAR], b[NEAR];
		fill(query, DIM, &seed);
		for (uint32_t k = 0; k < DIM; k++)
			query[k] += centre[q % BUNCHES][k];
		float unit[DIM];
		assert_true(vectors_unit(query, DIM, unit));
		float inverse = vectors_row(&v, unit, row);
		for (uint32_t i = 0; i < ROWS; i++) {
			exact[i] = cosine_of(query, given[i], DIM);
			vectors_cosines(&v, row, inverse, i, 1, cosines);
			rounded[i] = (double)cosines[0];
			assert_true(fabs(exact[i] - rounded[i]) < 0.003);
		}
		nearest_of(exact, ROWS, a);
		nearest_of(rounded, ROWS, b);
		for (uint32_t i = 0; i < NEAR * NEAR; i++)
			same += a[i / NEAR] == b[i % NEAR];
	}
	assert_true(same >= QUERIES * NEAR * 97 / 100);
	vectors_free(&v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(products_are_exact_to_rounding_and_the_same_every_time),
		cmocka_unit_test(what_has_no_direction_is_refused),
		cmocka_unit_test(cosines_have_the_same_bits_wide_and_plain_and_are_as_near_as_rounding_allows),
		cmocka_unit_test(a_vector_lies_at_one_to_itself_at_any_length_and_what_has_no_direction_is_not_kept),
		cmocka_unit_test(the_nearest_rows_are_nearly_those_of_a_search_in_floats),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
