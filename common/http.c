/*
 * http.c: one request, one answer, for the control plane.
 *
 * The one idea: the other side may be anything, so everything that could lead elsewhere or grow is off or bounded: redirects,
 * proxies from the environment, other protocols, the body, the time. libcurl's easy interface does the rest and keeps the
 * connection for the next request.
 *
 * A status such as 404 is an answer, not an error. It retries nothing.
 */
#include "common/http.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LONGEST_URL = 8192 };

struct http {
	CURL *curl;
	size_t max_body_bytes;
	char why[CURL_ERROR_SIZE];
};

struct sink {
	struct buf body;
	size_t max_bytes;
	bool overflow;
};

static size_t take_body(char *data, size_t size, size_t count, void *user)
{
	struct sink *sink = user;
	size_t bytes = size * count; /* size is 1 by libcurl's promise */
	if (bytes > sink->max_bytes - sink->body.len) {
		sink->overflow = true;
		return 0; /* ends the transfer */
	}
	buf_add(&sink->body, data, bytes);
	return bytes;
}

struct http *http_new(int64_t timeout_ms, size_t max_body_bytes)
{
	struct http *http = heap_zalloc(1, sizeof *http);
	http->max_body_bytes = max_body_bytes;
	http->curl = curl_easy_init();
	bool ok = http->curl != NULL;
	CURL *c = http->curl;
	ok = ok && curl_easy_setopt(c, CURLOPT_ERRORBUFFER, http->why) == CURLE_OK;
	ok = ok && curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L) == CURLE_OK;
	ok = ok && curl_easy_setopt(c, CURLOPT_PROXY, "") == CURLE_OK; /* not even the environment's */
	ok = ok && curl_easy_setopt(c, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED) == CURLE_OK;
	ok = ok && curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK;
	ok = ok && curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK;
	ok = ok && curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)timeout_ms) == CURLE_OK;
	ok = ok && curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, (long)timeout_ms) == CURLE_OK;
	ok = ok && curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take_body) == CURLE_OK;
	ok = ok && curl_easy_setopt(c, CURLOPT_USERAGENT, "pointsman/" POINTSMAN_VERSION) == CURLE_OK;
	if (!ok) {
		fprintf(stderr, "pointsman: libcurl does not start\n");
		abort(); /* out of memory, or a library that is not the one we were built for */
	}
	return http;
}

void http_free(struct http *http)
{
	if (http == NULL)
		return;
	curl_easy_cleanup(http->curl);
	free(http);
}

/* NULL when memory is short. An empty Expect keeps libcurl from waiting a second for "100 Continue". */
static struct curl_slist *header_list(const char *const *headers)
{
	struct curl_slist *list = curl_slist_append(NULL, "Expect:");
	for (; list != NULL && headers != NULL && *headers != NULL; headers++) {
		struct curl_slist *longer = curl_slist_append(list, *headers);
		if (longer == NULL)
			curl_slist_free_all(list);
		list = longer;
	}
	return list;
}

static bool set_request(struct http *http, const char *url, struct curl_slist *headers, struct str body, struct sink *sink)
{
	CURL *c = http->curl;
	bool ok = curl_easy_setopt(c, CURLOPT_URL, url) == CURLE_OK && curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers) == CURLE_OK &&
	          curl_easy_setopt(c, CURLOPT_WRITEDATA, sink) == CURLE_OK;
	if (body.data == NULL)
		return ok && curl_easy_setopt(c, CURLOPT_HTTPGET, 1L) == CURLE_OK;
	return ok && curl_easy_setopt(c, CURLOPT_POST, 1L) == CURLE_OK && curl_easy_setopt(c, CURLOPT_POSTFIELDS, body.data) == CURLE_OK &&
	       curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.len) == CURLE_OK;
}

/* The URL without user and password, for messages. */
static struct str shown_url(const char *url, struct arena *arena)
{
	const char *scheme = strstr(url, "://"), *host = scheme != NULL ? scheme + 3 : url, *at = NULL;
	for (const char *p = host; *p != '\0' && *p != '/' && *p != '?'; p++)
		if (*p == '@')
			at = p;
	return at != NULL ? arena_printf(arena, "%.*s%s", (int)(host - url), url, at + 1) : str_of(url);
}

enum rc http_send(struct http *http, const char *url, const char *const *headers, struct str body, struct arena *arena,
                  struct http_answer *ret, struct err *err)
{
	if (strlen(url) > LONGEST_URL)
		return err_set(err, RC_BAD_INPUT, "a URL of more than %d bytes", LONGEST_URL);
	struct sink sink = {.max_bytes = http->max_body_bytes};
	buf_init(&sink.body, arena, 0);
	struct curl_slist *list = header_list(headers);
	struct str shown = shown_url(url, arena);
	enum rc rc = RC_OK;
	http->why[0] = '\0';
	if (list == NULL || !set_request(http, url, list, body, &sink)) {
		rc = err_set(err, RC_FATAL, "%.*s: libcurl refuses the request", STR_ARG(shown));
		goto out;
	}
	CURLcode code = curl_easy_perform(http->curl);
	struct http_answer answer = {.body = buf_view(&sink.body)};
	if (sink.overflow)
		rc = err_set(err, RC_UNAVAILABLE, "%.*s: the answer is longer than %zu bytes", STR_ARG(shown), http->max_body_bytes);
	else if (code == CURLE_URL_MALFORMAT || code == CURLE_UNSUPPORTED_PROTOCOL)
		rc = err_set(err, RC_BAD_INPUT, "%.*s: not an http or https URL", STR_ARG(shown));
	else if (code != CURLE_OK)
		rc = err_set(err, RC_UNAVAILABLE, "%.*s: %s", STR_ARG(shown), http->why[0] != '\0' ? http->why : curl_easy_strerror(code));
	else if (curl_easy_getinfo(http->curl, CURLINFO_RESPONSE_CODE, &answer.status) != CURLE_OK)
		rc = err_set(err, RC_UNAVAILABLE, "%.*s: an answer without a status", STR_ARG(shown));
	else
		*ret = answer;
out:
	/* the handle must not keep what belongs to this call; both settings cannot fail */
	(void)curl_easy_setopt(http->curl, CURLOPT_HTTPHEADER, NULL);
	(void)curl_easy_setopt(http->curl, CURLOPT_WRITEDATA, NULL);
	curl_slist_free_all(list);
	return rc;
}
