/*
 * stats.h: how sure a counted share is, and whether two of them differ. Pure. Thread: any.
 */
#ifndef LAB_STATS_H
#define LAB_STATS_H

#include <stdbool.h>
#include <stdint.h>

struct share {
	int64_t hits, rows;
	double share, low, high; /* NAN without rows */
};

/* With its 95 % interval (E. B. Wilson, "Probable inference", JASA 22, 1927). */
struct share share_of(int64_t hits, int64_t rows);
/* McNemar's two-sided p for b and c disagreements in either direction: exact up to 1,000 of them, chi-square with continuity
 * correction beyond. */
double mcnemar(int64_t b, int64_t c, bool *ret_exact);

#endif
