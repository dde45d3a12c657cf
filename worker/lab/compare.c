/*
 * compare.c: counts of pairs of decisions.
 *
 * The one idea: routes are told apart by name, because two policies number theirs differently; what a name changed to is a small
 * table, found by a hash of the two names' places in memory, which a policy never moves.
 */
#include "worker/lab/compare.h"

#include <stdlib.h>

#include "worker/lab/stats.h"

struct compare {
	struct compare_counts counts;
	struct compare_change *slots; /* rows 0: free */
	size_t slot_count, used;      /* a power of two, at most half of it used */
};

enum { FIRST_SLOTS = 256 };

struct compare *compare_new(void)
{
	struct compare *c = heap_zalloc(1, sizeof *c);
	c->slot_count = FIRST_SLOTS;
	c->slots = heap_zalloc(c->slot_count, sizeof *c->slots);
	return c;
}

void compare_free(struct compare *c)
{
	if (c == NULL)
		return;
	free(c->slots);
	free(c);
}

static struct compare_change *slot_of(struct compare_change *slots, size_t count, struct str from, struct str to)
{
	uint64_t hash = ((uint64_t)(uintptr_t)from.data * UINT64_C(0x9E3779B97F4A7C15)) ^ ((uint64_t)(uintptr_t)to.data * UINT64_C(0xC2B2AE3D27D4EB4F));
	size_t at = (size_t)(hash >> 32) & (count - 1);
	while (slots[at].rows != 0 && (slots[at].from.data != from.data || slots[at].to.data != to.data))
		at = (at + 1) & (count - 1);
	return &slots[at];
}

static void grow(struct compare *c)
{
	size_t count = c->slot_count * 2;
	struct compare_change *slots = heap_zalloc(count, sizeof *slots);
	for (size_t i = 0; i < c->slot_count; i++)
		if (c->slots[i].rows != 0)
			*slot_of(slots, count, c->slots[i].from, c->slots[i].to) = c->slots[i];
	free(c->slots);
	c->slots = slots;
	c->slot_count = count;
}

void compare_add(struct compare *c, struct str first, bool first_right, struct str second, bool second_right)
{
	struct compare_counts *n = &c->counts;
	n->rows++;
	n->both += first_right && second_right;
	n->neither += !first_right && !second_right;
	n->only_first += first_right && !second_right;
	n->only_second += !first_right && second_right;
	if (str_eq(first, second))
		return;
	n->changed++;
	struct compare_change *change = slot_of(c->slots, c->slot_count, first, second);
	if (change->rows == 0) {
		change->from = first;
		change->to = second;
		c->used++;
	}
	change->rows++;
	change->better += !first_right && second_right;
	change->worse += first_right && !second_right;
	if (c->used * 2 > c->slot_count)
		grow(c);
}

struct compare_counts compare_counts(const struct compare *c)
{
	struct compare_counts counts = c->counts;
	counts.p = mcnemar(counts.only_first, counts.only_second, &counts.exact);
	return counts;
}

static int most_first(const void *a, const void *b)
{
	const struct compare_change *x = a, *y = b;
	if (x->rows != y->rows)
		return x->rows < y->rows ? 1 : -1;
	int order = str_cmp(x->from, y->from);
	return order != 0 ? order : str_cmp(x->to, y->to);
}

struct compare_change *compare_changes(const struct compare *c, struct arena *arena, uint32_t *ret_count)
{
	struct compare_change *changes = arena_array(arena, c->used, sizeof *changes);
	uint32_t n = 0;
	for (size_t i = 0; i < c->slot_count; i++)
		if (c->slots[i].rows != 0)
			changes[n++] = c->slots[i];
	if (n != 0)
		qsort(changes, n, sizeof *changes, most_first);
	*ret_count = n;
	return changes;
}
