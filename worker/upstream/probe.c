/*
 * probe.c: one small call to a model, outside the pools: is it there, does it know us, does it speak the format?
 *
 * The one idea: the very code of a real call is used (the same options, provider and classes), so a probe that passes
 * means what it says. libcurl looks the name up itself here.
 */
#include <math.h>

#include "common/clock.h"
#include "worker/upstream/pool.h"
#include "worker/upstream/repair.h"
#include "worker/upstream/retry.h"

static enum rc judge(const struct model_settings *model, const struct transfer_result *r, struct arena *arena, struct err *err)
{
	struct call_class cls = retry_classify(r->end, r->http_status);
	if (cls.outcome == OUTCOME_OK) {
		struct provider_answer answer;
		enum rc rc = provider_openai.parse_answer(r->body, PURPOSE_ANSWER, arena, &answer, err);
		return rc == RC_OK ? rc : err_prefix(err, RC_UNAVAILABLE, "model %.*s at %.*s", STR_ARG(model->name), STR_ARG(model->base_url));
	}
	struct provider_error said = {.message = str_of(r->why)};
	if (r->end == TRANSFER_DONE)
		provider_openai.classify_error(r->http_status, r->body, arena, &said);
	return err_set(err, cls.again ? RC_UNAVAILABLE : RC_BAD_INPUT, "model %.*s at %.*s: %s: HTTP status %d: %.*s", STR_ARG(model->name),
	               STR_ARG(model->base_url), outcome_info(cls.outcome)->name, r->http_status, STR_ARG(said.message));
}

enum rc upstream_probe(const struct settings *settings, uint32_t index, int64_t *ret_ms, struct err *err)
{
	const struct model_settings *model = &settings->models[index];
	static const struct message ping = {STR("user"), STR("ping")};
	const struct call call = {.messages = &ping, .message_count = 1, .max_tokens = 1, .temperature = NAN};
	struct arena arena;
	struct transfers *ts = NULL;
	arena_init(&arena, 0);
	struct transfers_setup setup = pool_transfers_setup(model, &provider_openai, &arena);
	setup.concurrency = 1;
	int64_t started_us = clock_mono_us();
	enum rc rc = transfers_open(&setup, &ts, err);
	if (rc != RC_OK)
		goto out;
	struct str body = provider_openai.build_request(model, &call, &arena);
	struct transfer_result result;
	struct transfer *t;
	transfers_start(ts, pool_url(PURPOSE_ANSWER), body, STR_NULL, STR_NULL, model->timeout_ms > 0 ? model->timeout_ms : 60000, NULL);
	while ((t = transfers_next(ts, &result)) == NULL)
		transfers_wait(ts, INT64_MAX);
	rc = judge(model, &result, &arena, err);
	transfers_give(ts, t);
	if (rc == RC_OK)
		*ret_ms = (clock_mono_us() - started_us) / 1000;
out:
	transfers_close(ts);
	arena_free(&arena);
	return rc;
}
