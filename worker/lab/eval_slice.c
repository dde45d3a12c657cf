/*
 * eval_slice.c: the figures again for each value of each attribute.
 *
 * The one idea: an attribute with few values is a slice, one with many is an id. It is counted until it shows more than
 * EVAL_MAX_VALUES values, and then dropped; so nobody has to say which is which, and the memory is bounded.
 */
#include "worker/lab/eval_tally.h"

#include <math.h>
#include <stdlib.h>

enum { MAX_VALUE_BYTES = 128 };

struct value {
	struct str text;
	struct eval_tally tally;
};
struct sliced {
	struct str name;
	bool dropped;
	struct value *values; /* EVAL_MAX_VALUES */
	uint32_t count;
};
struct eval_slicer {
	struct arena arena;
	struct sliced names[EVAL_MAX_SLICED];
	uint32_t count;
};

struct eval_slicer *eval_slicer_new(void)
{
	struct eval_slicer *s = heap_zalloc(1, sizeof *s);
	arena_init(&s->arena, 0);
	return s;
}

static void drop(struct sliced *name)
{
	for (uint32_t i = 0; i < name->count; i++)
		eval_tally_free(&name->values[i].tally);
	free(name->values);
	*name = (struct sliced){.name = name->name, .dropped = true};
}

void eval_slicer_free(struct eval_slicer *s)
{
	if (s == NULL)
		return;
	for (uint32_t i = 0; i < s->count; i++)
		drop(&s->names[i]);
	arena_free(&s->arena);
	free(s);
}

static bool is_wanted(const struct eval_setup *setup, struct str name)
{
	for (uint32_t i = 0; i < setup->slice_count; i++)
		if (str_eq(setup->slices[i], name))
			return true;
	return setup->slice_count == 0;
}

static struct sliced *find_name(struct eval_slicer *s, const struct eval_setup *setup, struct str name)
{
	for (uint32_t i = 0; i < s->count; i++)
		if (str_eq(s->names[i].name, name))
			return &s->names[i];
	if (s->count == EVAL_MAX_SLICED || !is_wanted(setup, name))
		return NULL;
	struct sliced *made = &s->names[s->count++];
	*made = (struct sliced){.name = arena_str(&s->arena, name), .values = heap_zalloc(EVAL_MAX_VALUES, sizeof *made->values)};
	return made;
}

static struct value *find_value(struct eval_slicer *s, struct sliced *name, uint32_t routes, struct str text)
{
	for (uint32_t i = 0; i < name->count; i++)
		if (str_eq(name->values[i].text, text))
			return &name->values[i];
	if (name->count == EVAL_MAX_VALUES || text.len > MAX_VALUE_BYTES) {
		drop(name);
		return NULL;
	}
	struct value *made = &name->values[name->count++];
	made->text = arena_str(&s->arena, text);
	eval_tally_init(&made->tally, routes);
	return made;
}

void eval_slicer_add(struct eval_slicer *s, const struct eval_setup *setup, const struct eval_row *row)
{
	for (uint32_t i = 0; i < row->slice_count; i++) {
		struct sliced *name = find_name(s, setup, row->slices[i].name);
		struct value *value = name != NULL && !name->dropped ? find_value(s, name, setup->routes, row->slices[i].value) : NULL;
		if (value != NULL)
			eval_tally_add(&value->tally, setup, row);
	}
}

static void find_worst(const struct eval_tally *t, uint32_t routes, struct eval_slice *slice)
{
	slice->worst = EVAL_NONE;
	slice->worst_right = share_of(0, 0);
	for (uint32_t i = 0; i < routes; i++) {
		const struct eval_tally_class *c = &t->classes[i];
		struct share right = share_of(c->right, c->support);
		if (c->support < EVAL_CLASS_NEEDS || c->right == c->support)
			continue;
		if (slice->worst != EVAL_NONE && right.share >= slice->worst_right.share)
			continue;
		slice->worst = (int)i;
		slice->worst_right = right;
	}
	slice->consistent = slice->worst != EVAL_NONE && slice->worst_right.high < 0.5;
}

static int worst_first(const void *a, const void *b)
{
	const struct eval_slice *x = a, *y = b;
	if (x->consistent != y->consistent)
		return x->consistent ? -1 : 1;
	double p = x->summary.misroutes.share, q = y->summary.misroutes.share;
	if (p != q)
		return p < q ? 1 : -1;
	if (x->summary.rows != y->summary.rows)
		return x->summary.rows < y->summary.rows ? 1 : -1;
	int order = str_cmp(x->name, y->name);
	return order != 0 ? order : str_cmp(x->value, y->value);
}

struct eval_slice *eval_slicer_result(const struct eval_slicer *s, const struct eval_setup *setup, int64_t min_rows, struct arena *arena, uint32_t *ret_count)
{
	size_t most = 0;
	for (uint32_t i = 0; i < s->count; i++)
		most += s->names[i].count;
	struct eval_slice *slices = arena_array(arena, most, sizeof *slices);
	uint32_t n = 0;
	for (uint32_t i = 0; i < s->count; i++) {
		const struct sliced *name = &s->names[i];
		for (uint32_t k = 0; k < name->count && (name->count > 1 || setup->slice_count != 0); k++) {
			const struct eval_tally *t = &name->values[k].tally;
			if (t->rows < min_rows)
				continue;
			slices[n] = (struct eval_slice){.name = name->name, .value = name->values[k].text, .summary = eval_tally_summary(t, setup)};
			find_worst(t, setup->routes, &slices[n++]);
		}
	}
	qsort(slices, n, sizeof *slices, worst_first);
	*ret_count = n;
	return slices;
}
