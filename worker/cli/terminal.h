/*
 * terminal.h: keys one by one, and a screen to draw on, on the terminal that the process belongs to.
 *
 * While it is open the terminal's mode is changed; it is put back by terminal_close, and before the process is stopped (Ctrl-Z).
 * SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP and SIGWINCH are taken as keys meanwhile and end nothing by themselves. What nobody can
 * catch (SIGKILL) leaves the terminal as it is; `reset` mends it.
 *
 * Thread: main.
 */
#ifndef CLI_TERMINAL_H
#define CLI_TERMINAL_H

#include <stdint.h>

#include "common/err.h"
#include "common/str.h"

struct terminal;

/* Keys: a byte as it was typed, or one of these. Pasted text is no key. */
enum terminal_key {
	TERMINAL_UP = 256,
	TERMINAL_DOWN,
	TERMINAL_PAGE_UP,
	TERMINAL_PAGE_DOWN,
	TERMINAL_REDRAW,     /* the size changed, or the process goes on after it was stopped */
	TERMINAL_INTERRUPTED, /* Ctrl-C */
	TERMINAL_ENDED       /* another signal that asks for the end, or the terminal is gone */
};

enum rc terminal_open(struct terminal **ret, struct err *err); /* RC_UNAVAILABLE: there is no terminal */
void terminal_close(struct terminal *t);                       /* NULL is fine */
int terminal_key(struct terminal *t);                          /* waits for one */
void terminal_size(const struct terminal *t, uint32_t *ret_columns, uint32_t *ret_lines);
/* Clears the screen and writes the text, whose lines end in "\n". */
void terminal_draw(struct terminal *t, struct str text);

#endif
