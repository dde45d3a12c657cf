/* test_http.c: the control plane's client against a small real HTTP server. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/http.h"

enum { MAX_BODY = 1000 };

struct fixture {
	struct MHD_Daemon *daemon;
	struct http *http;
	struct arena arena;
	unsigned port;
};

struct upload {
	char data[4096];
	size_t len;
};

/* /echo: method, two headers and body; /big/N: N bytes; /moved: a redirect; /404. */
static enum MHD_Result answer(void *cls, struct MHD_Connection *c, const char *url, const char *method, const char *version, const char *data,
                              size_t *bytes, void **state)
{
	(void)cls, (void)version; /* unused parameters */
	if (*state == NULL) {
		*state = heap_zalloc(1, sizeof(struct upload));
		return MHD_YES;
	}
	struct upload *up = *state;
	if (*bytes != 0) {
		if (*bytes > sizeof up->data - up->len)
			return MHD_NO;
		memcpy(up->data + up->len, data, *bytes);
		up->len += *bytes;
		*bytes = 0;
		return MHD_YES;
	}
	char text[8192];
	unsigned status = 200;
	size_t len = 0;
	if (strncmp(url, "/big/", 5) == 0) {
		len = (size_t)strtoul(url + 5, NULL, 10);
		memset(text, 'x', len);
	} else if (strcmp(url, "/moved") == 0) {
		status = 302;
	} else if (strcmp(url, "/404") == 0) {
		status = 404;
	} else {
		const char *x = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "X-Test"), *expect = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Expect");
		len = (size_t)snprintf(text, sizeof text, "%s %s %s %.*s", method, x != NULL ? x : "-", expect != NULL ? expect : "-", (int)up->len, up->data);
	}
	struct MHD_Response *r = MHD_create_response_from_buffer(len, text, MHD_RESPMEM_MUST_COPY);
	if (status == 302)
		(void)MHD_add_response_header(r, "Location", "/echo"); /* a failure shows in the test */
	enum MHD_Result result = MHD_queue_response(c, status, r);
	MHD_destroy_response(r);
	return result;
}

static void request_done(void *cls, struct MHD_Connection *c, void **state, enum MHD_RequestTerminationCode why)
{
	(void)cls, (void)c, (void)why; /* unused parameters */
	free(*state);
	*state = NULL;
}

static int set_up(void **state)
{
	struct fixture *f = heap_zalloc(1, sizeof *f);
	struct sockaddr_in local = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	f->daemon = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_ERROR_LOG, 0, NULL, NULL, answer, NULL, MHD_OPTION_SOCK_ADDR, &local,
	                             MHD_OPTION_NOTIFY_COMPLETED, request_done, NULL, MHD_OPTION_END);
	if (f->daemon == NULL)
		return -1;
	f->port = MHD_get_daemon_info(f->daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
	f->http = http_new(5000, MAX_BODY);
	arena_init(&f->arena, 0);
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	http_free(f->http);
	MHD_stop_daemon(f->daemon);
	arena_free(&f->arena);
	free(f);
	return 0;
}

static const char *at(struct fixture *f, const char *path)
{
	return arena_printf(&f->arena, "http://127.0.0.1:%u%s", f->port, path).data;
}

static void a_get_and_a_post_arrive_with_their_headers(void **state)
{
	struct fixture *f = *state;
	struct http_answer a;
	struct err err = {""};
	static const char *const headers[] = {"X-Test: yes", NULL};
	assert_int_equal(http_send(f->http, at(f, "/echo"), NULL, STR_NULL, &f->arena, &a, &err), RC_OK);
	assert_int_equal(a.status, 200);
	assert_true(str_is(a.body, "GET - - "));
	assert_int_equal(http_send(f->http, at(f, "/echo"), headers, STR("a body"), &f->arena, &a, &err), RC_OK);
	assert_true(str_is(a.body, "POST yes - a body"));
	char long_body[900];
	memset(long_body, 'b', sizeof long_body);
	assert_int_equal(http_send(f->http, at(f, "/echo"), headers, (struct str){long_body, sizeof long_body}, &f->arena, &a, &err), RC_OK);
	assert_true(str_starts(a.body, STR("POST yes - bbb")));
	assert_int_equal(a.body.len, 11 + sizeof long_body);
	assert_int_equal(http_send(f->http, at(f, "/echo"), NULL, STR(""), &f->arena, &a, &err), RC_OK);
	assert_true(str_is(a.body, "POST - - ")); /* an empty body is a body, and the headers of before are gone */
	assert_int_equal(http_send(f->http, at(f, "/echo"), NULL, STR_NULL, &f->arena, &a, &err), RC_OK);
	assert_true(str_is(a.body, "GET - - "));
}

static void a_status_is_an_answer_and_a_redirect_is_not_followed(void **state)
{
	struct fixture *f = *state;
	struct http_answer a;
	struct err err = {""};
	assert_int_equal(http_send(f->http, at(f, "/404"), NULL, STR_NULL, &f->arena, &a, &err), RC_OK);
	assert_int_equal(a.status, 404);
	assert_true(a.body.len == 0 && a.body.data != NULL);
	assert_int_equal(http_send(f->http, at(f, "/moved"), NULL, STR_NULL, &f->arena, &a, &err), RC_OK);
	assert_int_equal(a.status, 302);
}

static void a_body_over_the_bound_is_refused(void **state)
{
	struct fixture *f = *state;
	struct http_answer a = {.status = 7};
	struct err err = {""};
	assert_int_equal(http_send(f->http, at(f, "/big/1000"), NULL, STR_NULL, &f->arena, &a, &err), RC_OK);
	assert_int_equal(a.body.len, 1000);
	a.status = 7;
	assert_int_equal(http_send(f->http, at(f, "/big/1001"), NULL, STR_NULL, &f->arena, &a, &err), RC_UNAVAILABLE);
	assert_non_null(strstr(err.text, "the answer is longer than 1000 bytes"));
	assert_int_equal(a.status, 7);
}

static void other_protocols_and_broken_urls_are_refused(void **state)
{
	struct fixture *f = *state;
	static const char *const urls[] = {"file:///etc/passwd", "ftp://127.0.0.1/x", "gopher://127.0.0.1/", "", "http://", "http://[::1"};
	for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
		struct http_answer a;
		struct err err = {""};
		assert_int_equal(http_send(f->http, urls[i], NULL, STR_NULL, &f->arena, &a, &err), RC_BAD_INPUT);
		assert_non_null(strstr(err.text, "not an http or https URL"));
	}
}

static void nobody_there_is_unavailable_and_no_password_is_shown(void **state)
{
	struct fixture *f = *state;
	struct http_answer a;
	struct err err = {""};
	int taken = socket(AF_INET, SOCK_STREAM, 0); /* bound but not listening: a connection is refused */
	struct sockaddr_in local = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof local;
	assert_int_equal(bind(taken, (struct sockaddr *)&local, len), 0);
	assert_int_equal(getsockname(taken, (struct sockaddr *)&local, &len), 0);
	const char *url = arena_printf(&f->arena, "http://user:hidden@127.0.0.1:%u/x", ntohs(local.sin_port)).data;
	assert_int_equal(http_send(f->http, url, NULL, STR_NULL, &f->arena, &a, &err), RC_UNAVAILABLE);
	assert_null(strstr(err.text, "hidden"));
	assert_true(str_starts(str_of(err.text), STR("http://127.0.0.1:")));
	close(taken);
}

static void the_proxy_of_the_environment_is_not_used(void **state)
{
	struct fixture *f = *state;
	struct http_answer a;
	struct err err = {""};
	assert_int_equal(setenv("http_proxy", "http://127.0.0.1:1", 1), 0);
	assert_int_equal(http_send(f->http, at(f, "/echo"), NULL, STR_NULL, &f->arena, &a, &err), RC_OK);
	assert_int_equal(unsetenv("http_proxy"), 0);
}

static void silence_ends_with_the_timeout(void **state)
{
	struct fixture *f = *state;
	struct http_answer a;
	struct err err = {""};
	int quiet = socket(AF_INET, SOCK_STREAM, 0); /* listening: the connection is made, and nobody answers */
	struct sockaddr_in local = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof local;
	assert_int_equal(bind(quiet, (struct sockaddr *)&local, len), 0);
	assert_int_equal(listen(quiet, 4), 0);
	assert_int_equal(getsockname(quiet, (struct sockaddr *)&local, &len), 0);
	struct http *hasty = http_new(50, MAX_BODY);
	assert_int_equal(http_send(hasty, arena_printf(&f->arena, "http://127.0.0.1:%u/", ntohs(local.sin_port)).data, NULL, STR_NULL, &f->arena, &a, &err),
	                 RC_UNAVAILABLE);
	http_free(hasty);
	close(quiet);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_get_and_a_post_arrive_with_their_headers, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_status_is_an_answer_and_a_redirect_is_not_followed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_body_over_the_bound_is_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(other_protocols_and_broken_urls_are_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(nobody_there_is_unavailable_and_no_password_is_shown, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_proxy_of_the_environment_is_not_used, set_up, tear_down),
		cmocka_unit_test_setup_teardown(silence_ends_with_the_timeout, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
