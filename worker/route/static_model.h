/*
 * static_model.h: sentence embeddings without a service: a table of vectors, one a WordPiece and some for pairs of neighbours, summed
 * (the idea of model2vec, github.com/MinishLab/model2vec; how this table was made: deploy/models/PROVENANCE.md).
 *
 * Thread: read-only after it was opened. Pure.
 */
#ifndef ROUTE_STATIC_MODEL_H
#define ROUTE_STATIC_MODEL_H

#include "worker/route/wordpiece.h"

enum { STATIC_MODEL_MAX_DIM = 1024 };

struct static_model;

/* version: names table and vocabulary in decisions. table: a safetensors file with `embeddings`, `scale` and, where it has rows for pairs, `bigrams` and `bigram_scale`. All
 * texts must outlive the result, which lives in the arena. RC_BAD_INPUT with the reason. */
enum rc static_model_open(struct str table, struct str vocabulary, struct str version, struct arena *arena, struct static_model **ret,
                          struct err *err);
/* The one that is in the program; its version is the beginning of the SHA-256 of both files, in hex. */
enum rc static_model_builtin(struct arena *arena, struct static_model **ret, struct err *err);
struct str static_model_version(const struct static_model *m);
uint32_t static_model_dim(const struct static_model *m); /* a multiple of 8 */

const struct wordpiece *static_model_pieces(const struct static_model *m);
/* Of a text's pieces: a unit vector of dim floats; all zeros where no piece counts. Returns its length before it was made one. */
float static_model_embed_pieces(const struct static_model *m, const uint32_t *ids, uint32_t count, float *vector);
float static_model_embed(const struct static_model *m, struct str text, float *vector);

/* The row of `bigrams` (rows of them) for two neighbours. */
static inline uint32_t static_model_pair_row(uint32_t a, uint32_t b, uint32_t vocabulary, uint32_t rows)
{
	uint32_t hash = (a * vocabulary + b) * UINT32_C(2654435761);
	return (uint32_t)((uint64_t)hash * rows >> 32);
}

#endif
