/*
 * semantic.c: the stage of examples: the route whose examples lie nearest to the text.
 *
 * The one idea: a route's score is the mean of its best k cosines, so that one odd example decides nothing; it is taken when
 * it reaches the route's threshold and leads the next route by the margin. Every example is looked at. Where the text's vector comes
 * from is embedder.c's.
 */
#include <math.h>
#include <stdlib.h>

#include "worker/route/embedder.h"
#include "worker/route/examples.h"
#include "worker/route/inspect.h"
#include "worker/route/policy_load.h"
#include "worker/route/thresholds.h"

enum { MAX_K = 32 };
/* Nearer than this, an example is the text itself but for rounding. */
static const float SAME = 0.99999f, BELOW_ALL = -2;

struct semantic {
	struct examples examples;
	struct embedder embedder;
	const double *accept;       /* by route */
	uint32_t route_count, k;
	double margin;
};

struct semantic_settings {
	const struct node *embedder, *examples;
	struct thresholds_settings thresholds;
	double margin;
	uint32_t k, windows;
};

struct semantic_scratch {
	float *vector; /* the text's */
	int8_t *row;   /* the same, as the examples are kept */
	float inverse; /* 1 / its length */
	float *best;   /* route_count * k, each route's largest first */
	float *least;  /* route_count: the last of each route's best, beside each other, as most examples are no better */
};

static const struct config_option semantic_options[] = {
	{.name = "embedder", .kind = OPTION_CUSTOM, .offset = offsetof(struct semantic_settings, embedder), .parse = policy_keep_node,
	 .fallback = "static", .doc = EMBEDDER_DOC},
	{.name = "examples", .kind = OPTION_CUSTOM, .offset = offsetof(struct semantic_settings, examples), .parse = policy_keep_node,
	 .doc = "A file of JSON Lines, {\"label\": \"route\", \"text\": \"...\"}, beside the routes' own `examples`; for `given` and "
	        "`remote` with \"embedding\": [...] in place of the text."},
	THRESHOLDS_OPTIONS(struct semantic_settings, thresholds),
	{.name = "margin", .kind = OPTION_DOUBLE, .offset = offsetof(struct semantic_settings, margin), .fallback = "0.05", .min = 0,
	 .max = 1, .doc = "How far the best route must lead the next."},
	{.name = "k", .kind = OPTION_U32, .offset = offsetof(struct semantic_settings, k), .fallback = "3", .min = 1, .max = MAX_K,
	 .doc = "A route's score is the mean of its best k examples."},
	{.name = "windows", .kind = OPTION_U32, .offset = offsetof(struct semantic_settings, windows), .fallback = "1", .min = 1,
	 .max = DOCUMENT_MAX_WINDOWS, .doc = "With `static`: texts of more than some 200 words are read as the mean of so many windows, from "
	 "head to tail; 1 reads the head only, 3 head, middle and tail."},
	{.name = NULL},
};

static void semantic_close(void *stage)
{
	struct semantic *s = stage;
	if (s != NULL)
		examples_free(&s->examples);
}

static enum rc semantic_open(struct stage_setup *setup, void **ret, struct err *err)
{
	struct policy *policy = setup->policy;
	struct semantic_settings settings = {0};
	enum rc rc = config_bind(semantic_options, setup->node, &settings, setup->brief, err);
	if (rc != RC_OK)
		return rc;
	struct semantic *s = arena_zalloc(&policy->arena, sizeof *s);
	s->route_count = policy->route_count;
	s->margin = settings.margin;
	s->k = settings.k;
	canon_double(setup->canon, s->margin);
	canon_u64(setup->canon, s->k);
	rc = embedder_open(setup, settings.embedder, &s->embedder, err);
	if (rc == RC_OK && settings.windows != 1) {
		s->embedder.windows = settings.windows;
		canon_tag(setup->canon, "windows");
		canon_u64(setup->canon, settings.windows);
	}
	if (rc == RC_OK)
		rc = thresholds_open(setup, &settings.thresholds, &setup->thresholds, err);
	if (rc == RC_OK)
		rc = examples_read(setup, s->embedder.model, settings.windows, settings.examples, &s->examples, err);
	if (rc != RC_OK) {
		semantic_close(s);
		return rc;
	}
	s->accept = setup->thresholds->by_route;
	policy->inputs.embedding |= s->embedder.kind == EMBEDDER_GIVEN;
	*ret = s;
	return RC_OK;
}

static void *semantic_scratch_new(const void *stage)
{
	const struct semantic *s = stage;
	struct semantic_scratch *scratch = heap_zalloc(1, sizeof *scratch);
	scratch->vector = heap_zalloc(s->examples.vectors.dim, sizeof *scratch->vector);
	scratch->row = heap_zalloc(s->examples.vectors.stride, 1);
	scratch->best = heap_zalloc((size_t)s->route_count * s->k, sizeof *scratch->best);
	scratch->least = heap_zalloc(s->route_count, sizeof *scratch->least);
	return scratch;
}

static void semantic_scratch_free(void *ptr)
{
	struct semantic_scratch *scratch = ptr;
	if (scratch == NULL)
		return;
	free(scratch->vector);
	free(scratch->row);
	free(scratch->best);
	free(scratch->least);
	free(scratch);
}

static void keep_best(const struct semantic *s, struct semantic_scratch *scratch, uint32_t route, float score)
{
	float *best = scratch->best + (size_t)route * s->k;
	for (uint32_t i = 0; i < s->k; i++) { /* larger and smaller of two, not a search of its place: chance would decide its branches */
		float had = best[i];
		best[i] = had > score ? had : score;
		score = had > score ? score : had;
	}
	scratch->least[route] = best[s->k - 1];
}

struct ranking {
	int best, second; /* routes; -1: none. Ties go to the earlier route */
	double best_score, second_score;
};

static struct ranking rank(const struct semantic *s, const struct semantic_scratch *scratch)
{
	struct ranking r = {-1, -1, NAN, NAN};
	for (uint32_t i = 0; i < s->route_count; i++) {
		const float *best = scratch->best + (size_t)i * s->k;
		uint32_t n = 0;
		float sum = 0;
		for (; n < s->k && best[n] > BELOW_ALL; n++)
			sum += best[n];
		if (n == 0)
			continue;
		double score = (double)(sum / (float)n);
		if (r.best < 0 || score > r.best_score) {
			r.second = r.best;
			r.second_score = r.best_score;
			r.best = (int)i;
			r.best_score = score;
		} else if (r.second < 0 || score > r.second_score) {
			r.second = (int)i;
			r.second_score = score;
		}
	}
	return r;
}

/* The cosines of some of the examples. held_out: those that are the text itself do not count. Returns how many. */
static uint32_t compare(const struct semantic *s, const struct semantic_scratch *scratch, uint32_t from, bool held_out, float *cosines)
{
	const struct vectors *v = &s->examples.vectors;
	uint32_t count = v->count - from < VECTORS_AT_ONCE ? v->count - from : VECTORS_AT_ONCE;
	vectors_cosines(v, scratch->row, scratch->inverse, from, count, cosines);
	for (uint32_t i = 0; held_out && i < count; i++)
		cosines[i] = cosines[i] < SAME ? cosines[i] : BELOW_ALL;
	return count;
}

static struct ranking search(const struct semantic *s, struct semantic_scratch *scratch, bool held_out)
{
	const struct vectors *v = &s->examples.vectors;
	float cosines[VECTORS_AT_ONCE];
	for (size_t i = 0; i < (size_t)s->route_count * s->k; i++)
		scratch->best[i] = BELOW_ALL;
	for (uint32_t i = 0; i < s->route_count; i++)
		scratch->least[i] = BELOW_ALL;
	for (uint32_t from = 0, count; from < v->count; from += count) {
		count = compare(s, scratch, from, held_out, cosines);
		for (uint32_t i = 0; i < count; i++)
			if (cosines[i] > scratch->least[v->labels[from + i]])
				keep_best(s, scratch, v->labels[from + i], cosines[i]);
	}
	return rank(s, scratch);
}

static enum verdict judge(const struct semantic *s, struct stage_turn *turn, struct ranking r)
{
	if (r.best < 0) {
		turn->trace->reason = STR("the only example is the text itself");
		return VERDICT_PASS;
	}
	const struct policy *policy = turn->policy;
	struct stage_trace *trace = turn->trace;
	struct str best = policy->routes[r.best].name, second = r.second >= 0 ? policy->routes[r.second].name : STR_NULL;
	trace->label = best;
	trace->score = r.best_score;
	trace->runner_up = second;
	trace->runner_up_score = r.second_score;
	trace->threshold = s->accept[r.best];
	struct buf reason;
	buf_init(&reason, &turn->job->arena, POLICY_MAX_REASON);
	buf_printf(&reason, "nearest to the examples of %.*s (%.2f", STR_ARG(best), r.best_score);
	bool near = r.best_score >= trace->threshold, clear = r.second < 0 || r.best_score - r.second_score >= s->margin;
	buf_printf(&reason, near ? ", %.2f is enough" : ", below %.2f", trace->threshold);
	if (r.second >= 0)
		buf_printf(&reason, "; next is %.*s with %.2f", STR_ARG(second), r.second_score);
	if (near && !clear)
		buf_printf(&reason, ", closer than the margin of %.2f", s->margin);
	buf_char(&reason, ')');
	trace->reason = buf_view(&reason);
	turn->route = r.best;
	turn->barred = !clear;
	return near && clear ? VERDICT_DECIDED : VERDICT_PASS;
}

static enum verdict decide_by_vector(const struct semantic *s, struct stage_turn *turn)
{
	struct semantic_scratch *scratch = turn->scratch;
	scratch->inverse = vectors_row(&s->examples.vectors, scratch->vector, scratch->row);
	return judge(s, turn, search(s, scratch, turn->held_out));
}

static enum verdict semantic_decide(const void *stage, struct stage_turn *turn)
{
	const struct semantic *s = stage;
	struct semantic_scratch *scratch = turn->scratch;
	turn->trace->asset_version = s->examples.version;
	enum verdict verdict = embedder_embed(&s->embedder, turn, s->examples.vectors.dim, scratch->vector);
	return verdict == VERDICT_DECIDED ? decide_by_vector(s, turn) : verdict;
}

static enum verdict semantic_resume(const void *stage, struct stage_turn *turn)
{
	const struct semantic *s = stage;
	struct semantic_scratch *scratch = turn->scratch;
	turn->trace->asset_version = s->examples.version;
	enum verdict verdict = embedder_resume(&s->embedder, turn, s->examples.vectors.dim, scratch->vector);
	if (verdict != VERDICT_DECIDED)
		return verdict;
	verdict = decide_by_vector(s, turn);
	turn->trace->asked = verdict == VERDICT_DECIDED ? "decided" : "unsure";
	return verdict;
}

/* Puts it among the nearest so far, found of them. Returns how many there are then. */
static uint32_t keep_near(struct near_example *nearest, uint32_t found, uint32_t most, struct near_example one)
{
	if (found == most && one.score <= nearest[most - 1].score)
		return found;
	uint32_t at = found < most ? found : most - 1;
	for (; at > 0 && nearest[at - 1].score < one.score; at--)
		nearest[at] = nearest[at - 1];
	nearest[at] = one;
	return found < most ? found + 1 : most;
}

static uint32_t semantic_nearest(const void *stage, struct stage_turn *turn, struct near_example *ret, uint32_t most)
{
	const struct semantic *s = stage;
	const struct vectors *v = &s->examples.vectors;
	struct semantic_scratch *scratch = turn->scratch;
	uint32_t found = 0;
	float cosines[VECTORS_AT_ONCE];
	if (s->embedder.kind == EMBEDDER_REMOTE || embedder_embed(&s->embedder, turn, v->dim, scratch->vector) != VERDICT_DECIDED)
		return 0;
	scratch->inverse = vectors_row(v, scratch->vector, scratch->row);
	for (uint32_t from = 0, count; from < v->count; from += count) {
		count = compare(s, scratch, from, true, cosines);
		for (uint32_t i = 0; i < count; i++) {
			const struct example_place *place = &s->examples.places[from + i];
			if (cosines[i] > BELOW_ALL)
				found = keep_near(ret, found, most, (struct near_example){(int)v->labels[from + i], (double)cosines[i], place->file, place->line});
		}
	}
	return found;
}

const struct stage_ops semantic_stage = {
	.name = "semantic",
	.version = 3,
	.measured_in_languages = true,
	.open = semantic_open,
	.close = semantic_close,
	.scratch_new = semantic_scratch_new,
	.scratch_free = semantic_scratch_free,
	.decide = semantic_decide,
	.resume = semantic_resume,
	.nearest = semantic_nearest,
};
