/*
 * edit.c: line edits and their diff.
 *
 * The one idea: whoever changes a text knows what he changes, so nothing has to be found by comparison: the diff is the list of
 * edits with some lines around them.
 */
#include "worker/lab/edit.h"

enum { CONTEXT = 3 };

struct edit_lines edit_lines(struct str text, struct arena *arena)
{
	size_t count = 0;
	for (size_t i = 0; i < text.len; i++)
		count += text.data[i] == '\n';
	count += text.len != 0 && text.data[text.len - 1] != '\n';
	struct edit_lines lines = {text, arena_array(arena, count + 1, sizeof *lines.begin), (uint32_t)count};
	uint32_t n = 1;
	for (size_t i = 0; i + 1 < text.len; i++)
		if (text.data[i] == '\n')
			lines.begin[n++] = i + 1;
	lines.begin[count] = text.len;
	return lines;
}

static struct str whole(const struct edit_lines *lines, uint32_t i)
{
	return (struct str){lines->text.data + lines->begin[i], lines->begin[i + 1] - lines->begin[i]};
}

struct str edit_line(const struct edit_lines *lines, uint32_t i)
{
	struct str line = whole(lines, i);
	while (line.len != 0 && (line.data[line.len - 1] == '\n' || line.data[line.len - 1] == '\r'))
		line.len--;
	return line;
}

struct str edit_apply(const struct edit_lines *lines, const struct edit *edits, uint32_t count, struct arena *arena)
{
	struct buf out;
	uint32_t at = 0;
	buf_init(&out, arena, lines->text.len + 1024);
	for (uint32_t i = 0; i <= count; i++) {
		uint32_t until = i < count ? edits[i].at : lines->count;
		buf_str(&out, (struct str){lines->text.data + lines->begin[at], lines->begin[until] - lines->begin[at]});
		if (i == count)
			break;
		if (edits[i].add.len != 0 && out.len != 0 && out.data[out.len - 1] != '\n')
			buf_char(&out, '\n');
		buf_str(&out, edits[i].add);
		at = edits[i].at + edits[i].remove;
	}
	return buf_view(&out);
}

static void put(struct buf *out, char mark, struct str line)
{
	buf_char(out, mark);
	buf_str(out, line);
	if (line.len == 0 || line.data[line.len - 1] != '\n')
		buf_cstr(out, "\n\\ No newline at end of file\n");
}

static uint32_t added(const struct edit *edit)
{
	uint32_t n = 0;
	for (size_t i = 0; i < edit->add.len; i++)
		n += edit->add.data[i] == '\n';
	return n;
}

static void put_added(struct buf *out, struct str add)
{
	for (size_t begin = 0, i = 0; i < add.len; i++)
		if (add.data[i] == '\n') {
			put(out, '+', (struct str){add.data + begin, i + 1 - begin});
			begin = i + 1;
		}
}

static void range(struct buf *out, char mark, uint32_t first, uint32_t lines)
{
	buf_printf(out, "%c%u", mark, lines == 0 ? first : first + 1); /* an empty range is named by the line before it */
	if (lines != 1)
		buf_printf(out, ",%u", lines);
}

/* Edits first..last-1 as one hunk. shift: lines that were added before it. */
static int64_t hunk(const struct edit_lines *lines, const struct edit *edits, uint32_t first, uint32_t last, int64_t shift, struct buf *out)
{
	uint32_t begin = edits[first].at > CONTEXT ? edits[first].at - CONTEXT : 0;
	uint32_t end = edits[last - 1].at + edits[last - 1].remove + CONTEXT;
	int64_t grown = 0;
	end = end < lines->count ? end : lines->count;
	for (uint32_t i = first; i < last; i++)
		grown += (int64_t)added(&edits[i]) - edits[i].remove;
	buf_cstr(out, "@@ ");
	range(out, '-', begin, end - begin);
	buf_char(out, ' ');
	range(out, '+', (uint32_t)(begin + shift), (uint32_t)(end - begin + grown));
	buf_cstr(out, " @@\n");
	uint32_t at = begin;
	for (uint32_t i = first; i < last; i++) {
		while (at < edits[i].at)
			put(out, ' ', whole(lines, at++));
		while (at < edits[i].at + edits[i].remove)
			put(out, '-', whole(lines, at++));
		put_added(out, edits[i].add);
	}
	while (at < end)
		put(out, ' ', whole(lines, at++));
	return shift + grown;
}

struct str edit_diff(const struct edit_lines *lines, const struct edit *edits, uint32_t count, const char *name, struct arena *arena)
{
	struct buf out;
	int64_t shift = 0;
	buf_init(&out, arena, 4096);
	if (count != 0)
		buf_printf(&out, "--- %s\n+++ %s\n", name, name);
	for (uint32_t first = 0, last; first < count; first = last) {
		last = first + 1;
		while (last < count && edits[last].at <= edits[last - 1].at + edits[last - 1].remove + 2 * CONTEXT)
			last++;
		shift = hunk(lines, edits, first, last, shift, &out);
	}
	return buf_view(&out);
}
