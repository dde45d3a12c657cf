/*
 * test_cache.c: decisions from memory and from a real Redis: shared, claimed by one, and never needed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "common/clock.h"
#include "tests/unit/redis_server.h"
#include "worker/cache/cache.h"

static struct redis_server server; /* of the whole binary */

static struct settings settings_for(const char *url)
{
	return (struct settings){
		.redis = {.url = str_of(url), .key_prefix = STR("pm"), .timeout_ms = 1000},
		.cache = {.enabled = true, .near_entries = 1000, .ttl_ms = 3600000, .unsure_ttl_ms = 60000, .secret = STR("secret of the tests")},
		.engine = {.max_jobs = 1000},
	};
}

static struct cache *open_cache(const struct settings *settings, struct metrics *metrics)
{
	struct cache *cache;
	struct err err;
	assert_int_equal(cache_open(settings, NULL, metrics, &cache, &err), RC_OK);
	return cache;
}

/* One cache, and one decider's way to it. */
struct bed {
	struct metrics *metrics;
	struct cache *cache;
	struct cache_conn *conn;
};

static struct bed open_bed(const struct settings *settings)
{
	struct bed t = {.metrics = metrics_new()};
	t.cache = open_cache(settings, t.metrics);
	t.conn = cache_conn_new(t.cache);
	return t;
}

static void close_bed(struct bed *t)
{
	cache_conn_free(t->conn);
	cache_close(t->cache);
	metrics_free(t->metrics);
}

static void key_of(struct cache *cache, const char *material, uint8_t key[CACHE_KEY_BYTES])
{
	struct cache_conn *conn = cache_conn_new(cache);
	cache_key(conn, str_of(material), key);
	cache_conn_free(conn);
}

static struct cache_slot slot_of(struct cache *cache, const char *material)
{
	struct cache_slot slot = {0};
	key_of(cache, material, slot.key);
	return slot;
}

static struct cache_entry entry_of(struct cache *cache, const char *material, struct str value, int64_t ttl_ms)
{
	struct cache_entry entry = {.value = value, .ttl_ms = ttl_ms};
	key_of(cache, material, entry.key);
	return entry;
}

/* Reads one key and gives up the claim of a miss. */
static enum cache_source look_up(struct cache *cache, struct cache_conn *conn, const char *material, int64_t now_us)
{
	struct arena arena;
	arena_init(&arena, 0);
	struct cache_slot slot = slot_of(cache, material);
	cache_read(conn, &slot, 1, &arena, now_us);
	if (slot.source == CACHE_MISS) {
		struct cache_entry none = entry_of(cache, material, STR_NULL, 0);
		assert_true(slot.leader);
		assert_null(slot.value.data);
		cache_write(conn, &none, 1, now_us);
	} else {
		assert_string_equal(slot.value.data, "kb");
	}
	enum cache_source source = slot.source;
	arena_free(&arena);
	return source;
}

static void memory_only_works_without_redis(void **state)
{
	(void)state; /* unused */
	struct settings settings = settings_for(NULL);
	settings.cache.secret = STR_NULL;
	struct bed t = open_bed(&settings);
	assert_false(cache_has_secret(t.cache));
	assert_false(cache_redis_up(t.cache));
	assert_int_equal(look_up(t.cache, t.conn, "p", 1), CACHE_MISS);
	struct cache_entry entry = entry_of(t.cache, "p", STR("kb"), 1000);
	cache_write(t.conn, &entry, 1, 1);
	assert_int_equal(look_up(t.cache, t.conn, "p", 2), CACHE_NEAR);
	assert_int_equal(look_up(t.cache, t.conn, "p", 1000002), CACHE_MISS);
	struct cache_counts counts = cache_counts(t.cache);
	assert_int_equal(counts.near, 1);
	assert_int_equal(counts.miss, 2);
	close_bed(&t);
}

static void a_random_secret_differs_from_process_to_process(void **state)
{
	(void)state; /* unused */
	struct metrics *metrics = metrics_new();
	struct settings settings = settings_for(NULL);
	settings.cache.secret = STR_NULL;
	struct cache *a = open_cache(&settings, metrics), *b = open_cache(&settings, metrics);
	assert_memory_not_equal(slot_of(a, "p").key, slot_of(b, "p").key, CACHE_KEY_BYTES);
	cache_close(a);
	cache_close(b);
	metrics_free(metrics);
}

static void redis_without_a_secret_is_refused_with_the_line_to_add(void **state)
{
	(void)state; /* unused */
	struct settings settings = settings_for("redis://localhost");
	settings.cache.secret = STR_NULL;
	struct cache *cache;
	struct err err;
	assert_int_equal(cache_open(&settings, NULL, NULL, &cache, &err), RC_BAD_INPUT);
	assert_non_null(strstr(err.text, "cache: {secret_env: POINTSMAN_CACHE_SECRET}"));
	settings.cache.secret = STR("s");
	settings.redis.url = STR("http://localhost");
	assert_int_equal(cache_open(&settings, NULL, NULL, &cache, &err), RC_BAD_INPUT);
	assert_non_null(strstr(err.text, "redis://"));
}

static void a_disabled_cache_says_off_and_lets_everybody_decide(void **state)
{
	(void)state; /* unused */
	struct settings settings = settings_for(server.url);
	settings.cache.enabled = false;
	settings.cache.secret = STR_NULL;
	struct bed t = open_bed(&settings);
	struct cache_entry entry = entry_of(t.cache, "p", STR("kb"), 1000);
	struct cache_slot slots[2] = {slot_of(t.cache, "p"), slot_of(t.cache, "p")};
	cache_write(t.conn, &entry, 1, 1);
	cache_read(t.conn, slots, 2, NULL, 2);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(slots[i].source, CACHE_OFF);
		assert_true(slots[i].leader);
		assert_null(slots[i].value.data);
	}
	close_bed(&t);
}

static void what_one_replica_decides_another_finds_in_redis(void **state)
{
	(void)state; /* unused */
	struct metrics *metrics = metrics_new();
	struct settings settings = settings_for(server.url);
	struct cache *a = open_cache(&settings, metrics), *b = open_cache(&settings, metrics);
	struct cache_conn *a_conn = cache_conn_new(a), *b_conn = cache_conn_new(b);
	assert_int_equal(look_up(a, a_conn, "far", 1), CACHE_MISS);
	assert_true(cache_redis_up(a));
	struct cache_entry entry = entry_of(a, "far", STR("kb"), 60000);
	cache_write(a_conn, &entry, 1, 1);
	cache_conn_free(a_conn); /* waits for Redis to have taken it */
	assert_int_equal(look_up(b, b_conn, "far", 1), CACHE_FAR);
	assert_int_equal(look_up(b, b_conn, "far", 2), CACHE_NEAR);
	/* the near copy lives no longer than the value would have in Redis */
	assert_true(look_up(b, b_conn, "far", 61 * 1000000) != CACHE_NEAR);
	cache_conn_free(b_conn);
	cache_close(a);
	cache_close(b);
	metrics_free(metrics);
}

static void another_secret_or_tenant_never_shares(void **state)
{
	(void)state; /* unused */
	struct metrics *metrics = metrics_new();
	struct settings settings = settings_for(server.url), other = settings_for(server.url);
	other.cache.secret = STR("another secret");
	struct cache *a = open_cache(&settings, metrics), *b = open_cache(&other, metrics);
	struct cache_conn *a_conn = cache_conn_new(a), *b_conn = cache_conn_new(b);
	struct cache_entry entry = entry_of(a, "tenant-a|prompt", STR("kb"), 60000);
	cache_write(a_conn, &entry, 1, 1);
	assert_int_equal(look_up(a, a_conn, "tenant-b|prompt", 1), CACHE_MISS);
	assert_int_equal(look_up(b, b_conn, "tenant-a|prompt", 1), CACHE_MISS);
	assert_int_equal(look_up(a, a_conn, "tenant-a|prompt", 1), CACHE_NEAR);
	cache_conn_free(a_conn);
	cache_conn_free(b_conn);
	cache_close(a);
	cache_close(b);
	metrics_free(metrics);
}

static void twins_in_a_batch_are_decided_once(void **state)
{
	(void)state; /* unused */
	struct metrics *metrics = metrics_new();
	const char *urls[] = {NULL, server.url};
	for (unsigned u = 0; u < 2; u++) {
		struct settings settings = settings_for(urls[u]);
		struct cache *cache = open_cache(&settings, metrics);
		struct cache_conn *conn = cache_conn_new(cache);
		struct arena arena;
		arena_init(&arena, 0);
		struct cache_slot slots[200];
		char name[24];
		for (unsigned i = 0; i < 200; i++) {
			snprintf(name, sizeof name, "twin-%u", i % 70);
			slots[i] = slot_of(cache, name);
		}
		cache_read(conn, slots, 200, &arena, 1);
		struct cache_entry entries[200];
		uint32_t led = 0;
		for (unsigned i = 0; i < 200; i++) {
			assert_int_equal(slots[i].source, CACHE_MISS);
			assert_int_equal(slots[i].leader, i < 70);
			snprintf(name, sizeof name, "twin-%u", i % 70);
			if (slots[i].leader)
				entries[led++] = entry_of(cache, name, STR("kb"), 1000);
		}
		cache_write(conn, entries, led, 1);
		cache_share(conn, slots, 200, &arena, 1);
		for (unsigned i = 70; i < 200; i++) {
			assert_int_equal(slots[i].source, CACHE_SHARED);
			assert_string_equal(slots[i].value.data, "kb");
		}
		struct cache_counts counts = cache_counts(cache); /* of both rounds */
		assert_int_equal(counts.miss, 70 * (u + 1));
		assert_int_equal(counts.shared, 130 * (u + 1));
		arena_free(&arena);
		cache_conn_free(conn);
		cache_close(cache);
	}
	metrics_free(metrics);
}

static void twins_of_a_far_hit_share_it(void **state)
{
	(void)state; /* unused */
	struct metrics *metrics = metrics_new();
	struct settings settings = settings_for(server.url);
	struct cache *a = open_cache(&settings, metrics), *b = open_cache(&settings, metrics);
	struct cache_conn *a_conn = cache_conn_new(a), *b_conn = cache_conn_new(b);
	struct arena arena;
	arena_init(&arena, 0);
	struct cache_entry entry = entry_of(a, "far twin", STR("kb"), 60000);
	cache_write(a_conn, &entry, 1, 1);
	cache_conn_free(a_conn);
	struct cache_slot slots[2] = {slot_of(b, "far twin"), slot_of(b, "far twin")};
	cache_read(b_conn, slots, 2, &arena, 1);
	assert_int_equal(slots[0].source, CACHE_FAR);
	assert_int_equal(slots[1].source, CACHE_SHARED);
	assert_int_equal(cache_counts(b).shared, 1);
	arena_free(&arena);
	cache_conn_free(b_conn);
	cache_close(a);
	cache_close(b);
	metrics_free(metrics);
}

static void when_the_leader_gives_up_a_twin_leads(void **state)
{
	(void)state; /* unused */
	struct settings settings = settings_for(NULL);
	struct bed t = open_bed(&settings);
	struct cache_slot slots[3] = {slot_of(t.cache, "p"), slot_of(t.cache, "p"), slot_of(t.cache, "p")};
	cache_read(t.conn, slots, 3, NULL, 1);
	struct cache_entry none = entry_of(t.cache, "p", STR_NULL, 0);
	cache_write(t.conn, &none, 1, 1);
	cache_share(t.conn, slots, 3, NULL, 1);
	assert_true(slots[1].leader);
	assert_false(slots[2].leader);
	assert_int_equal(slots[2].source, CACHE_MISS);
	close_bed(&t);
}

struct parked {
	struct link link;
	unsigned resumed;
};

static void note_resumed(void *ctx, struct list *jobs)
{
	unsigned *total = ctx;
	for (struct link *link = list_pop(jobs); link != NULL; link = list_pop(jobs)) {
		LINK_OWNER(struct parked, link, link)->resumed++;
		(*total)++;
	}
}

static void a_parked_job_comes_back_when_its_leader_has_written(void **state)
{
	(void)state; /* unused */
	struct metrics *metrics = metrics_new();
	struct settings settings = settings_for(NULL);
	struct cache *cache = open_cache(&settings, metrics);
	unsigned total = 0;
	cache_on_resume(cache, note_resumed, &total);
	struct cache_conn *one = cache_conn_new(cache), *two = cache_conn_new(cache);
	struct arena arena;
	arena_init(&arena, 0);
	struct cache_slot first = slot_of(cache, "p"), second = slot_of(cache, "p");
	cache_read(one, &first, 1, &arena, 1);
	cache_read(two, &second, 1, &arena, 1);
	assert_true(first.leader);
	assert_false(second.leader);
	struct parked job = {0};
	assert_true(cache_park(cache, second.key, &job.link, 1));
	struct cache_entry entry = entry_of(cache, "p", STR("kb"), 1000);
	cache_write(one, &entry, 1, 2);
	assert_int_equal(job.resumed, 1);
	second.waited = true;
	cache_read(two, &second, 1, &arena, 3);
	assert_int_equal(second.source, CACHE_SHARED);
	assert_false(cache_park(cache, second.key, &job.link, 3)); /* nobody leads it any more */
	arena_free(&arena);
	cache_conn_free(one);
	cache_conn_free(two);
	cache_close(cache);
	metrics_free(metrics);
}

static void a_vanished_leader_holds_nobody_up_for_ever(void **state)
{
	(void)state; /* unused */
	struct settings settings = settings_for(NULL);
	struct bed t = open_bed(&settings);
	unsigned total = 0;
	cache_on_resume(t.cache, note_resumed, &total);
	struct cache_slot slot = slot_of(t.cache, "p");
	int64_t claim_us = (int64_t)CACHE_CLAIM_MS * 1000;
	cache_read(t.conn, &slot, 1, NULL, 1);
	struct parked jobs[3] = {0};
	assert_true(cache_park(t.cache, slot.key, &jobs[0].link, 2));
	cache_tick(t.cache, claim_us);
	assert_int_equal(total, 0);
	cache_tick(t.cache, claim_us + 1);
	assert_int_equal(total, 1);
	slot.waited = true; /* comes back, leads */
	cache_read(t.conn, &slot, 1, NULL, claim_us + 2);
	assert_true(slot.leader);
	slot.waited = false; /* and when nobody ticks, the next reader takes over and frees who waited */
	assert_true(cache_park(t.cache, slot.key, &jobs[1].link, claim_us + 3));
	cache_read(t.conn, &slot, 1, NULL, 2 * claim_us + 3);
	assert_true(slot.leader);
	assert_int_equal(total, 2);
	assert_true(cache_park(t.cache, slot.key, &jobs[2].link, 2 * claim_us + 4));
	struct list back = {0};
	cache_unpark(t.cache, &back);
	assert_int_equal(back.count, 1);
	assert_ptr_equal(list_pop(&back), &jobs[2].link);
	close_bed(&t);
}

static void a_job_that_has_waited_leads_even_beside_another_leader(void **state)
{
	(void)state; /* unused */
	struct settings settings = settings_for(NULL);
	struct bed t = open_bed(&settings);
	struct cache_slot slot = slot_of(t.cache, "p"), again = slot_of(t.cache, "p");
	again.waited = true;
	cache_read(t.conn, &slot, 1, NULL, 1);
	cache_read(t.conn, &again, 1, NULL, 1);
	assert_true(slot.leader);
	assert_true(again.leader);
	close_bed(&t);
}

static uint64_t counted(struct metrics *metrics, const char *kind)
{
	struct counter *c = metrics_counter(metrics, "pointsman_cache_redis_errors_total", "", LABELS("kind", kind));
	return atomic_load(&c->value);
}

static void redis_killed_half_way_is_a_miss_and_comes_back(void **state)
{
	(void)state; /* unused */
	struct settings settings = settings_for(server.url);
	settings.cache.near_entries = 0;
	struct bed t = open_bed(&settings);
	struct cache_entry entry = entry_of(t.cache, "killed", STR("kb"), 60000);
	int64_t now_us = clock_mono_us();
	cache_write(t.conn, &entry, 1, now_us);
	assert_int_equal(look_up(t.cache, t.conn, "killed", now_us), CACHE_FAR);
	server_kill(&server);
	for (int i = 0; i < 5; i++) {
		assert_int_equal(look_up(t.cache, t.conn, "killed", clock_mono_us()), CACHE_MISS);
		cache_write(t.conn, &entry, 1, clock_mono_us());
		assert_false(cache_redis_up(t.cache));
	}
	uint64_t failures = counted(t.metrics, "failure");
	assert_true(failures >= 3 && failures <= 4); /* the breaker is open after three */
	assert_true(server_start(&server));
	assert_int_equal(look_up(t.cache, t.conn, "killed", clock_mono_us() + 10 * 1000000), CACHE_MISS); /* the backoff is over by then */
	cache_write(t.conn, &entry, 1, clock_mono_us());
	assert_int_equal(look_up(t.cache, t.conn, "killed", clock_mono_us()), CACHE_FAR);
	assert_true(cache_redis_up(t.cache));
	server_kill(&server); /* a restart between two batches does not even show */
	assert_true(server_start(&server));
	uint64_t before = counted(t.metrics, "failure");
	assert_int_equal(look_up(t.cache, t.conn, "killed", clock_mono_us()), CACHE_MISS);
	assert_int_equal(counted(t.metrics, "failure"), before);
	close_bed(&t);
}

static void a_redis_that_stops_answering_costs_one_timeout_at_a_time(void **state)
{
	(void)state; /* unused */
	struct settings settings = settings_for(server.url);
	settings.redis.timeout_ms = 50;
	struct bed t = open_bed(&settings);
	assert_int_equal(look_up(t.cache, t.conn, "slow", clock_mono_us()), CACHE_MISS);
	kill(server.pid, SIGSTOP);
	int64_t now_us = clock_mono_us();
	for (int i = 0; i < 50; i++)
		assert_int_equal(look_up(t.cache, t.conn, "slow", now_us), CACHE_MISS);
	uint64_t failures = counted(t.metrics, "failure");
	kill(server.pid, SIGCONT);
	assert_int_equal(failures, 3); /* the other 47 did not ask */
	assert_int_equal(look_up(t.cache, t.conn, "slow", now_us + 30 * 1000000), CACHE_MISS);
	assert_true(cache_redis_up(t.cache));
	close_bed(&t);
}

static void plant(struct cache *cache, const char *command, const char *material, const char *value, size_t len)
{
	struct cache_slot slot = slot_of(cache, material);
	char key[5 + 2 * CACHE_KEY_BYTES + 1] = "pm:d:";
	for (unsigned i = 0; i < CACHE_KEY_BYTES; i++)
		snprintf(key + 5 + 2 * i, 3, "%02x", slot.key[i]);
	const char *argv[] = {command, key, value};
	freeReplyObject(server_ask(&server, 3, argv, (size_t[]){strlen(command), strlen(key), len}));
}

static void rubbish_in_redis_is_a_miss_and_counted(void **state)
{
	(void)state; /* unused */
	static char large[100000];
	struct settings settings = settings_for(server.url);
	settings.cache.near_entries = 0;
	struct bed t = open_bed(&settings);
	const struct {
		const char *value;
		size_t len;
	} rows[] = {{"", 0}, {"\x01", 1}, {"rubbish", 7}, {large, 24}, {large, 25}, {large, 4121}, {large, 4122}, {large, sizeof large}};
	memset(large, 1, sizeof large);
	for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		plant(t.cache, "SET", "rubbish", rows[i].value, rows[i].len);
		assert_int_equal(look_up(t.cache, t.conn, "rubbish", clock_mono_us()), CACHE_MISS);
		assert_int_equal(counted(t.metrics, "rubbish"), i + 1);
	}
	plant(t.cache, "LPUSH", "list", "x", 1); /* a wrong type reads as absent */
	assert_int_equal(look_up(t.cache, t.conn, "list", clock_mono_us()), CACHE_MISS);
	assert_int_equal(counted(t.metrics, "failure"), 0);
	struct cache_entry entry = entry_of(t.cache, "rubbish", STR("kb"), 60000);
	cache_write(t.conn, &entry, 1, clock_mono_us()); /* and is simply written over */
	assert_int_equal(look_up(t.cache, t.conn, "rubbish", clock_mono_us()), CACHE_FAR);
	close_bed(&t);
}

static void a_redis_that_refuses_writes_is_counted_and_still_read(void **state)
{
	(void)state; /* unused */
	struct settings settings = settings_for(server.url);
	struct bed t = open_bed(&settings);
	const char *full[] = {"CONFIG", "SET", "maxmemory", "1"}, *enough[] = {"CONFIG", "SET", "maxmemory", "0"};
	freeReplyObject(server_ask(&server, 4, full, NULL));
	struct cache_entry entry = entry_of(t.cache, "refused", STR("kb"), 60000);
	cache_write(t.conn, &entry, 1, clock_mono_us());
	assert_int_equal(look_up(t.cache, t.conn, "something else", clock_mono_us()), CACHE_MISS);
	assert_int_equal(counted(t.metrics, "refused"), 1);
	assert_int_equal(counted(t.metrics, "failure"), 0);
	freeReplyObject(server_ask(&server, 4, enough, NULL));
	close_bed(&t);
}

static void ping_says_in_words_what_is_wrong(void **state)
{
	(void)state; /* unused */
	struct err err;
	struct settings good = settings_for(server.url), bad = settings_for("unix:///nonexistent/redis.sock");
	assert_int_equal(cache_ping(&good, &err), RC_OK);
	assert_int_equal(cache_ping(&bad, &err), RC_UNAVAILABLE);
	assert_non_null(strstr(err.text, "Redis at unix:/nonexistent/redis.sock does not answer: "));
	assert_non_null(strstr(err.text, "No such file"));
}

struct decider {
	struct cache *cache;
	_Atomic uint32_t *decided;
	unsigned unserved;
};

static void *decide_many(void *arg)
{
	struct decider *d = arg;
	struct cache_conn *conn = cache_conn_new(d->cache);
	struct arena arena;
	arena_init(&arena, 0);
	for (unsigned batch = 0; batch < 200; batch++) {
		struct cache_slot slots[16];
		char name[24];
		for (unsigned i = 0; i < 16; i++) {
			snprintf(name, sizeof name, "many-%u", (batch * 8 + i / 2) % 400);
			slots[i] = slot_of(d->cache, name);
		}
		cache_read(conn, slots, 16, &arena, 1);
		for (unsigned i = 0; i < 16; i++) {
			if (slots[i].source != CACHE_MISS || !slots[i].leader)
				continue;
			struct cache_entry entry = {.value = STR("kb"), .ttl_ms = 60000};
			memcpy(entry.key, slots[i].key, CACHE_KEY_BYTES);
			atomic_fetch_add(d->decided, 1);
			cache_write(conn, &entry, 1, 1);
		}
		cache_share(conn, slots, 16, &arena, 1);
		for (unsigned i = 0; i < 16; i++)
			d->unserved += slots[i].source != CACHE_MISS && !str_is(slots[i].value, "kb");
		arena_reset(&arena);
	}
	arena_free(&arena);
	cache_conn_free(conn);
	return NULL;
}

static void several_deciders_share_one_cache(void **state)
{
	(void)state; /* unused */
	struct metrics *metrics = metrics_new();
	struct settings settings = settings_for(server.url);
	settings.cache.secret = STR("fresh keys for this test");
	struct cache *cache = open_cache(&settings, metrics);
	_Atomic uint32_t decided = 0;
	struct decider deciders[3];
	pthread_t threads[3];
	for (unsigned i = 0; i < 3; i++) {
		deciders[i] = (struct decider){cache, &decided, 0};
		assert_int_equal(pthread_create(&threads[i], NULL, decide_many, &deciders[i]), 0);
	}
	for (unsigned i = 0; i < 3; i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(deciders[i].unserved, 0);
	}
	assert_true(decided >= 400);
	assert_true(decided < 1200); /* without sharing each of three would have decided all 400 */
	cache_close(cache);
	metrics_free(metrics);
}

static int begin(void **state)
{
	(void)state; /* unused */
	return server_start(&server) ? 0 : -1;
}

static int end(void **state)
{
	(void)state; /* unused */
	server_end(&server);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(memory_only_works_without_redis),
		cmocka_unit_test(a_random_secret_differs_from_process_to_process),
		cmocka_unit_test(redis_without_a_secret_is_refused_with_the_line_to_add),
		cmocka_unit_test(a_disabled_cache_says_off_and_lets_everybody_decide),
		cmocka_unit_test(what_one_replica_decides_another_finds_in_redis),
		cmocka_unit_test(another_secret_or_tenant_never_shares),
		cmocka_unit_test(twins_in_a_batch_are_decided_once),
		cmocka_unit_test(twins_of_a_far_hit_share_it),
		cmocka_unit_test(when_the_leader_gives_up_a_twin_leads),
		cmocka_unit_test(a_parked_job_comes_back_when_its_leader_has_written),
		cmocka_unit_test(a_vanished_leader_holds_nobody_up_for_ever),
		cmocka_unit_test(a_job_that_has_waited_leads_even_beside_another_leader),
		cmocka_unit_test(redis_killed_half_way_is_a_miss_and_comes_back),
		cmocka_unit_test(a_redis_that_stops_answering_costs_one_timeout_at_a_time),
		cmocka_unit_test(rubbish_in_redis_is_a_miss_and_counted),
		cmocka_unit_test(a_redis_that_refuses_writes_is_counted_and_still_read),
		cmocka_unit_test(ping_says_in_words_what_is_wrong),
		cmocka_unit_test(several_deciders_share_one_cache),
	};
	return cmocka_run_group_tests(tests, begin, end);
}
