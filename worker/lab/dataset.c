/*
 * dataset.c: a file of rows, read in one pass with a bounded buffer.
 *
 * The one idea: a record is cut out of the stream before anybody looks into it, so a wrong one costs itself and not the file. A
 * quoted CSV cell that never ends would swallow the rest: reading goes on behind the line in which the record began.
 */
#include "worker/lab/dataset_row.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "worker/lab/csv.h"

enum { FIRST_BUFFER = 256 * 1024, LONGEST = DATASET_MAX_ROW_BYTES + 2, EXCERPT_BEFORE = 50, EXCERPT_AFTER = 24 };

struct dataset {
	struct arena arena; /* the header */
	const char *path;
	FILE *file;
	bool csv, ended;
	char separator;
	char *buffer; /* [begin, end) is not taken yet */
	size_t begin, end, cap;
	uint64_t line; /* of begin */
	int64_t bytes_read, bytes_total;
	struct dataset_plan plan;
	struct dataset_columns columns;
	struct str *cells;
};

bool dataset_field_read(const char *text, struct dataset_field *ret)
{
	const char *equals = strchr(text, '=');
	if (equals == NULL || equals == text || equals[1] == '\0' || !str_utf8_valid(str_of(text)))
		return false;
	*ret = (struct dataset_field){{text, (size_t)(equals - text)}, str_of(equals + 1)};
	return true;
}

int64_t dataset_bytes_read(const struct dataset *ds) { return ds->bytes_read; }
int64_t dataset_bytes_total(const struct dataset *ds) { return ds->bytes_total; }

/* ---- messages -------------------------------------------------------------------------------------------------------- */

static enum rc at_line(const struct dataset *ds, struct err *err, uint64_t line, const char *what)
{
	return err_set(err, RC_BAD_INPUT, "%s:%llu: error: %s", ds->path, (unsigned long long)line, what);
}

static struct str control_free(struct str s, char *out)
{
	for (size_t i = 0; i < s.len; i++)
		out[i] = (unsigned char)s.data[i] < 0x20 ? ' ' : s.data[i];
	return (struct str){out, s.len};
}

/* With the place in the line and a caret under it. */
static void at_offset(const struct dataset *ds, struct err *err, struct str record, uint64_t line, const struct dataset_wrong *wrong)
{
	size_t at = (uint64_t)wrong->offset < record.len ? (size_t)wrong->offset : record.len;
	size_t first = at > EXCERPT_BEFORE ? at - EXCERPT_BEFORE : 0, after = record.len - at < EXCERPT_AFTER ? record.len - at : EXCERPT_AFTER;
	while (first < at && ((unsigned char)record.data[first] & 0xC0) == 0x80)
		first++;
	struct str around = {record.data + first, at - first + after}, before = {record.data + first, at - first};
	char copy[EXCERPT_BEFORE + EXCERPT_AFTER + 1];
	if (!str_utf8_valid((struct str){record.data, record.len})) { /* a caret could not be set rightly, and a terminal not be trusted with it */
		(void)at_line(ds, err, line, wrong->text); /* RC_BAD_INPUT, as the caller will say */
		return;
	}
	around.len = str_utf8_cut(around, around.len);
	around = control_free(around, copy);
	(void)err_set(err, RC_BAD_INPUT, "%s:%llu:%zu: error: %s\n    %.*s\n    %*s^", ds->path, (unsigned long long)line,
	              str_utf8_count((struct str){record.data, at}) + 1, wrong->text, STR_ARG(around), (int)str_utf8_count(before), ""); /* the same */
}

/* ---- records --------------------------------------------------------------------------------------------------------- */

static bool fill(struct dataset *ds, struct err *err)
{
	memmove(ds->buffer, ds->buffer + ds->begin, ds->end - ds->begin);
	ds->end -= ds->begin;
	ds->begin = 0;
	if (ds->end == ds->cap) {
		ds->cap *= 2;
		ds->buffer = heap_resize(ds->buffer, ds->cap, 1);
	}
	size_t n = fread(ds->buffer + ds->end, 1, ds->cap - ds->end, ds->file);
	ds->end += n;
	ds->bytes_read += (int64_t)n;
	ds->ended = feof(ds->file) != 0;
	if (ferror(ds->file) == 0)
		return true;
	(void)err_set(err, RC_BAD_INPUT, "%s: cannot be read: %s", ds->path, strerror(errno)); /* the caller returns FAILED */
	return false;
}

static struct str waiting(const struct dataset *ds)
{
	return (struct str){ds->buffer + ds->begin, ds->end - ds->begin};
}

/* Leaves out the first line of what waits, however long it is. */
static bool skip_line(struct dataset *ds, struct err *err)
{
	for (;;) {
		struct str text = waiting(ds);
		const char *newline = text.len != 0 ? memchr(text.data, '\n', text.len) : NULL;
		ds->begin = newline != NULL ? ds->begin + (size_t)(newline + 1 - text.data) : ds->end;
		ds->line += newline != NULL;
		if (newline != NULL || ds->ended)
			return true;
		if (!fill(ds, err))
			return false;
	}
}

/* JSON Lines as CSV's finding sees them. */
static enum csv_step find_line(struct str text, bool last, struct csv_found *ret)
{
	const char *newline = text.len != 0 ? memchr(text.data, '\n', text.len) : NULL;
	if (newline == NULL && !last)
		return CSV_MORE;
	*ret = (struct csv_found){.bytes = newline != NULL ? (size_t)(newline + 1 - text.data) : text.len, .lines = newline != NULL};
	return CSV_RECORD;
}

static enum dataset_step too_long(struct dataset *ds, bool unended, struct err *err)
{
	uint64_t line = ds->line;
	if (!skip_line(ds, err))
		return DATASET_FAILED;
	char what[96];
	(void)snprintf(what, sizeof what, unended ? "a quoted cell of this record never ends" : "the row is over %d bytes%s", DATASET_MAX_ROW_BYTES,
	               ds->csv ? " (is a quote left open?)" : ""); /* fits */
	(void)at_line(ds, err, line, what); /* the step says it */
	return DATASET_BAD;
}

/* The next record that is not blank, its line's end left on. ds->line is where it begins until it is taken. */
static enum dataset_step find(struct dataset *ds, struct csv_found *ret, struct err *err)
{
	for (;;) {
		struct str text = waiting(ds);
		if (text.len == 0 && ds->ended)
			return DATASET_END;
		enum csv_step step = ds->csv ? csv_find(text, ds->ended, ds->separator, ret) : find_line(text, ds->ended, ret);
		if (step == CSV_UNENDED || (step == CSV_MORE ? text.len : ret->bytes) > LONGEST)
			return too_long(ds, step == CSV_UNENDED, err);
		if (step == CSV_MORE) {
			if (!fill(ds, err))
				return DATASET_FAILED;
			continue;
		}
		if (str_trim((struct str){text.data, ret->bytes}).len != 0)
			return DATASET_ROW;
		ds->begin += ret->bytes;
		ds->line += ret->lines;
	}
}

/* ---- opening --------------------------------------------------------------------------------------------------------- */

static bool ends_with(const char *s, const char *suffix)
{
	size_t n = strlen(s), k = strlen(suffix);
	return n > k && str_eq_nocase((struct str){s + n - k, k}, str_of(suffix));
}

/* By the name, or by the first character: JSON Lines begin with a brace. */
static bool looks_like_csv(const struct dataset *ds)
{
	if (ends_with(ds->path, ".csv") || ends_with(ds->path, ".tsv"))
		return true;
	if (ends_with(ds->path, ".jsonl") || ends_with(ds->path, ".ndjson") || ends_with(ds->path, ".json"))
		return false;
	struct str text = str_trim(waiting(ds));
	return text.len != 0 && text.data[0] != '{';
}

static enum rc read_header(struct dataset *ds, struct err *err)
{
	struct csv_found found;
	struct err why;
	ds->separator = ends_with(ds->path, ".tsv") ? '\t' : csv_separator(waiting(ds));
	enum dataset_step step = find(ds, &found, err);
	if (step == DATASET_END)
		return at_line(ds, err, 1, "the file is empty; a header of column names is expected");
	if (step != DATASET_ROW)
		return RC_BAD_INPUT;
	if (found.wrong != NULL)
		return at_line(ds, err, ds->line + found.wrong_line, found.wrong);
	char *copy = arena_cstr(&ds->arena, (struct str){ds->buffer + ds->begin, found.bytes});
	struct str names[DATASET_MAX_COLUMNS];
	int count = csv_split(copy, found.bytes, ds->separator, names, DATASET_MAX_COLUMNS);
	if (count < 0)
		return at_line(ds, err, ds->line, "the header has more than 256 columns");
	for (int i = 0; i < count; i++)
		if (!str_utf8_valid(names[i]))
			return at_line(ds, err, ds->line, "the header is not UTF-8");
	struct str *kept = arena_array(&ds->arena, (size_t)count, sizeof *kept);
	memcpy(kept, names, (size_t)count * sizeof *kept);
	if (dataset_columns_make(&ds->plan, kept, (uint32_t)count, &ds->columns, &why) != RC_OK)
		return at_line(ds, err, ds->line, why.text);
	ds->cells = arena_array(&ds->arena, (size_t)count, sizeof *ds->cells);
	ds->begin += found.bytes;
	ds->line += found.lines;
	return RC_OK;
}

static enum rc start(struct dataset *ds, const struct dataset_field *fields, uint32_t count, struct err *err)
{
	enum rc rc = dataset_plan_make(fields, count, &ds->plan, err);
	if (rc != RC_OK)
		return rc;
	ds->file = strcmp(ds->path, "-") == 0 ? stdin : fopen(ds->path, "rb");
	if (ds->file == NULL)
		return err_set(err, RC_BAD_INPUT, "%s: cannot be opened: %s", ds->path, strerror(errno));
	struct stat st;
	if (fstat(fileno(ds->file), &st) == 0 && S_ISREG(st.st_mode))
		ds->bytes_total = st.st_size;
	if (!fill(ds, err))
		return RC_BAD_INPUT;
	if (str_starts(waiting(ds), STR("\xEF\xBB\xBF")))
		ds->begin += 3; /* what Windows programs put before UTF-8 */
	ds->csv = looks_like_csv(ds);
	return ds->csv ? read_header(ds, err) : RC_OK;
}

enum rc dataset_open(const char *path, const struct dataset_field *fields, uint32_t count, struct dataset **ret, struct err *err)
{
	if (count > DATASET_MAX_FIELDS)
		return err_set(err, RC_BAD_INPUT, "at most %d fields can be mapped", DATASET_MAX_FIELDS);
	struct dataset *ds = heap_zalloc(1, sizeof *ds);
	arena_init(&ds->arena, 0);
	ds->path = path;
	ds->line = 1;
	ds->cap = FIRST_BUFFER;
	ds->buffer = heap_alloc(ds->cap);
	enum rc rc = start(ds, fields, count, err);
	if (rc == RC_OK)
		*ret = ds;
	else
		dataset_close(ds);
	return rc;
}

void dataset_close(struct dataset *ds)
{
	if (ds == NULL)
		return;
	if (ds->file != NULL && ds->file != stdin)
		fclose(ds->file);
	free(ds->buffer);
	arena_free(&ds->arena);
	free(ds);
}

/* ---- rows ------------------------------------------------------------------------------------------------------------ */

static bool read_csv(struct dataset *ds, char *record, size_t bytes, struct arena *arena, struct dataset_row *row, struct dataset_wrong *wrong)
{
	int count = csv_split(record, bytes, ds->separator, ds->cells, ds->columns.count);
	wrong->offset = -1;
	if (count == (int)ds->columns.count)
		return dataset_row_csv(&ds->plan, &ds->columns, ds->cells, arena, row, wrong);
	(void)snprintf(wrong->text, sizeof wrong->text, count < 0 ? "the row has more cells than the header's %u" : "the row has fewer cells than the header's %u",
	               ds->columns.count); /* fits */
	return false;
}

enum dataset_step dataset_next(struct dataset *ds, struct arena *arena, struct dataset_row *ret, struct err *err)
{
	struct csv_found found;
	enum dataset_step step = find(ds, &found, err);
	if (step != DATASET_ROW)
		return step;
	struct dataset_row row = {.line = ds->line};
	struct dataset_wrong wrong;
	char *record = arena_cstr(arena, (struct str){ds->buffer + ds->begin, found.bytes});
	ds->begin += found.bytes;
	ds->line += found.lines;
	if (found.wrong != NULL) {
		(void)at_line(ds, err, row.line + found.wrong_line, found.wrong); /* the step says it */
		return DATASET_BAD;
	}
	bool good = ds->csv ? read_csv(ds, record, found.bytes, arena, &row, &wrong)
	                    : dataset_row_json(&ds->plan, (struct str){record, found.bytes}, arena, &row, &wrong);
	if (good) {
		row.source = ds->csv ? STR_NULL : (struct str){record, found.bytes};
		*ret = row;
		return DATASET_ROW;
	}
	if (wrong.offset >= 0)
		at_offset(ds, err, (struct str){record, found.bytes}, row.line, &wrong);
	else
		(void)at_line(ds, err, row.line, wrong.text); /* the same */
	return DATASET_BAD;
}
