/*
 * decide.c: a block of requests shared out over threads.
 *
 * The one idea: threads take the next request by one counter and write to its own place in the results, so the order of the
 * threads shows nowhere. Each has a scratch of the router and two arenas: one for the job at hand, one for what results keep.
 */
#include "worker/lab/decide.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "worker/route/language.h"
#include "worker/upstream/upstream.h"

enum { MAX_THREADS = 64, ROWS_A_THREAD = 64 /* fewer are not worth another thread */ };

struct hand {
	struct decider *decider;
	pthread_t thread;
	struct route_scratch *scratch;
	struct arena job, kept;
};

struct decider {
	const struct policy *policy;
	struct hand hands[MAX_THREADS];
	unsigned hand_count;
	/* the block under work */
	const struct request *requests;
	struct decided *results;
	uint32_t count;
	atomic_uint next;
	/* decider_ask */
	const struct settings *settings; /* NULL: nobody is asked */
	int64_t budget_nano_usd;
	atomic_llong spent_nano_usd;
	atomic_ullong questions, unasked;
};

struct decider *decider_new(const struct policy *policy, unsigned threads)
{
	struct decider *d = heap_zalloc(1, sizeof *d);
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned wanted = threads != 0 ? threads : cores > 0 ? (unsigned)cores : 1;
	d->policy = policy;
	d->hand_count = wanted < MAX_THREADS ? wanted : MAX_THREADS;
	for (unsigned i = 0; i < d->hand_count; i++) {
		d->hands[i].decider = d;
		d->hands[i].scratch = route_scratch_new(policy);
		arena_init(&d->hands[i].job, 64 * 1024);
		arena_init(&d->hands[i].kept, 256 * 1024);
	}
	return d;
}

void decider_free(struct decider *d)
{
	if (d == NULL)
		return;
	for (unsigned i = 0; i < d->hand_count; i++) {
		route_scratch_free(d->hands[i].scratch);
		arena_free(&d->hands[i].job);
		arena_free(&d->hands[i].kept);
	}
	free(d);
}

/* The thread's own time: the router waits for nothing, so what else the machine does has no place in its figures. */
static int64_t now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* True when the question was put to its model. Of a record that a guard rejects nothing leaves the process. */
static bool put(struct decider *d, struct job *job, bool rejected)
{
	if (d->settings != NULL && !rejected && atomic_load_explicit(&d->spent_nano_usd, memory_order_relaxed) < d->budget_nano_usd) {
		upstream_ask(d->settings, job);
		atomic_fetch_add_explicit(&d->spent_nano_usd, llround(job->call.cost_usd * 1e9), memory_order_relaxed);
		atomic_fetch_add_explicit(&d->questions, 1, memory_order_relaxed);
		return true;
	}
	if (d->settings != NULL && !rejected)
		atomic_fetch_add_explicit(&d->unasked, 1, memory_order_relaxed);
	job->call.outcome = OUTCOME_NO_MODEL;
	job->call.text = STR_NULL;
	job->call.message = STR("nobody is asked here");
	return false;
}

void decider_ask(struct decider *d, const struct settings *settings, double budget_usd)
{
	d->settings = settings;
	d->budget_nano_usd = budget_usd < 1e9 ? llround(budget_usd * 1e9) : INT64_MAX;
}

struct decider_asked decider_asked(const struct decider *d)
{
	return (struct decider_asked){atomic_load(&d->questions), atomic_load(&d->unasked), (double)atomic_load(&d->spent_nano_usd) * 1e-9};
}

/* The worker's road from the decoded record to the decision. Returns the stages whose question nobody answered, a bit each. */
static uint32_t decide(struct hand *hand, struct job *job, struct decided *result)
{
	const struct policy *policy = hand->decider->policy;
	uint32_t asked = 0;
	int64_t start = now_ns();
	struct str why;
	bool rejected = !route_guard(policy, hand->scratch, job, &why); /* what is measured is where stages send a row, rejected or not */
	(void)route_key_material(policy, hand->scratch, job); /* it reads the text, as the worker's look into the cache does */
	enum route_step step = route_decide(policy, hand->scratch, job);
	while (step == ROUTE_ASK) {
		uint32_t bit = UINT32_C(1) << (job->dec.trace_count - 1 < DECIDE_MAX_STAGES ? job->dec.trace_count - 1 : DECIDE_MAX_STAGES);
		asked |= put(hand->decider, job, rejected) ? 0 : bit;
		step = route_resume(policy, hand->scratch, job);
	}
	int64_t nanos = now_ns() - start;
	result->nanos = nanos < UINT32_MAX ? (uint32_t)nanos : UINT32_MAX;
	return asked;
}

static struct str keep(struct hand *hand, struct str s)
{
	return s.data != NULL ? arena_str(&hand->kept, s) : STR_NULL;
}

static void one(struct hand *hand, uint32_t index)
{
	struct decided *result = &hand->decider->results[index];
	struct job job = {.state = JOB_DECODED, .arena = hand->job, .req = hand->decider->requests[index], .dec = {.route = -1}, .call = {.model = -1}};
	job.dec.policy = hand->decider->policy;
	*result = (struct decided){.stage = -1};
	uint32_t asked = decide(hand, &job, result);
	const struct decision *dec = &job.dec;
	result->route = dec->route;
	result->unsure = dec->unsure;
	result->stage_count = dec->trace_count < DECIDE_MAX_STAGES ? dec->trace_count : DECIDE_MAX_STAGES;
	result->said = arena_array(&hand->kept, result->stage_count, sizeof *result->said);
	for (uint32_t i = 0; i < result->stage_count; i++) {
		const struct stage_trace *t = &dec->trace[i];
		bool unanswered = (asked >> i & 1) != 0 && t->verdict != VERDICT_DECIDED;
		result->stages[i] = t->stage;
		result->verdicts[i] = (uint8_t)(unanswered ? VERDICT_ASK : t->verdict);
		result->said[i] = (struct decided_stage){t->stage, result->verdicts[i], keep(hand, t->label), keep(hand, t->runner_up), t->score,
		                                         t->runner_up_score, t->threshold, t->in_scope};
	}
	if (!dec->unsure)
		result->stage = (int)result->stage_count - 1;
	result->confidence = dec->confidence;
	result->threshold = dec->threshold;
	result->runner_up = keep(hand, dec->runner_up);
	result->reason = arena_str(&hand->kept, dec->reason);
	result->language = language_guess(route_text(hand->decider->policy, &job));
	result->chars = dec->prompt_chars;
	hand->job = job.arena;
	arena_reset(&hand->job);
}

static void *work(void *ptr)
{
	struct hand *hand = ptr;
	struct decider *d = hand->decider;
	for (uint32_t i; (i = atomic_fetch_add_explicit(&d->next, 1, memory_order_relaxed)) < d->count;)
		one(hand, i);
	return NULL;
}

void decider_run(struct decider *d, const struct request *requests, uint32_t count, struct decided *results)
{
	d->requests = requests;
	d->results = results;
	d->count = count;
	atomic_store(&d->next, 0);
	for (unsigned i = 0; i < d->hand_count; i++)
		arena_reset(&d->hands[i].kept);
	unsigned more = count / ROWS_A_THREAD < d->hand_count - 1 ? count / ROWS_A_THREAD : d->hand_count - 1, running = 0;
	while (running < more && pthread_create(&d->hands[running + 1].thread, NULL, work, &d->hands[running + 1]) == 0)
		running++; /* one that cannot be made is not needed: the others do its part */
	(void)work(&d->hands[0]); /* always NULL */
	for (unsigned i = 1; i <= running; i++)
		pthread_join(d->hands[i].thread, NULL);
}
