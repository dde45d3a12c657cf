/*
 * status.c: the JSON of /status. Reads snapshots; owns nothing.
 */
#include "common/clock.h"
#include "common/json.h"
#include "worker/engine/room.h"

static void key_str(struct buf *out, const char *key, struct str value)
{
	json_key(out, key);
	json_write_str(out, value);
}

static void key_i64(struct buf *out, const char *key, int64_t value)
{
	json_key(out, key);
	buf_i64(out, value);
}

static void key_double(struct buf *out, const char *key, double value)
{
	json_key(out, key);
	json_write_double(out, value);
}

static void key_bool(struct buf *out, const char *key, bool value)
{
	json_key(out, key);
	buf_cstr(out, value ? "true" : "false");
}

static void open_map(struct buf *out, const char *key)
{
	json_key(out, key);
	buf_char(out, '{');
}

static void see_row(void *ctx, const char *name, uint64_t count)
{
	struct buf *out = ctx;
	if (out->data[out->len - 1] != '[')
		buf_char(out, ',');
	buf_char(out, '{');
	key_str(out, "name", str_of(name));
	key_i64(out, "count", (int64_t)count);
	buf_char(out, '}');
}

static void see_member(void *ctx, const char *name, uint64_t count)
{
	key_i64(ctx, name, (int64_t)count);
}

static void write_stream(struct engine *e, struct buf *out)
{
	struct stream_status st;
	stream_status(e->stream, &st);
	open_map(out, "stream");
	key_i64(out, "partitions", st.partitions);
	key_i64(out, "holes", st.holes);
	key_i64(out, "lag", st.lag);
	key_i64(out, "outstanding", stream_outstanding(e->stream));
	key_i64(out, "committed", (int64_t)st.committed);
	key_i64(out, "redone_commits", (int64_t)st.redone_commits);
	key_i64(out, "rebalances", (int64_t)st.rebalances);
	key_bool(out, "brokers_reachable", st.brokers_reachable);
	key_str(out, "cluster_id", str_of(st.cluster_id));
	buf_char(out, '}');
}

static void write_jobs(struct engine *e, struct buf *out)
{
	struct job_pool_use use = job_pool_use(e->pool);
	open_map(out, "jobs");
	key_i64(out, "in_use", use.jobs);
	key_i64(out, "max", use.max_jobs);
	key_i64(out, "bytes", (int64_t)use.bytes);
	key_i64(out, "max_bytes", (int64_t)use.max_bytes);
	buf_char(out, '}');
}

static void write_policy(struct engine *e, struct buf *out)
{
	struct policy *policy = engine_policy(e);
	open_map(out, "policy");
	key_str(out, "name", policy_name(policy));
	key_str(out, "decision_version", policy_decision_version(policy));
	key_str(out, "policy_version", policy_version(policy));
	buf_char(out, '}');
	policy_unref(policy);
}

static void write_cache(struct engine *e, struct buf *out)
{
	open_map(out, "cache");
	key_i64(out, "near", (int64_t)tally_cache(e->tally, CACHE_NEAR));
	key_i64(out, "far", (int64_t)tally_cache(e->tally, CACHE_FAR));
	key_i64(out, "shared", (int64_t)tally_cache(e->tally, CACHE_SHARED));
	key_i64(out, "miss", (int64_t)tally_cache(e->tally, CACHE_MISS));
	key_bool(out, "redis_up", cache_redis_up(e->cache));
	buf_char(out, '}');
}

static void write_model(struct buf *out, const struct pool_status *st)
{
	buf_cstr(out, "{");
	key_str(out, "name", st->model);
	key_i64(out, "waiting", st->waiting);
	key_i64(out, "calling", st->calling);
	key_i64(out, "concurrency", st->concurrency);
	key_i64(out, "connections", st->connections);
	key_i64(out, "answered", (int64_t)st->answered);
	key_i64(out, "failed", (int64_t)st->failed);
	key_i64(out, "retried", (int64_t)st->retried);
	key_bool(out, "breaker_open", st->breaker_open);
	key_double(out, "p50_ms", (double)st->p50_us / 1000);
	key_double(out, "p95_ms", (double)st->p95_us / 1000);
	key_double(out, "p99_ms", (double)st->p99_us / 1000);
	key_double(out, "cost_usd", st->cost_usd);
	buf_char(out, '}');
}

static void write_models(struct engine *e, struct buf *out)
{
	json_key(out, "models");
	buf_char(out, '[');
	for (uint32_t i = 0; i < upstream_pool_count(e->upstream); i++) {
		struct pool_status st;
		upstream_pool_status(e->upstream, i, &st);
		if (i != 0)
			buf_char(out, ',');
		write_model(out, &st);
	}
	buf_char(out, ']');
}

static void write_rows(struct engine *e, const char *key, enum tally_table table, struct buf *out)
{
	json_key(out, key);
	buf_char(out, '[');
	tally_each(e->tally, table, see_row, out);
	buf_char(out, ']');
}

static void write_ready(struct engine *e, struct buf *out)
{
	struct buf why;
	buf_init(&why, out->arena, 0);
	key_bool(out, "ready", engine_ready(e, &why));
	key_str(out, "ready_reason", buf_view(&why));
}

static void write_rooms(struct engine *e, struct buf *out)
{
	write_policy(e, out);
	write_stream(e, out);
	write_jobs(e, out);
	write_rows(e, "routes", TALLY_ROUTES, out);
	write_rows(e, "stages", TALLY_STAGES, out);
	write_cache(e, out);
	open_map(out, "outcomes");
	tally_each(e->tally, TALLY_OUTCOMES, see_member, out);
	buf_char(out, '}');
	write_models(e, out);
	key_double(out, "cost_usd", tally_cost_usd(e->tally));
	key_double(out, "baseline_cost_usd", tally_baseline_usd(e->tally));
}

void engine_status_json(struct engine *engine, struct buf *out)
{
	buf_char(out, '{');
	key_str(out, "version", STR(POINTSMAN_VERSION));
	key_str(out, "instance", str_of(engine->instance));
	key_i64(out, "uptime_s", (clock_mono_us() - engine->started_us) / 1000000);
	write_ready(engine, out);
	if (atomic_load(&engine->up))
		write_rooms(engine, out);
	buf_char(out, '}');
}
