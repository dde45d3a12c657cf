/*
 * pii_unit.h: what the files of the detectors share: reading a text character by character, as a person would, and the words
 * before and after a place. Private to worker/route/pii*.c.
 */
#ifndef ROUTE_PII_UNIT_H
#define ROUTE_PII_UNIT_H

#include "worker/route/pii.h"

struct pii_text {
	struct str text;
	uint64_t work; /* characters looked at */
};

enum { UNIT_END = -1, UNIT_OTHER = 0x100 };

/* The character at byte `at` as ASCII: digits of other scripts and full-width forms are digits and letters, all spaces (HTML's too) are ' ',
 * all dashes '-'; what shows nothing (soft hyphens, zero-width characters) is skipped. UNIT_OTHER: anything else. *ret_next is
 * the byte behind it. */
int pii_unit(struct pii_text *t, size_t at, size_t *ret_next);

static inline bool pii_is_digit(int c) { return c >= '0' && c <= '9'; }
static inline bool pii_is_letter(int c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
static inline bool pii_is_alnum(int c) { return pii_is_digit(c) || pii_is_letter(c); }
static inline bool pii_is_hex(int c) { return pii_is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }
/* The byte before or at `at`, 0 outside the text. */
static inline int pii_byte(const struct pii_text *t, size_t at)
{
	return at < t->text.len ? (unsigned char)t->text.data[at] : 0;
}
static inline int pii_before(const struct pii_text *t, size_t at, size_t back)
{
	return at >= back ? pii_byte(t, at - back) : 0;
}

/* Lists of lower-case words, ended by NULL; a word that ends with '*' stands for all that begin so. */
typedef const char *const pii_words[];
/* The nearest listed word in the 48 bytes before `at` (on its line and the one before): 1 of good, -1 of bad, 0 none. */
int pii_context(struct pii_text *t, size_t at, pii_words good, pii_words bad);
/* Whether one of the two words behind `at` is listed. */
bool pii_followed(struct pii_text *t, size_t at, pii_words good);
extern const char *const pii_no_words[];
/* Words that say a number counts things or papers, not people. */
extern const char *const pii_thing_words[];

/* The detectors. Each looks at a place where a word begins and returns the byte behind what it found, 0: nothing. */
size_t pii_card(struct pii_text *t, size_t at);
size_t pii_ssn(struct pii_text *t, size_t at);
size_t pii_phone(struct pii_text *t, size_t at); /* also at '+' and '(' */
size_t pii_iban(struct pii_text *t, size_t at);
size_t pii_ip(struct pii_text *t, size_t at);
/* at: of the '@', or of the bracket of "(at)"; *ret_at is where the address begins. */
size_t pii_email(struct pii_text *t, size_t at, size_t *ret_at);
/* *ret_at is where the secret itself begins. */
size_t pii_secret(struct pii_text *t, size_t at, size_t *ret_at);
/* at: of an '@'; "://user:password@host". */
size_t pii_userinfo(struct pii_text *t, size_t at, size_t *ret_at);

#endif
