/*
 * wordpiece.h: text into the pieces of BERT's uncased vocabulary (Devlin et al. 2019; Wu et al. 2016 for the greedy match).
 *
 * The same pieces as the tokenizers library gives with BertNormalizer and BertPreTokenizer and without special tokens: what a
 * user types, "[CLS]" too, is ordinary text.
 *
 * Thread: read-only after wordpiece_open. Pure.
 */
#ifndef ROUTE_WORDPIECE_H
#define ROUTE_WORDPIECE_H

#include "common/arena.h"
#include "common/err.h"
#include "common/str.h"

enum { WORDPIECE_MAX = 256 }; /* pieces of a text that are read, the unknown ones included */

struct wordpiece;

/* vocabulary: one piece a line, the number of the line is its id; it must outlive the result, which lives in the arena.
 * RC_BAD_INPUT with the line. */
enum rc wordpiece_open(struct str vocabulary, struct arena *arena, struct wordpiece **ret, struct err *err);
uint32_t wordpiece_count(const struct wordpiece *w);
uint32_t wordpiece_unknown(const struct wordpiece *w); /* id of [UNK] */
/* The ids of the text's first max pieces; returns how many. Invalid UTF-8 is read as U+FFFD, which counts as nothing. */
uint32_t wordpiece_encode(const struct wordpiece *w, struct str text, uint32_t *ids, uint32_t max);

#endif
