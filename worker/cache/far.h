/*
 * far.h: the far tier: Redis, shared by all replicas of a deployment, behind a breaker.
 *
 * Nothing here fails: what Redis does not give is a miss, what it does not take is decided again some day; both are counted
 * and said. Thread: `struct far` is shared; a `struct far_conn` belongs to one decider.
 */
#ifndef CACHE_FAR_H
#define CACHE_FAR_H

#include "worker/cache/cache.h"

enum { FAR_BATCH = 128 }; /* a decider's batch: a decision and a state each */

struct far;
struct far_conn;

/* secret outlives it: seals the values. RC_BAD_INPUT: redis.url cannot be read. */
enum rc far_open(const struct settings *settings, struct str secret, struct log *log, struct metrics *metrics, struct far **ret, struct err *err);
void far_close(struct far *far); /* NULL is fine */
bool far_is_up(struct far *far);
struct far_conn *far_conn_new(struct far *far);
void far_conn_free(struct far_conn *conn); /* NULL is fine */

/* count <= FAR_BATCH. found is called for each value, in order of index; left_ms is what is left of its life, >= 0. */
void far_read(struct far_conn *conn, const uint8_t *const *keys, uint32_t count,
              void (*found)(void *ctx, uint32_t index, struct str value, int64_t left_ms), void *ctx, int64_t now_us);
/* count <= FAR_BATCH; entries without a value or a life are left out. Does nothing while the breaker is open: only a
 * read, which waits for an answer, can tell that Redis is back. */
void far_write(struct far_conn *conn, const struct cache_entry *entries, uint32_t count);

#endif
