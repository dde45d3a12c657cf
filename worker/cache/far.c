/*
 * far.c: the far tier of the cache.
 *
 * The one idea: each decider has its connection, all share one breaker, so Redis being away costs one time-out now and then
 * instead of one per batch and thread. A connection that turns out dead is made anew and asked once more at once, because a
 * restarted Redis should not show.
 *
 * Keys are "prefix:d:" and the key in hex. It knows nothing of the near tier and of who leads.
 */
#include "worker/cache/far.h"

#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/hmac.h"
#include "worker/cache/redis.h"
#include "worker/cache/redis_breaker.h"
#include "worker/cache/sealed.h"

enum { MAX_PREFIX = 64, KEY_TEXT = MAX_PREFIX + 3 + 2 * CACHE_KEY_BYTES + 1 };

struct far {
	struct redis_address address;
	int64_t timeout_ms;
	char prefix[MAX_PREFIX + 4]; /* with ":d:" */
	struct str secret;
	struct redis_breaker breaker;
	struct log *log;
	struct counter *failures, *rubbish, *refused;
	struct gauge *up, *breaker_open;
	struct histogram *round_trip;
};

struct far_conn {
	struct far *far;
	struct redis *redis;
	struct hmac *seal;
	char key_text[FAR_BATCH][KEY_TEXT];
	char (*sealed)[SEALED_MAX]; /* FAR_BATCH of them; taken with the first write */
};

static void count_in(struct far *far, struct metrics *metrics)
{
	const char *name = "pointsman_cache_redis_errors_total";
	const char *help = "What went wrong with Redis: no answer (failure), a value that does not open (rubbish), a write it refused";
	far->failures = metrics_counter(metrics, name, help, LABELS("kind", "failure"));
	far->rubbish = metrics_counter(metrics, name, help, LABELS("kind", "rubbish"));
	far->refused = metrics_counter(metrics, name, help, LABELS("kind", "refused"));
	far->up = metrics_gauge(metrics, "pointsman_cache_redis_up", "1 while Redis answers", NULL);
	far->breaker_open = metrics_gauge(metrics, "pointsman_cache_redis_breaker_open", "1 while Redis is left alone after failures", NULL);
	far->round_trip = metrics_histogram(metrics, "pointsman_cache_redis_round_trip_seconds", "Time of one pipelined read of a batch", NULL);
}

enum rc far_open(const struct settings *settings, struct str secret, struct log *log, struct metrics *metrics, struct far **ret, struct err *err)
{
	const struct redis_settings *s = &settings->redis;
	struct redis_address address;
	enum rc rc = redis_url_parse(s->url, s->password, &address, err);
	if (rc != RC_OK)
		return rc;
	if (s->key_prefix.len > MAX_PREFIX)
		return err_set(err, RC_BAD_INPUT, "redis.key_prefix: longer than %d bytes", MAX_PREFIX);
	struct far *far = heap_zalloc(1, sizeof *far);
	far->address = address;
	far->timeout_ms = s->timeout_ms > 0 ? s->timeout_ms : 100;
	if (s->key_prefix.len != 0)
		memcpy(far->prefix, s->key_prefix.data, s->key_prefix.len);
	memcpy(far->prefix + s->key_prefix.len, ":d:", 4);
	far->secret = secret;
	far->log = log;
	redis_breaker_init(&far->breaker);
	count_in(far, metrics);
	*ret = far;
	return RC_OK;
}

void far_close(struct far *far)
{
	if (far == NULL)
		return;
	redis_breaker_destroy(&far->breaker);
	explicit_bzero(far->address.password, sizeof far->address.password);
	free(far);
}

bool far_is_up(struct far *far)
{
	return redis_breaker_up(&far->breaker);
}

struct far_conn *far_conn_new(struct far *far)
{
	struct far_conn *conn = heap_zalloc(1, sizeof *conn);
	conn->far = far;
	conn->redis = redis_new(&far->address, far->timeout_ms, SEALED_MAX);
	conn->seal = hmac_new(far->secret);
	return conn;
}

void far_conn_free(struct far_conn *conn)
{
	if (conn == NULL)
		return;
	redis_free(conn->redis);
	hmac_free(conn->seal);
	free(conn->sealed);
	free(conn);
}

static struct str key_text(struct far_conn *conn, uint32_t i, const uint8_t key[CACHE_KEY_BYTES])
{
	size_t prefix = strlen(conn->far->prefix);
	memcpy(conn->key_text[i], conn->far->prefix, prefix);
	hex_encode(key, CACHE_KEY_BYTES, conn->key_text[i] + prefix);
	return (struct str){conn->key_text[i], prefix + 2 * CACHE_KEY_BYTES};
}

static void failed(struct far *far, const struct err *why)
{
	counter_add(far->failures, 1);
	gauge_set(far->up, 0);
	int64_t retry_ms = redis_breaker_failure(&far->breaker, clock_mono_us());
	if (retry_ms == 0)
		return; /* one failure is no news; the breaker speaks when it opens */
	gauge_set(far->breaker_open, 1);
	log_warn(far->log, "cache", "redis does not answer: deciding without it", LOG_C("address", far->address.shown),
	         LOG_C("why", why->text), LOG_I("next_try_ms", retry_ms));
}

static void answered(struct far_conn *conn)
{
	struct far *far = conn->far;
	if (redis_breaker_success(&far->breaker)) {
		gauge_set(far->breaker_open, 0);
		log_info(far->log, "cache", "redis answers again", LOG_C("address", far->address.shown));
	}
	gauge_set(far->up, 1);
	struct err why;
	uint32_t refused = redis_take_refused(conn->redis, &why);
	if (refused != 0) {
		counter_add(far->refused, refused);
		log_warn(far->log, "cache", "redis refuses to store decisions: they will be made again", LOG_C("address", far->address.shown),
		         LOG_C("why", why.text), LOG_I("refused", refused));
	}
}

struct opening { /* of the values that one MGET brought */
	struct far *far;
	struct hmac *seal;
	const uint8_t *const *keys;
	void (*found)(void *ctx, uint32_t index, struct str value, int64_t left_ms);
	void *ctx;
};

static void open_value(void *ctx, uint32_t index, struct str bytes)
{
	struct opening *o = ctx;
	struct str value;
	int64_t end_ms;
	if (!sealed_read(o->seal, o->keys[index], bytes, &value, &end_ms)) {
		counter_add(o->far->rubbish, 1);
		log_warn(o->far->log, "cache", "a value in redis does not open: taken for a miss", LOG_C("address", o->far->address.shown),
		         LOG_C("advice", "another program writes under this key_prefix, or another secret is in use"));
		return;
	}
	int64_t left_ms = end_ms - clock_wall_ms();
	o->found(o->ctx, index, value, left_ms > 0 ? left_ms : 0);
}

void far_read(struct far_conn *conn, const uint8_t *const *keys, uint32_t count,
              void (*found)(void *ctx, uint32_t index, struct str value, int64_t left_ms), void *ctx, int64_t now_us)
{
	struct far *far = conn->far;
	if (count == 0 || !redis_breaker_allow(&far->breaker, now_us))
		return;
	struct str texts[FAR_BATCH];
	for (uint32_t i = 0; i < count; i++)
		texts[i] = key_text(conn, i, keys[i]);
	struct opening opening = {far, conn->seal, keys, found, ctx};
	struct err why;
	int64_t begun_us = clock_mono_us();
	bool old = redis_is_connected(conn->redis);
	enum rc rc = redis_connect(conn->redis, &why);
	if (rc == RC_OK)
		rc = redis_mget(conn->redis, texts, count, open_value, &opening, &why);
	if (rc != RC_OK && old && (clock_mono_us() - begun_us) * 2 < far->timeout_ms * 1000) {
		rc = redis_connect(conn->redis, &why);
		if (rc == RC_OK)
			rc = redis_mget(conn->redis, texts, count, open_value, &opening, &why);
	}
	if (rc != RC_OK) {
		failed(far, &why);
		return;
	}
	histogram_observe(far->round_trip, clock_mono_us() - begun_us);
	answered(conn);
}

void far_write(struct far_conn *conn, const struct cache_entry *entries, uint32_t count)
{
	struct far *far = conn->far;
	struct redis_set sets[FAR_BATCH];
	uint32_t set_count = 0;
	if (!redis_breaker_is_closed(&far->breaker))
		return;
	if (conn->sealed == NULL)
		conn->sealed = heap_zalloc(FAR_BATCH, sizeof *conn->sealed);
	for (uint32_t i = 0; i < count; i++) {
		const struct cache_entry *e = &entries[i];
		if (e->value.data == NULL || e->value.len > CACHE_MAX_VALUE || e->ttl_ms <= 0)
			continue;
		size_t len = sealed_write(conn->seal, e->key, e->value, clock_wall_ms() + e->ttl_ms, conn->sealed[set_count]);
		sets[set_count] = (struct redis_set){key_text(conn, set_count, e->key), {conn->sealed[set_count], len}, e->ttl_ms};
		set_count++;
	}
	struct err why;
	if (set_count == 0)
		return;
	enum rc rc = redis_connect(conn->redis, &why);
	if (rc == RC_OK)
		rc = redis_set_all(conn->redis, sets, set_count, &why);
	if (rc != RC_OK)
		failed(far, &why);
}
