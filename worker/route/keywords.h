/*
 * keywords.h: all keywords of all rules in one pass. Hides vectorscan.
 *
 * Literals are added list by list, then compiled; a scan says for each list which of its keywords stands in the text first.
 * A keyword matches at word boundaries of the folded text: "cat" is in "Cat!", not in "concatenate".
 *
 * Thread: `struct keywords` is read-only after keywords_compile; a `struct keywords_scan` belongs to one decider.
 */
#ifndef ROUTE_KEYWORDS_H
#define ROUTE_KEYWORDS_H

#include "common/arena.h"
#include "common/err.h"

enum { KEYWORDS_MAX = 200000, KEYWORD_MAX_BYTES = 256 };

struct keywords;
struct keywords_scan;

struct keywords *keywords_new(void);
void keywords_free(struct keywords *keywords); /* NULL is fine */

/* A new, empty list; its number counts from 0. */
uint32_t keywords_list(struct keywords *keywords);
/* Adds word to the newest list; copies it. RC_BAD_INPUT: nothing is left of it after folding, or a bound is passed. */
enum rc keywords_add(struct keywords *keywords, struct str word, struct err *err);
enum rc keywords_compile(struct keywords *keywords, struct err *err);
uint32_t keywords_count(const struct keywords *keywords); /* different literals */

struct keywords_scan *keywords_scan_new(const struct keywords *keywords);
void keywords_scan_free(struct keywords_scan *scan); /* NULL is fine */
/* text as it came; it is folded here. */
void keywords_run(const struct keywords *keywords, struct keywords_scan *scan, struct str text);
/* After a run: the keyword, as written, of the list that ended first in the text; data NULL: none did. */
struct str keywords_found(const struct keywords *keywords, const struct keywords_scan *scan, uint32_t list);

#endif
