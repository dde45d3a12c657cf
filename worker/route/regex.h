/*
 * regex.h: patterns of rules. Hides PCRE2: UTF-8, compiled by its JIT, with bounds on time and memory.
 * Thread: `struct regex` is read-only; a `struct regex_scan` belongs to one decider and serves all patterns.
 */
#ifndef ROUTE_REGEX_H
#define ROUTE_REGEX_H

#include "common/err.h"
#include "common/str.h"

enum { REGEX_MAX_BYTES = 8192 };

struct regex;
struct regex_scan;

/* RC_BAD_INPUT: err says what is wrong; *ret_offset (may be NULL) is the byte of the pattern where. */
enum rc regex_new(struct str pattern, struct regex **ret, size_t *ret_offset, struct err *err);
void regex_free(struct regex *regex); /* NULL is fine */
struct regex_scan *regex_scan_new(void);
void regex_scan_free(struct regex_scan *scan); /* NULL is fine */

/* REGEX_LIMIT: the search was given up at a bound; treat as no match and say so. */
enum regex_result { REGEX_NO_MATCH, REGEX_MATCH, REGEX_LIMIT };
enum regex_result regex_run(const struct regex *regex, struct regex_scan *scan, struct str text);

#endif
