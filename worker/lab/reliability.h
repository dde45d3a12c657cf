/*
 * reliability.h: whether a probability means what it says: of the rows decided at 0.8, are 80 % right?
 *
 * Expected calibration error over equally wide bins (Naeini, Cooper, Hauskrecht 2015) and the Brier score (1950) of the
 * chosen label. Both are 0 at best. Thread: one at a time. Pure.
 */
#ifndef LAB_RELIABILITY_H
#define LAB_RELIABILITY_H

#include <stdbool.h>
#include <stdint.h>

enum { RELIABILITY_BINS = 15 };

struct reliability { /* all zeros: empty */
	int64_t rows;
	double squares;
	struct reliability_bin {
		int64_t rows, right;
		double confidence; /* their sum */
	} bins[RELIABILITY_BINS];
};

/* confidence: 0 to 1. */
void reliability_add(struct reliability *r, double confidence, bool right);
double reliability_ece(const struct reliability *r);   /* NAN without rows */
double reliability_brier(const struct reliability *r); /* NAN without rows */

#endif
