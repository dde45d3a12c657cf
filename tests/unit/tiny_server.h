/*
 * tiny_server.h: an HTTP server on a real socket that answers by script, well and badly. A thread per connection.
 *
 * The n-th request it reads gets the n-th reply of the script; the last reply repeats.
 */
#ifndef TESTS_UNIT_TINY_SERVER_H
#define TESTS_UNIT_TINY_SERVER_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum reply_kind {
	REPLY_JSON,         /* status, headers and body as given */
	REPLY_RESET,        /* the connection is reset */
	REPLY_CLOSE,        /* closed in order, without a byte */
	REPLY_HALF,         /* half of the promised body, then closed */
	REPLY_SILENT,       /* the request is read and nothing follows */
	REPLY_RAW,          /* body is sent as it is, then closed */
	REPLY_ENDLESS,      /* a chunked body without end */
	REPLY_ENDLESS_HEADERS
};
struct reply {
	enum reply_kind kind;
	int status;          /* 0: 200 */
	const char *headers; /* lines with \r\n; NULL: none */
	const char *body;    /* NULL: a good answer */
};

struct tiny_server {
	int fd;
	uint16_t port;
	const struct reply *script;
	size_t script_len;
	_Atomic size_t requests;
	_Atomic int connections;
	_Atomic bool stop;
	pthread_t thread;
	pthread_mutex_t lock;
	char last_request[65536]; /* under lock */
};

static const char good_answer[] =
    "{\"id\":\"chatcmpl-1\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"Hello.\"},"
    "\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":10,\"completion_tokens\":5,"
    "\"prompt_tokens_details\":{\"cached_tokens\":4}}}";

struct tiny_connection {
	struct tiny_server *server;
	int fd;
};

static bool tiny_send(int fd, const char *data, size_t len)
{
	while (len > 0) {
		ssize_t n = send(fd, data, len, MSG_NOSIGNAL);
		if (n <= 0)
			return false;
		data += n;
		len -= (size_t)n;
	}
	return true;
}

/* Reads one request with its body into text. False at the end of the connection. */
static bool tiny_read(int fd, char *text, size_t cap)
{
	size_t len = 0;
	for (;;) {
		text[len] = '\0';
		char *end = strstr(text, "\r\n\r\n");
		char *length = end != NULL ? strcasestr(text, "content-length:") : NULL;
		if (end != NULL && (length == NULL || len - (size_t)(end + 4 - text) >= strtoul(length + 15, NULL, 10)))
			return true;
		ssize_t n = len + 1 < cap ? recv(fd, text + len, cap - 1 - len, 0) : 0;
		if (n <= 0)
			return false;
		len += (size_t)n;
	}
}

static bool tiny_reply(struct tiny_server *server, int fd, const struct reply *reply)
{
	char head[512];
	const char *body = reply->body != NULL ? reply->body : good_answer;
	size_t body_len = strlen(body);
	struct linger hard = {1, 0};
	switch (reply->kind) {
	case REPLY_RESET:
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
		return false;
	case REPLY_CLOSE:
		return false;
	case REPLY_RAW:
		tiny_send(fd, body, body_len);
		return false;
	case REPLY_SILENT:
		while (!atomic_load(&server->stop) && recv(fd, head, sizeof head, MSG_DONTWAIT) != 0)
			usleep(2000);
		return false;
	case REPLY_ENDLESS:
		tiny_send(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", 47);
		while (!atomic_load(&server->stop) && tiny_send(fd, "10\r\n0123456789abcdef\r\n", 22))
			;
		return false;
	case REPLY_ENDLESS_HEADERS:
		tiny_send(fd, "HTTP/1.1 200 OK\r\n", 17);
		while (!atomic_load(&server->stop) && tiny_send(fd, "X-Filler: 0123456789abcdef\r\n", 28))
			;
		return false;
	case REPLY_JSON:
	case REPLY_HALF:
		break;
	}
	int n = snprintf(head, sizeof head, "HTTP/1.1 %d Status\r\nContent-Type: application/json\r\n%sContent-Length: %zu\r\n\r\n",
	                 reply->status == 0 ? 200 : reply->status, reply->headers != NULL ? reply->headers : "", body_len);
	if (!tiny_send(fd, head, (size_t)n))
		return false;
	return tiny_send(fd, body, reply->kind == REPLY_HALF ? body_len / 2 : body_len) && reply->kind == REPLY_JSON;
}

static void *tiny_serve(void *arg)
{
	struct tiny_connection c = *(struct tiny_connection *)arg;
	free(arg);
	char *text = malloc(65536);
	while (text != NULL && !atomic_load(&c.server->stop) && tiny_read(c.fd, text, 65536)) {
		size_t n = atomic_fetch_add(&c.server->requests, 1);
		pthread_mutex_lock(&c.server->lock);
		memcpy(c.server->last_request, text, strlen(text) + 1);
		pthread_mutex_unlock(&c.server->lock);
		size_t at = n < c.server->script_len ? n : c.server->script_len - 1;
		if (!tiny_reply(c.server, c.fd, &c.server->script[at]))
			break;
	}
	free(text);
	close(c.fd);
	atomic_fetch_sub(&c.server->connections, 1);
	return NULL;
}

static void *tiny_accept(void *arg)
{
	struct tiny_server *server = arg;
	for (;;) {
		int fd = accept(server->fd, NULL, NULL);
		if (fd < 0 || atomic_load(&server->stop)) {
			if (fd >= 0)
				close(fd);
			return NULL;
		}
		struct timeval a_while = {0, 50000}; /* so that a silent connection sees stop */
		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &a_while, sizeof a_while);
		struct tiny_connection *c = malloc(sizeof *c);
		*c = (struct tiny_connection){server, fd};
		pthread_t thread;
		atomic_fetch_add(&server->connections, 1);
		if (pthread_create(&thread, NULL, tiny_serve, c) == 0) {
			pthread_detach(thread);
		} else {
			close(fd);
			free(c);
			atomic_fetch_sub(&server->connections, 1);
		}
	}
}

static void tiny_start(struct tiny_server *server, const struct reply *script, size_t script_len)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof at;
	memset(server, 0, sizeof *server);
	pthread_mutex_init(&server->lock, NULL);
	server->script = script;
	server->script_len = script_len;
	server->fd = socket(AF_INET, SOCK_STREAM, 0);
	if (bind(server->fd, (struct sockaddr *)&at, sizeof at) != 0 || listen(server->fd, 1024) != 0 ||
	    getsockname(server->fd, (struct sockaddr *)&at, &len) != 0)
		abort();
	server->port = ntohs(at.sin_port);
	pthread_create(&server->thread, NULL, tiny_accept, server);
}

/* After the clients have closed their connections. */
static void tiny_stop(struct tiny_server *server)
{
	atomic_store(&server->stop, true);
	shutdown(server->fd, SHUT_RDWR);
	pthread_join(server->thread, NULL);
	close(server->fd);
	while (atomic_load(&server->connections) > 0)
		usleep(1000);
	pthread_mutex_destroy(&server->lock);
}

#endif
