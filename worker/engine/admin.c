/*
 * admin.c: the HTTP server of the admin pages.
 *
 * The one idea: a table of paths, each with a function that fills a buffer; everything else (methods, headers, bounds) is
 * the same for all. The listening socket is made here, so that a port that is taken is said in words.
 *
 * It keeps no state between requests and takes no input but a path: bodies and queries are not read.
 */
#include "worker/engine/admin.h"

#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/arena.h"
#include "common/hmac.h"

enum { MAX_CONNECTIONS = 64, CONNECTION_BYTES = 16 * 1024, IDLE_SECONDS = 30, BACKLOG = 64, NONCE_BYTES = 16 };

struct admin {
	struct admin_source source;
	struct metrics *metrics;
	struct MHD_Daemon *daemon;
	char address[300];
};

struct reply {
	unsigned status;
	const char *type;
	char nonce[2 * NONCE_BYTES + 1]; /* empty: the reply has no script */
	struct buf body;
};

static void show_health(struct admin *admin, struct reply *reply)
{
	bool healthy = admin->source.healthy(admin->source.ctx);
	reply->status = healthy ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE;
	buf_cstr(&reply->body, healthy ? "ok\n" : "the main thread does not go round\n");
}

static void show_ready(struct admin *admin, struct reply *reply)
{
	struct buf why;
	buf_init(&why, reply->body.arena, 0);
	bool ready = admin->source.ready(admin->source.ctx, &why);
	reply->status = ready ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE;
	buf_str(&reply->body, ready ? STR("ok") : why.len != 0 ? buf_view(&why) : STR("not ready"));
	buf_char(&reply->body, '\n');
}

static void show_metrics(struct admin *admin, struct reply *reply)
{
	reply->type = "text/plain; version=0.0.4; charset=utf-8";
	if (admin->metrics != NULL)
		metrics_render(admin->metrics, &reply->body);
}

static void show_status(struct admin *admin, struct reply *reply)
{
	reply->type = "application/json";
	admin->source.status_json(admin->source.ctx, &reply->body);
	buf_char(&reply->body, '\n');
}

static void show_page(struct admin *admin, struct reply *reply)
{
	(void)admin; /* the page asks /status for everything */
	uint8_t nonce[NONCE_BYTES];
	random_bytes(nonce, sizeof nonce);
	hex_encode(nonce, sizeof nonce, reply->nonce);
	reply->type = "text/html; charset=utf-8";
	struct str rest = admin_page(), mark = STR("{{nonce}}");
	for (const char *at; (at = memmem(rest.data, rest.len, mark.data, mark.len)) != NULL;) {
		size_t before = (size_t)(at - rest.data);
		buf_add(&reply->body, rest.data, before);
		buf_cstr(&reply->body, reply->nonce);
		rest = (struct str){at + mark.len, rest.len - before - mark.len};
	}
	buf_str(&reply->body, rest);
}

static const struct {
	const char *path;
	void (*show)(struct admin *admin, struct reply *reply);
} paths[] = {
	{"/", show_page}, {"/healthz", show_health}, {"/readyz", show_ready}, {"/metrics", show_metrics}, {"/status", show_status},
};

static void fill(struct admin *admin, const char *method, const char *path, struct reply *reply)
{
	if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0) {
		reply->status = MHD_HTTP_METHOD_NOT_ALLOWED;
		buf_cstr(&reply->body, "only GET and HEAD\n");
		return;
	}
	for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
		if (strcmp(path, paths[i].path) == 0) {
			paths[i].show(admin, reply);
			return;
		}
	}
	reply->status = MHD_HTTP_NOT_FOUND;
	buf_cstr(&reply->body, "there are /, /status, /metrics, /healthz and /readyz\n");
}

static bool add_headers(struct MHD_Response *response, const struct reply *reply)
{
	char policy[400];
	int n = snprintf(policy, sizeof policy,
	                 reply->nonce[0] != '\0' ? "default-src 'self'; script-src 'nonce-%s'; style-src 'nonce-%s'; img-src data:; object-src 'none'; "
	                                           "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
	                                         : "default-src 'none'; frame-ancestors 'none'",
	                 reply->nonce, reply->nonce);
	const struct {
		const char *name, *value;
	} headers[] = {
		{MHD_HTTP_HEADER_CONTENT_TYPE, reply->type},
		{MHD_HTTP_HEADER_CACHE_CONTROL, "no-store"},
		{"Content-Security-Policy", policy},
		{"X-Content-Type-Options", "nosniff"},
		{"Referrer-Policy", "no-referrer"},
		{"Cross-Origin-Resource-Policy", "same-origin"},
	};
	bool added = n > 0 && (size_t)n < sizeof policy;
	for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++)
		added = added && MHD_add_response_header(response, headers[i].name, headers[i].value) == MHD_YES;
	if (reply->status == MHD_HTTP_METHOD_NOT_ALLOWED)
		added = added && MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD") == MHD_YES;
	return added;
}

/* Called by libmicrohttpd for each request, once its headers are there. */
static enum MHD_Result answer(void *ctx, struct MHD_Connection *connection, const char *url, const char *method, const char *version,
                              const char *upload, size_t *upload_size, void **request)
{
	(void)version; /* libmicrohttpd has checked it */
	(void)upload;  /* bodies are not read: the connection is closed when one was announced */
	(void)upload_size;
	(void)request;
	struct arena arena;
	arena_init(&arena, 0);
	struct reply reply = {.status = MHD_HTTP_OK, .type = "text/plain; charset=utf-8"};
	buf_init(&reply.body, &arena, 0);
	fill(ctx, method, url, &reply);
	struct str body = buf_view(&reply.body);
	struct MHD_Response *response = MHD_create_response_from_buffer(body.len, (void *)(uintptr_t)body.data, MHD_RESPMEM_MUST_COPY);
	enum MHD_Result result = MHD_NO; /* closes the connection */
	if (response != NULL && add_headers(response, &reply))
		result = MHD_queue_response(connection, reply.status, response);
	if (response != NULL)
		MHD_destroy_response(response);
	arena_free(&arena);
	return result;
}

/* libmicrohttpd's own words are about single connections of strangers: nothing to tell an operator. */
static void keep_quiet(void *ctx, const char *format, va_list ap)
{
	(void)ctx;
	(void)format;
	(void)ap;
}

/* Splits at the last ':'. False when there is none or a part is too long. */
static bool split_listen(struct str listen, char host[256], char port[8])
{
	size_t colon = listen.len;
	while (colon > 0 && listen.data[colon - 1] != ':')
		colon--;
	if (colon == 0 || listen.len - colon >= 8 || listen.len == colon || colon > 256)
		return false;
	struct str h = {listen.data, colon - 1};
	if (h.len >= 2 && h.data[0] == '[' && h.data[h.len - 1] == ']')
		h = (struct str){h.data + 1, h.len - 2};
	if (h.len != 0)
		memcpy(host, h.data, h.len);
	host[h.len] = '\0';
	memcpy(port, listen.data + colon, listen.len - colon);
	port[listen.len - colon] = '\0';
	return true;
}

/* Writes the address that the socket was bound to. */
static bool name_socket(int fd, char *out, size_t size)
{
	struct sockaddr_storage bound;
	socklen_t bytes = sizeof bound;
	char host[256], port[8];
	if (getsockname(fd, (struct sockaddr *)&bound, &bytes) != 0 ||
	    getnameinfo((struct sockaddr *)&bound, bytes, host, sizeof host, port, sizeof port, NI_NUMERICHOST | NI_NUMERICSERV) != 0)
		return false;
	int n = snprintf(out, size, bound.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
	return n > 0 && (size_t)n < size;
}

static int listen_on(const struct addrinfo *a)
{
	int one = 1, zero = 0;
	int fd = socket(a->ai_family, a->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	if (a->ai_family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof zero); /* then it is IPv6 alone */
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) == 0 && bind(fd, a->ai_addr, a->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
		return fd;
	int why = errno;
	close(fd);
	errno = why;
	return -1;
}

static enum rc open_socket(struct str text, int *ret_fd, struct err *err)
{
	char host[256], port[8];
	int64_t number;
	if (!split_listen(text, host, port) || !str_to_i64(str_of(port), &number) || number < 0 || number > 65535)
		return err_set(err, RC_BAD_INPUT, "admin.listen: \"%.*s\" is no address; write host:port, as in 127.0.0.1:9464", STR_ARG(text));
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV}, *found;
	int failed = getaddrinfo(host[0] != '\0' ? host : NULL, port, &hints, &found);
	if (failed != 0)
		return err_set(err, RC_BAD_INPUT, "admin.listen: host \"%s\" is not known here: %s", host, gai_strerror(failed));
	int fd = -1;
	for (const struct addrinfo *a = found; a != NULL && fd < 0; a = a->ai_next)
		fd = listen_on(a);
	int why = errno;
	freeaddrinfo(found);
	if (fd < 0)
		return err_set(err, RC_FATAL, "admin.listen: cannot listen on %.*s: %s%s", STR_ARG(text), strerror(why),
		               why == EADDRINUSE ? "; another process has the port: choose another one, or port 0 for any free one" : "");
	*ret_fd = fd;
	return RC_OK;
}

enum rc admin_start(struct str listen, const struct admin_source *source, struct metrics *metrics, struct admin **ret, struct err *err)
{
	int fd;
	enum rc rc = open_socket(listen, &fd, err);
	if (rc != RC_OK)
		return rc;
	struct admin *admin = heap_zalloc(1, sizeof *admin);
	admin->source = *source;
	admin->metrics = metrics;
	if (name_socket(fd, admin->address, sizeof admin->address))
		admin->daemon = MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ERROR_LOG, 0, NULL, NULL, answer, admin,
		                                 MHD_OPTION_EXTERNAL_LOGGER, keep_quiet, NULL, MHD_OPTION_LISTEN_SOCKET, fd,
		                                 MHD_OPTION_CONNECTION_LIMIT, (unsigned)MAX_CONNECTIONS, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
		                                 (size_t)CONNECTION_BYTES, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_SECONDS, MHD_OPTION_END);
	if (admin->daemon == NULL) {
		close(fd);
		free(admin);
		return err_set(err, RC_FATAL, "admin.listen: the HTTP server could not start on %.*s; raise the limits of open files and threads", STR_ARG(listen));
	}
	*ret = admin;
	return RC_OK;
}

const char *admin_address(const struct admin *admin)
{
	return admin->address;
}

void admin_stop(struct admin *admin)
{
	if (admin == NULL)
		return;
	MHD_stop_daemon(admin->daemon); /* waits for its thread; closes the socket */
	free(admin);
}
