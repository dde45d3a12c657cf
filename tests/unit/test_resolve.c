/*
 * test_resolve.c: hosts of URLs, and addresses that may not be reached.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "worker/upstream/address.h"
#include "worker/upstream/resolve.h"

static void the_host_of_a_url_is_found_or_refused(void **state)
{
	(void)state;
	static const struct {
		const char *url, *host; /* host NULL: refused */
		uint16_t port;
		bool look_up;
	} cases[] = {
	    {"http://models.example:8000/v1", "models.example", 8000, true},
	    {"https://api.example", "api.example", 443, true},
	    {"http://api.example?x=1", "api.example", 80, true},
	    {"https://user:p%40ss@api.example/v1", "api.example", 443, true},
	    {"http://127.0.0.1:9/v1", "127.0.0.1", 9, false},
	    {"http://[::1]:9/v1", "::1", 9, false},
	    {"http://[::1]", "::1", 80, false},
	    {"http://LocalHost:9", "LocalHost", 9, false},
	    {"ftp://x", NULL, 0, false},
	    {"http://", NULL, 0, false},
	    {"http://:80", NULL, 0, false},
	    {"http://x:0", NULL, 0, false},
	    {"http://x:65536", NULL, 0, false},
	    {"http://x:http", NULL, 0, false},
	    {"http://[::1", NULL, 0, false},
	    {"", NULL, 0, false},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct host host;
		struct err err;
		bool look_up;
		enum rc rc = resolve_host_of(str_of(cases[i].url), &host, &look_up, &err);
		if ((rc == RC_OK) != (cases[i].host != NULL) ||
		    (rc == RC_OK && (!str_is(host.name, cases[i].host) || host.port != cases[i].port || look_up != cases[i].look_up)))
			fail_msg("%s", cases[i].url);
	}
}

static void link_local_and_metadata_addresses_are_refused(void **state)
{
	(void)state;
	static const struct {
		int family;
		const char *address;
		bool allowed;
	} cases[] = {
	    {AF_INET, "127.0.0.1", true},       {AF_INET, "10.0.0.8", true},          {AF_INET, "8.8.8.8", true},
	    {AF_INET, "169.254.169.254", false}, {AF_INET, "169.254.0.1", false},      {AF_INET, "169.253.1.1", true},
	    {AF_INET, "100.100.100.200", false}, {AF_INET, "0.0.0.0", false},          {AF_INET6, "::1", true},
	    {AF_INET6, "2001:db8::1", true},    {AF_INET6, "fe80::1", false},         {AF_INET6, "febf::1", false},
	    {AF_INET6, "fec0::1", true},        {AF_INET6, "fd00:ec2::254", false},   {AF_INET6, "::ffff:169.254.169.254", false},
	    {AF_INET6, "::ffff:10.0.0.8", true}, {AF_INET6, "64:ff9b::a9fe:a9fe", false},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct sockaddr_storage s = {.ss_family = (sa_family_t)cases[i].family};
		void *at = cases[i].family == AF_INET ? (void *)&((struct sockaddr_in *)&s)->sin_addr : (void *)&((struct sockaddr_in6 *)&s)->sin6_addr;
		assert_int_equal(inet_pton(cases[i].family, cases[i].address, at), 1);
		socklen_t len = cases[i].family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
		if (address_allowed((struct sockaddr *)&s, len, false) != cases[i].allowed)
			fail_msg("%s", cases[i].address);
		assert_true(address_allowed((struct sockaddr *)&s, len, true));
	}
	struct sockaddr_storage other = {.ss_family = AF_UNIX};
	assert_false(address_allowed((struct sockaddr *)&other, sizeof other, true));
}

static void on_wake(void *ctx, uint32_t index)
{
	atomic_fetch_add(&((_Atomic int *)ctx)[index], 1);
}

static void names_are_looked_up_and_failures_are_told(void **state)
{
	(void)state;
	/* .invalid never resolves (RFC 6761). */
	static const struct str urls[] = {{"http://127.0.0.1/v1", 19}, {"http://nowhere.invalid:81/v1", 28}};
	_Atomic int wakes[2] = {0, 0};
	struct resolver *r;
	struct err err;
	char line[RESOLVE_LINE_MAX];
	uint32_t version = 0;
	assert_int_equal(resolver_open(urls, 2, NULL, on_wake, wakes, &r, &err), RC_OK);
	assert_int_equal(resolver_get(r, 0, &version, line), RESOLVE_NOT_NEEDED);
	for (int i = 0; i < 6000 && atomic_load(&wakes[1]) == 0; i++)
		usleep(10000);
	assert_int_equal(resolver_get(r, 1, &version, line), RESOLVE_FAILED);
	assert_int_equal(version, 0);
	resolver_close(r);
	assert_int_equal(resolver_open(&(struct str){"gopher://x", 10}, 1, NULL, on_wake, wakes, &r, &err), RC_BAD_INPUT);
}

static void a_name_gives_the_line_libcurl_wants(void **state)
{
	(void)state;
	char name[256], url[300], line[RESOLVE_LINE_MAX], start[300];
	_Atomic int wakes[1] = {0};
	struct resolver *r;
	struct err err;
	uint32_t version = 0;
	assert_int_equal(gethostname(name, sizeof name), 0); /* the machine's own name is the one name that resolves without a network */
	snprintf(url, sizeof url, "http://%s:8000/v1", name);
	assert_int_equal(resolver_open(&(struct str){url, strlen(url)}, 1, NULL, on_wake, wakes, &r, &err), RC_OK);
	for (int i = 0; i < 6000 && atomic_load(&wakes[0]) == 0; i++)
		usleep(10000);
	if (resolver_get(r, 0, &version, line) == RESOLVE_READY) {
		snprintf(start, sizeof start, "%s:8000:", name);
		assert_memory_equal(line, start, strlen(start));
		assert_true(strlen(line) > strlen(start));
		assert_int_equal(version, 1);
	} else {
		print_message("this machine's own name (%s) does not resolve\n", name);
	}
	resolver_close(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_host_of_a_url_is_found_or_refused),
	    cmocka_unit_test(link_local_and_metadata_addresses_are_refused),
	    cmocka_unit_test(names_are_looked_up_and_failures_are_told),
	    cmocka_unit_test(a_name_gives_the_line_libcurl_wants),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
