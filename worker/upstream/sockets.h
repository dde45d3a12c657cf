/*
 * sockets.h: which sockets are in epoll and what is wanted of each. Each is entered once, edge-triggered for both
 * directions, and leaves when it is closed.
 *
 * Thread: the owner.
 */
#ifndef UPSTREAM_SOCKETS_H
#define UPSTREAM_SOCKETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>

#include "common/err.h"

enum { SOCKETS_IN = 1, SOCKETS_OUT = 2, SOCKETS_FAILED = 4 };

struct socket_note;
struct sockets {
	int epoll_fd;
	struct socket_note *notes; /* by descriptor */
	size_t cap;
};

enum rc sockets_open(struct sockets *s, struct err *err);
void sockets_close(struct sockets *s); /* fine after a failed open */
/* A descriptor of the owner's that only wakes the wait. */
enum rc sockets_watch(struct sockets *s, int fd, struct err *err);

/* From now on these directions are wanted of fd (0: none), which belongs to that group. */
void sockets_want(struct sockets *s, int fd, uint16_t group, unsigned want);
void sockets_closing(struct sockets *s, int fd); /* before close(2) */

/* What of an event somebody wants: SOCKETS_ bits, and whose it is; 0: nobody. */
unsigned sockets_take(struct sockets *s, const struct epoll_event *event, uint16_t *ret_group);
/* After those bits have been acted on: if they are still wanted, there may be more, and no new edge would tell. */
void sockets_acted(struct sockets *s, int fd, unsigned bits);

#endif
