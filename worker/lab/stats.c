/*
 * stats.c: the few formulas of statistics that reports need, each in one place.
 */
#include "worker/lab/stats.h"

#include <math.h>

static const double z95 = 1.959963984540054;
enum { EXACT_UP_TO = 1000 };

struct share share_of(int64_t hits, int64_t rows)
{
	if (rows <= 0)
		return (struct share){hits, rows, NAN, NAN, NAN};
	double n = (double)rows, p = (double)hits / n, z2 = z95 * z95;
	double middle = (p + z2 / (2 * n)) / (1 + z2 / n);
	double half = z95 / (1 + z2 / n) * sqrt(p * (1 - p) / n + z2 / (4 * n * n));
	return (struct share){hits, rows, p, hits == 0 ? 0 : middle - half, hits == rows ? 1 : middle + half};
}

double mcnemar(int64_t b, int64_t c, bool *ret_exact)
{
	int64_t n = b + c, few = b < c ? b : c;
	*ret_exact = n <= EXACT_UP_TO;
	if (n == 0)
		return 1;
	if (!*ret_exact) {
		double distance = fabs((double)(b - c)) - 1;
		return erfc(sqrt((distance > 0 ? distance * distance : 0) / (double)n / 2));
	}
	/* twice the lower tail of a fair coin; each term from the one before it, the largest last */
	double term = exp2(-(double)n), tail = 0;
	for (int64_t k = 0; k <= few; k++) {
		tail += term;
		term *= (double)(n - k) / (double)(k + 1);
	}
	return tail * 2 < 1 ? tail * 2 : 1;
}
