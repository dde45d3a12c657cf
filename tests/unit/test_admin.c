/*
 * test_admin.c: the admin pages over real connections: paths, headers that keep a browser safe, and snapshots while they change.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <arpa/inet.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "worker/engine/admin.h"

struct fake {
	_Atomic bool healthy, ready;
};

static bool fake_healthy(void *ctx)
{
	return ((struct fake *)ctx)->healthy;
}

static bool fake_ready(void *ctx, struct buf *why)
{
	if (!((struct fake *)ctx)->ready)
		buf_cstr(why, "no broker answers");
	return ((struct fake *)ctx)->ready;
}

static void fake_status(void *ctx, struct buf *out)
{
	(void)ctx; /* unused */
	buf_cstr(out, "{\"version\":\"test\"}");
}

static struct fake fake = {true, true};
static const struct admin_source source = {&fake, fake_healthy, fake_ready, fake_status};

static struct admin *start(struct metrics *metrics)
{
	struct admin *admin;
	struct err err;
	assert_int_equal(admin_start(STR("127.0.0.1:0"), &source, metrics, &admin, &err), RC_OK);
	return admin;
}

static int open_connection(const struct admin *admin)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int64_t port;
	const char *colon = strrchr(admin_address(admin), ':');
	assert_non_null(colon);
	assert_true(str_to_i64(str_of(colon + 1), &port));
	to.sin_port = htons((uint16_t)port);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
	return fd;
}

/* Sends the bytes and gives all that comes until the server closes; free it. */
static char *talk(const struct admin *admin, const char *request, size_t bytes)
{
	int fd = open_connection(admin);
	for (size_t sent = 0; sent < bytes;) {
		ssize_t n = send(fd, request + sent, bytes - sent, MSG_NOSIGNAL);
		if (n <= 0)
			break; /* the server had enough: what it said is still to be read */
		sent += (size_t)n;
	}
	size_t cap = 1 << 20, len = 0;
	char *text = malloc(cap);
	assert_non_null(text);
	for (ssize_t n; len + 1 < cap && (n = recv(fd, text + len, cap - len - 1, 0)) > 0;)
		len += (size_t)n;
	text[len] = '\0';
	close(fd);
	return text;
}

static char *ask(const struct admin *admin, const char *method, const char *path)
{
	char request[300];
	int n = snprintf(request, sizeof request, "%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", method, path);
	return talk(admin, request, (size_t)n);
}

static void every_path_answers_with_its_type(void **state)
{
	(void)state; /* unused */
	static const struct {
		const char *path, *status, *type, *body;
	} rows[] = {
		{"/healthz", "200", "text/plain", "\r\n\r\nok\n"},
		{"/readyz", "200", "text/plain", "\r\n\r\nok\n"},
		{"/metrics", "200", "text/plain; version=0.0.4", "pointsman_test_total 3\n"},
		{"/status", "200", "application/json", "{\"version\":\"test\"}"},
		{"/", "200", "text/html", "<title>pointsman</title>"},
		{"/?a=b", "200", "text/html", "<title>pointsman</title>"},
		{"/nothing", "404", "text/plain", "/healthz"},
		{"/../etc/passwd", "404", "text/plain", "/healthz"},
		{"/status/", "404", "text/plain", "/healthz"},
	};
	struct metrics *metrics = metrics_new();
	counter_add(metrics_counter(metrics, "pointsman_test_total", "Of the test.", NULL), 3);
	struct admin *admin = start(metrics);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char *got = ask(admin, "GET", rows[i].path);
		char type[80];
		snprintf(type, sizeof type, "\r\nContent-Type: %s", rows[i].type);
		assert_memory_equal(got + 9, rows[i].status, 3);
		assert_non_null(strstr(got, type));
		assert_non_null(strstr(got, rows[i].body));
		free(got);
	}
	admin_stop(admin);
	metrics_free(metrics);
}

static void every_answer_has_the_headers_that_keep_a_browser_safe(void **state)
{
	(void)state; /* unused */
	static const char *const paths[] = {"/", "/status", "/metrics", "/nothing"};
	static const char *const headers[] = {"\r\nX-Content-Type-Options: nosniff\r\n", "\r\nContent-Security-Policy: default-src '",
	                                      "frame-ancestors 'none'", "\r\nCache-Control: no-store\r\n", "\r\nReferrer-Policy: no-referrer\r\n"};
	struct admin *admin = start(NULL);
	for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
		char *got = ask(admin, "GET", paths[i]);
		for (size_t h = 0; h < sizeof headers / sizeof headers[0]; h++)
			assert_non_null(strstr(got, headers[h]));
		free(got);
	}
	admin_stop(admin);
}

static void the_pages_nonce_is_new_each_time_and_in_its_policy(void **state)
{
	(void)state; /* unused */
	struct admin *admin = start(NULL);
	char first[33] = "";
	for (int i = 0; i < 2; i++) {
		char *got = ask(admin, "GET", "/");
		const char *in_policy = strstr(got, "script-src 'nonce-");
		assert_non_null(in_policy);
		char nonce[33], script[80];
		snprintf(nonce, sizeof nonce, "%.32s", in_policy + 18);
		snprintf(script, sizeof script, "<script nonce=\"%s\">", nonce);
		assert_non_null(strstr(got, script));
		assert_null(strstr(got, "{{nonce}}"));
		assert_string_not_equal(nonce, first);
		memcpy(first, nonce, sizeof first);
		free(got);
	}
	admin_stop(admin);
}

static void the_page_asks_nobody_else(void **state)
{
	(void)state; /* unused */
	struct str page = admin_page();
	assert_true(page.len > 1000);
	for (size_t i = 0; i + 8 < page.len; i++) /* no address but the name of SVG's namespace, which is never fetched */
		assert_false(memcmp(page.data + i, "https://", 8) == 0 || (memcmp(page.data + i, "http://", 7) == 0 && memcmp(page.data + i + 7, "www.w3.org/2000/svg", 19) != 0));
	assert_null(memmem(page.data, page.len, "innerHTML", 9)); /* names from the outside are text, never markup */
}

static void only_get_and_head_are_answered(void **state)
{
	(void)state; /* unused */
	static const char *const methods[] = {"POST", "PUT", "DELETE", "OPTIONS", "TRACE", "BREW"};
	struct admin *admin = start(NULL);
	for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
		char *got = ask(admin, methods[i], "/status");
		assert_memory_equal(got + 9, "405", 3);
		assert_non_null(strstr(got, "\r\nAllow: GET, HEAD\r\n"));
		free(got);
	}
	char *got = ask(admin, "HEAD", "/status");
	assert_memory_equal(got + 9, "200", 3);
	assert_null(strstr(got, "version\""));
	assert_non_null(strstr(got, "\r\nContent-Length: 19\r\n"));
	free(got);
	const char *post = "POST /status HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\nabc";
	got = talk(admin, post, strlen(post)); /* does not wait for the rest */
	assert_memory_equal(got + 9, "405", 3);
	free(got);
	admin_stop(admin);
}

static void what_is_wrong_is_said_with_503(void **state)
{
	(void)state; /* unused */
	struct admin *admin = start(NULL);
	fake.healthy = fake.ready = false;
	char *health = ask(admin, "GET", "/healthz"), *ready = ask(admin, "GET", "/readyz");
	fake.healthy = fake.ready = true;
	assert_memory_equal(health + 9, "503", 3);
	assert_memory_equal(ready + 9, "503", 3);
	assert_non_null(strstr(ready, "\r\n\r\nno broker answers\n"));
	free(health);
	free(ready);
	admin_stop(admin);
}

static void a_request_over_the_bound_is_refused_and_the_next_is_served(void **state)
{
	(void)state; /* unused */
	struct admin *admin = start(NULL);
	enum { LARGE = 1 << 20 };
	char *request = malloc(LARGE);
	assert_non_null(request);
	memset(request, 'a', LARGE);
	memcpy(request, "GET /", 5);
	char *got = talk(admin, request, LARGE);
	assert_true(got[0] == '\0' || got[9] == '4');
	free(got);
	memset(request, 0xff, LARGE);
	got = talk(admin, request, LARGE);
	assert_true(got[0] == '\0' || got[9] == '4');
	free(got);
	free(request);
	got = ask(admin, "GET", "/healthz");
	assert_memory_equal(got + 9, "200", 3);
	free(got);
	admin_stop(admin);
}

static void connections_over_the_bound_do_not_stop_the_others(void **state)
{
	(void)state; /* unused */
	struct admin *admin = start(NULL);
	int idle[80];
	for (size_t i = 0; i < 80; i++)
		idle[i] = open_connection(admin);
	for (size_t i = 0; i < 80; i++)
		close(idle[i]);
	char *got = ask(admin, "GET", "/healthz");
	assert_memory_equal(got + 9, "200", 3);
	free(got);
	admin_stop(admin);
}

static void an_address_that_cannot_be_had_is_said_in_words(void **state)
{
	(void)state; /* unused */
	static const struct {
		const char *listen;
		enum rc rc;
		const char *words;
	} rows[] = {
		{"", RC_BAD_INPUT, "host:port"},
		{"9464", RC_BAD_INPUT, "host:port"},
		{"localhost:", RC_BAD_INPUT, "host:port"},
		{"localhost:65536", RC_BAD_INPUT, "host:port"},
		{"localhost:-1", RC_BAD_INPUT, "host:port"},
		{"localhost:http", RC_BAD_INPUT, "host:port"},
		{"203.0.113.77:0", RC_FATAL, "Cannot assign"},
	};
	struct admin *admin;
	struct err err;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		assert_int_equal(admin_start(str_of(rows[i].listen), &source, NULL, &admin, &err), rows[i].rc);
		assert_non_null(strstr(err.text, rows[i].words));
	}
	admin = start(NULL);
	struct admin *second;
	assert_int_equal(admin_start(str_of(admin_address(admin)), &source, NULL, &second, &err), RC_FATAL);
	assert_non_null(strstr(err.text, "another process has the port"));
	admin_stop(admin);
}

static void it_stops_with_connections_open(void **state)
{
	(void)state; /* unused */
	struct admin *admin = start(NULL);
	int fd = open_connection(admin);
	assert_int_equal(send(fd, "GET / HT", 8, MSG_NOSIGNAL), 8);
	admin_stop(admin);
	char byte;
	assert_true(recv(fd, &byte, 1, 0) <= 0);
	close(fd);
	admin_stop(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_path_answers_with_its_type),
		cmocka_unit_test(every_answer_has_the_headers_that_keep_a_browser_safe),
		cmocka_unit_test(the_pages_nonce_is_new_each_time_and_in_its_policy),
		cmocka_unit_test(the_page_asks_nobody_else),
		cmocka_unit_test(only_get_and_head_are_answered),
		cmocka_unit_test(what_is_wrong_is_said_with_503),
		cmocka_unit_test(a_request_over_the_bound_is_refused_and_the_next_is_served),
		cmocka_unit_test(connections_over_the_bound_do_not_stop_the_others),
		cmocka_unit_test(an_address_that_cannot_be_had_is_said_in_words),
		cmocka_unit_test(it_stops_with_connections_open),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
