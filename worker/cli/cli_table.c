/*
 * cli_table.c: cells are gathered first, since the widest one decides where the columns stand.
 */
#include "worker/cli/cli_table.h"

#include <stdlib.h>

struct cli_table {
	struct arena arena;
	const char *align;
	unsigned columns, rows, cap;
	const char **cells; /* rows * columns; row 0 holds the heads */
};

/* Columns of a terminal: code points, good enough for the texts printed here. */
static int width_of(const char *s)
{
	return (int)str_utf8_count(str_of(s));
}

struct cli_table *cli_table_new(const char *align, const char *const *heads)
{
	struct cli_table *table = heap_zalloc(1, sizeof *table);
	arena_init(&table->arena, 0);
	table->align = align;
	table->columns = (unsigned)strlen(align);
	cli_table_row(table, heads);
	return table;
}

void cli_table_row(struct cli_table *table, const char *const *cells)
{
	if (table->rows == table->cap) {
		table->cap = table->cap != 0 ? table->cap * 2 : 16;
		table->cells = heap_resize(table->cells, (size_t)table->cap * table->columns, sizeof *table->cells);
	}
	for (unsigned c = 0; c < table->columns; c++)
		table->cells[table->rows * table->columns + c] = arena_cstr(&table->arena, str_of(cells[c] != NULL ? cells[c] : ""));
	table->rows++;
}

static int column_width(const struct cli_table *table, unsigned column)
{
	int width = 0;
	for (unsigned r = 0; r < table->rows; r++) {
		int w = width_of(table->cells[r * table->columns + column]);
		if (w > width)
			width = w;
	}
	return width;
}

static void print_row(const struct cli_table *table, unsigned row, const int *widths, FILE *stream)
{
	for (unsigned c = 0; c < table->columns; c++) {
		const char *cell = table->cells[row * table->columns + c];
		int pad = widths[c] - width_of(cell);
		bool last = c + 1 == table->columns;
		if (table->align[c] == 'r')
			fprintf(stream, "%*s%s", pad, "", cell);
		else
			fprintf(stream, "%s%*s", cell, last ? 0 : pad, "");
		fputs(last ? "\n" : "  ", stream);
	}
}

void cli_table_print(struct cli_table *table, FILE *stream)
{
	bool bold = cli_colour(stream);
	int *widths = heap_zalloc(table->columns, sizeof *widths);
	for (unsigned c = 0; c < table->columns; c++)
		widths[c] = column_width(table, c);
	for (unsigned r = 0; r < table->rows; r++) {
		if (bold && r == 0)
			fputs("\033[1m", stream);
		print_row(table, r, widths, stream);
		if (bold && r == 0)
			fputs("\033[0m", stream);
	}
	free(widths);
	free(table->cells);
	arena_free(&table->arena);
	free(table);
}
