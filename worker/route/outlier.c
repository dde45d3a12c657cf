/*
 * outlier.c: the stage of a backlog's groups: which group a text belongs to, and whether it is unlike all of them.
 *
 * The one idea: a model that was tried on what a backlog is full of is trusted with more of it, and with nothing else. A text that is far
 * from every group goes to the route that is careful; one that is near gets the group's name, and is left to the next stage, or goes to
 * `near_route`. What decides is one number against one limit: of a far text how far it is (1 - cosine), of a near one its cosine.
 */
#include <math.h>
#include <stdlib.h>

#include "worker/route/groups.h"
#include "worker/route/kernels.h"
#include "worker/route/policy_load.h"

enum { MAX_FILE_BYTES = 64 << 20 };

struct outlier {
	struct groups *groups;
	struct static_model *model;
	int route, near_route; /* near_route -1: none */
	double far;            /* NAN: the groups' own limits */
	int share;
};

struct outlier_settings {
	const struct node *groups, *route, *near_route, *far;
	int share;
};

struct outlier_scratch {
	float *vector;
	int8_t *whole;
};

#define KEEP(field) .kind = OPTION_CUSTOM, .offset = offsetof(struct outlier_settings, field), .parse = policy_keep_node
static const struct config_option outlier_options[] = {
	{.name = "groups", KEEP(groups), .required = true, .doc = "A file that `pointsman train --groups` wrote."},
	{.name = "route", KEEP(route), .required = true, .doc = "The route of texts that are far from every group."},
	{.name = "near_route", KEEP(near_route),
	 .doc = "The route of texts that belong to a group; without it they get the group's name and the next stage decides."},
	{.name = "far", KEEP(far),
	 .doc = "A text is far from a group when its cosine is below this, 0 to 1; without it each group has its own limit, from its rows."},
	{.name = "far_share", .kind = OPTION_ENUM, .offset = offsetof(struct outlier_settings, share), .choices = groups_share_names,
	 .fallback = "0.05", .doc = "Without `far`: what share of a group's own rows counts as far from it."},
	{.name = NULL},
};
#undef KEEP

static enum rc read_far(const struct node *node, double *ret, struct err *err)
{
	*ret = NAN;
	if (node == NULL)
		return RC_OK;
	if (node->kind != NODE_SCALAR || !str_to_double(node->scalar, ret) || !(*ret >= 0 && *ret <= 1))
		return config_error(node, err, "a cosine from 0 to 1 is expected");
	return RC_OK;
}

static enum rc read_groups(struct outlier *o, struct stage_setup *setup, const struct node *node, struct err *err)
{
	struct policy *policy = setup->policy;
	struct str file;
	struct err why = {""};
	enum rc rc = policy_read_asset(policy, node, MAX_FILE_BYTES, setup->brief, &file, err);
	if (rc == RC_OK)
		rc = policy_static_model(policy, &o->model, err);
	if (rc == RC_OK && groups_open(file, static_model_version(o->model), &policy->arena, &o->groups, &why) != RC_OK)
		rc = config_error(node, err, "%.*s: %s", STR_ARG(node->scalar), why.text);
	if (rc == RC_OK && groups_embedder(o->groups) == GROUPS_STATIC && groups_dim(o->groups) != static_model_dim(o->model))
		rc = config_error(node, err, "%.*s: its groups have %u numbers, the table's vectors have %u", STR_ARG(node->scalar),
		                  groups_dim(o->groups), static_model_dim(o->model));
	return rc;
}

static enum rc outlier_open(struct stage_setup *setup, void **ret, struct err *err)
{
	struct outlier_settings settings = {0};
	struct policy *policy = setup->policy;
	struct outlier *o = arena_zalloc(&policy->arena, sizeof *o);
	o->near_route = -1;
	enum rc rc = config_bind(outlier_options, setup->node, &settings, setup->brief, err);
	if (rc == RC_OK)
		rc = read_groups(o, setup, settings.groups, err);
	if (rc == RC_OK)
		rc = policy_refer_route(policy, settings.route, &o->route, err);
	if (rc == RC_OK && settings.near_route != NULL)
		rc = policy_refer_route(policy, settings.near_route, &o->near_route, err);
	if (rc == RC_OK)
		rc = read_far(settings.far, &o->far, err);
	if (rc != RC_OK)
		return rc;
	o->share = settings.share;
	policy->inputs.embedding |= groups_embedder(o->groups) == GROUPS_GIVEN;
	canon_str(setup->canon, groups_version(o->groups));
	canon_u64(setup->canon, (uint64_t)o->route);
	canon_u64(setup->canon, (uint64_t)(o->near_route + 1));
	canon_double(setup->canon, isnan(o->far) ? 2 : o->far);
	canon_u64(setup->canon, isnan(o->far) ? (uint64_t)o->share : 0);
	*ret = o;
	return RC_OK;
}

static void *outlier_scratch_new(const void *stage)
{
	const struct outlier *o = stage;
	struct outlier_scratch *scratch = heap_zalloc(1, sizeof *scratch);
	scratch->vector = heap_zalloc(groups_dim(o->groups), sizeof *scratch->vector);
	scratch->whole = heap_zalloc(groups_dim(o->groups), 1);
	return scratch;
}

static void outlier_scratch_free(void *ptr)
{
	struct outlier_scratch *scratch = ptr;
	if (scratch == NULL)
		return;
	free(scratch->vector);
	free(scratch->whole);
	free(scratch);
}

/* The text's direction; 0 when it has none, with the verdict and the reason in turn. */
static float direction(const struct outlier *o, struct stage_turn *turn, struct outlier_scratch *scratch, enum verdict *verdict)
{
	const struct request *req = &turn->job->req;
	*verdict = VERDICT_PASS;
	if (groups_embedder(o->groups) == GROUPS_STATIC) {
		turn->trace->reason = STR("the text holds no word that the table knows");
		return document_embed(o->model, turn->text->shown, groups_windows(o->groups), scratch->vector)
		           ? kernels_direction(scratch->vector, groups_dim(o->groups), scratch->whole) : 0;
	}
	turn->trace->reason = STR("the record has no embedding");
	if (req->embedding == NULL || req->embedding_len == 0)
		return 0;
	*verdict = VERDICT_FAILED;
	turn->trace->reason = STR("the record's embedding is all zeros or not finite");
	if (req->embedding_len == groups_dim(o->groups))
		return kernels_direction(req->embedding, req->embedding_len, scratch->whole);
	turn->trace->reason = arena_printf(&turn->job->arena, "the record's embedding has %u values, the groups have %u", req->embedding_len,
	                                   groups_dim(o->groups));
	return 0;
}

static enum verdict judge(const struct outlier *o, struct stage_turn *turn, const struct groups_found *found)
{
	struct str name = groups_name(o->groups, found->nearest);
	struct stage_trace *trace = turn->trace;
	double cosine = (double)found->cosine, limit = (double)found->limit;
	bool by_nearness = !found->far && o->near_route >= 0;
	trace->score = by_nearness ? cosine : 1 - cosine;
	trace->threshold = by_nearness ? limit : 1 - limit;
	if (found->far) {
		trace->reason = arena_printf(&turn->job->arena, "far from every group: nearest is %.*s (%.2f, from %.2f on it is near)", STR_ARG(name),
		                             cosine, limit);
		turn->route = o->route;
		return VERDICT_DECIDED;
	}
	trace->reason = arena_printf(&turn->job->arena, "of the group %.*s (%.2f, %.2f is near)", STR_ARG(name), cosine, limit);
	turn->job->dec.group_id = name;
	turn->route = o->near_route;
	return o->near_route >= 0 ? VERDICT_DECIDED : VERDICT_PASS;
}

static enum verdict outlier_decide(const void *stage, struct stage_turn *turn)
{
	const struct outlier *o = stage;
	struct outlier_scratch *scratch = turn->scratch;
	struct groups_found found;
	enum verdict verdict;
	turn->trace->asset_version = groups_version(o->groups);
	float inverse = direction(o, turn, scratch, &verdict);
	if (inverse == 0)
		return verdict;
	groups_find(o->groups, scratch->whole, inverse, o->far, o->share, &found);
	return judge(o, turn, &found);
}

const struct stage_ops outlier_stage = {
	.name = "outlier",
	.version = 1,
	.measured_in_languages = true,
	.open = outlier_open,
	.scratch_new = outlier_scratch_new,
	.scratch_free = outlier_scratch_free,
	.decide = outlier_decide,
};
