/*
 * static_model.c: adding up rows of the table.
 *
 * The one idea: a vector's components never meet before the length is taken, so the sum of each is the same on every machine,
 * whatever width the compiler adds in; the length is summed by vectors_dot, in its fixed order. So a text has one vector, to the
 * bit, everywhere.
 */
#include "worker/route/static_model.h"

#include <math.h>

#include "worker/route/kernels.h"
#include "worker/route/safetensors.h"
#include "worker/route/vectors.h"

enum { CACHE_LINE = 64, FETCHED = 64 /* pieces; more rows would push each other out of the first cache */ };

struct static_model {
	struct wordpiece *pieces;
	struct tensor_rows words, pairs; /* pairs.count 0: the table has none */
	uint32_t dim, vocabulary, unknown;
	struct str version;
};

static enum rc find_rows(const struct safetensors *file, const char *values, const char *scale, struct tensor_rows *ret, struct err *err)
{
	enum rc rc = safetensors_rows(file, values, scale, ret, err);
	if (rc == RC_OK && (ret->columns == 0 || ret->columns > STATIC_MODEL_MAX_DIM || ret->columns % VECTORS_LANES != 0))
		return err_set(err, RC_BAD_INPUT, "the tensor \"%s\" has %u columns; a multiple of %d up to %d is read", values, ret->columns,
		               VECTORS_LANES, STATIC_MODEL_MAX_DIM);
	return rc;
}

enum rc static_model_open(struct str table, struct str vocabulary, struct str version, struct arena *arena, struct static_model **ret, struct err *err)
{
	struct safetensors file;
	struct static_model *m = arena_zalloc(arena, sizeof *m);
	enum rc rc = wordpiece_open(vocabulary, arena, &m->pieces, err);
	if (rc == RC_OK)
		rc = safetensors_open(table, arena, &file, err);
	if (rc == RC_OK)
		rc = find_rows(&file, "embeddings", "scale", &m->words, err);
	if (rc != RC_OK)
		return rc;
	m->dim = m->words.columns;
	m->vocabulary = wordpiece_count(m->pieces);
	m->unknown = wordpiece_unknown(m->pieces);
	if (m->words.count != m->vocabulary)
		return err_set(err, RC_BAD_INPUT, "the table has %u rows, the vocabulary %u pieces", m->words.count, m->vocabulary);
	bool has_pairs = safetensors_find(&file, "bigrams", TENSOR_I8, &(struct tensor){0}, err) == RC_OK;
	if (has_pairs)
		rc = find_rows(&file, "bigrams", "bigram_scale", &m->pairs, err);
	if (rc == RC_OK && has_pairs && (m->pairs.columns != m->dim || m->pairs.count == 0))
		rc = err_set(err, RC_BAD_INPUT, "words and pairs have not the same number of columns");
	if (rc != RC_OK)
		return rc;
	m->version = version;
	*ret = m;
	return RC_OK;
}

struct str static_model_version(const struct static_model *m) { return m->version; }
uint32_t static_model_dim(const struct static_model *m) { return m->dim; }
const struct wordpiece *static_model_pieces(const struct static_model *m) { return m->pieces; }

static void add(const struct tensor_rows *rows, uint32_t at, uint32_t dim, float *sum)
{
	kernels_add_row(sum, rows->values + (size_t)at * dim, tensor_float(rows->scale, at), dim);
}

static void fetch(const struct tensor_rows *rows, uint32_t at, uint32_t dim)
{
	for (uint32_t i = 0; i < dim; i += CACHE_LINE)
		__builtin_prefetch(rows->values + (size_t)at * dim + i);
	__builtin_prefetch(rows->scale + (size_t)at * sizeof(float));
}

static uint32_t pair_row(const struct static_model *m, uint32_t a, uint32_t b)
{
	return static_model_pair_row(a, b, m->vocabulary, m->pairs.count);
}

/* The rows lie anywhere in a table that no cache holds: all are asked for before the first is needed. */
static void fetch_rows(const struct static_model *m, const uint32_t *ids, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		fetch(&m->words, ids[i], m->dim);
		if (i > 0 && m->pairs.count != 0)
			fetch(&m->pairs, pair_row(m, ids[i - 1], ids[i]), m->dim);
	}
}

float static_model_embed_pieces(const struct static_model *m, const uint32_t *ids, uint32_t count, float *vector)
{
	memset(vector, 0, m->dim * sizeof *vector);
	fetch_rows(m, ids, count < FETCHED ? count : FETCHED);
	for (uint32_t i = 0; i < count; i++)
		if (ids[i] != m->unknown)
			add(&m->words, ids[i], m->dim, vector);
	for (uint32_t i = 1; i < count && m->pairs.count != 0; i++)
		if (ids[i - 1] != m->unknown && ids[i] != m->unknown)
			add(&m->pairs, pair_row(m, ids[i - 1], ids[i]), m->dim, vector);
	float length = sqrtf(vectors_dot(vector, vector, m->dim));
	if (!isfinite(length) || length == 0) {
		memset(vector, 0, m->dim * sizeof *vector);
		return 0;
	}
	for (uint32_t i = 0; i < m->dim; i++)
		vector[i] /= length;
	return length;
}

float static_model_embed(const struct static_model *m, struct str text, float *vector)
{
	uint32_t ids[WORDPIECE_MAX];
	return static_model_embed_pieces(m, ids, wordpiece_encode(m->pieces, text, ids, WORDPIECE_MAX), vector);
}
