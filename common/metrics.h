/*
 * metrics.h: counters, gauges and histograms in Prometheus' terms.
 *
 * A room asks once for each series it needs and keeps the pointer; counting is one relaxed atomic add. Asking again for the
 * same name and labels gives the same series. Names end in a unit and _total by convention.
 *
 * Thread: counting any; asking any (locked); rendering any. Series live as long as the registry.
 */
#ifndef COMMON_METRICS_H
#define COMMON_METRICS_H

#include <stdatomic.h>
#include <stdint.h>

#include "common/str.h"

struct metrics;
struct counter {
	_Atomic uint64_t value;
	double scale; /* what is shown is value * scale (micro-dollars -> dollars) */
};
struct gauge {
	_Atomic int64_t value;
	double scale;
};
struct histogram; /* of durations in microseconds, shown in seconds; buckets 1-2.5-5 from 10 us to 100 s */

struct metrics *metrics_new(void);
void metrics_free(struct metrics *metrics); /* NULL is fine */

/* labels: NULL-terminated name, value, name, value, ... or NULL. Never NULL; metrics may be NULL (a sink that is not shown). */
struct counter *metrics_counter(struct metrics *metrics, const char *name, const char *help, const char *const *labels);
struct gauge *metrics_gauge(struct metrics *metrics, const char *name, const char *help, const char *const *labels);
struct histogram *metrics_histogram(struct metrics *metrics, const char *name, const char *help, const char *const *labels);
#define LABELS(...) ((const char *const[]){__VA_ARGS__, NULL})

static inline void counter_add(struct counter *c, uint64_t n)
{
	atomic_fetch_add_explicit(&c->value, n, memory_order_relaxed);
}
static inline void gauge_set(struct gauge *g, int64_t n)
{
	atomic_store_explicit(&g->value, n, memory_order_relaxed);
}
static inline void gauge_add(struct gauge *g, int64_t n)
{
	atomic_fetch_add_explicit(&g->value, n, memory_order_relaxed);
}
void histogram_observe(struct histogram *h, int64_t micros);
/* Estimate in microseconds at 0 < q < 1 by interpolation; 0 when empty. */
int64_t histogram_quantile(const struct histogram *h, double q);
uint64_t histogram_count(const struct histogram *h);

/* Text exposition format 0.0.4, families sorted by name. */
void metrics_render(struct metrics *metrics, struct buf *out);

#endif
