/*
 * redis.c: the adapter of hiredis (0.14 and 1.x).
 *
 * The one idea: hiredis connects and parses; sending and waiting are done here, because its own blocking calls bound each
 * system call instead of the whole exchange, let a server feed any number of bytes, and write without MSG_NOSIGNAL.
 * Commands are appended to one buffer and sent in one go. Nobody waits for the answers to sets: they are read, in order,
 * before the answer to the next read.
 *
 * It decides nothing about when to connect or give up: that is the breaker's.
 */
#include "worker/cache/redis.h"

#include <errno.h>
#include <hiredis/hiredis.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "common/arena.h"
#include "common/clock.h"

enum { MAX_PENDING_SETS = 4096, SPARE_REPLY_BYTES = 1024 * 1024 };

struct redis {
	const struct redis_address *address;
	redisContext *context; /* NULL: not connected */
	int64_t timeout_ms;
	size_t max_reply_bytes;
	char *out; /* commands not sent yet */
	size_t out_len, out_cap;
	uint32_t pending_sets; /* sent, their answers not read yet */
	uint32_t refused;
	struct err refusal;
};

struct redis *redis_new(const struct redis_address *address, int64_t timeout_ms, size_t max_reply_bytes)
{
	struct redis *r = heap_zalloc(1, sizeof *r);
	r->address = address;
	r->timeout_ms = timeout_ms;
	r->max_reply_bytes = max_reply_bytes;
	return r;
}

static void hang_up(struct redis *r)
{
	if (r->context != NULL)
		redisFree(r->context);
	r->context = NULL;
	r->out_len = 0;
	r->pending_sets = 0;
}

static void append(struct redis *r, const char *data, size_t bytes)
{
	if (r->out_cap - r->out_len < bytes) {
		r->out_cap = (r->out_len + bytes) * 2; /* bounded by the cache's batches */
		r->out = heap_resize(r->out, r->out_cap, 1);
	}
	if (bytes != 0)
		memcpy(r->out + r->out_len, data, bytes);
	r->out_len += bytes;
}

/* By hand, from behind: there is one of them to each key of a batch. */
static void append_number(struct redis *r, char mark, uint64_t n)
{
	char text[24]; /* 1 + 20 + 2 */
	size_t at = sizeof text;
	text[--at] = '\n';
	text[--at] = '\r';
	do
		text[--at] = (char)('0' + n % 10);
	while ((n /= 10) != 0);
	text[--at] = mark;
	append(r, text + at, sizeof text - at);
}

/* RESP2: *words, then each as $length and bytes. */
static void append_word(struct redis *r, struct str word)
{
	append_number(r, '$', word.len);
	append(r, word.data, word.len);
	append(r, "\r\n", 2);
}

static enum rc broken(struct redis *r, struct err *err, const char *why)
{
	enum rc rc = err_set(err, RC_UNAVAILABLE, "%s", why);
	hang_up(r);
	return rc;
}

static enum rc wait_for(struct redis *r, short events, int64_t deadline_us, struct err *err)
{
	for (;;) {
		int64_t left_us = deadline_us - clock_mono_us();
		struct pollfd p = {.fd = r->context->fd, .events = events};
		int n = left_us <= 0 ? 0 : poll(&p, 1, (int)((left_us + 999) / 1000));
		if (n > 0)
			return RC_OK;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return broken(r, err, strerror(errno));
		char why[80];
		int len = snprintf(why, sizeof why, "no answer within %lld ms", (long long)r->timeout_ms);
		(void)len; /* fits */
		return broken(r, err, why);
	}
}

static enum rc send_all(struct redis *r, int64_t deadline_us, struct err *err)
{
	size_t sent = 0;
	while (sent < r->out_len) {
		ssize_t n = send(r->context->fd, r->out + sent, r->out_len - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n >= 0) {
			sent += (size_t)n;
			continue;
		}
		if (errno == EINTR)
			continue;
		if (errno != EAGAIN && errno != EWOULDBLOCK)
			return broken(r, err, strerror(errno));
		enum rc rc = wait_for(r, POLLOUT, deadline_us, err);
		if (rc != RC_OK)
			return rc;
	}
	r->out_len = 0;
	return RC_OK;
}

/* The next whole reply; free with freeReplyObject. max_bytes: what it and the sets' answers before it may have. */
static enum rc next_reply(struct redis *r, size_t max_bytes, int64_t deadline_us, redisReply **ret, struct err *err)
{
	for (;;) {
		void *reply = NULL;
		if (redisGetReplyFromReader(r->context, &reply) != REDIS_OK)
			return broken(r, err, r->context->errstr);
		if (reply != NULL) {
			*ret = reply;
			return RC_OK;
		}
		if (r->context->reader->len > max_bytes)
			return broken(r, err, "an answer larger than any the cache has written");
		enum rc rc = wait_for(r, POLLIN, deadline_us, err);
		if (rc != RC_OK)
			return rc;
		if (redisBufferRead(r->context) != REDIS_OK)
			return broken(r, err, r->context->errstr);
	}
}

static enum rc settle_sets(struct redis *r, int64_t deadline_us, struct err *err)
{
	while (r->pending_sets != 0) {
		redisReply *reply;
		enum rc rc = next_reply(r, SPARE_REPLY_BYTES, deadline_us, &reply, err);
		if (rc != RC_OK)
			return rc;
		r->pending_sets--;
		if (reply->type != REDIS_REPLY_STATUS) {
			r->refused++;
			err_set(&r->refusal, RC_UNAVAILABLE, "%.200s", reply->type == REDIS_REPLY_ERROR ? reply->str : "an answer of a wrong kind to SET");
		}
		freeReplyObject(reply);
	}
	return RC_OK;
}

/* Sends what was appended and gives the reply to its last command (the ones before it are sets). */
static enum rc exchange(struct redis *r, size_t max_bytes, redisReply **ret, struct err *err)
{
	int64_t deadline_us = clock_mono_us() + r->timeout_ms * 1000;
	enum rc rc = send_all(r, deadline_us, err);
	if (rc == RC_OK)
		rc = settle_sets(r, deadline_us, err);
	if (rc == RC_OK)
		rc = next_reply(r, max_bytes, deadline_us, ret, err);
	return rc;
}

/* A command whose only good answer is a status. */
static enum rc command(struct redis *r, const struct str *words, uint32_t count, struct err *err)
{
	append_number(r, '*', count);
	for (uint32_t i = 0; i < count; i++)
		append_word(r, words[i]);
	redisReply *reply;
	enum rc rc = exchange(r, SPARE_REPLY_BYTES, &reply, err);
	if (rc != RC_OK)
		return rc;
	if (reply->type == REDIS_REPLY_ERROR)
		rc = err_set(err, RC_UNAVAILABLE, "%.*s: %.200s", STR_ARG(words[0]), reply->str);
	else if (reply->type != REDIS_REPLY_STATUS)
		rc = err_set(err, RC_UNAVAILABLE, "%.*s: an answer of a wrong kind; is this Redis?", STR_ARG(words[0]));
	freeReplyObject(reply);
	if (rc != RC_OK)
		hang_up(r);
	return rc;
}

static enum rc log_in(struct redis *r, struct err *err)
{
	const struct redis_address *a = r->address;
	enum rc rc = RC_OK;
	if (a->password[0] != '\0' && a->user[0] != '\0')
		rc = command(r, (struct str[]){STR("AUTH"), str_of(a->user), str_of(a->password)}, 3, err);
	else if (a->password[0] != '\0')
		rc = command(r, (struct str[]){STR("AUTH"), str_of(a->password)}, 2, err);
	if (rc == RC_OK && a->db != 0) {
		char db[16];
		int len = snprintf(db, sizeof db, "%u", (unsigned)a->db);
		rc = command(r, (struct str[]){STR("SELECT"), {db, (size_t)len}}, 2, err);
	}
	return rc;
}

enum rc redis_connect(struct redis *r, struct err *err)
{
	if (r->context != NULL)
		return RC_OK;
	struct timeval timeout = {.tv_sec = (time_t)(r->timeout_ms / 1000), .tv_usec = (suseconds_t)(r->timeout_ms % 1000 * 1000)};
	if (r->address->unix_socket)
		r->context = redisConnectUnixWithTimeout(r->address->host, timeout);
	else
		r->context = redisConnectWithTimeout(r->address->host, r->address->port, timeout);
	if (r->context == NULL)
		return err_set(err, RC_UNAVAILABLE, "out of memory while connecting");
	if (r->context->err != 0)
		return broken(r, err, r->context->errstr);
	return log_in(r, err);
}

bool redis_is_connected(const struct redis *r)
{
	return r->context != NULL;
}

void redis_free(struct redis *r)
{
	if (r == NULL)
		return;
	if (r->context != NULL) {
		struct err err;
		enum rc rc = settle_sets(r, clock_mono_us() + r->timeout_ms * 1000, &err);
		(void)rc; /* nobody is left to tell: what was not stored will be decided again */
	}
	hang_up(r);
	free(r->out);
	free(r);
}

enum rc redis_ping(struct redis *r, struct err *err)
{
	enum rc rc = redis_connect(r, err);
	return rc != RC_OK ? rc : command(r, (struct str[]){STR("PING")}, 1, err);
}

enum rc redis_mget(struct redis *r, const struct str *keys, uint32_t count,
                   void (*found)(void *ctx, uint32_t index, struct str value), void *ctx, struct err *err)
{
	if (r->context == NULL)
		return err_set(err, RC_UNAVAILABLE, "not connected");
	append_number(r, '*', (uint64_t)count + 1);
	append_word(r, STR("MGET"));
	for (uint32_t i = 0; i < count; i++)
		append_word(r, keys[i]);
	redisReply *reply;
	enum rc rc = exchange(r, count * (r->max_reply_bytes + 32) + SPARE_REPLY_BYTES, &reply, err);
	if (rc != RC_OK)
		return rc;
	if (reply->type == REDIS_REPLY_ERROR) {
		rc = err_set(err, RC_UNAVAILABLE, "MGET: %.200s", reply->str);
	} else if (reply->type != REDIS_REPLY_ARRAY || reply->elements != count) {
		rc = err_set(err, RC_UNAVAILABLE, "MGET: an answer of a wrong kind; is this Redis?");
	} else {
		for (uint32_t i = 0; i < count; i++)
			if (reply->element[i]->type == REDIS_REPLY_STRING)
				found(ctx, i, (struct str){reply->element[i]->str, reply->element[i]->len});
	}
	freeReplyObject(reply);
	if (rc != RC_OK)
		hang_up(r);
	return rc;
}

enum rc redis_set_all(struct redis *r, const struct redis_set *sets, uint32_t count, struct err *err)
{
	if (r->context == NULL)
		return err_set(err, RC_UNAVAILABLE, "not connected");
	int64_t deadline_us = clock_mono_us() + r->timeout_ms * 1000;
	if (r->pending_sets > MAX_PENDING_SETS) { /* writes without reads: take their answers before the socket is full */
		enum rc rc = settle_sets(r, deadline_us, err);
		if (rc != RC_OK)
			return rc;
	}
	for (uint32_t i = 0; i < count; i++) {
		char ttl[24];
		int len = snprintf(ttl, sizeof ttl, "%lld", (long long)sets[i].ttl_ms);
		append_number(r, '*', 5);
		append_word(r, STR("SET"));
		append_word(r, sets[i].key);
		append_word(r, sets[i].value);
		append_word(r, STR("PX"));
		append_word(r, (struct str){ttl, (size_t)len});
	}
	r->pending_sets += count;
	return send_all(r, deadline_us, err);
}

uint32_t redis_take_refused(struct redis *r, struct err *ret_why)
{
	uint32_t refused = r->refused;
	if (refused != 0)
		*ret_why = r->refusal;
	r->refused = 0;
	return refused;
}
