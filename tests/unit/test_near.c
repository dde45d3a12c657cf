#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <string.h>

#include "worker/cache/near.h"

/* Keys as the cache makes them: all bytes well mixed. */
static void key_of(uint64_t n, uint8_t key[CACHE_KEY_BYTES])
{
	for (unsigned i = 0; i < CACHE_KEY_BYTES; i += 8) {
		n += 0x9e3779b97f4a7c15u;
		uint64_t x = n;
		x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
		x = (x ^ x >> 27) * 0x94d049bb133111ebu;
		x ^= x >> 31;
		memcpy(key + i, &x, 8);
	}
}

static bool holds(struct near *near, uint64_t n, int64_t now_us, struct str want)
{
	uint8_t key[CACHE_KEY_BYTES];
	char out[CACHE_MAX_VALUE];
	size_t len;
	key_of(n, key);
	if (!near_get(near, key, now_us, out, &len))
		return false;
	assert_true(str_eq((struct str){out, len}, want));
	return true;
}

static void put(struct near *near, uint64_t n, struct str value, int64_t expires_us, int64_t now_us)
{
	uint8_t key[CACHE_KEY_BYTES];
	key_of(n, key);
	near_put(near, key, value, expires_us, now_us);
}

static void a_value_is_found_until_its_time_is_over(void **state)
{
	(void)state; /* unused */
	struct near *near = near_new(100);
	put(near, 1, STR("kb"), 1000, 10);
	put(near, 2, STR(""), 1000, 10);
	assert_true(holds(near, 1, 999, STR("kb")));
	assert_true(holds(near, 2, 999, STR("")));
	assert_false(holds(near, 3, 999, STR("")));
	assert_false(holds(near, 1, 1000, STR("kb")));
	assert_int_equal(near_count(near), 1); /* the expired one went when it was met */
	near_free(near);
}

static void a_newer_value_takes_the_older_ones_place(void **state)
{
	(void)state; /* unused */
	struct near *near = near_new(100);
	put(near, 1, STR("a longer text than the one that follows it, over one step of growth: 64 bytes"), 1000, 0);
	put(near, 1, STR("short"), 2000, 0);
	assert_int_equal(near_count(near), 1);
	assert_true(holds(near, 1, 1500, STR("short")));
	near_free(near);
}

static void values_over_the_bound_or_already_over_are_ignored(void **state)
{
	(void)state; /* unused */
	static char large[CACHE_MAX_VALUE + 1];
	struct near *near = near_new(100);
	put(near, 1, (struct str){large, sizeof large}, 1000, 0);
	put(near, 2, STR("late"), 10, 10);
	assert_int_equal(near_count(near), 0);
	put(near, 3, (struct str){large, CACHE_MAX_VALUE}, 1000, 0);
	assert_true(holds(near, 3, 1, (struct str){large, CACHE_MAX_VALUE}));
	near_free(near);
}

static void it_never_holds_more_than_its_bound(void **state)
{
	(void)state; /* unused */
	static const uint32_t bounds[] = {0, 1, 2, 63, 64, 129, 1000, 5000};
	for (unsigned b = 0; b < sizeof bounds / sizeof bounds[0]; b++) {
		struct near *near = near_new(bounds[b]);
		for (uint64_t n = 0; n < 12000; n++) {
			put(near, n, STR("value"), 1000, 0);
			if (bounds[b] != 0)
				assert_true(holds(near, n, 1, STR("value"))); /* the newest is always there */
		}
		assert_true(near_count(near) <= bounds[b]);
		assert_true(near_count(near) + 16 >= bounds[b]); /* a shard's share is rounded down */
		near_free(near);
	}
}

static void what_is_asked_for_stays_when_others_are_evicted(void **state)
{
	(void)state; /* unused */
	struct near *near = near_new(1000);
	for (uint64_t n = 0; n < 100; n++)
		put(near, n, STR("popular"), INT64_MAX, 0);
	for (uint64_t n = 1000; n < 21000; n++) {
		put(near, n, STR("once"), INT64_MAX, 0);
		if (n % 50 == 0)
			for (uint64_t p = 0; p < 100; p++)
				(void)holds(near, p, 1, STR("popular")); /* asking is the point here */
	}
	unsigned kept = 0;
	for (uint64_t p = 0; p < 100; p++)
		kept += holds(near, p, 1, STR("popular"));
	assert_true(kept >= 95);
	near_free(near);
}

static void expired_entries_are_evicted_before_popular_ones(void **state)
{
	(void)state; /* unused */
	struct near *near = near_new(2);
	put(near, 1, STR("over"), 10, 0);
	put(near, 2, STR("good"), 1000, 0);
	assert_true(holds(near, 1, 5, STR("over")));
	assert_true(holds(near, 2, 5, STR("good")));
	put(near, 3, STR("new"), 1000, 20);
	assert_true(holds(near, 2, 21, STR("good")));
	assert_true(holds(near, 3, 21, STR("new")));
	near_free(near);
}

static void it_agrees_with_a_plain_table_over_random_steps(void **state)
{
	(void)state; /* unused */
	enum { KEYS = 500 };
	int64_t expires[KEYS] = {0};
	uint32_t written[KEYS] = {0};
	struct near *near = near_new(100000); /* large enough never to evict */
	uint64_t seed = 4;
	for (uint32_t step = 1; step < 50000; step++) {
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		uint32_t n = (uint32_t)(seed >> 33) % KEYS;
		int64_t now = step;
		if (seed >> 62 == 0) {
			expires[n] = now + (int64_t)(seed >> 40) % 3000 + 1;
			written[n] = step;
			put(near, n, (struct str){(const char *)&written[n], sizeof written[n]}, expires[n], now);
		} else {
			struct str want = {(const char *)&written[n], sizeof written[n]};
			assert_int_equal(holds(near, n, now, want), expires[n] > now);
		}
	}
	near_free(near);
}

struct crowd {
	struct near *near;
	uint64_t seed;
	unsigned wrong;
};

static void *mix(void *arg)
{
	struct crowd *c = arg;
	for (int i = 0; i < 20000; i++) {
		c->seed = c->seed * 6364136223846793005u + 1442695040888963407u;
		uint64_t n = (c->seed >> 33) % 3000;
		uint8_t key[CACHE_KEY_BYTES];
		char out[CACHE_MAX_VALUE];
		size_t len;
		key_of(n, key);
		if (c->seed >> 63)
			near_put(c->near, key, (struct str){(const char *)&n, sizeof n}, 100000, i);
		else if (near_get(c->near, key, i, out, &len))
			c->wrong += len != sizeof n || memcmp(out, &n, sizeof n) != 0;
	}
	return NULL;
}

static void many_threads_never_see_another_keys_value(void **state)
{
	(void)state; /* unused */
	struct near *near = near_new(1000);
	struct crowd crowds[4];
	pthread_t threads[4];
	for (unsigned i = 0; i < 4; i++) {
		crowds[i] = (struct crowd){near, i + 1, 0};
		assert_int_equal(pthread_create(&threads[i], NULL, mix, &crowds[i]), 0);
	}
	for (unsigned i = 0; i < 4; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(crowds[i].wrong, 0);
	}
	assert_true(near_count(near) <= 1000);
	near_free(near);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_value_is_found_until_its_time_is_over),
		cmocka_unit_test(a_newer_value_takes_the_older_ones_place),
		cmocka_unit_test(values_over_the_bound_or_already_over_are_ignored),
		cmocka_unit_test(it_never_holds_more_than_its_bound),
		cmocka_unit_test(what_is_asked_for_stays_when_others_are_evicted),
		cmocka_unit_test(expired_entries_are_evicted_before_popular_ones),
		cmocka_unit_test(it_agrees_with_a_plain_table_over_random_steps),
		cmocka_unit_test(many_threads_never_see_another_keys_value),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
