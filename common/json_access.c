/*
 * json_access.c: finding members and reading numbers in a tree that json.c has built.
 *
 * The one idea: a number is its decimal text. It becomes an integer only when it is whole and in range, by exact decimal
 * arithmetic, so 9007199254740993 stays what it is and 1e3 counts as 1000.
 */
#include "common/json.h"

#include <math.h>
#include <stdio.h>

enum { KEPT_DIGITS = 40 };

const struct json *json_get(const struct json *j, struct str key)
{
	if (j == NULL || j->kind != JSON_MAP)
		return NULL;
	for (uint32_t i = 0; i < j->count; i++)
		if (str_eq(j->keys[i], key))
			return &j->items[i];
	return NULL;
}

static const struct json *step(const struct json *j, struct str part)
{
	if (j->kind == JSON_MAP)
		return json_get(j, part);
	int64_t index;
	if (j->kind != JSON_LIST || part.len == 0 || part.data[0] == '+' || part.data[0] == '-' || !str_to_i64(part, &index))
		return NULL;
	return index < (int64_t)j->count ? &j->items[index] : NULL;
}

const struct json *json_path(const struct json *j, struct str path)
{
	if (path.data == NULL)
		return NULL;
	while (j != NULL) {
		const char *dot = path.len != 0 ? memchr(path.data, '.', path.len) : NULL;
		struct str part = {path.data, dot != NULL ? (size_t)(dot - path.data) : path.len};
		j = step(j, part);
		if (dot == NULL)
			return j;
		path = (struct str){dot + 1, path.len - part.len - 1};
	}
	return NULL;
}

struct str json_str(const struct json *j)
{
	return j != NULL && j->kind == JSON_STRING ? j->text : STR_NULL;
}

/* digits * 10^exponent, without leading zeros. What did not fit into the digits is only known to be zero or not. */
struct decimal {
	bool negative, dropped; /* dropped: a digit other than 0 was left out */
	char digits[KEPT_DIGITS];
	unsigned count;
	int64_t exponent;
};

static void add_digit(struct decimal *d, char c, bool fraction)
{
	if (d->count == 0 && c == '0') {
		d->exponent -= fraction;
	} else if (d->count < KEPT_DIGITS) {
		d->digits[d->count++] = c;
		d->exponent -= fraction;
	} else {
		d->dropped |= c != '0';
		d->exponent += !fraction;
	}
}

static struct decimal read_decimal(struct str s)
{
	enum { SATURATED = 1000000000 }; /* beyond the digits of any text that is read */
	struct decimal d = {0};
	size_t i = 0;
	if (i < s.len && s.data[i] == '-') {
		d.negative = true;
		i++;
	}
	bool fraction = false;
	for (; i < s.len && s.data[i] != 'e' && s.data[i] != 'E'; i++) {
		if (s.data[i] == '.')
			fraction = true;
		else
			add_digit(&d, s.data[i], fraction);
	}
	if (i == s.len)
		return d;
	i++;
	bool down = s.data[i] == '-';
	i += down || s.data[i] == '+';
	int64_t exponent = 0;
	for (; i < s.len; i++)
		if (exponent < SATURATED)
			exponent = exponent * 10 + (s.data[i] - '0');
	d.exponent += down ? -exponent : exponent;
	return d;
}

bool json_i64(const struct json *j, int64_t *ret)
{
	if (j == NULL || j->kind != JSON_NUMBER)
		return false;
	if (str_to_i64(j->text, ret))
		return true;
	struct decimal d = read_decimal(j->text);
	while (d.count != 0 && d.exponent < 0 && d.digits[d.count - 1] == '0') {
		d.count--;
		d.exponent++;
	}
	if (d.count == 0 && !d.dropped) {
		*ret = 0;
		return true;
	}
	if (d.dropped || d.exponent < 0 || d.count + d.exponent > 19)
		return false;
	char text[24];
	unsigned n = 0;
	if (d.negative)
		text[n++] = '-';
	for (unsigned i = 0; i < d.count; i++)
		text[n++] = d.digits[i];
	for (int64_t i = 0; i < d.exponent; i++)
		text[n++] = '0';
	return str_to_i64((struct str){text, n}, ret);
}

bool json_double(const struct json *j, double *ret)
{
	if (j == NULL || j->kind != JSON_NUMBER)
		return false;
	if (j->text.len < KEPT_DIGITS)
		return str_to_double(j->text, ret);
	struct decimal d = read_decimal(j->text);
	if (d.count == 0 || d.exponent + (int64_t)d.count < -400) { /* below the smallest double */
		*ret = d.negative ? -0.0 : 0.0;
		return true;
	}
	if (d.exponent > 400)
		return false;
	char text[KEPT_DIGITS + 16];
	int n = snprintf(text, sizeof text, "%s%.*se%d", d.negative ? "-" : "", (int)d.count, d.digits, (int)d.exponent);
	return str_to_double((struct str){text, (size_t)n}, ret);
}
