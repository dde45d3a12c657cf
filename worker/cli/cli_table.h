/*
 * cli_table.h: columns of text, aligned by the widest cell; heads are bold on a terminal. Thread: main.
 */
#ifndef CLI_CLI_TABLE_H
#define CLI_CLI_TABLE_H

#include "worker/cli/cli.h"

struct cli_table;
/* align: a letter a column, 'l' or 'r'; it and the count of cells in each row are that long. Cells are copied; NULL is empty. */
struct cli_table *cli_table_new(const char *align, const char *const *heads);
void cli_table_row(struct cli_table *table, const char *const *cells);
void cli_table_print(struct cli_table *table, FILE *stream); /* and frees it */

#endif
