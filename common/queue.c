/*
 * queue.c: hand-over lists.
 *
 * The one idea: a mutex held for a few pointer moves and an eventfd written only when the list turns from empty to
 * non-empty. The reader clears the eventfd under the same lock that empties the list, so no wake-up is lost and a busy
 * queue costs no system call.
 */
#include "common/queue.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

void list_push(struct list *list, struct link *link)
{
	link->next = NULL;
	if (list->tail != NULL)
		list->tail->next = link;
	else
		list->head = link;
	list->tail = link;
	list->count++;
}

struct link *list_pop(struct list *list)
{
	struct link *link = list->head;
	if (link == NULL)
		return NULL;
	list->head = link->next;
	if (list->head == NULL)
		list->tail = NULL;
	list->count--;
	link->next = NULL;
	return link;
}

void list_join(struct list *list, struct list *more)
{
	if (more->head == NULL)
		return;
	if (list->tail != NULL)
		list->tail->next = more->head;
	else
		list->head = more->head;
	list->tail = more->tail;
	list->count += more->count;
	*more = (struct list){0};
}

enum rc handover_open(struct handover *h, struct err *err)
{
	*h = (struct handover){.event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)};
	if (h->event_fd < 0)
		return err_set(err, RC_FATAL, "no event descriptor for a queue: %s; raise the limit of open files", strerror(errno));
	pthread_mutex_init(&h->lock, NULL);
	return RC_OK;
}

void handover_close(struct handover *h)
{
	if (h->event_fd >= 0) {
		close(h->event_fd);
		pthread_mutex_destroy(&h->lock);
		h->event_fd = -1;
	}
}

static void signal_event(struct handover *h)
{
	uint64_t one = 1;
	ssize_t n = write(h->event_fd, &one, sizeof one);
	(void)n; /* the counter cannot overflow: it is written on the edge from empty only */
}

static void clear_event(struct handover *h)
{
	uint64_t count;
	ssize_t n = read(h->event_fd, &count, sizeof count);
	(void)n; /* EAGAIN: it was clear already */
}

void handover_push_list(struct handover *h, struct list *list)
{
	if (list->head == NULL)
		return;
	pthread_mutex_lock(&h->lock);
	bool was_empty = h->list.head == NULL;
	list_join(&h->list, list);
	if (was_empty && !h->closed)
		signal_event(h);
	pthread_mutex_unlock(&h->lock);
}

void handover_push(struct handover *h, struct link *link)
{
	struct list one = {0};
	list_push(&one, link);
	handover_push_list(h, &one);
}

size_t handover_take(struct handover *h, struct list *into, size_t max)
{
	pthread_mutex_lock(&h->lock);
	size_t taken = 0;
	if (max == 0 || h->list.count <= max) {
		taken = h->list.count;
		list_join(into, &h->list);
		if (taken != 0 && !h->closed)
			clear_event(h);
	} else {
		for (; taken < max; taken++)
			list_push(into, list_pop(&h->list));
	}
	pthread_mutex_unlock(&h->lock);
	return taken;
}

void handover_wait(struct handover *h, int timeout_ms)
{
	struct pollfd p = {.fd = h->event_fd, .events = POLLIN};
	(void)poll(&p, 1, timeout_ms); /* EINTR or a spurious return: the caller looks and waits again */
}

void handover_wake_all(struct handover *h)
{
	pthread_mutex_lock(&h->lock);
	if (!h->closed) {
		h->closed = true;
		signal_event(h); /* never cleared again: every waiter returns at once */
	}
	pthread_mutex_unlock(&h->lock);
}

bool handover_is_closed(struct handover *h)
{
	pthread_mutex_lock(&h->lock);
	bool closed = h->closed;
	pthread_mutex_unlock(&h->lock);
	return closed;
}
