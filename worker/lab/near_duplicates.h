/*
 * near_duplicates.h: which rows say nearly what an earlier row says.
 *
 * A row joins the nearest earlier row that stands for itself, if their cosine reaches the threshold; else it stands for itself. So
 * every row is within the threshold of the one whose answer it could share, and no chain of small steps joins what is far apart.
 * The search is exact. Memory: a row that stands for itself takes its dim, at most 128 and 24 bytes, every other row 8 bytes.
 *
 * Thread: one at a time. Pure: the same vectors give the same groups, to the bit.
 */
#ifndef LAB_NEAR_DUPLICATES_H
#define LAB_NEAR_DUPLICATES_H

#include <stdbool.h>
#include <stdint.h>

enum { NEAR_DUPLICATES_BLOCK = 256 };

struct near_duplicates;
/* threshold: a cosine, above 0 to 1; equal vectors reach 1. */
struct near_duplicates *near_duplicates_new(uint32_t dim, double threshold);
void near_duplicates_free(struct near_duplicates *n); /* NULL is fine */
/* vector: NULL or without a direction: the row stands for itself, and nothing joins it. Rows are numbered from 0. */
void near_duplicates_add(struct near_duplicates *n, const float *vector);
/* All that was added has been compared. */
void near_duplicates_end(struct near_duplicates *n);

/* After the end. */
uint32_t near_duplicates_count(const struct near_duplicates *n);
/* The row that stands for this one (itself: it does), and the cosine to it. */
uint32_t near_duplicates_of(const struct near_duplicates *n, uint32_t row, float *ret_cosine);

#endif
