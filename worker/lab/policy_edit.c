/*
 * policy_edit.c: where in a policy's text a stage's thresholds stand, and what to write there.
 *
 * The one idea: the YAML reader says at which line and column each key is; the text between is copied as it stands. Whoever calls
 * reads the result back and compares, so a layout that this misjudges is found before anybody sees it.
 */
#include "worker/lab/policy_edit.h"

#include "common/config.h"
#include "common/json.h"

enum { EDITS_A_STAGE = 8 };

static const char *const own_keys[] = {"accept", "thresholds", "calibrated", "threshold"};

struct editing {
	struct edit_lines lines;
	struct arena *arena;
	struct edit *edits;
	uint32_t count;
};

static bool is_own(struct str key)
{
	for (size_t i = 0; i < sizeof own_keys / sizeof own_keys[0]; i++)
		if (str_is(key, own_keys[i]))
			return true;
	return false;
}

/* The offset of a line and a column, both from 1; columns count characters. */
static size_t place(const struct edit_lines *lines, unsigned line, unsigned column)
{
	size_t at = lines->begin[line - 1];
	for (unsigned i = 1; i < column && at < lines->text.len; i++)
		for (at++; at < lines->text.len && ((unsigned char)lines->text.data[at] & 0xC0) == 0x80; at++)
			;
	return at;
}

/* From `at` to the comma or the closing bracket of the collection around it. Quotes, brackets within and comments are stepped over. */
static size_t flow_end(struct str text, size_t at)
{
	unsigned depth = 0;
	for (; at < text.len; at++) {
		char c = text.data[at];
		if (c == '"' || c == '\'') {
			for (at++; at < text.len && text.data[at] != c; at++)
				at += c == '"' && text.data[at] == '\\';
		} else if (c == '#' && at != 0 && (text.data[at - 1] == ' ' || text.data[at - 1] == '\n')) {
			while (at + 1 < text.len && text.data[at + 1] != '\n')
				at++;
		} else if (c == '{' || c == '[') {
			depth++;
		} else if ((c == '}' || c == ']' || c == ',') && depth == 0) {
			return at;
		} else if (c == '}' || c == ']') {
			depth--;
		}
	}
	return at;
}

/* The bracket that closes the one at `open`. */
static size_t closing(struct str text, size_t open)
{
	size_t at = flow_end(text, open + 1);
	while (at < text.len && text.data[at] == ',')
		at = flow_end(text, at + 1);
	return at;
}

static uint32_t line_of(const struct edit_lines *lines, size_t at)
{
	uint32_t line = 0;
	while (line + 1 < lines->count && lines->begin[line + 1] <= at)
		line++;
	return line;
}

/* The last line (from 0) of a value. */
static uint32_t last_line(const struct edit_lines *lines, const struct node *node)
{
	size_t at = place(lines, node->line, node->column);
	uint32_t last = node->line - 1;
	if (at < lines->text.len && (lines->text.data[at] == '{' || lines->text.data[at] == '['))
		return line_of(lines, closing(lines->text, at));
	for (unsigned i = 0; i < node->count; i++) {
		uint32_t of = last_line(lines, node->entries[i].value);
		last = of > last ? of : last;
	}
	return last;
}

static void add_edit(struct editing *e, uint32_t at, uint32_t remove, struct str add)
{
	uint32_t i = e->count++;
	for (; i > 0 && e->edits[i - 1].at > at; i--)
		e->edits[i] = e->edits[i - 1];
	e->edits[i] = (struct edit){at, remove, add};
}

/* So that the diff shows what goes before what comes. */
static void join_touching(struct editing *e)
{
	uint32_t n = 0;
	for (uint32_t i = 0; i < e->count; i++) {
		struct edit *last = n != 0 ? &e->edits[n - 1] : NULL;
		if (last == NULL || last->at + last->remove != e->edits[i].at) {
			e->edits[n++] = e->edits[i];
			continue;
		}
		last->remove += e->edits[i].remove;
		last->add = arena_printf(e->arena, "%.*s%.*s", STR_ARG(last->add), STR_ARG(e->edits[i].add));
	}
	e->count = n;
}

/* ---- what is written ------------------------------------------------------------------------------------------------- */

static void comment(struct buf *out, struct str words)
{
	if (words.len != 0)
		buf_printf(out, "  # %.*s", STR_ARG(words));
	buf_char(out, '\n');
}

/* In whose place all that is ours is written. */
static bool is_threshold(struct str key)
{
	return str_is(key, "accept") || str_is(key, "threshold");
}

static void write_own(const struct policy_edit_stage *s, struct str indent, struct str kept_comment, struct buf *out)
{
	buf_printf(out, "%.*s%s: ", STR_ARG(indent), s->key != NULL ? s->key : "accept");
	json_write_double(out, s->accept);
	if (kept_comment.len != 0)
		buf_printf(out, "  %.*s\n", STR_ARG(kept_comment));
	else
		comment(out, s->accept_comment);
	if (s->route_count != 0)
		buf_printf(out, "%.*sthresholds:\n", STR_ARG(indent));
	for (uint32_t i = 0; i < s->route_count; i++) {
		buf_printf(out, "%.*s  %.*s: ", STR_ARG(indent), STR_ARG(s->routes[i].route));
		json_write_double(out, s->routes[i].threshold);
		comment(out, s->routes[i].comment);
	}
	buf_printf(out, "%.*scalibrated: {data: %.*s, rows: %lld, stage: %.*s}", STR_ARG(indent), STR_ARG(s->data), (long long)s->rows,
	           STR_ARG(s->seal));
	comment(out, s->comment);
}

/* ---- a stage in block form ------------------------------------------------------------------------------------------- */

/* The user's own comment behind the value; ours, which begins with "was", is replaced. */
static struct str comment_behind(const struct edit_lines *lines, const struct node *value)
{
	struct str line = edit_line(lines, value->line - 1);
	size_t at = place(lines, value->line, value->column) - lines->begin[value->line - 1];
	for (; at + 1 < line.len; at++)
		if (line.data[at] == ' ' && line.data[at + 1] == '#')
			break;
	if (at + 1 >= line.len)
		return STR_NULL;
	struct str words = str_trim((struct str){line.data + at + 1, line.len - at - 1});
	return str_starts(words, STR("# was ")) ? STR_NULL : words;
}

static void edit_block(struct editing *e, const struct node *map, const struct policy_edit_stage *s)
{
	for (unsigned i = 0; i < map->count; i++) {
		const struct node *key = map->entries[i].key, *value = map->entries[i].value;
		if (!is_own(key->scalar))
			continue;
		struct buf out;
		buf_init(&out, e->arena, 1024);
		if (is_threshold(key->scalar)) {
			struct str line = edit_line(&e->lines, key->line - 1);
			struct str indent = {line.data, place(&e->lines, key->line, key->column) - e->lines.begin[key->line - 1]};
			write_own(s, indent, comment_behind(&e->lines, value), &out);
		}
		add_edit(e, key->line - 1, last_line(&e->lines, value) - (key->line - 1) + 1, buf_view(&out));
	}
}

/* ---- a stage in braces ----------------------------------------------------------------------------------------------- */

static struct str key_of(struct str entry)
{
	const char *colon = memchr(entry.data, ':', entry.len);
	return str_trim((struct str){entry.data, colon != NULL ? (size_t)(colon - entry.data) : entry.len});
}

/* "- semantic: {...}  # words": a block of its entries, in their order. */
static enum rc edit_braces(struct editing *e, const struct node *key, const struct node *map, const struct policy_edit_stage *s, struct err *err)
{
	struct str text = e->lines.text;
	size_t name = place(&e->lines, key->line, key->column), open = place(&e->lines, map->line, map->column);
	size_t line = e->lines.begin[key->line - 1];
	struct str before = str_trim((struct str){text.data + line, name - line});
	if (!str_is(before, "-"))
		return config_error_hint(key, err, "write `- name:` and the settings below it, one a line", "this stage is written in a way that calibrate cannot change");
	struct str indent = arena_printf(e->arena, "%*s", (int)(name - line) + 2, "");
	struct buf out;
	buf_init(&out, e->arena, 1024);
	buf_str(&out, (struct str){text.data + line, name - line});
	buf_printf(&out, "%.*s:", STR_ARG(key->scalar));
	size_t close = closing(text, open);
	struct str behind = edit_line(&e->lines, line_of(&e->lines, close));
	size_t used = close + 1 - e->lines.begin[line_of(&e->lines, close)];
	struct str words = used < behind.len ? str_trim((struct str){behind.data + used, behind.len - used}) : STR_NULL;
	if (words.len != 0)
		buf_printf(&out, "  %.*s", STR_ARG(words));
	buf_char(&out, '\n');
	for (size_t at = open + 1; at < close;) {
		size_t end = flow_end(text, at);
		struct str entry = str_trim((struct str){text.data + at, end - at});
		at = end + 1;
		if (is_threshold(key_of(entry)))
			write_own(s, indent, STR_NULL, &out);
		else if (entry.len != 0 && !is_own(key_of(entry)))
			buf_printf(&out, "%.*s%.*s\n", STR_ARG(indent), STR_ARG(entry));
	}
	add_edit(e, key->line - 1, line_of(&e->lines, close) - (key->line - 1) + 1, buf_view(&out));
	return RC_OK;
}

enum rc policy_edit(const char *name, struct str text, const struct policy_edit_stage *stages, uint32_t count, struct arena *arena,
                    struct str *ret_text, struct str *ret_diff, struct err *err)
{
	const struct node *root;
	enum rc rc = config_parse(arena, name, text, &root, err);
	if (rc != RC_OK)
		return rc;
	const struct node *list = config_get(root, "stages");
	struct editing e = {edit_lines(text, arena), arena, arena_array(arena, (size_t)count * EDITS_A_STAGE, sizeof(struct edit)), 0};
	for (uint32_t i = 0; rc == RC_OK && i < count; i++) {
		if (list == NULL || stages[i].stage >= list->count)
			return err_set(err, RC_BAD_INPUT, "%s: the policy has no stage %u", name, stages[i].stage + 1);
		const struct node *item = list->entries[stages[i].stage].value, *key = item->entries[0].key, *map = item->entries[0].value;
		size_t at = place(&e.lines, map->line, map->column);
		if (at < text.len && text.data[at] == '{')
			rc = edit_braces(&e, key, map, &stages[i], err);
		else
			edit_block(&e, map, &stages[i]);
	}
	if (rc != RC_OK)
		return rc;
	join_touching(&e);
	*ret_text = edit_apply(&e.lines, e.edits, e.count, arena);
	*ret_diff = edit_diff(&e.lines, e.edits, e.count, name, arena);
	return RC_OK;
}
