/*
 * route.h: the decision: text and attributes -> route, confidence, reason. Never does I/O.
 *
 * A `struct policy` is immutable after loading, shared by all threads and counted by reference, so a reload replaces it while
 * jobs finish under the old one. A `struct route_scratch` holds one decider's stage memory.
 */
#ifndef ROUTE_ROUTE_H
#define ROUTE_ROUTE_H

#include "common/err.h"
#include "worker/job/job.h"
#include "worker/job/settings.h"

struct policy;
struct route_scratch;

struct answer_check; /* opaque: an answer check of a route (issue "models" fills it) */

struct route {
	struct str name;
	struct str description; /* for a model that chooses routes; data NULL: none */
	uint16_t *models; /* `models` then `on_error`, in order, without repeats */
	uint32_t model_count;
	struct str topic; /* data NULL: a model route; else the destination topic */
	bool clarification;
	uint32_t max_per_conversation; /* of clarifications; 0: any number */
	int then;                      /* the route after that many */
	struct str system;   /* prompt text; data NULL: none */
	struct str template; /* with {text}, {attributes.NAME}, {tenant}, {id}; data NULL: messages go as they are */
	struct str prompt_version; /* short hex over system, template and parameters */
	int64_t max_tokens;  /* 0: not set */
	double temperature;  /* NAN: not set */
	struct str response_format;
	int64_t timeout_ms;  /* 0: the model's */
};

/* Reads the policy file, checks it against the models, compiles its stages, computes both versions. */
enum rc policy_load(const char *path, const struct settings *settings, struct policy **ret, struct err *err);
enum rc policy_parse(const char *name, struct str text, const char *folder, const struct settings *settings,
                     struct policy **ret, struct err *err);
/* A policy whose routes are the labels of a classifier's file, which always decides; behind them a route "(none of these)". For
 * measuring: its routes have no models. */
enum rc policy_of_labels(const char *path, struct policy **ret, struct err *err);
struct policy *policy_ref(struct policy *policy); /* Thread: any */
void policy_unref(const struct policy *policy);   /* Thread: any. NULL is fine */

struct str policy_name(const struct policy *policy);
struct str policy_decision_version(const struct policy *policy); /* hex: all that can change a decision */
struct str policy_version(const struct policy *policy);          /* hex: everything */
uint32_t policy_route_count(const struct policy *policy);
const struct route *policy_route(const struct policy *policy, uint32_t index);
int policy_when_unsure(const struct policy *policy);     /* route index */
int policy_baseline_model(const struct policy *policy);  /* model index; -1: none */
bool policy_asks(const struct policy *policy);           /* route_decide may give ROUTE_ASK */
bool policy_embeds(const struct policy *policy, uint32_t model); /* some stage asks this model for embeddings */
/* Routes no rule and no stage can choose, thresholds without calibration and the like: one line each, for check-config. */
void policy_warnings(const struct policy *policy, struct buf *out);

struct route_scratch *route_scratch_new(const struct policy *policy);
void route_scratch_free(struct route_scratch *scratch);

enum route_step { ROUTE_DONE, ROUTE_ASK };

/* Step 0, before anything of the record leaves the process and whatever the cache knows: which models may see it
 * (job->dec.forbidden, guards). false: a guard rejects it; *ret_why is the reason, in the job's arena. */
bool route_guard(const struct policy *policy, struct route_scratch *scratch, struct job *job, struct str *ret_why);

/* Step 1: reads what the policy reads of job->req into scratch-independent form in the job's arena (job->dec.prompt_chars,
 * prompt_tokens_est) and gives the bytes that the cache key covers: decision_version, tenant, every declared input, text. */
struct str route_key_material(const struct policy *policy, struct route_scratch *scratch, struct job *job);
/* Step 2 on a miss: asks the stages in order. ROUTE_ASK: job->call holds the request (PURPOSE_ROUTER or _EMBED); resume with
 * the answer in job->call. ROUTE_DONE: job->dec is filled, when_unsure included. */
enum route_step route_decide(const struct policy *policy, struct route_scratch *scratch, struct job *job);
enum route_step route_resume(const struct policy *policy, struct route_scratch *scratch, struct job *job);
/* Step 2 on a hit: fills job->dec from a value that route_pack made. RC_BAD_INPUT: rubbish, treat as a miss. */
enum rc route_unpack(const struct policy *policy, struct str value, struct job *job);
/* Data NULL when the decision must not be cached. */
struct str route_pack(const struct policy *policy, const struct job *job);

/* Step 3, after the decision: job->dec.models are the route's models that guards and context sizes leave; where none is left,
 * the decision goes to when_unsure. false: none is left there either: the record must be rejected, *ret_why is the reason. A
 * route to a topic has no models and is admitted. */
bool route_admit(const struct policy *policy, struct job *job, struct str *ret_why);

/* Step 4: the messages to send for the chosen route (system, template filled), in the job's arena; other call parameters. */
void route_render(const struct policy *policy, struct job *job);

/* The text the router reads, after text.use, strip, max_chars. For explain. */
struct str route_text(const struct policy *policy, struct job *job);

#endif
