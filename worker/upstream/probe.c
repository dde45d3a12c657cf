/*
 * probe.c: single calls to a model, outside the pools, for people at a terminal: is it there, does it know us, what does it say?
 *
 * The one idea: the very code of a real call is used (the same options, provider and classes), so a probe that passes
 * means what it says. libcurl looks the name up itself here. Nothing is repeated.
 */
#include <math.h>

#include "common/clock.h"
#include "worker/upstream/cost.h"
#include "worker/upstream/pool.h"
#include "worker/upstream/repair.h"
#include "worker/upstream/retry.h"

enum { TIMEOUT_MS = 60000 }; /* where the settings say nothing */

struct single { /* a call and what came of it */
	const struct model_settings *model;
	const struct call *call;
	struct arena arena;
	struct transfers *ts;
	struct provider_answer answer; /* in arena, with RC_OK */
	enum outcome outcome;
	int64_t micros;
};

static enum rc judge(struct single *s, const struct transfer_result *r, struct err *err)
{
	const struct model_settings *model = s->model;
	struct call_class cls = retry_classify(r->end, r->http_status);
	s->outcome = cls.outcome;
	if (cls.outcome == OUTCOME_OK) {
		if (provider_openai.parse_answer(r->body, s->call->purpose, &s->arena, &s->answer, err) == RC_OK)
			return RC_OK;
		s->outcome = OUTCOME_MODEL_GARBAGE;
		return err_prefix(err, RC_UNAVAILABLE, "model %.*s at %.*s", STR_ARG(model->name), STR_ARG(model->base_url));
	}
	struct provider_error said = {.message = str_of(r->why)};
	if (r->end == TRANSFER_DONE)
		provider_openai.classify_error(r->http_status, r->body, &s->arena, &said);
	return err_set(err, cls.again ? RC_UNAVAILABLE : RC_BAD_INPUT, "model %.*s at %.*s: %s: HTTP status %d: %.*s", STR_ARG(model->name),
	               STR_ARG(model->base_url), outcome_info(cls.outcome)->name, r->http_status, STR_ARG(said.message));
}

/* s: model and call are set, the rest is zero. The caller ends it with single_end. */
static enum rc single_call(struct single *s, int64_t timeout_ms, struct err *err)
{
	arena_init(&s->arena, 0);
	struct transfers_setup setup = pool_transfers_setup(s->model, &provider_openai, &s->arena);
	setup.concurrency = 1;
	s->outcome = OUTCOME_MODEL_UNAVAILABLE;
	int64_t started_us = clock_mono_us();
	enum rc rc = transfers_open(&setup, &s->ts, err);
	if (rc != RC_OK)
		return rc;
	struct str body = provider_openai.build_request(s->model, s->call, &s->arena);
	struct transfer_result result;
	struct transfer *t;
	transfers_start(s->ts, pool_url(s->call->purpose), body, STR_NULL, STR_NULL, timeout_ms, NULL);
	while ((t = transfers_next(s->ts, &result)) == NULL)
		transfers_wait(s->ts, INT64_MAX);
	result.body = arena_str(&s->arena, result.body); /* texts of the answer may point into it */
	rc = judge(s, &result, err);
	transfers_give(s->ts, t);
	s->micros = clock_mono_us() - started_us;
	return rc;
}

static void single_end(struct single *s)
{
	transfers_close(s->ts);
	arena_free(&s->arena);
}

static int64_t timeout_of(const struct model_settings *model)
{
	return model->timeout_ms > 0 ? model->timeout_ms : TIMEOUT_MS;
}

enum rc upstream_probe(const struct settings *settings, uint32_t index, enum purpose purpose, int64_t *ret_ms, struct err *err)
{
	static const struct message ping = {STR("user"), STR("ping")};
	const struct call call = {.purpose = purpose, .messages = &ping, .message_count = 1, .max_tokens = 1, .temperature = NAN};
	struct single s = {.model = &settings->models[index], .call = &call};
	enum rc rc = single_call(&s, timeout_of(s.model), err);
	if (rc == RC_OK)
		*ret_ms = s.micros / 1000;
	single_end(&s);
	return rc;
}

static int64_t tokens_sent(const struct call *call)
{
	size_t bytes = 0;
	for (uint32_t i = 0; i < call->message_count; i++)
		bytes += call->messages[i].content.len;
	return cost_tokens_estimate(bytes);
}

void upstream_ask(const struct settings *settings, struct job *job)
{
	struct call *call = &job->call;
	struct single s = {.model = &settings->models[call->models[0]], .call = call};
	struct err err = {""};
	enum rc rc = single_call(&s, call->timeout_ms > 0 ? call->timeout_ms : timeout_of(s.model), &err);
	call->outcome = rc == RC_OK ? OUTCOME_OK : s.outcome == OUTCOME_MODEL_TIMEOUT ? OUTCOME_EXPIRED : s.outcome;
	call->message = rc == RC_OK ? STR_NULL : arena_str(&job->arena, str_of(err.text));
	call->attempts = arena_zalloc(&job->arena, sizeof *call->attempts);
	call->attempts[0] = (struct attempt){.model = call->models[0], .micros = s.micros, .outcome = call->outcome};
	call->attempt_count = call->attempt_cap = 1;
	if (rc == RC_OK) {
		call->model = call->models[0];
		call->text = arena_str(&job->arena, s.answer.text);
		settle_keep_numbers(job, &s.answer);
		call->input_tokens = s.answer.has_usage ? s.answer.input_tokens : tokens_sent(call);
		call->cached_tokens = s.answer.cached_tokens;
		call->output_tokens = s.answer.has_usage ? s.answer.output_tokens : cost_tokens_estimate(s.answer.text.len);
		call->cost_usd = cost_usd(&s.model->price, call->input_tokens, call->cached_tokens, call->output_tokens);
	}
	single_end(&s);
}
