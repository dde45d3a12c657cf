/*
 * eval_scores.c: rows for curves.
 */
#include "worker/cli/eval_scores.h"

#include <math.h>
#include <stdlib.h>

enum { FIRST_ROWS = 1024, CHARS_A_TOKEN = 4 };
static const double JUST_BELOW = -1e-9;

static void add(struct eval_scores *s, struct eval_score_rows *to, struct curve_row row)
{
	if (to->count == EVAL_MAX_SCORES) {
		s->full = true;
		return;
	}
	if (to->count == to->cap) {
		to->cap = to->cap == 0 ? FIRST_ROWS : to->cap * 2;
		to->rows = heap_resize(to->rows, to->cap, sizeof *to->rows);
	}
	to->rows[to->count++] = row;
}

static int route_named(const struct policy *policy, struct str name)
{
	for (uint32_t i = 0; i < policy_route_count(policy); i++)
		if (str_eq(policy_route(policy, i)->name, name))
			return (int)i;
	return EVAL_NONE;
}

static void add_stage(struct eval_scores *s, uint32_t at, const struct policy *policy, const struct eval_setup *setup, int label,
                      const struct decided_stage *said, bool decided)
{
	struct eval_stage_scores *stage = &s->stages[at];
	int route = said->label.data != NULL ? route_named(policy, said->label) : EVAL_NONE;
	if (route == EVAL_NONE || !isfinite(said->score) || !isfinite(said->threshold))
		return;
	bool right = eval_is_right(setup, label, route);
	stage->name = said->name;
	add(s, &stage->rows, (struct curve_row){.score = said->score, .error_taken = right ? 0 : 1});
	stage->decided += decided;
	stage->wrong += decided && !right;
}

/* It went where it gets less than it needs: to another route that is not dearer than its own. */
static bool is_risky(const struct eval_setup *setup, int label, int route)
{
	if (eval_is_right(setup, label, route))
		return false;
	return label == EVAL_NONE || setup->prices[route] <= setup->prices[label];
}

/* Of people and other systems behind a topic nothing is known. */
static double call_cost(const struct eval_setup *setup, int route, const struct decided *d)
{
	double tokens = (double)d->chars / CHARS_A_TOKEN;
	return isfinite(setup->prices[route]) ? setup->prices[route] * tokens : 0;
}

/* Where the row went or would have gone first, had the thresholds been lower; and by how much. */
struct choice {
	int route;
	double above;
};

static struct choice choice_of(const struct policy *policy, const struct decided *d)
{
	bool scored = isfinite(d->confidence) && isfinite(d->threshold);
	struct choice c = {d->route, scored ? fmax(d->confidence - d->threshold, 0) : 1};
	if (!d->unsure)
		return c;
	c.above = -2;
	for (uint32_t i = 0; i < d->stage_count; i++) {
		const struct decided_stage *said = &d->said[i];
		int route = said->label.data != NULL ? route_named(policy, said->label) : EVAL_NONE;
		if (route == EVAL_NONE || !isfinite(said->score) || !isfinite(said->threshold) || said->score - said->threshold <= c.above)
			continue;
		c = (struct choice){route, said->score - said->threshold};
	}
	c.above = fmin(c.above, JUST_BELOW); /* one that was too close to the next lies above its threshold and is unsure all the same */
	return c;
}

void eval_scores_add(struct eval_scores *s, const struct policy *policy, const struct eval_setup *setup, int label, const struct decided *d)
{
	for (uint32_t i = 0; i < d->stage_count; i++)
		add_stage(s, i, policy, setup, label, &d->said[i], (int)i == d->stage);
	if (setup->prices == NULL)
		return;
	int safe = setup->when_unsure;
	struct choice c = choice_of(policy, d);
	s->unsure += d->unsure;
	add(s, &s->whole, (struct curve_row){.score = c.above,
	                                     .error_taken = is_risky(setup, label, c.route), .error_left = is_risky(setup, label, safe),
	                                     .cost_taken = call_cost(setup, c.route, d), .cost_left = call_cost(setup, safe, d)});
}

void eval_scores_free(struct eval_scores *s)
{
	for (uint32_t i = 0; i < EVAL_MAX_STAGES; i++)
		free(s->stages[i].rows.rows);
	free(s->whole.rows);
	*s = (struct eval_scores){0};
}
