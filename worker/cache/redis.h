/*
 * redis.h: one connection to Redis for the cache: many reads and writes in one go, with a deadline. Hides hiredis.
 *
 * Thread: one at a time per connection. Every call ends by its deadline (only a look-up of the host's name in a new
 * connection can take longer). Failures are RC_UNAVAILABLE with words and leave the connection closed.
 */
#ifndef CACHE_REDIS_H
#define CACHE_REDIS_H

#include "common/err.h"
#include "worker/cache/redis_url.h"

struct redis;

/* address must outlive it. max_reply_bytes: what one value may have; a longer one closes the connection. */
struct redis *redis_new(const struct redis_address *address, int64_t timeout_ms, size_t max_reply_bytes);
void redis_free(struct redis *redis); /* NULL is fine. Waits for the answers to what was set, at most the timeout. */

/* Connects, authenticates, chooses the database. Does nothing when connected. */
enum rc redis_connect(struct redis *redis, struct err *err);
bool redis_is_connected(const struct redis *redis);
enum rc redis_ping(struct redis *redis, struct err *err);

/* One MGET. found is called once for each key that has a string, in order; value is good during the call. */
enum rc redis_mget(struct redis *redis, const struct str *keys, uint32_t count,
                   void (*found)(void *ctx, uint32_t index, struct str value), void *ctx, struct err *err);

struct redis_set {
	struct str key, value;
	int64_t ttl_ms; /* >= 1 */
};
/* Sends SET PX for each. The answers are read by the next call. */
enum rc redis_set_all(struct redis *redis, const struct redis_set *sets, uint32_t count, struct err *err);
/* Sets that Redis has refused (out of memory, read-only) since the last call of this; words of the last one. */
uint32_t redis_take_refused(struct redis *redis, struct err *ret_why);

#endif
