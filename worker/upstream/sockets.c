/*
 * sockets.c: edge-triggered epoll for a user who thinks in levels.
 *
 * The one idea: an edge is lost in two ways only: it came while nobody wanted it, or the bytes behind it were not all
 * taken. Both are noted, and then EPOLL_CTL_MOD makes the kernel look at the socket anew. A call of ordinary size needs
 * neither, so it costs no system call here.
 */
#include "worker/upstream/sockets.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/arena.h"

struct socket_note {
	uint16_t group;
	uint8_t want, missed; /* SOCKETS_ bits: wanted; edges that came unwanted */
	bool known;
};

enum rc sockets_open(struct sockets *s, struct err *err)
{
	*s = (struct sockets){.epoll_fd = epoll_create1(EPOLL_CLOEXEC)};
	if (s->epoll_fd < 0)
		return err_set(err, RC_FATAL, "no epoll: %s; raise the limit of open files", strerror(errno));
	return RC_OK;
}

void sockets_close(struct sockets *s)
{
	if (s->epoll_fd >= 0)
		close(s->epoll_fd);
	free(s->notes);
}

enum rc sockets_watch(struct sockets *s, int fd, struct err *err)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.fd = -1};
	if (epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, fd, &ev) != 0)
		return err_set(err, RC_FATAL, "epoll refuses a descriptor: %s", strerror(errno));
	return RC_OK;
}

static void arm(struct sockets *s, int fd, int op)
{
	struct epoll_event ev = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.fd = fd};
	/* It fails only without memory for the entry; the call then ends by its timeout. */
	(void)epoll_ctl(s->epoll_fd, op, fd, &ev);
}

static struct socket_note *note_of(struct sockets *s, int fd)
{
	if ((size_t)fd >= s->cap) {
		size_t cap = s->cap == 0 ? 1024 : s->cap;
		while (cap <= (size_t)fd)
			cap *= 2;
		s->notes = heap_resize(s->notes, cap, sizeof *s->notes);
		memset(s->notes + s->cap, 0, (cap - s->cap) * sizeof *s->notes);
		s->cap = cap;
	}
	return &s->notes[fd];
}

void sockets_want(struct sockets *s, int fd, uint16_t group, unsigned want)
{
	struct socket_note *n = note_of(s, fd);
	unsigned gained = want & ~(unsigned)n->want;
	n->want = (uint8_t)want;
	if (!n->known) {
		if (want == 0)
			return;
		*n = (struct socket_note){.group = group, .want = (uint8_t)want, .known = true};
		arm(s, fd, EPOLL_CTL_ADD);
	} else if ((gained & (SOCKETS_OUT | (unsigned)n->missed)) != 0) {
		n->missed = 0;
		arm(s, fd, EPOLL_CTL_MOD);
	}
}

void sockets_closing(struct sockets *s, int fd)
{
	if ((size_t)fd < s->cap)
		s->notes[fd] = (struct socket_note){0}; /* close(2) takes it out of epoll */
}

unsigned sockets_take(struct sockets *s, const struct epoll_event *event, uint16_t *ret_group)
{
	int fd = event->data.fd;
	if (fd < 0 || (size_t)fd >= s->cap || !s->notes[fd].known)
		return 0; /* a watched descriptor, or one closed a moment ago */
	struct socket_note *n = &s->notes[fd];
	unsigned bits = 0;
	if ((event->events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0)
		bits |= SOCKETS_IN;
	if ((event->events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0)
		bits |= SOCKETS_OUT;
	n->missed |= (uint8_t)(bits & ~(unsigned)n->want);
	bits &= n->want;
	if (bits == 0)
		return 0;
	*ret_group = n->group;
	return bits | ((event->events & EPOLLERR) != 0 ? SOCKETS_FAILED : 0);
}

void sockets_acted(struct sockets *s, int fd, unsigned bits)
{
	struct socket_note *n = note_of(s, fd);
	if (n->known && (n->want & bits) != 0)
		arm(s, fd, EPOLL_CTL_MOD);
}
