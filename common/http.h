/*
 * http.h: plain blocking GET and POST for the control plane (schema registry, check-config). Model calls do not use it.
 *
 * http and https only, no redirects, no proxy from the environment, TLS verified, body bounded.
 * Thread: one per client.
 */
#ifndef COMMON_HTTP_H
#define COMMON_HTTP_H

#include "common/arena.h"
#include "common/err.h"

struct http;
struct http_answer {
	long status;
	struct str body;
};

struct http *http_new(int64_t timeout_ms, size_t max_body_bytes);
void http_free(struct http *http);
/* body data NULL: GET. headers: "Name: value" strings, NULL-terminated, may be NULL. RC_UNAVAILABLE when no answer came. */
enum rc http_send(struct http *http, const char *url, const char *const *headers, struct str body, struct arena *arena,
                  struct http_answer *ret, struct err *err);

#endif
