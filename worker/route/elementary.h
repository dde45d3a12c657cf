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

/* 2^k e^r with r within half of ln 2; the series of e^r by Horner. ln 2 is taken in two parts, the first with zeros at its end. */
static inline double elementary_exp(double x)
{
	static const double inverse[] = {1. / 39916800, 1. / 3628800, 1. / 362880, 1. / 40320, 1. / 5040, 1. / 720, 1. / 120, 1. / 24, 1. / 6, .5, 1, 1};
	if (x < -700)
		return 0;
	x = x < 700 ? x : 700;
	double turns = x * 1.4426950408889634;
	int k = (int)(turns < 0 ? turns - .5 : turns + .5);
	double r = (x - k * 6.93147180369123816490e-01) - k * 1.90821492927058770002e-10, sum = 1. / 479001600;
	for (unsigned i = 0; i < sizeof inverse / sizeof inverse[0]; i++)
		sum = sum * r + inverse[i];
	uint64_t bits = (uint64_t)(k + 1023) << 52;
	double scale;
	memcpy(&scale, &bits, sizeof scale);
	return sum * scale;
}

/* ln m + e ln 2 with m from the root of a half to the root of two; ln m = 2 artanh((m - 1) / (m + 1)). */
static inline double elementary_log(double x)
{
	uint64_t bits;
	memcpy(&bits, &x, sizeof bits);
	int e = (int)(bits >> 52) - 1023;
	bits = (bits & UINT64_C(0x000FFFFFFFFFFFFF)) | UINT64_C(0x3FF0000000000000);
	double m;
	memcpy(&m, &bits, sizeof m);
	if (m > 1.4142135623730951) {
		m *= .5;
		e++;
	}
	double f = (m - 1) / (m + 1), f2 = f * f, sum = 1. / 21;
	for (int n = 19; n >= 1; n -= 2)
		sum = sum * f2 + 1. / n;
	return e * 6.93147180369123816490e-01 + (2 * f * sum + e * 1.90821492927058770002e-10);
}

#endif
