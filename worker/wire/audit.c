/*
 * audit.c: what a decision record says.
 *
 * The one idea: the record must stand for itself years later, so it names versions by hash and everything that was tried, but
 * it is bounded: lists by count, texts by length. What a later version of the worker brings (checks, rollouts) has its field
 * from the start, with its default.
 */
#include "worker/wire/records.h"

#include <math.h>

#include "common/hmac.h"
#include "worker/wire/tell.h"

enum { MAX_TRACE = 32, MAX_ATTEMPTS = 32, MAX_CANDIDATES = 64, MAX_GUARDS = 64 };

static void tell_source(struct sink *s, const struct record *rec)
{
	s->open_record(s, "source");
	s->text(s, "topic", tell_or_empty(rec->topic));
	s->whole(s, "partition", rec->partition);
	s->whole(s, "offset", rec->offset);
	s->whole(s, "timestamp", rec->timestamp_ms);
	s->close(s);
}

static void tell_parked_from(struct sink *s, const struct origin *origin)
{
	if (origin->topic.data == NULL) {
		s->null(s, "parked_from");
		return;
	}
	s->open_record(s, "parked_from");
	s->text(s, "topic", origin->topic);
	s->whole(s, "partition", origin->partition);
	s->whole(s, "offset", origin->offset);
	s->close(s);
}

static void tell_policy(struct sink *s, const struct wire_facts *facts)
{
	s->open_record(s, "policy");
	s->text(s, "name", tell_or_empty(facts->policy_name));
	s->text(s, "decision_version", tell_or_empty(facts->decision_version));
	s->text(s, "policy_version", tell_or_empty(facts->policy_version));
	s->close(s);
}

static void tell_stage(struct sink *s, const struct stage_trace *stage)
{
	s->open_record(s, NULL);
	s->text(s, "stage", tell_or_empty(str_of(stage->stage)));
	s->symbol(s, "verdict", verdict_name(stage->verdict), (int)(stage->verdict & 3));
	s->text(s, "label", tell_cut(stage->label, TELL_NAME_BYTES));
	s->real(s, "score", stage->score);
	s->text(s, "runner_up", tell_cut(stage->runner_up, TELL_NAME_BYTES));
	s->real(s, "runner_up_score", stage->runner_up_score);
	s->real(s, "threshold", stage->threshold);
	s->whole(s, "micros", stage->micros);
	s->text(s, "asset_version", tell_cut(stage->asset_version, TELL_NAME_BYTES));
	s->real(s, "cost_usd", isfinite(stage->cost_usd) ? stage->cost_usd : 0);
	s->text(s, "reason", tell_cut(stage->reason, TELL_REASON_BYTES));
	s->close(s);
}

static void tell_trace(struct sink *s, const struct decision *dec)
{
	s->open_list(s, "trace");
	for (uint32_t i = 0; i < dec->trace_count && i < MAX_TRACE; i++)
		tell_stage(s, &dec->trace[i]);
	s->close(s);
}

static void tell_guards(struct sink *s, const struct decision *dec)
{
	s->open_list(s, "guards");
	for (uint32_t i = 0; i < dec->guard_count && i < MAX_GUARDS; i++) {
		s->open_record(s, NULL);
		s->text(s, "name", tell_cut(tell_or_empty(dec->guards[i].name), TELL_NAME_BYTES));
		s->text(s, "effect", tell_cut(tell_or_empty(dec->guards[i].effect), TELL_REASON_BYTES));
		s->close(s);
	}
	s->close(s);
}

static void tell_candidates(struct sink *s, const struct telling *t)
{
	s->open_list(s, "candidates");
	for (uint32_t i = 0; i < t->facts->candidate_count && i < MAX_CANDIDATES; i++)
		s->text(s, NULL, tell_or_empty(tell_model(t->settings, t->facts->candidates[i])));
	s->close(s);
}

static const char *provider_name(const struct settings *settings, uint16_t model)
{
	if (model >= settings->model_count)
		return "";
	switch ((enum provider_kind)settings->models[model].provider) {
	case PROVIDER_OPENAI: return "openai";
	}
	return "";
}

static void tell_attempt(struct sink *s, const struct settings *settings, const struct attempt *a)
{
	const char *outcome = outcome_info(a->outcome)->name;
	int symbol = a->outcome == OUTCOME_NONE ? OUTCOME_INTERNAL : (int)a->outcome;
	s->open_record(s, NULL);
	s->text(s, "model", tell_or_empty(tell_model(settings, a->model)));
	s->text(s, "provider", str_of(provider_name(settings, a->model)));
	s->whole(s, "started_at", a->started_at_ms);
	s->whole(s, "ms", a->micros / 1000);
	tell_optional(s, "http_status", a->http_status);
	s->symbol(s, "outcome", outcome_info((enum outcome)symbol)->name, symbol - OUTCOME_OK);
	s->text(s, "error_class", a->outcome == OUTCOME_OK ? STR_NULL : str_of(outcome));
	tell_optional(s, "retry_after_ms", a->retry_after_ms);
	s->whole(s, "input_tokens", a->input_tokens);
	s->whole(s, "output_tokens", a->output_tokens);
	s->real(s, "cost_usd", isfinite(a->cost_usd) ? a->cost_usd : 0);
	s->open_list(s, "checks");
	s->close(s);
	s->truth(s, "estimated", a->estimated);
	s->text(s, "detail", tell_cut(a->detail, TELL_MESSAGE_BYTES));
	s->close(s);
}

static void tell_attempts(struct sink *s, const struct telling *t)
{
	const struct call *call = &t->job->call;
	s->open_list(s, "attempts");
	for (uint32_t i = 0; i < call->attempt_count && i < MAX_ATTEMPTS; i++)
		tell_attempt(s, t->settings, &call->attempts[i]);
	s->close(s);
}

static void tell_prompt_hash(struct sink *s, const struct telling *t)
{
	const struct decision *dec = &t->job->dec;
	char *hex = NULL;
	if (dec->has_prompt_hash) {
		hex = arena_alloc(t->arena, sizeof dec->prompt_hash * 2 + 1);
		hex_encode(dec->prompt_hash, sizeof dec->prompt_hash, hex);
	}
	s->text(s, "prompt_hash", str_of(hex));
}

static void tell_decision(struct sink *s, const struct telling *t)
{
	const struct decision *dec = &t->job->dec;
	bool decided = t->job->decided_us != 0;
	s->text(s, "prompt_version", tell_cut(dec->prompt_version, TELL_NAME_BYTES));
	s->text(s, "route", tell_or_empty(dec->route_name));
	s->text(s, "stage", tell_or_empty(str_of(dec->stage)));
	s->text(s, "label", tell_cut(dec->label, TELL_NAME_BYTES));
	s->real(s, "confidence", decided ? dec->confidence : NAN);
	s->real(s, "threshold", decided ? dec->threshold : NAN);
	s->text(s, "reason", tell_cut(tell_or_empty(dec->reason.data != NULL ? dec->reason : t->job->error), TELL_REASON_BYTES));
	tell_trace(s, &(struct decision){.trace = dec->trace, .trace_count = t->brief ? 0 : dec->trace_count});
	s->symbol(s, "cache", cache_source_name(dec->cache), (int)dec->cache);
	s->truth(s, "unsure", dec->unsure);
	s->text(s, "unsure_reason", tell_cut(dec->unsure_reason, TELL_REASON_BYTES));
}

void records_decision(struct sink *s, const struct telling *t)
{
	const struct job *job = t->job;
	const struct call *call = &job->call;
	const struct wire_facts *facts = t->facts;
	bool answered = job->outcome == OUTCOME_OK && call->model >= 0;
	int outcome = job->outcome == OUTCOME_NONE ? OUTCOME_INTERNAL : (int)job->outcome;
	s->text(s, "decision_id", str_of(job->dec.id));
	s->text(s, "request_id", job->req.id);
	s->text(s, "tenant", tell_or_empty(job->req.tenant));
	tell_source(s, &job->rec);
	tell_attributes(s, job->req.carry, t->brief ? 0 : job->req.carry_count);
	tell_prompt_hash(s, t);
	s->whole(s, "prompt_chars", job->dec.prompt_chars);
	s->whole(s, "prompt_tokens_est", job->dec.prompt_tokens_est);
	tell_policy(s, facts);
	tell_decision(s, t);
	s->truth(s, "failover", answered && facts->candidate_count != 0 && facts->candidates[0] != (uint16_t)call->model);
	tell_guards(s, &job->dec);
	tell_candidates(s, t);
	tell_attempts(s, t);
	s->text(s, "model", answered ? tell_model(t->settings, call->model) : STR_NULL);
	s->symbol(s, "outcome", outcome_info((enum outcome)outcome)->name, outcome - OUTCOME_OK);
	s->real(s, "decision_cost_usd", isfinite(job->dec.cost_usd) ? job->dec.cost_usd : 0);
	s->real(s, "call_cost_usd", isfinite(call->cost_usd) ? call->cost_usd : 0);
	s->real(s, "baseline_cost_usd", facts->baseline_cost_usd);
	s->null(s, "shadow");
	s->null(s, "rollout");
	s->truth(s, "redelivered", job->rec.redelivered);
	s->open_record(s, "worker");
	s->text(s, "instance", tell_or_empty(str_of(facts->worker_instance)));
	s->text(s, "version", tell_or_empty(str_of(facts->worker_version)));
	s->close(s);
	tell_optional(s, "decided_at", job->decided_us != 0 ? facts->now_ms - (facts->now_us - job->decided_us) / 1000 : 0);
	s->whole(s, "finished_at", facts->now_ms);
	s->text(s, "reply_topic", t->reply_topic);
	tell_parked_from(s, &job->origin);
	s->text(s, "group_id", job->dec.group_id);
}
