/*
 * json_string.c: the strings of JSON from strangers.
 *
 * The one idea: most strings hold nothing special, so one pass looks for the end, and only a string with an escape is copied.
 * Escapes and UTF-8 are checked: what comes out is text.
 */
#include <string.h>

#include "common/json_cursor.h"
#include "common/json_text.h"

enum rc json_refuse(const struct json_cursor *c, const char *where, const char *what)
{
	return err_set(c->err, RC_BAD_INPUT, "offset %zu: %s", (size_t)(where - c->start), what);
}

/* Four hexadecimal digits at p; -1 when they are not there. */
static int32_t hex4(const char *p, const char *end)
{
	if (end - p < 4)
		return -1;
	int32_t code = 0;
	for (int i = 0; i < 4; i++) {
		char c = p[i];
		int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
		if (digit < 0)
			return -1;
		code = code * 16 + digit;
	}
	return code;
}

static char *put_utf8(char *out, int32_t code)
{
	if (code < 0x80) {
		*out++ = (char)code;
	} else if (code < 0x800) {
		*out++ = (char)(0xC0 | (code >> 6));
		*out++ = (char)(0x80 | (code & 0x3F));
	} else if (code < 0x10000) {
		*out++ = (char)(0xE0 | (code >> 12));
		*out++ = (char)(0x80 | ((code >> 6) & 0x3F));
		*out++ = (char)(0x80 | (code & 0x3F));
	} else {
		*out++ = (char)(0xF0 | (code >> 18));
		*out++ = (char)(0x80 | ((code >> 12) & 0x3F));
		*out++ = (char)(0x80 | ((code >> 6) & 0x3F));
		*out++ = (char)(0x80 | (code & 0x3F));
	}
	return out;
}

/* c->p is on the u of \uXXXX. Two of them make a character beyond U+FFFF; half a pair is no character. */
static enum rc read_unicode_escape(struct json_cursor *c, char **out)
{
	int32_t code = hex4(c->p + 1, c->end);
	if (code < 0)
		return json_refuse(c, c->p - 1, "\\u needs four hexadecimal digits");
	const char *at = c->p - 1;
	c->p += 5;
	if (code >= 0xDC00 && code <= 0xDFFF)
		return json_refuse(c, at, "the second half of a surrogate pair without its first");
	if (code >= 0xD800 && code <= 0xDBFF) {
		int32_t low = c->end - c->p >= 6 && c->p[0] == '\\' && c->p[1] == 'u' ? hex4(c->p + 2, c->end) : -1;
		if (low < 0xDC00 || low > 0xDFFF)
			return json_refuse(c, at, "the first half of a surrogate pair without its second");
		code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
		c->p += 6;
	}
	*out = put_utf8(*out, code);
	return RC_OK;
}

/* c->p is behind a backslash. */
static enum rc read_escape(struct json_cursor *c, char **out)
{
	if (c->p == c->end)
		return json_refuse(c, c->p, "the text ends inside a string");
	char plain;
	switch (*c->p) {
	case '"': plain = '"'; break;
	case '\\': plain = '\\'; break;
	case '/': plain = '/'; break;
	case 'b': plain = '\b'; break;
	case 'f': plain = '\f'; break;
	case 'n': plain = '\n'; break;
	case 'r': plain = '\r'; break;
	case 't': plain = '\t'; break;
	case 'u': return read_unicode_escape(c, out);
	default: return json_refuse(c, c->p - 1, "no such escape");
	}
	*(*out)++ = plain;
	c->p++;
	return RC_OK;
}

/* Finds the closing quote of the string that began at c->p, to know how much room its text needs at most. */
static size_t escaped_length(const struct json_cursor *c)
{
	const char *p = c->p;
	while (p < c->end && *p != '"')
		p += *p == '\\' && c->end - p > 1 ? 2 : 1;
	return (size_t)(p - c->p);
}

static enum rc read_escaped(struct json_cursor *c, const char *begin, struct str *ret)
{
	char *text = arena_alloc(c->arena, (size_t)(c->p - begin) + escaped_length(c) + 1), *out = text;
	memcpy(out, begin, (size_t)(c->p - begin));
	out += c->p - begin;
	for (;;) {
		uint64_t high = 0;
		const char *run = c->p;
		c->p = json_plain_run(run, c->end, &high);
		memcpy(out, run, (size_t)(c->p - run));
		out += c->p - run;
		if (c->p == c->end)
			return json_refuse(c, c->p, "the text ends inside a string");
		char next = *c->p;
		if ((unsigned char)next < 0x20)
			return json_refuse(c, c->p, "a control character inside a string must be escaped");
		c->p++;
		if (next == '"')
			break;
		enum rc rc = read_escape(c, &out);
		if (rc != RC_OK)
			return rc;
	}
	*ret = (struct str){text, (size_t)(out - text)};
	return RC_OK;
}

enum rc json_read_string(struct json_cursor *c, struct str *ret)
{
	const char *begin = c->p;
	uint64_t high = 0;
	c->p = json_plain_run(begin, c->end, &high);
	struct str s = {begin, (size_t)(c->p - begin)};
	if (c->p < c->end && *c->p == '"') {
		c->p++;
		if (high == 0) {
			*ret = s;
			return RC_OK;
		}
	} else {
		enum rc rc = read_escaped(c, begin, &s);
		if (rc != RC_OK)
			return rc;
	}
	if (!str_utf8_valid(s))
		return json_refuse(c, begin, "the string that begins here is not UTF-8");
	*ret = s;
	return RC_OK;
}
