/*
 * difficulty.c: the stage that sends a text to the strong model's route where the strong model is expected to gain enough, and to the
 * weak one's otherwise. It decides every text that it is asked about, so it stands behind the stages that know what a text is.
 */
#include <math.h>

#include "worker/route/gain.h"
#include "worker/route/policy_load.h"
#include "worker/route/thresholds.h"

enum { MAX_MODEL_BYTES = 1 << 28 };

struct stage {
	struct gain *gain;
	int weak, strong;
	double threshold;
};

struct stage_settings {
	const struct node *model, *weak, *strong;
	struct thresholds_settings threshold;
};

#define KEEP(field) .kind = OPTION_CUSTOM, .offset = offsetof(struct stage_settings, field), .parse = policy_keep_node
static const struct config_option options[] = {
	{.name = "model", KEEP(model), .required = true, .doc = "A file that `pointsman train --gain` wrote."},
	{.name = "weak", KEEP(weak), .required = true, .doc = "The route of texts that the weak model answers well enough."},
	{.name = "strong", KEEP(strong), .required = true, .doc = "The route of texts that gain by the strong model."},
	{.name = "threshold", .kind = OPTION_DOUBLE, .offset = offsetof(struct stage_settings, threshold.accept), .required = true, .min = -1, .max = 1,
	 .doc = "The least gain in quality, of at most 1, that is worth the strong model."},
	{.name = "calibrated", .kind = OPTION_CUSTOM, .offset = offsetof(struct stage_settings, threshold.calibrated), .parse = policy_keep_node,
	 .doc = "Written by `pointsman calibrate`: the data behind the threshold, and what it was calibrated for."},
	{.name = NULL},
};
#undef KEEP

static enum rc read_model(struct stage_setup *setup, const struct node *node, struct gain **ret, struct err *err)
{
	struct policy *policy = setup->policy;
	struct static_model *model = NULL;
	struct str file;
	struct err why = {""};
	enum rc rc = policy_read_asset(policy, node, MAX_MODEL_BYTES, setup->brief, &file, err);
	if (rc == RC_OK)
		rc = policy_static_model(policy, &model, err);
	if (rc == RC_OK && gain_open(file, model, &policy->arena, ret, &why) != RC_OK)
		rc = config_error(node, err, "%.*s: %s", STR_ARG(node->scalar), why.text);
	return rc;
}

static enum rc stage_open(struct stage_setup *setup, void **ret, struct err *err)
{
	struct stage_settings settings = {0};
	struct stage *s = arena_zalloc(&setup->policy->arena, sizeof *s);
	enum rc rc = config_bind(options, setup->node, &settings, setup->brief, err);
	if (rc == RC_OK)
		rc = policy_refer_route(setup->policy, settings.weak, &s->weak, err);
	if (rc == RC_OK)
		rc = policy_refer_route(setup->policy, settings.strong, &s->strong, err);
	if (rc == RC_OK && s->weak == s->strong)
		rc = config_error(settings.strong, err, "weak and strong are the same route");
	if (rc == RC_OK)
		rc = read_model(setup, settings.model, &s->gain, err);
	if (rc == RC_OK)
		rc = thresholds_open(setup, &settings.threshold, &setup->thresholds, err);
	if (rc != RC_OK)
		return rc;
	s->threshold = settings.threshold.accept;
	setup->thresholds->of_gain = true;
	canon_str(setup->canon, gain_version(s->gain));
	canon_str(setup->canon, policy_route(setup->policy, (uint32_t)s->weak)->name);
	canon_str(setup->canon, policy_route(setup->policy, (uint32_t)s->strong)->name);
	*ret = s;
	return RC_OK;
}

static void *scratch_new(const void *stage)
{
	return gain_scratch_new(((const struct stage *)stage)->gain);
}

static void scratch_free(void *scratch)
{
	gain_scratch_free(scratch);
}

static enum verdict decide(const void *stage, struct stage_turn *turn)
{
	const struct stage *s = stage;
	struct stage_trace *trace = turn->trace;
	struct gained found;
	gain_run(s->gain, turn->scratch, turn->text->shown, &found);
	bool strong = found.gain >= s->threshold;
	turn->route = strong ? s->strong : s->weak;
	turn->learned = turn->held_out && gain_has_learned(s->gain, turn->text->shown);
	trace->asset_version = gain_version(s->gain);
	trace->label = policy_route(turn->policy, (uint32_t)turn->route)->name;
	trace->score = found.gain;
	trace->threshold = s->threshold;
	struct buf reason;
	buf_init(&reason, &turn->job->arena, POLICY_MAX_REASON);
	buf_printf(&reason, "the strong model is expected to gain %.3f, %s %.3f", found.gain, strong ? "at least" : "under", s->threshold);
	if (found.topic.data != NULL)
		buf_printf(&reason, " (topic %.*s)", STR_ARG(found.topic));
	trace->reason = buf_view(&reason);
	return VERDICT_DECIDED;
}

const struct stage_ops difficulty_stage = {
	.name = "difficulty",
	.version = 1,
	.measured_in_languages = true,
	.open = stage_open,
	.scratch_new = scratch_new,
	.scratch_free = scratch_free,
	.decide = decide,
};
