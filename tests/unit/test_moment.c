/*
 * test_moment.c: points of time as people write them, and back.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>
#include <time.h>

#include "worker/cli/moment.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

enum { NOW_S = 1795514400 }; /* 2026-11-24T10:00:00Z */
static const int64_t now_ms = (int64_t)NOW_S * 1000;

static void a_moment_is_read_in_each_form(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int64_t seconds;
	} cases[] = {
		{"90s", NOW_S - 90},
		{"0s", NOW_S},
		{"30m", NOW_S - 1800},
		{"2h", NOW_S - 7200},
		{"7d", NOW_S - 604800},
		{"2026-11-24", NOW_S - 36000},
		{"2026-11-24T10:00Z", NOW_S},
		{"2026-11-24T10:00", NOW_S},
		{"2026-11-24T10:00:07Z", NOW_S + 7},
		{"2026-11-24T11:30+01:30", NOW_S},
		{"2026-11-24T05:00:00-05:00", NOW_S},
		{"1970-01-01", 0},
		{"2024-02-29", 1709164800},
		{"2000-02-29T23:59:59Z", 951868799},
	};
	for (size_t i = 0; i < COUNT(cases); i++) {
		int64_t got = -1;
		if (!moment_parse(str_of(cases[i].text), now_ms, &got) || got != cases[i].seconds * 1000)
			fail_msg("%s: %lld", cases[i].text, (long long)got);
	}
}

static void what_is_no_moment_is_refused(void **state)
{
	(void)state;
	static const char *const cases[] = {"",           "h",          "2",          "-2h",        "2w",         "2h30m",      "99999999999d",
	                                    "2026",       "2026-13-01", "2026-00-01", "2026-02-29", "2026-11-31", "2026-11-2",  "2026-11-24T",
	                                    "2026-11-24T10", "2026-11-24T24:00Z", "2026-11-24T10:60Z", "2026-11-24T10:00:61Z", "2026-11-24T10:00:",
	                                    "2026-11-24T10:00X", "2026-11-24T10:00+1:00", "2026-11-24T10:00+24:00", "2026-11-24 10:00", "yesterday"};
	for (size_t i = 0; i < COUNT(cases); i++) {
		int64_t got = 42;
		if (moment_parse(str_of(cases[i]), now_ms, &got) || got != 42)
			fail_msg("\"%s\" was taken for a time", cases[i]);
	}
}

static void what_is_written_is_read_again_and_is_what_the_c_library_says(void **state)
{
	(void)state;
	uint64_t seed = 7;
	for (int i = 0; i < 20000; i++) {
		char text[MOMENT_TEXT], oracle[MOMENT_TEXT];
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		time_t seconds = (time_t)((seed >> 20) % 253402300800u);
		struct tm parts;
		moment_write((int64_t)seconds * 1000 + 999, text);
		assert_non_null(gmtime_r(&seconds, &parts));
		assert_true(strftime(oracle, sizeof oracle, "%Y-%m-%dT%H:%M:%SZ", &parts) != 0);
		assert_string_equal(text, oracle);
		int64_t again;
		assert_true(moment_parse(str_of(text), now_ms, &again));
		assert_int_equal(again, (int64_t)seconds * 1000);
	}
	char text[MOMENT_TEXT];
	moment_write(-1, text);
	assert_string_equal(text, "-");
	moment_write(INT64_MAX, text);
	assert_string_equal(text, "-");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_moment_is_read_in_each_form),
		cmocka_unit_test(what_is_no_moment_is_refused),
		cmocka_unit_test(what_is_written_is_read_again_and_is_what_the_c_library_says),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
