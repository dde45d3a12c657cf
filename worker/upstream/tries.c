/*
 * tries.c: bookkeeping of a job's tries.
 *
 * The one idea: whatever a pool does with a job ends in one of six functions here, so that state, outcome, message and
 * attempts cannot tell different stories.
 */
#include "worker/upstream/tries.h"

#include "common/fault.h"

struct tries *tries_begin(struct job *job, uint32_t attempts, uint32_t round)
{
	struct call *call = &job->call;
	struct tries *tries = arena_zalloc(&job->arena, sizeof *tries);
	tries->built_for = -1;
	tries->round = round;
	call->transfer = tries;
	call->outcome = OUTCOME_NONE;
	call->model = -1;
	if (call->attempt_count == 0 && call->attempts_left == 0)
		call->attempts_left = attempts;
	for (uint32_t i = 0; i < call->model_count && i < TRIES_MODELS; i++) /* whoever asks, and for whatever purpose */
		if (!decision_allows(&job->dec, call->models[i]))
			tries->spent |= UINT64_C(1) << i;
	return tries;
}

struct tries *tries_of(const struct job *job)
{
	return job->call.transfer;
}

uint32_t tries_others(const struct job *job)
{
	const struct tries *tries = job->call.transfer;
	uint32_t n = 0;
	for (uint32_t i = 0; i < job->call.model_count && i < TRIES_MODELS; i++)
		n += i != job->call.model_at && (tries->spent >> i & 1) == 0 ? 1 : 0;
	return n;
}

struct attempt *tries_note(struct job *job, uint16_t model)
{
	struct call *call = &job->call;
	if (call->attempt_count == call->attempt_cap) {
		uint32_t cap = call->attempt_count + call->attempts_left + call->model_count + 1;
		struct attempt *more = arena_array(&job->arena, cap, sizeof *more);
		if (call->attempt_count > 0)
			memcpy(more, call->attempts, call->attempt_count * sizeof *more);
		call->attempts = more;
		call->attempt_cap = cap;
	}
	struct attempt *a = &call->attempts[call->attempt_count++];
	*a = (struct attempt){.model = model};
	return a;
}

void tries_answered(struct job *job)
{
	job->call.outcome = OUTCOME_OK;
	FAULT_POINT("after_answer");
	if (job->state != JOB_ASKING)
		(void)job_advance(job, JOB_ANSWERED); /* aborts in debug builds */
}

void tries_failed(struct job *job, enum outcome outcome, struct str message)
{
	job->call.outcome = outcome;
	job->call.message = arena_str(&job->arena, message);
	if (job->state != JOB_ASKING)
		job_fail(job, outcome, "%.*s", STR_ARG(message));
}

static bool all_forbidden(const struct job *job)
{
	const struct call *call = &job->call;
	for (uint32_t i = 0; i < call->model_count; i++)
		if (decision_allows(&job->dec, call->models[i]))
			return false;
	return call->model_count != 0;
}

void tries_given_up(struct job *job)
{
	if (all_forbidden(job)) {
		tries_failed(job, OUTCOME_GUARD, STR("guards leave no model of the list that may see the record"));
		return;
	}
	struct str message = tries_of(job)->last_words;
	if (message.data == NULL)
		message = job->call.attempts_left == 0 ? STR("the record's attempts are used up") : STR("no model is left in the list");
	const struct call *call = &job->call;
	const struct attempt *last = NULL; /* a model that was full has failed nobody */
	for (uint32_t i = 0; i < call->attempt_count; i++)
		last = call->attempts[i].outcome != OUTCOME_MODEL_FULL ? &call->attempts[i] : last;
	enum outcome outcome = last == NULL ? OUTCOME_NO_MODEL : last->outcome;
	for (const struct attempt *a = call->attempts; last != NULL && a < last; a++)
		if (a->outcome != OUTCOME_MODEL_FULL && a->outcome != last->outcome && a->model != last->model)
			outcome = OUTCOME_NO_MODEL;
	tries_failed(job, outcome, message);
}

void tries_expired(struct job *job)
{
	const struct call *call = &job->call;
	struct str last = tries_of(job)->last_words;
	struct str message = STR("the deadline passed while waiting for a model");
	if (last.data != NULL)
		message = arena_printf(&job->arena, "the deadline passed after %u attempts; %.*s", (unsigned)call->attempt_count,
		                       STR_ARG(last));
	tries_failed(job, OUTCOME_EXPIRED, message);
}

void tries_parked(struct job *job, struct str topic)
{
	job->call.outcome = job->outcome = OUTCOME_PARKED;
	job->call.park_topic = topic;
	(void)job_advance(job, JOB_FORWARDED); /* legal from DECIDED */
}

void tries_dropped(struct job *job)
{
	(void)job_advance(job, JOB_DROPPED); /* aborts in debug builds */
}
