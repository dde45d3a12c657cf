/*
 * csv.c: where a record of a CSV file ends, and its cells.
 *
 * The one idea: finding the end and splitting are two steps, so that a record which is wrong still has an end, and reading can go
 * on behind it.
 */
#include "worker/lab/csv.h"

enum state { CELL_BEGINS, PLAIN, QUOTED, AFTER_QUOTE };

enum csv_step csv_find(struct str text, bool last, char separator, struct csv_found *ret)
{
	struct csv_found found = {0};
	enum state state = CELL_BEGINS;
	for (size_t i = 0; i < text.len; i++) {
		char c = text.data[i];
		if (c == '\n' && state != QUOTED) {
			found.bytes = i + 1;
			found.lines++;
			*ret = found;
			return CSV_RECORD;
		}
		if (state == QUOTED) {
			found.lines += c == '\n';
			state = c == '"' ? AFTER_QUOTE : QUOTED;
		} else if (c == separator) {
			state = CELL_BEGINS;
		} else if (c == '"' && state != PLAIN) {
			state = QUOTED; /* it begins, or two quotes stand for one */
		} else if (state == AFTER_QUOTE && c == '\r' && (i + 1 == text.len || text.data[i + 1] == '\n')) {
			continue;
		} else {
			if ((c == '"' || state == AFTER_QUOTE) && found.wrong == NULL) {
				found.wrong = c == '"' ? "a quote inside a cell that does not begin with one" : "text behind the closing quote of a cell";
				found.wrong_line = found.lines;
			}
			state = PLAIN;
		}
	}
	if (!last)
		return CSV_MORE;
	if (state == QUOTED)
		return CSV_UNENDED;
	found.bytes = text.len;
	*ret = found;
	return CSV_RECORD;
}

/* One cell from *at on, which is moved behind it and its separator. */
static struct str cell(char *record, size_t bytes, char separator, size_t *at)
{
	size_t i = *at, out = i;
	struct str s = {record + i, 0};
	if (i < bytes && record[i] == '"') {
		for (i++; i < bytes; i++) {
			if (record[i] == '"' && (i + 1 == bytes || record[i + 1] != '"'))
				break;
			i += record[i] == '"';
			record[out++] = record[i];
		}
		i += i < bytes; /* the closing quote */
	} else {
		while (i < bytes && record[i] != separator)
			i++;
		out = i;
	}
	s.len = out - *at;
	*at = i + 1;
	return s;
}

int csv_split(char *record, size_t bytes, char separator, struct str *cells, uint32_t max)
{
	if (bytes != 0 && record[bytes - 1] == '\n')
		bytes--;
	if (bytes != 0 && record[bytes - 1] == '\r')
		bytes--;
	uint32_t count = 0;
	for (size_t at = 0; at <= bytes;) {
		if (count == max)
			return -1;
		cells[count++] = cell(record, bytes, separator, &at);
	}
	return (int)count;
}

char csv_separator(struct str header)
{
	static const char candidates[] = {',', ';', '\t'};
	char best = ',';
	size_t most = 0;
	for (size_t k = 0; k < sizeof candidates; k++) {
		size_t n = 0;
		bool quoted = false;
		for (size_t i = 0; i < header.len && (quoted || header.data[i] != '\n'); i++) {
			quoted ^= header.data[i] == '"';
			n += !quoted && header.data[i] == candidates[k];
		}
		if (n > most) {
			most = n;
			best = candidates[k];
		}
	}
	return best;
}
