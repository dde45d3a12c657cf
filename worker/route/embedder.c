/*
 * embedder.c: three ways to a unit vector, and what is wrong where there is none.
 *
 * The one idea: whoever made it, a vector is looked at before it is used: as long as the examples', finite, not all zeros. A remote
 * model's vector of another length is a failure with a name: another model answers there than the one that embedded the examples.
 * Vectors are not kept; the decision that was made by one is, in the cache.
 */
#include "worker/route/embedder.h"

#include "worker/route/policy_load.h"
#include "worker/route/vectors.h"

static const struct config_option remote_options[] = {
	ASK_OPTIONS(0),
	{.name = NULL},
};

static enum rc open_remote(struct stage_setup *setup, const struct node *node, struct embedder *ret, struct err *err)
{
	struct ask_settings settings = {0};
	const struct node *remote = config_get(node, "remote");
	if (remote == NULL || node->count != 1)
		return config_error_hint(node, err, "for example embedder: {remote: {model: NAME}}", "static, given or {remote: ...} is expected");
	enum rc rc = config_bind(remote_options, remote, &settings, setup->brief, err);
	if (rc == RC_OK)
		rc = ask_open(setup, &settings, &ret->ask, err);
	if (rc == RC_OK && setup->policy->embedder_count < POLICY_MAX_STAGES) /* a stage has one at most */
		setup->policy->embedders[setup->policy->embedder_count++] = ret->ask.model;
	ret->kind = EMBEDDER_REMOTE;
	return rc;
}

static const char *kind_name(const void *ctx, unsigned i)
{
	(void)ctx; /* the names are constant */
	return i == EMBEDDER_STATIC ? "static" : "given";
}

enum rc embedder_open(struct stage_setup *setup, const struct node *node, struct embedder *ret, struct err *err)
{
	*ret = (struct embedder){.kind = EMBEDDER_STATIC, .windows = 1};
	if (node != NULL && node->kind != NODE_SCALAR)
		return open_remote(setup, node, ret, err);
	if (node != NULL && str_is(node->scalar, "remote"))
		return config_error_hint(node, err, "embedder: {remote: {model: NAME}}", "remote needs the model that is asked");
	if (node != NULL && str_is(node->scalar, "given")) {
		ret->kind = EMBEDDER_GIVEN;
		return RC_OK;
	}
	if (node != NULL && !str_is(node->scalar, "static"))
		return config_error_unknown(node, err, "embedder", kind_name, NULL, EMBEDDER_REMOTE);
	return policy_static_model(setup->policy, &ret->model, err);
}

static enum verdict take_given(struct stage_turn *turn, uint32_t dim, float *vector)
{
	const struct request *req = &turn->job->req;
	if (req->embedding == NULL || req->embedding_len == 0) {
		turn->trace->reason = STR("the record has no embedding");
		return VERDICT_PASS;
	}
	if (req->embedding_len != dim) {
		turn->trace->reason = arena_printf(&turn->job->arena, "the record's embedding has %u values, the examples have %u",
		                                   req->embedding_len, dim);
		return VERDICT_FAILED;
	}
	if (vectors_unit(req->embedding, dim, vector))
		return VERDICT_DECIDED;
	turn->trace->reason = STR("the record's embedding is all zeros or not finite");
	return VERDICT_FAILED;
}

static enum verdict ask_remote(const struct embedder *e, struct stage_turn *turn)
{
	struct job *job = turn->job;
	if (str_trim(turn->text->shown).len == 0) { /* services refuse it, each in its own way */
		turn->trace->reason = STR("the text is empty");
		return VERDICT_PASS;
	}
	if (!ask_begin(&e->ask, turn, PURPOSE_EMBED))
		return VERDICT_PASS;
	struct message *message = arena_array(&job->arena, 1, sizeof *message);
	*message = (struct message){STR("user"), turn->text->shown};
	job->call.messages = message;
	job->call.message_count = 1;
	return VERDICT_ASK;
}

enum verdict embedder_embed(const struct embedder *e, struct stage_turn *turn, uint32_t dim, float *vector)
{
	if (e->kind == EMBEDDER_GIVEN)
		return take_given(turn, dim, vector);
	if (e->kind == EMBEDDER_REMOTE)
		return ask_remote(e, turn);
	if (document_embed(e->model, turn->text->shown, e->windows, vector))
		return VERDICT_DECIDED;
	turn->trace->reason = STR("the text holds no word that the table knows");
	return VERDICT_PASS;
}

enum verdict embedder_resume(const struct embedder *e, struct stage_turn *turn, uint32_t dim, float *vector)
{
	const struct call *call = &turn->job->call;
	(void)e; /* an answer needs no settings */
	if (!ask_answered(turn))
		return VERDICT_FAILED;
	if (call->vector_len != dim)
		return ask_useless(turn, "dimension", arena_printf(&turn->job->arena, "the embedding has %u values, the examples have %u; are "
		                   "they of the same model?", call->vector_len, dim));
	if (!vectors_unit(call->vector, dim, vector))
		return ask_useless(turn, "no_direction", STR("the embedding is all zeros"));
	return VERDICT_DECIDED;
}
