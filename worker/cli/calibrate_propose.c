/*
 * calibrate_propose.c: from chosen thresholds to the policy's new text and its diff.
 *
 * The one idea: the text is made twice. The first one, with an empty seal, is loaded as a policy to learn the stages' seals; the
 * second has them, and is loaded again: only if it holds the thresholds that were chosen, and its marks, is it proposed.
 */
#include <math.h>
#include <stdlib.h>

#include "worker/cli/calibrate.h"
#include "worker/cli/whole_file.h"
#include "worker/lab/policy_edit.h"

bool calibrate_chose(const struct calibrate_work *work)
{
	for (uint32_t s = 0; s < policy_stage_count(work->policy); s++)
		if (work->result.stages[s].state == CALIBRATE_CHOSEN)
			return true;
	return false;
}

struct str calibrate_goal_words(const struct calibrate_asked *asked, struct arena *arena)
{
	switch (asked->goal.kind) {
	case CURVE_MISROUTE: return arena_printf(arena, "at most %g %% of what a stage decides goes wrong", asked->goal.value * 100);
	case CURVE_SHARE: return arena_printf(arena, "%g %% of all rows decided", asked->goal.value * 100);
	default: return STR("the least cost of errors");
	}
}

/* The marks that are there say the same: nothing to change. */
static bool stands(const struct calibrate_work *work, uint32_t s)
{
	const struct stage_info *info = &work->stages[s];
	const struct calibrate_stage *chosen = &work->result.stages[s];
	bool same = info->calibration == CALIBRATION_HOLDS && str_is(info->data, work->digest);
	for (uint32_t r = 0; same && r < work->eval.routes; r++)
		same = info->thresholds[r] == chosen->thresholds[r];
	return same;
}

static void fill_edit(struct calibrate_work *work, uint32_t s, struct policy_edit_stage *edit)
{
	const struct calibrate_stage *chosen = &work->result.stages[s];
	const struct stage_info *info = &work->stages[s];
	struct arena *arena = &work->arena;
	*edit = (struct policy_edit_stage){.stage = s, .accept = chosen->accept, .data = str_of(work->digest), .rows = work->count,
	                                   .seal = STR("0000000000000000")};
	if (chosen->accept != info->accept)
		edit->accept_comment = arena_printf(arena, "was %g", info->accept);
	edit->comment = calibrate_goal_words(work->asked, arena);
	edit->routes = arena_array(arena, work->eval.routes, sizeof *edit->routes);
	for (uint32_t r = 0; r < work->eval.routes; r++) {
		const struct calibrate_route *route = &chosen->routes[r];
		if (!route->own && chosen->thresholds[r] == chosen->accept)
			continue;
		edit->routes[edit->route_count++] = (struct policy_edit_threshold){
		    policy_route(work->policy, r)->name,
		    arena_printf(arena, "was %g: decides %lld of %lld rows, %lld wrong (%lld, %lld)", info->thresholds[r], (long long)route->proposed,
		                 (long long)route->rows, (long long)route->proposed_wrong, (long long)route->now, (long long)route->now_wrong),
		    chosen->thresholds[r]};
	}
}

static struct str folder_of(const char *path, struct arena *arena)
{
	const char *slash = strrchr(path, '/');
	return slash == NULL ? STR(".") : slash == path ? STR("/") : arena_str(arena, (struct str){path, (size_t)(slash - path)});
}

static enum rc load(const struct calibrate_work *work, struct str text, struct policy **ret, struct arena *arena, struct err *err)
{
	const char *path = work->settings->policy_file.data;
	return policy_parse(path, text, folder_of(path, arena).data, work->settings, ret, err);
}

/* What the proposed text says against what was chosen. */
static bool is_as_chosen(const struct calibrate_work *work, const struct policy *policy, const struct policy_edit_stage *edits, uint32_t count)
{
	bool same = policy_stage_count(policy) == policy_stage_count(work->policy);
	for (uint32_t i = 0; same && i < count; i++) {
		struct stage_info info = policy_stage_info(policy, edits[i].stage);
		same = info.calibration == CALIBRATION_HOLDS && info.rows == work->count;
		for (uint32_t r = 0; same && r < work->eval.routes; r++)
			same = info.thresholds[r] == work->result.stages[edits[i].stage].thresholds[r];
	}
	return same;
}

static enum rc make_text(struct calibrate_work *work, struct policy_edit_stage *edits, uint32_t count, struct err *err)
{
	const char *path = work->settings->policy_file.data;
	struct policy *policy = NULL;
	struct str text, diff;
	enum rc rc = policy_edit(path, work->policy_text, edits, count, &work->arena, &text, &diff, err);
	if (rc == RC_OK)
		rc = load(work, text, &policy, &work->arena, err);
	for (uint32_t i = 0; rc == RC_OK && i < count; i++)
		edits[i].seal = arena_str(&work->arena, policy_stage_info(policy, edits[i].stage).seal);
	policy_unref(policy);
	policy = NULL;
	if (rc == RC_OK)
		rc = policy_edit(path, work->policy_text, edits, count, &work->arena, &text, &diff, err);
	if (rc == RC_OK)
		rc = load(work, text, &policy, &work->arena, err);
	if (rc == RC_OK && !is_as_chosen(work, policy, edits, count))
		rc = err_set(err, RC_BAD_INPUT, "%s: its stages are written in a way that calibrate cannot change; --json says the thresholds", path);
	policy_unref(policy);
	if (rc != RC_OK)
		return rc;
	work->proposed_text = text;
	work->diff = diff;
	return RC_OK;
}

int calibrate_propose(struct calibrate_work *work)
{
	uint32_t stages = policy_stage_count(work->policy), count = 0;
	struct policy_edit_stage *edits = arena_array(&work->arena, stages, sizeof *edits);
	struct err err;
	for (uint32_t s = 0; work->result.reached && s < stages; s++)
		if (work->result.stages[s].state == CALIBRATE_CHOSEN && !stands(work, s))
			fill_edit(work, s, &edits[count++]);
	if (count == 0)
		return EXIT_DONE;
	if (make_text(work, edits, count, &err) == RC_OK)
		return EXIT_DONE;
	if (!work->asked->json)
		return cli_fail(&err, EXIT_CONFIG);
	fprintf(stderr, "%s\n", err.text); /* the object has the thresholds, without a diff */
	return EXIT_DONE;
}

int calibrate_write(struct calibrate_work *work)
{
	const char *path = work->settings->policy_file.data;
	struct str now;
	struct err err;
	if (config_read_file(&work->arena, path, MAX_POLICY_BYTES, &now, &err) != RC_OK)
		return cli_fail(&err, EXIT_FAILED);
	if (!str_eq(now, work->policy_text)) {
		fprintf(stderr, "%s: it was changed while its thresholds were calibrated; nothing is written\n", path);
		return EXIT_FAILED;
	}
	if (whole_file_replace(path, work->proposed_text, &err) != RC_OK)
		return cli_fail(&err, EXIT_FAILED);
	fprintf(stderr, "%s: written\n", path);
	return EXIT_DONE;
}
