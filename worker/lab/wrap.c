/*
 * wrap.c: cells, then lines.
 *
 * The one idea: the text is first turned into cells (some bytes, and how many columns they take) that are safe to show one by one; a
 * line is then a run of cells, so no rule about safety depends on where lines are broken.
 */
#include "worker/lab/wrap.h"

#include <stdio.h>

enum { TAB = 4, LONGEST_NAME = 12, MOST_MARKS = 4 };

/* Columns: two, after Unicode's East Asian Width (UAX #11) W and F, by blocks; and those of emoji. */
static const uint32_t wide[][2] = {{0x1100, 0x115F}, {0x2E80, 0x303E}, {0x3041, 0xA4CF}, {0xA960, 0xA97F}, {0xAC00, 0xD7A3},
                                   {0xF900, 0xFAFF}, {0xFE30, 0xFE6F}, {0xFF01, 0xFF60}, {0xFFE0, 0xFFE6}, {0x1F300, 0x1F64F},
                                   {0x1F680, 0x1F6FF}, {0x1F900, 0x1FAFF}, {0x20000, 0x3FFFD}};
/* Marks that stand on the character before them. */
static const uint32_t marks[][2] = {{0x0300, 0x036F}, {0x0483, 0x0489}, {0x0591, 0x05BD}, {0x0610, 0x061A}, {0x064B, 0x065F},
                                    {0x0900, 0x0902}, {0x0941, 0x0948}, {0x0E34, 0x0E3A}, {0x0E47, 0x0E4E}, {0x1AB0, 0x1AFF},
                                    {0x1DC0, 0x1DFF}, {0x20D0, 0x20FF}, {0x3099, 0x309A}, {0xFE00, 0xFE0F}, {0xFE20, 0xFE2F}};
/* Not shown as they are: controls, directions, what has no width and joins nothing, tags, private use and what is no character. */
static const uint32_t hidden[][2] = {{0x00, 0x1F}, {0x7F, 0x9F}, {0xAD, 0xAD}, {0x061C, 0x061C}, {0x115F, 0x1160}, {0x180B, 0x180F},
                                     {0x200B, 0x200F}, {0x2028, 0x202E}, {0x2060, 0x206F}, {0x3164, 0x3164}, {0xD800, 0xF8FF},
                                     {0xFEFF, 0xFEFF}, {0xFFA0, 0xFFA0}, {0xFFF0, 0xFFFB}, {0xFFFE, 0xFFFF}, {0x1D173, 0x1D17A},
                                     {0x3FFFE, 0x10FFFF}};

static bool is_in(const uint32_t (*ranges)[2], size_t count, uint32_t c)
{
	for (size_t i = 0; i < count; i++)
		if (c >= ranges[i][0] && c <= ranges[i][1])
			return true;
	return false;
}
#define IS_IN(ranges, c) is_in(ranges, sizeof ranges / sizeof ranges[0], c)

/* The code point at s (UTF-8 that was checked); false: it is not UTF-8 after all. */
static bool decode(struct str s, uint32_t *ret, size_t *ret_bytes)
{
	unsigned char first = (unsigned char)s.data[0];
	size_t n = first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
	if (n > s.len || !str_utf8_valid((struct str){s.data, n}))
		return false;
	uint32_t c = n == 1 ? first : first & (0xFFu >> (n + 1));
	for (size_t i = 1; i < n; i++)
		c = c << 6 | ((unsigned char)s.data[i] & 0x3F);
	*ret = c;
	*ret_bytes = n;
	return true;
}

struct cell {
	struct str shown;
	uint32_t columns;
	bool space, end; /* end: of a line */
};

struct reader {
	struct str text;
	size_t at;
	uint32_t marks; /* in a row */
	char name[LONGEST_NAME];
};

static bool next_cell(struct reader *r, struct cell *ret)
{
	uint32_t c = 0;
	size_t bytes = 1;
	if (r->at == r->text.len)
		return false;
	struct str rest = {r->text.data + r->at, r->text.len - r->at};
	bool good = decode(rest, &c, &bytes);
	r->at += bytes;
	r->marks = good && IS_IN(marks, c) ? r->marks + 1 : 0;
	if (!good)
		*ret = (struct cell){STR("\xEF\xBF\xBD"), 1, false, false};
	else if (c == '\n' || (c == '\r' && rest.len > 1 && rest.data[1] == '\n'))
		*ret = (struct cell){STR(""), 0, false, c == '\n'}; /* of CR LF only the LF counts */
	else if (c == '\t')
		*ret = (struct cell){STR("    "), TAB, true, false};
	else if (r->marks > MOST_MARKS)
		*ret = (struct cell){STR(""), 0, false, false};
	else if (IS_IN(hidden, c)) {
		int n = snprintf(r->name, sizeof r->name, "<U+%04X>", c);
		*ret = (struct cell){{r->name, (size_t)n}, (uint32_t)n, false, false};
	} else
		*ret = (struct cell){{rest.data, bytes}, r->marks != 0 ? 0 : IS_IN(wide, c) ? 2 : 1, c == ' ', false};
	return true;
}

struct writer {
	struct arena *arena;
	struct wrapped out;
	uint32_t cap;
	struct buf line;
	uint32_t columns, width; /* of line; of all */
	size_t space;            /* bytes of line up to its last space, that included; 0: none */
	uint32_t after_space;    /* columns behind it */
};

/* The line as it is until `bytes`; the rest begins the next one. */
static void end_line(struct writer *w, size_t bytes)
{
	struct str rest = {w->line.data + bytes, w->line.len - bytes}, line = {w->line.data, bytes};
	while (line.len > 0 && line.data[line.len - 1] == ' ')
		line.len--;
	if (w->out.count == w->cap) {
		uint32_t cap = w->cap != 0 ? w->cap * 2 : 16;
		struct str *lines = arena_array(w->arena, cap, sizeof *lines);
		if (w->out.count != 0)
			memcpy(lines, w->out.lines, w->out.count * sizeof *lines);
		w->out.lines = lines;
		w->cap = cap;
	}
	w->out.lines[w->out.count++] = line.len != 0 ? line : STR("");
	struct buf next;
	buf_init(&next, w->arena, 128);
	buf_str(&next, rest);
	w->line = next;
	w->space = 0;
}

static void add_cell(struct writer *w, const struct cell *cell)
{
	if (w->columns + cell->columns > w->width) {
		bool at_space = w->space != 0 && !cell->space;
		end_line(w, at_space ? w->space : w->line.len);
		w->columns = w->after_space = at_space ? w->after_space : 0;
		if (cell->space) /* at the edge: the line's end is enough */
			return;
	}
	buf_str(&w->line, cell->shown);
	w->columns += cell->columns;
	w->after_space += cell->columns;
	if (cell->space) {
		w->space = w->line.len;
		w->after_space = 0;
	}
}

struct wrapped wrap_text(struct str text, uint32_t columns, struct arena *arena)
{
	struct reader r = {.text = text};
	struct writer w = {.arena = arena, .width = columns > WRAP_LEAST_COLUMNS ? columns : WRAP_LEAST_COLUMNS};
	buf_init(&w.line, arena, 128);
	for (struct cell cell; next_cell(&r, &cell);) {
		if (cell.end) {
			end_line(&w, w.line.len);
			w.columns = w.after_space = 0;
		} else
			add_cell(&w, &cell);
	}
	if (w.line.len != 0 || w.out.count == 0)
		end_line(&w, w.line.len);
	return w.out;
}

struct str wrap_line(struct str text, uint32_t columns, struct arena *arena)
{
	struct reader r = {.text = text};
	struct buf out;
	uint32_t used = 0;
	size_t fits = 0; /* bytes that leave room for the dots */
	buf_init(&out, arena, 128);
	for (struct cell cell; next_cell(&r, &cell);) {
		struct str shown = cell.end ? STR(" ") : cell.shown;
		uint32_t width = cell.end ? 1 : cell.columns;
		if (used + width > columns) {
			out.len = fits;
			buf_cstr(&out, "...");
			break;
		}
		buf_str(&out, shown);
		used += width;
		if (used + 3 <= columns)
			fits = out.len;
	}
	return buf_view(&out);
}
