/*
 * ledger_order.c: order by key, from what came out.
 *
 * The one idea: sorted by source, key and place, the offsets of each run must rise; whatever is below the highest one so far came
 * too late, or is told of again.
 */
#include "worker/lab/ledger_order.h"

#include <stdbool.h>
#include <stdlib.h>

static int compare(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

static int by_key(const struct ledger_told *a, const struct ledger_told *b)
{
	int order = compare(a->source, b->source);
	if (order == 0)
		order = compare(a->key, b->key);
	return order != 0 ? order : compare(a->part, b->part);
}

static int by_offset(const void *x, const void *y)
{
	const struct ledger_told *a = x, *b = y;
	int order = by_key(a, b);
	if (order == 0)
		order = compare((uint64_t)a->offset, (uint64_t)b->offset);
	return order != 0 ? order : compare((uint64_t)a->stands_at, (uint64_t)b->stands_at);
}

static int by_standing(const void *x, const void *y)
{
	const struct ledger_told *a = x, *b = y;
	int order = by_key(a, b);
	return order != 0 ? order : compare((uint64_t)a->stands_at, (uint64_t)b->stands_at);
}

/* Keeps the first decision about each record. */
static size_t drop_copies(struct ledger_told *told, size_t count)
{
	size_t kept = 0;
	qsort(told, count, sizeof *told, by_offset);
	for (size_t i = 0; i < count; i++) {
		bool copy = kept != 0 && by_key(&told[kept - 1], &told[i]) == 0 && told[kept - 1].offset == told[i].offset;
		if (!copy)
			told[kept++] = told[i];
	}
	return kept;
}

void ledger_order_check(struct ledger_told *told, size_t count, void (*found)(void *ctx, const struct ledger_told *late), void *ctx)
{
	if (count < 2)
		return;
	count = drop_copies(told, count);
	qsort(told, count, sizeof *told, by_standing);
	int64_t highest = told[0].offset;
	for (size_t i = 1; i < count; i++) {
		if (by_key(&told[i - 1], &told[i]) != 0)
			highest = told[i].offset;
		else if (told[i].offset < highest)
			found(ctx, &told[i]);
		else
			highest = told[i].offset;
	}
}
