/*
 * test_sockets.c: no edge is lost, whatever is wanted when.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "worker/upstream/sockets.h"

struct pair {
	struct sockets sockets;
	int ours, theirs;
};

static void open_pair(struct pair *p)
{
	int fds[2];
	struct err err;
	assert_int_equal(sockets_open(&p->sockets, &err), RC_OK);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	p->ours = fds[0];
	p->theirs = fds[1];
}

static void close_pair(struct pair *p)
{
	sockets_closing(&p->sockets, p->ours);
	close(p->ours);
	close(p->theirs);
	sockets_close(&p->sockets);
}

/* What is wanted of the events that are there now. */
static unsigned look(struct pair *p, uint16_t *group)
{
	struct epoll_event ev[4];
	unsigned bits = 0;
	int n = epoll_wait(p->sockets.epoll_fd, ev, 4, 0);
	for (int i = 0; i < n; i++)
		bits |= sockets_take(&p->sockets, &ev[i], group);
	return bits;
}

static void say(struct pair *p, const char *text)
{
	assert_int_equal(write(p->theirs, text, strlen(text)), strlen(text));
}

static void what_is_wanted_is_told_with_its_group(void **state)
{
	(void)state;
	struct pair p;
	uint16_t group = 0;
	open_pair(&p);
	sockets_want(&p.sockets, p.ours, 7, SOCKETS_IN);
	assert_int_equal(look(&p, &group), 0); /* writable, which nobody wants */
	say(&p, "x");
	assert_int_equal(look(&p, &group), SOCKETS_IN);
	assert_int_equal(group, 7);
	close_pair(&p);
}

static void bytes_left_behind_are_told_again(void **state)
{
	(void)state;
	struct pair p;
	uint16_t group;
	char c;
	open_pair(&p);
	sockets_want(&p.sockets, p.ours, 0, SOCKETS_IN);
	say(&p, "xy");
	assert_int_equal(look(&p, &group), SOCKETS_IN);
	assert_int_equal(read(p.ours, &c, 1), 1);
	assert_int_equal(look(&p, &group), 0); /* no new edge by itself */
	sockets_acted(&p.sockets, p.ours, SOCKETS_IN);
	assert_int_equal(look(&p, &group), SOCKETS_IN);
	assert_int_equal(read(p.ours, &c, 1), 1);
	sockets_acted(&p.sockets, p.ours, SOCKETS_IN);
	assert_int_equal(look(&p, &group), 0); /* all read: nothing to tell */
	close_pair(&p);
}

static void an_edge_that_came_unwanted_is_told_when_it_is_wanted(void **state)
{
	(void)state;
	struct pair p;
	uint16_t group;
	open_pair(&p);
	sockets_want(&p.sockets, p.ours, 0, SOCKETS_OUT);
	assert_int_equal(look(&p, &group), SOCKETS_OUT);
	say(&p, "x");
	sockets_want(&p.sockets, p.ours, 0, 0);
	assert_int_equal(look(&p, &group), 0);
	sockets_want(&p.sockets, p.ours, 0, SOCKETS_IN);
	assert_int_equal(look(&p, &group), SOCKETS_IN);
	sockets_want(&p.sockets, p.ours, 0, SOCKETS_IN | SOCKETS_OUT);
	assert_int_equal(look(&p, &group), SOCKETS_IN | SOCKETS_OUT);
	close_pair(&p);
}

static void a_closed_peer_wakes_a_reader(void **state)
{
	(void)state;
	struct pair p;
	uint16_t group;
	open_pair(&p);
	sockets_want(&p.sockets, p.ours, 0, SOCKETS_IN);
	(void)look(&p, &group); /* the first edge: writable */
	shutdown(p.theirs, SHUT_RDWR);
	assert_true((look(&p, &group) & SOCKETS_IN) != 0);
	close_pair(&p);
}

static void a_descriptor_used_again_starts_anew(void **state)
{
	(void)state;
	struct pair p;
	uint16_t group = 0;
	open_pair(&p);
	sockets_want(&p.sockets, p.ours, 1, SOCKETS_IN);
	int fd = p.ours;
	sockets_closing(&p.sockets, fd);
	close(fd);
	close(p.theirs);
	struct epoll_event stale = {.events = EPOLLIN, .data.fd = fd};
	assert_int_equal(sockets_take(&p.sockets, &stale, &group), 0);
	int fds[2];
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
	assert_int_equal(fds[0], fd);
	p.ours = fds[0];
	p.theirs = fds[1];
	sockets_want(&p.sockets, p.ours, 2, SOCKETS_IN);
	say(&p, "x");
	assert_int_equal(look(&p, &group), SOCKETS_IN);
	assert_int_equal(group, 2);
	close_pair(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_wanted_is_told_with_its_group),
	    cmocka_unit_test(bytes_left_behind_are_told_again),
	    cmocka_unit_test(an_edge_that_came_unwanted_is_told_when_it_is_wanted),
	    cmocka_unit_test(a_closed_peer_wakes_a_reader),
	    cmocka_unit_test(a_descriptor_used_again_starts_anew),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
