/*
 * near.c: the near tier of the cache.
 *
 * The one idea: a fixed array of slots per shard, chained by index from a table of buckets, and a clock hand for eviction: a
 * hit only sets a bit, so reading costs no list surgery, and what was not asked for since the hand last passed goes first.
 * A slot keeps its buffer when its entry is evicted, so a full table at work takes no memory from the heap unless a value
 * is longer than any that slot has held.
 *
 * It does not sweep expired entries: they are dropped when met by a look-up or by the hand.
 */
#include "worker/cache/near.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_SHARDS = 16, SMALLEST_SHARD = 64, NONE = 0 }; /* slots are numbered from 1, so that zeroed memory means none */

struct slot {
	uint8_t key[CACHE_KEY_BYTES];
	int64_t expires_us;
	char *data;
	uint32_t len, cap;
	uint32_t next; /* in the chain of its bucket, or of the free slots */
	bool used, asked_for;
};

struct shard {
	pthread_mutex_t lock;
	struct slot *slots; /* max of them; number n is slots[n - 1] */
	uint32_t *buckets;  /* heads of the chains */
	uint32_t mask, max, fresh, free, hand, count; /* fresh: slots never used begin here */
};

struct near {
	uint32_t shard_count; /* a power of two */
	struct shard shards[MAX_SHARDS];
};

static uint32_t key_word(const uint8_t key[CACHE_KEY_BYTES], size_t at)
{
	uint32_t word;
	memcpy(&word, key + at, sizeof word);
	return word;
}

static struct shard *shard_of(struct near *near, const uint8_t key[CACHE_KEY_BYTES])
{
	return &near->shards[key_word(key, 8) & (near->shard_count - 1)];
}

struct near *near_new(uint32_t max_entries)
{
	struct near *near = heap_zalloc(1, sizeof *near);
	near->shard_count = 1;
	while (near->shard_count < MAX_SHARDS && max_entries / (near->shard_count * 2) >= SMALLEST_SHARD)
		near->shard_count *= 2;
	for (uint32_t i = 0; i < near->shard_count; i++) {
		struct shard *s = &near->shards[i];
		pthread_mutex_init(&s->lock, NULL);
		s->max = max_entries / near->shard_count;
		uint32_t buckets = 16;
		while (buckets < s->max && buckets < 1u << 30)
			buckets *= 2;
		s->mask = buckets - 1;
		s->buckets = heap_zalloc(buckets, sizeof *s->buckets);
		s->slots = heap_zalloc(s->max, sizeof *s->slots);
	}
	return near;
}

void near_free(struct near *near)
{
	if (near == NULL)
		return;
	for (uint32_t i = 0; i < near->shard_count; i++) {
		struct shard *s = &near->shards[i];
		for (uint32_t j = 0; j < s->fresh; j++)
			free(s->slots[j].data);
		free(s->slots);
		free(s->buckets);
		pthread_mutex_destroy(&s->lock);
	}
	free(near);
}

/* The place that holds the slot's number: a bucket or the chain's previous slot; it holds NONE when the key is absent. */
static uint32_t *find(struct shard *s, const uint8_t key[CACHE_KEY_BYTES])
{
	uint32_t *at = &s->buckets[key_word(key, 0) & s->mask];
	while (*at != NONE && memcmp(s->slots[*at - 1].key, key, CACHE_KEY_BYTES) != 0)
		at = &s->slots[*at - 1].next;
	return at;
}

static void drop(struct shard *s, uint32_t *at)
{
	uint32_t number = *at;
	struct slot *slot = &s->slots[number - 1];
	*at = slot->next;
	slot->used = false;
	slot->next = s->free;
	s->free = number;
	s->count--;
}

bool near_get(struct near *near, const uint8_t key[CACHE_KEY_BYTES], int64_t now_us, char out[CACHE_MAX_VALUE], size_t *ret_len)
{
	struct shard *s = shard_of(near, key);
	pthread_mutex_lock(&s->lock);
	uint32_t *at = find(s, key);
	bool found = *at != NONE;
	if (found && s->slots[*at - 1].expires_us <= now_us) {
		drop(s, at);
		found = false;
	}
	if (found) {
		struct slot *slot = &s->slots[*at - 1];
		slot->asked_for = true;
		if (slot->len != 0)
			memcpy(out, slot->data, slot->len);
		*ret_len = slot->len;
	}
	pthread_mutex_unlock(&s->lock);
	return found;
}

/* Turns the hand until it meets an entry to give up, and frees it. Two rounds suffice: the first clears every bit. */
static void evict(struct shard *s, int64_t now_us)
{
	for (;;) {
		struct slot *slot = &s->slots[s->hand];
		s->hand = s->hand + 1 == s->max ? 0 : s->hand + 1;
		if (!slot->used)
			continue;
		if (slot->asked_for && slot->expires_us > now_us) {
			slot->asked_for = false;
			continue;
		}
		drop(s, find(s, slot->key));
		return;
	}
}

static uint32_t take_slot(struct shard *s, int64_t now_us)
{
	if (s->free == NONE && s->fresh < s->max)
		return ++s->fresh;
	if (s->free == NONE)
		evict(s, now_us);
	uint32_t number = s->free;
	s->free = s->slots[number - 1].next;
	return number;
}

void near_put(struct near *near, const uint8_t key[CACHE_KEY_BYTES], struct str value, int64_t expires_us, int64_t now_us)
{
	struct shard *s = shard_of(near, key);
	if (value.len > CACHE_MAX_VALUE || expires_us <= now_us || s->max == 0)
		return;
	pthread_mutex_lock(&s->lock);
	uint32_t number = *find(s, key);
	if (number == NONE) {
		number = take_slot(s, now_us);
		uint32_t *bucket = &s->buckets[key_word(key, 0) & s->mask];
		struct slot *taken = &s->slots[number - 1];
		memcpy(taken->key, key, CACHE_KEY_BYTES);
		taken->next = *bucket;
		*bucket = number;
		taken->used = true;
		taken->asked_for = false;
		s->count++;
	}
	struct slot *slot = &s->slots[number - 1];
	if (slot->cap < value.len) {
		slot->cap = (uint32_t)((value.len + 63) & ~(size_t)63);
		slot->data = heap_resize(slot->data, slot->cap, 1);
	}
	if (value.len != 0)
		memcpy(slot->data, value.data, value.len);
	slot->len = (uint32_t)value.len;
	slot->expires_us = expires_us;
	pthread_mutex_unlock(&s->lock);
}

uint32_t near_count(struct near *near)
{
	uint32_t count = 0;
	for (uint32_t i = 0; i < near->shard_count; i++) {
		pthread_mutex_lock(&near->shards[i].lock);
		count += near->shards[i].count;
		pthread_mutex_unlock(&near->shards[i].lock);
	}
	return count;
}
