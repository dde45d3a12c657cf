/*
 * scope.c: two sorted lists of scores, and what follows from their order.
 */
#include "worker/lab/scope.h"

#include <math.h>
#include <stdlib.h>

#include "common/arena.h"

struct scores {
	double *values;
	size_t count, cap;
};

struct scope {
	struct scores sides[2]; /* of routes, of none */
	bool sorted;
};

struct scope *scope_new(void)
{
	return heap_zalloc(1, sizeof(struct scope));
}

void scope_free(struct scope *s)
{
	if (s == NULL)
		return;
	free(s->sides[0].values);
	free(s->sides[1].values);
	free(s);
}

void scope_add(struct scope *s, double score, bool none)
{
	struct scores *side = &s->sides[none];
	if (side->count == side->cap) {
		side->cap = side->cap != 0 ? side->cap * 2 : 1024;
		side->values = heap_resize(side->values, side->cap, sizeof *side->values);
	}
	side->values[side->count++] = score;
	s->sorted = false;
}

int64_t scope_rows(const struct scope *s, bool none)
{
	return (int64_t)s->sides[none].count;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static void sort(struct scope *s)
{
	for (int i = 0; i < 2 && !s->sorted; i++)
		if (s->sides[i].count != 0)
			qsort(s->sides[i].values, s->sides[i].count, sizeof *s->sides[i].values, by_value);
	s->sorted = true;
}

double scope_auroc(struct scope *s)
{
	const struct scores *in = &s->sides[0], *none = &s->sides[1];
	double pairs = 0;
	size_t under = 0, upto = 0; /* of none: lower than the score at hand, and not higher */
	sort(s);
	for (size_t i = 0; i < in->count; i++) {
		while (under < none->count && none->values[under] < in->values[i])
			under++;
		while (upto < none->count && none->values[upto] <= in->values[i])
			upto++;
		pairs += ((double)under + (double)upto) / 2;
	}
	return in->count != 0 && none->count != 0 ? pairs / (double)in->count / (double)none->count : NAN;
}

double scope_threshold(struct scope *s, double retained)
{
	const struct scores *in = &s->sides[0];
	sort(s);
	return in->count != 0 ? in->values[(size_t)((1 - retained) * (double)in->count)] : NAN;
}

struct share scope_caught(struct scope *s, double threshold)
{
	const struct scores *none = &s->sides[1];
	size_t n = 0;
	sort(s);
	while (n < none->count && none->values[n] < threshold)
		n++;
	return share_of((int64_t)n, (int64_t)none->count);
}
