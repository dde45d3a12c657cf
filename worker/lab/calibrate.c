/*
 * calibrate.c: choosing thresholds stage by stage.
 *
 * The one idea: a set of thresholds is one table, stage by route, and `decide` runs the answers of a row down it as the router would.
 * Choosing changes one stage's line of the table, with the rest as it stands; so a choice is always made on the rows that really
 * reach the stage, and priced with what really becomes of a row that is passed on.
 */
#include "worker/lab/calibrate.h"

#include <math.h>
#include <stdlib.h>

enum { COST_ROUNDS = 3, HALVINGS = 24, TIGHTENINGS = 8, CURVE_POINTS = 200, ALL_FOLDS = -1 };
static const double tightening = 0.85;

struct table {
	double *thresholds; /* stages * routes */
	bool *own;          /* likewise */
	double *accept;     /* by stage */
	enum calibrate_state *states;
	int64_t *taken;     /* by stage: what the choice decides */
};

struct work {
	const struct calibrate_setup *setup;
	struct arena *arena; /* of the result */
	struct arena brief;  /* of one choice */
	int held;            /* the fold that is not chosen on, or ALL_FOLDS */
	bool reached;
};

static uint32_t routes_of(const struct work *w) { return w->setup->eval.routes; }

static bool is_tunable(const struct calibrate_setup *setup, uint32_t stage)
{
	if (setup->stages[stage].thresholds == NULL)
		return false;
	for (uint32_t i = 0; i < setup->row_count; i++)
		if (setup->rows[i].answers[stage].route >= 0)
			return true;
	return false;
}

static struct table new_table(const struct calibrate_setup *setup, struct arena *arena)
{
	size_t cells = (size_t)setup->stage_count * setup->eval.routes;
	struct table t = {
		arena_array(arena, cells, sizeof(double)),
		arena_array(arena, cells, sizeof(bool)),
		arena_array(arena, setup->stage_count, sizeof(double)),
		arena_array(arena, setup->stage_count, sizeof(enum calibrate_state)),
		arena_array(arena, setup->stage_count, sizeof(int64_t)),
	};
	return t;
}

/* What is in force. */
static void fill_now(const struct calibrate_setup *setup, struct table *t)
{
	for (uint32_t s = 0; s < setup->stage_count; s++) {
		const struct stage_info *info = &setup->stages[s];
		t->accept[s] = info->accept;
		t->states[s] = CALIBRATE_KEPT;
		for (uint32_t r = 0; info->thresholds != NULL && r < setup->eval.routes; r++) {
			t->thresholds[(size_t)s * setup->eval.routes + r] = info->thresholds[r];
			t->own[(size_t)s * setup->eval.routes + r] = info->thresholds[r] != info->accept;
		}
	}
}

/* ---- deciding -------------------------------------------------------------------------------------------------------- */

static bool is_open(const struct stage_answer *a)
{
	return a->route >= 0 && !a->barred && isfinite(a->score);
}

static bool takes(const struct calibrate_setup *setup, const struct table *t, uint32_t stage, const struct stage_answer *a)
{
	if (setup->stages[stage].thresholds == NULL)
		return a->verdict == VERDICT_DECIDED && a->route >= 0;
	return is_open(a) && a->score >= t->thresholds[(size_t)stage * setup->eval.routes + (uint32_t)a->route];
}

/* From stage `from` on: the one that decides; the count of stages: none. */
static uint32_t decide(const struct calibrate_setup *setup, const struct table *t, const struct calibrate_row *row, uint32_t from)
{
	while (from < setup->stage_count && !takes(setup, t, from, &row->answers[from]))
		from++;
	return from;
}

static int route_by(const struct calibrate_setup *setup, const struct calibrate_row *row, uint32_t stage)
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
static uint32_t gather(struct work *w, const struct table *t, uint32_t stage, struct group *groups, int64_t *ret_decided)
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
			if (decide(setup, t, row, 0) < stage) {
				*ret_decided += pass;
				continue;
			}
			if (!is_open(a))
				continue;
			struct group *group = &groups[a->route];
			if (pass == 1) {
				int left = route_by(setup, row, decide(setup, t, row, stage + 1));
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
static uint32_t pool_rest(struct work *w, struct group *groups, uint32_t least, bool *own)
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
static int64_t choose_groups(struct work *w, struct table *t, uint32_t stage, struct group *groups, struct curve_goal goal)
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

static void choose_stage(struct work *w, struct table *t, uint32_t stage, struct curve_goal goal)
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
	t->states[stage] = CALIBRATE_CHOSEN;
	t->taken[stage] = choose_groups(w, t, stage, groups, goal);
	arena_reset(&w->brief);
}

/* ---- choosing for all ------------------------------------------------------------------------------------------------ */

static double decided_share(const struct work *w, const struct table *t)
{
	int64_t rows = 0, decided = 0;
	for (uint32_t i = 0; i < w->setup->row_count; i++) {
		if ((int)w->setup->rows[i].fold == w->held)
			continue;
		rows++;
		decided += decide(w->setup, t, &w->setup->rows[i], 0) < w->setup->stage_count;
	}
	return rows != 0 ? (double)decided / (double)rows : 0;
}

static void choose_all(struct work *w, struct table *t, const bool *tune, struct curve_goal goal)
{
	for (uint32_t s = 0; s < w->setup->stage_count; s++)
		if (tune[s])
			choose_stage(w, t, s, goal);
}

/* The share is reached with the same rate of errors among the next rows in every stage, but for the last, which brings it to the row. */
static void choose_share(struct work *w, struct table *t, const bool *tune, double share)
{
	uint32_t count = 0, last = 0;
	double low = 0, high = 1;
	for (uint32_t s = 0; s < w->setup->stage_count; s++)
		if (tune[s]) {
			count++;
			last = s;
		}
	for (int i = 0; i < HALVINGS && count > 1; i++) {
		double middle = (low + high) / 2;
		choose_all(w, t, tune, (struct curve_goal){CURVE_SLOPE, middle});
		if (decided_share(w, t) >= share)
			high = middle;
		else
			low = middle;
	}
	for (uint32_t s = 0; s < w->setup->stage_count; s++)
		if (tune[s])
			choose_stage(w, t, s, s == last ? (struct curve_goal){CURVE_SHARE, share} : (struct curve_goal){CURVE_SLOPE, high});
}

static void solve(struct work *w, struct table *t, const bool *tune, struct curve_goal goal)
{
	fill_now(w->setup, t);
	if (goal.kind == CURVE_SHARE)
		choose_share(w, t, tune, goal.value);
	else
		for (int i = 0; i < (goal.kind == CURVE_COST ? COST_ROUNDS : 1); i++)
			choose_all(w, t, tune, goal);
}

/* ---- figures --------------------------------------------------------------------------------------------------------- */

static void add_row(const struct calibrate_setup *setup, const struct table *t, const struct calibrate_row *row, struct eval *e)
{
	const char *names[EVAL_MAX_STAGES];
	uint8_t verdicts[EVAL_MAX_STAGES];
	uint32_t stage = decide(setup, t, row, 0), reached = stage < setup->stage_count ? stage + 1 : stage;
	for (uint32_t s = 0; s < reached && s < EVAL_MAX_STAGES; s++) {
		names[s] = setup->stages[s].name;
		verdicts[s] = s == stage ? VERDICT_DECIDED : VERDICT_PASS;
	}
	bool unsure = stage == setup->stage_count;
	eval_add(e, &(struct eval_row){.label = row->label, .route = route_by(setup, row, stage), .unsure = unsure,
	                               .stage = unsure ? -1 : (int)stage, .stages = names, .verdicts = verdicts, .stage_count = reached});
}

/* Each fold by what the others chose. */
static struct eval *try_held_out(struct work *w, const bool *tune, struct curve_goal goal)
{
	struct eval *e = eval_new(&w->setup->eval);
	struct arena arena;
	arena_init(&arena, 0);
	for (uint32_t fold = 0; fold < w->setup->folds; fold++) {
		struct table t = new_table(w->setup, &arena);
		w->held = (int)fold;
		solve(w, &t, tune, goal);
		for (uint32_t i = 0; i < w->setup->row_count; i++)
			if (w->setup->rows[i].fold == fold)
				add_row(w->setup, &t, &w->setup->rows[i], e);
		arena_reset(&arena);
	}
	w->held = ALL_FOLDS;
	arena_free(&arena);
	return e;
}

struct share calibrate_misroutes(const struct eval *e)
{
	int64_t decided = 0, right = 0;
	for (uint32_t s = 0; s < eval_stages(e); s++) {
		struct eval_stage stage = eval_stage(e, s);
		decided += stage.decided.hits;
		right += stage.right.hits;
	}
	return share_of(decided - right, decided);
}

/* The rate of the stages that were chosen for: others' misroutes no threshold of theirs can change. */
static double chosen_rate(const struct eval *e, const bool *tune)
{
	int64_t decided = 0, right = 0;
	for (uint32_t s = 0; s < eval_stages(e); s++)
		if (tune[s]) {
			decided += eval_stage(e, s).decided.hits;
			right += eval_stage(e, s).right.hits;
		}
	return decided != 0 ? 1 - (double)right / (double)decided : 0;
}

static void count_routes(const struct work *w, const struct table *now, const struct table *t, uint32_t stage, struct calibrate_stage *out)
{
	const struct calibrate_setup *setup = w->setup;
	for (uint32_t i = 0; i < setup->row_count; i++) {
		const struct calibrate_row *row = &setup->rows[i];
		const struct stage_answer *a = &row->answers[stage];
		if (!is_open(a))
			continue;
		struct calibrate_route *route = &out->routes[a->route];
		bool wrong = !eval_is_right(&setup->eval, row->label, a->route);
		uint32_t before = decide(setup, now, row, 0), after = decide(setup, t, row, 0);
		route->now += before == stage;
		route->now_wrong += before == stage && wrong;
		route->proposed += after == stage;
		route->proposed_wrong += after == stage && wrong;
		route->rows += after >= stage;
		out->rows += after >= stage;
	}
	for (uint32_t r = 0; r < routes_of(w); r++)
		out->routes[r].own = t->own[(size_t)stage * routes_of(w) + r];
}

/* One threshold for all routes, on the rows that reach the stage. */
static struct curve whole_curve(struct work *w, const struct table *t, uint32_t stage)
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

/* ---- all of it ------------------------------------------------------------------------------------------------------- */

static int64_t rows_needed(struct curve_goal goal)
{
	return goal.kind == CURVE_MISROUTE ? curve_needs(goal.value) : CALIBRATE_LEAST_ROWS;
}

/* Chooses on all rows; a stage whose rows cannot show the goal keeps its thresholds, and the others are chosen for anew. */
static void settle(struct work *w, struct table *t, bool *tune, struct curve_goal goal, struct calibrate_stage *stages)
{
	int64_t needed = rows_needed(w->setup->goal);
	bool again = true;
	while (again) {
		again = false;
		w->reached = true;
		solve(w, t, tune, goal);
		for (uint32_t s = 0; !again && s < w->setup->stage_count; s++) {
			if (!tune[s])
				continue;
			int64_t shown = goal.kind == CURVE_MISROUTE ? t->taken[s] : whole_curve(w, t, s).rows;
			if (shown >= needed)
				continue;
			tune[s] = false;
			stages[s].state = CALIBRATE_TOO_FEW;
			stages[s].needed = needed;
			stages[s].reachable = shown;
			again = true;
		}
	}
}

static struct eval *under(const struct calibrate_setup *setup, const struct table *t)
{
	struct eval *e = eval_new(&setup->eval);
	for (uint32_t i = 0; i < setup->row_count; i++)
		add_row(setup, t, &setup->rows[i], e);
	return e;
}

static void report_stages(struct work *w, const struct table *now, const struct table *t, const bool *tune, struct calibrate_stage *stages)
{
	for (uint32_t s = 0; s < w->setup->stage_count; s++) {
		struct calibrate_stage *out = &stages[s];
		if (tune[s])
			out->state = CALIBRATE_CHOSEN;
		out->accept = t->accept[s];
		out->thresholds = t->thresholds + (size_t)s * routes_of(w);
		out->routes = arena_array(w->arena, routes_of(w), sizeof *out->routes);
		if (w->setup->stages[s].thresholds == NULL)
			continue;
		count_routes(w, now, t, s, out);
		out->curve = whole_curve(w, t, s);
	}
}

void calibrate(const struct calibrate_setup *setup, struct arena *arena, struct calibrate_result *ret)
{
	struct work w = {.setup = setup, .arena = arena, .held = ALL_FOLDS};
	struct table now = new_table(setup, arena), t = new_table(setup, arena);
	struct curve_goal goal = setup->goal;
	bool *tune = arena_array(arena, setup->stage_count, sizeof *tune);
	arena_init(&w.brief, 1 << 16);
	fill_now(setup, &now);
	*ret = (struct calibrate_result){.now = under(setup, &now)};
	for (int i = 0; i < TIGHTENINGS; i++, goal.value *= tightening) {
		eval_free(ret->proposed);
		ret->stages = arena_array(arena, setup->stage_count, sizeof *ret->stages);
		for (uint32_t s = 0; s < setup->stage_count; s++)
			tune[s] = is_tunable(setup, s);
		settle(&w, &t, tune, goal, ret->stages);
		ret->reached = w.reached;
		ret->aimed = goal.value;
		ret->proposed = try_held_out(&w, tune, goal);
		if (goal.kind != CURVE_MISROUTE || chosen_rate(ret->proposed, tune) <= setup->goal.value)
			break;
		ret->reached = false;
	}
	report_stages(&w, &now, &t, tune, ret->stages);
	arena_free(&w.brief);
}

void calibrate_free(struct calibrate_result *result)
{
	eval_free(result->now);
	eval_free(result->proposed);
	*result = (struct calibrate_result){0};
}
