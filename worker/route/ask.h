/*
 * ask.h: what the stages that ask a model share: which model, how long, how often; and what an answer that is none means.
 *
 * A question has a budget of attempts of its own: it takes nothing from the record's, which is for the answer.
 *
 * Thread: the owner of the turn.
 */
#ifndef ROUTE_ASK_H
#define ROUTE_ASK_H

#include "worker/route/policy_load.h"

/* Questions end sooner than a claim on their cache key does (30 s): nobody who waits for one asks again meanwhile. */
enum { ASK_MAX_TIMEOUT_MS = 25000, ASK_MAX_ATTEMPTS = 10 };

struct ask {
	uint16_t model;     /* index in the settings */
	int64_t timeout_ms; /* from the question to its answer: waiting, calls and repetitions */
	uint32_t attempts;
};

struct ask_settings {
	const struct node *model;
	int64_t timeout_ms;
	uint32_t attempts;
};

/* The rows of an option table for the struct ask_settings at base. */
#define ASK_OPTIONS(base)                                                                                              \
	{.name = "model", .kind = OPTION_CUSTOM, .offset = (base) + offsetof(struct ask_settings, model), .parse = policy_keep_node, \
	 .required = true, .doc = "The model that is asked, one of the configuration's."},                                \
	{.name = "timeout", .kind = OPTION_DURATION, .offset = (base) + offsetof(struct ask_settings, timeout_ms), .fallback = "5s", \
	 .min = 10, .max = ASK_MAX_TIMEOUT_MS, .doc = "From the question to its answer, repetitions included."},          \
	{.name = "attempts", .kind = OPTION_U32, .offset = (base) + offsetof(struct ask_settings, attempts), .fallback = "2", .min = 1, \
	 .max = ASK_MAX_ATTEMPTS, .doc = "Calls for one question; the record's own budget stays for its answer."}

/* Resolves the model, and writes what can change its answers to the canon. */
enum rc ask_open(struct stage_setup *setup, const struct ask_settings *settings, struct ask *ret, struct err *err);

/* Puts a new question into job->call, for the caller to go on with, and returns true. False: a guard keeps the text from the
 * model; the stage passes, with that reason. */
bool ask_begin(const struct ask *ask, struct stage_turn *turn, enum purpose purpose);
/* What came of it: true when there is an answer. False: VERDICT_FAILED, with the reason; the decision is degraded. */
bool ask_answered(struct stage_turn *turn);
/* The answer is there and cannot be used: likewise. asked: a constant, for counting. */
enum verdict ask_useless(struct stage_turn *turn, const char *asked, struct str reason);

#endif
