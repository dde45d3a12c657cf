/*
 * wrap.h: a stranger's text as lines for a terminal: none is wider than asked, and nothing in them can command the terminal.
 *
 * Control characters, and those that turn the direction of writing or are not to be seen, are shown by their number as <U+001B>.
 *
 * Thread: any. Pure.
 */
#ifndef LAB_WRAP_H
#define LAB_WRAP_H

#include "common/arena.h"

enum { WRAP_LEAST_COLUMNS = 10 };

struct wrapped {
	struct str *lines; /* in the arena */
	uint32_t count;
};

/* Breaks at spaces where it can. columns: at least WRAP_LEAST_COLUMNS are used. Wide characters count as two columns. */
struct wrapped wrap_text(struct str text, uint32_t columns, struct arena *arena);
/* One line of it, cut to columns with "..." behind what was cut. */
struct str wrap_line(struct str text, uint32_t columns, struct arena *arena);

#endif
