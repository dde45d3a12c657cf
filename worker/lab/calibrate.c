/*
 * calibrate.c: choosing on all rows, and trying the choice on rows that it was not made on.
 *
 * The one idea: a stage keeps its thresholds unless the rows show that new ones do what was asked: enough rows, and on folds that did
 * not choose no more misroutes than the goal allows. Where there are more, the stage aims lower and tries again.
 */
#include "worker/lab/calibrate_choose.h"

enum { TIGHTENINGS = 8 };
static const double tightening = 0.85;

/* ---- figures --------------------------------------------------------------------------------------------------------- */

static void add_row(const struct calibrate_setup *setup, const struct calibrate_table *t, const struct calibrate_row *row, struct eval *e)
{
	const char *names[EVAL_MAX_STAGES];
	uint8_t verdicts[EVAL_MAX_STAGES];
	uint32_t stage = calibrate_decide(setup, t, row, 0), reached = stage < setup->stage_count ? stage + 1 : stage;
	for (uint32_t s = 0; s < reached && s < EVAL_MAX_STAGES; s++) {
		names[s] = setup->stages[s].name;
		verdicts[s] = s == stage ? VERDICT_DECIDED : VERDICT_PASS;
	}
	bool unsure = stage == setup->stage_count;
	eval_add(e, &(struct eval_row){.label = row->label, .route = calibrate_goes(setup, row, stage), .unsure = unsure,
	                               .stage = unsure ? -1 : (int)stage, .stages = names, .verdicts = verdicts, .stage_count = reached});
}

/* Each fold by what the others chose. */
static struct eval *try_held_out(struct calibrate_work *w)
{
	struct eval *e = eval_new(&w->setup->eval);
	struct arena arena;
	arena_init(&arena, 0);
	for (uint32_t fold = 0; fold < w->setup->folds; fold++) {
		struct calibrate_table t = calibrate_table_new(w->setup, &arena);
		w->held = (int)fold;
		calibrate_solve(w, &t);
		for (uint32_t i = 0; i < w->setup->row_count; i++)
			if (w->setup->rows[i].fold == fold)
				add_row(w->setup, &t, &w->setup->rows[i], e);
		arena_reset(&arena);
	}
	w->held = CALIBRATE_ALL_FOLDS;
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

static void count_routes(const struct calibrate_work *w, const struct calibrate_table *now, const struct calibrate_table *t, uint32_t stage, struct calibrate_stage *out)
{
	const struct calibrate_setup *setup = w->setup;
	for (uint32_t i = 0; i < setup->row_count; i++) {
		const struct calibrate_row *row = &setup->rows[i];
		const struct stage_answer *a = &row->answers[stage];
		if (!calibrate_is_open(a))
			continue;
		struct calibrate_route *route = &out->routes[a->route];
		bool wrong = !eval_is_right(&setup->eval, row->label, a->route);
		uint32_t before = calibrate_decide(setup, now, row, 0), after = calibrate_decide(setup, t, row, 0);
		route->now += before == stage;
		route->now_wrong += before == stage && wrong;
		route->proposed += after == stage;
		route->proposed_wrong += after == stage && wrong;
		route->rows += after >= stage;
		out->rows += after >= stage;
	}
	for (uint32_t r = 0; r < setup->eval.routes; r++)
		out->routes[r].own = t->own[(size_t)stage * setup->eval.routes + r];
}

/* ---- all of it ------------------------------------------------------------------------------------------------------- */

static bool is_tunable(const struct calibrate_setup *setup, uint32_t stage)
{
	if (setup->stages[stage].thresholds == NULL)
		return false;
	for (uint32_t i = 0; i < setup->row_count; i++)
		if (setup->rows[i].answers[stage].route >= 0)
			return true;
	return false;
}

/* Chooses on all rows; a stage whose rows are too few for the goal keeps its thresholds, and the others are chosen for anew. */
static void settle(struct calibrate_work *w, struct calibrate_table *t, struct calibrate_stage *stages)
{
	const struct curve_goal *goal = &w->setup->goal;
	int64_t needed = goal->kind == CURVE_MISROUTE ? curve_needs(goal->value) : CALIBRATE_LEAST_ROWS;
	for (bool again = true; again;) {
		again = false;
		w->reached = true;
		calibrate_solve(w, t);
		for (uint32_t s = 0; !again && s < w->setup->stage_count; s++) {
			if (!w->tune[s])
				continue;
			int64_t shown = goal->kind == CURVE_MISROUTE ? t->taken[s] : calibrate_whole_curve(w, t, s).rows;
			if (shown >= needed)
				continue;
			w->tune[s] = false;
			stages[s].state = CALIBRATE_TOO_FEW;
			stages[s].needed = needed;
			stages[s].reachable = shown;
			again = true;
		}
	}
}

/* Whether each stage keeps the goal on rows not chosen on. One that does not aims lower, or is given up. */
static bool keeps_goal(struct calibrate_work *w, const struct eval *held_out, bool give_up, struct calibrate_stage *stages)
{
	bool keeps = true;
	for (uint32_t s = 0; w->setup->goal.kind == CURVE_MISROUTE && s < eval_stages(held_out); s++) {
		struct share right = eval_stage(held_out, s).right;
		if (!w->tune[s])
			continue;
		stages[s].tried = share_of(right.rows - right.hits, right.rows);
		if (right.rows == 0 || stages[s].tried.share <= w->setup->goal.value)
			continue;
		keeps = false;
		if (give_up) {
			w->tune[s] = false;
			stages[s].state = CALIBRATE_NOT_KEPT;
		} else {
			w->aims[s] *= tightening;
		}
	}
	return keeps;
}

static struct eval *under(const struct calibrate_setup *setup, const struct calibrate_table *t)
{
	struct eval *e = eval_new(&setup->eval);
	for (uint32_t i = 0; i < setup->row_count; i++)
		add_row(setup, t, &setup->rows[i], e);
	return e;
}

static void report_stages(struct calibrate_work *w, const struct calibrate_table *now, const struct calibrate_table *t, struct calibrate_stage *stages)
{
	const struct calibrate_setup *setup = w->setup;
	for (uint32_t s = 0; s < setup->stage_count; s++) {
		struct calibrate_stage *out = &stages[s];
		if (w->tune[s])
			out->state = CALIBRATE_CHOSEN;
		out->aimed = w->aims[s];
		out->accept = t->accept[s];
		out->thresholds = t->thresholds + (size_t)s * setup->eval.routes;
		out->routes = arena_array(w->arena, setup->eval.routes, sizeof *out->routes);
		if (setup->stages[s].thresholds == NULL)
			continue;
		count_routes(w, now, t, s, out);
		out->curve = calibrate_whole_curve(w, t, s);
	}
}

void calibrate(const struct calibrate_setup *setup, struct arena *arena, struct calibrate_result *ret)
{
	struct calibrate_work w = {.setup = setup, .arena = arena, .held = CALIBRATE_ALL_FOLDS};
	struct calibrate_table now = calibrate_table_new(setup, arena), t = calibrate_table_new(setup, arena);
	arena_init(&w.brief, 1 << 16);
	calibrate_table_now(setup, &now);
	w.tune = arena_array(arena, setup->stage_count, sizeof *w.tune);
	w.aims = arena_array(arena, setup->stage_count, sizeof *w.aims);
	*ret = (struct calibrate_result){.stages = arena_array(arena, setup->stage_count, sizeof *ret->stages), .now = under(setup, &now)};
	for (uint32_t s = 0; s < setup->stage_count; s++) {
		w.tune[s] = is_tunable(setup, s);
		w.aims[s] = setup->goal.value;
	}
	for (int i = 0;; i++) {
		settle(&w, &t, ret->stages);
		ret->reached = w.reached;
		ret->proposed = try_held_out(&w);
		if (keeps_goal(&w, ret->proposed, i >= TIGHTENINGS, ret->stages))
			break;
		eval_free(ret->proposed);
	}
	report_stages(&w, &now, &t, ret->stages);
	arena_free(&w.brief);
}

void calibrate_free(struct calibrate_result *result)
{
	eval_free(result->now);
	eval_free(result->proposed);
	*result = (struct calibrate_result){0};
}
