/*
 * retry.c: the class of an attempt's end, and the next step.
 *
 * The one idea: what is worth repeating is decided by a table, how long to wait by the server's word or by full jitter
 * ("Exponential Backoff And Jitter", Marc Brooker, AWS Architecture Blog), and a wait that outlives the deadline is no
 * wait at all: the next model is asked, or the record ends with the reason it has.
 */
#include "worker/upstream/retry.h"

enum {
	BASE_US = 250000,
	CAP_US = 20000000,
	PATIENCE_MS = 2000, /* a longer Retry-After is not waited for while another model could answer */
	DAY_MS = 86400000
};

static struct call_class classify_status(int status)
{
	switch (status) {
	case 401:
	case 403:
		return (struct call_class){OUTCOME_MODEL_AUTH, false, true};
	case 408:
		return (struct call_class){OUTCOME_MODEL_TIMEOUT, true, true};
	case 409:
	case 425:
		return (struct call_class){OUTCOME_MODEL_UNAVAILABLE, true, false};
	case 429:
		return (struct call_class){OUTCOME_MODEL_LIMITED, true, false};
	default:
		break;
	}
	if (status >= 200 && status <= 299)
		return (struct call_class){OUTCOME_OK, false, false};
	if (status >= 500 && status <= 599)
		return (struct call_class){OUTCOME_MODEL_UNAVAILABLE, true, true};
	if (status >= 300 && status <= 499)
		return (struct call_class){OUTCOME_MODEL_REFUSED, false, false};
	return (struct call_class){OUTCOME_MODEL_GARBAGE, true, true};
}

struct call_class retry_classify(enum transfer_end end, int http_status)
{
	switch (end) {
	case TRANSFER_DONE:
		return classify_status(http_status);
	case TRANSFER_NO_NAME:
	case TRANSFER_NO_CONNECTION:
	case TRANSFER_RESET:
		return (struct call_class){OUTCOME_MODEL_UNAVAILABLE, true, true};
	case TRANSFER_ADDRESS_REFUSED:
	case TRANSFER_TLS:
		return (struct call_class){OUTCOME_MODEL_UNAVAILABLE, false, true};
	case TRANSFER_TIMED_OUT:
		return (struct call_class){OUTCOME_MODEL_TIMEOUT, true, true};
	case TRANSFER_TOO_LARGE:
		return (struct call_class){OUTCOME_ANSWER_TOO_LARGE, false, false};
	case TRANSFER_NOT_HTTP:
	case TRANSFER_ENDS:
		break;
	}
	return (struct call_class){OUTCOME_MODEL_GARBAGE, true, true};
}

/* Days since 1970 of a proleptic Gregorian date (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms"). */
static int64_t days_from_civil(int64_t y, int64_t m, int64_t d)
{
	y -= m <= 2;
	int64_t era = y / 400, yoe = y - era * 400;
	int64_t doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
	return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

static bool digits(struct str s, size_t at, size_t count, int64_t *ret)
{
	int64_t n = 0;
	for (size_t i = at; i < at + count; i++) {
		if (s.data[i] < '0' || s.data[i] > '9')
			return false;
		n = n * 10 + (s.data[i] - '0');
	}
	*ret = n;
	return true;
}

/* "Sun, 06 Nov 1994 08:49:37 GMT": fixed places, RFC 9110 section 5.6.7. The obsolete forms are not read. */
static bool http_date_ms(struct str s, int64_t *ret)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	int64_t d, y, h, m, sec, month = 0;
	if (s.len != 29 || !str_eq((struct str){s.data + 25, 4}, STR(" GMT")) || s.data[4] != ' ' || s.data[7] != ' ' ||
	    s.data[11] != ' ' || s.data[16] != ' ' || s.data[19] != ':' || s.data[22] != ':' || !digits(s, 5, 2, &d) ||
	    !digits(s, 12, 4, &y) || !digits(s, 17, 2, &h) || !digits(s, 20, 2, &m) || !digits(s, 23, 2, &sec))
		return false;
	for (int64_t i = 0; i < 12; i++)
		if (memcmp(months + 3 * i, s.data + 8, 3) == 0)
			month = i + 1;
	if (month == 0 || d < 1 || d > 31 || y < 1970 || h > 23 || m > 59 || sec > 60)
		return false;
	*ret = (((days_from_civil(y, month, d) * 24 + h) * 60 + m) * 60 + sec) * 1000;
	return true;
}

static int64_t bounded(double ms)
{
	if (!(ms > 0))
		return 0;
	return ms >= DAY_MS ? DAY_MS : (int64_t)ms + (ms > (double)(int64_t)ms ? 1 : 0);
}

int64_t retry_after_ms(struct str retry_after, struct str retry_after_millis, int64_t wall_ms)
{
	double n;
	int64_t date_ms;
	if (retry_after_millis.data != NULL && str_to_double(retry_after_millis, &n))
		return bounded(n);
	if (retry_after.data == NULL)
		return 0;
	if (str_to_double(retry_after, &n))
		return bounded(n * 1000);
	if (http_date_ms(retry_after, &date_ms))
		return bounded((double)(date_ms - wall_ms));
	return 0;
}

int64_t retry_backoff_us(uint32_t tries, uint64_t random)
{
	uint32_t doublings = tries == 0 ? 0 : tries - 1;
	int64_t most = doublings >= 7 ? CAP_US : (int64_t)BASE_US << doublings;
	most = most > CAP_US ? CAP_US : most;
	return (int64_t)(random % (uint64_t)(most + 1));
}

struct retry_plan retry_decide(const struct retry_ask *ask)
{
	struct retry_plan elsewhere = {.step = ask->others > 0 && ask->attempts_left > 0 ? RETRY_NEXT : RETRY_GIVE_UP};
	if (!ask->again || ask->attempts_left == 0)
		return elsewhere;
	uint32_t share = (ask->tries_here + ask->attempts_left + ask->others) / (ask->others + 1);
	if (ask->tries_here >= share)
		return elsewhere;
	if (ask->retry_after_ms > PATIENCE_MS && ask->others > 0)
		return elsewhere;
	int64_t wait_us = retry_backoff_us(ask->tries_here, ask->random);
	if (ask->retry_after_ms > 0) /* never sooner than asked; the jitter spreads those who were told the same */
		wait_us = ask->retry_after_ms * 1000 + wait_us % BASE_US;
	int64_t at = ask->now_us + wait_us;
	if (ask->deadline_us != 0 && at >= ask->deadline_us)
		return elsewhere;
	return (struct retry_plan){RETRY_SAME, at};
}
