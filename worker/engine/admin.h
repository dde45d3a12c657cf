/*
 * admin.h: the worker's HTTP pages: /healthz, /readyz, /metrics, /status (JSON) and / (one live page). The adapter of
 * libmicrohttpd; it knows the worker by three questions only.
 *
 * /status and what the page reads of it (every member may be missing; numbers unless said):
 *   version, instance (texts), uptime_s, ready (bool), ready_reason (text), cost_usd, baseline_cost_usd (null: unknown)
 *   policy {name, decision_version, policy_version}: texts
 *   stream {partitions, holes, lag (-1: unknown), outstanding, committed, redone_commits, rebalances,
 *           brokers_reachable (bool)}
 *   jobs {in_use, max, bytes, max_bytes}          cache {near, far, shared, miss, redis_up (bool)}
 *   routes, stages [{name (text), count}]         outcomes {class: count}
 *   models [{name (text), waiting, calling, concurrency, connections, answered, failed, retried, breaker_open (bool),
 *            p50_ms, p95_ms, p99_ms, cost_usd}]
 *
 * Only GET and HEAD are answered. There is no login: listen on the loopback or on a network of one's own.
 */
#ifndef ENGINE_ADMIN_H
#define ENGINE_ADMIN_H

#include <stdbool.h>

#include "common/err.h"
#include "common/metrics.h"
#include "common/str.h"

struct admin;

/* Asked by the admin thread; must not block for long. */
struct admin_source {
	void *ctx;
	bool (*healthy)(void *ctx);                     /* the process goes round: else it should be restarted */
	bool (*ready)(void *ctx, struct buf *why);      /* records can flow; else why has the reason */
	void (*status_json)(void *ctx, struct buf *out); /* one JSON object */
};

/* listen: "host:port", "[v6]:port" or ":port" (all addresses); port 0: any free one. Starts one thread. source is copied;
 * metrics must outlive it (NULL: none to show). RC_BAD_INPUT: listen cannot be read; RC_FATAL: it cannot be listened on. */
enum rc admin_start(struct str listen, const struct admin_source *source, struct metrics *metrics, struct admin **ret, struct err *err);
const char *admin_address(const struct admin *admin); /* "host:port" as it was bound */
void admin_stop(struct admin *admin);                 /* NULL is fine. No source is asked afterwards. */

/* admin_page.c: the page, with each "{{nonce}}" to be replaced. */
struct str admin_page(void);

#endif
