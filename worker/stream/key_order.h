/*
 * key_order.h: lines of records, one line per key; only the first of a line may be worked on.
 *
 * A place is embedded in what the caller keeps of a record. Its key's bytes are the caller's and must stay as they are until
 * the place has left. Scopes (partitions) keep equal keys apart.
 *
 * Thread: stream. Pure: no I/O, no clock. Entering, leaving and asking cost O(1), and O(line) where a place enters ahead of
 * others; keys of equal hash cost a walk over the lines that there are.
 */
#ifndef STREAM_KEY_ORDER_H
#define STREAM_KEY_ORDER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/str.h"

struct key_place {
	struct str key;
	const void *scope;
	int64_t offset;
	uint64_t hash;
	bool in_line;
	struct key_place *ahead, *behind; /* in its line */
	struct key_place *last;           /* of a first one: the end of its line */
	struct key_place *bucket_next;    /* of a first one: another line */
};

struct key_order {
	struct key_place **buckets;
	uint64_t mask, seed;
};

/* places: how many there can be at once. seed: drawn at random, so that a sender cannot aim keys at one bucket. */
void key_order_open(struct key_order *o, uint32_t places, uint64_t seed);
void key_order_close(struct key_order *o);

/* The first of that key's line; NULL: there is none. */
struct key_place *key_order_first(const struct key_order *o, const void *scope, struct str key);
/* Enters a line at its offset, which no other of the line has. true: it is the first. */
bool key_order_enter(struct key_order *o, struct key_place *place, const void *scope, struct str key, int64_t offset);
/* Returns who is the first now in its stead; NULL when it was not the first or the last one left. */
struct key_place *key_order_leave(struct key_order *o, struct key_place *place);

/* One that is in no line waits for nobody. */
static inline bool key_order_is_first(const struct key_place *place)
{
	return !place->in_line || place->ahead == NULL;
}

#endif
