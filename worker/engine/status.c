/*
 * status.c: the JSON of /status. Reads snapshots; owns nothing.
 */
#include "common/clock.h"
#include "common/json.h"
#include "worker/engine/room.h"

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
	json_member_str(out, "name", str_of(name));
	json_member_i64(out, "count", (int64_t)count);
	buf_char(out, '}');
}

static void see_member(void *ctx, const char *name, uint64_t count)
{
	json_member_i64(ctx, name, (int64_t)count);
}

static void write_stream(struct engine *e, struct buf *out)
{
	struct stream_status st;
	stream_status(e->stream, &st);
	open_map(out, "stream");
	json_member_i64(out, "partitions", st.partitions);
	json_member_i64(out, "holes", st.holes);
	json_member_i64(out, "lag", st.lag);
	json_member_i64(out, "outstanding", stream_outstanding(e->stream));
	json_member_i64(out, "committed", (int64_t)st.committed);
	json_member_i64(out, "redone_commits", (int64_t)st.redone_commits);
	json_member_i64(out, "rebalances", (int64_t)st.rebalances);
	json_member_bool(out, "brokers_reachable", st.brokers_reachable);
	json_member_str(out, "cluster_id", str_of(st.cluster_id));
	buf_char(out, '}');
}

static void write_jobs(struct engine *e, struct buf *out)
{
	struct job_pool_use use = job_pool_use(e->pool);
	open_map(out, "jobs");
	json_member_i64(out, "in_use", use.jobs);
	json_member_i64(out, "max", use.max_jobs);
	json_member_i64(out, "bytes", (int64_t)use.bytes);
	json_member_i64(out, "max_bytes", (int64_t)use.max_bytes);
	buf_char(out, '}');
}

static void write_policy(struct engine *e, struct buf *out)
{
	struct policy *policy = engine_policy(e);
	open_map(out, "policy");
	json_member_str(out, "name", policy_name(policy));
	json_member_str(out, "decision_version", policy_decision_version(policy));
	json_member_str(out, "policy_version", policy_version(policy));
	buf_char(out, '}');
	policy_unref(policy);
}

static void write_cache(struct engine *e, struct buf *out)
{
	open_map(out, "cache");
	json_member_i64(out, "near", (int64_t)tally_cache(e->tally, CACHE_NEAR));
	json_member_i64(out, "far", (int64_t)tally_cache(e->tally, CACHE_FAR));
	json_member_i64(out, "shared", (int64_t)tally_cache(e->tally, CACHE_SHARED));
	json_member_i64(out, "miss", (int64_t)tally_cache(e->tally, CACHE_MISS));
	json_member_bool(out, "redis_up", cache_redis_up(e->cache));
	buf_char(out, '}');
}

static void write_model(struct buf *out, const struct pool_status *st)
{
	buf_cstr(out, "{");
	json_member_str(out, "name", st->model);
	json_member_i64(out, "waiting", st->waiting);
	json_member_i64(out, "max_waiting", st->max_waiting);
	json_member_i64(out, "parked", (int64_t)st->parked);
	json_member_i64(out, "passed_over", (int64_t)st->passed_over);
	json_member_i64(out, "calling", st->calling);
	json_member_i64(out, "concurrency", st->concurrency);
	json_member_i64(out, "connections", st->connections);
	json_member_i64(out, "answered", (int64_t)st->answered);
	json_member_i64(out, "failed", (int64_t)st->failed);
	json_member_i64(out, "retried", (int64_t)st->retried);
	json_member_bool(out, "breaker_open", st->breaker_open);
	json_member_double(out, "p50_ms", (double)st->p50_us / 1000);
	json_member_double(out, "p95_ms", (double)st->p95_us / 1000);
	json_member_double(out, "p99_ms", (double)st->p99_us / 1000);
	json_member_double(out, "cost_usd", st->cost_usd);
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
	json_member_bool(out, "ready", engine_ready(e, &why));
	json_member_str(out, "ready_reason", why.len != 0 ? buf_view(&why) : STR(""));
}

static void write_rooms(struct engine *e, struct buf *out)
{
	write_policy(e, out);
	write_stream(e, out);
	write_jobs(e, out);
	write_rows(e, "routes", TALLY_ROUTES, out);
	write_rows(e, "stages", TALLY_STAGES, out);
	write_rows(e, "guards", TALLY_GUARDS, out);
	write_cache(e, out);
	open_map(out, "outcomes");
	tally_each(e->tally, TALLY_OUTCOMES, see_member, out);
	buf_char(out, '}');
	write_models(e, out);
	json_member_double(out, "cost_usd", tally_cost_usd(e->tally));
	json_member_double(out, "baseline_cost_usd", tally_baseline_usd(e->tally));
}

void engine_status_json(struct engine *engine, struct buf *out)
{
	buf_char(out, '{');
	json_member_str(out, "version", STR(POINTSMAN_VERSION));
	json_member_str(out, "instance", str_of(engine->instance));
	json_member_i64(out, "uptime_s", (clock_mono_us() - engine->started_us) / 1000000);
	write_ready(engine, out);
	if (atomic_load(&engine->up))
		write_rooms(engine, out);
	buf_char(out, '}');
}
