/*
 * csv.h: records and cells of RFC 4180. Pure.
 *
 * Beyond the RFC: a line may end in LF alone, and the separator is the caller's.
 */
#ifndef LAB_CSV_H
#define LAB_CSV_H

#include "common/str.h"

enum csv_step { CSV_RECORD, CSV_MORE, CSV_UNENDED };
struct csv_found {
	size_t bytes;      /* with the line's end */
	uint32_t lines;    /* ends of lines in it */
	const char *wrong; /* NULL: well formed */
	uint32_t wrong_line; /* ends of lines before the place */
};

/* The record at the start of text. last: nothing follows text. CSV_MORE: its end is not there yet. CSV_UNENDED: text ends inside
 * quotes. */
enum csv_step csv_find(struct str text, bool last, char separator, struct csv_found *ret);
/* The cells of a well formed record, unquoted in place; -1 when there are more than max. */
int csv_split(char *record, size_t bytes, char separator, struct str *cells, uint32_t max);
/* The one of , ; and tab that stands most often outside quotes of a header. */
char csv_separator(struct str header);

#endif
