/*
 * semantic.c: the stage of examples: the route whose examples lie nearest to the text.
 *
 * The one idea: a route's score is the mean of its best k cosines, so that one odd example decides nothing; it is taken when
 * it reaches the route's threshold and leads the next route by the margin. The search is exact. The embedding is the record's
 * own (embedder: given); computing one is another embedder's work.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/json.h"
#include "worker/route/policy_load.h"
#include "worker/route/vectors.h"

enum { MAX_K = 32, MAX_EXAMPLES = 200000, MAX_EXAMPLE_BYTES = 1 << 30 };

struct semantic {
	struct vectors vectors;
	double *accept;    /* by route */
	uint32_t *examples; /* by route: how many */
	uint32_t route_count, k;
	double margin;
	struct str asset_version;
};

struct semantic_settings {
	int embedder;
	const struct node *accept, *examples;
	double margin;
	uint32_t k;
};

struct semantic_scratch {
	float *query; /* one row */
	float *best;  /* route_count * k, each route's largest first */
};

static const struct config_option semantic_options[] = {
	{.name = "embedder", .kind = OPTION_ENUM, .offset = offsetof(struct semantic_settings, embedder), .choices = "given",
	 .required = true, .doc = "given: the embedding comes with the record."},
	{.name = "examples", .kind = OPTION_CUSTOM, .offset = offsetof(struct semantic_settings, examples), .parse = policy_keep_node,
	 .required = true, .doc = "A file of JSON Lines: {\"label\": \"route\", \"embedding\": [...]}."},
	{.name = "accept", .kind = OPTION_CUSTOM, .offset = offsetof(struct semantic_settings, accept), .parse = policy_keep_node,
	 .required = true, .doc = "The least score that decides, 0 to 1; or a map of routes with `default`."},
	{.name = "margin", .kind = OPTION_DOUBLE, .offset = offsetof(struct semantic_settings, margin), .fallback = "0.05", .min = 0,
	 .max = 1, .doc = "How far the best route must lead the next."},
	{.name = "k", .kind = OPTION_U32, .offset = offsetof(struct semantic_settings, k), .fallback = "3", .min = 1, .max = MAX_K,
	 .doc = "A route's score is the mean of its best k examples."},
	{.name = NULL},
};

static enum rc threshold(const struct node *node, double *ret, struct err *err)
{
	double d;
	if (node->kind != NODE_SCALAR || !str_to_double(node->scalar, &d))
		return config_error(node, err, "a threshold from 0 to 1 is expected");
	if (d < 0 || d > 1)
		return config_error(node, err, "the threshold %.*s is not between 0 and 1", STR_ARG(node->scalar));
	*ret = d;
	return RC_OK;
}

static enum rc parse_accept(struct semantic *s, const struct policy *policy, const struct node *node, struct err *err)
{
	double all = NAN;
	enum rc rc = RC_OK;
	if (node->kind != NODE_MAP)
		rc = threshold(node, &all, err);
	else if (config_get(node, "default") != NULL)
		rc = threshold(config_get(node, "default"), &all, err);
	for (uint32_t i = 0; i < s->route_count; i++)
		s->accept[i] = all;
	for (unsigned i = 0; rc == RC_OK && node->kind == NODE_MAP && i < node->count; i++) {
		const struct node *key = node->entries[i].key;
		if (str_is(key->scalar, "default"))
			continue;
		int route = -1;
		rc = policy_name_route(policy, key, &route, err);
		if (rc != RC_OK)
			break;
		rc = threshold(node->entries[i].value, &s->accept[route], err);
	}
	return rc;
}

/* Where a line of the examples is wrong. */
struct line_place {
	struct str file;
	unsigned line;
};

static enum rc line_error(struct line_place at, struct err *err, const char *what)
{
	return err_set(err, RC_BAD_INPUT, "%.*s:%u: error: %s", STR_ARG(at.file), at.line, what);
}

static enum rc example_label(struct policy *policy, const struct json *json, struct line_place at, int *ret, struct err *err)
{
	struct str label = json_str(json_get(json, STR("label")));
	if (label.data == NULL)
		return line_error(at, err, "the example has no \"label\"");
	int route = policy_find_route(policy, label);
	if (route >= 0) {
		*ret = route;
		policy->reachable[route] = true;
		return RC_OK;
	}
	const char *near = policy_suggest_route(policy, label);
	char text[256];
	(void)snprintf(text, sizeof text, "no route of the name \"%.*s\"%s%s%s", (int)(label.len < 64 ? label.len : 64), label.data,
	               near != NULL ? "; did you mean \"" : "", near != NULL ? near : "", near != NULL ? "\"?" : ""); /* cut on purpose */
	return line_error(at, err, text);
}

static enum rc add_example(struct semantic *s, struct policy *policy, struct str line, struct line_place at, struct arena *arena,
                           struct canon *canon, struct err *err)
{
	const struct json *json;
	struct err why;
	if (json_parse(arena, line, (struct json_limits){0}, &json, &why) != RC_OK)
		return line_error(at, err, why.text);
	int route = -1;
	enum rc rc = example_label(policy, json, at, &route, err);
	if (rc != RC_OK)
		return rc;
	const struct json *list = json_get(json, STR("embedding"));
	if (list == NULL || list->kind != JSON_LIST || list->count == 0 || list->count > VECTORS_MAX_DIM)
		return line_error(at, err, "the example has no \"embedding\": a list of numbers");
	if (s->vectors.dim == 0)
		vectors_init(&s->vectors, list->count);
	if (list->count != s->vectors.dim)
		return line_error(at, err, "the embedding is not as long as those before it");
	if (s->vectors.count == MAX_EXAMPLES)
		return line_error(at, err, "there are too many examples");
	float *values = arena_array(arena, list->count, sizeof *values);
	for (uint32_t i = 0; i < list->count; i++) {
		double d;
		if (!json_double(&list->items[i], &d))
			return line_error(at, err, "the embedding holds something that is no number");
		values[i] = (float)d;
	}
	if (!vectors_add(&s->vectors, values, (uint32_t)route))
		return line_error(at, err, "the embedding is all zeros or too large");
	s->examples[route]++;
	canon_str(canon, policy->routes[route].name);
	canon_bytes(canon, s->vectors.rows + (size_t)(s->vectors.count - 1) * s->vectors.stride, s->vectors.dim * sizeof(float));
	return RC_OK;
}

static enum rc read_examples(struct semantic *s, struct stage_setup *setup, const struct node *node, struct err *err)
{
	if (node->kind != NODE_SCALAR)
		return config_error(node, err, "the name of a file is expected");
	struct str text;
	enum rc rc = policy_read_file(setup->policy, node, node->scalar, MAX_EXAMPLE_BYTES, setup->brief, &text, err);
	struct line_place at = {node->scalar, 0};
	struct canon canon; /* of the examples alone: their hash names this version of them */
	struct arena line_arena;
	arena_init(&line_arena, 65536);
	buf_init(&canon.buf, setup->brief, 4096);
	for (size_t pos = 0; rc == RC_OK && pos < text.len;) {
		const char *end = memchr(text.data + pos, '\n', text.len - pos);
		size_t stop = end != NULL ? (size_t)(end - text.data) : text.len;
		struct str line = str_trim((struct str){text.data + pos, stop - pos});
		pos = stop + 1;
		at.line++;
		arena_reset(&line_arena);
		if (line.len != 0)
			rc = add_example(s, setup->policy, line, at, &line_arena, &canon, err);
	}
	arena_free(&line_arena);
	if (rc == RC_OK && s->vectors.count == 0)
		rc = config_error(node, err, "%.*s holds no example", STR_ARG(node->scalar));
	if (rc != RC_OK)
		return rc;
	char *hex = arena_alloc(&setup->policy->arena, POLICY_VERSION_CHARS + 1);
	policy_hash(&canon, hex);
	s->asset_version = str_of(hex);
	canon_str(setup->canon, s->asset_version);
	return RC_OK;
}

static void semantic_close(void *stage)
{
	struct semantic *s = stage;
	if (s != NULL)
		vectors_free(&s->vectors);
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
	s->accept = arena_array(&policy->arena, s->route_count, sizeof *s->accept);
	s->examples = arena_array(&policy->arena, s->route_count, sizeof *s->examples);
	s->margin = settings.margin;
	s->k = settings.k;
	canon_double(setup->canon, s->margin);
	canon_u64(setup->canon, s->k);
	rc = parse_accept(s, policy, settings.accept, err);
	if (rc == RC_OK)
		rc = read_examples(s, setup, settings.examples, err);
	for (uint32_t i = 0; rc == RC_OK && i < s->route_count; i++) {
		if (s->examples[i] != 0 && isnan(s->accept[i]))
			rc = config_error(settings.accept, err, "no threshold for route %.*s, which has examples; `default` would give one",
			                  STR_ARG(policy->routes[i].name));
		canon_double(setup->canon, isnan(s->accept[i]) ? 2 : s->accept[i]);
	}
	if (rc != RC_OK) {
		semantic_close(s);
		return rc;
	}
	policy->inputs.embedding = true;
	policy_warn(policy, "semantic: its thresholds are uncalibrated: no calibration produced them");
	*ret = s;
	return RC_OK;
}

static void *semantic_scratch_new(const void *stage)
{
	const struct semantic *s = stage;
	struct semantic_scratch *scratch = heap_zalloc(1, sizeof *scratch);
	scratch->query = heap_zalloc(s->vectors.stride, sizeof *scratch->query);
	scratch->best = heap_zalloc((size_t)s->route_count * s->k, sizeof *scratch->best);
	return scratch;
}

static void semantic_scratch_free(void *ptr)
{
	struct semantic_scratch *scratch = ptr;
	if (scratch == NULL)
		return;
	free(scratch->query);
	free(scratch->best);
	free(scratch);
}

static void keep_best(float *best, uint32_t k, float score)
{
	if (score <= best[k - 1])
		return;
	uint32_t at = k - 1;
	for (; at > 0 && best[at - 1] < score; at--)
		best[at] = best[at - 1];
	best[at] = score;
}

struct ranking {
	int best, second; /* routes; -1: none. Ties go to the earlier route */
	double best_score, second_score;
};

static struct ranking rank(const struct semantic *s, const struct semantic_scratch *scratch)
{
	struct ranking r = {-1, -1, NAN, NAN};
	for (uint32_t i = 0; i < s->route_count; i++) {
		uint32_t n = s->examples[i] < s->k ? s->examples[i] : s->k;
		if (n == 0)
			continue;
		float sum = 0;
		for (uint32_t j = 0; j < n; j++)
			sum += scratch->best[(size_t)i * s->k + j];
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

static struct ranking search(const struct semantic *s, struct semantic_scratch *scratch)
{
	for (size_t i = 0; i < (size_t)s->route_count * s->k; i++)
		scratch->best[i] = -2; /* below every cosine */
	for (uint32_t i = 0; i < s->vectors.count; i++) {
		float score = vectors_dot(scratch->query, s->vectors.rows + (size_t)i * s->vectors.stride, s->vectors.stride);
		keep_best(scratch->best + (size_t)s->vectors.labels[i] * s->k, s->k, score);
	}
	return rank(s, scratch);
}

static enum verdict judge(const struct semantic *s, struct stage_turn *turn, struct ranking r)
{
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
	return near && clear ? VERDICT_DECIDED : VERDICT_PASS;
}

static enum verdict semantic_decide(const void *stage, struct stage_turn *turn)
{
	const struct semantic *s = stage;
	struct semantic_scratch *scratch = turn->scratch;
	const struct request *req = &turn->job->req;
	turn->trace->asset_version = s->asset_version;
	if (req->embedding == NULL || req->embedding_len == 0) {
		turn->trace->reason = STR("the record has no embedding");
		return VERDICT_PASS;
	}
	if (req->embedding_len != s->vectors.dim) {
		turn->trace->reason = arena_printf(&turn->job->arena, "the record's embedding has %u values, the examples have %u",
		                                   req->embedding_len, s->vectors.dim);
		return VERDICT_FAILED;
	}
	if (!vectors_unit(req->embedding, s->vectors.dim, s->vectors.stride, scratch->query)) {
		turn->trace->reason = STR("the record's embedding is all zeros or not finite");
		return VERDICT_FAILED;
	}
	return judge(s, turn, search(s, scratch));
}

const struct stage_ops semantic_stage = {
	.name = "semantic",
	.version = 1,
	.measured_in_languages = true,
	.open = semantic_open,
	.close = semantic_close,
	.scratch_new = semantic_scratch_new,
	.scratch_free = semantic_scratch_free,
	.decide = semantic_decide,
};
