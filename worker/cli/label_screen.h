/*
 * label_screen.h: what `label` shows for a row. Pure: a text for the terminal.
 *
 * Thread: main.
 */
#ifndef CLI_LABEL_SCREEN_H
#define CLI_LABEL_SCREEN_H

#include "worker/lab/dataset.h"

struct label_view {
	const struct dataset_row *row;
	uint32_t number, total, answered, skipped; /* number: of the row, from 1 */
	const struct str *labels;
	const char *keys;
	uint32_t label_count;
	const struct str *shown; /* attributes to show */
	uint32_t shown_count;
	struct str proposal; /* data NULL: none is to be shown */
	const char *message; /* NULL: none */
	bool bold;
	uint32_t columns, lines;
	uint32_t top; /* first line of the text to show */
};

/* In arena. *ret_top: view->top as it could be had; *ret_page: how many lines of the text fit. */
struct str label_screen(const struct label_view *view, struct arena *arena, uint32_t *ret_top, uint32_t *ret_page);

#endif
