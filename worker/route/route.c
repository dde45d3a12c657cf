/*
 * route.c: a decision: the stages in order, the first confident one decides, and when_unsure where none is.
 *
 * The one idea: what has happened so far is the trace, one entry a stage. So a decision that waits for a model's answer needs
 * no other memory: the last entry names the stage to resume, the next stage is the one after it. Nothing here does I/O.
 */
#include <math.h>
#include <stdlib.h>

#include "common/clock.h"
#include "worker/route/conversation.h"
#include "worker/route/inspect.h"
#include "worker/route/guard.h"
#include "worker/route/language.h"

/* How the reason of a stage begins that passes because of the text's language. */
#define OTHER_LANGUAGE "language: "

struct route_scratch {
	struct policy *policy; /* counted */
	struct sha256 *hash;
	void *stages[POLICY_MAX_STAGES];
	struct cond_scratch *guards; /* NULL: the policy has none */
};

/* Made once per job by whichever step comes first. */
struct route_work {
	struct text *text;
};

struct route_scratch *route_scratch_new(const struct policy *policy)
{
	struct route_scratch *scratch = heap_zalloc(1, sizeof *scratch);
	scratch->policy = policy_ref((struct policy *)policy); /* the count is the only thing written */
	scratch->hash = sha256_new();
	for (uint32_t i = 0; i < policy->stage_count; i++)
		if (policy->stages[i].ops->scratch_new != NULL)
			scratch->stages[i] = policy->stages[i].ops->scratch_new(policy->stages[i].config);
	if (policy->guards != NULL)
		scratch->guards = cond_scratch_new(&policy->guards->lexicon);
	return scratch;
}

void route_scratch_free(struct route_scratch *scratch)
{
	if (scratch == NULL)
		return;
	for (uint32_t i = 0; i < scratch->policy->stage_count; i++)
		if (scratch->policy->stages[i].ops->scratch_free != NULL)
			scratch->policy->stages[i].ops->scratch_free(scratch->stages[i]);
	cond_scratch_free(scratch->guards);
	sha256_free(scratch->hash);
	policy_unref(scratch->policy);
	free(scratch);
}

static struct text *work_text(const struct policy *policy, struct job *job)
{
	if (job->dec.work == NULL) {
		struct route_work *work = arena_zalloc(&job->arena, sizeof *work);
		work->text = text_read(&policy->text, &job->req, &job->arena);
		job->dec.work = work;
		job->dec.prompt_chars = work->text->chars;
		job->dec.prompt_tokens_est = work->text->tokens_est;
	}
	return job->dec.work->text;
}

struct str route_text(const struct policy *policy, struct job *job)
{
	return work_text(policy, job)->shown;
}

static struct str attribute(const struct request *req, struct str name)
{
	for (uint32_t i = 0; i < req->attribute_count; i++)
		if (str_eq(req->attributes[i].name, name))
			return req->attributes[i].value;
	return STR_NULL;
}

struct str route_key_material(const struct policy *policy, struct route_scratch *scratch, struct job *job)
{
	const struct request *req = &job->req;
	const struct policy_inputs *in = &policy->inputs;
	const struct text *text = work_text(policy, job);
	struct canon canon;
	buf_init(&canon.buf, &job->arena, text->shown.len + 256);
	canon_str(&canon, policy_decision_version(policy));
	canon_str(&canon, req->tenant);
	canon_str(&canon, in->hint ? req->route_hint : STR_NULL);
	for (uint32_t i = 0; i < in->attribute_count; i++)
		canon_str(&canon, attribute(req, in->attributes[i]));
	if (in->length) {
		canon_u64(&canon, text->chars);
		canon_u64(&canon, text->words);
		canon_u64(&canon, text->tokens_est);
	}
	if (in->embedding) {
		uint8_t digest[SHA256_BYTES] = {0};
		if (req->embedding != NULL) {
			sha256_begin(scratch->hash);
			sha256_add(scratch->hash, req->embedding, req->embedding_len * sizeof *req->embedding);
			sha256_end(scratch->hash, digest);
		}
		canon_bytes(&canon, digest, sizeof digest);
	}
	canon_str(&canon, text->shown);
	return buf_view(&canon.buf);
}

void route_settle(const struct policy *policy, struct decision *dec, int route, const char *stage)
{
	dec->route = route;
	dec->route_name = policy->routes[route].name;
	dec->prompt_version = policy->routes[route].prompt_version;
	dec->stage = stage;
}

static void decided(const struct policy *policy, struct decision *dec, int route, const struct stage_trace *t)
{
	route_settle(policy, dec, route, t->stage);
	dec->label = t->label.data != NULL ? t->label : dec->route_name;
	dec->runner_up = t->runner_up;
	dec->confidence = t->score;
	dec->threshold = t->threshold;
	dec->reason = t->reason;
	dec->unsure = false;
}

/* "no stage was confident (rules passed; semantic 0.41 of 0.62)" */
static struct str unsure_reason(const struct decision *dec, struct arena *arena)
{
	if (dec->trace_count == 0)
		return STR("the policy has no stages");
	struct buf out;
	buf_init(&out, arena, POLICY_MAX_REASON);
	buf_cstr(&out, "no stage was confident (");
	for (uint32_t i = 0; i < dec->trace_count; i++) {
		const struct stage_trace *t = &dec->trace[i];
		if (i != 0)
			buf_cstr(&out, "; ");
		if (t->verdict == VERDICT_FAILED)
			buf_printf(&out, "%s failed: %.*s", t->stage, STR_ARG(t->reason));
		else if (str_starts(t->reason, STR(OTHER_LANGUAGE)))
			buf_printf(&out, "%s passed: language", t->stage);
		else if (isnan(t->score) || isnan(t->threshold))
			buf_printf(&out, "%s passed", t->stage);
		else if (t->score < t->threshold)
			buf_printf(&out, "%s %.2f of %.2f", t->stage, t->score, t->threshold);
		else
			buf_printf(&out, "%s %.2f, too close to %.*s with %.2f", t->stage, t->score, STR_ARG(t->runner_up), t->runner_up_score);
	}
	buf_char(&out, ')');
	return buf_view(&out);
}

void route_settle_unsure(const struct policy *policy, struct job *job, struct str why)
{
	struct decision *dec = &job->dec;
	route_settle(policy, dec, policy->when_unsure, ROUTE_WHEN_UNSURE);
	dec->unsure = true;
	dec->unsure_reason = why;
	dec->reason = why;
	dec->label = dec->runner_up = STR_NULL;
	dec->confidence = dec->threshold = NAN;
}

static bool outside_languages(const struct policy *policy, struct text *text)
{
	const char *guess = text_language(text);
	for (unsigned i = 0; language_at(i) != NULL; i++)
		if (language_at(i) == guess)
			return (policy->languages & (1u << i)) == 0;
	return false; /* unknown: the stage may try */
}

/* Asks or resumes stage number at and writes its trace entry. turn: held_out is given, the rest is filled. */
static enum verdict ask_stage(const struct policy *policy, struct route_scratch *scratch, struct job *job, uint32_t at,
                              bool resumed, struct stage_turn *turn)
{
	const struct policy_stage *stage = &policy->stages[at];
	struct stage_trace *trace = &job->dec.trace[at];
	int64_t before = resumed ? trace->micros : 0, start_us = clock_mono_us();
	*trace = (struct stage_trace){.stage = stage->ops->name, .score = NAN, .runner_up_score = NAN, .threshold = NAN, .in_scope = NAN};
	*turn = (struct stage_turn){.policy = policy, .job = job, .text = work_text(policy, job), .scratch = scratch->stages[at], .route = -1,
	                            .trace = trace, .held_out = turn->held_out};
	bool measured = stage->ops->measured_in_languages && policy->languages != 0;
	if (!resumed && measured && outside_languages(policy, turn->text)) {
		trace->verdict = VERDICT_PASS;
		trace->reason = arena_printf(&job->arena, OTHER_LANGUAGE "the text is in %s, the policy was measured in others", turn->text->language);
	} else {
		trace->verdict = resumed ? stage->ops->resume(stage->config, turn) : stage->ops->decide(stage->config, turn);
	}
	trace->reason.len = str_utf8_cut(trace->reason, POLICY_MAX_REASON);
	trace->micros = before + (clock_mono_us() - start_us);
	for (uint32_t i = 0; resumed && i < job->call.attempt_count; i++) /* what it waited for counts too */
		trace->micros += job->call.attempts[i].micros;
	job->dec.cost_usd += trace->cost_usd;
	job->dec.degraded |= turn->degraded;
	job->dec.trace_count = at + 1;
	return trace->verdict;
}

/* From stage number at on. A conversation goes before the first stage that is not the rules. */
static enum route_step run(const struct policy *policy, struct route_scratch *scratch, struct job *job, uint32_t at, bool resumed)
{
	for (; at < policy->stage_count; at++, resumed = false) {
		struct stage_turn turn = {.route = -1};
		if (!resumed && policy->stages[at].ops != &rules_stage && conversation_stays(policy, scratch, job)) {
			conversation_stay(policy, job);
			return ROUTE_DONE;
		}
		enum verdict verdict = ask_stage(policy, scratch, job, at, resumed, &turn);
		if (verdict == VERDICT_ASK)
			return ROUTE_ASK;
		if (verdict == VERDICT_DECIDED && turn.route >= 0 && (uint32_t)turn.route < policy->route_count) {
			decided(policy, &job->dec, turn.route, &job->dec.trace[at]);
			return ROUTE_DONE;
		}
	}
	if (conversation_stays(policy, scratch, job))
		conversation_stay(policy, job);
	else
		route_settle_unsure(policy, job, unsure_reason(&job->dec, &job->arena));
	return ROUTE_DONE;
}

bool route_guard(const struct policy *policy, struct route_scratch *scratch, struct job *job, struct str *ret_why)
{
	struct decision *dec = &job->dec;
	dec->forbidden = NULL;
	dec->guards = NULL;
	dec->guard_count = 0;
	dec->instead = NULL;
	return policy->guards == NULL || guards_run(policy, scratch->guards, job, ret_why);
}

enum route_step route_decide(const struct policy *policy, struct route_scratch *scratch, struct job *job)
{
	struct decision *dec = &job->dec;
	dec->route = -1;
	dec->degraded = dec->uncacheable = dec->unsure = false;
	dec->cost_usd = 0;
	dec->unsure_reason = dec->group_id = STR_NULL;
	dec->trace = arena_array(&job->arena, policy->stage_count, sizeof *dec->trace);
	dec->trace_count = 0;
	return run(policy, scratch, job, 0, false);
}

enum route_step route_resume(const struct policy *policy, struct route_scratch *scratch, struct job *job)
{
	uint32_t count = job->dec.trace_count;
	if (count == 0 || job->dec.trace[count - 1].verdict != VERDICT_ASK)
		return route_decide(policy, scratch, job); /* nobody was waiting: a decision from the start is always right */
	return run(policy, scratch, job, count - 1, true);
}

void route_ask_all(const struct policy *policy, struct route_scratch *scratch, struct job *job, struct stage_answer *ret)
{
	job->dec.trace = arena_array(&job->arena, policy->stage_count, sizeof *job->dec.trace);
	for (uint32_t i = 0; i < policy->stage_count; i++) {
		struct stage_turn turn = {.held_out = true};
		enum verdict verdict = ask_stage(policy, scratch, job, i, false, &turn);
		bool answered = verdict == VERDICT_DECIDED || verdict == VERDICT_PASS;
		ret[i] = (struct stage_answer){verdict, answered ? turn.route : -1, answered ? job->dec.trace[i].score : NAN, turn.barred, turn.learned};
	}
}

uint32_t route_nearest(const struct policy *policy, struct route_scratch *scratch, struct job *job, struct near_example *ret, uint32_t most)
{
	uint32_t found = 0;
	for (uint32_t i = 0; i < policy->stage_count && found == 0; i++) {
		const struct policy_stage *stage = &policy->stages[i];
		struct stage_trace trace = {.stage = stage->ops->name};
		struct stage_turn turn = {.policy = policy, .job = job, .text = work_text(policy, job), .scratch = scratch->stages[i], .trace = &trace, .held_out = true};
		if (stage->ops->nearest != NULL)
			found = stage->ops->nearest(stage->config, &turn, ret, most < ROUTE_MAX_NEAREST ? most : ROUTE_MAX_NEAREST);
	}
	return found;
}
