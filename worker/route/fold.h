/*
 * fold.h: one spelling for texts and lists: lower case, no accents, compatibility forms resolved, runs of white space as one
 * space, invisible characters gone. Source: Unicode's case folding and NFKD, as a generated table.
 * Thread: any (constant data).
 */
#ifndef ROUTE_FOLD_H
#define ROUTE_FOLD_H

#include "common/str.h"

enum { FOLD_GROWTH = 3 }; /* folded bytes <= FOLD_GROWTH * bytes */

/* Writes the folded text to out, which holds FOLD_GROWTH * s.len bytes, and returns its length. s should be valid UTF-8;
 * bytes that are not are copied as they are. */
size_t fold_text(struct str s, char *out);

/* The code point that starts at s.data[at] (at < s.len); *ret_bytes is its length. An invalid byte is U+FFFD, one byte. */
uint32_t fold_decode(struct str s, size_t at, size_t *ret_bytes);
/* The code point that ends before s.data[at] (at > 0). */
uint32_t fold_decode_before(struct str s, size_t at);
/* Letters, digits and marks of scripts that put spaces between words. */
bool fold_is_word(uint32_t code_point);

#endif
