/*
 * language.h: a cheap guess at the language of a text: by script, and for shared scripts by common words.
 * Thread: any (constant data).
 */
#ifndef ROUTE_LANGUAGE_H
#define ROUTE_LANGUAGE_H

#include "common/str.h"

/* A constant ISO 639-1 code, or "und" when unsure (short texts mostly are). Reads at most the first 4,096 bytes. */
const char *language_guess(struct str text);
/* The constant for a code that language_guess can return ("und" excluded); NULL when it knows no such language. */
const char *language_known(struct str code);
/* The i-th code, NULL past the end. */
const char *language_at(unsigned i);

#endif
