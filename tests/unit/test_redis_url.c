/*
 * test_redis_url.c: addresses of Redis as people write them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "worker/cache/redis_url.h"

static void every_form_is_read_into_its_parts(void **state)
{
	(void)state; /* unused */
	static const struct {
		const char *url;
		struct redis_address want;
	} rows[] = {
		{"redis://localhost", {false, 6379, 0, "localhost", "", "", "localhost:6379"}},
		{"redis://localhost:6380/3", {false, 6380, 3, "localhost", "", "", "localhost:6380"}},
		{"redis://localhost/", {false, 6379, 0, "localhost", "", "", "localhost:6379"}},
		{"redis://:secret@cache.internal:6379/0", {false, 6379, 0, "cache.internal", "", "secret", "cache.internal:6379"}},
		{"redis://secret@h", {false, 6379, 0, "h", "", "secret", "h:6379"}},
		{"redis://worker:p%40ss%3Aw%2Frd@h", {false, 6379, 0, "h", "worker", "p@ss:w/rd", "h:6379"}},
		{"redis://u:p@ss@h:1", {false, 1, 0, "h", "u", "p@ss", "h:1"}},
		{"redis://[::1]:6379/1", {false, 6379, 1, "::1", "", "", "[::1]:6379"}},
		{"redis://[fe80::1]", {false, 6379, 0, "fe80::1", "", "", "[fe80::1]:6379"}},
		{"unix:///run/redis.sock", {true, 0, 0, "/run/redis.sock", "", "", "unix:/run/redis.sock"}},
		{"unix:///run/redis.sock?db=7", {true, 0, 7, "/run/redis.sock", "", "", "unix:/run/redis.sock"}},
		{"unix:/run/a%20b.sock", {true, 0, 0, "/run/a b.sock", "", "", "unix:/run/a b.sock"}},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct redis_address got;
		struct err err;
		assert_int_equal(redis_url_parse(str_of(rows[i].url), STR_NULL, &got, &err), RC_OK);
		assert_int_equal(got.unix_socket, rows[i].want.unix_socket);
		assert_int_equal(got.port, rows[i].want.port);
		assert_int_equal(got.db, rows[i].want.db);
		assert_string_equal(got.host, rows[i].want.host);
		assert_string_equal(got.user, rows[i].want.user);
		assert_string_equal(got.password, rows[i].want.password);
		assert_string_equal(got.shown, rows[i].want.shown);
	}
}

static void what_cannot_be_read_is_refused_with_advice(void **state)
{
	(void)state; /* unused */
	static const struct {
		const char *url, *words;
	} rows[] = {
		{"", "redis://localhost:6379/0"},
		{"localhost:6379", "must begin with redis://"},
		{"http://localhost", "must begin with redis://"},
		{"rediss://localhost", "TLS"},
		{"redis://", "no host"},
		{"redis://:6379", "no host"},
		{"redis://h:0", "no port"},
		{"redis://h:65536", "no port"},
		{"redis://h:six", "no port"},
		{"redis://h/one", "no database number"},
		{"redis://h/-1", "no database number"},
		{"redis://:hunter2%zz@h", "wrongly escaped"},
		{"redis://:hunter2%00@h", "wrongly escaped"},
		{"redis://:hunter2%4", "no port"},
		{"unix://run/redis.sock", "must be absolute"},
		{"unix://", "must be absolute"},
		{"unix:///run/redis.sock?password=hunter2", "only ?db=N"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct redis_address got = {.port = 7};
		struct err err;
		assert_int_equal(redis_url_parse(str_of(rows[i].url), STR_NULL, &got, &err), RC_BAD_INPUT);
		assert_non_null(strstr(err.text, rows[i].words));
		assert_int_equal(got.port, 7);
		if (strchr(rows[i].url, '@') != NULL)
			assert_null(strstr(err.text, "hunter2"));
	}
}

static void parts_over_their_bound_are_refused(void **state)
{
	(void)state; /* unused */
	char url[2000];
	struct redis_address got;
	struct err err;
	static const struct {
		const char *before, *after;
		size_t longest;
	} rows[] = {{"redis://", ":1", 255}, {"redis://:", "@h", 511}, {"redis://", ":p@h", 127}, {"unix:///", "", 106}};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		for (size_t extra = 0; extra < 2; extra++) {
			char middle[600] = {0};
			memset(middle, 'a', rows[i].longest + extra);
			snprintf(url, sizeof url, "%s%s%s", rows[i].before, middle, rows[i].after);
			assert_int_equal(redis_url_parse(str_of(url), STR_NULL, &got, &err), extra == 0 ? RC_OK : RC_BAD_INPUT);
		}
	}
}

static void a_password_beside_the_url_wins(void **state)
{
	(void)state; /* unused */
	struct redis_address got;
	struct err err;
	assert_int_equal(redis_url_parse(STR("redis://:old@h"), STR("new"), &got, &err), RC_OK);
	assert_string_equal(got.password, "new");
	assert_null(strstr(got.shown, "new"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_form_is_read_into_its_parts),
		cmocka_unit_test(what_cannot_be_read_is_refused_with_advice),
		cmocka_unit_test(parts_over_their_bound_are_refused),
		cmocka_unit_test(a_password_beside_the_url_wins),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
