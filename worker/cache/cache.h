/*
 * cache.h: routing results by key: a near tier in memory, a far tier in Redis, single flight. Hides Redis.
 * Values are opaque bytes; a damaged one is a miss.
 *
 * Thread: `struct cache` is shared; a `struct cache_conn` belongs to one decider, which may block in it for about
 * redis.timeout. Redis down is never an error here: it is a miss and a count (breaker inside).
 *
 * What a decider does with a batch:
 *   1. cache_read. MISS and leader: decide it. MISS and not leader: leave it for 3.
 *   2. cache_write for what was decided. Every leader ends in a cache_write, soon or late (an asking stage: when the answer
 *      is there; a dropped or failed job, a result that must not be kept: value NULL). One that never does holds its key up
 *      for CACHE_CLAIM_MS, no longer. Who did not lead may write a value, but not a NULL one.
 *   3. cache_share for the slots left: twins in the batch are now SHARED; where `leader` has turned true, decide as in 1.
 *   4. MISS and still not leader: another job is deciding it. Either decide it too (fine where stages are cheap), or
 *      cache_park the job: it comes back by the resume hook and is read again with slot.waited set, which ends in a value,
 *      in leadership, or, slot.patient set too, in step 4 again behind whoever leads by then. A job that cache_park refuses
 *      goes through cache_read at once, waited.
 * Call cache_tick each second, and cache_unpark when leases have changed or the worker stops.
 */
#ifndef CACHE_CACHE_H
#define CACHE_CACHE_H

#include "common/err.h"
#include "common/log.h"
#include "common/metrics.h"
#include "worker/job/job.h"
#include "worker/job/settings.h"

enum { CACHE_KEY_BYTES = 32, CACHE_MAX_VALUE = 4096, CACHE_CLAIM_MS = 30000 };

struct cache;
struct cache_conn;

/* Without redis.url: memory only, under a random secret. Redis without a secret: RC_BAD_INPUT naming the line to add. */
enum rc cache_open(const struct settings *settings, struct log *log, struct metrics *metrics, struct cache **ret, struct err *err);
void cache_close(struct cache *cache); /* after its conns; nothing may be parked */
struct cache_conn *cache_conn_new(struct cache *cache); /* does not connect yet */
void cache_conn_free(struct cache_conn *conn);

void cache_key(struct cache_conn *conn, struct str material, uint8_t key[CACHE_KEY_BYTES]); /* HMAC-SHA-256(secret, material) */
/* True when the secret is configured: only then may the key be shown as prompt_hash. */
bool cache_has_secret(const struct cache *cache);

struct cache_slot {
	uint8_t key[CACHE_KEY_BYTES];
	bool waited, patient;     /* in: it was parked before: a hit is SHARED, a miss leads; patient: it may be parked again */
	enum cache_source source; /* out: NEAR, FAR, SHARED or MISS (OFF when disabled: then leader is true) */
	struct str value;         /* out, in arena given; data NULL on a miss */
	bool leader;              /* out, on a miss: decide it and call cache_write */
};
/* One pass over the near tier, one pipelined round trip for the rest (one for every 64 keys). */
void cache_read(struct cache_conn *conn, struct cache_slot *slots, uint32_t count, struct arena *arena, int64_t now_us);
/* Step 3: looks again at slots that are MISS and not leader. In memory only. */
void cache_share(struct cache_conn *conn, struct cache_slot *slots, uint32_t count, struct arena *arena, int64_t now_us);

struct cache_entry {
	uint8_t key[CACHE_KEY_BYTES];
	struct str value; /* <= CACHE_MAX_VALUE; data NULL: nothing to store, only release the leader's claim */
	int64_t ttl_ms;
};
/* One pipelined write; near tier and waiters first. Clears the leader's claims. */
void cache_write(struct cache_conn *conn, const struct cache_entry *entries, uint32_t count, int64_t now_us);

/* Set once, before the first conn. Gets back what was parked; takes ownership of all in list. Thread: whoever called a
 * function here; no lock is held. Must not block. */
void cache_on_resume(struct cache *cache, void (*resume)(void *ctx, struct list *jobs), void *ctx);
/* True: takes ownership of job until the resume hook. False: nobody leads the key any more. Thread: any. */
bool cache_park(struct cache *cache, const uint8_t key[CACHE_KEY_BYTES], struct link *job, int64_t now_us);
void cache_tick(struct cache *cache, int64_t now_us); /* ends claims that are over. Thread: any */
void cache_unpark(struct cache *cache, struct list *ret); /* all that is parked, the caller's again; claims stay. Thread: any */

enum rc cache_ping(const struct settings *settings, struct err *err); /* for check-config; RC_UNAVAILABLE with words */
bool cache_redis_up(const struct cache *cache); /* false also without Redis */

struct cache_counts {
	uint64_t near, far, shared, miss;
};
struct cache_counts cache_counts(const struct cache *cache); /* look-ups since the start. Thread: any */

#endif
