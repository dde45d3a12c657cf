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

struct rows {
	const unsigned char *values; /* int8 */
	const unsigned char *scale;  /* float32, one a row */
	uint32_t count;
};

struct static_model {
	struct wordpiece *pieces;
	struct rows words, pairs; /* pairs.count 0: the table has none */
	uint32_t dim, vocabulary, unknown;
	struct str version;
};

static enum rc find_rows(const struct safetensors *file, const char *values, const char *scale, struct rows *ret, uint32_t *ret_dim,
                         struct err *err)
{
	struct tensor v, s;
	enum rc rc = safetensors_find(file, values, TENSOR_I8, &v, err);
	if (rc == RC_OK)
		rc = safetensors_find(file, scale, TENSOR_F32, &s, err);
	if (rc != RC_OK)
		return rc;
	if (v.columns == 0 || v.columns > STATIC_MODEL_MAX_DIM || v.columns % VECTORS_LANES != 0 || v.rows > UINT32_MAX)
		return err_set(err, RC_BAD_INPUT, "the tensor \"%s\" has %llu columns; a multiple of %d up to %d is read", values,
		               (unsigned long long)v.columns, VECTORS_LANES, STATIC_MODEL_MAX_DIM);
	if (s.rows != v.rows || s.columns != 1)
		return err_set(err, RC_BAD_INPUT, "the tensor \"%s\" has not one number for each row of \"%s\"", scale, values);
	for (uint64_t i = 0; i < s.rows; i++)
		if (!isfinite(tensor_float(s.bytes, i)))
			return err_set(err, RC_BAD_INPUT, "the tensor \"%s\" holds something that is no number", scale);
	*ret = (struct rows){v.bytes, s.bytes, (uint32_t)v.rows};
	*ret_dim = (uint32_t)v.columns;
	return RC_OK;
}

enum rc static_model_open(struct str table, struct str vocabulary, struct str version, struct arena *arena, struct static_model **ret, struct err *err)
{
	struct safetensors file;
	struct static_model *m = arena_zalloc(arena, sizeof *m);
	uint32_t pair_dim = 0;
	enum rc rc = wordpiece_open(vocabulary, arena, &m->pieces, err);
	if (rc == RC_OK)
		rc = safetensors_open(table, arena, &file, err);
	if (rc == RC_OK)
		rc = find_rows(&file, "embeddings", "scale", &m->words, &m->dim, err);
	if (rc != RC_OK)
		return rc;
	m->vocabulary = wordpiece_count(m->pieces);
	m->unknown = wordpiece_unknown(m->pieces);
	if (m->words.count != m->vocabulary)
		return err_set(err, RC_BAD_INPUT, "the table has %u rows, the vocabulary %u pieces", m->words.count, m->vocabulary);
	bool has_pairs = safetensors_find(&file, "bigrams", TENSOR_I8, &(struct tensor){0}, err) == RC_OK;
	if (has_pairs)
		rc = find_rows(&file, "bigrams", "bigram_scale", &m->pairs, &pair_dim, err);
	if (rc == RC_OK && has_pairs && (pair_dim != m->dim || m->pairs.count == 0))
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

static void add(const struct rows *rows, uint32_t at, uint32_t dim, float *sum)
{
	kernels_add_row(sum, (const int8_t *)rows->values + (size_t)at * dim, tensor_float(rows->scale, at), dim);
}

float static_model_embed_pieces(const struct static_model *m, const uint32_t *ids, uint32_t count, float *vector)
{
	memset(vector, 0, m->dim * sizeof *vector);
	for (uint32_t i = 0; i < count; i++)
		if (ids[i] != m->unknown)
			add(&m->words, ids[i], m->dim, vector);
	for (uint32_t i = 1; i < count && m->pairs.count != 0; i++)
		if (ids[i - 1] != m->unknown && ids[i] != m->unknown)
			add(&m->pairs, static_model_pair_row(ids[i - 1], ids[i], m->vocabulary, m->pairs.count), m->dim, vector);
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
