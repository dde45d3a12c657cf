/*
 * classifier_stage.c: the stage of the trained classifier. It decides when the best route's probability reaches its threshold and the
 * text is like what the classifier was trained on.
 */
#include <math.h>

#include "worker/route/classifier.h"
#include "worker/route/policy_load.h"
#include "worker/route/thresholds.h"

struct stage {
	struct classifier *classifier;
	int *route_of; /* by label */
	const double *accept; /* by route */
	bool any_scope;
};

struct stage_settings {
	const struct node *model;
	struct thresholds_settings thresholds;
	bool any_scope;
};

static const struct config_option options[] = {
	{.name = "model", .kind = OPTION_CUSTOM, .offset = offsetof(struct stage_settings, model), .parse = policy_keep_node, .required = true,
	 .doc = "A file that `pointsman train` wrote; its labels are routes."},
	THRESHOLDS_OPTIONS(struct stage_settings, thresholds),
	{.name = "any_scope", .kind = OPTION_BOOL, .offset = offsetof(struct stage_settings, any_scope), .fallback = "false",
	 .doc = "Decide on texts too that are unlike all that it was trained on."},
	{.name = NULL},
};

static enum rc name_routes(struct stage *s, struct policy *policy, const struct node *at, struct err *err)
{
	uint32_t count = classifier_label_count(s->classifier);
	s->route_of = arena_array(&policy->arena, count, sizeof *s->route_of);
	for (uint32_t i = 0; i < count; i++) {
		struct str label = classifier_label(s->classifier, i);
		s->route_of[i] = policy_find_route(policy, label);
		if (s->route_of[i] < 0)
			return config_error(at, err, "the classifier knows the label \"%.*s\", and no route has that name",
			                    (int)(label.len < 64 ? label.len : 64), label.data);
		policy->reachable[s->route_of[i]] = true;
	}
	return RC_OK;
}

static enum rc stage_open(struct stage_setup *setup, void **ret, struct err *err)
{
	struct stage_settings settings = {0};
	struct policy *policy = setup->policy;
	struct static_model *model = NULL;
	struct stage *s = arena_zalloc(&policy->arena, sizeof *s);
	struct str file;
	struct err why = {""};
	enum rc rc = config_bind(options, setup->node, &settings, setup->brief, err);
	if (rc == RC_OK)
		rc = policy_read_asset(policy, settings.model, CLASSIFIER_MAX_BYTES, setup->brief, &file, err);
	if (rc == RC_OK)
		rc = policy_static_model(policy, &model, err);
	if (rc == RC_OK && classifier_open(file, model, &policy->arena, &s->classifier, &why) != RC_OK)
		rc = config_error(settings.model, err, "%.*s: %s", STR_ARG(settings.model->scalar), why.text);
	if (rc == RC_OK)
		rc = name_routes(s, policy, settings.model, err);
	if (rc == RC_OK)
		rc = thresholds_open(setup, &settings.thresholds, &setup->thresholds, err);
	if (rc != RC_OK)
		return rc;
	s->accept = setup->thresholds->by_route;
	s->any_scope = setup->any_scope = settings.any_scope;
	canon_str(setup->canon, classifier_version(s->classifier));
	canon_u64(setup->canon, s->any_scope);
	*ret = s;
	return RC_OK;
}

void *classifier_stage_bare(struct policy *policy, struct classifier *classifier)
{
	struct stage *s = arena_zalloc(&policy->arena, sizeof *s);
	uint32_t count = classifier_label_count(classifier);
	double *accept = arena_array(&policy->arena, count, sizeof *accept);
	*s = (struct stage){.accept = accept, .classifier = classifier, .route_of = arena_array(&policy->arena, count, sizeof *s->route_of), .any_scope = true};
	for (uint32_t i = 0; i < count; i++) {
		s->route_of[i] = (int)i;
		accept[i] = 0;
	}
	return s;
}

static void *scratch_new(const void *stage)
{
	return classifier_scratch_new(((const struct stage *)stage)->classifier);
}

static void scratch_free(void *scratch)
{
	classifier_scratch_free(scratch);
}

static enum verdict decide(const void *stage, struct stage_turn *turn)
{
	const struct stage *s = stage;
	struct stage_trace *trace = turn->trace;
	struct classified found;
	classifier_run(s->classifier, turn->scratch, turn->text->shown, &found);
	struct str best = classifier_label(s->classifier, found.best), second = classifier_label(s->classifier, found.second);
	trace->asset_version = classifier_version(s->classifier);
	trace->label = best;
	trace->score = (double)found.confidence;
	trace->runner_up = found.second != found.best ? second : STR_NULL;
	trace->runner_up_score = found.second != found.best ? (double)found.second_confidence : NAN;
	trace->in_scope = (double)found.in_scope;
	turn->route = s->route_of[found.best];
	trace->threshold = s->accept[turn->route];
	turn->learned = turn->held_out && classifier_knows(s->classifier, turn->scratch);
	bool sure = (double)found.confidence >= trace->threshold, known = found.known || s->any_scope;
	turn->barred = !known;
	struct buf reason;
	buf_init(&reason, &turn->job->arena, POLICY_MAX_REASON);
	buf_printf(&reason, "classified as %.*s (%.2f, %.2f %s)", STR_ARG(best), (double)found.confidence, trace->threshold,
	           sure ? "is enough" : "would be enough");
	if (!known)
		buf_printf(&reason, "; unlike what it was trained on (%.2f, from %.2f on it is alike)", (double)found.in_scope,
		           (double)classifier_threshold(s->classifier));
	trace->reason = buf_view(&reason);
	return sure && known ? VERDICT_DECIDED : VERDICT_PASS;
}

const struct stage_ops classifier_stage = {
	.name = "classifier",
	.version = 1,
	.measured_in_languages = true,
	.open = stage_open,
	.scratch_new = scratch_new,
	.scratch_free = scratch_free,
	.decide = decide,
};
