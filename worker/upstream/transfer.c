/*
 * transfer.c: libcurl's multi interface behind one epoll, made cheap.
 *
 * The one idea: libcurl's cost per call is in what is done again for every call, so here almost nothing is. Easy handles
 * keep their options and go back to a free list; the newest free one is taken first, because its multi holds a warm
 * connection. Sockets stay in epoll (sockets.c). Timeouts are libcurl's, passed to epoll_wait instead of a timer. libcurl
 * looks through all connections of a multi for a free one, so handles are spread over many small multis.
 *
 * A reused connection that turns out dead before a byte came back is replaced and the request sent once more by libcurl
 * itself; that repeat carries the same idempotency key and is part of one attempt.
 *
 * It asks for no compression, so there is nothing to inflate; it knows nothing of JSON, retries or models.
 */
#include "worker/upstream/transfer.h"

#include <curl/curl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/arena.h"
#include "common/clock.h"
#include "worker/upstream/address.h"
#include "worker/upstream/sockets.h"

enum {
	HANDLES_PER_MULTI = 64,
	EVENTS = 256,
	HEADER_BYTES_MAX = 65536,
	HEADER_KEPT_MAX = 128,
	SPARE_BODIES = 16,       /* a body needs its buffer from its first byte until it is settled: few do at a time */
	BODY_KEPT_BYTES = 65536, /* a larger one is freed, not kept for reuse */
	RECEIVE_BYTES = 4096,    /* libcurl takes 16 KB a call otherwise, from the start to the end of the wait */
	STALL_MS = 60000         /* unacknowledged bytes for so long: the peer is gone */
};

struct kept_header {
	char text[HEADER_KEPT_MAX];
	size_t len;
	bool there;
};

struct body {
	char *data;
	size_t len, cap;
};

struct transfer {
	CURL *easy;
	struct shard *shard;
	struct transfer *next_free;
	uint32_t at; /* place in transfers.active while it runs */
	unsigned url; /* which of the setup's it has */
	void *owner;
	struct body body;
	size_t header_bytes;
	bool too_large, too_many_headers, address_refused;
	struct kept_header retry_after, retry_after_ms, request_id;
	struct curl_slist key_node, id_node; /* our nodes before the fixed list; libcurl only reads them */
	char key_line[64], id_line[TRANSFER_ID_MAX + 16];
	const struct curl_slist *head; /* of the header list libcurl was given */
	uint32_t names_seen;           /* which version of the addresses it was given */
	char why[CURL_ERROR_SIZE];
};

struct shard {
	struct transfers *ts;
	CURLM *multi;
	int64_t due_us; /* INT64_MAX: none */
	int running;    /* as libcurl counts; less than added: some have finished */
	int added;
};

struct transfers {
	struct transfers_setup setup;
	struct sockets sockets;
	struct shard *shards;
	uint32_t shard_count, made, active_count, next_shard, connections;
	uint32_t scan; /* transfers_next looks at the shards from here on */
	struct transfer **all;    /* made of them */
	struct transfer **active; /* active_count of them */
	struct transfer *free;
	struct body spare[SPARE_BODIES];
	uint32_t spare_count;
	struct curl_slist *headers, *names;
	CURLU *urls[TRANSFER_URLS]; /* read once: a fifth of a call's instructions otherwise */
	uint32_t names_version;
	struct epoll_event events[EVENTS];
};

static size_t on_body(char *data, size_t size, size_t count, void *user)
{
	struct transfer *t = user;
	struct transfers *ts = t->shard->ts;
	struct body *body = &t->body;
	size_t bytes = size * count; /* size is 1, says libcurl */
	if (bytes > (size_t)ts->setup.max_answer_bytes - body->len) {
		t->too_large = true;
		return 0;
	}
	if (body->data == NULL && ts->spare_count > 0)
		*body = ts->spare[--ts->spare_count];
	if (body->len + bytes > body->cap) {
		size_t cap = body->cap == 0 ? 4096 : body->cap;
		while (cap < body->len + bytes)
			cap *= 2;
		body->data = heap_resize(body->data, cap, 1);
		body->cap = cap;
	}
	memcpy(body->data + body->len, data, bytes);
	body->len += bytes;
	return bytes;
}

static bool keep_header(struct kept_header *kept, struct str line, struct str name)
{
	if (line.len <= name.len || line.data[name.len] != ':' || !str_eq_nocase((struct str){line.data, name.len}, name))
		return false;
	struct str value = str_trim((struct str){line.data + name.len + 1, line.len - name.len - 1});
	kept->there = value.len <= sizeof kept->text;
	kept->len = kept->there ? value.len : 0;
	memcpy(kept->text, value.data, kept->len);
	return true;
}

static size_t on_header(char *data, size_t size, size_t count, void *user)
{
	struct transfer *t = user;
	size_t bytes = size * count;
	t->header_bytes += bytes;
	if (t->header_bytes > HEADER_BYTES_MAX) {
		t->too_many_headers = true;
		return 0;
	}
	struct str line = {data, bytes};
	char first = bytes != 0 ? (char)(data[0] | 0x20) : '\0';
	if (first == 'r' && !keep_header(&t->retry_after, line, STR("retry-after")))
		(void)keep_header(&t->retry_after_ms, line, STR("retry-after-ms")); /* another header: nothing to keep */
	if (first == 'x')
		(void)keep_header(&t->request_id, line, STR("x-request-id")); /* another header: nothing to keep */
	return bytes;
}

static curl_socket_t on_open(void *user, curlsocktype purpose, struct curl_sockaddr *address)
{
	struct transfer *t = user;
	struct transfers *ts = t->shard->ts;
	if (purpose != CURLSOCKTYPE_IPCXN || !address_allowed(&address->addr, address->addrlen, ts->setup.allow_link_local)) {
		t->address_refused = true;
		return CURL_SOCKET_BAD;
	}
	int fd = socket(address->family, address->socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, address->protocol);
	if (fd < 0)
		return CURL_SOCKET_BAD;
	unsigned stall_ms = STALL_MS;
	/* Without it a vanished peer is noticed by the call's timeout: later, not never. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &stall_ms, sizeof stall_ms);
	ts->connections++;
	return fd;
}

static int on_close(void *user, curl_socket_t fd)
{
	struct transfers *ts = user;
	sockets_closing(&ts->sockets, fd);
	ts->connections--;
	return close(fd);
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *user, void *socket_user)
{
	(void)easy;
	(void)socket_user;
	struct shard *shard = user;
	bool in = what == CURL_POLL_IN || what == CURL_POLL_INOUT, out = what == CURL_POLL_OUT || what == CURL_POLL_INOUT;
	sockets_want(&shard->ts->sockets, fd, (uint16_t)(shard - shard->ts->shards), (in ? SOCKETS_IN : 0u) | (out ? SOCKETS_OUT : 0u));
	return 0;
}

static int on_timer(CURLM *multi, long timeout_ms, void *user)
{
	(void)multi;
	struct shard *shard = user;
	shard->due_us = timeout_ms < 0 ? INT64_MAX : timeout_ms == 0 ? 0 : clock_mono_us() + (int64_t)timeout_ms * 1000;
	return 0;
}

enum rc transfers_open(const struct transfers_setup *setup, struct transfers **ret, struct err *err)
{
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return err_set(err, RC_FATAL, "libcurl does not start");
	struct transfers *ts = heap_zalloc(1, sizeof *ts);
	ts->setup = *setup;
	enum rc rc = sockets_open(&ts->sockets, err);
	for (unsigned i = 0; i < TRANSFER_URLS && rc == RC_OK; i++) {
		ts->urls[i] = curl_url();
		if (ts->urls[i] == NULL || curl_url_set(ts->urls[i], CURLUPART_URL, setup->urls[i], 0) != CURLUE_OK)
			rc = err_set(err, RC_BAD_INPUT, "%s is not a URL", setup->urls[i]);
	}
	if (rc != RC_OK) {
		transfers_close(ts);
		return rc;
	}
	for (const char *const *h = setup->headers; h != NULL && *h != NULL; h++)
		ts->headers = curl_slist_append(ts->headers, *h);
	ts->headers = curl_slist_append(ts->headers, "Expect:");
	ts->shard_count = (setup->concurrency + HANDLES_PER_MULTI - 1) / HANDLES_PER_MULTI;
	ts->shard_count = ts->shard_count == 0 ? 1 : ts->shard_count > UINT16_MAX ? UINT16_MAX : ts->shard_count;
	ts->shards = heap_zalloc(ts->shard_count, sizeof *ts->shards);
	ts->all = heap_zalloc(setup->concurrency + 1, sizeof(struct transfer *));
	ts->active = heap_zalloc(setup->concurrency + 1, sizeof(struct transfer *));
	for (uint32_t i = 0; i < ts->shard_count; i++) {
		struct shard *s = &ts->shards[i];
		*s = (struct shard){.ts = ts, .multi = curl_multi_init(), .due_us = INT64_MAX};
		if (s->multi == NULL)
			abort(); /* out of memory */
		curl_multi_setopt(s->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
		curl_multi_setopt(s->multi, CURLMOPT_SOCKETDATA, s);
		curl_multi_setopt(s->multi, CURLMOPT_TIMERFUNCTION, on_timer);
		curl_multi_setopt(s->multi, CURLMOPT_TIMERDATA, s);
		curl_multi_setopt(s->multi, CURLMOPT_MAXCONNECTS, (long)HANDLES_PER_MULTI);
	}
	*ret = ts;
	return RC_OK;
}

void transfers_close(struct transfers *ts)
{
	if (ts == NULL)
		return;
	for (uint32_t i = 0; i < ts->active_count; i++)
		curl_multi_remove_handle(ts->active[i]->shard->multi, ts->active[i]->easy);
	for (uint32_t i = 0; i < ts->shard_count; i++)
		curl_multi_cleanup(ts->shards[i].multi);
	for (uint32_t i = 0; i < ts->made; i++) {
		curl_easy_cleanup(ts->all[i]->easy);
		free(ts->all[i]->body.data);
		free(ts->all[i]);
	}
	while (ts->spare_count > 0)
		free(ts->spare[--ts->spare_count].data);
	curl_slist_free_all(ts->headers);
	curl_slist_free_all(ts->names);
	sockets_close(&ts->sockets);
	for (unsigned i = 0; i < TRANSFER_URLS; i++)
		curl_url_cleanup(ts->urls[i]);
	free(ts->all);
	free(ts->active);
	free(ts->shards);
	free(ts);
	curl_global_cleanup();
}

static void set_options(struct transfers *ts, struct transfer *t)
{
	CURL *e = t->easy;
	curl_easy_setopt(e, CURLOPT_CURLU, ts->urls[0]);
	curl_easy_setopt(e, CURLOPT_PRIVATE, t);
	curl_easy_setopt(e, CURLOPT_POST, 1L);
	curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(e, CURLOPT_PROXY, "");
	curl_easy_setopt(e, CURLOPT_NOPROXY, "*"); /* spares a look into the environment at each call */
	curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(e, CURLOPT_NOPROGRESS, 1L);
	curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
	/* Only where ALPN can bring HTTP/2: plain connections would wait for one another at the start. */
	curl_easy_setopt(e, CURLOPT_PIPEWAIT, strncmp(ts->setup.urls[0], "https:", 6) == 0 ? 1L : 0L);
	curl_easy_setopt(e, CURLOPT_TCP_NODELAY, 1L);
	curl_easy_setopt(e, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(e, CURLOPT_TCP_KEEPIDLE, 30L);
	curl_easy_setopt(e, CURLOPT_TCP_KEEPINTVL, 10L);
	curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, (long)ts->setup.connect_timeout_ms);
	curl_easy_setopt(e, CURLOPT_ERRORBUFFER, t->why);
	curl_easy_setopt(e, CURLOPT_BUFFERSIZE, (long)RECEIVE_BYTES);
	curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(e, CURLOPT_WRITEDATA, t);
	curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(e, CURLOPT_HEADERDATA, t);
	curl_easy_setopt(e, CURLOPT_OPENSOCKETFUNCTION, on_open);
	curl_easy_setopt(e, CURLOPT_OPENSOCKETDATA, t);
	curl_easy_setopt(e, CURLOPT_CLOSESOCKETFUNCTION, on_close);
	curl_easy_setopt(e, CURLOPT_CLOSESOCKETDATA, ts);
}

static struct transfer *take(struct transfers *ts)
{
	struct transfer *t = ts->free;
	if (t != NULL) {
		ts->free = t->next_free;
		return t;
	}
	if (ts->made >= ts->setup.concurrency + 1)
		abort(); /* the pool counts its calls: this is a bug */
	t = heap_zalloc(1, sizeof *t);
	t->easy = curl_easy_init();
	if (t->easy == NULL)
		abort(); /* out of memory */
	t->shard = &ts->shards[ts->next_shard++ % ts->shard_count];
	set_options(ts, t);
	ts->all[ts->made++] = t;
	return t;
}

static void write_header(char *line, struct str name, struct str value)
{
	memcpy(line, name.data, name.len);
	memcpy(line + name.len, value.data, value.len);
	line[name.len + value.len] = '\0';
}

/* The call's own headers stand before the fixed ones, in nodes that live in the transfer: nothing is allocated. */
static void set_headers(struct transfers *ts, struct transfer *t, struct str key, struct str record_id)
{
	struct curl_slist *head = ts->headers;
	if (record_id.data != NULL && record_id.len <= TRANSFER_ID_MAX) {
		write_header(t->id_line, STR("x-record-id: "), record_id);
		t->id_node = (struct curl_slist){.data = t->id_line, .next = head};
		head = &t->id_node;
	}
	if (key.data != NULL && key.len <= TRANSFER_KEY_CHARS) {
		write_header(t->key_line, STR("Idempotency-Key: "), key);
		t->key_node = (struct curl_slist){.data = t->key_line, .next = head};
		head = &t->key_node;
	}
	if (head != t->head)
		curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, head);
	t->head = head;
}

struct transfer *transfers_start(struct transfers *ts, unsigned url, struct str body, struct str key, struct str record_id,
                                 int64_t timeout_ms, void *owner)
{
	struct transfer *t = take(ts);
	if (url != t->url)
		curl_easy_setopt(t->easy, CURLOPT_CURLU, ts->urls[url]);
	t->url = url;
	t->owner = owner;
	t->header_bytes = 0;
	t->too_large = t->too_many_headers = t->address_refused = false;
	t->retry_after.there = t->retry_after_ms.there = t->request_id.there = false;
	t->why[0] = '\0';
	set_headers(ts, t, key, record_id);
	curl_easy_setopt(t->easy, CURLOPT_POSTFIELDS, body.data); /* not copied */
	curl_easy_setopt(t->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.len);
	curl_easy_setopt(t->easy, CURLOPT_TIMEOUT_MS, (long)(timeout_ms < 1 ? 1 : timeout_ms));
	if (t->names_seen != ts->names_version) {
		curl_easy_setopt(t->easy, CURLOPT_RESOLVE, ts->names);
		t->names_seen = ts->names_version;
	}
	t->at = ts->active_count;
	ts->active[ts->active_count++] = t;
	if (curl_multi_add_handle(t->shard->multi, t->easy) != CURLM_OK)
		abort(); /* out of memory, or a handle added twice, which is a bug */
	t->shard->added++;
	t->shard->running++;
	return t;
}

static void leave(struct transfers *ts, struct transfer *t)
{
	curl_multi_remove_handle(t->shard->multi, t->easy);
	t->shard->added--;
	struct transfer *last = ts->active[--ts->active_count];
	ts->active[t->at] = last;
	last->at = t->at;
}

void transfers_give(struct transfers *ts, struct transfer *t)
{
	if (t->body.data != NULL && t->body.cap <= BODY_KEPT_BYTES && ts->spare_count < SPARE_BODIES)
		ts->spare[ts->spare_count++] = (struct body){t->body.data, 0, t->body.cap};
	else
		free(t->body.data);
	t->body = (struct body){NULL, 0, 0};
	t->owner = NULL;
	t->next_free = ts->free;
	ts->free = t;
}

void transfers_cancel(struct transfers *ts, struct transfer *t)
{
	leave(ts, t);
	t->shard->running--;
	transfers_give(ts, t);
}

void transfers_resolve(struct transfers *ts, struct str hosts)
{
	struct curl_slist *old = ts->names;
	char *line = heap_alloc(hosts.len + 1);
	memcpy(line, hosts.data, hosts.len);
	line[hosts.len] = '\0';
	ts->names = curl_slist_append(NULL, line);
	free(line);
	ts->names_version++;
	for (uint32_t i = 0; i < ts->made; i++) { /* so that none keeps the old list */
		curl_easy_setopt(ts->all[i]->easy, CURLOPT_RESOLVE, ts->names);
		ts->all[i]->names_seen = ts->names_version;
	}
	curl_slist_free_all(old);
}

enum rc transfers_watch(struct transfers *ts, int fd, struct err *err)
{
	return sockets_watch(&ts->sockets, fd, err);
}

static void act(struct shard *shard, curl_socket_t fd, int bits)
{
	/* Its errors are a transfer's (told by transfers_next) or a bug of ours (a bad handle). */
	(void)curl_multi_socket_action(shard->multi, fd, bits, &shard->running);
}

static void on_event(struct transfers *ts, const struct epoll_event *ev)
{
	uint16_t shard;
	unsigned bits = sockets_take(&ts->sockets, ev, &shard);
	if (bits == 0)
		return;
	int select = ((bits & SOCKETS_IN) != 0 ? CURL_CSELECT_IN : 0) | ((bits & SOCKETS_OUT) != 0 ? CURL_CSELECT_OUT : 0) |
	             ((bits & SOCKETS_FAILED) != 0 ? CURL_CSELECT_ERR : 0);
	act(&ts->shards[shard], ev->data.fd, select);
	sockets_acted(&ts->sockets, ev->data.fd, bits); /* libcurl may have left bytes there */
}

/* Runs the shards whose time has come; returns when the next one is due, 0 when there is something to take at once. */
static int64_t run_due(struct transfers *ts, int64_t until_us)
{
	int64_t now = clock_mono_us(), soonest = until_us;
	for (uint32_t i = 0; i < ts->shard_count; i++) {
		struct shard *s = &ts->shards[i];
		if (s->due_us <= now) {
			s->due_us = INT64_MAX;
			act(s, CURL_SOCKET_TIMEOUT, 0);
		}
		if (s->running < s->added)
			soonest = 0;
		else if (s->due_us < soonest)
			soonest = s->due_us;
	}
	return soonest;
}

void transfers_wait(struct transfers *ts, int64_t until_us)
{
	int64_t soonest = run_due(ts, until_us), now = clock_mono_us();
	int64_t ms = soonest <= now ? 0 : (soonest - now + 999) / 1000;
	int timeout = soonest == INT64_MAX ? -1 : ms > 3600000 ? 3600000 : (int)ms;
	int n = epoll_wait(ts->sockets.epoll_fd, ts->events, EVENTS, timeout);
	for (int i = 0; i < n; i++) /* n < 0: interrupted; the caller comes again */
		on_event(ts, &ts->events[i]);
	ts->scan = 0;
}

static enum transfer_end end_of(const struct transfer *t, CURLcode code)
{
	switch (code) {
	case CURLE_OK:
		return TRANSFER_DONE;
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_RESOLVE_PROXY:
		return TRANSFER_NO_NAME;
	case CURLE_COULDNT_CONNECT:
		return t->address_refused ? TRANSFER_ADDRESS_REFUSED : TRANSFER_NO_CONNECTION;
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CIPHER:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_ISSUER_ERROR:
		return TRANSFER_TLS;
	case CURLE_WRITE_ERROR:
		return t->too_large ? TRANSFER_TOO_LARGE : TRANSFER_NOT_HTTP;
	case CURLE_UNSUPPORTED_PROTOCOL: /* an answer without a status line */
	case CURLE_WEIRD_SERVER_REPLY:
	case CURLE_BAD_CONTENT_ENCODING:
	case CURLE_OUT_OF_MEMORY: /* a header line over libcurl's own bound */
		return TRANSFER_NOT_HTTP;
	case CURLE_OPERATION_TIMEDOUT:
		return TRANSFER_TIMED_OUT;
	default:
		return TRANSFER_RESET;
	}
}

static struct str header_view(const struct kept_header *h)
{
	return h->there ? (struct str){h->text, h->len} : STR_NULL;
}

static void describe(struct transfer *t, CURLcode code, struct transfer_result *ret)
{
	long status = 0, request_bytes = 0, os_errno = 0;
	curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
	if (code != CURLE_OK) {
		curl_easy_getinfo(t->easy, CURLINFO_REQUEST_SIZE, &request_bytes);
		curl_easy_getinfo(t->easy, CURLINFO_OS_ERRNO, &os_errno);
	}
	enum transfer_end end = end_of(t, code);
	if (end == TRANSFER_TIMED_OUT && request_bytes == 0)
		end = TRANSFER_NO_CONNECTION;
	*ret = (struct transfer_result){
	    .end = end,
	    .http_status = (int)status,
	    .sent = code == CURLE_OK || request_bytes > 0,
	    .body = {t->body.data != NULL ? t->body.data : "", t->body.len},
	    .retry_after = header_view(&t->retry_after),
	    .retry_after_ms = header_view(&t->retry_after_ms),
	    .request_id = header_view(&t->request_id),
	    .why = code == CURLE_OK ? "" : t->why[0] != '\0' ? t->why : curl_easy_strerror(code),
	    .os_errno = (int)os_errno,
	};
}

struct transfer *transfers_next(struct transfers *ts, struct transfer_result *ret)
{
	for (; ts->scan < ts->shard_count; ts->scan++) {
		struct shard *s = &ts->shards[ts->scan];
		if (s->running >= s->added)
			continue;
		int left;
		CURLMsg *msg = curl_multi_info_read(s->multi, &left);
		if (msg == NULL || msg->msg != CURLMSG_DONE) {
			s->running = s->added; /* nothing to take, whatever the counts said */
			continue;
		}
		struct transfer *t = NULL;
		curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, &t);
		describe(t, msg->data.result, ret);
		leave(ts, t);
		return t;
	}
	return NULL;
}

void *transfer_owner(const struct transfer *t)
{
	return t->owner;
}

uint32_t transfers_active(const struct transfers *ts)
{
	return ts->active_count;
}

uint32_t transfers_connections(const struct transfers *ts)
{
	return ts->connections;
}

void transfers_each(struct transfers *ts, void (*visit)(void *ctx, struct transfer *t), void *ctx)
{
	for (uint32_t i = ts->active_count; i-- > 0;) /* backwards: a cancelled one is replaced by one already visited */
		visit(ctx, ts->active[i]);
}
