/*
 * flight.h: single flight: of all that miss one key at the same time, one leads and decides; the others can be parked until
 * it has.
 *
 * Nobody ever blocks here: a waiter is a link put aside, handed back in a list. A claim is good for a bounded time, so a
 * leader that vanishes holds a key up no longer than that. Thread: any; locked by shards. Time is an argument.
 */
#ifndef CACHE_FLIGHT_H
#define CACHE_FLIGHT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/queue.h"
#include "worker/cache/cache.h"

struct flight;

/* max_claims: keys led at the same time; beyond it everybody leads and nobody waits. claim_us: how long a claim is good. */
struct flight *flight_new(uint32_t max_claims, int64_t claim_us);
void flight_free(struct flight *flight); /* NULL is fine. Nothing may be parked any more. */

/* True: the caller leads. Taking over an expired claim puts its waiters into released (appended). */
bool flight_claim(struct flight *flight, const uint8_t key[CACHE_KEY_BYTES], int64_t now_us, struct list *released);
/* Takes ownership of waiter and returns true; false when nobody leads the key (any more): it stays the caller's. */
bool flight_park(struct flight *flight, const uint8_t key[CACHE_KEY_BYTES], struct link *waiter, int64_t now_us);
/* Ends the claim, if there is one; its waiters are appended to released. */
void flight_release(struct flight *flight, const uint8_t key[CACHE_KEY_BYTES], struct list *released);
/* Ends the claims that are over. Returns how many. */
uint32_t flight_expire(struct flight *flight, int64_t now_us, struct list *released);
/* Hands back all waiters; the claims stay. */
void flight_unpark(struct flight *flight, struct list *released);

#endif
