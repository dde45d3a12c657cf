/*
 * job.h: the record that travels, from fetch to commit.
 *
 * Whoever holds the pointer owns the job; a hand-over list passes it on. Each room writes its own part and reads the
 * earlier ones:
 *   stream -> record;  wire -> request, outputs;  route -> decision;  upstream -> call (attempts, answer);
 *   engine/flow -> state, outcome and what joins them.
 * All memory is the job's arena; job_pool_give resets it after the commit.
 */
#ifndef JOB_JOB_H
#define JOB_JOB_H

#include <stdbool.h>
#include <stdint.h>

#include "common/arena.h"
#include "common/queue.h"
#include "worker/job/outcome.h"
#include "worker/job/record.h"

/* X(NAME, "name"). The legal moves are the table in job.c. */
#define JOB_STATES(X)                                                                                                  \
	X(FREE, "free") X(FETCHED, "fetched") X(NEEDS_SCHEMA, "needs_schema") X(DECODED, "decoded") X(ASKING, "asking")    \
	X(DECIDED, "decided") X(WAITING, "waiting") X(CALLING, "calling") X(ANSWERED, "answered")                          \
	X(FORWARDED, "forwarded") X(FAILED, "failed") X(EXPIRED, "expired") X(REJECTED, "rejected")                        \
	X(ENCODED, "encoded") X(COMMITTING, "committing") X(DONE, "done") X(DROPPED, "dropped")
enum job_state {
#define X(NAME, name) JOB_##NAME,
	JOB_STATES(X)
#undef X
	JOB_STATE_COUNT
};

struct message {
	struct str role, content; /* UTF-8, checked */
};
struct attribute {
	struct str name, value;
};

/* Written by wire_decode. Absent strings have data NULL. */
struct request {
	struct str id; /* always set: topic-partition-offset where the record has none */
	struct str tenant, conversation_id, job_id;
	struct message *messages; /* always >= 1; a bare prompt is one message of role user */
	uint32_t message_count;
	struct attribute *attributes;
	uint32_t attribute_count;
	const float *embedding; /* NULL: none; finite values only */
	uint32_t embedding_len;
	int64_t deadline_ms; /* wall clock, ms since 1970; 0: none */
	int32_t priority;    /* higher is sooner; 0 the default */
	int64_t max_tokens;  /* 0: not given */
	double temperature;  /* NAN: not given */
	struct str *stop;
	uint32_t stop_count;
	struct str response_format; /* JSON text, passed on; data NULL: none */
	struct str route_hint, traceparent;
	struct attribute *carry; /* output.carry: name is the path's last part, value the text found; subset of attributes */
	uint32_t carry_count;
	uint8_t format; /* enum wire_format of the record, for outputs that follow the input */
};

/* What a record from a park topic was before it was parked. Written by wire_decode; believed only where the configuration names
 * the topic as a model's park topic. */
struct origin {
	bool given;
	struct str topic; /* data NULL: not known */
	int32_t partition;
	int64_t offset;
	struct str id;         /* of the request; data NULL: none */
	int64_t deadline_ms;   /* wall clock; 0: none */
	int64_t fetched_at_ms; /* wall clock; 0: not known */
	uint32_t attempts;     /* calls that it has used up */
};

enum verdict { VERDICT_PASS, VERDICT_DECIDED, VERDICT_ASK, VERDICT_FAILED };
const char *verdict_name(enum verdict verdict); /* as in the decision schema's enum */

struct stage_trace {
	const char *stage; /* constant */
	enum verdict verdict;
	struct str label, runner_up;        /* route names; data NULL: none */
	double score, runner_up_score, threshold; /* NAN: none */
	double in_scope;          /* how like anything the stage knows the text is, on its own scale; NAN: it has no such score */
	int64_t micros;
	struct str asset_version; /* hex, short */
	struct str reason;        /* why it passed or decided */
	double cost_usd;
	const char *asked; /* constant; what became of a question to a model, for counting ("decided", "unsure", or why it failed); NULL: none */
};

enum cache_source { CACHE_OFF, CACHE_MISS, CACHE_NEAR, CACHE_FAR, CACHE_SHARED };
enum { CACHE_SOURCES = CACHE_SHARED + 1 };
const char *cache_source_name(enum cache_source source); /* as in the decision schema's enum */

/* A guard of the policy that took effect on a record, for the audit. */
struct guard_effect {
	struct str name, effect; /* effect: one sentence a person can read; it quotes nothing of the record's text */
};

/* Written by route; filled from the cache on a hit. Names point into the policy, which the job pins. */
struct decision {
	char id[37]; /* UUIDv7 as text */
	const struct policy *policy; /* pinned: released by job_pool_give's hook */
	uint8_t prompt_hash[32];
	bool has_prompt_hash;
	uint32_t prompt_chars, prompt_tokens_est;
	int route; /* index in the policy; -1 while undecided */
	struct str route_name;
	const char *stage; /* which stage decided; "when_unsure" where none did */
	struct str label, runner_up;
	struct str group_id; /* of a batch; data NULL: none */
	double confidence, threshold; /* NAN: none */
	struct str reason;            /* one sentence a person can read */
	struct stage_trace *trace;
	uint32_t trace_count;
	enum cache_source cache;
	bool unsure;
	struct str unsure_reason;
	bool degraded; /* something was down: not to be cached */
	bool uncacheable; /* depended on the time of day or the like */
	struct str prompt_version; /* hex of the answer prompt used */
	double cost_usd;
	/* of the guards; written before anything of the record leaves the process, never cached */
	const uint64_t *forbidden; /* bit m: settings.models[m] may not see this record; NULL: all may. See decision_allows */
	uint32_t forbidden_count;  /* bits there are: the number of models */
	struct guard_effect *guards;
	uint32_t guard_count;
	const uint16_t *instead; /* a guard's models in place of the route's; NULL: none */
	uint32_t instead_count;
	const uint16_t *models; /* after route_admit: who is asked, in order */
	uint32_t model_count;
	struct route_work *work; /* route's own between its steps; in the job's arena */
	struct conversation *conversation; /* likewise: what it was through before this record; NULL: nobody has asked yet */
};

/* Whether guards let this model (index in settings.models) see the record: asked before every call, whatever its purpose. A
 * stage that passes because of it sets dec->uncacheable: the next record of the same text may be free of what was guarded. */
bool decision_allows(const struct decision *dec, uint16_t model);

enum purpose { PURPOSE_ANSWER, PURPOSE_ROUTER, PURPOSE_EMBED, PURPOSE_JUDGE };

struct attempt {
	uint16_t model; /* index in settings.models */
	int64_t started_at_ms; /* wall */
	int64_t micros;
	int32_t http_status; /* 0: none */
	enum outcome outcome; /* OUTCOME_OK, or why it failed */
	struct str detail;    /* for a person; bounded; data NULL: none */
	int64_t retry_after_ms; /* 0: none */
	int64_t input_tokens, cached_tokens, output_tokens;
	double cost_usd;
	bool estimated; /* tokens were estimated: the answer had no usage */
	bool sent;      /* bytes may have reached the server (a repeat is a repeated call) */
};

struct token_logprob {
	struct str token; /* UTF-8 */
	double logprob;   /* natural; finite, <= 0 */
};
enum { CALL_MAX_TOKENS = 512, CALL_MAX_VECTOR = 8192 }; /* of an answer that are kept */

/* What upstream is asked and what it brings back. */
struct call {
	/* asked: by engine/flow */
	enum purpose purpose;
	const uint16_t *models; /* in order; then the on_error ones. Each at most once for the same cause */
	uint32_t model_count;
	const struct message *messages; /* rendered: system first where the route has one. PURPOSE_EMBED: one, its content is embedded */
	uint32_t message_count;
	int64_t max_tokens; /* 0: not given */
	double temperature; /* NAN: not given */
	const struct str *stop;
	uint32_t stop_count;
	struct str response_format;
	int64_t timeout_ms;  /* 0: the model's */
	int64_t deadline_us; /* monotonic; 0: none */
	bool logprobs;       /* tokens are wanted, where the server offers them */
	bool may_park;       /* a full model may give it back with park_topic set */
	/* between: upstream's own while it owns the job */
	uint32_t model_at;      /* position in models */
	uint32_t attempts_left; /* the record's budget */
	int64_t not_before_us;  /* monotonic; a retry waits until then */
	struct link link;       /* waiting line and timers of the pool */
	void *transfer;
	/* answered: by upstream */
	struct attempt *attempts; /* settings.engine.attempts + number of models is the bound */
	uint32_t attempt_count, attempt_cap;
	enum outcome outcome; /* OUTCOME_OK: text is the answer */
	int32_t model;        /* index of the model that answered; -1 */
	struct str text;      /* UTF-8, repaired */
	struct str finish_reason, provider_request_id;
	const struct token_logprob *tokens; /* of the text, from its start; count 0: not offered */
	uint32_t token_count;
	const float *vector; /* PURPOSE_EMBED: finite values, at least one */
	uint32_t vector_len;
	struct str message; /* why it failed, for a person */
	struct str park_topic; /* OUTCOME_PARKED: where to */
	int64_t input_tokens, cached_tokens, output_tokens; /* of the attempt that answered */
	double cost_usd;    /* of all attempts */
	bool repeated;      /* an earlier attempt of this record may have reached a server before this process had it */
};

struct job {
	struct link link; /* the queue it is in */
	enum job_state state;
	enum outcome outcome;
	struct str error; /* what went wrong, for a person; data NULL: nothing */
	struct arena arena;
	struct record rec;
	struct origin origin;
	struct request req;
	struct decision dec;
	struct call call;
	struct output *outputs; /* by wire_encode, in the order to produce */
	/* monotonic microseconds, 0: not reached */
	int64_t fetched_us, decoded_us, decided_us, called_us, answered_us;
	int64_t deadline_us; /* clamped; 0: none */
	size_t reserved_bytes; /* what admission took from the pool's bound */
	uint32_t schema_id;    /* NEEDS_SCHEMA: which one is missing */
	/* engine/flow: single flight of decisions that ask a model */
	bool leads;    /* others of the same cache key wait for its decision */
	uint8_t waits; /* how often it has waited for another's */
};

/* The one setter of job->state. An illegal move aborts in debug builds and is logged as a bug by the caller otherwise;
 * false then. */
bool job_advance(struct job *job, enum job_state to);
const char *job_state_name(enum job_state state);
/* Ends the job's work: sets outcome and error text (copied, bounded) and moves to FAILED, EXPIRED or REJECTED as the
 * outcome's status says (STATUS_NONE: FAILED). */
void job_fail(struct job *job, enum outcome outcome, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

#endif
