/*
 * cache_states.h: what changes under its key, such as where a conversation stands, read together with decisions (cache.h).
 *
 * The far tier's word goes before the near tier's, which is asked where the far tier has none or is away; there is no single flight.
 * A state is written by cache_write, as decisions are.
 *
 * Thread: the decider that owns the conn.
 */
#ifndef CACHE_CACHE_STATES_H
#define CACHE_CACHE_STATES_H

#include "worker/cache/cache.h"

struct cache_state {
	uint8_t key[CACHE_KEY_BYTES];
	bool asked;       /* in: else it is passed over */
	struct str value; /* out, in arena given; data NULL: nothing is known */
};

/* cache_read, and the states in the same round trip (one for every 64 slots, or states where there are more). */
void cache_read_states(struct cache_conn *conn, struct cache_slot *slots, uint32_t count, struct cache_state *states, uint32_t state_count,
                       struct arena *arena, int64_t now_us);

#endif
