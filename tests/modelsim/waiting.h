/*
 * waiting.h: calls ordered by the time they are due: a binary heap.
 *
 * Thread: one. Memory: the heap owns its array, not what is in it.
 */
#ifndef MODELSIM_WAITING_H
#define MODELSIM_WAITING_H

#include <stddef.h>
#include <stdint.h>

struct waiting {
	struct waiting_item {
		int64_t due_us;
		void *what;
	} *items;
	size_t count, room;
};

void waiting_add(struct waiting *waiting, int64_t due_us, void *what);
/* The first one that is due at now_us, taken out; NULL when there is none. */
void *waiting_take(struct waiting *waiting, int64_t now_us);
/* INT64_MAX when nothing waits. */
int64_t waiting_next_us(const struct waiting *waiting);
void waiting_free(struct waiting *waiting);

#endif
