/*
 * near.h: the near tier: a bounded table in memory from key to bytes, with a lifetime each.
 *
 * Keys must be uniformly distributed (they are keyed hashes): their own bytes choose shard and bucket. Thread: any; each shard
 * has a lock, held for one look-up and one copy. Time is an argument (monotonic microseconds).
 */
#ifndef CACHE_NEAR_H
#define CACHE_NEAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "worker/cache/cache.h"

struct near;

/* Holds at most max_entries (0: keeps nothing). Memory is touched as it fills. */
struct near *near_new(uint32_t max_entries);
void near_free(struct near *near); /* NULL is fine */

/* Copies the value to out; false when there is none or its time is over. */
bool near_get(struct near *near, const uint8_t key[CACHE_KEY_BYTES], int64_t now_us, char out[CACHE_MAX_VALUE], size_t *ret_len);
/* Copies the value in, replacing an older one; evicts another when full. Ignored when longer than CACHE_MAX_VALUE or already
 * over. */
void near_put(struct near *near, const uint8_t key[CACHE_KEY_BYTES], struct str value, int64_t expires_us, int64_t now_us);
uint32_t near_count(struct near *near); /* entries held, expired ones included until they are met */

#endif
