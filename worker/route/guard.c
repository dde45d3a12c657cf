/*
 * guard.c: which models may see a record, and which of them are asked.
 *
 * The one idea: guards only ever take models away (a guard that replaces takes away all but its own), so their order is for the
 * reader and a second guard never undoes the first. What they find out stands in the decision, where every caller of a model
 * looks (decision_allows). Where a search is given up at its bound, the guard takes effect: in doubt the record stays.
 *
 * A topic route is no model: a record that is forwarded stays in Kafka, and only `reject` holds it back.
 */
#include "worker/route/guard.h"

#include <math.h>

/* One more effect for the audit; effect is copied, and cut where it is too long. */
static void note(struct job *job, struct str name, struct str effect)
{
	struct decision *dec = &job->dec;
	struct guard_effect *grown = arena_array(&job->arena, (size_t)dec->guard_count + 1, sizeof *grown);
	if (dec->guard_count != 0)
		memcpy(grown, dec->guards, dec->guard_count * sizeof *grown);
	effect.len = str_utf8_cut(effect, GUARD_MAX_EFFECT);
	grown[dec->guard_count] = (struct guard_effect){name, arena_str(&job->arena, effect)};
	dec->guards = grown;
	dec->guard_count++;
}

struct str guard_list(struct job *job)
{
	struct buf out;
	buf_init(&out, &job->arena, 128);
	for (uint32_t i = 0; i < job->dec.guard_count; i++)
		buf_printf(&out, "%s%.*s (%.*s)", i == 0 ? "" : "; ", STR_ARG(job->dec.guards[i].name), STR_ARG(job->dec.guards[i].effect));
	return buf_view(&out);
}

static bool exempt(const struct guard *guard, struct str tenant)
{
	for (uint32_t i = 0; tenant.data != NULL && i < guard->tenant_count; i++)
		if (str_eq(guard->tenants[i], tenant))
			return true;
	return false;
}

/* Whether the guard is for this record. */
static bool applies(const struct guard *guard, struct cond_eval *e)
{
	e->found = 0;
	e->given_up = NULL;
	if (guard->tenant_count != 0 && exempt(guard, e->req->tenant))
		return false;
	return guard->when == NULL || cond_holds(e, guard->when) || e->given_up != NULL;
}

/* "tenant acme, keyword "salary"; only eu-1 may see it" */
static struct str effect_of(const struct guard *guard, const struct cond_eval *e, struct arena *arena)
{
	struct buf out;
	buf_init(&out, arena, 128);
	for (uint32_t i = 0; i < e->found; i++) {
		buf_cstr(&out, i == 0 ? "" : ", ");
		cond_describe(&out, e, e->findings[i]);
	}
	if (e->given_up != NULL)
		buf_printf(&out, "%sthe search for pattern %.*s was given up at its bound", out.len != 0 ? ", " : "",
		           STR_ARG(e->given_up->name));
	if (guard->tenant_count != 0 && e->req->tenant.data != NULL)
		buf_printf(&out, "%stenant %.*s is not on its list", out.len != 0 ? ", " : "", STR_ARG(e->req->tenant));
	else if (guard->tenant_count != 0)
		buf_printf(&out, "%sthe record has no tenant", out.len != 0 ? ", " : "");
	if (out.len == 0)
		buf_cstr(&out, guard->when == NULL ? "every record" : "its condition holds");
	buf_cstr(&out, "; ");
	buf_str(&out, guard->effect);
	return buf_view(&out);
}

static void forbid(const struct policy *policy, struct job *job, const struct guard *guard, uint64_t *bits)
{
	struct decision *dec = &job->dec;
	for (size_t i = 0; i < (policy->model_count + 63u) / 64u; i++)
		bits[i] |= guard->forbidden[i];
	dec->forbidden = bits;
	dec->forbidden_count = policy->model_count;
	if (guard->kind == GUARD_REPLACES && dec->instead == NULL) {
		dec->instead = guard->models;
		dec->instead_count = guard->model_count;
	}
}

bool guards_run(const struct policy *policy, struct cond_scratch *scratch, struct job *job, struct str *ret_why)
{
	const struct guards *guards = policy->guards;
	struct decision *dec = &job->dec;
	struct text nothing = {.shown = STR("")}; /* no condition asks for more */
	struct text *text = guards->reads_text ? text_whole(&job->req, &job->arena) : &nothing;
	uint64_t *bits = arena_array(&job->arena, (policy->model_count + 63u) / 64u, sizeof *bits);
	struct cond_eval e;
	struct pii_record pii = {.req = &job->req, .wanted = guards->pii};
	cond_begin(&e, &guards->lexicon, scratch, text, &job->req);
	e.pii = &pii;
	for (uint32_t i = 0; i < guards->count; i++) {
		const struct guard *guard = &guards->items[i];
		if (!applies(guard, &e))
			continue;
		note(job, guard->name, effect_of(guard, &e, &job->arena));
		if (guard->kind == GUARD_REJECTS) {
			const struct guard_effect *last = &dec->guards[dec->guard_count - 1];
			*ret_why = arena_printf(&job->arena, "guard %.*s: %.*s", STR_ARG(last->name), STR_ARG(last->effect));
			return false;
		}
		forbid(policy, job, guard, bits);
	}
	return true;
}

/* ---- after the decision ---------------------------------------------------------------------------------------------- */

/* What a call would need of a model's context: messages, the route's own texts, the answer. An estimate. */
static int64_t tokens_needed(const struct route *route, const struct request *req)
{
	enum { A_MESSAGE = 4 /* what a role costs */ };
	int64_t tokens = route->max_tokens;
	if (req->max_tokens != 0 && (tokens == 0 || req->max_tokens < tokens)) /* as route_render asks for */
		tokens = req->max_tokens;
	tokens += (int64_t)text_tokens(route->system) + (int64_t)text_tokens(route->template);
	for (uint32_t i = 0; i < req->message_count; i++)
		tokens += (int64_t)text_tokens(req->messages[i].content) + A_MESSAGE;
	return tokens;
}

static bool knows_contexts(const struct policy *policy, const uint16_t *models, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		if (policy->models[models[i]].context_tokens != 0)
			return true;
	return false;
}

static void note_contexts(const struct policy *policy, struct job *job, const uint16_t *models, uint32_t count, int64_t needed)
{
	struct buf out;
	buf_init(&out, &job->arena, 128);
	buf_printf(&out, "about %lld tokens with the answer are more than the context of ", (long long)needed);
	uint32_t named = 0;
	for (uint32_t i = 0; i < count; i++) {
		const struct guarded_model *model = &policy->models[models[i]];
		if (decision_allows(&job->dec, models[i]) && model->context_tokens != 0 && needed > model->context_tokens)
			buf_printf(&out, "%s%.*s (%lld)", named++ == 0 ? "" : ", ", STR_ARG(model->name), (long long)model->context_tokens);
	}
	if (named != 0)
		note(job, STR("context_tokens"), buf_view(&out));
}

/* The models of the route that are left; false: none. */
static bool narrow(const struct policy *policy, struct job *job, const struct route *route)
{
	struct decision *dec = &job->dec;
	const uint16_t *models = dec->instead != NULL ? dec->instead : route->models;
	uint32_t count = dec->instead != NULL ? dec->instead_count : route->model_count;
	int64_t needed = knows_contexts(policy, models, count) ? tokens_needed(route, &job->req) : 0;
	dec->models = models;
	dec->model_count = count;
	if (dec->forbidden == NULL && needed == 0)
		return true;
	uint16_t *left = arena_array(&job->arena, count, sizeof *left);
	dec->model_count = 0;
	for (uint32_t i = 0; i < count; i++) {
		int64_t context = policy->models[models[i]].context_tokens;
		if (decision_allows(dec, models[i]) && (context == 0 || needed <= context))
			left[dec->model_count++] = models[i];
	}
	dec->models = left;
	if (needed != 0)
		note_contexts(policy, job, models, count, needed);
	return dec->model_count != 0;
}

bool route_admit(const struct policy *policy, struct job *job, struct str *ret_why)
{
	struct decision *dec = &job->dec;
	const struct route *route = &policy->routes[dec->route], *safe = &policy->routes[policy->when_unsure];
	dec->models = NULL;
	dec->model_count = 0;
	if (route->topic.data != NULL || narrow(policy, job, route))
		return true;
	struct str why = arena_printf(&job->arena, "guards leave no model of route %.*s: %.*s", STR_ARG(route->name), STR_ARG(guard_list(job)));
	if (route != safe && dec->instead == NULL) {
		route_settle_unsure(policy, job, why);
		if (narrow(policy, job, safe))
			return true;
		why = arena_printf(&job->arena, "guards leave no model of route %.*s, nor of %.*s: %.*s", STR_ARG(route->name),
		                   STR_ARG(safe->name), STR_ARG(guard_list(job)));
	}
	dec->reason = why;
	*ret_why = why;
	return false;
}
