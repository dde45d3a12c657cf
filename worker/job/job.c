/*
 * job.c: a job's life as a table.
 *
 * The one idea: one function moves a job, by a table of legal moves. A room that wants a move that the table does not hold
 * has misunderstood the road.
 */
#include "worker/job/job.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define B(NAME) (1u << JOB_##NAME)
#define ENDS (B(FORWARDED) | B(FAILED) | B(EXPIRED) | B(REJECTED) | B(DROPPED))

static const uint32_t legal[JOB_STATE_COUNT] = {
	[JOB_FREE] = B(FETCHED),
	[JOB_FETCHED] = B(NEEDS_SCHEMA) | B(DECODED) | ENDS,
	[JOB_NEEDS_SCHEMA] = B(FETCHED) | ENDS,
	[JOB_DECODED] = B(ASKING) | B(DECIDED) | ENDS,
	[JOB_ASKING] = B(DECODED) | B(DECIDED) | ENDS,
	[JOB_DECIDED] = B(WAITING) | B(CALLING) | ENDS,
	[JOB_WAITING] = B(CALLING) | ENDS,
	[JOB_CALLING] = B(WAITING) | B(ANSWERED) | ENDS,
	[JOB_ANSWERED] = B(DECIDED) | B(ENCODED) | ENDS, /* DECIDED: an answer check failed, a stronger model is asked */
	[JOB_FORWARDED] = B(ENCODED) | B(FAILED) | B(DROPPED),
	[JOB_FAILED] = B(ENCODED) | B(DROPPED),
	[JOB_EXPIRED] = B(ENCODED) | B(DROPPED),
	[JOB_REJECTED] = B(ENCODED) | B(DROPPED),
	[JOB_ENCODED] = B(COMMITTING) | B(FAILED) | B(DROPPED), /* FAILED: the broker refuses its output; encoded again */
	[JOB_COMMITTING] = B(DONE) | B(ENCODED) | B(DROPPED),
	[JOB_DONE] = B(FREE),
	[JOB_DROPPED] = B(FREE),
};

const char *job_state_name(enum job_state state)
{
	static const char *const names[] = {
#define X(NAME, name) name,
		JOB_STATES(X)
#undef X
	};
	return (unsigned)state < JOB_STATE_COUNT ? names[state] : "?";
}

const char *verdict_name(enum verdict verdict)
{
	static const char *const names[] = {"pass", "decided", "ask", "failed"};
	return names[verdict & 3]; /* whatever a cache has given */
}

const char *cache_source_name(enum cache_source source)
{
	static const char *const names[CACHE_SOURCES] = {"off", "miss", "near", "far", "shared"};
	return names[(unsigned)source < CACHE_SOURCES ? source : CACHE_OFF];
}

bool decision_allows(const struct decision *dec, uint16_t model)
{
	if (dec->forbidden == NULL)
		return true;
	return model < dec->forbidden_count && (dec->forbidden[model / 64] >> (model % 64) & 1) == 0;
}

bool job_advance(struct job *job, enum job_state to)
{
	if ((unsigned)to < JOB_STATE_COUNT && (legal[job->state] & (1u << to)) != 0) {
		job->state = to;
		return true;
	}
#ifndef NDEBUG
	fprintf(stderr, "bug: job %.*s-%d-%lld may not go from %s to %s\n", STR_ARG(job->rec.topic), job->rec.partition,
	        (long long)job->rec.offset, job_state_name(job->state), job_state_name(to));
	abort();
#else
	return false;
#endif
}

void job_fail(struct job *job, enum outcome outcome, const char *fmt, ...)
{
	char text[512];
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	struct str s = {text, n < 0 ? 0 : (size_t)n < sizeof text ? (size_t)n : sizeof text - 1};
	s.len = str_utf8_cut(s, s.len == sizeof text - 1 ? s.len - 1 : s.len);
	job->error = arena_str(&job->arena, s);
	job->outcome = outcome;
	enum status status = outcome_info(outcome)->status;
	(void)job_advance(job, status == STATUS_EXPIRED ? JOB_EXPIRED : status == STATUS_REJECTED ? JOB_REJECTED : JOB_FAILED); /* aborts in debug builds */
}
