/*
 * classifier.c: scoring a text.
 *
 * The one idea: everything is a sum of int8 rows: a row of weights, one number a label, for each feature of the text. So a label's
 * score is a sum of its own in the order of the features, and cosines to the training texts are whole numbers; no order of
 * additions is left to chance. exp and ln are elementary.h's.
 */
#include <math.h>
#include <stdlib.h>

#include "worker/route/classifier_parts.h"
#include "worker/route/elementary.h"
#include "worker/route/kernels.h"
#include "worker/route/vectors.h"

enum { AHEAD = 12, CACHE_LINE = 64, ROWS_AT_ONCE = 128 };
static const float NO_COSINE = -2, TINY = 1e-9f;

struct classifier_scratch {
	struct features *features;
	float *scores, *middles, *votes; /* width */
	float *label_nearest;            /* width: the best cosine to a text of the label */
	float *probabilities, *logs;     /* width */
	float *query;                    /* dim: centred */
	int8_t *whole;                   /* dim: query as whole numbers */
	float signals[CLASSIFIER_SIGNALS];
	struct neighbour {
		float cosine;
		uint32_t label;
	} nearest[CLASSIFIER_NEAREST];
	uint32_t nearest_count;
};

uint32_t classifier_label_count(const struct classifier *c) { return c->label_count; }
struct str classifier_label(const struct classifier *c, uint32_t label) { return c->labels[label]; }
struct str classifier_version(const struct classifier *c) { return str_of(c->version); }
float classifier_threshold(const struct classifier *c) { return c->threshold; }

struct classifier_scratch *classifier_scratch_new(const struct classifier *c)
{
	struct classifier_scratch *s = heap_zalloc(1, sizeof *s);
	float **const arrays[] = {&s->scores, &s->middles, &s->votes, &s->label_nearest, &s->probabilities, &s->logs};
	for (size_t i = 0; i < sizeof arrays / sizeof arrays[0]; i++)
		*arrays[i] = heap_zalloc(c->width, sizeof(float));
	s->features = features_new(c->model);
	s->query = heap_zalloc(c->dim, sizeof *s->query);
	s->whole = heap_zalloc(c->dim, 1);
	return s;
}

void classifier_scratch_free(struct classifier_scratch *s)
{
	if (s == NULL)
		return;
	features_free(s->features);
	free(s->scores);
	free(s->middles);
	free(s->votes);
	free(s->label_nearest);
	free(s->probabilities);
	free(s->logs);
	free(s->query);
	free(s->whole);
	free(s);
}

bool classifier_center(float *vector, const float *center, uint32_t dim)
{
	for (uint32_t i = 0; i < dim; i++)
		vector[i] -= center[i];
	float length = sqrtf(vectors_dot(vector, vector, dim));
	if (!(length > TINY))
		return false;
	for (uint32_t i = 0; i < dim; i++)
		vector[i] /= length;
	return true;
}

static void add(const struct tensor_rows *rows, uint32_t at, float value, uint32_t width, float *sum)
{
	kernels_add_row(sum, rows->values + (size_t)at * width, value * tensor_float(rows->scale, at), width);
}

/* The products of the query and rows from `from` on, at most ROWS_AT_ONCE of them. Returns how many. */
static uint32_t cosines(const struct tensor_rows *rows, uint32_t from, const int8_t *query, float scale, uint32_t dim, float *ret)
{
	int32_t dots[ROWS_AT_ONCE];
	uint32_t count = rows->count - from < ROWS_AT_ONCE ? rows->count - from : ROWS_AT_ONCE;
	kernels_dots(query, rows->values + (size_t)from * dim, count, dim, dots);
	for (uint32_t i = 0; i < count; i++)
		ret[i] = (float)dots[i] * (scale * tensor_float(rows->scale, from + i));
	return count;
}

/* The rows of a text's features lie far apart: each is fetched while those before it are added up. */
static void fetch(const struct classifier *c, const struct features *f, uint32_t i)
{
	int32_t row = i < f->count ? c->row_of[f->items[i].at] : CLASSIFIER_NO_ROW;
	if (row == CLASSIFIER_NO_ROW)
		return;
	const int8_t *values = c->hashed.values + (size_t)row * c->width;
	for (uint32_t at = 0; at < c->width; at += CACHE_LINE)
		__builtin_prefetch(values + at);
	__builtin_prefetch(c->hashed.scale + (size_t)row * sizeof(float));
}

/* Scores of all labels, and how much of the text the training has seen. */
static void score(const struct classifier *c, struct classifier_scratch *s, bool has_query, float scale)
{
	const struct features *f = s->features;
	float seen = 0, all = 0;
	for (uint32_t i = 0; i < c->width; i++)
		s->scores[i] = tensor_float(c->bias, i);
	for (uint32_t i = 0; i < AHEAD; i++)
		fetch(c, f, i);
	for (uint32_t i = 0; i < f->count; i++) {
		const struct feature *item = &f->items[i];
		int32_t row = c->row_of[item->at];
		fetch(c, f, i + AHEAD);
		all += item->value;
		if (row == CLASSIFIER_NO_ROW)
			continue;
		seen += item->value;
		add(&c->hashed, (uint32_t)row, CLASSIFIER_HASHED_WEIGHT * item->value, c->width, s->scores);
	}
	float now[ROWS_AT_ONCE];
	for (uint32_t from = 0, count; has_query && from < c->label_count; from += count) {
		count = cosines(&c->dense, from, s->whole, scale, c->dim, now);
		for (uint32_t i = 0; i < count; i++)
			s->scores[from + i] += CLASSIFIER_DENSE_WEIGHT * now[i];
	}
	s->signals[SIGNAL_COVERAGE] = all > 0 ? seen / all : 0;
	s->signals[SIGNAL_LENGTH] = (float)elementary_log(1 + (double)f->count);
}

/* In place: e to the sharpness * (value - the largest), each divided by their sum. Returns ln of the sum of e to the values, for
 * sharpness 1. */
static float softmax(float *values, uint32_t count, float sharpness)
{
	float most = values[0], sum = 0;
	for (uint32_t i = 1; i < count; i++)
		most = values[i] > most ? values[i] : most;
	kernels_exp(values, count, sharpness, most);
	for (uint32_t i = 0; i < count; i++)
		sum += values[i];
	for (uint32_t i = 0; i < count; i++)
		values[i] /= sum;
	return most + (float)elementary_log((double)sum);
}

/* One that is nearer than the last of them, or for which there is room. */
static void keep_near(struct classifier_scratch *s, float now, uint32_t label)
{
	uint32_t at = s->nearest_count < CLASSIFIER_NEAREST ? s->nearest_count++ : CLASSIFIER_NEAREST - 1;
	for (; at > 0 && s->nearest[at - 1].cosine < now; at--)
		s->nearest[at] = s->nearest[at - 1];
	s->nearest[at] = (struct neighbour){now, label};
}

static void find_nearest(const struct classifier *c, struct classifier_scratch *s, float scale)
{
	s->nearest_count = 0;
	for (uint32_t i = 0; i < c->label_count; i++)
		s->label_nearest[i] = NO_COSINE;
	float now[ROWS_AT_ONCE];
	for (uint32_t from = 0, count; from < c->examples.count; from += count) {
		count = cosines(&c->examples, from, s->whole, scale, c->dim, now);
		for (uint32_t i = 0; i < count; i++) {
			uint32_t label = (uint32_t)tensor_int(c->example_labels, from + i);
			s->label_nearest[label] = now[i] > s->label_nearest[label] ? now[i] : s->label_nearest[label];
			if (s->nearest_count < CLASSIFIER_NEAREST || now[i] > s->nearest[CLASSIFIER_NEAREST - 1].cosine)
				keep_near(s, now[i], label);
		}
	}
}

/* What the nearest texts say: each counts by how near it is. */
static void vote(const struct classifier *c, struct classifier_scratch *s)
{
	float sum = 0;
	for (uint32_t i = 0; i < c->label_count; i++)
		s->votes[i] = 0;
	for (uint32_t i = 0; i < s->nearest_count; i++) {
		double behind = (double)s->nearest[i].cosine - (double)s->nearest[0].cosine;
		float weight = (float)elementary_exp(CLASSIFIER_NEAREST_SHARPNESS * behind);
		s->votes[s->nearest[i].label] += weight;
		sum += weight;
	}
	for (uint32_t i = 0; i < c->label_count; i++)
		s->votes[i] /= sum;
}

/* What the middles of the labels' texts say. */
static void compare_middles(const struct classifier *c, struct classifier_scratch *s, float scale)
{
	float best = NO_COSINE, second = NO_COSINE;
	for (uint32_t from = 0; from < c->label_count;)
		from += cosines(&c->centroids, from, s->whole, scale, c->dim, s->middles + from);
	for (uint32_t i = 0; i < c->label_count; i++) {
		float now = s->middles[i];
		second = now > best ? best : now > second ? now : second;
		best = now > best ? now : best;
	}
	s->signals[SIGNAL_MIDDLE] = best;
	s->signals[SIGNAL_MIDDLE_LEAD] = second > NO_COSINE ? best - second : 0;
	(void)softmax(s->middles, c->label_count, CLASSIFIER_MIDDLES_SHARPNESS); /* only in place */
}

static void rank(const struct classifier *c, const float *p, struct classified *ret)
{
	uint32_t best = 0, second = c->label_count > 1 ? 1 : 0;
	if (p[second] > p[best]) {
		best = 1;
		second = 0;
	}
	for (uint32_t i = 2; i < c->label_count; i++) {
		if (p[i] > p[best]) {
			second = best;
			best = i;
		} else if (p[i] > p[second]) {
			second = i;
		}
	}
	*ret = (struct classified){.best = best, .second = second, .confidence = p[best], .second_confidence = p[second]};
}

/* The signals that follow from the joined probabilities, whose logs are there, and from the neighbours. */
static void read_signals(const struct classifier *c, struct classifier_scratch *s, const struct classified *found)
{
	float *signals = s->signals, entropy = 0, other = NO_COSINE, near3 = 0;
	uint32_t three = s->nearest_count < 3 ? s->nearest_count : 3;
	for (uint32_t i = 0; i < c->label_count; i++) {
		entropy -= s->probabilities[i] * s->logs[i];
		if (i != found->best && s->label_nearest[i] > other)
			other = s->label_nearest[i];
	}
	for (uint32_t i = 0; i < three; i++)
		near3 += s->nearest[i].cosine / (float)three;
	float own = s->label_nearest[found->best];
	signals[SIGNAL_LOG_BEST] = s->logs[found->best];
	signals[SIGNAL_LOG_MARGIN] = s->logs[found->best] - s->logs[found->second];
	signals[SIGNAL_ENTROPY] = entropy;
	signals[SIGNAL_NEAREST] = s->nearest[0].cosine;
	signals[SIGNAL_NEAREST_3] = near3;
	signals[SIGNAL_BEST_NEAREST] = own;
	signals[SIGNAL_RATIO] = (1 - own + TINY) / (1 - other + 1e-3f);
}

/* Where no text of no label taught weights. The formula was chosen on public data sets with whole labels held out. */
static float in_scope(const struct classifier *c, const float *signals)
{
	if (c->scope == NULL)
		return signals[SIGNAL_LOG_BEST] + 2 * signals[SIGNAL_NEAREST] + 2 * signals[SIGNAL_MIDDLE] - 0.3f * signals[SIGNAL_ENTROPY];
	float sum = c->scope[CLASSIFIER_SIGNALS];
	for (int i = 0; i < CLASSIFIER_SIGNALS; i++)
		sum += c->scope[i] * signals[i];
	return sum;
}

/* The joined probabilities, and their logs. */
static void join(const struct classifier *c, struct classifier_scratch *s, bool has_query)
{
	for (uint32_t i = 0; i < c->label_count; i++) {
		float p = s->scores[i];
		if (has_query)
			p = CLASSIFIER_WEIGHTS_SHARE * p + CLASSIFIER_MIDDLES_SHARE * s->middles[i] + CLASSIFIER_NEAREST_SHARE * s->votes[i];
		s->probabilities[i] = p > TINY ? p : TINY;
	}
	kernels_log(s->probabilities, c->label_count, s->logs);
}

void classifier_run(const struct classifier *c, struct classifier_scratch *s, struct str text, struct classified *ret)
{
	features_read(s->features, c->idf, text);
	memcpy(s->query, s->features->dense, c->dim * sizeof *s->query);
	bool has_query = s->features->has_dense && classifier_center(s->query, c->center, c->dim);
	float scale = has_query ? kernels_quantise(s->query, c->dim, s->whole) : 0;
	score(c, s, has_query, scale);
	s->signals[SIGNAL_ENERGY] = softmax(s->scores, c->label_count, 1);
	s->nearest[0].cosine = 0;
	s->nearest_count = 0;
	if (has_query) {
		find_nearest(c, s, scale);
		compare_middles(c, s, scale);
		vote(c, s);
	} else {
		memset(s->label_nearest, 0, c->label_count * sizeof *s->label_nearest);
		s->signals[SIGNAL_MIDDLE] = s->signals[SIGNAL_MIDDLE_LEAD] = 0;
	}
	join(c, s, has_query);
	rank(c, s->probabilities, ret);
	read_signals(c, s, ret);
	ret->in_scope = in_scope(c, s->signals);
	ret->known = ret->in_scope >= c->threshold;
	memcpy(s->probabilities, s->logs, c->label_count * sizeof *s->probabilities);
	(void)softmax(s->probabilities, c->label_count, c->sharpness); /* only in place */
	ret->confidence = s->probabilities[ret->best];
	ret->second_confidence = s->probabilities[ret->second];
}

bool classifier_knows(const struct classifier *c, const struct classifier_scratch *s)
{
	for (uint32_t i = 0; s->nearest_count != 0 && i < c->examples.count; i++)
		if (memcmp(c->examples.values + (size_t)i * c->dim, s->whole, c->dim) == 0)
			return true;
	return false;
}

const float *classifier_probabilities(const struct classifier_scratch *s) { return s->probabilities; }
const float *classifier_signals(const struct classifier_scratch *s) { return s->signals; }
