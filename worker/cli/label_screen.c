/*
 * label_screen.c: head, text, keys.
 *
 * The one idea: head and keys take what they need, the text gets the lines that are left and is paged through. Everything that
 * comes from a row goes through wrap.h.
 */
#include "worker/cli/label_screen.h"

#include "worker/lab/wrap.h"

enum { BAR = 30, MARGIN = 2, LEAST_TEXT = 2, KEY_GAP = 3, FIXED = 6 /* head 2, lines of air 3, the commands' line */ };

static void bold(const struct label_view *v, struct buf *out, const char *text)
{
	buf_printf(out, v->bold ? "\033[1m%s\033[0m" : "%s", text);
}

static void head(const struct label_view *v, struct buf *out, struct arena *arena)
{
	uint32_t filled = v->total != 0 ? (uint32_t)((uint64_t)(v->answered + v->skipped) * BAR / v->total) : 0;
	struct buf line;
	buf_init(&line, arena, 128);
	buf_printf(&line, "row %u of %u   %u labelled", v->number, v->total, v->answered);
	if (v->skipped != 0)
		buf_printf(&line, ", %u skipped", v->skipped);
	buf_cstr(&line, "   ");
	for (uint32_t i = 0; i < BAR && v->columns >= BAR + 60; i++)
		buf_char(&line, i < filled ? '#' : '.');
	bold(v, out, arena_cstr(arena, wrap_line(buf_view(&line), v->columns - 1, arena)));
	buf_char(out, '\n');
	buf_str(out, v->message != NULL ? wrap_line(str_of(v->message), v->columns - 1, arena) : STR(""));
	buf_char(out, '\n');
}

/* All lines of the row: its attributes that are asked for, and its messages with who speaks where there are several. */
static struct wrapped body(const struct label_view *v, struct arena *arena)
{
	const struct request *req = &v->row->req;
	bool plain = req->message_count == 1 && str_is(req->messages[0].role, "user");
	struct buf text;
	buf_init(&text, arena, 1024);
	for (uint32_t k = 0; k < v->shown_count; k++)
		for (uint32_t i = 0; i < req->attribute_count; i++)
			if (str_eq(req->attributes[i].name, v->shown[k])) {
				buf_printf(&text, "%.*s: %.*s\n", STR_ARG(v->shown[k]), STR_ARG(req->attributes[i].value));
				break;
			}
	if (text.len != 0)
		buf_char(&text, '\n');
	for (uint32_t i = 0; i < req->message_count; i++) {
		if (!plain)
			buf_printf(&text, "%s[%.*s]\n", i != 0 ? "\n\n" : "", STR_ARG(req->messages[i].role));
		buf_str(&text, req->messages[i].content);
	}
	return wrap_text(buf_view(&text), v->columns - 1 - MARGIN, arena);
}

struct keys {
	struct str *lines;
	uint32_t count;
};

static uint32_t key_width(const struct label_view *v)
{
	size_t widest = sizeof "none of these";
	for (uint32_t i = 0; i < v->label_count; i++) {
		size_t n = str_utf8_count(v->labels[i]);
		widest = n > widest ? n : widest;
	}
	uint32_t most = v->columns - 1 - KEY_GAP;
	return widest + KEY_GAP < most ? (uint32_t)widest + KEY_GAP : most;
}

static void add_key(const struct label_view *v, struct buf *out, char key, struct str name, uint32_t width, uint32_t *used, struct arena *arena)
{
	char text[2] = {key, '\0'};
	if (*used + width + KEY_GAP > v->columns - 1 && *used != 0) {
		buf_char(out, '\n');
		*used = 0;
	}
	struct str shown = wrap_line(name, width - 1, arena);
	bold(v, out, text);
	buf_printf(out, " %.*s", STR_ARG(shown));
	for (size_t n = str_utf8_count(shown); n < width + KEY_GAP - 2; n++)
		buf_char(out, ' ');
	*used += width + KEY_GAP;
}

static struct str keys(const struct label_view *v, struct arena *arena)
{
	struct buf out;
	uint32_t width = key_width(v), used = 0;
	buf_init(&out, arena, 1024);
	for (uint32_t i = 0; i < v->label_count; i++)
		add_key(v, &out, v->keys[i], v->labels[i], width, &used, arena);
	add_key(v, &out, '0', STR("none of these"), width, &used, arena);
	buf_char(&out, '\n');
	if (v->proposal.data != NULL)
		buf_printf(&out, "\nEnter: %.*s\n", STR_ARG(wrap_line(v->proposal, v->columns - 8, arena)));
	return buf_view(&out);
}

static uint32_t lines_of(struct str s)
{
	uint32_t n = 0;
	for (size_t i = 0; i < s.len; i++)
		n += s.data[i] == '\n';
	return n;
}

struct str label_screen(const struct label_view *v, struct arena *arena, uint32_t *ret_top, uint32_t *ret_page)
{
	struct str key_text = keys(v, arena);
	struct wrapped text = body(v, arena);
	uint32_t taken = FIXED + lines_of(key_text), page = v->lines > taken + LEAST_TEXT ? v->lines - taken : LEAST_TEXT;
	uint32_t last = text.count > page ? text.count - page : 0, top = v->top < last ? v->top : last;
	struct buf out;
	buf_init(&out, arena, 4096);
	head(v, &out, arena);
	buf_char(&out, '\n');
	for (uint32_t i = top; i < text.count && i < top + page; i++)
		buf_printf(&out, "%*s%.*s\n", MARGIN, "", STR_ARG(text.lines[i]));
	struct str more = arena_printf(arena, "-- lines %u to %u of %u; arrows and page keys show the others", top + 1, top + page, text.count);
	buf_str(&out, wrap_line(last != 0 ? more : STR(""), v->columns - 1, arena));
	buf_cstr(&out, "\n\n");
	buf_str(&out, key_text);
	struct str commands = wrap_line(STR("space: skip for now   backspace: back   Ctrl-C: stop, and go on another time"), v->columns - 1, arena);
	buf_str(&out, commands); /* without a line's end: nothing scrolls */
	*ret_top = top;
	*ret_page = page;
	return buf_view(&out);
}
