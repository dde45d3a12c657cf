/*
 * eval.c: counts, and the figures that follow from them.
 *
 * The one idea: all is kept as whole counts (the confusion matrix, per stage, per slice) and turned into shares when asked for, so
 * millions of rows need no memory of their own but four bytes each for the times.
 */
#include "worker/lab/eval_tally.h"

#include <math.h>
#include <stdlib.h>

struct stage_tally {
	const char *name;
	int64_t reached, failed, asked, decided, right;
};

struct eval {
	struct arena arena;
	struct eval_setup setup;
	struct eval_tally all;
	uint32_t *confusion; /* (routes + 1) x routes, as costs */
	struct stage_tally stages[EVAL_MAX_STAGES];
	uint32_t stage_count;
	uint32_t *nanos;
	size_t nanos_count, nanos_cap;
	bool nanos_sorted;
	struct eval_slicer *slicer;
};

bool eval_is_right(const struct eval_setup *setup, int label, int route)
{
	return route == (label == EVAL_NONE ? setup->when_unsure : label);
}

/* ---- tally ----------------------------------------------------------------------------------------------------------- */

void eval_tally_init(struct eval_tally *t, uint32_t routes)
{
	*t = (struct eval_tally){.classes = heap_zalloc(routes, sizeof *t->classes)};
}

void eval_tally_free(struct eval_tally *t)
{
	free(t->classes);
	t->classes = NULL;
}

static size_t cell_at(const struct eval_setup *setup, int label, uint32_t route)
{
	return (size_t)(label == EVAL_NONE ? setup->routes : (uint32_t)label) * setup->routes + route;
}

void eval_tally_add(struct eval_tally *t, const struct eval_setup *setup, const struct eval_row *row)
{
	bool right = eval_is_right(setup, row->label, row->route), none = row->label == EVAL_NONE;
	t->rows++;
	t->right += right;
	t->unsure += row->unsure;
	t->none += none;
	t->none_caught += none && right;
	t->kept += !none && !row->unsure;
	if (!none) {
		t->classes[row->label].support++;
		t->classes[row->label].right += right;
	}
	if (!none || !right) /* a row for none of the routes that was caught is no mistake of the safe route */
		t->classes[row->route].taken++;
	if (right)
		return;
	bool wasted = !none && setup->prices != NULL && setup->prices[row->route] > setup->prices[row->label];
	double cost = setup->costs != NULL ? setup->costs[cell_at(setup, row->label, (uint32_t)row->route)] : 0;
	t->wasted += wasted;
	t->unpriced += isnan(cost) != 0;
	t->cost += isnan(cost) ? 0 : cost;
	t->cost_wasted += isnan(cost) || !wasted ? 0 : cost;
}

static struct eval_class figures_of(const struct eval_tally_class *c)
{
	double right = c->right;
	return (struct eval_class){
	    c->support,
	    c->taken,
	    c->right,
	    c->taken != 0 ? right / c->taken : NAN,
	    c->support != 0 ? right / c->support : NAN,
	    c->support + c->taken != 0 ? 2 * right / ((double)c->support + c->taken) : NAN,
	};
}

struct eval_summary eval_tally_summary(const struct eval_tally *t, const struct eval_setup *setup)
{
	double f1 = 0;
	uint32_t with_rows = 0;
	for (uint32_t i = 0; i < setup->routes; i++)
		if (t->classes[i].support != 0) {
			f1 += figures_of(&t->classes[i]).f1;
			with_rows++;
		}
	return (struct eval_summary){
	    .rows = t->rows,
	    .right = t->right,
	    .accuracy = t->rows != 0 ? (double)t->right / (double)t->rows : NAN,
	    .macro_f1 = with_rows != 0 ? f1 / with_rows : NAN,
	    .misroutes = share_of(t->rows - t->right, t->rows),
	    .unsure = share_of(t->unsure, t->rows),
	    .out_of_scope = share_of(t->none_caught, t->none),
	    .kept = share_of(t->kept, t->rows - t->none),
	    .cost = setup->costs != NULL ? t->cost : NAN,
	    .unpriced = setup->costs != NULL ? (double)t->unpriced : NAN,
	    .wasted = t->wasted,
	    .risky = t->rows - t->right - t->wasted,
	    .cost_wasted = setup->costs != NULL ? t->cost_wasted : NAN,
	    .cost_risky = setup->costs != NULL ? t->cost - t->cost_wasted : NAN,
	};
}

/* ---- eval ------------------------------------------------------------------------------------------------------------ */

struct eval *eval_new(const struct eval_setup *setup)
{
	struct eval *e = heap_zalloc(1, sizeof *e);
	size_t cells = ((size_t)setup->routes + 1) * setup->routes;
	arena_init(&e->arena, 0);
	e->setup = *setup;
	if (setup->costs != NULL) {
		double *costs = arena_array(&e->arena, cells, sizeof *costs);
		memcpy(costs, setup->costs, cells * sizeof *costs);
		e->setup.costs = costs;
	}
	if (setup->prices != NULL) {
		double *prices = arena_array(&e->arena, setup->routes, sizeof *prices);
		memcpy(prices, setup->prices, setup->routes * sizeof *prices);
		e->setup.prices = prices;
	}
	struct str *names = arena_array(&e->arena, setup->slice_count, sizeof *names);
	for (uint32_t i = 0; i < setup->slice_count; i++)
		names[i] = arena_str(&e->arena, setup->slices[i]);
	e->setup.slices = names;
	e->confusion = heap_zalloc(cells, sizeof *e->confusion);
	eval_tally_init(&e->all, setup->routes);
	e->slicer = eval_slicer_new();
	return e;
}

void eval_free(struct eval *e)
{
	if (e == NULL)
		return;
	eval_slicer_free(e->slicer);
	eval_tally_free(&e->all);
	free(e->confusion);
	free(e->nanos);
	arena_free(&e->arena);
	free(e);
}

static void add_stages(struct eval *e, const struct eval_row *row)
{
	for (uint32_t i = 0; i < row->stage_count && i < EVAL_MAX_STAGES; i++) {
		struct stage_tally *stage = &e->stages[i];
		stage->name = row->stages[i];
		stage->reached++;
		stage->failed += row->verdicts[i] == VERDICT_FAILED;
		stage->asked += row->verdicts[i] == VERDICT_ASK;
		if (i >= e->stage_count)
			e->stage_count = i + 1;
	}
	if (row->stage >= 0 && row->stage < EVAL_MAX_STAGES) {
		e->stages[row->stage].decided++;
		e->stages[row->stage].right += eval_is_right(&e->setup, row->label, row->route);
	}
}

void eval_add(struct eval *e, const struct eval_row *row)
{
	eval_tally_add(&e->all, &e->setup, row);
	e->confusion[cell_at(&e->setup, row->label, (uint32_t)row->route)]++;
	add_stages(e, row);
	eval_slicer_add(e->slicer, &e->setup, row);
	if (e->nanos_count == e->nanos_cap) {
		e->nanos_cap = e->nanos_cap != 0 ? e->nanos_cap * 2 : 4096;
		e->nanos = heap_resize(e->nanos, e->nanos_cap, sizeof *e->nanos);
	}
	e->nanos[e->nanos_count++] = row->nanos;
	e->nanos_sorted = false;
}

struct eval_summary eval_summary(const struct eval *e) { return eval_tally_summary(&e->all, &e->setup); }
struct eval_class eval_class(const struct eval *e, uint32_t route) { return figures_of(&e->all.classes[route]); }
int64_t eval_cell(const struct eval *e, int label, uint32_t route) { return e->confusion[cell_at(&e->setup, label, route)]; }
uint32_t eval_stages(const struct eval *e) { return e->stage_count; }

struct eval_stage eval_stage(const struct eval *e, uint32_t index)
{
	const struct stage_tally *s = &e->stages[index];
	return (struct eval_stage){s->name, s->reached, s->failed, s->asked, share_of(s->decided, e->all.rows), share_of(s->right, s->decided)};
}

/* The class of a label, if it is consistently wrong. */
static bool find_consistent(const struct eval *e, int label, struct eval_consistent *ret)
{
	int64_t rows = 0, right = 0, most = 0;
	struct eval_consistent found = {.label = label};
	for (uint32_t k = 0; k < e->setup.routes; k++) {
		int64_t cell = eval_cell(e, label, k);
		rows += cell;
		if (eval_is_right(&e->setup, label, (int)k)) {
			right += cell;
		} else if (cell > most) {
			most = cell;
			found.route = k;
		}
	}
	found.rows = most;
	found.wrong = share_of(rows - right, rows);
	*ret = found;
	return rows >= EVAL_CLASS_NEEDS && found.wrong.low > 0.5;
}

uint32_t eval_consistent(const struct eval *e, struct eval_consistent *ret, uint32_t most)
{
	uint32_t count = 0;
	for (int label = EVAL_NONE; label < (int)e->setup.routes; label++) {
		struct eval_consistent found;
		if (!find_consistent(e, label, &found))
			continue;
		uint32_t at = count;
		while (at > 0 && ret[at - 1].wrong.low < found.wrong.low)
			at--;
		if (at == most)
			continue;
		count += count < most;
		memmove(&ret[at + 1], &ret[at], (count - at - 1) * sizeof found);
		ret[at] = found;
	}
	return count;
}

static int by_size(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return (x > y) - (x < y);
}

double eval_micros(struct eval *e, double quantile)
{
	if (e->nanos_count == 0)
		return NAN;
	if (!e->nanos_sorted)
		qsort(e->nanos, e->nanos_count, sizeof *e->nanos, by_size);
	e->nanos_sorted = true;
	size_t at = (size_t)(quantile * (double)(e->nanos_count - 1) + 0.5);
	return e->nanos[at < e->nanos_count ? at : e->nanos_count - 1] / 1000.0;
}

struct eval_slice *eval_slices(const struct eval *e, int64_t min_rows, struct arena *arena, uint32_t *ret_count)
{
	return eval_slicer_result(e->slicer, &e->setup, min_rows, arena, ret_count);
}
