/*
 * document.c: windows of a long text, and the mean of their vectors.
 *
 * The one idea: each window counts the same, however many rare words it has: its vector is made a unit vector before it is added. So
 * a long table in the middle cannot outweigh what head and tail say. Windows are cut by bytes, at white space, because finding the
 * 10,000th piece would mean reading the 9,999 before it.
 */
#include "worker/route/document.h"

#include <math.h>

#include "worker/route/vectors.h"

enum { LONGEST_WORD = 100 }; /* bytes looked through for white space */

static bool is_space(char c)
{
	return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

/* The window that begins near at: at the next beginning of a word, or else of a character. */
static struct str window_at(struct str text, size_t at)
{
	size_t begin = at;
	while (begin > 0 && begin < text.len && begin - at < LONGEST_WORD && !is_space(text.data[begin - 1]))
		begin++;
	if (begin - at == LONGEST_WORD)
		begin = str_utf8_cut(text, at);
	struct str rest = {text.data + begin, text.len - begin};
	rest.len = str_utf8_cut(rest, DOCUMENT_WINDOW_BYTES);
	return rest;
}

bool document_embed(const struct static_model *m, struct str text, uint32_t windows, float *vector)
{
	uint32_t ids[WORDPIECE_MAX], dim = static_model_dim(m);
	uint32_t count = wordpiece_encode(static_model_pieces(m), text, ids, WORDPIECE_MAX);
	if (count < WORDPIECE_MAX || text.len <= DOCUMENT_WINDOW_BYTES || windows <= 1)
		return static_model_embed_pieces(m, ids, count, vector) != 0;
	float sum[STATIC_MODEL_MAX_DIM] = {0};
	size_t room = text.len - DOCUMENT_WINDOW_BYTES;
	for (uint32_t w = 0; w < windows; w++) {
		size_t at = room / (windows - 1) * w + room % (windows - 1) * w / (windows - 1);
		(void)static_model_embed(m, window_at(text, at), vector); /* a window without words adds zeros */
		for (uint32_t i = 0; i < dim; i++)
			sum[i] += vector[i];
	}
	float length = sqrtf(vectors_dot(sum, sum, dim));
	bool has_words = isfinite(length) && length > 0;
	for (uint32_t i = 0; i < dim; i++)
		vector[i] = has_words ? sum[i] / length : 0;
	return has_words;
}
