/*
 * pool_open.c: making a pool and taking it apart: descriptors, series, the lines of headers and the thread.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "worker/upstream/pool.h"

enum { CONCURRENCY_MAX = 100000, CONNECT_TIMEOUT_MS = 10000, ANSWER_BYTES = 1048576 }; /* where the settings say nothing */

/* The base URL without user and password. */
static struct str shown_url(struct str url, struct arena *arena)
{
	size_t start = 0, at = 0;
	for (size_t i = 0; i + 2 < url.len && start == 0; i++)
		if (memcmp(url.data + i, "://", 3) == 0)
			start = i + 3;
	for (size_t i = start; i < url.len && url.data[i] != '/'; i++)
		if (url.data[i] == '@')
			at = i + 1;
	if (at == 0)
		return url;
	return arena_printf(arena, "%.*s%.*s", (int)start, url.data, (int)(url.len - at), url.data + at);
}

static void open_series(struct pool *pool, struct metrics *metrics)
{
	struct pool_counts *c = &pool->counts;
	const char *model = arena_cstr(&pool->arena, pool->model->name);
	const char *const *labels = LABELS("model", model);
	c->metrics = metrics;
	c->retries = metrics_counter(metrics, "pointsman_model_retries_total", "Calls repeated after a failure.", labels);
	c->repeated = metrics_counter(metrics, "pointsman_model_repeated_calls_total",
	                              "Calls for records that another worker may have sent before.", labels);
	c->tokens_in = metrics_counter(metrics, "pointsman_model_tokens_total", "Tokens; input holds the cached ones.",
	                               LABELS("model", model, "type", "input"));
	c->tokens_cached = metrics_counter(metrics, "pointsman_model_tokens_total", "Tokens; input holds the cached ones.",
	                                   LABELS("model", model, "type", "cached"));
	c->tokens_out = metrics_counter(metrics, "pointsman_model_tokens_total", "Tokens; input holds the cached ones.",
	                                LABELS("model", model, "type", "output"));
	c->nano_usd = metrics_counter(metrics, "pointsman_model_cost_usd_total", "Dollars spent by the configured price.", labels);
	if (metrics != NULL) /* the sink is shared and keeps its scale */
		c->nano_usd->scale = 1e-9;
	c->waiting = metrics_gauge(metrics, "pointsman_model_waiting", "Records in the model's waiting line.", labels);
	c->calling = metrics_gauge(metrics, "pointsman_model_calls_in_flight", "Calls on the wire.", labels);
	c->breaker_open = metrics_gauge(metrics, "pointsman_model_breaker_open", "1 while the model rests after errors.", labels);
	c->parked = metrics_counter(metrics, "pointsman_model_parked_total", "Records put into the model's park topic.", labels);
	c->passed_over = metrics_counter(metrics, "pointsman_model_passed_over_total",
	                                 "Times the model was full and the next one of the route was looked at.", labels);
	c->duration = metrics_histogram(metrics, "pointsman_model_call_duration_seconds", "From the start of a call to its end.",
	                                labels);
}

struct transfers_setup pool_transfers_setup(const struct model_settings *model, const struct provider *provider,
                                            struct arena *arena)
{
	bool link_local = false;
	for (uint32_t i = 0; i < model->allow_addresses.count; i++)
		link_local = link_local || str_is(model->allow_addresses.items[i], "link-local");
	int64_t most = model->concurrency;
	return (struct transfers_setup){
	    .urls = {provider->url(model, PURPOSE_ANSWER, arena).data, provider->url(model, PURPOSE_EMBED, arena).data},
	    .headers = provider->headers(model, arena),
	    .concurrency = most < 1 ? 1 : most > CONCURRENCY_MAX ? CONCURRENCY_MAX : (uint32_t)most,
	    .connect_timeout_ms = model->connect_timeout_ms > 0 ? model->connect_timeout_ms : CONNECT_TIMEOUT_MS,
	    .max_answer_bytes = model->max_answer_bytes > 0 ? model->max_answer_bytes : ANSWER_BYTES,
	    .allow_link_local = link_local,
	};
}

enum rc pool_open(struct pool *pool, struct metrics *metrics, struct err *err)
{
	pool->poke_fd = pool->inbox.event_fd = -1;
	arena_init(&pool->arena, 4096);
	arena_init(&pool->scratch, 16384);
	pool->hash = sha256_new();
	random_bytes(&pool->random, sizeof pool->random);
	pool->random |= 1;
	pool->names = RESOLVE_PENDING; /* asked at the first call */
	pool->where = shown_url(pool->model->base_url, &pool->arena);
	open_series(pool, metrics);
	pool->poke_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (pool->poke_fd < 0)
		return err_set(err, RC_FATAL, "no event descriptor for model %.*s: %s; raise the limit of open files",
		               STR_ARG(pool->model->name), strerror(errno));
	enum rc rc = handover_open(&pool->inbox, err);
	if (rc != RC_OK)
		return rc;
	struct transfers_setup setup = pool_transfers_setup(pool->model, pool->provider, &pool->arena);
	pool->concurrency = setup.concurrency;
	rc = transfers_open(&setup, &pool->transfers, err);
	if (rc == RC_OK)
		rc = transfers_watch(pool->transfers, pool->inbox.event_fd, err);
	if (rc == RC_OK)
		rc = transfers_watch(pool->transfers, pool->poke_fd, err);
	return rc;
}

enum rc pool_start(struct pool *pool, struct err *err)
{
	sigset_t all, before;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are the main thread's */
	int failed = pthread_create(&pool->thread, NULL, pool_run, pool);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (failed != 0)
		return err_set(err, RC_FATAL, "no thread for model %.*s: %s", STR_ARG(pool->model->name), strerror(failed));
	pool->has_thread = true;
	return RC_OK;
}

void pool_stop(struct pool *pool)
{
	if (!pool->has_thread)
		return;
	atomic_store_explicit(&pool->stop, true, memory_order_release);
	pool_poke(pool);
	pthread_join(pool->thread, NULL);
	pool->has_thread = false;
}

void pool_close(struct pool *pool)
{
	transfers_close(pool->transfers);
	if (pool->poke_fd >= 0)
		close(pool->poke_fd);
	if (pool->inbox.event_fd >= 0)
		handover_close(&pool->inbox);
	line_free(&pool->ready);
	line_free(&pool->later);
	sha256_free(pool->hash);
	arena_free(&pool->arena);
	arena_free(&pool->scratch);
}
