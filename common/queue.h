/*
 * queue.h: hand-over between threads.
 *
 * `struct handover` is an intrusive list with an eventfd: pushing passes ownership of the element, taking gives all that is
 * there in order of arrival. It cannot be full (elements are preallocated and bounded elsewhere), so two threads can never
 * wait for each other. It is the only synchronisation between the rooms.
 *
 * Elements embed `struct link`. Thread: push any; take and wait by the one thread (or several deciders) that own the queue.
 */
#ifndef COMMON_QUEUE_H
#define COMMON_QUEUE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include "common/err.h"

struct link {
	struct link *next;
};

#define LINK_OWNER(type, member, link) ((type *)(void *)((char *)(link)-offsetof(type, member)))

/* A plain list, for one thread at a time. */
struct list {
	struct link *head, *tail;
	size_t count;
};

void list_push(struct list *list, struct link *link);
struct link *list_pop(struct list *list);                /* NULL when empty */
void list_join(struct list *list, struct list *more);    /* empties more */

struct handover {
	pthread_mutex_t lock;
	struct list list;
	int event_fd; /* readable while the list may have elements; for epoll */
	bool closed;
};

enum rc handover_open(struct handover *h, struct err *err);
void handover_close(struct handover *h); /* frees the fd; the list must be empty or forgotten */

void handover_push(struct handover *h, struct link *link);
void handover_push_list(struct handover *h, struct list *list); /* empties list */
/* All that is there, or up to max (0: no limit). Returns the number. Never blocks. When more is left behind than was
 * taken the event stays readable. */
size_t handover_take(struct handover *h, struct list *into, size_t max);
/* Sleeps until an element may be there, the timeout (-1: none) has passed, or handover_wake_all was called. */
void handover_wait(struct handover *h, int timeout_ms);
/* Marks the queue closed and wakes every sleeper for good: handover_wait returns at once from now on. */
void handover_wake_all(struct handover *h);
bool handover_is_closed(struct handover *h);

#endif
