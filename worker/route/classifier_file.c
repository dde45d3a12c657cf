/*
 * classifier_file.c: opening a classifier. Nothing in the file is believed before it has been held against its other parts.
 */
#include <math.h>

#include "common/hmac.h"
#include "common/json.h"
#include "worker/route/classifier_parts.h"

static enum rc bad(struct err *err, const char *what)
{
	return err_set(err, RC_BAD_INPUT, "not a classifier of this program: %s", what);
}

static enum rc read_rows(const struct safetensors *file, const char *values, const char *scale, uint32_t columns, struct tensor_rows *ret,
                         struct err *err)
{
	enum rc rc = safetensors_rows(file, values, scale, ret, err);
	return rc == RC_OK && ret->columns != columns ? bad(err, values) : rc;
}

/* count numbers, copied. */
static enum rc read_floats(const struct safetensors *file, const char *name, uint32_t count, struct arena *arena, float **ret, struct err *err)
{
	struct tensor t;
	enum rc rc = safetensors_find(file, name, TENSOR_F32, &t, err);
	if (rc != RC_OK)
		return rc;
	if (t.rows != count || t.columns != 1)
		return bad(err, name);
	float *values = arena_array(arena, count, sizeof *values);
	for (uint32_t i = 0; i < count; i++) {
		values[i] = tensor_float(t.bytes, i);
		if (!isfinite(values[i]))
			return bad(err, name);
	}
	*ret = values;
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
	if (!number(json, "sharpness", &c->sharpness) || !number(json, "threshold", &c->threshold) || c->sharpness <= 0)
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
		c->row_of[i] = CLASSIFIER_NO_ROW;
		c->idf[i] = unseen;
	}
	for (uint32_t i = 0; i < places.rows; i++) {
		int32_t at = tensor_int(places.bytes, i);
		if (at < 0 || at >= FEATURES_HASHED || c->row_of[at] != CLASSIFIER_NO_ROW)
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
		rc = read_rows(&file, "dense", "dense_scale", c->dim, &c->dense, err);
	if (rc == RC_OK)
		rc = read_rows(&file, "examples", "example_scale", c->dim, &c->examples, err);
	if (rc == RC_OK)
		rc = read_rows(&file, "centroids", "centroid_scale", c->dim, &c->centroids, err);
	if (rc == RC_OK && (c->dense.count != c->label_count || c->centroids.count != c->label_count || c->examples.count == 0))
		rc = bad(err, "dense");
	if (rc == RC_OK)
		rc = read_floats(&file, "center", c->dim, arena, &c->center, err);
	if (rc == RC_OK && safetensors_find(&file, "scope", TENSOR_F32, &(struct tensor){0}, err) == RC_OK)
		rc = read_floats(&file, "scope", CLASSIFIER_SIGNALS + 1, arena, &c->scope, err);
	if (rc == RC_OK)
		rc = read_places(c, &file, arena, err);
	if (rc == RC_OK)
		rc = read_examples(c, &file, err);
	if (rc != RC_OK)
		return rc;
	uint8_t digest[SHA256_BYTES];
	sha256_once(bytes, digest);
	hex_encode(digest, CLASSIFIER_VERSION_BYTES, c->version);
	*ret = c;
	return RC_OK;
}
