/*
 * option_write.c: a table as an example file and as a reference.
 *
 * The one idea: what a user reads about a setting is the row that reads the setting, so the two cannot disagree. In the
 * example a row stands commented out (`#name: value`; words begin with `# `) with its default unless the row brings an
 * example text; an example text that begins with "# " stays commented out too.
 */
#include <string.h>

#include "common/option_value.h"

enum { COMMENT_COLUMNS = 100 };

static void indent(struct buf *out, unsigned by)
{
	for (unsigned i = 0; i < by; i++)
		buf_char(out, ' ');
}

static bool is_active(const struct config_option *o)
{
	if (o->kind == OPTION_MAPS)
		return true;
	for (const struct config_option *sub = o->kind == OPTION_SECTION ? o->sub : NULL; sub != NULL && sub->name != NULL; sub++)
		if (is_active(sub))
			return true;
	return o->kind != OPTION_SECTION && o->example != NULL && o->example[0] != '#';
}

/* The words as comment lines of at most COMMENT_COLUMNS. */
static void write_doc_comment(const struct config_option *o, struct buf *out, unsigned by)
{
	size_t column = 0;
	for (const char *word = o->doc; word != NULL && *word != '\0';) {
		size_t len = strcspn(word, " ");
		if (column == 0 || column + 1 + len > COMMENT_COLUMNS) {
			if (column != 0)
				buf_char(out, '\n');
			indent(out, by);
			buf_char(out, '#');
			column = by + 1;
		}
		buf_char(out, ' ');
		buf_add(out, word, len);
		column += 1 + len;
		word += len + (word[len] == ' ');
	}
	if (column != 0)
		buf_char(out, '\n');
}

/* dash: the row begins an item of a list */
static void write_row(const struct config_option *o, struct buf *out, unsigned by, bool dash)
{
	const char *value = o->example != NULL ? o->example : o->fallback != NULL ? o->fallback : "";
	bool active = is_active(o);
	write_doc_comment(o, out, by);
	indent(out, dash ? by - 2 : by);
	buf_cstr(out, dash ? "- " : active ? "" : "#");
	buf_cstr(out, o->name);
	buf_cstr(out, o->kind == OPTION_SECRET && !active && o->example != NULL ? "_env:" : ":");
	if (value[0] == '#')
		value += 2;
	if (value[0] != '\0')
		buf_char(out, ' ');
	buf_cstr(out, value);
	buf_char(out, '\n');
}

static void write_example(const struct config_option *table, struct buf *out, unsigned by, bool item)
{
	for (const struct config_option *o = table; o->name != NULL; o++) {
		if (by == 0 && o != table)
			buf_char(out, '\n');
		if (o->kind != OPTION_SECTION && o->kind != OPTION_MAPS) {
			write_row(o, out, by, item && o == table);
			continue;
		}
		write_doc_comment(o, out, by);
		indent(out, by);
		buf_cstr(out, is_active(o) ? "" : "#");
		buf_cstr(out, o->name);
		buf_cstr(out, ":\n");
		bool maps = o->kind == OPTION_MAPS;
		write_example(o->sub, out, by + (maps ? 4 : 2), maps);
	}
}

void option_write_example(const struct config_option *table, struct buf *out)
{
	write_example(table, out, 0, false);
}

struct joined {
	struct buf *out;
	bool any;
};

static void join_choice(void *ctx, int index, struct str name)
{
	(void)index; /* only the names are listed */
	struct joined *joined = ctx;
	buf_cstr(joined->out, joined->any ? ", " : "");
	joined->any = true;
	buf_char(joined->out, '`');
	buf_str(joined->out, name);
	buf_char(joined->out, '`');
}

static void write_kind(const struct config_option *o, struct buf *out)
{
	static const char *const names[] = {
		[OPTION_STR] = "text",          [OPTION_BOOL] = "true or false", [OPTION_I64] = "whole number", [OPTION_U32] = "whole number",
		[OPTION_BYTES] = "size",        [OPTION_DURATION] = "duration",  [OPTION_DOUBLE] = "number",    [OPTION_ENUM] = "",
		[OPTION_STR_LIST] = "list of texts", [OPTION_PAIRS] = "map",     [OPTION_SECTION] = "section",  [OPTION_MAPS] = "list of maps",
		[OPTION_SECRET] = "secret",     [OPTION_CUSTOM] = "see right",
	};
	struct joined joined = {.out = out};
	if (o->kind == OPTION_ENUM)
		option_each_choice(o->choices, join_choice, &joined);
	buf_cstr(out, names[o->kind]);
	if (o->min == 0 && o->max == 0)
		return;
	bool upper = o->max != 0 && o->max >= o->min;
	buf_cstr(out, upper ? ", " : ", at least ");
	option_show_number(o->kind, o->min, out);
	if (upper) {
		buf_cstr(out, " to ");
		option_show_number(o->kind, o->max, out);
	}
}

static void write_reference_row(const struct config_option *o, struct buf *out)
{
	buf_printf(out, "| `%s`", o->name);
	if (o->kind == OPTION_SECRET)
		buf_printf(out, ", `%s_env`, `%s_file`", o->name, o->name);
	buf_cstr(out, " | ");
	write_kind(o, out);
	buf_cstr(out, " | ");
	if (o->required)
		buf_cstr(out, "**required**");
	else if (o->fallback != NULL)
		buf_printf(out, "`%s`", o->fallback);
	buf_cstr(out, " | ");
	buf_cstr(out, o->doc != NULL ? o->doc : "");
	buf_cstr(out, " |\n");
}

static void write_reference(const struct config_option *table, const char *path, struct buf *out)
{
	bool begun = false;
	for (const struct config_option *o = table; o->name != NULL; o++) {
		if (o->kind == OPTION_SECTION || o->kind == OPTION_MAPS)
			continue;
		if (!begun)
			buf_cstr(out, "| setting | kind | default | meaning |\n|---|---|---|---|\n");
		begun = true;
		write_reference_row(o, out);
	}
	for (const struct config_option *o = table; o->name != NULL; o++) {
		if (o->kind != OPTION_SECTION && o->kind != OPTION_MAPS)
			continue;
		struct str inner = arena_printf(out->arena, "%s%s%s%s", path, path[0] != '\0' ? "." : "", o->name, o->kind == OPTION_MAPS ? "[]" : "");
		buf_printf(out, "\n### %.*s\n%s\n\n", STR_ARG(inner), o->doc != NULL ? o->doc : "");
		write_reference(o->sub, inner.data, out);
	}
}

void option_write_reference(const struct config_option *table, struct buf *out)
{
	write_reference(table, "", out);
}
