/*
 * calibrate_choose.c: choosing thresholds stage by stage.
 *
 * The one idea: a set of thresholds is one table, stage by route, and calibrate_decide runs the answers of a row down it as the
 * router would. Choosing changes one stage's line of the table, with the rest as it stands; so a choice is always made on the rows
 * that really reach the stage, and priced with what really becomes of a row that is passed on.
 */
#include "worker/lab/calibrate_choose.h"

#include <math.h>

enum { COST_ROUNDS = 3, HALVINGS = 24, CURVE_POINTS = 200 };

static uint32_t routes_of(const struct calibrate_work *w) { return w->setup->eval.routes; }

struct calibrate_table calibrate_table_new(const struct calibrate_setup *setup, struct arena *arena)
{
	size_t cells = (size_t)setup->stage_count * setup->eval.routes;
	struct calibrate_table t = {
		arena_array(arena, cells, sizeof(double)),
		arena_array(arena, cells, sizeof(bool)),
		arena_array(arena, setup->stage_count, sizeof(double)),
		arena_array(arena, setup->stage_count, sizeof(int64_t)),
	};
	return t;
}

/* What is in force. */
void calibrate_table_now(const struct calibrate_setup *setup, struct calibrate_table *t)
{
	for (uint32_t s = 0; s < setup->stage_count; s++) {
		const struct stage_info *info = &setup->stages[s];
		t->accept[s] = info->accept;
		for (uint32_t r = 0; info->thresholds != NULL && r < setup->eval.routes; r++) {
			t->thresholds[(size_t)s * setup->eval.routes + r] = info->thresholds[r];
			t->own[(size_t)s * setup->eval.routes + r] = info->thresholds[r] != info->accept;
		}
	}
}

/* ---- deciding -------------------------------------------------------------------------------------------------------- */

bool calibrate_is_open(const struct stage_answer *a)
{
	return a->route >= 0 && !a->barred && isfinite(a->score);
}

static bool takes(const struct calibrate_setup *setup, const struct calibrate_table *t, uint32_t stage, const struct stage_answer *a)
{
	if (setup->stages[stage].thresholds == NULL)
		return a->verdict == VERDICT_DECIDED && a->route >= 0;
	return calibrate_is_open(a) && a->score >= t->thresholds[(size_t)stage * setup->eval.routes + (uint32_t)a->route];
}

/* From stage `from` on: the one that decides; the count of stages: none. */
uint32_t calibrate_decide(const struct calibrate_setup *setup, const struct calibrate_table *t, const struct calibrate_row *row, uint32_t from)
{
	while (from < setup->stage_count && !takes(setup, t, from, &row->answers[from]))
		from++;
	return from;
}

int calibrate_goes(const struct calibrate_setup *setup, const struct calibrate_row *row, uint32_t stage)
{
	return stage < setup->stage_count ? row->answers[stage].route : setup->eval.when_unsure;
}

static double cost_of(const struct calibrate_setup *setup, int label, int route)
{
	if (setup->eval.costs == NULL || eval_is_right(&setup->eval, label, route))
		return 0;
	uint32_t line = label == EVAL_NONE ? setup->eval.routes : (uint32_t)label;
	double cost = setup->eval.costs[(size_t)line * setup->eval.routes + (uint32_t)route];
	return isnan(cost) ? 0 : cost;
}

/* ---- choosing for one stage ------------------------------------------------------------------------------------------ */

struct group {
	struct curve_row *rows;
	uint32_t count;
};

/* The rows that reach the stage and that it could decide, by route. Returns how many; sets *ret_decided to the rows, chosen on or
 * not, that are decided before it. */
static uint32_t gather(struct calibrate_work *w, const struct calibrate_table *t, uint32_t stage, struct group *groups, int64_t *ret_decided)
{
	const struct calibrate_setup *setup = w->setup;
	uint32_t total = 0;
	*ret_decided = 0;
	for (int pass = 0; pass < 2; pass++) { /* count, then fill */
		for (uint32_t r = 0; pass == 1 && r < routes_of(w); r++) {
			groups[r].rows = arena_array(&w->brief, groups[r].count, sizeof *groups[r].rows);
			total += groups[r].count;
			groups[r].count = 0;
		}
		for (uint32_t i = 0; i < setup->row_count; i++) {
			const struct calibrate_row *row = &setup->rows[i];
			const struct stage_answer *a = &row->answers[stage];
			if ((int)row->fold == w->held)
				continue;
			if (calibrate_decide(setup, t, row, 0) < stage) {
				*ret_decided += pass;
				continue;
			}
			if (!calibrate_is_open(a))
				continue;
			struct group *group = &groups[a->route];
			if (pass == 1) {
				int left = calibrate_goes(setup, row, calibrate_decide(setup, t, row, stage + 1));
				group->rows[group->count] = (struct curve_row){a->score, !eval_is_right(&setup->eval, row->label, a->route),
				                                               !eval_is_right(&setup->eval, row->label, left),
				                                               cost_of(setup, row->label, a->route), cost_of(setup, row->label, left)};
			}
			group->count++;
		}
	}
	return total;
}

/* Routes with fewer rows than `least` are one group, the last. Returns its size. */
static uint32_t pool_rest(struct calibrate_work *w, struct group *groups, uint32_t least, bool *own)
{
	uint32_t count = 0;
	struct group *rest = &groups[routes_of(w)];
	for (uint32_t r = 0; r < routes_of(w); r++) {
		own[r] = groups[r].count >= least && groups[r].count != 0;
		count += own[r] ? 0 : groups[r].count;
	}
	rest->rows = arena_array(&w->brief, count, sizeof *rest->rows);
	rest->count = 0;
	for (uint32_t r = 0; r < routes_of(w); r++)
		for (uint32_t i = 0; !own[r] && i < groups[r].count; i++)
			rest->rows[rest->count++] = groups[r].rows[i];
	return count;
}

static double in_range(const struct curve_point *p)
{
	return p->taken == 0 || p->threshold > 1 ? 1 : p->threshold < 0 ? 0 : p->threshold;
}

/* Chooses for the groups with one goal, and writes the stage's line. Returns the rows taken. */
static int64_t choose_groups(struct calibrate_work *w, struct calibrate_table *t, uint32_t stage, struct group *groups, struct curve_goal goal)
{
	uint32_t routes = routes_of(w), n = 0;
	double *line = t->thresholds + (size_t)stage * routes, highest = -1;
	bool *own = t->own + (size_t)stage * routes;
	uint32_t rest = pool_rest(w, groups, w->setup->route_rows, own);
	struct curve *curves = arena_array(&w->brief, (size_t)routes + 1, sizeof *curves);
	uint32_t *of = arena_array(&w->brief, (size_t)routes + 1, sizeof *of), *at = arena_array(&w->brief, (size_t)routes + 1, sizeof *at);
	for (uint32_t r = 0; r < routes; r++)
		if (own[r]) {
			of[n] = r;
			curves[n++] = curve_make(groups[r].rows, groups[r].count, &w->brief);
		}
	bool pooled = rest != 0 && (n == 0 || rest >= w->setup->route_rows);
	if (pooled) {
		of[n] = routes;
		curves[n++] = curve_make(groups[routes].rows, rest, &w->brief);
	}
	w->reached = curve_choose(curves, n, goal, at) && w->reached;
	int64_t taken = 0;
	for (uint32_t i = 0; i < n; i++) {
		const struct curve_point *p = &curves[i].points[at[i]];
		taken += p->taken;
		if (of[i] == routes) {
			t->accept[stage] = in_range(p);
			continue;
		}
		line[of[i]] = in_range(p);
		highest = line[of[i]] > highest ? line[of[i]] : highest;
	}
	if (!pooled && rest != 0) /* too few to say anything of: as careful as the most careful of the others */
		t->accept[stage] = highest;
	for (uint32_t r = 0; r < routes; r++)
		if (!own[r])
			line[r] = t->accept[stage];
	return taken;
}

static void choose_stage(struct calibrate_work *w, struct calibrate_table *t, uint32_t stage, struct curve_goal goal)
{
	const struct calibrate_setup *setup = w->setup;
	struct group *groups = arena_array(&w->brief, (size_t)routes_of(w) + 1, sizeof *groups);
	int64_t decided = 0;
	uint32_t rows = gather(w, t, stage, groups, &decided);
	if (goal.kind == CURVE_SHARE && rows != 0) {
		int64_t all = 0;
		for (uint32_t i = 0; i < setup->row_count; i++)
			all += (int)setup->rows[i].fold != w->held;
		goal.value = (goal.value * (double)all - (double)decided) / rows;
	}
	t->taken[stage] = choose_groups(w, t, stage, groups, goal);
	arena_reset(&w->brief);
}

/* ---- choosing for all ------------------------------------------------------------------------------------------------ */

static double decided_share(const struct calibrate_work *w, const struct calibrate_table *t)
{
	int64_t rows = 0, decided = 0;
	for (uint32_t i = 0; i < w->setup->row_count; i++) {
		if ((int)w->setup->rows[i].fold == w->held)
			continue;
		rows++;
		decided += calibrate_decide(w->setup, t, &w->setup->rows[i], 0) < w->setup->stage_count;
	}
	return rows != 0 ? (double)decided / (double)rows : 0;
}

static void choose_all(struct calibrate_work *w, struct calibrate_table *t, enum curve_goal_kind kind)
{
	for (uint32_t s = 0; s < w->setup->stage_count; s++)
		if (w->tune[s])
			choose_stage(w, t, s, (struct curve_goal){kind, w->aims[s]});
}

/* The share is reached with the same rate of errors among the next rows in every stage, but for the last, which brings it to the row. */
static void choose_share(struct calibrate_work *w, struct calibrate_table *t, double share)
{
	uint32_t count = 0, last = 0;
	double low = 0, high = 1;
	for (uint32_t s = 0; s < w->setup->stage_count; s++)
		if (w->tune[s]) {
			count++;
			last = s;
		}
	for (int i = 0; i < HALVINGS && count > 1; i++) {
		double middle = (low + high) / 2;
		for (uint32_t s = 0; s <= last; s++)
			if (w->tune[s])
				choose_stage(w, t, s, (struct curve_goal){CURVE_SLOPE, middle});
		if (decided_share(w, t) >= share)
			high = middle;
		else
			low = middle;
	}
	for (uint32_t s = 0; s < w->setup->stage_count; s++)
		if (w->tune[s])
			choose_stage(w, t, s, s == last ? (struct curve_goal){CURVE_SHARE, share} : (struct curve_goal){CURVE_SLOPE, high});
}

void calibrate_solve(struct calibrate_work *w, struct calibrate_table *t)
{
	enum curve_goal_kind kind = w->setup->goal.kind;
	calibrate_table_now(w->setup, t);
	if (kind == CURVE_SHARE) {
		choose_share(w, t, w->setup->goal.value);
		return;
	}
	for (int i = 0; i < (kind == CURVE_COST ? COST_ROUNDS : 1); i++)
		choose_all(w, t, kind);
}

/* One threshold for all routes, on the rows that reach the stage. */
struct curve calibrate_whole_curve(struct calibrate_work *w, const struct calibrate_table *t, uint32_t stage)
{
	struct group *groups = arena_array(&w->brief, (size_t)routes_of(w) + 1, sizeof *groups);
	bool *own = arena_array(&w->brief, routes_of(w), sizeof *own);
	int64_t decided = 0;
	(void)gather(w, t, stage, groups, &decided); /* its count is the group's, below */
	uint32_t count = pool_rest(w, groups, UINT32_MAX, own);
	struct curve all = curve_make(groups[routes_of(w)].rows, count, w->arena), thin = curve_thin(&all, CURVE_POINTS, w->arena);
	arena_reset(&w->brief);
	return thin;
}
