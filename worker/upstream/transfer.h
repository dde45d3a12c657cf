/*
 * transfer.h: HTTP calls to one model, many at a time. The only door to libcurl's multi interface.
 *
 * A `transfers` belongs to one pool thread and owns its epoll. The pool starts transfers, waits, and takes finished ones
 * one after the other; nothing calls back into the pool. What a transfer is given (body) must live until it is given back.
 *
 * Thread: one pool, for everything here.
 */
#ifndef UPSTREAM_TRANSFER_H
#define UPSTREAM_TRANSFER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/str.h"

enum { TRANSFER_KEY_CHARS = 32, TRANSFER_ID_MAX = 200, TRANSFER_URLS = 2 };

struct transfers;
struct transfers_setup {
	const char *urls[TRANSFER_URLS]; /* whole, with the query; on one host */
	const char *const *headers; /* "Name: value", NULL-terminated; those of every call */
	uint32_t concurrency;
	int64_t connect_timeout_ms, max_answer_bytes;
	bool allow_link_local;
};

enum transfer_end {
	TRANSFER_DONE,            /* an HTTP answer is there, whatever its status */
	TRANSFER_NO_NAME,         /* the host's name does not resolve */
	TRANSFER_ADDRESS_REFUSED, /* a link-local or metadata address */
	TRANSFER_NO_CONNECTION,
	TRANSFER_TLS,             /* handshake or certificate */
	TRANSFER_RESET,           /* the connection ended before the answer did */
	TRANSFER_TIMED_OUT,
	TRANSFER_TOO_LARGE,       /* answer body over the bound */
	TRANSFER_NOT_HTTP,        /* what came is not HTTP, or its headers are over the bound */
	TRANSFER_ENDS
};

struct transfer;
struct transfer_result {
	enum transfer_end end;
	int http_status; /* 0: none */
	bool sent;       /* bytes of the request may have reached the server */
	struct str body; /* the three live until transfers_give */
	struct str retry_after, retry_after_ms, request_id; /* headers; data NULL: absent */
	const char *why; /* libcurl's word for the failure; "" when DONE */
	int os_errno;    /* of a failed connection; 0: none */
};

enum rc transfers_open(const struct transfers_setup *setup, struct transfers **ret, struct err *err);
void transfers_close(struct transfers *ts); /* cancels what runs; NULL is fine */

/* "host:port:address,address", as the resolver wrote it; data NULL: the address is in the URL. Copied. */
void transfers_resolve(struct transfers *ts, struct str hosts);

/* url: which of the setup's. key: TRANSFER_KEY_CHARS characters, or data NULL. record_id: sent as x-record-id, or data NULL. Never
 * NULL. */
struct transfer *transfers_start(struct transfers *ts, unsigned url, struct str body, struct str key, struct str record_id,
                                 int64_t timeout_ms, void *owner);
void transfers_cancel(struct transfers *ts, struct transfer *t); /* closes its connection; gives it back */
void transfers_give(struct transfers *ts, struct transfer *t);   /* a finished one, for reuse */

/* Also wakes transfers_wait while fd is readable. Up to two. */
enum rc transfers_watch(struct transfers *ts, int fd, struct err *err);
/* Sleeps until something happened or until_us (monotonic; INT64_MAX: no end); drives what is ready. */
void transfers_wait(struct transfers *ts, int64_t until_us);
/* The next finished transfer, or NULL. */
struct transfer *transfers_next(struct transfers *ts, struct transfer_result *ret);
void *transfer_owner(const struct transfer *t);
uint32_t transfers_active(const struct transfers *ts);
/* Calls visit for every running transfer; visit may cancel that one. */
void transfers_each(struct transfers *ts, void (*visit)(void *ctx, struct transfer *t), void *ctx);
uint32_t transfers_connections(const struct transfers *ts);

#endif
