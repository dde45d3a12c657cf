/*
 * policy.h: a compiled policy from the inside, for the files of this room. Others see route.h.
 *
 * Memory: the policy's arena, but for what stages hold and close. Immutable once policy_parse has returned.
 */
#ifndef ROUTE_POLICY_H
#define ROUTE_POLICY_H

#include <stdatomic.h>

#include "common/hmac.h"
#include "worker/route/route.h"
#include "worker/route/stage.h"

enum {
	POLICY_MAX_STAGES = 8,
	POLICY_MAX_ROUTES = 1000,
	POLICY_MAX_NAME = 64,
	POLICY_MAX_DESCRIPTION = 1000,
	POLICY_MAX_MODELS = 16,  /* of one route */
	POLICY_MAX_REASON = 200, /* bytes; what is cached stays small */
	POLICY_MAX_PROMPT_BYTES = 256 * 1024,
	POLICY_MAX_LIST_BYTES = 16 * 1024 * 1024,
	POLICY_VERSION_CHARS = 16
};

/* The stage name of a decision that no stage made. */
#define ROUTE_WHEN_UNSURE "when_unsure"

struct policy_stage {
	const struct stage_ops *ops;
	void *config;
	const struct thresholds *thresholds; /* NULL: it has none */
	bool any_scope;
};

/* What compiled stages read beside the text: all of it goes into the cache key. */
struct policy_inputs {
	bool length, hint, embedding;
	struct str *attributes; /* sorted, each once */
	uint32_t attribute_count;
};

/* What is remembered from one record of a conversation to the next (conversation.h). */
struct conversation_rules {
	struct str by;   /* the attribute that names it; data NULL: conversation_id */
	uint32_t turns;  /* that it stays; 0: it does not */
	bool *sticky;    /* by route: those it stays with */
	int64_t ttl_ms;  /* how long the state is kept after the last record */
	bool bounded;    /* some route may not clarify for ever */
};

struct policy {
	atomic_uint refs;
	struct arena arena;
	struct str name, folder;
	char decision_version[POLICY_VERSION_CHARS + 1], version[POLICY_VERSION_CHARS + 1];
	struct text_rules text;
	struct route *routes;
	bool *reachable; /* by route: some rule, example or when_unsure leads there */
	uint32_t route_count;
	const struct node **route_examples; /* by route, while the policy is loaded: the file it names, or NULL */
	bool examples_read;                 /* some stage reads those files */
	const struct node **route_then;     /* likewise: what it says of `then`, or NULL */
	int when_unsure, baseline;
	double *costs; /* of errors, for measuring; NULL: none (costs.h) */
	uint32_t languages; /* bit i: language_at(i); 0: any */
	struct policy_stage stages[POLICY_MAX_STAGES];
	uint32_t stage_count;
	bool asks; /* some stage asks a model */
	uint16_t embedders[POLICY_MAX_STAGES]; /* models that are asked for embeddings */
	uint32_t embedder_count;
	struct policy_inputs inputs;
	struct static_model *static_model; /* the shipped table, where some stage has asked for it; see policy_static_model */
	struct conversation_rules conversation;
	struct guards *guards; /* NULL: none */
	struct guarded_model *models; /* by index in settings */
	uint32_t model_count;
	struct buf warnings;
};

/* route.c: the decision goes to that route, by that stage; and to when_unsure, for this reason. */
void route_settle(const struct policy *policy, struct decision *dec, int route, const char *stage);
void route_settle_unsure(const struct policy *policy, struct job *job, struct str why);

/* conversation.c: the decision is that the record stays, as conversation_stays has just said. */
void conversation_stay(const struct policy *policy, struct job *job);

/* By name; -1 when there is none. */
int policy_find_route(const struct policy *policy, struct str name);
/* The same, marked reachable, for a reference at node; RC_BAD_INPUT with "did you mean". */
enum rc policy_refer_route(struct policy *policy, const struct node *node, int *ret, struct err *err);
/* The route named at node, without marking it. */
enum rc policy_name_route(const struct policy *policy, const struct node *node, int *ret, struct err *err);
/* The name nearest to a word that is no route, or NULL. */
const char *policy_suggest_route(const struct policy *policy, struct str word);
/* A stage declares that it reads this attribute. */
void policy_reads_attribute(struct policy *policy, struct str name);
/* One line for check-config. */
void policy_warn(struct policy *policy, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
