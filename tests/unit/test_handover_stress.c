#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "common/queue.h"
#include "worker/job/job_pool.h"

/* Meant for the thread sanitizer as much as for the counts: elements are written and read without a lock of their own. */
enum { PRODUCERS = 3, CONSUMERS = 2, EACH = 10000, JOBS = 32, ROUNDS = 20000, PATIENCE_MS = 20000 };

struct element {
	struct link link;
	unsigned producer, number, taken;
};

struct producer {
	struct handover *queue;
	struct element *elements;
};

struct consumer {
	struct handover *queue;
	_Atomic unsigned *left;
	size_t max;      /* of one take; 0: all */
	bool in_order;   /* the only consumer: each producer's elements come as they were pushed */
	unsigned disorder;
};

static void *produce(void *arg)
{
	struct producer *p = arg;
	struct list batch = {0};
	for (unsigned i = 0; i < EACH; i++) {
		if (i % 7 == 0) {
			handover_push(p->queue, &p->elements[i].link);
			continue;
		}
		list_push(&batch, &p->elements[i].link);
		if (i % 7 == 6)
			handover_push_list(p->queue, &batch);
	}
	handover_push_list(p->queue, &batch);
	return NULL;
}

static void *consume(void *arg)
{
	struct consumer *c = arg;
	unsigned next[PRODUCERS] = {0};
	while (!handover_is_closed(c->queue)) {
		struct list got = {0};
		handover_wait(c->queue, PATIENCE_MS);
		size_t n = handover_take(c->queue, &got, c->max);
		for (struct link *link = list_pop(&got); link != NULL; link = list_pop(&got)) {
			struct element *e = LINK_OWNER(struct element, link, link);
			e->taken++;
			c->disorder += c->in_order && e->number != next[e->producer];
			next[e->producer] = e->number + 1;
		}
		if (n != 0 && atomic_fetch_sub(c->left, (unsigned)n) == n)
			handover_wake_all(c->queue);
	}
	return NULL;
}

static void hand_over(unsigned consumers, size_t max)
{
	struct handover queue;
	struct err err;
	_Atomic unsigned left = PRODUCERS * EACH;
	struct producer producers[PRODUCERS];
	struct consumer takers[CONSUMERS];
	pthread_t threads[PRODUCERS + CONSUMERS];
	assert_int_equal(handover_open(&queue, &err), RC_OK);
	for (unsigned i = 0; i < consumers; i++) {
		takers[i] = (struct consumer){&queue, &left, max, consumers == 1, 0};
		assert_int_equal(pthread_create(&threads[PRODUCERS + i], NULL, consume, &takers[i]), 0);
	}
	for (unsigned i = 0; i < PRODUCERS; i++) {
		producers[i] = (struct producer){&queue, heap_zalloc(EACH, sizeof *producers[i].elements)};
		for (unsigned n = 0; n < EACH; n++)
			producers[i].elements[n] = (struct element){.producer = i, .number = n};
		assert_int_equal(pthread_create(&threads[i], NULL, produce, &producers[i]), 0);
	}
	for (unsigned i = 0; i < PRODUCERS + consumers; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(left, 0);
	for (unsigned i = 0; i < consumers; i++)
		assert_int_equal(takers[i].disorder, 0);
	for (unsigned i = 0; i < PRODUCERS; i++) {
		for (unsigned n = 0; n < EACH; n++)
			assert_int_equal(producers[i].elements[n].taken, 1);
		free(producers[i].elements);
	}
	handover_close(&queue);
}

static void one_consumer_gets_everything_once_and_in_order(void **state)
{
	(void)state; /* unused */
	hand_over(1, 0);
	hand_over(1, 16); /* leaving some behind keeps it awake */
}

static void several_consumers_get_everything_once(void **state)
{
	(void)state; /* unused */
	hand_over(CONSUMERS, 16);
	hand_over(CONSUMERS, 0);
}

static void *sleep_in_wait(void *arg)
{
	struct handover *queue = arg;
	while (!handover_is_closed(queue))
		handover_wait(queue, -1);
	return NULL;
}

static void waking_all_ends_every_wait(void **state)
{
	(void)state; /* unused */
	struct handover queue;
	struct err err;
	pthread_t threads[4];
	assert_int_equal(handover_open(&queue, &err), RC_OK);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, sleep_in_wait, &queue), 0);
	handover_wake_all(&queue);
	for (unsigned i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	handover_close(&queue);
}

struct worker {
	struct job_pool *pool;
	struct handover *queue;
};

static void *use_and_give(void *arg)
{
	struct worker *w = arg;
	for (bool closed = false; !closed;) {
		struct list got = {0};
		handover_wait(w->queue, PATIENCE_MS);
		closed = handover_is_closed(w->queue); /* before the take: what was pushed until then is still given back */
		handover_take(w->queue, &got, 4);
		for (struct link *link = list_pop(&got); link != NULL; link = list_pop(&got)) {
			struct job *job = LINK_OWNER(struct job, link, link);
			arena_zalloc(&job->arena, (size_t)job->rec.offset % 40000); /* some grow beyond what was reserved */
			job_pool_charge(w->pool, job);
			job_pool_give(w->pool, job);
		}
	}
	return NULL;
}

static void a_starved_pool_wakes_its_taker_whenever_a_job_comes_back(void **state)
{
	(void)state; /* unused */
	static const size_t bounds[] = {1 << 30, 200000, 1}; /* short of jobs, of bytes, and of everything but one job */
	for (unsigned b = 0; b < sizeof bounds / sizeof bounds[0]; b++) {
		struct handover queue;
		struct err err;
		pthread_t threads[CONSUMERS];
		assert_int_equal(handover_open(&queue, &err), RC_OK);
		struct job_pool *pool = job_pool_new(JOBS, bounds[b], NULL, NULL);
		struct worker worker = {pool, &queue};
		for (unsigned i = 0; i < CONSUMERS; i++)
			assert_int_equal(pthread_create(&threads[i], NULL, use_and_give, &worker), 0);
		for (int64_t n = 0; n < ROUNDS;) {
			struct job *job = job_pool_take(pool, (size_t)n % 1000);
			if (job == NULL) {
				struct pollfd p = {.fd = job_pool_event_fd(pool), .events = POLLIN};
				assert_int_equal(poll(&p, 1, PATIENCE_MS), 1); /* 0 here is a lost wake-up */
				continue;
			}
			assert_int_equal(job->state, JOB_FETCHED);
			job->rec.offset = n++;
			handover_push(&queue, &job->link);
		}
		while (job_pool_use(pool).jobs != 0)
			assert_true(poll(NULL, 0, 1) == 0);
		assert_int_equal(job_pool_use(pool).bytes, 0);
		handover_wake_all(&queue);
		for (unsigned i = 0; i < CONSUMERS; i++)
			pthread_join(threads[i], NULL);
		job_pool_free(pool);
		handover_close(&queue);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_consumer_gets_everything_once_and_in_order),
		cmocka_unit_test(several_consumers_get_everything_once),
		cmocka_unit_test(waking_all_ends_every_wait),
		cmocka_unit_test(a_starved_pool_wakes_its_taker_whenever_a_job_comes_back),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
