/*
 * inspect.h: what reports and calibration ask a policy beside a decision: its stages and their thresholds, and what each stage says
 * to a text by itself.
 *
 * Thread: any; a scratch belongs to one thread. Memory: names and arrays are the policy's.
 */
#ifndef ROUTE_INSPECT_H
#define ROUTE_INSPECT_H

#include "worker/route/route.h"

/* STALE: something that the thresholds were chosen for has changed since. */
enum calibration { CALIBRATION_NONE, CALIBRATION_STALE, CALIBRATION_HOLDS };
const char *calibration_name(enum calibration calibration); /* "uncalibrated", "stale", "calibrated" */

struct stage_info {
	const char *name;         /* constant */
	const double *thresholds; /* by route; NULL: the stage has none, and what follows means nothing (but for difficulty, whose one it is) */
	double accept;            /* for routes without one of their own */
	enum calibration calibration;
	struct str data;          /* hash of the rows behind it; data NULL: none */
	int64_t rows;
	struct str seal;          /* what the mark of a calibration must repeat */
	bool any_scope;           /* decides on texts unlike its training too */
};
uint32_t policy_stage_count(const struct policy *policy);
struct stage_info policy_stage_info(const struct policy *policy, uint32_t index);
/* Closes the stages that are not named ("rules,classifier"). For measuring, before anybody else has the policy; its versions stay those
 * of the whole. RC_BAD_INPUT: it has no stage of some name. */
enum rc policy_keep_stages(struct policy *policy, struct str names, struct err *err);

/* What errors cost, as costs.h has it; NULL: the policy does not say. */
const double *policy_costs(const struct policy *policy);

/* One stage's own answer, whatever the stages before it said. */
struct stage_answer {
	enum verdict verdict; /* by the thresholds that are in force */
	int route;            /* the best one; -1: none */
	double score;         /* NAN: none */
	bool barred;          /* passes at any threshold: too close to the next, or unlike the training */
	bool learned;         /* the stage knows this very text by heart: its score proves nothing */
};
/* Asks every stage. A text that is itself an example is compared with the other examples only; a stage that cannot leave it out
 * says `learned`. Nobody is called: a stage that asks a model has no answer. ret: one for each stage. */
void route_ask_all(const struct policy *policy, struct route_scratch *scratch, struct job *job, struct stage_answer *ret);

/* An example of the policy that lies near a text. */
struct near_example {
	int route;
	double score;     /* cosine */
	const char *file; /* where it stands; the policy's */
	uint32_t line;    /* from 1 */
};
/* The examples nearest to the text, nearest first, of the first stage that can compare without asking a model; the text itself is
 * left out. Returns how many, `most` (at most ROUTE_MAX_NEAREST) or fewer. */
enum { ROUTE_MAX_NEAREST = 16 };
uint32_t route_nearest(const struct policy *policy, struct route_scratch *scratch, struct job *job, struct near_example *ret, uint32_t most);

#endif
