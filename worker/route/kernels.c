/*
 * kernels.c: two loops, each compiled twice.
 *
 * The one idea: the loop is written once, plainly; the compiler makes the wide form of it where a function says that it may use
 * AVX2. Nothing is left to the order of additions of floats: the order within one component is that of the calls.
 */
#include "worker/route/kernels.h"

#include <math.h>
#include <stdbool.h>

#if defined(__x86_64__)
#define WIDE __attribute__((target("avx2"), optimize("O3")))
#ifdef __clang__
#undef WIDE
#define WIDE __attribute__((target("avx2")))
#endif
static bool is_wide(void)
{
	return __builtin_cpu_supports("avx2") != 0;
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

WIDE static void add_row_wide(float *restrict sum, const int8_t *restrict row, float scale, uint32_t count)
{
	add_row(sum, row, scale, count);
}

WIDE static int32_t dot_wide(const int8_t *a, const int8_t *b, uint32_t count)
{
	return dot(a, b, count);
}

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

float kernels_quantise(const float *values, uint32_t count, int8_t *ret)
{
	float most = 0;
	for (uint32_t i = 0; i < count; i++)
		most = fabsf(values[i]) > most ? fabsf(values[i]) : most;
	float scale = most / 127;
	for (uint32_t i = 0; i < count; i++)
		ret[i] = scale != 0 ? (int8_t)lrintf(values[i] / scale) : 0;
	return scale;
}
