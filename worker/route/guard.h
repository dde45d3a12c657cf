/*
 * guard.h: compiled guards: who may see a record, whatever its route.
 *
 * Guards are evaluated once for each record, over all of it, before any of it leaves the process; their result is never cached.
 * Others see route_guard and route_admit in route.h.
 *
 * Thread: compiled guards are read-only. Memory: the policy's arena, but for the lexicon (guards_close).
 */
#ifndef ROUTE_GUARD_H
#define ROUTE_GUARD_H

#include "worker/route/cond.h"

enum { GUARD_MAX = 200, GUARD_MAX_EFFECT = 300 /* bytes */ };

enum guard_kind {
	GUARD_NARROWS,  /* some models may not see the record */
	GUARD_REPLACES, /* these models serve it, in this order, and no others see it */
	GUARD_REJECTS
};

struct guard {
	struct str name;
	enum guard_kind kind;
	struct cond *when;   /* NULL: every record */
	struct str *tenants; /* the guard is for all other tenants */
	uint32_t tenant_count;
	uint64_t *forbidden; /* bits by model */
	uint16_t *models;    /* GUARD_REPLACES: in order */
	uint32_t model_count;
	struct str effect;   /* in words: "only eu-1 may see it" */
};

struct guards {
	struct guard *items; /* as in the file */
	uint32_t count;
	struct lexicon lexicon;
	bool reads_text; /* some condition is about the text itself */
	uint32_t pii;    /* kinds of personal data that some condition asks for */
};

/* The models of the configuration as guards know them, by their index there. */
struct guarded_model {
	struct str name;
	int64_t context_tokens; /* 0: not known */
};

/* guard_compile.c: the guards section, after the routes. canon: what can change a decision. On failure guards_close too. */
enum rc guards_parse(struct policy *policy, const struct settings *settings, const struct node *node, struct arena *brief,
                     struct canon *canon, struct err *err);
void guards_close(struct guards *guards); /* NULL is fine */

/* guard.c: all guards over the record: what route_guard does where there are some. */
bool guards_run(const struct policy *policy, struct cond_scratch *scratch, struct job *job, struct str *ret_why);

/* "; name (effect)" of all that took effect, without the first "; ". */
struct str guard_list(struct job *job);

#endif
