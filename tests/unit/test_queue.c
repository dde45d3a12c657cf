/* test_queue.c: order, wake-ups and closing of hand-over lists, alone and between threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/arena.h"
#include "common/queue.h"

struct item {
	int before; /* so that the link is not the first member */
	struct link link;
	int producer, number;
};

static struct item *owner(struct link *link)
{
	return link != NULL ? LINK_OWNER(struct item, link, link) : NULL;
}

static bool readable(const struct handover *h)
{
	struct pollfd p = {.fd = h->event_fd, .events = POLLIN};
	return poll(&p, 1, 0) == 1;
}

static void a_list_keeps_order_and_count(void **state)
{
	(void)state;
	struct item items[4] = {{.number = 0}, {.number = 1}, {.number = 2}, {.number = 3}};
	struct list a = {0}, b = {0};
	assert_null(list_pop(&a));
	list_push(&a, &items[0].link);
	list_push(&a, &items[1].link);
	list_push(&b, &items[2].link);
	list_push(&b, &items[3].link);
	list_join(&a, &b);
	assert_true(a.count == 4 && b.count == 0 && b.head == NULL && b.tail == NULL);
	list_join(&a, &b);
	for (int i = 0; i < 4; i++)
		assert_int_equal(owner(list_pop(&a))->number, i);
	assert_true(a.count == 0 && a.head == NULL && a.tail == NULL && list_pop(&a) == NULL);
	list_push(&b, &items[3].link);
	list_join(&a, &b); /* into an empty one */
	list_push(&a, &items[0].link);
	assert_int_equal(owner(list_pop(&a))->number, 3);
	assert_int_equal(owner(list_pop(&a))->number, 0);
}

static void the_event_is_readable_while_something_is_there(void **state)
{
	(void)state;
	struct handover h;
	struct item items[5] = {{.number = 0}, {.number = 1}, {.number = 2}, {.number = 3}, {.number = 4}};
	struct list got = {0}, none = {0};
	assert_int_equal(handover_open(&h, NULL), RC_OK);
	assert_false(readable(&h));
	assert_int_equal(handover_take(&h, &got, 0), 0);
	handover_push_list(&h, &none);
	assert_false(readable(&h)); /* nothing came */
	for (int i = 0; i < 5; i++)
		handover_push(&h, &items[i].link);
	assert_true(readable(&h));
	assert_int_equal(handover_take(&h, &got, 2), 2);
	assert_true(readable(&h)); /* three are left */
	assert_int_equal(handover_take(&h, &got, 3), 3);
	assert_false(readable(&h));
	handover_push(&h, &items[4].link); /* forgotten in the closing queue: its owner is the test */
	assert_true(readable(&h));
	list_pop(&got);
	assert_int_equal(got.count, 4);
	handover_close(&h);
	handover_close(&h); /* once is enough, twice does no harm */
}

static void closing_wakes_for_good_and_loses_nothing(void **state)
{
	(void)state;
	struct handover h;
	struct item item = {.number = 7};
	struct list got = {0};
	assert_int_equal(handover_open(&h, NULL), RC_OK);
	assert_false(handover_is_closed(&h));
	handover_push(&h, &item.link);
	handover_wake_all(&h);
	handover_wake_all(&h);
	assert_true(handover_is_closed(&h));
	assert_int_equal(handover_take(&h, &got, 0), 1);
	assert_true(readable(&h)); /* still: every sleeper must see it */
	handover_wait(&h, -1);     /* would hang otherwise */
	handover_push(&h, list_pop(&got));
	assert_int_equal(handover_take(&h, &got, 0), 1);
	assert_int_equal(owner(got.head)->number, 7);
	handover_close(&h);
}

enum { PRODUCERS = 3, CONSUMERS = 3, EACH = 20000 };

struct shared {
	struct handover queue;
	struct item *items;
	int producer;
};

static void *produce(void *arg)
{
	struct shared *s = arg;
	struct list batch = {0};
	for (int i = 0; i < EACH; i++) {
		struct item *item = &s->items[i];
		item->number = i;
		if (i % 7 == 0) {
			handover_push_list(&s[-s->producer].queue, &batch); /* what waits goes first, so that order holds */
			handover_push(&s[-s->producer].queue, &item->link);
		} else {
			list_push(&batch, &item->link);
		}
	}
	handover_push_list(&s[-s->producer].queue, &batch);
	return NULL;
}

struct consumer {
	struct handover *queue;
	size_t taken;
	bool in_order;
};

static void *consume(void *arg)
{
	struct consumer *c = arg;
	int last[PRODUCERS] = {-1, -1, -1};
	for (bool closed = false; !closed;) {
		struct list got = {0};
		struct link *link;
		closed = handover_is_closed(c->queue); /* looked at before the take: what came before the closing is taken */
		if (!closed)
			handover_wait(c->queue, -1);
		while (handover_take(c->queue, &got, 64) != 0) {
			while ((link = list_pop(&got)) != NULL) {
				struct item *item = owner(link);
				c->in_order = c->in_order && item->number > last[item->producer];
				last[item->producer] = item->number;
				c->taken++;
				item->before++; /* a second owner would be seen by the thread sanitizer and by the sum below */
			}
		}
	}
	return NULL;
}

static void each_element_arrives_once_and_in_its_producers_order(void **state)
{
	(void)state;
	struct shared shared[PRODUCERS] = {0};
	struct consumer consumers[CONSUMERS];
	pthread_t producers[PRODUCERS], takers[CONSUMERS];
	assert_int_equal(handover_open(&shared[0].queue, NULL), RC_OK);
	for (int i = 0; i < CONSUMERS; i++) {
		consumers[i] = (struct consumer){.queue = &shared[0].queue, .in_order = true};
		assert_int_equal(pthread_create(&takers[i], NULL, consume, &consumers[i]), 0);
	}
	for (int i = 0; i < PRODUCERS; i++) {
		shared[i].producer = i;
		shared[i].items = heap_zalloc(EACH, sizeof(struct item));
		for (int j = 0; j < EACH; j++)
			shared[i].items[j].producer = i;
		assert_int_equal(pthread_create(&producers[i], NULL, produce, &shared[i]), 0);
	}
	for (int i = 0; i < PRODUCERS; i++)
		assert_int_equal(pthread_join(producers[i], NULL), 0);
	handover_wake_all(&shared[0].queue);
	size_t taken = 0;
	for (int i = 0; i < CONSUMERS; i++) {
		assert_int_equal(pthread_join(takers[i], NULL), 0);
		assert_true(consumers[i].in_order);
		taken += consumers[i].taken;
	}
	assert_int_equal(taken, PRODUCERS * EACH);
	for (int i = 0; i < PRODUCERS; i++) {
		for (int j = 0; j < EACH; j++)
			assert_int_equal(shared[i].items[j].before, 1);
		free(shared[i].items);
	}
	handover_close(&shared[0].queue);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_list_keeps_order_and_count),
		cmocka_unit_test(the_event_is_readable_while_something_is_there),
		cmocka_unit_test(closing_wakes_for_good_and_loses_nothing),
		cmocka_unit_test(each_element_arrives_once_and_in_its_producers_order),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
