/*
 * json_cursor.h: a place in a text that is being read, for the files that read JSON. Private to common/json*.c.
 * Thread: any; the arena's owner.
 */
#ifndef COMMON_JSON_CURSOR_H
#define COMMON_JSON_CURSOR_H

#include "common/arena.h"
#include "common/err.h"

struct json_cursor {
	const char *start, *p, *end; /* p: what comes next */
	struct arena *arena;
	struct err *err;
};

/* RC_BAD_INPUT with "offset N: what". */
enum rc json_refuse(const struct json_cursor *c, const char *where, const char *what);

/* p is behind the opening quote, and behind the closing one afterwards. A string without escapes is not copied. */
enum rc json_read_string(struct json_cursor *c, struct str *ret);

#endif
