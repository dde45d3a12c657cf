/*
 * resolve.h: addresses of the models' hosts, looked up by one thread, so that libcurl needs none per look-up.
 *
 * Numeric addresses and localhost need no look-up. A name is looked up at the start and every half minute; when a refresh
 * fails the old addresses stay.
 *
 * Thread: open and close the owner; the rest any.
 */
#ifndef UPSTREAM_RESOLVE_H
#define UPSTREAM_RESOLVE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/log.h"
#include "common/str.h"

struct host {
	struct str name; /* points into the URL */
	uint16_t port;
};
/* The host of an http or https URL and whether it needs a look-up; RC_BAD_INPUT when there is none. Pure. */
enum rc resolve_host_of(struct str url, struct host *ret, bool *ret_needs_lookup, struct err *err);

struct resolver;
enum resolve_state { RESOLVE_NOT_NEEDED, RESOLVE_PENDING, RESOLVE_READY, RESOLVE_FAILED };
enum { RESOLVE_LINE_MAX = 1024 };

/* wake is called (by the resolver's thread) when something about entry index changed. urls live as long as the resolver. */
enum rc resolver_open(const struct str *urls, uint32_t count, struct log *log, void (*wake)(void *ctx, uint32_t index),
                      void *ctx, struct resolver **ret, struct err *err);
void resolver_close(struct resolver *r); /* NULL is fine; waits for a look-up under way */

/* When the entry is READY and its version is not *version: sets it and writes "host:port:address,..." with a NUL. */
enum resolve_state resolver_get(struct resolver *r, uint32_t index, uint32_t *version, char line[RESOLVE_LINE_MAX]);

#endif
