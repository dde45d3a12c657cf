/*
 * tally.c: counters by name, made at first sight.
 *
 * The one idea: /status and /metrics show the same counters. A table maps a name to its series; names are few (a policy's
 * routes, its stages, the outcome classes), so a table is an array. What exceeds it is counted as "other": no input can make
 * series without end.
 */
#include "worker/engine/tally.h"

#include <pthread.h>
#include <stdlib.h>

enum { TABLE_MAX = 256, QUESTIONS_MAX = 128 };

struct row {
	char *name;
	struct counter *counter;
};
struct table {
	const char *metric, *label, *help;
	struct row rows[TABLE_MAX];
	unsigned count;
};

struct question {
	const char *stage, *result; /* constants */
	struct counter *counter;
};

struct tally {
	struct metrics *metrics;
	pthread_mutex_t lock; /* guards the tables and questions */
	struct table tables[TALLY_TABLES];
	struct question questions[QUESTIONS_MAX];
	unsigned question_count;
	struct counter *cache[CACHE_SOURCES];
	struct counter *cost, *baseline, *unsure;
	struct histogram *deciding, *total;
};

struct tally *tally_new(struct metrics *metrics)
{
	struct tally *t = heap_zalloc(1, sizeof *t);
	t->metrics = metrics;
	pthread_mutex_init(&t->lock, NULL);
	t->tables[TALLY_ROUTES] = (struct table){"pointsman_decisions_total", "route", "Decisions by route.", {{0}}, 0};
	t->tables[TALLY_STAGES] = (struct table){"pointsman_decisions_by_stage_total", "stage", "Decisions by the stage that decided.", {{0}}, 0};
	t->tables[TALLY_OUTCOMES] = (struct table){"pointsman_records_total", "outcome", "Finished records by outcome class.", {{0}}, 0};
	t->tables[TALLY_GUARDS] = (struct table){"pointsman_guard_effects_total", "guard", "Records on which a guard took effect.", {{0}}, 0};
	for (unsigned i = 0; i < CACHE_SOURCES; i++)
		t->cache[i] = metrics_counter(metrics, "pointsman_decisions_by_cache_total", "Decisions by where the result came from.",
		                              LABELS("cache", cache_source_name(i)));
	t->unsure = metrics_counter(metrics, "pointsman_decisions_unsure_total", "Decisions that fell to when_unsure.", NULL);
	t->cost = metrics_counter(metrics, "pointsman_cost_usd_total", "Spent on calls and decisions.", NULL);
	t->baseline = metrics_counter(metrics, "pointsman_baseline_cost_usd_total", "What the baseline model would have cost.", NULL);
	t->cost->scale = t->baseline->scale = 1e-9;
	t->deciding = metrics_histogram(metrics, "pointsman_deciding_seconds", "From the decoded record to its route.", NULL);
	t->total = metrics_histogram(metrics, "pointsman_record_seconds", "From the fetch to the encoded outputs.", NULL);
	return t;
}

void tally_free(struct tally *tally)
{
	if (tally == NULL)
		return;
	for (unsigned t = 0; t < TALLY_TABLES; t++)
		for (unsigned i = 0; i < tally->tables[t].count; i++)
			free(tally->tables[t].rows[i].name);
	pthread_mutex_destroy(&tally->lock);
	free(tally);
}

/* What became of questions to models: a bounded table of its own, for it has two labels. Under the lock. */
static void count_question(struct tally *tally, const char *stage, const char *result)
{
	unsigned i = 0;
	while (i < tally->question_count && (strcmp(tally->questions[i].stage, stage) != 0 || strcmp(tally->questions[i].result, result) != 0))
		i++;
	if (i == QUESTIONS_MAX)
		return; /* stages and results are constants of ours, fewer than that */
	if (i == tally->question_count)
		tally->questions[tally->question_count++] = (struct question){stage, result,
			metrics_counter(tally->metrics, "pointsman_router_questions_total", "Questions of routing stages to models by what came of them.",
			                LABELS("stage", stage, "result", result))};
	counter_add(tally->questions[i].counter, 1);
}

static struct counter *find(const struct table *table, struct str name)
{
	for (unsigned i = 0; i < table->count; i++)
		if (str_is(name, table->rows[i].name))
			return table->rows[i].counter;
	return NULL;
}

static void count_one(struct tally *tally, enum tally_table which, struct str name)
{
	struct table *table = &tally->tables[which];
	pthread_mutex_lock(&tally->lock);
	struct counter *counter = find(table, name);
	if (counter == NULL && table->count >= TABLE_MAX - 1) { /* the last row is for the rest */
		name = STR("other");
		counter = find(table, name);
	}
	if (counter == NULL) {
		struct row *row = &table->rows[table->count++];
		row->name = heap_alloc(name.len + 1);
		memcpy(row->name, name.data, name.len);
		row->name[name.len] = '\0';
		counter = row->counter = metrics_counter(tally->metrics, table->metric, table->help, LABELS(table->label, row->name));
	}
	counter_add(counter, 1);
	pthread_mutex_unlock(&tally->lock);
}

void tally_decision(struct tally *tally, const struct job *job)
{
	count_one(tally, TALLY_ROUTES, job->dec.route_name);
	count_one(tally, TALLY_STAGES, str_of(job->dec.stage != NULL ? job->dec.stage : "none"));
	counter_add(tally->cache[job->dec.cache], 1);
	bool fresh = job->dec.cache == CACHE_MISS || job->dec.cache == CACHE_OFF;
	for (uint32_t i = 0; fresh && i < job->dec.trace_count; i++)
		if (job->dec.trace[i].asked != NULL) {
			pthread_mutex_lock(&tally->lock);
			count_question(tally, job->dec.trace[i].stage, job->dec.trace[i].asked);
			pthread_mutex_unlock(&tally->lock);
		}
	if (job->dec.unsure)
		counter_add(tally->unsure, 1);
	histogram_observe(tally->deciding, job->decided_us - job->decoded_us);
}

void tally_guards(struct tally *tally, const struct job *job)
{
	const struct guard_effect *guards = job->dec.guards;
	for (uint32_t i = 0; i < job->dec.guard_count; i++) {
		bool counted = false;
		for (uint32_t k = 0; k < i && !counted; k++)
			counted = str_eq(guards[k].name, guards[i].name);
		if (!counted)
			count_one(tally, TALLY_GUARDS, guards[i].name);
	}
}

static uint64_t nano_usd(double usd)
{
	return usd > 0 ? (uint64_t)(usd * 1e9 + 0.5) : 0; /* NAN compares false */
}

void tally_outcome(struct tally *tally, const struct job *job, int64_t now_us, double baseline_cost_usd)
{
	count_one(tally, TALLY_OUTCOMES, str_of(outcome_info(job->outcome)->name));
	if (job->outcome == OUTCOME_OUTPUT_REFUSED) /* its cost was counted when what is refused now was encoded */
		return;
	counter_add(tally->cost, nano_usd(job->call.cost_usd + job->dec.cost_usd));
	counter_add(tally->baseline, nano_usd(baseline_cost_usd));
	histogram_observe(tally->total, now_us - job->fetched_us);
}

void tally_each(struct tally *tally, enum tally_table table, void (*see)(void *ctx, const char *name, uint64_t count), void *ctx)
{
	pthread_mutex_lock(&tally->lock);
	const struct table *t = &tally->tables[table];
	for (unsigned i = 0; i < t->count; i++)
		see(ctx, t->rows[i].name, atomic_load_explicit(&t->rows[i].counter->value, memory_order_relaxed));
	pthread_mutex_unlock(&tally->lock);
}

uint64_t tally_cache(const struct tally *tally, enum cache_source source)
{
	return atomic_load_explicit(&tally->cache[source]->value, memory_order_relaxed);
}

static double in_usd(const struct counter *counter)
{
	return (double)atomic_load_explicit(&counter->value, memory_order_relaxed) * 1e-9;
}

double tally_cost_usd(const struct tally *tally)
{
	return in_usd(tally->cost);
}

double tally_baseline_usd(const struct tally *tally)
{
	return in_usd(tally->baseline);
}
