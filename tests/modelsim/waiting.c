/*
 * waiting.c: a binary heap of due times.
 */
#include "tests/modelsim/waiting.h"

#include <stdlib.h>

#include "common/arena.h"

static void swap(struct waiting_item *a, struct waiting_item *b)
{
	struct waiting_item kept = *a;
	*a = *b;
	*b = kept;
}

void waiting_add(struct waiting *waiting, int64_t due_us, void *what)
{
	if (waiting->count == waiting->room) {
		waiting->room = waiting->room == 0 ? 1024 : waiting->room * 2;
		waiting->items = heap_resize(waiting->items, waiting->room, sizeof *waiting->items);
	}
	struct waiting_item *items = waiting->items;
	size_t at = waiting->count++;
	items[at] = (struct waiting_item){due_us, what};
	while (at != 0 && items[(at - 1) / 2].due_us > items[at].due_us) {
		swap(&items[(at - 1) / 2], &items[at]);
		at = (at - 1) / 2;
	}
}

void *waiting_take(struct waiting *waiting, int64_t now_us)
{
	if (waiting->count == 0 || waiting->items[0].due_us > now_us)
		return NULL;
	struct waiting_item *items = waiting->items;
	void *what = items[0].what;
	items[0] = items[--waiting->count];
	for (size_t at = 0, child; (child = 2 * at + 1) < waiting->count; at = child) {
		if (child + 1 < waiting->count && items[child + 1].due_us < items[child].due_us)
			child++;
		if (items[at].due_us <= items[child].due_us)
			break;
		swap(&items[at], &items[child]);
	}
	return what;
}

int64_t waiting_next_us(const struct waiting *waiting)
{
	return waiting->count == 0 ? INT64_MAX : waiting->items[0].due_us;
}

void waiting_free(struct waiting *waiting)
{
	free(waiting->items);
	*waiting = (struct waiting){0};
}
