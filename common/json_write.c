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

/* n / 10^decimals as printf's %g has it: with a point, or with an exponent when the first digit stands behind four zeros. */
static void write_decimal(struct buf *out, bool negative, uint64_t n, int decimals)
{
	char text[24], *end = text + sizeof text, *first = end;
	for (; n % 10 == 0; n /= 10) /* n is not 0 */
		decimals--;
	for (; n != 0; n /= 10)
		*--first = (char)('0' + n % 10);
	int digits = (int)(end - first), exponent = digits - 1 - decimals;
	if (negative)
		buf_char(out, '-');
	if (exponent < -4) {
		buf_char(out, *first);
		if (digits > 1)
			buf_char(out, '.');
		buf_add(out, first + 1, (size_t)digits - 1);
		char power[4] = {'e', '-', (char)('0' - exponent / 10), (char)('0' - exponent % 10)};
		buf_add(out, power, sizeof power);
	} else if (exponent < 0) {
		buf_add(out, "0.0000", (size_t)(1 - exponent));
		buf_add(out, first, (size_t)digits);
	} else {
		buf_add(out, first, (size_t)exponent + 1);
		buf_char(out, '.');
		buf_add(out, first + exponent + 1, (size_t)decimals);
	}
}

/* The first of 15, 16 or 17 digits that reads back as d, in whole numbers: d is m / 2^shift, and n of it as a decimal is
 * m * 10^decimals / 2^shift, rounded. It reads back when the rounding is less than half a step of m. printf and strtod come to
 * the same digits by numbers of any length, which costs twenty times as much. False where 128 bits are too few. */
static bool write_fraction(struct buf *out, double d)
{
	static const double powers[] = {1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9};
	enum { LOWEST = -8, RANGE = sizeof powers / sizeof powers[0] - 1, DECIMALS_MAX = 22 /* 2^53 * 10^22 < 2^128 */ };
	double size = fabs(d);
	if (!(size >= powers[0] && size < powers[RANGE]))
		return false;
	int at = 0, exponent;
	while (size >= powers[at + 1])
		at++;
	uint64_t m = (uint64_t)ldexp(frexp(size, &exponent), 53);
	int shift = 53 - exponent, decimals = 14 - (at + LOWEST);
	unsigned __int128 unit = (unsigned __int128)1 << shift, power = 1;
	unsigned steps = m == UINT64_C(1) << 52 ? 4 : 2; /* numbers lie closer below a power of two */
	for (int i = 0; i < decimals; i++)
		power *= 10;
	for (int digits = 15; decimals <= DECIMALS_MAX; digits++, decimals++, power *= 10) {
		unsigned __int128 exact = m * power, rest = exact & (unit - 1);
		uint64_t n = (uint64_t)(exact >> shift);
		bool up = rest > unit / 2 || (rest == unit / 2 && n % 2 == 1);
		if (digits == 17 || (up ? unit - rest : rest) * steps < power) {
			write_decimal(out, d < 0, n + up, decimals);
			return true;
		}
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
	if (write_fraction(out, d))
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
