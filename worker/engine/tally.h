/*
 * tally.h: what the engine counts of decisions and outcomes, for /metrics and /status.
 *
 * Thread: counting any (the tables are locked; a decision takes the lock once); reading any.
 */
#ifndef ENGINE_TALLY_H
#define ENGINE_TALLY_H

#include "common/metrics.h"
#include "worker/job/job.h"

struct tally;

struct tally *tally_new(struct metrics *metrics);
void tally_free(struct tally *tally); /* NULL is fine */

/* The job has its route (and stage, cache source); what was asked for it is counted by stage and result. */
void tally_decision(struct tally *tally, const struct job *job);
/* The job has ended. now_us: monotonic. baseline_cost_usd NAN: unknown. */
void tally_outcome(struct tally *tally, const struct job *job, int64_t now_us, double baseline_cost_usd);

/* The guards that took effect on the job, each once; when no more can. */
void tally_guards(struct tally *tally, const struct job *job);

enum tally_table { TALLY_ROUTES, TALLY_STAGES, TALLY_OUTCOMES, TALLY_GUARDS, TALLY_TABLES };
/* Calls see for each name of the table with its count, in order of first appearance. */
void tally_each(struct tally *tally, enum tally_table table, void (*see)(void *ctx, const char *name, uint64_t count), void *ctx);
uint64_t tally_cache(const struct tally *tally, enum cache_source source);
double tally_cost_usd(const struct tally *tally);
double tally_baseline_usd(const struct tally *tally);

#endif
