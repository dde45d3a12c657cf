/*
 * kernels.h: the inner loops of scoring, over rows of int8.
 *
 * Each has an AVX2 form and a portable twin, chosen at run time, and both give the same bits: a component of a sum never meets
 * another one, and sums of products are whole numbers.
 *
 * Thread: any. Pure.
 */
#ifndef ROUTE_KERNELS_H
#define ROUTE_KERNELS_H

#include <stdint.h>

enum { KERNELS_MAX_DOT = 100000 }; /* 127 * 127 times so many fit into 31 bits */

/* sum[i] += scale * row[i], each rounded twice: no fused multiplication. */
void kernels_add_row(float *restrict sum, const int8_t *restrict row, float scale, uint32_t count);
void kernels_add_row_portable(float *restrict sum, const int8_t *restrict row, float scale, uint32_t count);
/* Sum of a[i] * b[i]; values from -127 to 127, count up to KERNELS_MAX_DOT. */
int32_t kernels_dot(const int8_t *a, const int8_t *b, uint32_t count);
int32_t kernels_dot_portable(const int8_t *a, const int8_t *b, uint32_t count);
/* The same of one row with each of rows_count rows that lie side by side. */
void kernels_dots(const int8_t *row, const int8_t *rows, uint32_t rows_count, uint32_t count, int32_t *ret);
void kernels_dots_portable(const int8_t *row, const int8_t *rows, uint32_t rows_count, uint32_t count, int32_t *ret);

/* In place: e to the (factor * (values[i] - most)); and ln of each, which is positive. */
void kernels_exp(float *values, uint32_t count, float factor, float most);
void kernels_exp_portable(float *values, uint32_t count, float factor, float most);
void kernels_log(const float *restrict values, uint32_t count, float *restrict logs);
void kernels_log_portable(const float *restrict values, uint32_t count, float *restrict logs);

/* sum[i] += scale * row[i]. */
void kernels_add_floats(float *restrict sum, const float *restrict row, float scale, uint32_t count);
/* A step of AdaGrad: g = slope[i] * value + decay * weight[i]; square[i] += g * g; weight[i] -= rate * g / (root of square[i]). */
struct kernels_step {
	float value, rate, decay;
};
void kernels_adagrad(float *restrict weight, float *restrict square, const float *restrict slope, struct kernels_step step, uint32_t count);
void kernels_adagrad_portable(float *restrict weight, float *restrict square, const float *restrict slope, struct kernels_step step, uint32_t count);

/* values, which are finite, as whole numbers from -127 to 127 times the result; 0: all are zero (or below 1e-36). */
float kernels_quantise(const float *values, uint32_t count, int8_t *ret);
float kernels_quantise_portable(const float *values, uint32_t count, int8_t *ret);

/* A vector's direction: its whole numbers, and one over *their* length, so that a vector lies at a cosine of 1 to itself, to the
 * rounding of a float. 0: it has none (all zeros, or not finite). */
float kernels_direction(const float *values, uint32_t count, int8_t *ret);
float kernels_inverse_length(const int8_t *row, uint32_t count); /* 0: all are zero */
/* Of two such: from -1 to 1. */
static inline float kernels_cosine_of(int32_t dot, float a_inverse, float b_inverse)
{
	float cosine = (float)dot * (a_inverse * b_inverse);
	return cosine > 1 ? 1 : cosine < -1 ? -1 : cosine;
}
/* Of one row with many: dots are theirs. */
void kernels_cosines(const int32_t *restrict dots, float inverse, const float *restrict inverses, uint32_t count, float *restrict ret);
float kernels_cosine(const int8_t *a, float a_inverse, const int8_t *b, float b_inverse, uint32_t count);

#endif
