/*
 * gain.c: opening a model of gains and scoring a text with it.
 *
 * The one idea: a score is a few sums in double, each in the order in which the text's features come, so no order of additions is left
 * to chance. The topics are a classifier's file inside this one.
 */
#include "worker/route/gain.h"

#include <math.h>
#include <stdlib.h>

#include "common/hmac.h"
#include "common/json.h"
#include "worker/route/classifier.h"
#include "worker/route/safetensors.h"

enum { VERSION_BYTES = 8, PREAMBLE_INTS = 3 };

struct gain {
	const struct static_model *model;
	struct classifier *topics; /* NULL: none were learned */
	const unsigned char *topic_gains;
	bool named; /* the topics have names that people gave them */
	float *idf, *words; /* FEATURES_HASHED */
	const unsigned char *dense;
	float surface[3][GAIN_SURFACE]; /* mean, 1 / deviation, weight */
	double base, weights[GAIN_PARTS];
	struct preamble {
		uint32_t bytes;
		uint64_t hash;
	} preambles[GAIN_MAX_PREAMBLES]; /* the longest first */
	uint32_t preamble_count;
	const unsigned char *learned; /* hashes of the training's texts, ascending: 2 int32 each, the high one first */
	uint64_t learned_count;
	char version[VERSION_BYTES * 2 + 1];
};

struct gain_scratch {
	struct features *features;
	struct classifier_scratch *topics;
};

static enum rc bad(struct err *err, const char *what)
{
	return err_set(err, RC_BAD_INPUT, "not a model of gains of this program: %s", what);
}

static bool number(const struct json *map, const char *name, double *ret)
{
	return json_double(json_get(map, str_of(name)), ret) && isfinite(*ret);
}

static enum rc read_settings(struct gain *g, struct str text, struct arena *arena, struct err *err)
{
	const struct json *json;
	int64_t features = 0;
	if (text.data == NULL)
		return bad(err, "its metadata says nothing of it");
	enum rc rc = json_parse(arena, text, (struct json_limits){.max_depth = 4, .max_nodes = 100}, &json, err);
	if (rc != RC_OK)
		return rc;
	if (!str_is(json_str(json_get(json, STR("format"))), GAIN_FORMAT))
		return bad(err, "it is of another format (a classifier's stage is another one: `classifier`)");
	if (!json_i64(json_get(json, STR("features")), &features) || features != FEATURES_VERSION ||
	    !str_eq(json_str(json_get(json, STR("static_model"))), static_model_version(g->model)))
		return err_set(err, RC_BAD_INPUT, "it was trained for other features than this program's; train it again");
	const struct json *named = json_get(json, STR("named"));
	g->named = named != NULL && named->kind == JSON_TRUE;
	if (!number(json, "base", &g->base) || !number(json, "topics", &g->weights[GAIN_TOPICS]) ||
	    !number(json, "words", &g->weights[GAIN_WORDS]) || !number(json, "surface", &g->weights[GAIN_OF_SURFACE]))
		return bad(err, "its numbers");
	return RC_OK;
}

/* A tensor of finite floats with that many rows. */
static enum rc floats(const struct safetensors *file, const char *name, uint64_t rows, uint64_t columns, const unsigned char **ret, struct err *err)
{
	struct tensor t;
	enum rc rc = safetensors_find(file, name, TENSOR_F32, &t, err);
	if (rc != RC_OK)
		return rc;
	if (t.rows != rows || t.columns != columns)
		return bad(err, name);
	for (uint64_t i = 0; i < rows * columns; i++)
		if (!isfinite(tensor_float(t.bytes, i)))
			return bad(err, name);
	*ret = t.bytes;
	return RC_OK;
}

static enum rc read_words(struct gain *g, const struct safetensors *file, struct arena *arena, struct err *err)
{
	struct tensor places;
	const unsigned char *idf, *words, *surface;
	enum rc rc = safetensors_find(file, "places", TENSOR_I32, &places, err);
	if (rc == RC_OK && (places.columns != 1 || places.rows > FEATURES_HASHED))
		rc = bad(err, "places");
	if (rc == RC_OK)
		rc = floats(file, "idf", places.rows + 1, 1, &idf, err); /* the last: of all others */
	if (rc == RC_OK)
		rc = floats(file, "words", places.rows, 1, &words, err);
	if (rc == RC_OK)
		rc = floats(file, "dense", static_model_dim(g->model), 1, &g->dense, err);
	if (rc == RC_OK)
		rc = floats(file, "surface", 3, GAIN_SURFACE, &surface, err);
	if (rc != RC_OK)
		return rc;
	g->idf = arena_array(arena, FEATURES_HASHED, sizeof *g->idf);
	g->words = arena_array(arena, FEATURES_HASHED, sizeof *g->words);
	for (uint32_t i = 0; i < FEATURES_HASHED; i++)
		g->idf[i] = tensor_float(idf, places.rows);
	for (uint32_t i = 0; i < places.rows; i++) {
		int32_t at = tensor_int(places.bytes, i);
		if (at < 0 || at >= FEATURES_HASHED)
			return bad(err, "places");
		g->idf[at] = tensor_float(idf, i);
		g->words[at] = tensor_float(words, i);
	}
	for (uint32_t i = 0; i < 3 * GAIN_SURFACE; i++)
		g->surface[i / GAIN_SURFACE][i % GAIN_SURFACE] = tensor_float(surface, i);
	return RC_OK;
}

static enum rc read_topics(struct gain *g, const struct safetensors *file, struct arena *arena, struct err *err)
{
	struct tensor inside;
	enum rc rc = safetensors_find(file, "topics", TENSOR_I8, &inside, err);
	if (rc != RC_OK || inside.rows == 0)
		return rc;
	rc = classifier_open((struct str){(const char *)inside.bytes, (size_t)(inside.rows * inside.columns)}, g->model, arena, &g->topics, err);
	return rc == RC_OK ? floats(file, "topic_gains", classifier_label_count(g->topics), 1, &g->topic_gains, err) : rc;
}

static enum rc read_preambles(struct gain *g, const struct safetensors *file, struct err *err)
{
	struct tensor t;
	enum rc rc = safetensors_find(file, "preambles", TENSOR_I32, &t, err);
	if (rc != RC_OK)
		return rc;
	if (t.rows > GAIN_MAX_PREAMBLES || (t.rows != 0 && t.columns != PREAMBLE_INTS))
		return bad(err, "preambles");
	for (uint32_t i = 0; i < t.rows; i++) {
		const uint64_t at = (uint64_t)i * PREAMBLE_INTS;
		uint64_t low = (uint32_t)tensor_int(t.bytes, at + 1), high = (uint32_t)tensor_int(t.bytes, at + 2);
		g->preambles[i] = (struct preamble){(uint32_t)tensor_int(t.bytes, at), high << 32 | low};
	}
	g->preamble_count = (uint32_t)t.rows;
	return RC_OK;
}

static enum rc read_learned(struct gain *g, const struct safetensors *file, struct err *err)
{
	struct tensor t;
	enum rc rc = safetensors_find(file, "learned", TENSOR_I32, &t, err);
	if (rc != RC_OK)
		return rc;
	if (t.rows != 0 && t.columns != 2)
		return bad(err, "learned");
	g->learned = t.bytes;
	g->learned_count = t.rows;
	return RC_OK;
}

enum rc gain_open(struct str bytes, const struct static_model *model, struct arena *arena, struct gain **ret, struct err *err)
{
	struct safetensors file;
	struct gain *g = arena_zalloc(arena, sizeof *g);
	g->model = model;
	enum rc rc = safetensors_open(bytes, arena, &file, err);
	if (rc == RC_OK)
		rc = read_settings(g, safetensors_metadata(&file, "pointsman"), arena, err);
	if (rc == RC_OK)
		rc = read_words(g, &file, arena, err);
	if (rc == RC_OK)
		rc = read_topics(g, &file, arena, err);
	if (rc == RC_OK)
		rc = read_preambles(g, &file, err);
	if (rc == RC_OK)
		rc = read_learned(g, &file, err);
	if (rc != RC_OK)
		return rc;
	uint8_t digest[SHA256_BYTES];
	sha256_once(bytes, digest);
	hex_encode(digest, VERSION_BYTES, g->version);
	*ret = g;
	return RC_OK;
}

struct str gain_version(const struct gain *g)
{
	return str_of(g->version);
}

struct gain_scratch *gain_scratch_new(const struct gain *g)
{
	struct gain_scratch *s = heap_zalloc(1, sizeof *s);
	s->features = features_new(g->model);
	s->topics = g->topics != NULL ? classifier_scratch_new(g->topics) : NULL;
	return s;
}

void gain_scratch_free(struct gain_scratch *s)
{
	if (s == NULL)
		return;
	features_free(s->features);
	classifier_scratch_free(s->topics);
	free(s);
}

/* The text behind the longest preamble that it begins with. */
static struct str behind_preamble(const struct gain *g, struct str text)
{
	for (uint32_t i = 0; i < g->preamble_count; i++) {
		const struct preamble *p = &g->preambles[i];
		if (p->bytes < text.len && gain_hash((struct str){text.data, p->bytes}) == p->hash)
			return (struct str){text.data + p->bytes, text.len - p->bytes};
	}
	return text;
}

static double of_topics(const struct gain *g, struct gain_scratch *s, struct str text, struct str *ret_topic)
{
	struct classified found;
	double sum = 0;
	if (g->topics == NULL || (g->weights[GAIN_TOPICS] == 0 && !g->named))
		return 0;
	classifier_run(g->topics, s->topics, text, &found);
	const float *p = classifier_probabilities(s->topics);
	for (uint32_t i = 0; i < classifier_label_count(g->topics); i++)
		sum += (double)p[i] * (double)tensor_float(g->topic_gains, i);
	if (g->named)
		*ret_topic = classifier_label(g->topics, found.best);
	return sum;
}

static double of_words(const struct gain *g, struct gain_scratch *s, struct str text)
{
	const struct features *f = s->features;
	double sum = 0;
	if (g->weights[GAIN_WORDS] == 0)
		return 0;
	features_read(s->features, g->idf, text);
	for (uint32_t i = 0; i < f->count; i++)
		sum += (double)f->items[i].value * (double)g->words[f->items[i].at];
	for (uint32_t i = 0; f->has_dense && i < static_model_dim(g->model); i++)
		sum += (double)f->dense[i] * (double)tensor_float(g->dense, i);
	return sum;
}

static double of_surface(const struct gain *g, struct str text)
{
	float values[GAIN_SURFACE];
	double sum = 0;
	gain_surface(text, values);
	for (int i = 0; i < GAIN_SURFACE; i++)
		sum += (double)((values[i] - g->surface[0][i]) * g->surface[1][i]) * (double)g->surface[2][i];
	return sum;
}

void gain_run(const struct gain *g, struct gain_scratch *s, struct str text, struct gained *ret)
{
	*ret = (struct gained){.gain = g->base};
	text.len = str_utf8_cut(text, GAIN_MAX_BYTES);
	text = behind_preamble(g, text);
	ret->parts[GAIN_TOPICS] = g->weights[GAIN_TOPICS] * of_topics(g, s, text, &ret->topic);
	ret->parts[GAIN_WORDS] = g->weights[GAIN_WORDS] * of_words(g, s, text);
	ret->parts[GAIN_OF_SURFACE] = g->weights[GAIN_OF_SURFACE] * of_surface(g, text);
	for (int i = 0; i < GAIN_PARTS; i++)
		ret->gain += ret->parts[i];
}

bool gain_has_learned(const struct gain *g, struct str text)
{
	text.len = str_utf8_cut(text, GAIN_MAX_BYTES);
	uint64_t hash = gain_hash(text), low = 0, high = g->learned_count;
	while (low < high) {
		uint64_t at = low + (high - low) / 2;
		uint64_t here = (uint64_t)(uint32_t)tensor_int(g->learned, 2 * at) << 32 | (uint32_t)tensor_int(g->learned, 2 * at + 1);
		if (here == hash)
			return true;
		if (here < hash)
			low = at + 1;
		else
			high = at;
	}
	return false;
}
