/*
 * test_redis.c: our use of the client against a real Redis, and against strangers that say anything.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "common/clock.h"
#include "tests/unit/redis_server.h"
#include "worker/cache/redis.h"

static struct redis_server server = {.password = "hunter2"};

static struct redis_address address_of(const char *url, const char *password)
{
	struct redis_address address;
	struct err err;
	assert_int_equal(redis_url_parse(str_of(url), str_of(password), &address, &err), RC_OK);
	return address;
}

struct seen {
	unsigned count;
	uint32_t last_index;
	char text[100];
};

static void see(void *ctx, uint32_t index, struct str value)
{
	struct seen *seen = ctx;
	seen->count++;
	seen->last_index = index;
	snprintf(seen->text, sizeof seen->text, "%.*s", STR_ARG(value));
}

static void it_logs_in_chooses_the_database_and_pings(void **state)
{
	(void)state; /* unused */
	struct redis_address address = address_of(server.url, "hunter2");
	struct redis *redis = redis_new(&address, 1000, 100);
	struct err err;
	assert_false(redis_is_connected(redis));
	assert_int_equal(redis_ping(redis, &err), RC_OK);
	assert_true(redis_is_connected(redis));
	assert_int_equal(redis_set_all(redis, &(struct redis_set){STR("in two"), STR("v"), 60000}, 1, &err), RC_OK);
	assert_int_equal(redis_ping(redis, &err), RC_OK); /* the set has been answered then */
	const char *get[] = {"GET", "in two"}; /* the test's own client reads database 2 */
	redisReply *reply = server_ask(&server, 2, get, NULL);
	assert_string_equal(reply->str, "v");
	freeReplyObject(reply);
	redis_free(redis);
}

static void a_refused_login_is_said_in_the_servers_words(void **state)
{
	(void)state; /* unused */
	static const struct {
		const char *password, *words;
	} rows[] = {{"wrong", "WRONGPASS"}, {NULL, "NOAUTH"}};
	for (unsigned i = 0; i < 2; i++) {
		struct redis_address address = address_of(server.url, rows[i].password);
		struct redis *redis = redis_new(&address, 1000, 100);
		struct err err;
		assert_int_equal(redis_ping(redis, &err), RC_UNAVAILABLE);
		assert_non_null(strstr(err.text, rows[i].words));
		assert_false(redis_is_connected(redis));
		redis_free(redis);
	}
}

static void sets_are_read_back_with_their_time_to_live(void **state)
{
	(void)state; /* unused */
	struct redis_address address = address_of(server.url, "hunter2");
	struct redis *redis = redis_new(&address, 1000, 100);
	struct err err;
	struct seen seen = {0};
	const struct redis_set sets[] = {{STR("a"), STR("1"), 60000}, {STR("b\0c"), STR(""), 60000}, {STR("d"), STR("bin\0\r\nary"), 1}};
	assert_int_equal(redis_connect(redis, &err), RC_OK);
	assert_int_equal(redis_set_all(redis, sets, 3, &err), RC_OK);
	server_pause_ms(20); /* the third is over by then */
	assert_int_equal(redis_mget(redis, (struct str[]){STR("d"), STR("none"), STR("b\0c"), STR("a")}, 4, see, &seen, &err), RC_OK);
	assert_int_equal(seen.count, 2);
	assert_int_equal(seen.last_index, 3);
	assert_string_equal(seen.text, "1");
	const char *pttl[] = {"PTTL", "a"};
	redisReply *reply = server_ask(&server, 2, pttl, NULL);
	assert_in_range(reply->integer, 1, 60000);
	freeReplyObject(reply);
	assert_int_equal(redis_take_refused(redis, &err), 0);
	redis_free(redis);
}

static void thousands_of_sets_without_a_read_do_not_block(void **state)
{
	(void)state; /* unused */
	struct redis_address address = address_of(server.url, "hunter2");
	struct redis *redis = redis_new(&address, 5000, 4096);
	static char value[4096];
	struct redis_set sets[64];
	struct err err;
	for (unsigned i = 0; i < 64; i++)
		sets[i] = (struct redis_set){STR("same"), {value, sizeof value}, 60000};
	assert_int_equal(redis_connect(redis, &err), RC_OK);
	for (unsigned i = 0; i < 200; i++)
		assert_int_equal(redis_set_all(redis, sets, 64, &err), RC_OK);
	assert_int_equal(redis_ping(redis, &err), RC_OK);
	redis_free(redis);
}

/* A server that is no Redis: says what it is told to, over and over, a piece at a time. */
struct stranger {
	int listener;
	char path[108], url[128];
	const char *piece;
	size_t piece_len;
	long pause_ms;
	_Atomic bool stop;
	pthread_t thread;
};

static void *speak(void *arg)
{
	struct stranger *s = arg;
	while (!s->stop) {
		int fd = accept(s->listener, NULL, NULL);
		for (bool more = fd >= 0; more && !s->stop; server_pause_ms(s->pause_ms))
			more = send(fd, s->piece, s->piece_len, MSG_NOSIGNAL | MSG_DONTWAIT) > 0 || errno == EAGAIN;
		if (fd >= 0)
			close(fd);
	}
	return NULL;
}

static void stranger_start(struct stranger *s)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	snprintf(s->path, sizeof s->path, "%s/stranger.sock", server.folder);
	snprintf(s->url, sizeof s->url, "unix://%s", s->path);
	memcpy(to.sun_path, s->path, sizeof to.sun_path);
	s->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(s->listener, (struct sockaddr *)&to, sizeof to), 0);
	assert_int_equal(listen(s->listener, 4), 0);
	assert_int_equal(pthread_create(&s->thread, NULL, speak, s), 0);
}

static void stranger_end(struct stranger *s)
{
	s->stop = true;
	shutdown(s->listener, SHUT_RDWR);
	pthread_join(s->thread, NULL);
	close(s->listener);
	unlink(s->path);
}

static void whatever_a_stranger_says_ends_in_time(void **state)
{
	(void)state; /* unused */
	static char flood[65536];
	memset(flood, 'x', sizeof flood);
	memcpy(flood, "$900000000\r\n", 12); /* announces a gigabyte, then sends it as fast as it can */
	const struct {
		const char *piece;
		size_t len;
		long pause_ms;
	} rows[] = {
		{"$", 1, 1},                      /* drips: each read succeeds, no answer ever ends */
		{"\r\n", 2, 5},
		{"HTTP/1.1 400 Bad Request\r\n\r\n", 28, 50},
		{"*2\r\n+a\r\n+b\r\n", 12, 50},   /* two elements for one key */
		{"*1\r\n:7\r\n", 8, 50},          /* an element of a wrong kind */
		{":7\r\n", 4, 50},
		{"*-1\r\n", 5, 50},
		{"-LOADING Redis is loading the dataset in memory\r\n", 49, 50},
		{"*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n", 44, 50}, /* nested too deep */
		{"\0\0\0\0", 4, 50},
		{flood, sizeof flood, 0},
	};
	for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct stranger s = {.piece = rows[i].piece, .piece_len = rows[i].len, .pause_ms = rows[i].pause_ms};
		struct seen seen = {0};
		struct err err;
		stranger_start(&s);
		struct redis_address address = address_of(s.url, NULL);
		struct redis *redis = redis_new(&address, 200, 100);
		int64_t begun_us = clock_mono_us();
		assert_int_equal(redis_connect(redis, &err), RC_OK);
		enum rc rc = redis_mget(redis, (struct str[]){STR("k")}, 1, see, &seen, &err);
		assert_int_equal(seen.count, 0);
		assert_int_equal(rc == RC_OK, i == 4); /* a well-formed array without a string is a miss */
		assert_true(clock_mono_us() - begun_us < 20 * 1000000); /* it ends; how fast is the machine's affair */
		redis_free(redis);
		stranger_end(&s);
	}
}

static int begin(void **state)
{
	(void)state; /* unused */
	return server_start(&server) ? 0 : -1;
}

static int end(void **state)
{
	(void)state; /* unused */
	server_end(&server);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_logs_in_chooses_the_database_and_pings),
		cmocka_unit_test(a_refused_login_is_said_in_the_servers_words),
		cmocka_unit_test(sets_are_read_back_with_their_time_to_live),
		cmocka_unit_test(thousands_of_sets_without_a_read_do_not_block),
		cmocka_unit_test(whatever_a_stranger_says_ends_in_time),
	};
	return cmocka_run_group_tests(tests, begin, end);
}
