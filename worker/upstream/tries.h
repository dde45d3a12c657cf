/*
 * tries.h: what the room keeps of a job while it owns it, and the ways a job leaves: answered, failed, parked, dropped.
 * Everything lives in the job's arena. Thread: the job's owner.
 */
#ifndef UPSTREAM_TRIES_H
#define UPSTREAM_TRIES_H

#include <stdatomic.h>

#include "common/str.h"
#include "worker/job/job.h"
#include "worker/upstream/idempotency.h"

enum { TRIES_MODELS = 64 }; /* models of one list that are looked at */

struct tries {
	struct str body;     /* the request for model built_for */
	int32_t built_for;   /* index in settings.models; -1: none */
	uint32_t tries_here; /* attempts on the model at call.model_at */
	uint64_t spent;      /* positions of the list that are used up */
	uint64_t skipped;    /* positions skipped and noted as an attempt */
	uint32_t round;      /* of upstream_abort when it came in */
	_Atomic uint32_t *line; /* the count of the line it stands in; NULL: none */
	bool trial;          /* the call on the wire is a trial of a half-open breaker */
	bool cut_short;      /* its timeout is the deadline, not the model's */
	struct str last_words; /* of the last failure, for a person; data NULL: none */
	int64_t started_us, started_at_ms;
	char key[IDEMPOTENCY_CHARS + 1];
};

/* Sets call.transfer, and the budget where the record has none yet. */
struct tries *tries_begin(struct job *job, uint32_t attempts, uint32_t round);
struct tries *tries_of(const struct job *job);
/* Models of the list not used up, the one at model_at not counted. */
uint32_t tries_others(const struct job *job);
/* A new attempt, zeroed but for its model. Never NULL. */
struct attempt *tries_note(struct job *job, uint16_t model);

/* Each leaves a job in ASKING in that state; call.outcome says how it went. */
void tries_answered(struct job *job);
void tries_failed(struct job *job, enum outcome outcome, struct str message);
/* The last attempt was the last: the outcome is its own, or no_model where different models failed differently. */
void tries_given_up(struct job *job);
void tries_expired(struct job *job);
/* It leaves for a topic: never for a job in ASKING. */
void tries_parked(struct job *job, struct str topic);
void tries_dropped(struct job *job);

#endif
