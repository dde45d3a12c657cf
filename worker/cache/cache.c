/*
 * cache.c: the two tiers and single flight as one thing.
 *
 * The one idea: a look-up goes near, then claims, then far. Only who leads a key asks Redis for it, so neither a batch of
 * twins nor several deciders ask twice; whatever is found or decided goes into the near tier before its claim ends, so a
 * waiter that looks again finds it there.
 *
 * It does not know what a value means, and it never refuses: every failure is a miss.
 */
#include "worker/cache/cache_states.h"

#include <stdlib.h>
#include <string.h>

#include "common/hmac.h"
#include "worker/cache/far.h"
#include "worker/cache/flight.h"
#include "worker/cache/near.h"
#include "worker/cache/redis.h"
#include "worker/cache/redis_url.h"

enum { MAX_SECRET = 1024 };

struct cache {
	bool enabled, has_secret;
	char secret[MAX_SECRET];
	size_t secret_len;
	uint8_t seal_secret[SHA256_BYTES];
	int64_t longest_ttl_ms;
	struct near *near;
	struct flight *flight;
	struct far *far; /* NULL: memory only */
	struct counter *lookups[CACHE_SHARED + 1]; /* by enum cache_source */
	struct counter *expired_claims;
	void (*resume)(void *ctx, struct list *jobs);
	void *resume_ctx;
};

struct cache_conn {
	struct cache *cache;
	struct far_conn *far; /* NULL: memory only */
	struct hmac *namer; /* of keys */
	char value[CACHE_MAX_VALUE];
};

static enum rc take_secret(struct cache *cache, const struct settings *settings, struct err *err)
{
	struct str given = settings->cache.secret;
	if (given.len > MAX_SECRET)
		return err_set(err, RC_BAD_INPUT, "cache.secret: longer than %d bytes", MAX_SECRET);
	cache->has_secret = given.len != 0;
	if (cache->has_secret)
		memcpy(cache->secret, given.data, given.len);
	else
		random_bytes(cache->secret, SHA256_BYTES);
	cache->secret_len = cache->has_secret ? given.len : (size_t)SHA256_BYTES;
	hmac_sha256((struct str){cache->secret, cache->secret_len}, STR("pointsman: seal of cached values"), cache->seal_secret);
	return RC_OK;
}

static void count_in(struct cache *cache, struct metrics *metrics)
{
	for (unsigned i = 0; i < CACHE_SOURCES; i++)
		cache->lookups[i] = metrics_counter(metrics, "pointsman_cache_lookups_total",
		                                    "Look-ups of decisions by where they were found; shared: with an identical prompt asked at the same time",
		                                    LABELS("result", cache_source_name(i)));
	cache->expired_claims = metrics_counter(metrics, "pointsman_cache_expired_claims_total",
	                                        "Keys whose leader has not written in time; others were let through", NULL);
}

enum rc cache_open(const struct settings *settings, struct log *log, struct metrics *metrics, struct cache **ret, struct err *err)
{
	bool enabled = settings->cache.enabled;
	bool redis = enabled && settings->redis.url.data != NULL;
	if (redis && settings->cache.secret.len == 0)
		return err_set(err, RC_BAD_INPUT,
		               "redis.url is set, but no secret for the cache: decisions in Redis lie under keyed hashes, so that nobody can "
		               "guess a prompt from a key or plant a decision; add\n    cache: {secret_env: POINTSMAN_CACHE_SECRET}\nand set that "
		               "variable, the same in all replicas, for example to the output of: openssl rand -hex 32");
	struct cache *cache = heap_zalloc(1, sizeof *cache);
	cache->enabled = enabled;
	enum rc rc = take_secret(cache, settings, err);
	if (rc == RC_OK && redis)
		rc = far_open(settings, (struct str){(const char *)cache->seal_secret, SHA256_BYTES}, log, metrics, &cache->far, err);
	if (rc != RC_OK) {
		cache_close(cache);
		return rc;
	}
	count_in(cache, metrics);
	cache->longest_ttl_ms = settings->cache.ttl_ms > settings->cache.unsure_ttl_ms ? settings->cache.ttl_ms : settings->cache.unsure_ttl_ms;
	cache->near = near_new(enabled ? settings->cache.near_entries : 0);
	cache->flight = flight_new(enabled ? settings->engine.max_jobs : 0, (int64_t)CACHE_CLAIM_MS * 1000);
	if (enabled && !redis)
		log_info(log, "cache", "decisions are cached in memory only", LOG_I("entries", settings->cache.near_entries),
		         LOG_C("advice", "set redis.url to share them between replicas and over restarts"));
	*ret = cache;
	return RC_OK;
}

void cache_close(struct cache *cache)
{
	if (cache == NULL)
		return;
	far_close(cache->far);
	flight_free(cache->flight);
	near_free(cache->near);
	explicit_bzero(cache, sizeof *cache);
	free(cache);
}

struct cache_conn *cache_conn_new(struct cache *cache)
{
	struct cache_conn *conn = heap_zalloc(1, sizeof *conn);
	conn->cache = cache;
	conn->namer = hmac_new((struct str){cache->secret, cache->secret_len});
	if (cache->far != NULL)
		conn->far = far_conn_new(cache->far);
	return conn;
}

void cache_conn_free(struct cache_conn *conn)
{
	if (conn == NULL)
		return;
	far_conn_free(conn->far);
	hmac_free(conn->namer);
	free(conn);
}

void cache_key(struct cache_conn *conn, struct str material, uint8_t key[CACHE_KEY_BYTES])
{
	hmac_message(conn->namer, material, key);
}

bool cache_has_secret(const struct cache *cache)
{
	return cache->has_secret;
}

static void resume(struct cache *cache, struct list *jobs)
{
	if (jobs->head != NULL)
		cache->resume(cache->resume_ctx, jobs); /* parking is refused without a hook */
}

static bool look_near(struct cache_conn *conn, struct cache_slot *slot, enum cache_source source, struct arena *arena, int64_t now_us)
{
	size_t len;
	if (!near_get(conn->cache->near, slot->key, now_us, conn->value, &len))
		return false;
	slot->value = arena_str(arena, (struct str){conn->value, len});
	slot->source = source;
	slot->leader = false;
	return true;
}

enum { READ_AT_ONCE = FAR_BATCH / 2 };

struct far_hits { /* what far_read fills in: slots that lead, then states */
	struct cache_conn *conn;
	struct cache_slot *slots[READ_AT_ONCE];
	struct cache_state *states[READ_AT_ONCE];
	uint32_t slot_count, state_count;
	const uint8_t *keys[FAR_BATCH];
	struct arena *arena;
	int64_t now_us;
	struct list released;
};

static void take_far_hit(void *ctx, uint32_t index, struct str value, int64_t left_ms)
{
	struct far_hits *hits = ctx;
	struct cache *cache = hits->conn->cache;
	/* another machine's clock set the end of life: it cannot keep a value longer here than the configuration does */
	if (left_ms > cache->longest_ttl_ms)
		left_ms = cache->longest_ttl_ms;
	near_put(cache->near, hits->keys[index], value, hits->now_us + left_ms * 1000, hits->now_us);
	if (index >= hits->slot_count) {
		hits->states[index - hits->slot_count]->value = arena_str(hits->arena, value);
		return;
	}
	struct cache_slot *slot = hits->slots[index];
	slot->value = arena_str(hits->arena, value);
	slot->source = CACHE_FAR;
	slot->leader = false;
	flight_release(cache->flight, slot->key, &hits->released);
}

static void pick_slots(struct far_hits *hits, struct cache_slot *slots, uint32_t count)
{
	struct cache_conn *conn = hits->conn;
	for (uint32_t i = 0; i < count; i++) {
		struct cache_slot *slot = &slots[i];
		if (look_near(conn, slot, slot->waited ? CACHE_SHARED : CACHE_NEAR, hits->arena, hits->now_us))
			continue;
		slot->value = STR_NULL;
		slot->source = CACHE_MISS;
		slot->leader = flight_claim(conn->cache->flight, slot->key, hits->now_us, &hits->released) || (slot->waited && !slot->patient);
		if (!slot->leader)
			continue;
		hits->keys[hits->slot_count] = slot->key;
		hits->slots[hits->slot_count++] = slot;
	}
}

static void pick_states(struct far_hits *hits, struct cache_state *states, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		if (!states[i].asked)
			continue;
		hits->keys[hits->slot_count + hits->state_count] = states[i].key;
		hits->states[hits->state_count++] = &states[i];
	}
}

/* What the far tier has no word of, or could not be asked for: this process may know it. */
static void look_near_for_states(struct far_hits *hits)
{
	struct cache_conn *conn = hits->conn;
	for (uint32_t i = 0; i < hits->state_count; i++) {
		struct cache_state *state = hits->states[i];
		size_t len;
		if (state->value.data == NULL && near_get(conn->cache->near, state->key, hits->now_us, conn->value, &len))
			state->value = arena_str(hits->arena, (struct str){conn->value, len});
	}
}

static void read_batch(struct cache_conn *conn, struct cache_slot *slots, uint32_t count, struct cache_state *states, uint32_t state_count,
                       struct arena *arena, int64_t now_us)
{
	struct far_hits hits = {.conn = conn, .arena = arena, .now_us = now_us};
	pick_slots(&hits, slots, count);
	pick_states(&hits, states, state_count);
	if (conn->far != NULL)
		far_read(conn->far, hits.keys, hits.slot_count + hits.state_count, take_far_hit, &hits, now_us);
	look_near_for_states(&hits);
	resume(conn->cache, &hits.released);
}

/* Misses are counted when they are led: each prompt once, however often it is looked up. */
static void count_slots(struct cache *cache, const struct cache_slot *slots, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		if (slots[i].source != CACHE_MISS || slots[i].leader)
			counter_add(cache->lookups[slots[i].source], 1);
}

static void look_again(struct cache_conn *conn, struct cache_slot *slots, uint32_t count, bool claim, struct arena *arena, int64_t now_us)
{
	struct cache *cache = conn->cache;
	struct list released = {0};
	for (uint32_t i = 0; i < count; i++) {
		struct cache_slot *slot = &slots[i];
		if (slot->source != CACHE_MISS || slot->leader || look_near(conn, slot, CACHE_SHARED, arena, now_us) || !claim)
			continue;
		slot->leader = flight_claim(cache->flight, slot->key, now_us, &released);
	}
	resume(cache, &released);
}

/* How many of count are left from at on, at most a batch. */
static uint32_t part_of(uint32_t count, uint32_t at)
{
	return at >= count ? 0 : count - at < READ_AT_ONCE ? count - at : READ_AT_ONCE;
}

void cache_read_states(struct cache_conn *conn, struct cache_slot *slots, uint32_t count, struct cache_state *states, uint32_t state_count,
                       struct arena *arena, int64_t now_us)
{
	struct cache *cache = conn->cache;
	for (uint32_t i = 0; i < state_count; i++)
		states[i].value = STR_NULL;
	for (uint32_t i = 0; !cache->enabled && i < count; i++) {
		slots[i].source = CACHE_OFF;
		slots[i].value = STR_NULL;
		slots[i].leader = true;
	}
	for (uint32_t at = 0; cache->enabled && (at < count || at < state_count); at += READ_AT_ONCE)
		read_batch(conn, at < count ? slots + at : NULL, part_of(count, at), at < state_count ? states + at : NULL, part_of(state_count, at),
		           arena, now_us);
	look_again(conn, slots, count, false, arena, now_us); /* twins of what the far tier has just brought */
	count_slots(cache, slots, count);
}

void cache_read(struct cache_conn *conn, struct cache_slot *slots, uint32_t count, struct arena *arena, int64_t now_us)
{
	cache_read_states(conn, slots, count, NULL, 0, arena, now_us);
}

void cache_share(struct cache_conn *conn, struct cache_slot *slots, uint32_t count, struct arena *arena, int64_t now_us)
{
	for (uint32_t i = 0; i < count; i++) {
		struct cache_slot *slot = &slots[i];
		if (slot->source != CACHE_MISS || slot->leader)
			continue;
		look_again(conn, slot, 1, true, arena, now_us);
		count_slots(conn->cache, slot, 1);
	}
}

void cache_write(struct cache_conn *conn, const struct cache_entry *entries, uint32_t count, int64_t now_us)
{
	struct cache *cache = conn->cache;
	struct list released = {0};
	if (!cache->enabled)
		return;
	for (uint32_t i = 0; i < count; i++) {
		const struct cache_entry *e = &entries[i];
		if (e->value.data != NULL && e->ttl_ms > 0)
			near_put(cache->near, e->key, e->value, now_us + e->ttl_ms * 1000, now_us);
		flight_release(cache->flight, e->key, &released);
	}
	resume(cache, &released);
	for (uint32_t at = 0; conn->far != NULL && at < count; at += FAR_BATCH)
		far_write(conn->far, entries + at, count - at < FAR_BATCH ? count - at : FAR_BATCH);
}

void cache_on_resume(struct cache *cache, void (*hook)(void *ctx, struct list *jobs), void *ctx)
{
	cache->resume = hook;
	cache->resume_ctx = ctx;
}

bool cache_park(struct cache *cache, const uint8_t key[CACHE_KEY_BYTES], struct link *job, int64_t now_us)
{
	return cache->resume != NULL && flight_park(cache->flight, key, job, now_us);
}

void cache_tick(struct cache *cache, int64_t now_us)
{
	struct list released = {0};
	counter_add(cache->expired_claims, flight_expire(cache->flight, now_us, &released));
	resume(cache, &released);
}

void cache_unpark(struct cache *cache, struct list *ret)
{
	flight_unpark(cache->flight, ret);
}

enum rc cache_ping(const struct settings *settings, struct err *err)
{
	struct redis_address address;
	enum rc rc = redis_url_parse(settings->redis.url, settings->redis.password, &address, err);
	if (rc != RC_OK)
		return rc;
	struct redis *redis = redis_new(&address, settings->redis.timeout_ms > 0 ? settings->redis.timeout_ms : 100, CACHE_MAX_VALUE);
	rc = redis_ping(redis, err);
	redis_free(redis);
	return rc == RC_OK ? rc : err_prefix(err, rc, "Redis at %s does not answer", address.shown);
}

bool cache_redis_up(const struct cache *cache)
{
	return cache->far != NULL && far_is_up(cache->far);
}

static uint64_t count_of(const struct cache *cache, enum cache_source source)
{
	return atomic_load_explicit(&cache->lookups[source]->value, memory_order_relaxed);
}

struct cache_counts cache_counts(const struct cache *cache)
{
	return (struct cache_counts){count_of(cache, CACHE_NEAR), count_of(cache, CACHE_FAR), count_of(cache, CACHE_SHARED), count_of(cache, CACHE_MISS)};
}
