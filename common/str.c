/*
 * str.c: slices and buffers.
 *
 * The one idea: text from outside is a length and bytes, never a C string, until a library insists. Numbers are read and
 * written without the locale.
 */
#include "common/str.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/arena.h"

int str_cmp(struct str a, struct str b)
{
	size_t n = a.len < b.len ? a.len : b.len;
	int c = n == 0 ? 0 : memcmp(a.data, b.data, n);
	if (c != 0)
		return c;
	return a.len < b.len ? -1 : a.len > b.len;
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

bool str_eq_nocase(struct str a, struct str b)
{
	if (a.len != b.len)
		return false;
	for (size_t i = 0; i < a.len; i++)
		if (lower(a.data[i]) != lower(b.data[i]))
			return false;
	return true;
}

static bool blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

struct str str_trim(struct str s)
{
	while (s.len != 0 && blank(s.data[0])) {
		s.data++;
		s.len--;
	}
	while (s.len != 0 && blank(s.data[s.len - 1]))
		s.len--;
	return s;
}

/* Bytes of the valid character at p, 0 when it is not one. */
static size_t utf8_step(const unsigned char *p, size_t left)
{
	unsigned char c = p[0];
	if (c < 0x80)
		return 1;
	if (c >= 0xC2 && c <= 0xDF)
		return left >= 2 && (p[1] & 0xC0) == 0x80 ? 2 : 0;
	if (c >= 0xE0 && c <= 0xEF) {
		unsigned char lo = c == 0xE0 ? 0xA0 : 0x80, hi = c == 0xED ? 0x9F : 0xBF;
		return left >= 3 && p[1] >= lo && p[1] <= hi && (p[2] & 0xC0) == 0x80 ? 3 : 0;
	}
	if (c >= 0xF0 && c <= 0xF4) {
		unsigned char lo = c == 0xF0 ? 0x90 : 0x80, hi = c == 0xF4 ? 0x8F : 0xBF;
		return left >= 4 && p[1] >= lo && p[1] <= hi && (p[2] & 0xC0) == 0x80 && (p[3] & 0xC0) == 0x80 ? 4 : 0;
	}
	return 0;
}

bool str_utf8_valid(struct str s)
{
	const unsigned char *p = (const unsigned char *)s.data;
	size_t i = 0;
	while (i < s.len) {
		uint64_t eight;
		if (s.len - i >= 8 && (memcpy(&eight, p + i, 8), (eight & UINT64_C(0x8080808080808080)) == 0)) {
			i += 8;
			continue;
		}
		size_t n = utf8_step(p + i, s.len - i);
		if (n == 0)
			return false;
		i += n;
	}
	return true;
}

size_t str_utf8_cut(struct str s, size_t max_bytes)
{
	if (s.len <= max_bytes)
		return s.len;
	size_t n = max_bytes;
	while (n != 0 && ((unsigned char)s.data[n] & 0xC0) == 0x80)
		n--;
	return n;
}

size_t str_utf8_count(struct str s)
{
	size_t n = 0;
	for (size_t i = 0; i < s.len; i++)
		n += ((unsigned char)s.data[i] & 0xC0) != 0x80;
	return n;
}

bool str_to_i64(struct str s, int64_t *ret)
{
	bool negative = s.len != 0 && s.data[0] == '-';
	size_t i = negative || (s.len != 0 && s.data[0] == '+') ? 1 : 0;
	if (i == s.len)
		return false;
	int64_t n = 0;
	for (; i < s.len; i++) {
		if (s.data[i] < '0' || s.data[i] > '9')
			return false;
		int digit = s.data[i] - '0';
		if (__builtin_mul_overflow(n, 10, &n) || __builtin_sub_overflow(n, digit, &n)) /* downwards: holds INT64_MIN */
			return false;
	}
	if (!negative && n == INT64_MIN)
		return false;
	*ret = negative ? n : -n;
	return true;
}

bool str_to_double(struct str s, double *ret)
{
	char text[64];
	if (s.len == 0 || s.len >= sizeof text || blank(s.data[0]))
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (strchr("0123456789+-.eE", s.data[i]) == NULL || s.data[i] == '\0')
			return false;
	memcpy(text, s.data, s.len);
	text[s.len] = '\0';
	char *end;
	errno = 0;
	double d = strtod(text, &end); /* the process never calls setlocale: LC_NUMERIC is "C" */
	if (end != text + s.len || !isfinite(d))
		return false;
	*ret = d;
	return true;
}

unsigned str_distance(struct str a, struct str b)
{
	enum { LONGEST = 64 };
	if (a.len > LONGEST || b.len > LONGEST)
		return 1000;
	unsigned rows[3][LONGEST + 1];
	for (size_t j = 0; j <= b.len; j++)
		rows[0][j] = (unsigned)j;
	for (size_t i = 1; i <= a.len; i++) {
		unsigned *row = rows[i % 3], *above = rows[(i + 2) % 3], *two_above = rows[(i + 1) % 3];
		row[0] = (unsigned)i;
		for (size_t j = 1; j <= b.len; j++) {
			unsigned best = above[j - 1] + (a.data[i - 1] != b.data[j - 1]);
			if (above[j] + 1 < best)
				best = above[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			if (i > 1 && j > 1 && a.data[i - 1] == b.data[j - 2] && a.data[i - 2] == b.data[j - 1] && two_above[j - 2] + 1 < best)
				best = two_above[j - 2] + 1;
			row[j] = best;
		}
	}
	return rows[a.len % 3][b.len];
}

void buf_init(struct buf *buf, struct arena *arena, size_t first_bytes)
{
	*buf = (struct buf){.arena = arena};
	if (first_bytes != 0)
		(void)buf_room(buf, first_bytes); /* only to reserve */
}

char *buf_room(struct buf *buf, size_t bytes)
{
	if (buf->cap - buf->len < bytes || buf->data == NULL) {
		size_t cap = buf->cap < 128 ? 256 : buf->cap * 2, least;
		if (__builtin_add_overflow(buf->len, bytes, &least))
			least = SIZE_MAX; /* the arena ends the process for it */
		if (cap < least)
			cap = least;
		char *data = arena_alloc(buf->arena, cap);
		if (buf->len != 0)
			memcpy(data, buf->data, buf->len);
		buf->data = data;
		buf->cap = cap;
	}
	return buf->data + buf->len;
}

void buf_str(struct buf *buf, struct str s)
{
	buf_add(buf, s.data, s.len);
}

void buf_cstr(struct buf *buf, const char *s)
{
	buf_add(buf, s, strlen(s));
}

void buf_i64(struct buf *buf, int64_t n)
{
	char text[24];
	size_t i = sizeof text;
	uint64_t u = n < 0 ? 0 - (uint64_t)n : (uint64_t)n;
	do {
		text[--i] = (char)('0' + u % 10);
		u /= 10;
	} while (u != 0);
	if (n < 0)
		text[--i] = '-';
	buf_add(buf, text + i, sizeof text - i);
}

void buf_printf(struct buf *buf, const char *fmt, ...)
{
	va_list ap, again;
	va_start(ap, fmt);
	va_copy(again, ap);
	size_t room = buf->cap - buf->len;
	int n = vsnprintf(room != 0 ? buf->data + buf->len : NULL, room, fmt, ap); /* most often it fits */
	va_end(ap);
	if (n > 0 && (size_t)n >= room)
		(void)vsnprintf(buf_room(buf, (size_t)n + 1), (size_t)n + 1, fmt, again); /* measured just above */
	if (n > 0)
		buf->len += (size_t)n;
	va_end(again);
}
