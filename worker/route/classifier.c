/*
 * classifier.c: opening a model and scoring a text with it.
 *
 * The one idea: everything is a sum of int8 rows: a row of weights, one number a label, for each feature of the text. So a label's
 * score is a sum of its own in the order of the features, and cosines to the training texts are whole numbers; no order of
 * additions is left to chance. exp and ln are taken in double and rounded to float.
 */
#include "worker/route/classifier.h"

#include <math.h>
#include <stdlib.h>

#include "common/hmac.h"
#include "common/json.h"
#include "worker/route/kernels.h"
#include "worker/route/safetensors.h"

enum { VERSION_BYTES = 8, NO_ROW = -1 };

struct rows {
	const int8_t *values;
	const unsigned char *scale; /* float32 */
	uint32_t count;
};

struct classifier {
	const struct static_model *model;
	struct str *labels;
	uint32_t label_count, width, dim; /* width: label_count padded to CLASSIFIER_LANES */
	int32_t *row_of;                  /* FEATURES_HASHED: row of hashed, or NO_ROW */
	float *idf;                       /* FEATURES_HASHED */
	struct rows hashed, dense, examples, centroids;
	const unsigned char *bias, *example_labels;
	float sharpness; /* 1 / temperature */
	float share;     /* of the vote */
	float threshold; /* of in_scope */
	char version[VERSION_BYTES * 2 + 1];
};

struct classifier_scratch {
	struct features *features;
	float *scores, *votes, *probabilities;
	int8_t *query;
	struct neighbour {
		float cosine;
		uint32_t label;
	} nearest[CLASSIFIER_NEAREST];
	uint32_t nearest_count;
};

static enum rc bad(struct err *err, const char *what)
{
	return err_set(err, RC_BAD_INPUT, "not a classifier of this program: %s", what);
}

static enum rc read_rows(const struct safetensors *file, const char *values, const char *scale, uint64_t columns, struct rows *ret,
                         struct err *err)
{
	struct tensor v, s;
	enum rc rc = safetensors_find(file, values, TENSOR_I8, &v, err);
	if (rc == RC_OK)
		rc = safetensors_find(file, scale, TENSOR_F32, &s, err);
	if (rc != RC_OK)
		return rc;
	if (v.columns != columns || s.rows != v.rows || s.columns != 1 || v.rows > UINT32_MAX)
		return bad(err, values);
	for (uint64_t i = 0; i < s.rows; i++)
		if (!isfinite(tensor_float(s.bytes, i)))
			return bad(err, scale);
	*ret = (struct rows){(const int8_t *)v.bytes, s.bytes, (uint32_t)v.rows};
	return RC_OK;
}

static bool number(const struct json *map, const char *name, float *ret)
{
	double d;
	if (!json_double(json_get(map, str_of(name)), &d) || !isfinite(d))
		return false;
	*ret = (float)d;
	return true;
}

/* Labels and numbers, from the text of the metadata. */
static enum rc read_settings(struct classifier *c, struct str text, struct arena *arena, struct err *err)
{
	const struct json *json;
	int64_t features = 0;
	if (text.data == NULL)
		return bad(err, "its metadata says nothing of it");
	enum rc rc = json_parse(arena, text, (struct json_limits){.max_depth = 4, .max_nodes = CLASSIFIER_MAX_LABELS + 100}, &json, err);
	if (rc != RC_OK)
		return rc;
	if (!str_is(json_str(json_get(json, STR("format"))), CLASSIFIER_FORMAT))
		return bad(err, "it is of another format");
	if (!json_i64(json_get(json, STR("features")), &features) || features != FEATURES_VERSION ||
	    !str_eq(json_str(json_get(json, STR("static_model"))), static_model_version(c->model)))
		return err_set(err, RC_BAD_INPUT, "the classifier was trained for other features than this program's; train it again");
	const struct json *labels = json_get(json, STR("labels"));
	if (labels == NULL || labels->kind != JSON_LIST || labels->count == 0 || labels->count > CLASSIFIER_MAX_LABELS)
		return bad(err, "labels");
	c->labels = arena_array(arena, labels->count, sizeof *c->labels);
	c->label_count = labels->count;
	for (uint32_t i = 0; i < labels->count; i++)
		if ((c->labels[i] = json_str(&labels->items[i])).len == 0)
			return bad(err, "labels");
	if (!number(json, "sharpness", &c->sharpness) || !number(json, "share", &c->share) || !number(json, "threshold", &c->threshold))
		return bad(err, "its numbers");
	if (c->sharpness <= 0 || c->share < 0 || c->share > 1)
		return bad(err, "its numbers");
	return RC_OK;
}

/* Which place of the hashed features has which row, and how much it weighs. */
static enum rc read_places(struct classifier *c, const struct safetensors *file, struct arena *arena, struct err *err)
{
	struct tensor places, idf;
	float unseen = 0;
	enum rc rc = safetensors_find(file, "places", TENSOR_I32, &places, err);
	if (rc == RC_OK)
		rc = safetensors_find(file, "idf", TENSOR_F32, &idf, err);
	if (rc != RC_OK)
		return rc;
	if (places.rows != c->hashed.count || idf.rows != places.rows + 1 || places.columns != 1 || idf.columns != 1)
		return bad(err, "places");
	c->row_of = arena_array(arena, FEATURES_HASHED, sizeof *c->row_of);
	c->idf = arena_array(arena, FEATURES_HASHED, sizeof *c->idf);
	unseen = tensor_float(idf.bytes, places.rows); /* the last: of all others */
	for (uint32_t i = 0; i < FEATURES_HASHED; i++) {
		c->row_of[i] = NO_ROW;
		c->idf[i] = unseen;
	}
	for (uint32_t i = 0; i < places.rows; i++) {
		int32_t at = tensor_int(places.bytes, i);
		if (at < 0 || at >= FEATURES_HASHED || c->row_of[at] != NO_ROW)
			return bad(err, "places");
		c->row_of[at] = (int32_t)i;
		c->idf[at] = tensor_float(idf.bytes, i);
		if (!isfinite(c->idf[at]))
			return bad(err, "idf");
	}
	return isfinite(unseen) ? RC_OK : bad(err, "idf");
}

static enum rc read_examples(struct classifier *c, const struct safetensors *file, struct err *err)
{
	struct tensor labels, bias;
	enum rc rc = safetensors_find(file, "example_labels", TENSOR_I32, &labels, err);
	if (rc == RC_OK)
		rc = safetensors_find(file, "bias", TENSOR_F32, &bias, err);
	if (rc != RC_OK)
		return rc;
	if (labels.rows != c->examples.count || labels.columns != 1 || labels.rows > CLASSIFIER_MAX_EXAMPLES)
		return bad(err, "example_labels");
	for (uint64_t i = 0; i < labels.rows; i++)
		if (tensor_int(labels.bytes, i) < 0 || (uint32_t)tensor_int(labels.bytes, i) >= c->label_count)
			return bad(err, "example_labels");
	if (bias.rows != c->width || bias.columns != 1)
		return bad(err, "bias");
	c->example_labels = labels.bytes;
	c->bias = bias.bytes;
	return RC_OK;
}

enum rc classifier_open(struct str bytes, const struct static_model *model, struct arena *arena, struct classifier **ret, struct err *err)
{
	struct safetensors file;
	struct classifier *c = arena_zalloc(arena, sizeof *c);
	c->model = model;
	c->dim = static_model_dim(model);
	enum rc rc = safetensors_open(bytes, arena, &file, err);
	if (rc == RC_OK)
		rc = read_settings(c, safetensors_metadata(&file, "pointsman"), arena, err);
	if (rc != RC_OK)
		return rc;
	c->width = (c->label_count + CLASSIFIER_LANES - 1) / CLASSIFIER_LANES * CLASSIFIER_LANES;
	rc = read_rows(&file, "hashed", "hashed_scale", c->width, &c->hashed, err);
	if (rc == RC_OK)
		rc = read_rows(&file, "dense", "dense_scale", c->width, &c->dense, err);
	if (rc == RC_OK)
		rc = read_rows(&file, "examples", "example_scale", c->dim, &c->examples, err);
	if (rc == RC_OK)
		rc = read_rows(&file, "centroids", "centroid_scale", c->dim, &c->centroids, err);
	if (rc == RC_OK && (c->dense.count != c->dim || (c->centroids.count != 0 && c->centroids.count != c->label_count)))
		rc = bad(err, "dense");
	if (rc == RC_OK)
		rc = read_places(c, &file, arena, err);
	if (rc == RC_OK)
		rc = read_examples(c, &file, err);
	if (rc != RC_OK)
		return rc;
	uint8_t digest[SHA256_BYTES];
	sha256_once(bytes, digest);
	hex_encode(digest, VERSION_BYTES, c->version);
	*ret = c;
	return RC_OK;
}

uint32_t classifier_label_count(const struct classifier *c) { return c->label_count; }
struct str classifier_label(const struct classifier *c, uint32_t label) { return c->labels[label]; }
struct str classifier_version(const struct classifier *c) { return str_of(c->version); }
float classifier_threshold(const struct classifier *c) { return c->threshold; }

struct classifier_scratch *classifier_scratch_new(const struct classifier *c)
{
	struct classifier_scratch *s = heap_zalloc(1, sizeof *s);
	s->features = features_new(c->model);
	s->scores = heap_zalloc(c->width, sizeof *s->scores);
	s->votes = heap_zalloc(c->width, sizeof *s->votes);
	s->probabilities = heap_zalloc(c->width, sizeof *s->probabilities);
	s->query = heap_zalloc(c->dim, 1);
	return s;
}

void classifier_scratch_free(struct classifier_scratch *s)
{
	if (s == NULL)
		return;
	features_free(s->features);
	free(s->scores);
	free(s->votes);
	free(s->probabilities);
	free(s->query);
	free(s);
}

static void add(const struct rows *rows, uint32_t at, float value, uint32_t width, float *sum)
{
	kernels_add_row(sum, rows->values + (size_t)at * width, value * tensor_float(rows->scale, at), width);
}

static void score(const struct classifier *c, struct classifier_scratch *s)
{
	const struct features *f = s->features;
	for (uint32_t i = 0; i < c->width; i++)
		s->scores[i] = tensor_float(c->bias, i);
	for (uint32_t i = 0; i < f->count; i++)
		if (c->row_of[f->items[i].at] != NO_ROW)
			add(&c->hashed, (uint32_t)c->row_of[f->items[i].at], CLASSIFIER_HASHED_WEIGHT * f->items[i].value, c->width, s->scores);
	for (uint32_t i = 0; f->has_dense && i < c->dim; i++)
		add(&c->dense, i, CLASSIFIER_DENSE_WEIGHT * f->dense[i], c->width, s->scores);
}

/* In place: e to the sharpness * (value - the largest), each divided by their sum. */
static void softmax(float *values, uint32_t count, float sharpness)
{
	float most = values[0], sum = 0;
	for (uint32_t i = 1; i < count; i++)
		most = values[i] > most ? values[i] : most;
	for (uint32_t i = 0; i < count; i++) {
		values[i] = (float)exp((double)(sharpness * (values[i] - most)));
		sum += values[i];
	}
	for (uint32_t i = 0; i < count; i++)
		values[i] /= sum;
}

static float cosine(const struct rows *rows, uint32_t at, const int8_t *query, float scale, uint32_t dim)
{
	return (float)kernels_dot(rows->values + (size_t)at * dim, query, dim) * (scale * tensor_float(rows->scale, at));
}

static void find_nearest(const struct classifier *c, struct classifier_scratch *s, float scale)
{
	s->nearest_count = 0;
	for (uint32_t i = 0; i < c->examples.count; i++) {
		float now = cosine(&c->examples, i, s->query, scale, c->dim);
		uint32_t at = s->nearest_count;
		if (at == CLASSIFIER_NEAREST) {
			if (now <= s->nearest[at - 1].cosine)
				continue;
			at--;
		} else {
			s->nearest_count++;
		}
		for (; at > 0 && s->nearest[at - 1].cosine < now; at--)
			s->nearest[at] = s->nearest[at - 1];
		s->nearest[at] = (struct neighbour){now, (uint32_t)tensor_int(c->example_labels, i)};
	}
}

/* With few examples a label their centroids say more than single ones. */
static void vote(const struct classifier *c, struct classifier_scratch *s, float scale)
{
	for (uint32_t i = 0; i < c->label_count; i++)
		s->votes[i] = c->centroids.count != 0 ? cosine(&c->centroids, i, s->query, scale, c->dim) : 0;
	if (c->centroids.count != 0) {
		softmax(s->votes, c->label_count, 10);
		return;
	}
	float sum = 0;
	for (uint32_t i = 0; i < s->nearest_count; i++) {
		float weight = (float)exp(20 * ((double)s->nearest[i].cosine - (double)s->nearest[0].cosine));
		s->votes[s->nearest[i].label] += weight;
		sum += weight;
	}
	for (uint32_t i = 0; i < c->label_count && sum > 0; i++)
		s->votes[i] /= sum;
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

void classifier_run(const struct classifier *c, struct classifier_scratch *s, struct str text, struct classified *ret)
{
	features_read(s->features, c->idf, text);
	score(c, s);
	softmax(s->scores, c->label_count, c->sharpness);
	float scale = s->features->has_dense ? kernels_quantise(s->features->dense, c->dim, s->query) : 0;
	float share = scale > 0 && c->examples.count != 0 ? c->share : 0, nearest = 0;
	if (share > 0) {
		find_nearest(c, s, scale);
		vote(c, s, scale);
		nearest = s->nearest[0].cosine;
	}
	for (uint32_t i = 0; i < c->label_count; i++)
		s->probabilities[i] = (1 - share) * s->scores[i] + (share > 0 ? share * s->votes[i] : 0);
	rank(c, s->probabilities, ret);
	ret->in_scope = (float)log((double)ret->confidence) + 4 * nearest;
	ret->known = ret->in_scope >= c->threshold;
}

bool classifier_knows(const struct classifier *c, const struct classifier_scratch *s)
{
	for (uint32_t i = 0; s->features->has_dense && i < c->examples.count; i++)
		if (memcmp(c->examples.values + (size_t)i * c->dim, s->query, c->dim) == 0)
			return true;
	return false;
}

const float *classifier_probabilities(const struct classifier_scratch *s)
{
	return s->probabilities;
}
