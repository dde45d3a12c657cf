/*
 * repair.c: broken characters become U+FFFD, and nothing else changes.
 *
 * The one idea: an answer cut in the middle of a character (a token limit does that) is worth delivering; the reader of
 * JSON refuses it, so the text is mended first, only when it was refused.
 */
#include "worker/upstream/repair.h"

static const char replacement[] = "\xEF\xBF\xBD";

/* Bytes of the valid character at i, or 0. */
static size_t char_len(struct str s, size_t i)
{
	unsigned char c = (unsigned char)s.data[i];
	size_t n = c < 0x80 ? 1 : (c & 0xE0) == 0xC0 ? 2 : (c & 0xF0) == 0xE0 ? 3 : (c & 0xF8) == 0xF0 ? 4 : 0;
	if (n == 0 || s.len - i < n || !str_utf8_valid((struct str){s.data + i, n}))
		return 0;
	return n;
}

/* The code of a \uXXXX at i; -1 when there is none. */
static int escape_at(struct str s, size_t i)
{
	if (i > s.len || s.len - i < 6 || s.data[i] != '\\' || s.data[i + 1] != 'u')
		return -1;
	int code = 0;
	for (size_t k = i + 2; k < i + 6; k++) {
		char c = s.data[k];
		int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
		if (digit < 0)
			return -1;
		code = code * 16 + digit;
	}
	return code;
}

static bool is_high(int code)
{
	return code >= 0xD800 && code <= 0xDBFF;
}

static bool is_low(int code)
{
	return code >= 0xDC00 && code <= 0xDFFF;
}

/* Copies the escape at i, mended where it is half a pair. Returns its length. */
static size_t copy_escape(struct buf *out, struct str s, size_t i)
{
	int code = escape_at(s, i);
	size_t len = code >= 0 ? 6 : s.len - i >= 2 ? 2 : 1;
	if (is_high(code) && is_low(escape_at(s, i + 6)))
		len = 12;
	else if (is_high(code) || is_low(code)) {
		buf_str(out, STR("\\ufffd"));
		return 6;
	}
	if (len == 2 && (unsigned char)s.data[i + 1] >= 0x80)
		len = 1; /* the byte behind is judged by itself */
	buf_add(out, s.data + i, len);
	return len;
}

struct str repair_json(struct str text, struct arena *arena)
{
	struct buf out;
	buf_init(&out, arena, text.len + text.len / 8 + 16);
	bool was_bad = false;
	for (size_t i = 0; i < text.len;) {
		if (text.data[i] == '\\') {
			i += copy_escape(&out, text, i);
			was_bad = false;
			continue;
		}
		size_t n = char_len(text, i);
		if (n == 0) {
			if (!was_bad)
				buf_cstr(&out, replacement);
			was_bad = true;
			i++;
			continue;
		}
		buf_add(&out, text.data + i, n);
		was_bad = false;
		i += n;
	}
	return str_eq(buf_view(&out), text) ? text : buf_view(&out);
}

struct str repair_line(struct str text, size_t max_bytes, struct arena *arena)
{
	struct buf out;
	buf_init(&out, arena, 64);
	text = str_trim(text);
	for (size_t i = 0; i < text.len && out.len < max_bytes;) {
		size_t n = char_len(text, i);
		if (n == 0)
			buf_cstr(&out, replacement);
		else if (n == 1 && ((unsigned char)text.data[i] < 0x20 || text.data[i] == 0x7f))
			buf_char(&out, ' ');
		else
			buf_add(&out, text.data + i, n);
		i += n == 0 ? 1 : n;
	}
	return (struct str){out.data != NULL ? out.data : "", str_utf8_cut(buf_view(&out), max_bytes)};
}
