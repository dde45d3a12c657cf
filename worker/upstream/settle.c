/*
 * settle.c: what a finished call means.
 *
 * The one idea: every end of a call goes down one road: classify it, note the attempt (tokens, cost, reason), tell the
 * breaker, then deliver, retry, move on to the next model or give up. The reason is written for whoever reads the audit or
 * the log: what failed, where, what to do.
 *
 * Answer checks will stand where `deliver` is called: a failed check is one more way to go to the next model.
 */
#include <errno.h>
#include <math.h>
#include <stdio.h>

#include "common/clock.h"
#include "worker/upstream/cost.h"
#include "worker/upstream/pool.h"
#include "worker/upstream/repair.h"
#include "worker/upstream/retry.h"

enum { DETAIL_MAX = 400 };

struct ending { /* of one call */
	const struct transfer_result *result;
	struct call_class cls;
	struct provider_answer answer; /* cls.outcome OK */
	bool hopeless;
	struct str reason; /* scratch; for a person */
	int64_t now_us, retry_after_ms;
};

static uint64_t next_random(struct pool *pool) /* xorshift64*, Vigna 2016: spreads retries, guards nothing */
{
	pool->random ^= pool->random >> 12;
	pool->random ^= pool->random << 25;
	pool->random ^= pool->random >> 27;
	return pool->random * UINT64_C(0x2545F4914F6CDD1D);
}

/* A gateway may quote the key it refused. */
static struct str without_secret(struct str text, struct str secret, struct arena *arena)
{
	const char *at = secret.len >= 4 && text.len > 0 ? memmem(text.data, text.len, secret.data, secret.len) : NULL;
	if (at == NULL)
		return text;
	struct buf out;
	buf_init(&out, arena, text.len);
	for (; at != NULL; at = text.len > 0 ? memmem(text.data, text.len, secret.data, secret.len) : NULL) {
		size_t before = (size_t)(at - text.data);
		buf_add(&out, text.data, before);
		buf_cstr(&out, "***");
		text = (struct str){at + secret.len, text.len - before - secret.len};
	}
	buf_str(&out, text);
	return buf_view(&out);
}

static struct str reason_of(struct pool *pool, const struct transfer_result *r, struct str server_says)
{
	struct arena *a = &pool->scratch;
	switch (r->end) {
	case TRANSFER_DONE:
		return arena_printf(a, "HTTP %d%s%.*s", r->http_status, server_says.len > 0 ? ": " : "",
		                    STR_ARG(without_secret(server_says, pool->model->api_key, a)));
	case TRANSFER_ADDRESS_REFUSED:
		return STR("its address is link-local or a metadata service");
	case TRANSFER_NO_CONNECTION:
		return r->os_errno == ECONNREFUSED ? STR("connection refused") : repair_line(str_of(r->why), DETAIL_MAX, a);
	case TRANSFER_TOO_LARGE:
		return arena_printf(a, "the answer is over %lld bytes", (long long)pool->model->max_answer_bytes);
	case TRANSFER_TIMED_OUT:
		return STR("no complete answer within the timeout");
	default:
		return repair_line(str_of(r->why), DETAIL_MAX, a);
	}
}

static const char *advice(const struct transfer_result *r, enum outcome outcome)
{
	switch (r->end) {
	case TRANSFER_NO_NAME:
		return "is the host in base_url right?";
	case TRANSFER_ADDRESS_REFUSED:
		return "allow_addresses: [link-local] lifts the refusal";
	case TRANSFER_NO_CONNECTION:
		return "is the server running?";
	case TRANSFER_TLS:
		return "is the certificate valid for this host, and its authority known here?";
	case TRANSFER_TIMED_OUT:
		return "is the model overloaded? timeout may be raised";
	case TRANSFER_TOO_LARGE:
		return "max_answer_bytes may be raised, or max_tokens lowered";
	case TRANSFER_NOT_HTTP:
		return "is base_url an OpenAI-compatible server?";
	default:
		break;
	}
	switch (outcome) {
	case OUTCOME_MODEL_AUTH:
		return "is the key right (api_key_env, api_key_file)?";
	case OUTCOME_MODEL_LIMITED:
		return "limits.concurrency may be lowered, or the account's limit raised";
	case OUTCOME_MODEL_REFUSED:
		return r->http_status == 404 ? "are base_url and model right?" : "";
	default:
		return "";
	}
}

static void classify(struct pool *pool, enum purpose purpose, struct ending *e)
{
	const struct transfer_result *r = e->result;
	struct err err;
	e->cls = retry_classify(r->end, r->http_status);
	if (e->cls.outcome == OUTCOME_OK) {
		if (pool->provider->parse_answer(r->body, purpose, &pool->scratch, &e->answer, &err) == RC_OK)
			return;
		e->cls = retry_classify(TRANSFER_NOT_HTTP, 0);
		e->reason = arena_str(&pool->scratch, str_of(err.text));
		return;
	}
	struct provider_error said = {.message = STR_NULL};
	if (r->end == TRANSFER_DONE)
		pool->provider->classify_error(r->http_status, r->body, &pool->scratch, &said);
	e->hopeless = said.hopeless;
	e->reason = reason_of(pool, r, said.message);
	e->retry_after_ms = retry_after_ms(r->retry_after, r->retry_after_ms, clock_wall_ms());
}

static void count_call(struct pool *pool, const struct attempt *a)
{
	struct counter **calls = &pool->counts.calls[a->outcome];
	if (*calls == NULL)
		*calls = metrics_counter(pool->counts.metrics, "pointsman_model_calls_total", "Calls by how they ended.",
		                         LABELS("model", arena_cstr(&pool->arena, pool->model->name), "outcome", outcome_info(a->outcome)->name));
	counter_add(*calls, 1);
	histogram_observe(pool->counts.duration, a->micros);
	counter_add(pool->counts.tokens_in, (uint64_t)a->input_tokens);
	counter_add(pool->counts.tokens_cached, (uint64_t)a->cached_tokens);
	counter_add(pool->counts.tokens_out, (uint64_t)a->output_tokens);
	counter_add(pool->counts.nano_usd, (uint64_t)llround(a->cost_usd * 1e9));
}

/* Tokens as the server counted them, or an estimate that says so. */
static void count_tokens(struct pool *pool, const struct job *job, const struct ending *e, struct attempt *a)
{
	if (e->cls.outcome != OUTCOME_OK)
		return;
	a->input_tokens = e->answer.input_tokens;
	a->cached_tokens = e->answer.cached_tokens;
	a->output_tokens = e->answer.output_tokens;
	if (!e->answer.has_usage) {
		size_t bytes = 0;
		for (uint32_t i = 0; i < job->call.message_count; i++)
			bytes += job->call.messages[i].content.len;
		a->input_tokens = cost_tokens_estimate(bytes);
		a->output_tokens = cost_tokens_estimate(e->answer.text.len);
		a->estimated = true;
	}
	a->cost_usd = cost_usd(&pool->model->price, a->input_tokens, a->cached_tokens, a->output_tokens);
}

static struct attempt *note(struct pool *pool, struct job *job, const struct ending *e)
{
	const struct tries *tries = tries_of(job);
	struct attempt *a = tries_note(job, pool->index);
	a->started_at_ms = tries->started_at_ms;
	a->micros = e->now_us - tries->started_us;
	a->http_status = e->result->http_status;
	a->outcome = e->cls.outcome;
	a->sent = e->result->sent;
	a->retry_after_ms = e->retry_after_ms;
	if (e->cls.outcome != OUTCOME_OK)
		a->detail = arena_str(&job->arena, (struct str){e->reason.data, str_utf8_cut(e->reason, DETAIL_MAX)});
	count_tokens(pool, job, e, a);
	job->call.cost_usd += a->cost_usd;
	count_call(pool, a);
	return a;
}

static void tell_breaker(struct pool *pool, const struct job *job, const struct ending *e)
{
	const struct tries *tries = tries_of(job);
	enum breaker_sight sight = e->cls.ill ? BREAKER_BAD : BREAKER_GOOD;
	if (e->cls.outcome == OUTCOME_MODEL_AUTH)
		sight = BREAKER_AUTH;
	else if (e->cls.outcome == OUTCOME_MODEL_LIMITED || (e->cls.outcome == OUTCOME_MODEL_TIMEOUT && tries->cut_short))
		sight = BREAKER_NEUTRAL;
	bool changed = breaker_saw(&pool->breaker, sight, tries->trial, e->now_us);
	if (!changed && !tries->trial)
		return;
	if (e->cls.outcome != OUTCOME_OK)
		atomic_store_explicit(&pool->blocked_by, (int)e->cls.outcome, memory_order_relaxed);
	pool_publish_breaker(pool, e->now_us);
	if (changed && pool->breaker.state == BREAKER_CLOSED)
		log_info(pool->log, "upstream", "model answers again", LOG_S("model", pool->model->name));
	else if (changed && sight == BREAKER_AUTH)
		log_error(pool->log, "upstream", "the model's server refuses our credentials; it is not called for a while",
		          LOG_S("model", pool->model->name), LOG_S("url", pool->where), LOG_S("reason", e->reason),
		          LOG_C("advice", "check api_key_env or api_key_file of this model and restart"));
	else if (changed)
		log_warn(pool->log, "upstream", "model rests after errors", LOG_S("model", pool->model->name), LOG_S("url", pool->where),
		         LOG_I("ms", (pool->breaker.until_us - e->now_us) / 1000), LOG_S("reason", e->reason));
}

void settle_keep_numbers(struct job *job, const struct provider_answer *answer)
{
	struct call *call = &job->call;
	struct token_logprob *tokens = arena_array(&job->arena, answer->token_count, sizeof *tokens);
	for (uint32_t i = 0; i < answer->token_count; i++)
		tokens[i] = (struct token_logprob){arena_str(&job->arena, answer->tokens[i].token), answer->tokens[i].logprob};
	call->tokens = tokens;
	call->token_count = answer->token_count;
	float *vector = arena_array(&job->arena, answer->vector_len, sizeof *vector);
	if (answer->vector_len != 0)
		memcpy(vector, answer->vector, answer->vector_len * sizeof *vector);
	call->vector = vector;
	call->vector_len = answer->vector_len;
}

static void deliver(struct pool *pool, struct job *job, const struct ending *e, const struct attempt *a)
{
	struct call *call = &job->call;
	call->model = pool->index;
	call->text = arena_str(&job->arena, e->answer.text);
	if (e->answer.token_count != 0 || e->answer.vector_len != 0)
		settle_keep_numbers(job, &e->answer);
	call->finish_reason = arena_str(&job->arena, e->answer.finish_reason);
	struct str id = e->result->request_id.data != NULL ? e->result->request_id : e->answer.id;
	call->provider_request_id = id.data != NULL ? arena_str(&job->arena, repair_line(id, 128, &pool->scratch)) : STR_NULL;
	call->input_tokens = a->input_tokens;
	call->cached_tokens = a->cached_tokens;
	call->output_tokens = a->output_tokens;
	job->answered_us = e->now_us;
	tries_answered(job);
	atomic_fetch_add_explicit(&pool->answered, 1, memory_order_relaxed);
	pool_finish(pool, job);
}

static void say_last_words(struct pool *pool, struct job *job, const struct ending *e)
{
	struct tries *tries = tries_of(job);
	const char *hint = advice(e->result, e->cls.outcome);
	struct str reason = {e->reason.data, str_utf8_cut(e->reason, DETAIL_MAX)};
	tries->last_words = arena_printf(&job->arena, "model %.*s at %.*s: %.*s (%u attempt%s)%s%s", STR_ARG(pool->model->name),
	                                  STR_ARG(pool->where), STR_ARG(reason), (unsigned)tries->tries_here,
	                                  tries->tries_here == 1 ? "" : "s", hint[0] != '\0' ? "; " : "", hint);
	log_warn(pool->log, "upstream", "call failed", LOG_S("model", pool->model->name), LOG_S("url", pool->where),
	         LOG_C("class", outcome_info(e->cls.outcome)->name), LOG_S("reason", reason), LOG_I("attempt", tries->tries_here));
}

static void after_failure(struct pool *pool, struct job *job, const struct ending *e)
{
	struct call *call = &job->call;
	struct tries *tries = tries_of(job);
	say_last_words(pool, job, e);
	atomic_fetch_add_explicit(&pool->failed, 1, memory_order_relaxed);
	if (call->deadline_us != 0 && e->now_us >= call->deadline_us - 1000) { /* the timeout is in whole milliseconds */
		tries_expired(job);
		pool_finish(pool, job);
		return;
	}
	if (!record_may_start(&job->rec)) {
		tries_dropped(job);
		pool_finish(pool, job);
		return;
	}
	const struct retry_plan plan = retry_decide(&(struct retry_ask){
	    .again = e->cls.again && !e->hopeless,
	    .tries_here = tries->tries_here,
	    .attempts_left = call->attempts_left,
	    .others = tries_others(job),
	    .retry_after_ms = e->retry_after_ms,
	    .now_us = e->now_us,
	    .deadline_us = call->deadline_us,
	    .random = next_random(pool),
	});
	if (plan.step == RETRY_SAME) {
		if (job->state == JOB_CALLING)
			(void)job_advance(job, JOB_WAITING); /* aborts in debug builds */
		counter_add(pool->counts.retries, 1);
		atomic_fetch_add_explicit(&pool->retried, 1, memory_order_relaxed);
		pool_wait_until(pool, job, plan.not_before_us);
	} else if (plan.step == RETRY_NEXT) {
		pool_move_on(pool, job);
	} else {
		tries_given_up(job);
		pool_finish(pool, job);
	}
}

void settle_unstarted(struct pool *pool, struct job *job, const struct transfer_result *result)
{
	struct ending e = {.result = result, .now_us = clock_mono_us()};
	arena_reset(&pool->scratch);
	classify(pool, job->call.purpose, &e);
	const struct attempt *a = note(pool, job, &e);
	tell_breaker(pool, job, &e);
	if (e.cls.outcome == OUTCOME_OK)
		deliver(pool, job, &e, a);
	else
		after_failure(pool, job, &e);
}

void settle(struct pool *pool, struct transfer *t, const struct transfer_result *result)
{
	settle_unstarted(pool, transfer_owner(t), result);
	transfers_give(pool->transfers, t);
}
