/*
 * compare.h: two policies over the same rows: who is right where the other is not, and what changes.
 *
 * Thread: one at a time. Pure.
 */
#ifndef LAB_COMPARE_H
#define LAB_COMPARE_H

#include <stdbool.h>

#include "common/arena.h"

struct compare_counts {
	int64_t rows, both, neither, only_first, only_second; /* right */
	int64_t changed;  /* rows that go to a route of another name */
	double p;         /* of McNemar's test over the rows that one has right */
	bool exact;
};
struct compare_change {
	struct str from, to; /* routes by name, in the first and in the second policy */
	int64_t rows, better, worse; /* better: only the second is right */
};

struct compare;
struct compare *compare_new(void);
void compare_free(struct compare *c); /* NULL is fine */
/* Names are borrowed until compare_free. */
void compare_add(struct compare *c, struct str first, bool first_right, struct str second, bool second_right);
struct compare_counts compare_counts(const struct compare *c);
/* What changed, the most rows first; in arena. */
struct compare_change *compare_changes(const struct compare *c, struct arena *arena, uint32_t *ret_count);

#endif
