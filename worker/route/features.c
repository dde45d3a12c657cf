/*
 * features.c: from a text to its features, once over the folded text.
 *
 * The one idea: a place of the hashed groups is a counter in a flat table, and the list of those touched keeps the order, so counting
 * costs no sorting and the table is cleaned by the list. The order of the list is the order of the sums, so scores have one value.
 */
#include "worker/route/features.h"

#include <math.h>
#include <stdlib.h>

#include "worker/route/elementary.h"
#include "worker/route/fold.h"

enum { MAX_GRAM = 5, MIN_GRAM = 3, MAX_ITEMS = FEATURES_MAX_BYTES * 2 + FEATURES_MAX_BYTES * 3, LOGS = 64 };

struct features_work {
	const struct static_model *model;
	uint16_t counts[FEATURES_HASHED];
	float logs[LOGS]; /* 1 + ln n */
	char folded[FEATURES_MAX_BYTES * FOLD_GROWTH];
};

struct features *features_new(const struct static_model *model)
{
	struct features *f = heap_zalloc(1, sizeof *f);
	f->work = heap_zalloc(1, sizeof *f->work);
	f->work->model = model;
	f->items = heap_zalloc(MAX_ITEMS, sizeof *f->items);
	f->dense = heap_zalloc(static_model_dim(model), sizeof *f->dense);
	for (unsigned n = 1; n < LOGS; n++)
		f->work->logs[n] = (float)(1 + elementary_log((double)n));
	return f;
}

void features_free(struct features *f)
{
	if (f == NULL)
		return;
	free(f->items);
	free(f->dense);
	free(f->work);
	free(f);
}

/* FNV-1a over bytes, 32 bits, mixed so that the low bits are good. */
static uint32_t hash(uint32_t from, const char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		from = (from ^ (unsigned char)bytes[i]) * 16777619u;
	return from;
}

static void count_place(struct features *f, uint32_t group, uint32_t h)
{
	uint32_t at = group + ((h ^ h >> 16) * 0x85EBCA6Bu >> 16);
	if (f->work->counts[at] == 0) {
		if (f->count == MAX_ITEMS)
			return;
		f->items[f->count++].at = at;
	}
	if (f->work->counts[at] < LOGS - 1)
		f->work->counts[at]++;
}

/* The pieces of a word, a space before and behind it. */
static void count_pieces(struct features *f, struct str word)
{
	char padded[256] = " ";
	size_t len = word.len < sizeof padded - 2 ? word.len : sizeof padded - 2;
	memcpy(padded + 1, word.data, len);
	padded[len + 1] = ' ';
	len += 2;
	for (size_t n = MIN_GRAM; n <= MAX_GRAM && n <= len; n++)
		for (size_t i = 0; i + n <= len; i++)
			count_place(f, FEATURES_GROUP, hash(0x811C9DC5u + (uint32_t)n, padded + i, n));
}

static bool is_word_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '\'';
}

/* A word of letters and digits, or one symbol. Data NULL: there is none left. */
static struct str next_word(struct str text, size_t *at)
{
	while (*at < text.len && text.data[*at] == ' ')
		(*at)++;
	size_t begin = *at, bytes = 0;
	while (*at < text.len && is_word_byte(text.data[*at]))
		(*at)++;
	if (*at == begin && begin < text.len) {
		(void)fold_decode(text, begin, &bytes); /* only its length is wanted */
		*at += bytes;
	}
	return *at > begin ? (struct str){text.data + begin, *at - begin} : STR_NULL;
}

static void count_all(struct features *f, struct str text)
{
	uint32_t before = 0;
	bool has_before = false;
	size_t at = 0;
	for (struct str word; (word = next_word(text, &at)).data != NULL;) {
		uint32_t h = hash(0x811C9DC5u, word.data, word.len);
		count_place(f, 0, h);
		if (has_before)
			count_place(f, 0, hash(before * 31 + 7, word.data, word.len));
		before = h;
		has_before = true;
		count_pieces(f, word);
	}
}

/* Weights; each group one long times the root of a half, so that both weigh alike. */
static void weigh(struct features *f, const float *idf)
{
	float squares[2] = {0, 0};
	for (uint32_t i = 0; i < f->count; i++) {
		struct feature *item = &f->items[i];
		item->value = f->work->logs[f->work->counts[item->at]] * (idf != NULL ? idf[item->at] : 1);
		f->work->counts[item->at] = 0;
		squares[item->at >= FEATURES_GROUP] += item->value * item->value;
	}
	float factor[2];
	for (unsigned g = 0; g < 2; g++)
		factor[g] = squares[g] > 0 ? 0.70710678f / sqrtf(squares[g]) : 0;
	for (uint32_t i = 0; i < f->count; i++)
		f->items[i].value *= factor[f->items[i].at >= FEATURES_GROUP];
}

void features_read(struct features *f, const float *idf, struct str text)
{
	text.len = str_utf8_cut(text, FEATURES_MAX_BYTES);
	f->count = 0;
	count_all(f, (struct str){f->work->folded, fold_text(text, f->work->folded)});
	weigh(f, idf);
	f->has_dense = static_model_embed(f->work->model, text, f->dense) != 0;
}
