/*
 * fuzz_served.c: bytes of a server: the first one says whether of Redis (even) or of a schema registry (odd), over TCP.
 *
 * A thread of this process accepts, sends the rest of the input, and closes; what the client says is not read before. Ours
 * must end with a value or words; a refused connection stays closed, and no value is longer than was allowed.
 */
#include <arpa/inet.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/http.h"
#include "tests/fuzz/fuzz.h"
#include "worker/cache/redis.h"
#include "worker/wire/room.h"

enum { TIMEOUT_MS = 200, MAX_VALUE = 512 };

static int listener = -1;
static uint16_t port;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of what is said: a connection given up may be accepted late */
static char said[16384];
static size_t said_bytes;

static void *serve(void *unused)
{
	char heard[4096], say[sizeof said];
	(void)unused; /* pthread's argument */
	for (;;) {
		int fd = accept(listener, NULL, NULL);
		if (fd < 0)
			continue;
		(void)pthread_mutex_lock(&lock); /* cannot fail */
		size_t bytes = said_bytes;
		memcpy(say, said, bytes);
		(void)pthread_mutex_unlock(&lock);
		for (size_t at = 0; at < bytes;) {
			ssize_t n = send(fd, say + at, bytes - at, MSG_NOSIGNAL);
			if (n <= 0)
				break;
			at += (size_t)n;
		}
		(void)shutdown(fd, SHUT_WR); /* it may have gone already */
		while (recv(fd, heard, sizeof heard, 0) > 0) {
		}
		(void)close(fd); /* nothing is kept in it */
	}
	return NULL;
}

static void serve_once(void)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof in;
	pthread_t thread;
	if (listener >= 0)
		return;
	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	FUZZ_CHECK(listener >= 0 && bind(listener, (struct sockaddr *)&in, len) == 0 && listen(listener, 16) == 0);
	FUZZ_CHECK(getsockname(listener, (struct sockaddr *)&in, &len) == 0);
	port = ntohs(in.sin_port);
	FUZZ_CHECK(pthread_create(&thread, NULL, serve, NULL) == 0 && pthread_detach(thread) == 0);
}

static void on_value(void *ctx, uint32_t index, struct str value)
{
	uint32_t *next = ctx;
	FUZZ_CHECK(index >= *next && index < 2 && value.data != NULL && value.len <= MAX_VALUE);
	*next = index + 1;
}

static void ask_redis(void)
{
	static const struct str keys[] = {{"a", 1}, {"b", 1}};
	struct redis_address address = {.port = port, .host = "127.0.0.1", .shown = "here"};
	struct redis_set set = {keys[0], STR("v"), 1000};
	struct redis *redis = redis_new(&address, TIMEOUT_MS, MAX_VALUE);
	struct err err = {""};
	uint32_t next = 0;
	if (redis_connect(redis, &err) == RC_OK) {
		if (said_bytes % 2 == 1)
			(void)redis_set_all(redis, &set, 1, &err); /* its answer is met by the read */
		if (redis_mget(redis, keys, 2, on_value, &next, &err) != RC_OK)
			FUZZ_CHECK(err.text[0] != '\0' && !redis_is_connected(redis));
		(void)redis_take_refused(redis, &err); /* any number */
	}
	redis_free(redis);
}

static void ask_registry(void)
{
	static struct model_settings models[] = {{.name = {"small", 5}}};
	struct settings settings = {.models = models, .model_count = 1};
	char url[64];
	struct err err = {""};
	struct wire *wire;
	int len = snprintf(url, sizeof url, "http://127.0.0.1:%u", port);
	settings.registry.url = (struct str){url, (size_t)len}; /* at most 22 characters */
	settings.output.responses = STR("out");
	settings.output.decisions = STR("audit");
	FUZZ_CHECK(wire_open(&settings, NULL, &wire, &err) == RC_OK);
	struct http *http = http_new(TIMEOUT_MS, 65536);
	struct wire_want look = {.schema_id = 7}, enter = {.subject = STR("s"), .schema = STR("\"null\"")};
	const struct avro_type *schema = NULL;
	wire_want_schema(wire, 7, 0);
	if (said_bytes % 2 == 0) {
		enum rc rc = wire_fetch(wire, http, &look, 0, &err);
		FUZZ_CHECK((rc == RC_OK) == (registry_find(wire->registry, 7, &schema) == SCHEMA_KNOWN));
		FUZZ_CHECK(rc != RC_OK || schema != NULL);
		FUZZ_CHECK(rc == RC_OK || err.text[0] != '\0');
	} else if (wire_fetch(wire, http, &enter, 0, &err) != RC_OK) {
		FUZZ_CHECK(err.text[0] != '\0');
	}
	http_free(http);
	wire_close(wire);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	if (bytes == 0 || bytes > sizeof said)
		return 0;
	serve_once();
	(void)pthread_mutex_lock(&lock); /* cannot fail */
	said_bytes = bytes - 1;
	memcpy(said, data + 1, said_bytes);
	(void)pthread_mutex_unlock(&lock);
	if (data[0] % 2 == 0)
		ask_redis();
	else
		ask_registry();
	return 0;
}
