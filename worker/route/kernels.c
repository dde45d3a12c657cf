/*
 * kernels.c: loops, each in a plain and a wide form.
 *
 * The one idea: nothing is left to the order of additions of floats: the order within one component is that of the calls. So the
 * compiler may make the wide form of add_row from the plain one. What compilers do not find is written by hand, above all the wide dot,
 * for the instruction that multiplies bytes and adds neighbours; whole numbers add up to the same in any order.
 */
#include "worker/route/kernels.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "worker/route/elementary.h"

#if defined(__x86_64__)
#include <immintrin.h>
#define WIDE __attribute__((target("avx2"), optimize("O3")))
#ifdef __clang__
#undef WIDE
#define WIDE __attribute__((target("avx2")))
#endif
#ifdef KERNELS_PORTABLE /* tests/scripts/same_bits.sh: as on a processor without AVX2 */
static const bool allowed = false;
#else
static const bool allowed = true;
#endif
static bool is_wide(void)
{
	return allowed && __builtin_cpu_supports("avx2") != 0;
}
#else
#define WIDE
static bool is_wide(void)
{
	return false;
}
#endif

static inline __attribute__((always_inline)) void add_row(float *restrict sum, const int8_t *restrict row, float scale, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		sum[i] += scale * (float)row[i];
}

static inline __attribute__((always_inline)) int32_t dot(const int8_t *a, const int8_t *b, uint32_t count)
{
	int32_t sum = 0;
	for (uint32_t i = 0; i < count; i++)
		sum += (int32_t)a[i] * b[i];
	return sum;
}

static inline __attribute__((always_inline)) void cosines(const int32_t *restrict dots, float inverse, const float *restrict inverses, uint32_t count,
                                                          float *restrict ret)
{
	for (uint32_t i = 0; i < count; i++)
		ret[i] = kernels_cosine_of(dots[i], inverse, inverses[i]);
}

static float largest(const float *values, uint32_t count)
{
	float most = 0;
	for (uint32_t i = 0; i < count; i++)
		most = fabsf(values[i]) > most ? fabsf(values[i]) : most;
	return most;
}

static void divide(const float *values, uint32_t count, float scale, int8_t *ret)
{
	for (uint32_t i = 0; i < count; i++)
		ret[i] = (int8_t)lrintf(values[i] / scale);
}

static inline __attribute__((always_inline)) void add_floats(float *restrict sum, const float *restrict row, float scale, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		sum[i] += scale * row[i];
}

static inline __attribute__((always_inline)) void adagrad(float *restrict weight, float *restrict square, const float *restrict slope,
                                                          struct kernels_step step, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		float g = slope[i] * step.value + step.decay * weight[i];
		square[i] += g * g;
		weight[i] -= step.rate * g / (sqrtf(square[i]) + 1e-8f);
	}
}

static inline __attribute__((always_inline)) void exp_all(float *values, uint32_t count, float factor, float most)
{
	for (uint32_t i = 0; i < count; i++)
		values[i] = (float)elementary_exp((double)(factor * (values[i] - most)));
}

static inline __attribute__((always_inline)) void log_all(const float *restrict values, uint32_t count, float *restrict logs)
{
	for (uint32_t i = 0; i < count; i++)
		logs[i] = (float)elementary_log((double)values[i]);
}

WIDE static void exp_wide(float *values, uint32_t count, float factor, float most)
{
	exp_all(values, count, factor, most);
}

WIDE static void log_wide(const float *restrict values, uint32_t count, float *restrict logs)
{
	log_all(values, count, logs);
}

void kernels_exp_portable(float *values, uint32_t count, float factor, float most)
{
	exp_all(values, count, factor, most);
}

void kernels_log_portable(const float *restrict values, uint32_t count, float *restrict logs)
{
	log_all(values, count, logs);
}

void kernels_exp(float *values, uint32_t count, float factor, float most)
{
	if (is_wide())
		exp_wide(values, count, factor, most);
	else
		kernels_exp_portable(values, count, factor, most);
}

void kernels_log(const float *restrict values, uint32_t count, float *restrict logs)
{
	if (is_wide())
		log_wide(values, count, logs);
	else
		kernels_log_portable(values, count, logs);
}

WIDE static void add_floats_wide(float *restrict sum, const float *restrict row, float scale, uint32_t count)
{
	add_floats(sum, row, scale, count);
}

WIDE static void adagrad_wide(float *restrict weight, float *restrict square, const float *restrict slope, struct kernels_step step, uint32_t count)
{
	adagrad(weight, square, slope, step, count);
}

void kernels_add_floats(float *restrict sum, const float *restrict row, float scale, uint32_t count)
{
	if (is_wide())
		add_floats_wide(sum, row, scale, count);
	else
		add_floats(sum, row, scale, count);
}

void kernels_adagrad_portable(float *restrict weight, float *restrict square, const float *restrict slope, struct kernels_step step, uint32_t count)
{
	adagrad(weight, square, slope, step, count);
}

void kernels_adagrad(float *restrict weight, float *restrict square, const float *restrict slope, struct kernels_step step, uint32_t count)
{
	if (is_wide())
		adagrad_wide(weight, square, slope, step, count);
	else
		kernels_adagrad_portable(weight, square, slope, step, count);
}

WIDE static void add_row_wide(float *restrict sum, const int8_t *restrict row, float scale, uint32_t count)
{
	add_row(sum, row, scale, count);
}

#if defined(__x86_64__)
/* VPMADDUBSW multiplies unsigned with signed bytes, so the sign of a goes to b; two products of at most 127 * 127 fit into 16 bits. */
WIDE static inline int32_t dot_wide(const int8_t *a, const int8_t *b, uint32_t count)
{
	const __m256i ones = _mm256_set1_epi16(1);
	__m256i sum = _mm256_setzero_si256();
	uint32_t i = 0;
	for (; i + 32 <= count; i += 32) {
		__m256i x = _mm256_loadu_si256((const __m256i *)(const void *)(a + i));
		__m256i y = _mm256_loadu_si256((const __m256i *)(const void *)(b + i));
		__m256i pairs = _mm256_maddubs_epi16(_mm256_abs_epi8(x), _mm256_sign_epi8(y, x));
		sum = _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, ones));
	}
	__m128i four = _mm_add_epi32(_mm256_castsi256_si128(sum), _mm256_extracti128_si256(sum, 1));
	four = _mm_add_epi32(four, _mm_shuffle_epi32(four, 0x4e));
	four = _mm_add_epi32(four, _mm_shuffle_epi32(four, 0xb1));
	return _mm_cvtsi128_si32(four) + dot(a + i, b + i, count - i);
}

/* The products of row with 32 numbers of another one, added up by fours. */
WIDE static inline __m256i products(__m256i row, __m256i sizes, const int8_t *other)
{
	__m256i pairs = _mm256_maddubs_epi16(sizes, _mm256_sign_epi8(_mm256_loadu_si256((const __m256i *)(const void *)other), row));
	return _mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
}

/* Four rows at a time: what is made of the one row serves all, and their sums are added up together. count: a multiple of 32. */
WIDE static uint32_t dots_by_four(const int8_t *row, const int8_t *rows, uint32_t rows_count, uint32_t count, int32_t *ret)
{
	uint32_t i = 0;
	for (; i + 4 <= rows_count; i += 4) {
		const int8_t *other = rows + (size_t)i * count;
		__m256i sum[4] = {_mm256_setzero_si256(), _mm256_setzero_si256(), _mm256_setzero_si256(), _mm256_setzero_si256()};
		for (uint32_t k = 0; k < count; k += 32) {
			__m256i x = _mm256_loadu_si256((const __m256i *)(const void *)(row + k)), sizes = _mm256_abs_epi8(x);
			for (unsigned r = 0; r < 4; r++)
				sum[r] = _mm256_add_epi32(sum[r], products(x, sizes, other + (size_t)r * count + k));
		}
		__m256i all = _mm256_hadd_epi32(_mm256_hadd_epi32(sum[0], sum[1]), _mm256_hadd_epi32(sum[2], sum[3]));
		_mm_storeu_si128((__m128i *)(void *)(ret + i), _mm_add_epi32(_mm256_castsi256_si128(all), _mm256_extracti128_si256(all, 1)));
	}
	return i;
}

WIDE static void dots_wide(const int8_t *row, const int8_t *rows, uint32_t rows_count, uint32_t count, int32_t *ret)
{
	uint32_t i = count % 32 == 0 ? dots_by_four(row, rows, rows_count, count, ret) : 0;
	for (; i < rows_count; i++)
		ret[i] = dot_wide(row, rows + (size_t)i * count, count);
}

WIDE static float largest_wide(const float *values, uint32_t count)
{
	const __m256 size = _mm256_castsi256_ps(_mm256_set1_epi32(0x7FFFFFFF));
	__m256 most = _mm256_setzero_ps();
	float lanes[8], all = 0;
	uint32_t i = 0;
	for (; i + 8 <= count; i += 8)
		most = _mm256_max_ps(_mm256_and_ps(size, _mm256_loadu_ps(values + i)), most);
	_mm256_storeu_ps(lanes, most);
	for (unsigned k = 0; k < 8; k++)
		all = lanes[k] > all ? lanes[k] : all;
	float rest = largest(values + i, count - i);
	return rest > all ? rest : all;
}

WIDE static void divide_wide(const float *values, uint32_t count, float scale, int8_t *ret)
{
	const __m256 by = _mm256_set1_ps(scale);
	uint32_t i = 0;
	for (; i + 8 <= count; i += 8) {
		__m256i whole = _mm256_cvtps_epi32(_mm256_div_ps(_mm256_loadu_ps(values + i), by));
		__m128i half = _mm_packs_epi32(_mm256_castsi256_si128(whole), _mm256_extracti128_si256(whole, 1));
		_mm_storel_epi64((__m128i *)(void *)(ret + i), _mm_packs_epi16(half, half));
	}
	divide(values + i, count - i, scale, ret + i);
}
#else
static int32_t dot_wide(const int8_t *a, const int8_t *b, uint32_t count)
{
	return dot(a, b, count);
}

static void dots_wide(const int8_t *row, const int8_t *rows, uint32_t rows_count, uint32_t count, int32_t *ret)
{
	kernels_dots_portable(row, rows, rows_count, count, ret);
}

static float largest_wide(const float *values, uint32_t count)
{
	return largest(values, count);
}

static void divide_wide(const float *values, uint32_t count, float scale, int8_t *ret)
{
	divide(values, count, scale, ret);
}
#endif

void kernels_add_row_portable(float *restrict sum, const int8_t *restrict row, float scale, uint32_t count)
{
	add_row(sum, row, scale, count);
}

int32_t kernels_dot_portable(const int8_t *a, const int8_t *b, uint32_t count)
{
	return dot(a, b, count);
}

void kernels_add_row(float *restrict sum, const int8_t *restrict row, float scale, uint32_t count)
{
	if (is_wide())
		add_row_wide(sum, row, scale, count);
	else
		kernels_add_row_portable(sum, row, scale, count);
}

int32_t kernels_dot(const int8_t *a, const int8_t *b, uint32_t count)
{
	return is_wide() ? dot_wide(a, b, count) : kernels_dot_portable(a, b, count);
}

void kernels_dots_portable(const int8_t *row, const int8_t *rows, uint32_t rows_count, uint32_t count, int32_t *ret)
{
	for (uint32_t i = 0; i < rows_count; i++)
		ret[i] = dot(row, rows + (size_t)i * count, count);
}

void kernels_dots(const int8_t *row, const int8_t *rows, uint32_t rows_count, uint32_t count, int32_t *ret)
{
	if (is_wide())
		dots_wide(row, rows, rows_count, count, ret);
	else
		kernels_dots_portable(row, rows, rows_count, count, ret);
}

/* Below that size of the largest, quotients are no longer exact and could pass 127. */
static float scale_of(float most)
{
	return most >= 128 * FLT_MIN ? most / 127 : 0;
}

float kernels_quantise_portable(const float *values, uint32_t count, int8_t *ret)
{
	float scale = scale_of(largest(values, count));
	if (scale != 0)
		divide(values, count, scale, ret);
	else
		memset(ret, 0, count);
	return scale;
}

float kernels_quantise(const float *values, uint32_t count, int8_t *ret)
{
	if (!is_wide())
		return kernels_quantise_portable(values, count, ret);
	float scale = scale_of(largest_wide(values, count));
	if (scale != 0)
		divide_wide(values, count, scale, ret);
	else
		memset(ret, 0, count);
	return scale;
}

float kernels_inverse_length(const int8_t *row, uint32_t count)
{
	int32_t square = kernels_dot(row, row, count);
	return square > 0 ? (float)(1 / sqrt((double)square)) : 0;
}

float kernels_direction(const float *values, uint32_t count, int8_t *ret)
{
	for (uint32_t i = 0; i < count; i++)
		if (!isfinite(values[i]))
			return 0;
	return kernels_quantise(values, count, ret) != 0 ? kernels_inverse_length(ret, count) : 0;
}

WIDE static void cosines_wide(const int32_t *restrict dots, float inverse, const float *restrict inverses, uint32_t count, float *restrict ret)
{
	cosines(dots, inverse, inverses, count, ret);
}

void kernels_cosines(const int32_t *restrict dots, float inverse, const float *restrict inverses, uint32_t count, float *restrict ret)
{
	if (is_wide())
		cosines_wide(dots, inverse, inverses, count, ret);
	else
		cosines(dots, inverse, inverses, count, ret);
}

float kernels_cosine(const int8_t *a, float a_inverse, const int8_t *b, float b_inverse, uint32_t count)
{
	return kernels_cosine_of(kernels_dot(a, b, count), a_inverse, b_inverse);
}
