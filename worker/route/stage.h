/*
 * stage.h: what a routing stage is. A stage is one file that fills a `struct stage_ops` and one line in stage.c's table.
 *
 * A stage's compiled form is immutable and shared by all threads; what it needs while deciding lives in its scratch, one per
 * decider, or in the job's arena. A stage never does I/O after open: it returns VERDICT_ASK with job->call filled and is
 * resumed with the answer there.
 */
#ifndef ROUTE_STAGE_H
#define ROUTE_STAGE_H

#include "common/config.h"
#include "worker/job/job.h"
#include "worker/route/canon.h"
#include "worker/route/text.h"

struct policy;
struct near_example; /* inspect.h */
struct thresholds;
struct settings;

/* What open gets. All that must last goes into policy->arena. */
struct stage_setup {
	struct policy *policy;   /* routes are complete */
	const struct settings *settings; /* for the models that a stage names */
	const struct node *node; /* the stage's settings; its place for messages */
	struct arena *brief;     /* memory that ends with the loading */
	struct canon *canon;     /* everything that can change this stage's decisions is written here */
	struct thresholds *thresholds; /* out: NULL: it has none (thresholds.h) */
	bool any_scope;                /* out: it decides on texts unlike its training too */
};

/* What decide and resume get and give. */
struct stage_turn {
	const struct policy *policy;
	struct job *job; /* its arena is for whatever must outlive the turn */
	struct text *text;
	void *scratch;
	int route;                 /* out, with VERDICT_DECIDED: index in the policy */
	struct stage_trace *trace; /* out: score, label, runner_up, threshold, reason; NAN and null where it has none */
	bool degraded;             /* out: something was down; the decision is not cached */
	bool held_out;             /* in: examples that are this very text do not count, where the stage can leave them out */
	bool barred, learned;      /* out: as in struct stage_answer (inspect.h) */
};

struct stage_ops {
	const char *name;
	uint32_t version; /* of the code: raised when the same input may be decided differently */
	bool measured_in_languages; /* passes on texts outside the policy's `languages` */
	enum rc (*open)(struct stage_setup *setup, void **ret, struct err *err);
	void (*close)(void *stage); /* NULL: all of it is the policy's arena */
	void *(*scratch_new)(const void *stage); /* NULL: needs none */
	void (*scratch_free)(void *scratch);
	enum verdict (*decide)(const void *stage, struct stage_turn *turn);
	enum verdict (*resume)(const void *stage, struct stage_turn *turn); /* NULL: never asks */
	/* As route_nearest; 0 where asking would be needed. NULL: has no examples. */
	uint32_t (*nearest)(const void *stage, struct stage_turn *turn, struct near_example *ret, uint32_t most);
};

extern const struct stage_ops rules_stage;
extern const struct stage_ops semantic_stage;
extern const struct stage_ops classifier_stage;
extern const struct stage_ops outlier_stage;
extern const struct stage_ops llm_stage;
extern const struct stage_ops difficulty_stage;

/* classifier_stage.c: a stage that always decides, for policy_of_labels: route i is label i. In the policy's arena. */
struct classifier;
void *classifier_stage_bare(struct policy *policy, struct classifier *classifier);

/* The table: all stages there are, ends with NULL. */
extern const struct stage_ops *const stage_table[];
const struct stage_ops *stage_find(struct str name); /* NULL: none */

#endif
