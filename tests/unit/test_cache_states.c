/*
 * test_cache_states.c: what changes under its key, with a real Redis: the newest word goes before this process' own, which is what is
 * left when Redis is gone.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "tests/unit/redis_server.h"
#include "worker/cache/cache_states.h"

static struct redis_server server; /* of the whole binary */

struct replica {
	struct settings settings;
	struct metrics *metrics;
	struct cache *cache;
	struct cache_conn *conn;
	struct arena arena;
};

static void replica_open(struct replica *r, bool enabled)
{
	*r = (struct replica){.settings = {
		.redis = {.url = str_of(server.url), .key_prefix = STR("pm"), .timeout_ms = 1000},
		.cache = {.enabled = enabled, .near_entries = 1000, .ttl_ms = 3600000, .unsure_ttl_ms = 60000, .secret = STR("secret of the tests")},
		.engine = {.max_jobs = 1000},
	}};
	r->metrics = metrics_new();
	assert_int_equal(cache_open(&r->settings, NULL, r->metrics, &r->cache, NULL), RC_OK);
	r->conn = cache_conn_new(r->cache);
	arena_init(&r->arena, 0);
}

static void replica_close(struct replica *r)
{
	cache_conn_free(r->conn);
	cache_close(r->cache);
	metrics_free(r->metrics);
	arena_free(&r->arena);
}

static void tell(struct replica *r, const char *name, const char *value)
{
	struct cache_entry entry = {.value = str_of(value), .ttl_ms = 60000};
	cache_key(r->conn, str_of(name), entry.key);
	cache_write(r->conn, &entry, 1, clock_mono_us());
}

/* The value, or "" where nothing is known. */
static const char *hear(struct replica *r, const char *name)
{
	struct cache_state state = {.asked = true};
	cache_key(r->conn, str_of(name), state.key);
	cache_read_states(r->conn, NULL, 0, &state, 1, &r->arena, clock_mono_us());
	return state.value.data != NULL ? state.value.data : "";
}

static void the_newest_word_of_any_replica_is_read(void **state)
{
	(void)state;
	struct replica a, b;
	replica_open(&a, true);
	replica_open(&b, true);
	assert_string_equal(hear(&a, "talk"), "");
	tell(&a, "talk", "turn 1");
	assert_string_equal(hear(&a, "talk"), "turn 1"); /* its answer comes after the write's: Redis has it */
	assert_string_equal(hear(&b, "talk"), "turn 1");
	tell(&b, "talk", "turn 2");
	assert_string_equal(hear(&b, "talk"), "turn 2");
	assert_string_equal(hear(&a, "talk"), "turn 2"); /* not the one that it wrote itself */
	replica_close(&a);
	replica_close(&b);
}

static void without_redis_a_process_knows_what_it_has_seen_itself(void **state)
{
	(void)state;
	struct replica a, b;
	replica_open(&a, true);
	tell(&a, "gone", "turn 1");
	assert_string_equal(hear(&a, "gone"), "turn 1");
	server_kill(&server);
	replica_open(&b, true);
	assert_string_equal(hear(&a, "gone"), "turn 1");
	assert_string_equal(hear(&b, "gone"), "");
	tell(&b, "gone", "turn 7");
	assert_string_equal(hear(&b, "gone"), "turn 7");
	replica_close(&a);
	replica_close(&b);
	assert_true(server_start(&server));
}

static void a_cache_that_is_off_knows_nothing(void **state)
{
	(void)state;
	struct replica r;
	replica_open(&r, false);
	tell(&r, "off", "turn 1");
	assert_string_equal(hear(&r, "off"), "");
	replica_close(&r);
}

/* Slots and states of a batch, in one read, and more than fit into one: each gets its own value, and states claim nothing. */
static void decisions_and_states_are_read_together(void **state)
{
	(void)state;
	enum { MOST = 150 };
	static const struct {
		uint32_t slots, states;
	} cases[] = {{3, 2}, {64, 64}, {0, 130}, {130, 0}, {100, 150}, {150, 70}};
	static struct cache_slot slots[MOST];
	static struct cache_state states[MOST];
	struct replica a, b;
	replica_open(&a, true);
	replica_open(&b, true);
	for (uint32_t i = 0; i < MOST; i++) {
		char name[32], value[32];
		(void)snprintf(name, sizeof name, "d%u", i);  /* fits */
		(void)snprintf(value, sizeof value, "D%u", i); /* fits */
		tell(&a, name, value);
		name[0] = 's';
		value[0] = 'S';
		if (i % 2 == 0)
			tell(&a, name, value);
	}
	assert_string_equal(hear(&a, "s148"), "S148");
	for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
		for (uint32_t i = 0; i < MOST; i++) {
			char name[32];
			(void)snprintf(name, sizeof name, "d%u", i); /* fits */
			slots[i] = (struct cache_slot){0};
			cache_key(b.conn, str_of(name), slots[i].key);
			name[0] = 's';
			states[i] = (struct cache_state){.asked = i % 3 != 0};
			cache_key(b.conn, str_of(name), states[i].key);
		}
		cache_read_states(b.conn, slots, cases[c].slots, states, cases[c].states, &b.arena, clock_mono_us());
		for (uint32_t i = 0; i < cases[c].slots; i++)
			assert_int_equal(strtol(slots[i].value.data + 1, NULL, 10), i);
		for (uint32_t i = 0; i < cases[c].states; i++) {
			assert_int_equal(states[i].value.data != NULL, i % 3 != 0 && i % 2 == 0);
			if (states[i].value.data != NULL)
				assert_true(states[i].value.data[0] == 'S' && strtol(states[i].value.data + 1, NULL, 10) == (long)i);
		}
	}
	replica_close(&a);
	replica_close(&b);
}

static int begin(void **state)
{
	(void)state;
	return server_start(&server) ? 0 : -1;
}

static int end(void **state)
{
	(void)state;
	server_end(&server);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_newest_word_of_any_replica_is_read),
		cmocka_unit_test(without_redis_a_process_knows_what_it_has_seen_itself),
		cmocka_unit_test(a_cache_that_is_off_knows_nothing),
		cmocka_unit_test(decisions_and_states_are_read_together),
	};
	return cmocka_run_group_tests(tests, begin, end);
}
