/*
 * cond.h: conditions, as rules and guards write them under `when`: compiled by cond_compile.c, evaluated by cond.c.
 *
 * The keywords and patterns of a set of conditions are its lexicon. A `struct cond_eval` is one look at one record.
 * Thread: compiled conditions are read-only; a scratch and an evaluation belong to one decider.
 */
#ifndef ROUTE_COND_H
#define ROUTE_COND_H

#include "worker/route/keywords.h"
#include "worker/route/pii.h"
#include "worker/route/policy_load.h"
#include "worker/route/regex.h"

enum cond_kind {
	COND_ALL, COND_ANY, COND_NONE, /* of parts */
	COND_KEYWORDS,                 /* number: the list */
	COND_REGEX,
	COND_MIN_CHARS, COND_MAX_CHARS, COND_MIN_WORDS, COND_MAX_WORDS, COND_MIN_TOKENS, COND_MAX_TOKENS, /* number */
	COND_LANGUAGE, COND_HAS_CODE,            /* one of values; number: 0 or 1 */
	COND_ATTRIBUTE, COND_TENANT, COND_HINT,  /* (name) is one of values */
	COND_PII                                 /* number: bits of enum pii_kind */
};

struct cond {
	enum cond_kind kind;
	struct cond *parts;
	uint32_t count; /* of parts or values */
	uint32_t number;
	struct str name; /* of the attribute; text of the pattern */
	struct str *values;
	struct regex *regex;
};

struct lexicon {
	struct keywords *keywords;
	struct regex **regexes; /* to free */
	uint32_t regex_count, regex_cap;
};
void lexicon_init(struct lexicon *lexicon);
void lexicon_free(struct lexicon *lexicon);

/* What compiling a condition needs; conditions are counted over all that share it. */
struct cond_compiler {
	struct stage_setup *setup;
	struct lexicon *lexicon;
	uint32_t conditions;
	bool whole_record; /* conditions see all of a record: pii may be asked for */
	uint32_t pii;      /* out: all kinds that are */
};
enum { COND_MAX_DEPTH = 8, COND_MAX_CONDITIONS = 20000 };

/* The map under `when` (or an element of all/any/none): all of its keys must hold. depth: 1. */
enum rc cond_compile(struct cond_compiler *compiler, const struct node *node, unsigned depth, struct cond *ret, struct err *err);

struct cond_scratch;
struct cond_scratch *cond_scratch_new(const struct lexicon *lexicon); /* after keywords_compile */
void cond_scratch_free(struct cond_scratch *scratch);                /* NULL is fine */

enum { COND_MAX_FINDINGS = 16 };
struct cond_eval {
	const struct lexicon *lexicon;
	struct cond_scratch *scratch;
	struct text *text;
	const struct request *req;
	struct pii_record *pii; /* NULL: no condition asks for it */
	const struct cond *findings[COND_MAX_FINDINGS]; /* leaves that held, in order; more are not named */
	uint32_t found;
	const struct cond *given_up; /* a pattern whose search reached its bound: taken for no match */
	int code;                    /* has_code: -1 not looked yet */
};

/* Fills e and looks for all keywords in the text. */
void cond_begin(struct cond_eval *e, const struct lexicon *lexicon, struct cond_scratch *scratch, struct text *text,
                const struct request *req);
/* Forgets what held before; true: what held is in e->findings. */
bool cond_holds(struct cond_eval *e, const struct cond *cond);
/* One finding in words. */
void cond_describe(struct buf *out, const struct cond_eval *e, const struct cond *cond);

#endif
