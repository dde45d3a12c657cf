/*
 * key_order.c: who waits for whom.
 *
 * The one idea: records of equal key stand in a line in the order of their offsets, and only the first of each line is hashed,
 * so a worker whose keys are all different pays one bucket a record, and a hot key makes one long line and no long bucket.
 *
 * It does not know when a record is finished. Its caller lets a place leave when the record is committed and not before: an
 * answer that is only ready can still come back (an aborted transaction, an output that the broker refuses, a partition that
 * is lost), and if the next of its key had been started by then, the two could be committed the wrong way round. Waiting for
 * the commit costs a key one commit a record, some milliseconds beside a call to a model.
 */
#include "worker/stream/key_order.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/arena.h"

void key_order_open(struct key_order *o, uint32_t places, uint64_t seed)
{
	uint64_t buckets = 16;
	while (buckets < places && buckets < (1u << 20))
		buckets *= 2;
	*o = (struct key_order){.mask = buckets - 1, .seed = seed};
	o->buckets = heap_zalloc(buckets, sizeof(struct key_place *));
}

void key_order_close(struct key_order *o)
{
	free(o->buckets);
	*o = (struct key_order){0};
}

/* The finalizer of MurmurHash3 (A. Appleby, public domain) over eight bytes at a time. */
static uint64_t mix(uint64_t h)
{
	h = (h ^ h >> 33) * 0xff51afd7ed558ccdu;
	h = (h ^ h >> 33) * 0xc4ceb9fe1a85ec53u;
	return h ^ h >> 33;
}

static uint64_t hash_of(const struct key_order *o, const void *scope, struct str key)
{
	uint64_t h = mix(o->seed ^ (uint64_t)(uintptr_t)scope) ^ key.len;
	for (size_t i = 0; i < key.len; i += 8) {
		uint64_t eight = 0;
		memcpy(&eight, key.data + i, key.len - i < 8 ? key.len - i : 8);
		h = mix(h ^ eight);
	}
	return h;
}

/* Where the line's first hangs, or would. */
static struct key_place **find(const struct key_order *o, uint64_t hash, const void *scope, struct str key)
{
	struct key_place **at = &o->buckets[hash & o->mask];
	while (*at != NULL && !((*at)->hash == hash && (*at)->scope == scope && str_eq((*at)->key, key)))
		at = &(*at)->bucket_next;
	return at;
}

struct key_place *key_order_first(const struct key_order *o, const void *scope, struct str key)
{
	return *find(o, hash_of(o, scope, key), scope, key);
}

bool key_order_enter(struct key_order *o, struct key_place *place, const void *scope, struct str key, int64_t offset)
{
	uint64_t hash = hash_of(o, scope, key);
	struct key_place **at = find(o, hash, scope, key), *first = *at;
	*place = (struct key_place){.key = key, .scope = scope, .offset = offset, .hash = hash, .in_line = true, .last = place};
	if (first == NULL) {
		*at = place;
		return true;
	}
	struct key_place *ahead = first->last;
	while (ahead != NULL && ahead->offset > offset) /* deliveries ascend: nearly always the last */
		ahead = ahead->ahead;
	place->ahead = ahead;
	if (ahead != NULL) {
		assert(ahead->offset < offset);
		place->behind = ahead->behind;
		ahead->behind = place;
		if (place->behind == NULL)
			first->last = place;
	} else {
		place->behind = first;
		place->last = first->last;
		place->bucket_next = first->bucket_next;
		*at = place;
	}
	if (place->behind != NULL)
		place->behind->ahead = place;
	return ahead == NULL;
}

struct key_place *key_order_leave(struct key_order *o, struct key_place *place)
{
	assert(place->in_line);
	struct key_place **at = find(o, place->hash, place->scope, place->key), *first = *at, *behind = place->behind;
	if (behind != NULL)
		behind->ahead = place->ahead;
	if (place != first) {
		place->ahead->behind = behind;
		if (first->last == place)
			first->last = place->ahead;
		place->in_line = false;
		return NULL;
	}
	if (behind != NULL) {
		behind->last = place->last;
		behind->bucket_next = place->bucket_next;
	}
	*at = behind != NULL ? behind : place->bucket_next;
	place->in_line = false;
	return behind;
}
