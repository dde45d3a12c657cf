/*
 * curve.c: curves of thresholds, and choosing from them.
 *
 * The one idea: lowering a threshold from one score to the next adds rows and errors. Over the lower convex hull of (rows taken,
 * errors) each step errs at a higher rate than the one before it; so choosing for several curves is taking the steps of all in
 * the order of their rate. What the hull leaves out is tried at the end, point by point.
 */
#include "worker/lab/curve.h"

#include <math.h>
#include <stdlib.h>

/* What sums of a million errors may lose in a double. */
static const double SLACK = 1e-9;

/* ---- the curve ------------------------------------------------------------------------------------------------------- */

struct ordered {
	double score;
	uint32_t row;
};

static int highest_first(const void *a, const void *b)
{
	const struct ordered *x = a, *y = b;
	if (x->score != y->score)
		return x->score < y->score ? 1 : -1;
	return x->row < y->row ? -1 : x->row > y->row;
}

double curve_between(double low, double high)
{
	double middle = low + (high - low) / 2, scale = 100;
	for (int digits = 2; digits <= 15; digits++, scale *= 10) {
		double rounded = round(middle * scale) / scale;
		if (rounded > low && rounded <= high)
			return rounded;
	}
	return high;
}

/* The first number of two decimals above score, or below. */
static double beyond(double score, bool above)
{
	double cents = above ? floor(score * 100) + 1 : ceil(score * 100) - 1;
	return cents / 100;
}

struct curve curve_make(const struct curve_row *rows, uint32_t count, struct arena *arena)
{
	struct ordered *order = arena_array(arena, count, sizeof *order);
	struct curve curve = {arena_array(arena, (size_t)count + 1, sizeof *curve.points), 1, count};
	struct curve_point now = {0};
	for (uint32_t i = 0; i < count; i++) {
		order[i] = (struct ordered){rows[i].score, i};
		now.errors += rows[i].error_left;
		now.cost += rows[i].cost_left;
	}
	if (count != 0)
		qsort(order, count, sizeof *order, highest_first);
	now.threshold = count != 0 ? beyond(order[0].score, true) : 1;
	curve.points[0] = now;
	for (uint32_t i = 0; i < count; i++) {
		const struct curve_row *row = &rows[order[i].row];
		now.taken++;
		now.errors_taken += row->error_taken;
		now.errors += row->error_taken - row->error_left;
		now.cost += row->cost_taken - row->cost_left;
		if (i + 1 < count && order[i + 1].score == order[i].score)
			continue;
		now.threshold = i + 1 < count ? curve_between(order[i + 1].score, order[i].score) : beyond(order[i].score, false);
		curve.points[curve.count++] = now;
	}
	return curve;
}

struct curve curve_thin(const struct curve *curve, uint32_t most, struct arena *arena)
{
	if (curve->count <= most || most < 2)
		return *curve;
	struct curve thin = {arena_array(arena, most, sizeof *thin.points), 0, curve->rows};
	for (uint32_t i = 0; i < curve->count; i++) {
		bool last = i + 1 == curve->count;
		double wanted = (double)curve->rows * thin.count / (most - 1);
		if (last || (thin.count + 1 < most && (double)curve->points[i].taken >= wanted))
			thin.points[thin.count++] = curve->points[i];
	}
	return thin;
}

/* ---- choosing -------------------------------------------------------------------------------------------------------- */

struct choice {
	const struct curve *curves;
	uint32_t count;
	struct curve_goal goal;
	uint32_t *at; /* the chosen points */
	uint32_t *next; /* per curve: the hull's point behind the chosen one; the curve's count: none */
	double *rate;   /* per curve: how often the step to it errs */
	double taken, errors, rows;
};

/* What a step is judged by. */
static double errors_of(const struct choice *c, uint32_t curve, uint32_t point)
{
	const struct curve_point *p = &c->curves[curve].points[point];
	return c->goal.kind == CURVE_QUALITY ? p->errors : p->errors_taken;
}

static double taken_of(const struct choice *c, uint32_t curve, uint32_t point)
{
	return (double)c->curves[curve].points[point].taken;
}

/* The hull's next point is the one that errs least for a row; of equals the farthest. */
static void find_next(struct choice *c, uint32_t curve)
{
	uint32_t from = c->at[curve], count = c->curves[curve].count;
	c->next[curve] = count;
	c->rate[curve] = INFINITY;
	for (uint32_t i = from + 1; i < count; i++) {
		double rate = (errors_of(c, curve, i) - errors_of(c, curve, from)) / (taken_of(c, curve, i) - taken_of(c, curve, from));
		if (rate <= c->rate[curve]) {
			c->rate[curve] = rate;
			c->next[curve] = i;
		}
	}
}

static void move(struct choice *c, uint32_t curve, uint32_t to)
{
	c->taken += taken_of(c, curve, to) - taken_of(c, curve, c->at[curve]);
	c->errors += errors_of(c, curve, to) - errors_of(c, curve, c->at[curve]);
	c->at[curve] = to;
}

/* Whether the goal's bound holds with the curve at that point. */
static bool holds(const struct choice *c, uint32_t curve, uint32_t point)
{
	double taken = c->taken + taken_of(c, curve, point) - taken_of(c, curve, c->at[curve]);
	double errors = c->errors + errors_of(c, curve, point) - errors_of(c, curve, c->at[curve]);
	switch (c->goal.kind) {
	case CURVE_MISROUTE: return errors <= c->goal.value * taken + SLACK;
	case CURVE_SHARE: return taken >= c->goal.value * c->rows - SLACK;
	case CURVE_QUALITY: return errors <= c->goal.value * c->rows + SLACK;
	case CURVE_SLOPE: return c->rate[curve] <= c->goal.value;
	default: return true;
	}
}

/* The curve whose next step errs least; -1: all are at their end. */
static int64_t least_rate(const struct choice *c)
{
	int64_t best = -1;
	for (uint32_t i = 0; i < c->count; i++)
		if (c->next[i] < c->curves[i].count && (best < 0 || c->rate[i] < c->rate[best]))
			best = i;
	return best;
}

/* Steps that keep the bound; then, for each curve, the farthest point that still does. */
static void take_while(struct choice *c)
{
	int64_t i;
	while ((i = least_rate(c)) >= 0 && holds(c, (uint32_t)i, c->next[i])) {
		move(c, (uint32_t)i, c->next[i]);
		find_next(c, (uint32_t)i);
	}
	for (uint32_t k = 0; c->goal.kind == CURVE_MISROUTE && k < c->count; k++)
		for (uint32_t to = c->curves[k].count - 1; to > c->at[k]; to--)
			if (holds(c, k, to)) {
				move(c, k, to);
				break;
			}
}

/* Steps until the bound holds; then, the last one first, each curve back to the nearest point with which it still does. */
static bool take_until(struct choice *c)
{
	int64_t last = -1, i;
	while (!holds(c, 0, c->at[0]) && (i = least_rate(c)) >= 0) {
		last = i;
		move(c, (uint32_t)i, c->next[i]);
		find_next(c, (uint32_t)i);
	}
	bool reached = holds(c, 0, c->at[0]);
	for (uint32_t round = 0; reached && last >= 0 && round <= c->count; round++) {
		uint32_t k = round == 0 ? (uint32_t)last : round - 1;
		for (uint32_t to = 0; to < c->at[k]; to++)
			if (holds(c, k, to)) {
				move(c, k, to);
				break;
			}
	}
	return reached;
}

static void least_cost(struct choice *c)
{
	for (uint32_t i = 0; i < c->count; i++)
		for (uint32_t k = 1; k < c->curves[i].count; k++)
			if (c->curves[i].points[k].cost <= c->curves[i].points[c->at[i]].cost)
				c->at[i] = k;
}

bool curve_choose(const struct curve *curves, uint32_t count, struct curve_goal goal, uint32_t *chosen)
{
	struct choice c = {.curves = curves, .count = count, .goal = goal, .at = chosen};
	bool reached = true;
	if (count == 0)
		return true;
	c.next = heap_zalloc(count, sizeof *c.next);
	c.rate = heap_zalloc(count, sizeof *c.rate);
	for (uint32_t i = 0; i < count; i++) {
		chosen[i] = 0;
		c.rows += (double)curves[i].rows;
		c.errors += errors_of(&c, i, 0);
		find_next(&c, i);
	}
	if (goal.kind == CURVE_COST)
		least_cost(&c);
	else if (goal.kind == CURVE_MISROUTE || goal.kind == CURVE_SLOPE)
		take_while(&c);
	else
		reached = take_until(&c);
	free(c.next);
	free(c.rate);
	return reached;
}

int64_t curve_needs(double share)
{
	static const double z95 = 1.959963984540054;
	if (share >= 1)
		return 1;
	return share <= 0 ? INT64_MAX : (int64_t)ceil(z95 * z95 * (1 - share) / share);
}
