/*
 * json_write.c: writing JSON into a buffer.
 *
 * The one idea: most text needs no escape, so runs of it are copied whole. There is no writer object: the buffer's last
 * byte says whether a comma is due.
 */
#include "common/json.h"

#include <math.h>
#include <stdio.h>

#include "common/json_text.h"

static void write_escape(struct buf *out, unsigned char c)
{
	static const char hex[] = "0123456789abcdef";
	char two[2] = {'\\', 0};
	switch (c) {
	case '"': two[1] = '"'; break;
	case '\\': two[1] = '\\'; break;
	case '\n': two[1] = 'n'; break;
	case '\r': two[1] = 'r'; break;
	case '\t': two[1] = 't'; break;
	case '\b': two[1] = 'b'; break;
	case '\f': two[1] = 'f'; break;
	default: {
		char six[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
		buf_add(out, six, sizeof six);
		return;
	}
	}
	buf_add(out, two, sizeof two);
}

void json_write_str(struct buf *out, struct str s)
{
	buf_char(out, '"');
	const char *p = s.data, *end = s.len != 0 ? s.data + s.len : s.data;
	while (p != end) {
		uint64_t high = 0;
		const char *stop = json_plain_run(p, end, &high);
		buf_add(out, p, (size_t)(stop - p));
		if (stop == end)
			break;
		write_escape(out, (unsigned char)*stop);
		p = stop + 1;
	}
	buf_char(out, '"');
}

/* A number of few decimals, as prices, temperatures and thresholds are: d is n/scale exactly as the nearest double goes, for
 * both are whole and below 2^53 and a division is rounded once. So "n" with a point in it reads back as d, and the first
 * scale that fits is the shortest. */
static bool write_short(struct buf *out, double d)
{
	double size = fabs(d), scale = 10;
	if (!(size >= 0.001 && size < 1e9))
		return false;
	for (int decimals = 1; decimals <= 6; decimals++, scale *= 10) {
		double n = nearbyint(size * scale);
		if (n / scale != size)
			continue;
		int64_t whole = (int64_t)n / (int64_t)scale, part = (int64_t)n % (int64_t)scale;
		if (d < 0)
			buf_char(out, '-');
		buf_i64(out, whole);
		char *p = buf_room(out, (size_t)decimals + 1);
		*p = '.';
		for (int i = decimals; i > 0; i--, part /= 10)
			p[i] = (char)('0' + part % 10);
		out->len += (size_t)decimals + 1;
		return true;
	}
	return false;
}

void json_write_double(struct buf *out, double d)
{
	if (!isfinite(d)) {
		buf_cstr(out, "null");
		return;
	}
	if (fabs(d) < 1e15 && (double)(int64_t)d == d && !(d == 0 && signbit(d))) {
		buf_i64(out, (int64_t)d);
		return;
	}
	if (write_short(out, d))
		return;
	char text[32];
	for (int digits = 15; digits <= 17; digits++) {
		int n = snprintf(text, sizeof text, "%.*g", digits, d);
		double again;
		if (digits == 17 || (str_to_double((struct str){text, (size_t)n}, &again) && again == d)) {
			buf_add(out, text, (size_t)n);
			return;
		}
	}
}

void json_sep(struct buf *out)
{
	if (out->len != 0 && out->data[out->len - 1] != '{' && out->data[out->len - 1] != '[')
		buf_char(out, ',');
}

void json_key(struct buf *out, const char *name)
{
	json_sep(out);
	json_write_str(out, str_of(name));
	buf_char(out, ':');
}

void json_member_str(struct buf *out, const char *name, struct str value)
{
	json_key(out, name);
	if (value.data != NULL)
		json_write_str(out, value);
	else
		buf_cstr(out, "null");
}

void json_member_i64(struct buf *out, const char *name, int64_t value)
{
	json_key(out, name);
	buf_i64(out, value);
}

void json_member_double(struct buf *out, const char *name, double value)
{
	json_key(out, name);
	json_write_double(out, value);
}

void json_member_bool(struct buf *out, const char *name, bool value)
{
	json_key(out, name);
	buf_cstr(out, value ? "true" : "false");
}
