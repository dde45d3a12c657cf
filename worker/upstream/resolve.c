/*
 * resolve.c: one thread, one table of names.
 *
 * The one idea: getaddrinfo blocks, so it has a thread of its own and nobody waits for it: pools read the table. Whether an
 * address may be reached at all is not decided here but where the socket is opened.
 */
#include "worker/upstream/resolve.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "common/arena.h"
#include "common/clock.h"

enum { REFRESH_US = 30000000, AFTER_FAILURE_US = 2000000, ADDRESSES_MAX = 8 };

struct entry {
	char host[256], port[8];
	enum resolve_state state;
	uint32_t version;
	int64_t due_us;
	char line[RESOLVE_LINE_MAX];
};

struct resolver {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	pthread_t thread;
	bool has_thread, stop;
	struct entry *entries;
	uint32_t count;
	struct log *log;
	void (*wake)(void *ctx, uint32_t index);
	void *ctx;
};

static bool is_numeric(struct str name)
{
	char text[64];
	unsigned char address[16];
	if (name.len >= sizeof text)
		return false;
	memcpy(text, name.data, name.len);
	text[name.len] = '\0';
	return inet_pton(AF_INET, text, address) == 1 || inet_pton(AF_INET6, text, address) == 1;
}

enum rc resolve_host_of(struct str url, struct host *ret, bool *ret_needs_lookup, struct err *err)
{
	bool https = str_starts(url, STR("https://"));
	if (!https && !str_starts(url, STR("http://")))
		return err_set(err, RC_BAD_INPUT, "%.*s: a base_url starts with http:// or https://", STR_ARG(url));
	struct str rest = {url.data + (https ? 8 : 7), url.len - (https ? 8 : 7)};
	size_t end = 0, port_at = 0;
	while (end < rest.len && rest.data[end] != '/' && rest.data[end] != '?' && rest.data[end] != '#')
		end++;
	for (size_t i = end; i-- > 0;) { /* past a user and password */
		if (rest.data[i] == '@') {
			rest.data += i + 1;
			end -= i + 1;
			break;
		}
	}
	bool bracket = end > 0 && rest.data[0] == '[';
	while (port_at < end && rest.data[port_at] != (bracket ? ']' : ':'))
		port_at++;
	struct str name = {rest.data + (bracket ? 1 : 0), port_at - (bracket ? 1 : 0)};
	if (bracket && port_at++ == end)
		name.len = 0; /* no closing bracket */
	int64_t port = https ? 443 : 80;
	if (port_at < end && (rest.data[port_at] != ':' || !str_to_i64((struct str){rest.data + port_at + 1, end - port_at - 1}, &port)))
		port = 0;
	if (name.len == 0 || name.len > 253 || port < 1 || port > 65535)
		return err_set(err, RC_BAD_INPUT, "%.*s: no usable host and port in it", STR_ARG(url));
	*ret = (struct host){name, (uint16_t)port};
	*ret_needs_lookup = !bracket && !is_numeric(name) && !str_eq_nocase(name, STR("localhost"));
	return RC_OK;
}

/* "host:port:address,address": libcurl's form. False when nothing fits. */
static bool write_line(const struct entry *e, const struct addrinfo *list, char line[RESOLVE_LINE_MAX])
{
	int n = snprintf(line, RESOLVE_LINE_MAX, "%s:%s:", e->host, e->port);
	size_t len = (size_t)n;
	int written = 0;
	for (; list != NULL && written < ADDRESSES_MAX; list = list->ai_next) {
		char text[INET6_ADDRSTRLEN];
		bool six = list->ai_family == AF_INET6;
		const void *address = six ? (const void *)&((const struct sockaddr_in6 *)(const void *)list->ai_addr)->sin6_addr
		                          : (const void *)&((const struct sockaddr_in *)(const void *)list->ai_addr)->sin_addr;
		if ((!six && list->ai_family != AF_INET) || inet_ntop(list->ai_family, address, text, sizeof text) == NULL)
			continue;
		n = snprintf(line + len, RESOLVE_LINE_MAX - len, "%s%s%s%s", written > 0 ? "," : "", six ? "[" : "", text, six ? "]" : "");
		if (n < 0 || (size_t)n >= RESOLVE_LINE_MAX - len)
			break;
		len += (size_t)n;
		written++;
	}
	line[len] = '\0';
	return written > 0;
}

/* Looks one name up, without the lock; host and port never change. */
static void look_up(struct resolver *r, uint32_t index)
{
	struct entry *e = &r->entries[index];
	struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG}, *list = NULL;
	char line[RESOLVE_LINE_MAX];
	int rc = getaddrinfo(e->host, e->port, &hints, &list);
	bool found = rc == 0 && write_line(e, list, line);
	if (rc == 0)
		freeaddrinfo(list);
	else
		log_warn(r->log, "upstream", "name not resolved", LOG_C("host", e->host), LOG_C("reason", gai_strerror(rc)));
	pthread_mutex_lock(&r->lock);
	enum resolve_state before = e->state;
	uint32_t version = e->version;
	e->due_us = clock_mono_us() + (found ? REFRESH_US : AFTER_FAILURE_US);
	if (found && (e->state != RESOLVE_READY || strcmp(e->line, line) != 0)) {
		memcpy(e->line, line, strlen(line) + 1);
		e->version++;
		e->state = RESOLVE_READY;
	} else if (!found && e->state != RESOLVE_READY) {
		e->state = RESOLVE_FAILED;
	}
	bool news = e->state != before || e->version != version;
	pthread_mutex_unlock(&r->lock);
	if (news)
		r->wake(r->ctx, index);
}

static void *run(void *arg)
{
	struct resolver *r = arg;
	pthread_mutex_lock(&r->lock);
	while (!r->stop) {
		int64_t now = clock_mono_us(), next = INT64_MAX;
		uint32_t due = UINT32_MAX;
		for (uint32_t i = 0; i < r->count; i++) {
			if (r->entries[i].state == RESOLVE_NOT_NEEDED)
				continue;
			if (r->entries[i].due_us <= now)
				due = i;
			else if (r->entries[i].due_us < next)
				next = r->entries[i].due_us;
		}
		if (due != UINT32_MAX) {
			pthread_mutex_unlock(&r->lock);
			look_up(r, due);
			pthread_mutex_lock(&r->lock);
			continue;
		}
		struct timespec at = {.tv_sec = next / 1000000, .tv_nsec = next % 1000000 * 1000};
		pthread_cond_timedwait(&r->changed, &r->lock, &at);
	}
	pthread_mutex_unlock(&r->lock);
	return NULL;
}

enum rc resolver_open(const struct str *urls, uint32_t count, struct log *log, void (*wake)(void *ctx, uint32_t index),
                      void *ctx, struct resolver **ret, struct err *err)
{
	struct resolver *r = heap_zalloc(1, sizeof *r);
	pthread_condattr_t attr;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&r->changed, &attr);
	pthread_condattr_destroy(&attr);
	pthread_mutex_init(&r->lock, NULL);
	r->log = log;
	r->wake = wake;
	r->ctx = ctx;
	r->entries = heap_zalloc(count + 1, sizeof *r->entries);
	r->count = count;
	bool any = false;
	for (uint32_t i = 0; i < count; i++) {
		struct host host;
		bool needed;
		enum rc rc = resolve_host_of(urls[i], &host, &needed, err);
		if (rc != RC_OK) {
			resolver_close(r);
			return rc;
		}
		struct entry *e = &r->entries[i];
		e->state = needed ? RESOLVE_PENDING : RESOLVE_NOT_NEEDED;
		snprintf(e->host, sizeof e->host, "%.*s", STR_ARG(host.name));
		snprintf(e->port, sizeof e->port, "%u", (unsigned)host.port);
		any = any || needed;
	}
	if (any) {
		int failed = pthread_create(&r->thread, NULL, run, r);
		if (failed != 0) {
			resolver_close(r);
			return err_set(err, RC_FATAL, "no thread for name look-ups: %s", strerror(failed));
		}
		r->has_thread = true;
	}
	*ret = r;
	return RC_OK;
}

void resolver_close(struct resolver *r)
{
	if (r == NULL)
		return;
	pthread_mutex_lock(&r->lock);
	r->stop = true;
	pthread_cond_signal(&r->changed);
	pthread_mutex_unlock(&r->lock);
	if (r->has_thread)
		pthread_join(r->thread, NULL);
	pthread_cond_destroy(&r->changed);
	pthread_mutex_destroy(&r->lock);
	free(r->entries);
	free(r);
}

enum resolve_state resolver_get(struct resolver *r, uint32_t index, uint32_t *version, char line[RESOLVE_LINE_MAX])
{
	pthread_mutex_lock(&r->lock);
	struct entry *e = &r->entries[index];
	enum resolve_state state = e->state;
	if (state == RESOLVE_READY && e->version != *version) {
		memcpy(line, e->line, strlen(e->line) + 1);
		*version = e->version;
	}
	pthread_mutex_unlock(&r->lock);
	return state;
}
