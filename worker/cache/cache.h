/*
 * cache.h: routing results by key: a near tier in memory, a far tier in Redis, single flight. Hides Redis.
 * Values are opaque bytes; a damaged one is a miss.
 *
 * Thread: `struct cache` is shared (near tier locked by shards); a `struct cache_conn` belongs to one decider, which may
 * block in it for at most redis.timeout. Redis down is never an error here: it is a miss and a count (breaker inside).
 */
#ifndef CACHE_CACHE_H
#define CACHE_CACHE_H

#include "common/err.h"
#include "common/log.h"
#include "common/metrics.h"
#include "worker/job/job.h"
#include "worker/job/settings.h"

enum { CACHE_KEY_BYTES = 32, CACHE_MAX_VALUE = 4096 };

struct cache;
struct cache_conn;

/* Without redis.url: memory only, under a random secret. Redis without a secret: RC_BAD_INPUT naming the line to add. */
enum rc cache_open(const struct settings *settings, struct log *log, struct metrics *metrics, struct cache **ret, struct err *err);
void cache_close(struct cache *cache);
struct cache_conn *cache_conn_new(struct cache *cache); /* does not connect yet */
void cache_conn_free(struct cache_conn *conn);

/* HMAC-SHA-256(secret, material). */
void cache_key(const struct cache *cache, struct str material, uint8_t key[CACHE_KEY_BYTES]);
/* True when the secret is configured: only then may the key be shown as prompt_hash. */
bool cache_has_secret(const struct cache *cache);

struct cache_slot {
	uint8_t key[CACHE_KEY_BYTES];
	enum cache_source source; /* out: NEAR, FAR, SHARED or MISS (OFF when disabled) */
	struct str value;         /* out, in arena given; data NULL on a miss */
	bool leader;              /* out, on a miss: true = decide it and call cache_write or cache_abandon; false = another
	                             thread is deciding the same key: cache_wait_shared */
};
/* One pass over the near tier, one pipelined round trip for the rest. */
void cache_read(struct cache_conn *conn, struct cache_slot *slots, uint32_t count, struct arena *arena, int64_t now_us);

struct cache_entry {
	uint8_t key[CACHE_KEY_BYTES];
	struct str value; /* <= CACHE_MAX_VALUE; data NULL: nothing to store, only release the leader's claim */
	int64_t ttl_ms;
};
/* One pipelined write; near tier and waiters first. Clears the leader's claims. */
void cache_write(struct cache_conn *conn, const struct cache_entry *entries, uint32_t count, int64_t now_us);

/* For check-config: connects and PINGs. RC_UNAVAILABLE with words. */
enum rc cache_ping(const struct settings *settings, struct err *err);
bool cache_redis_up(const struct cache *cache); /* false also without Redis */

#endif
