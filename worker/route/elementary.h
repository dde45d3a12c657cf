/*
 * elementary.h: exp and ln of our own, so that a score has the same bits on every machine: a C library chooses its form by the
 * processor, and those differ in the last bit.
 *
 * Both are within 1e-14 of the true value. exp is 0 under -700 and held at 700; ln wants a positive, normal number.
 * Thread: any. Pure.
 */
#ifndef ROUTE_ELEMENTARY_H
#define ROUTE_ELEMENTARY_H

#include <stdint.h>
#include <string.h>

/* 2^k e^r with r within half of ln 2; the series of e^r by Horner. ln 2 is taken in two parts, the first with zeros at its end.
 * Without branches, so that a loop over it is done several at a time. */
static inline __attribute__((always_inline)) double elementary_exp(double x)
{
	double within = x < -700 ? -700 : x;
	within = within < 700 ? within : 700;
	double turns = within * 1.4426950408889634;
	int32_t k = (int32_t)(turns + (turns < 0 ? -.5 : .5));
	double r = (within - k * 6.93147180369123816490e-01) - k * 1.90821492927058770002e-10, sum = 1. / 479001600;
	sum = sum * r + 1. / 39916800;
	sum = sum * r + 1. / 3628800;
	sum = sum * r + 1. / 362880;
	sum = sum * r + 1. / 40320;
	sum = sum * r + 1. / 5040;
	sum = sum * r + 1. / 720;
	sum = sum * r + 1. / 120;
	sum = sum * r + 1. / 24;
	sum = sum * r + 1. / 6;
	sum = sum * r + .5;
	sum = sum * r + 1;
	sum = sum * r + 1;
	uint64_t bits = (uint64_t)(uint32_t)(k + 1023) << 52;
	double scale;
	memcpy(&scale, &bits, sizeof scale);
	return x < -700 ? 0 : sum * scale;
}

/* ln m + e ln 2 with m from the root of a half to the root of two; ln m = 2 artanh((m - 1) / (m + 1)). */
static inline __attribute__((always_inline)) double elementary_log(double x)
{
	uint64_t bits;
	memcpy(&bits, &x, sizeof bits);
	int32_t high = (int32_t)(bits >> 32);
	uint64_t mantissa = (bits & UINT64_C(0x000FFFFFFFFFFFFF)) | UINT64_C(0x3FF0000000000000);
	double m;
	memcpy(&m, &mantissa, sizeof m);
	int32_t over = m > 1.4142135623730951;
	m = over ? m * .5 : m;
	double e = (high >> 20) - 1023 + over, f = (m - 1) / (m + 1), f2 = f * f, sum = 1. / 21;
	sum = sum * f2 + 1. / 19;
	sum = sum * f2 + 1. / 17;
	sum = sum * f2 + 1. / 15;
	sum = sum * f2 + 1. / 13;
	sum = sum * f2 + 1. / 11;
	sum = sum * f2 + 1. / 9;
	sum = sum * f2 + 1. / 7;
	sum = sum * f2 + 1. / 5;
	sum = sum * f2 + 1. / 3;
	sum = sum * f2 + 1;
	return e * 6.93147180369123816490e-01 + (2 * f * sum + e * 1.90821492927058770002e-10);
}

#endif
