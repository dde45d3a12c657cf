/*
 * reliability.c: counting confidences in bins. What a bin's rows claimed on average is held against how many of them were right.
 */
#include "worker/lab/reliability.h"

#include <math.h>

void reliability_add(struct reliability *r, double confidence, bool right)
{
	double at = confidence * RELIABILITY_BINS;
	struct reliability_bin *bin = &r->bins[at < 1 ? 0 : at < RELIABILITY_BINS ? (int)at : RELIABILITY_BINS - 1];
	double miss = (right ? 1 : 0) - confidence;
	bin->rows++;
	bin->right += right;
	bin->confidence += confidence;
	r->squares += miss * miss;
	r->rows++;
}

double reliability_ece(const struct reliability *r)
{
	double gap = 0;
	for (int i = 0; i < RELIABILITY_BINS; i++)
		gap += fabs((double)r->bins[i].right - r->bins[i].confidence);
	return r->rows != 0 ? gap / (double)r->rows : NAN;
}

double reliability_brier(const struct reliability *r)
{
	return r->rows != 0 ? r->squares / (double)r->rows : NAN;
}
