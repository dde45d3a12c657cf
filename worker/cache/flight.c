/*
 * flight.c: who leads which key, and who waits for it.
 *
 * The one idea: claims live in a fixed pool, chained by index from buckets; one that finds the pool used up simply is
 * not recorded, which costs a doubled decision and nothing else. Correctness never rests on single flight: it only saves
 * work.
 */
#include "worker/cache/flight.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { SHARDS = 16, SMALLEST_SHARD = 64, NONE = 0 }; /* claims are numbered from 1 */

struct claim {
	uint8_t key[CACHE_KEY_BYTES];
	int64_t expires_us;
	struct list waiters;
	uint32_t next; /* in its chain, or in the free list */
	bool used;
};

struct shard {
	pthread_mutex_t lock;
	struct claim *claims;
	uint32_t *buckets;
	uint32_t free;
};

struct flight {
	int64_t claim_us;
	uint32_t claims, mask; /* of each shard */
	struct shard shards[SHARDS];
};

struct flight *flight_new(uint32_t max_claims, int64_t claim_us)
{
	struct flight *flight = heap_zalloc(1, sizeof *flight);
	flight->claim_us = claim_us;
	/* twice an even share: keys do not spread evenly over the shards */
	flight->claims = max_claims / SHARDS * 2;
	if (flight->claims < SMALLEST_SHARD)
		flight->claims = SMALLEST_SHARD;
	uint32_t buckets = 16;
	while (buckets < flight->claims)
		buckets *= 2;
	flight->mask = buckets - 1;
	for (uint32_t i = 0; i < SHARDS; i++) {
		struct shard *s = &flight->shards[i];
		pthread_mutex_init(&s->lock, NULL);
		s->claims = heap_zalloc(flight->claims, sizeof *s->claims);
		s->buckets = heap_zalloc(buckets, sizeof *s->buckets);
		for (uint32_t n = flight->claims; n > 0; n--) {
			s->claims[n - 1].next = s->free;
			s->free = n;
		}
	}
	return flight;
}

void flight_free(struct flight *flight)
{
	if (flight == NULL)
		return;
	for (uint32_t i = 0; i < SHARDS; i++) {
		free(flight->shards[i].claims);
		free(flight->shards[i].buckets);
		pthread_mutex_destroy(&flight->shards[i].lock);
	}
	free(flight);
}

static struct shard *lock_shard(struct flight *flight, const uint8_t key[CACHE_KEY_BYTES])
{
	struct shard *s = &flight->shards[key[8] % SHARDS];
	pthread_mutex_lock(&s->lock);
	return s;
}

/* The place that holds the claim's number; it holds NONE when nobody leads the key. */
static uint32_t *find(const struct flight *flight, struct shard *s, const uint8_t key[CACHE_KEY_BYTES])
{
	uint32_t word;
	memcpy(&word, key, sizeof word);
	uint32_t *at = &s->buckets[word & flight->mask];
	while (*at != NONE && memcmp(s->claims[*at - 1].key, key, CACHE_KEY_BYTES) != 0)
		at = &s->claims[*at - 1].next;
	return at;
}

static void end_claim(struct shard *s, uint32_t *at, struct list *released)
{
	uint32_t number = *at;
	struct claim *claim = &s->claims[number - 1];
	list_join(released, &claim->waiters);
	*at = claim->next;
	claim->used = false;
	claim->next = s->free;
	s->free = number;
}

bool flight_claim(struct flight *flight, const uint8_t key[CACHE_KEY_BYTES], int64_t now_us, struct list *released)
{
	struct shard *s = lock_shard(flight, key);
	uint32_t *at = find(flight, s, key);
	bool lead = true;
	if (*at != NONE) {
		struct claim *claim = &s->claims[*at - 1];
		lead = claim->expires_us <= now_us;
		if (lead) {
			list_join(released, &claim->waiters);
			claim->expires_us = now_us + flight->claim_us;
		}
	} else if (s->free != NONE) {
		uint32_t number = s->free;
		struct claim *claim = &s->claims[number - 1];
		s->free = claim->next;
		memcpy(claim->key, key, CACHE_KEY_BYTES);
		claim->expires_us = now_us + flight->claim_us;
		claim->next = NONE;
		claim->used = true;
		*at = number;
	}
	pthread_mutex_unlock(&s->lock);
	return lead;
}

bool flight_park(struct flight *flight, const uint8_t key[CACHE_KEY_BYTES], struct link *waiter, int64_t now_us)
{
	struct shard *s = lock_shard(flight, key);
	uint32_t number = *find(flight, s, key);
	bool led = number != NONE && s->claims[number - 1].expires_us > now_us;
	if (led)
		list_push(&s->claims[number - 1].waiters, waiter);
	pthread_mutex_unlock(&s->lock);
	return led;
}

void flight_release(struct flight *flight, const uint8_t key[CACHE_KEY_BYTES], struct list *released)
{
	struct shard *s = lock_shard(flight, key);
	uint32_t *at = find(flight, s, key);
	if (*at != NONE)
		end_claim(s, at, released);
	pthread_mutex_unlock(&s->lock);
}

uint32_t flight_expire(struct flight *flight, int64_t now_us, struct list *released)
{
	uint32_t ended = 0;
	for (uint32_t i = 0; i < SHARDS; i++) {
		struct shard *s = &flight->shards[i];
		pthread_mutex_lock(&s->lock);
		for (uint32_t n = 0; n < flight->claims; n++) {
			if (!s->claims[n].used || s->claims[n].expires_us > now_us)
				continue;
			end_claim(s, find(flight, s, s->claims[n].key), released);
			ended++;
		}
		pthread_mutex_unlock(&s->lock);
	}
	return ended;
}

void flight_unpark(struct flight *flight, struct list *released)
{
	for (uint32_t i = 0; i < SHARDS; i++) {
		struct shard *s = &flight->shards[i];
		pthread_mutex_lock(&s->lock);
		for (uint32_t n = 0; n < flight->claims; n++)
			list_join(released, &s->claims[n].waiters);
		pthread_mutex_unlock(&s->lock);
	}
}
