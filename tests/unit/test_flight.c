/*
 * test_flight.c: who asks for the same is claimed by one, the others wait, and no claim lasts for ever.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "worker/cache/flight.h"

enum { CLAIM_US = 1000 };

static const uint8_t *key_of(uint32_t n, uint8_t key[CACHE_KEY_BYTES])
{
	memset(key, 0, CACHE_KEY_BYTES);
	memcpy(key, &n, sizeof n);
	key[8] = (uint8_t)n; /* spread over the shards */
	return key;
}

static void the_first_leads_and_the_others_wait(void **state)
{
	(void)state; /* unused */
	uint8_t a[CACHE_KEY_BYTES], b[CACHE_KEY_BYTES];
	key_of(1, a);
	key_of(2, b);
	struct flight *flight = flight_new(100, CLAIM_US);
	struct list released = {0};
	struct link waiters[3];
	assert_false(flight_park(flight, a, &waiters[0], 0)); /* nobody leads yet */
	assert_true(flight_claim(flight, a, 0, &released));
	assert_false(flight_claim(flight, a, 0, &released));
	assert_true(flight_claim(flight, b, 0, &released));
	for (unsigned i = 0; i < 3; i++)
		assert_true(flight_park(flight, a, &waiters[i], 1));
	flight_release(flight, b, &released);
	assert_null(released.head);
	flight_release(flight, a, &released);
	for (unsigned i = 0; i < 3; i++)
		assert_ptr_equal(list_pop(&released), &waiters[i]); /* in the order in which they came */
	assert_null(released.head);
	flight_release(flight, a, &released); /* twice is harmless */
	assert_true(flight_claim(flight, a, 2, &released));
	flight_free(flight);
}

static void a_claim_is_good_for_a_bounded_time(void **state)
{
	(void)state; /* unused */
	uint8_t key[CACHE_KEY_BYTES];
	key_of(1, key);
	struct flight *flight = flight_new(100, CLAIM_US);
	struct list released = {0};
	struct link waiter, late;
	assert_true(flight_claim(flight, key, 0, &released));
	assert_true(flight_park(flight, key, &waiter, 999));
	assert_int_equal(flight_expire(flight, 999, &released), 0);
	assert_false(flight_claim(flight, key, 999, &released));
	assert_false(flight_park(flight, key, &late, 1000));
	assert_true(flight_claim(flight, key, 1000, &released)); /* taken over, and the waiter let go */
	assert_ptr_equal(list_pop(&released), &waiter);
	assert_true(flight_park(flight, key, &late, 1001));
	assert_int_equal(flight_expire(flight, 2000, &released), 1);
	assert_ptr_equal(list_pop(&released), &late);
	assert_int_equal(flight_expire(flight, 3000, &released), 0);
	flight_free(flight);
}

static void unpark_hands_everything_back_and_keeps_the_claims(void **state)
{
	(void)state; /* unused */
	struct flight *flight = flight_new(100, CLAIM_US);
	struct list released = {0};
	struct link waiters[50];
	uint8_t key[CACHE_KEY_BYTES];
	for (uint32_t n = 0; n < 50; n++) {
		assert_true(flight_claim(flight, key_of(n, key), 0, &released));
		assert_true(flight_park(flight, key, &waiters[n], 0));
	}
	flight_unpark(flight, &released);
	assert_int_equal(released.count, 50);
	for (uint32_t n = 0; n < 50; n++)
		assert_false(flight_claim(flight, key_of(n, key), 0, &released));
	flight_free(flight);
}

static void when_the_pool_is_used_up_everybody_leads(void **state)
{
	(void)state; /* unused */
	struct flight *flight = flight_new(0, CLAIM_US);
	struct list released = {0};
	struct link waiter;
	uint8_t key[CACHE_KEY_BYTES];
	uint32_t unrecorded = 0;
	for (uint32_t n = 0; n < 5000; n++) {
		assert_true(flight_claim(flight, key_of(n, key), 0, &released));
		unrecorded += flight_claim(flight, key, 0, &released);
	}
	assert_true(unrecorded > 3000 && unrecorded < 5000);
	assert_false(flight_park(flight, key_of(4999, key), &waiter, 0)); /* its leader is not known: decide */
	assert_true(flight_expire(flight, CLAIM_US, &released) == 5000 - unrecorded);
	assert_true(flight_claim(flight, key, 0, &released)); /* and its places are free again */
	assert_false(flight_claim(flight, key, 0, &released));
	flight_free(flight);
}

struct crowd {
	struct flight *flight;
	_Atomic uint32_t *leading; /* by key */
	uint64_t seed;
	uint64_t parked, released;
	unsigned doubled;
	struct link *links; /* one a step; live until all waiters are back */
};

enum { KEYS = 32, STEPS = 20000 };

static void *claim_and_park(void *arg)
{
	struct crowd *c = arg;
	struct list released = {0};
	for (uint32_t i = 0; i < STEPS; i++) {
		uint8_t key[CACHE_KEY_BYTES];
		c->seed = c->seed * 6364136223846793005u + 1442695040888963407u;
		uint32_t n = (uint32_t)(c->seed >> 33) % KEYS;
		key_of(n, key);
		if (flight_claim(c->flight, key, 0, &released)) {
			c->doubled += atomic_fetch_add(&c->leading[n], 1) != 0;
			atomic_fetch_sub(&c->leading[n], 1);
			flight_release(c->flight, key, &released);
		} else if (flight_park(c->flight, key, &c->links[i], 0)) {
			c->parked++;
		}
		c->released += released.count;
		released = (struct list){0};
	}
	return NULL;
}

static void many_threads_lead_one_key_at_a_time_and_lose_no_waiter(void **state)
{
	(void)state; /* unused */
	static _Atomic uint32_t leading[KEYS];
	struct flight *flight = flight_new(1000, CLAIM_US);
	struct crowd crowds[4];
	pthread_t threads[4];
	uint64_t parked = 0, released = 0;
	for (unsigned i = 0; i < 4; i++) {
		crowds[i] = (struct crowd){flight, leading, i + 1, 0, 0, 0, heap_zalloc(STEPS, sizeof *crowds[i].links)};
		assert_int_equal(pthread_create(&threads[i], NULL, claim_and_park, &crowds[i]), 0);
	}
	for (unsigned i = 0; i < 4; i++) {
		pthread_join(threads[i], NULL);
		parked += crowds[i].parked;
		released += crowds[i].released;
		assert_int_equal(crowds[i].doubled, 0);
	}
	struct list rest = {0};
	flight_unpark(flight, &rest);
	assert_int_equal(parked, released + rest.count);
	for (unsigned i = 0; i < 4; i++)
		free(crowds[i].links);
	flight_free(flight);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_leads_and_the_others_wait),
		cmocka_unit_test(a_claim_is_good_for_a_bounded_time),
		cmocka_unit_test(unpark_hands_everything_back_and_keeps_the_claims),
		cmocka_unit_test(when_the_pool_is_used_up_everybody_leads),
		cmocka_unit_test(many_threads_lead_one_key_at_a_time_and_lose_no_waiter),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
