/*
 * edit.h: changes of a text by lines: the text that comes of them, and the unified diff that shows them.
 *
 * Thread: any. Pure. Memory: the arena given.
 */
#ifndef LAB_EDIT_H
#define LAB_EDIT_H

#include "common/arena.h"

/* `remove` lines from line `at` on (from 0) give way to `add`, whole lines with their ends. */
struct edit {
	uint32_t at, remove;
	struct str add;
};
struct edit_lines {
	struct str text;
	size_t *begin; /* count + 1 offsets */
	uint32_t count;
};

struct edit_lines edit_lines(struct str text, struct arena *arena);
/* Line i without its end. */
struct str edit_line(const struct edit_lines *lines, uint32_t i);

/* edits: in the order of their lines, none touching another's. */
struct str edit_apply(const struct edit_lines *lines, const struct edit *edits, uint32_t count, struct arena *arena);
/* As `diff -u` writes it, and `patch` reads it; name stands for both files. Empty without edits. */
struct str edit_diff(const struct edit_lines *lines, const struct edit *edits, uint32_t count, const char *name, struct arena *arena);

#endif
