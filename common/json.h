/*
 * json.h: reading JSON from strangers and writing it.
 *
 * Reading: RFC 8259, UTF-8 checked, duplicate keys refused, depth and node count bounded before memory is taken; lone
 * surrogate escapes refused. The tree lives in the arena; strings without escapes point into the input text, which must
 * outlive the tree. Numbers keep their text, so nothing is lost to a double.
 * Writing: appends to a struct buf; json_sep and json_key keep the commas.
 *
 * Thread: any; the arena's owner.
 */
#ifndef COMMON_JSON_H
#define COMMON_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "common/arena.h"
#include "common/err.h"

enum json_kind { JSON_NULL, JSON_FALSE, JSON_TRUE, JSON_NUMBER, JSON_STRING, JSON_LIST, JSON_MAP };

struct json {
	enum json_kind kind;
	uint32_t count;     /* elements of a list, members of a map */
	struct str text;    /* string (unescaped; may hold NUL) or number as written; for the others: their source text */
	struct json *items; /* count elements; for a map the values */
	struct str *keys;   /* map: count names */
};

struct json_limits {
	uint32_t max_depth; /* 0: 64 */
	uint32_t max_nodes; /* 0: 1,000,000 */
};

/* RC_BAD_INPUT with "offset N: what is wrong". Trailing white space is fine, anything else is not. */
enum rc json_parse(struct arena *arena, struct str text, struct json_limits limits, const struct json **ret, struct err *err);
/* NULL when j is NULL, no map, or has no such member. */
const struct json *json_get(const struct json *j, struct str key);
/* "a.b.c": through maps, by name; a number indexes a list. NULL when it leads nowhere. */
const struct json *json_path(const struct json *j, struct str path);
struct str json_str(const struct json *j);                 /* data NULL unless a string */
bool json_i64(const struct json *j, int64_t *ret);         /* whole numbers in range only (1.0 and 1e3 count) */
bool json_double(const struct json *j, double *ret);

void json_write_str(struct buf *out, struct str s);  /* quoted and escaped; s must be valid UTF-8 */
void json_write_double(struct buf *out, double d);   /* shortest that reads back; NAN and infinities: null */
/* A comma, unless the buffer ends with { or [. Before each element of a list. */
void json_sep(struct buf *out);
/* "name": (with a comma before it unless it is the first in its map) */
void json_key(struct buf *out, const char *name);
/* A whole member: its key and its value. */
void json_member_str(struct buf *out, const char *name, struct str value); /* data NULL: null */
void json_member_i64(struct buf *out, const char *name, int64_t value);
void json_member_double(struct buf *out, const char *name, double value);
void json_member_bool(struct buf *out, const char *name, bool value);

#endif
