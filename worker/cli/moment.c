/*
 * moment.c: points of time, read and written.
 *
 * The one idea: a fixed form read by position, without the C library's time functions, whose answers hang on the zone of the
 * machine. Days are counted as by H. Hinnant, "chrono-Compatible Low-Level Date Algorithms".
 */
#include "worker/cli/moment.h"

#include <stdio.h>

enum { DAY_MS = 86400000, HOUR_MS = 3600000, MINUTE_MS = 60000, SECOND_MS = 1000 };

static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
	year -= month <= 2;
	int64_t era = year / 400, of_era = year - era * 400;
	int64_t of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static int64_t days_in(int64_t year, int64_t month)
{
	return month == 12 ? 31 : days_of(year, month + 1, 1) - days_of(year, month, 1);
}

/* A number of exactly so many digits off the front. */
static bool digits(struct str *text, unsigned count, int64_t *ret)
{
	int64_t n = 0;
	if (text->len < count)
		return false;
	for (unsigned i = 0; i < count; i++) {
		if (text->data[i] < '0' || text->data[i] > '9')
			return false;
		n = n * 10 + (text->data[i] - '0');
	}
	*text = (struct str){text->data + count, text->len - count};
	*ret = n;
	return true;
}

static bool skip(struct str *text, char c)
{
	if (text->len == 0 || text->data[0] != c)
		return false;
	*text = (struct str){text->data + 1, text->len - 1};
	return true;
}

/* "Z", "+01:00", or nothing, to the end. */
static bool zone(struct str text, int64_t *ret_ms)
{
	int64_t hours, minutes;
	bool east = text.len > 0 && text.data[0] == '+';
	*ret_ms = 0;
	if (text.len == 0 || str_is(text, "Z"))
		return true;
	if (!skip(&text, east ? '+' : '-') || !digits(&text, 2, &hours) || !skip(&text, ':') || !digits(&text, 2, &minutes) || text.len != 0 ||
	    hours > 23 || minutes > 59)
		return false;
	*ret_ms = (hours * HOUR_MS + minutes * MINUTE_MS) * (east ? 1 : -1);
	return true;
}

static bool date_and_time(struct str text, int64_t *ret_ms)
{
	int64_t year, month, day, hour = 0, minute = 0, second = 0, offset_ms = 0;
	if (!digits(&text, 4, &year) || !skip(&text, '-') || !digits(&text, 2, &month) || !skip(&text, '-') || !digits(&text, 2, &day))
		return false;
	if (month < 1 || month > 12 || day < 1 || day > days_in(year, month))
		return false;
	if (text.len != 0) {
		if (!skip(&text, 'T') || !digits(&text, 2, &hour) || !skip(&text, ':') || !digits(&text, 2, &minute))
			return false;
		if (skip(&text, ':') && !digits(&text, 2, &second))
			return false;
		if (hour > 23 || minute > 59 || second > 59 || !zone(text, &offset_ms))
			return false;
	}
	*ret_ms = days_of(year, month, day) * DAY_MS + hour * HOUR_MS + minute * MINUTE_MS + second * SECOND_MS - offset_ms;
	return true;
}

static bool ago(struct str text, int64_t now_ms, int64_t *ret_ms)
{
	static const struct {
		char letter;
		int64_t ms;
	} units[] = {{'s', SECOND_MS}, {'m', MINUTE_MS}, {'h', HOUR_MS}, {'d', DAY_MS}};
	int64_t n;
	if (text.len < 2 || !str_to_i64((struct str){text.data, text.len - 1}, &n) || n < 0 || n > 10000000)
		return false;
	for (unsigned i = 0; i < sizeof units / sizeof units[0]; i++)
		if (text.data[text.len - 1] == units[i].letter) {
			*ret_ms = now_ms - n * units[i].ms;
			return true;
		}
	return false;
}

bool moment_parse(struct str text, int64_t now_ms, int64_t *ret_ms)
{
	return ago(text, now_ms, ret_ms) || date_and_time(text, ret_ms);
}

void moment_write(int64_t ms, char out[MOMENT_TEXT])
{
	if (ms < 0 || ms > INT64_C(253402300799999)) { /* the year 9999 ends */
		(void)snprintf(out, MOMENT_TEXT, "-"); /* one character fits */
		return;
	}
	int64_t days = ms / DAY_MS + 719468, rest = ms % DAY_MS;
	int64_t era = days / 146097, of_era = days % 146097;
	int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
	int64_t shifted = (5 * of_year + 2) / 153, month = shifted < 10 ? shifted + 3 : shifted - 9;
	(void)snprintf(out, MOMENT_TEXT, "%04d-%02d-%02dT%02d:%02d:%02dZ", (int)(year + era * 400 + (month <= 2 ? 1 : 0)), (int)month,
	               (int)(of_year - (153 * shifted + 2) / 5 + 1), (int)(rest / HOUR_MS), (int)(rest / MINUTE_MS % 60),
	               (int)(rest / SECOND_MS % 60)); /* 20 characters, by the bound above */
}
