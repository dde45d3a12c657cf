/*
 * metrics.c: the registry of series and its text form.
 *
 * The one idea: whoever counts holds a pointer and adds to one atomic; names, labels and sorting cost only the one who asks
 * for a series and the one who renders. Families are kept sorted by name, series in the order they were asked for.
 *
 * Without a registry the caller gets a sink: counted, never shown.
 */
#include "common/metrics.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/arena.h"
#include "common/json.h"

static const struct {
	int64_t micros;
	const char *seconds;
} bounds[] = {
	{10, "0.00001"},   {25, "0.000025"},  {50, "0.00005"},   {100, "0.0001"},  {250, "0.00025"},   {500, "0.0005"},
	{1000, "0.001"},   {2500, "0.0025"},  {5000, "0.005"},   {10000, "0.01"},  {25000, "0.025"},   {50000, "0.05"},
	{100000, "0.1"},   {250000, "0.25"},  {500000, "0.5"},   {1000000, "1"},   {2500000, "2.5"},   {5000000, "5"},
	{10000000, "10"},  {25000000, "25"},  {50000000, "50"},  {100000000, "100"},
};
enum { BOUNDS = sizeof bounds / sizeof bounds[0] };

struct histogram {
	_Atomic uint64_t buckets[BOUNDS + 1]; /* not cumulative; the last one is beyond all bounds */
	_Atomic uint64_t sum_micros;
};

enum kind { COUNTER, GAUGE, HISTOGRAM };
static const char *const kind_names[] = {"counter", "gauge", "histogram"};

struct series {
	struct series *next;
	struct str labels; /* as rendered, without braces; empty when there are none */
	union {
		struct counter counter;
		struct gauge gauge;
		struct histogram histogram;
	} as;
};

struct family {
	struct family *next; /* by name */
	enum kind kind;
	struct str name, help;
	struct series *first, *last;
};

struct metrics {
	pthread_mutex_t lock;
	struct arena arena;
	struct family *families;
};

/* The one place where threads without a registry count. Write-only: nothing reads it, so it carries no state between them. */
static struct series sinks[3] = {{.as.counter.scale = 1}, {.as.gauge.scale = 1}, {0}};

struct metrics *metrics_new(void)
{
	struct metrics *metrics = heap_zalloc(1, sizeof *metrics);
	pthread_mutex_init(&metrics->lock, NULL);
	arena_init(&metrics->arena, 16384);
	return metrics;
}

void metrics_free(struct metrics *metrics)
{
	if (metrics == NULL)
		return;
	arena_free(&metrics->arena);
	pthread_mutex_destroy(&metrics->lock);
	free(metrics);
}

static void add_escaped(struct buf *out, struct str s, bool quotes)
{
	for (size_t i = 0; i < s.len; i++) {
		char c = s.data[i];
		if (c == '\n')
			buf_cstr(out, "\\n");
		else if (c == '\\' || (quotes && c == '"'))
			(buf_char(out, '\\'), buf_char(out, c));
		else
			buf_char(out, c);
	}
}

static struct str render_labels(struct arena *arena, const char *const *labels)
{
	struct buf out;
	buf_init(&out, arena, 0);
	for (; labels != NULL && labels[0] != NULL && labels[1] != NULL; labels += 2) {
		if (out.len != 0)
			buf_char(&out, ',');
		buf_cstr(&out, labels[0]);
		buf_cstr(&out, "=\"");
		add_escaped(&out, str_of(labels[1]), true);
		buf_char(&out, '"');
	}
	return buf_view(&out);
}

static struct family *find_family(struct metrics *metrics, enum kind kind, const char *name, const char *help)
{
	struct family **at = &metrics->families;
	while (*at != NULL && str_cmp((*at)->name, str_of(name)) < 0)
		at = &(*at)->next;
	if (*at != NULL && str_is((*at)->name, name)) {
		if ((*at)->kind != kind) {
			fprintf(stderr, "bug: metric %s is asked for as a %s and as a %s\n", name, kind_names[(*at)->kind], kind_names[kind]);
			abort();
		}
		return *at;
	}
	struct family *family = arena_zalloc(&metrics->arena, sizeof *family);
	*family = (struct family){.next = *at, .kind = kind};
	family->name = arena_str(&metrics->arena, str_of(name));
	family->help = arena_str(&metrics->arena, str_of(help));
	*at = family;
	return family;
}

static struct series *find_series(struct metrics *metrics, enum kind kind, const char *name, const char *help, const char *const *labels)
{
	if (metrics == NULL)
		return &sinks[kind];
	struct arena scratch;
	arena_init(&scratch, 512);
	struct str rendered = render_labels(&scratch, labels);
	pthread_mutex_lock(&metrics->lock);
	struct family *family = find_family(metrics, kind, name, help);
	struct series *series = family->first;
	while (series != NULL && !str_eq(series->labels, rendered))
		series = series->next;
	if (series == NULL) {
		series = arena_zalloc(&metrics->arena, sizeof *series);
		series->labels = arena_str(&metrics->arena, rendered);
		if (kind == COUNTER)
			series->as.counter.scale = 1;
		if (kind == GAUGE)
			series->as.gauge.scale = 1;
		if (family->last != NULL)
			family->last->next = series;
		else
			family->first = series;
		family->last = series;
	}
	pthread_mutex_unlock(&metrics->lock);
	arena_free(&scratch);
	return series;
}

struct counter *metrics_counter(struct metrics *metrics, const char *name, const char *help, const char *const *labels)
{
	return &find_series(metrics, COUNTER, name, help, labels)->as.counter;
}

struct gauge *metrics_gauge(struct metrics *metrics, const char *name, const char *help, const char *const *labels)
{
	return &find_series(metrics, GAUGE, name, help, labels)->as.gauge;
}

struct histogram *metrics_histogram(struct metrics *metrics, const char *name, const char *help, const char *const *labels)
{
	return &find_series(metrics, HISTOGRAM, name, help, labels)->as.histogram;
}

void histogram_observe(struct histogram *h, int64_t micros)
{
	if (micros < 0)
		micros = 0;
	unsigned low = 0, high = BOUNDS;
	while (low < high) {
		unsigned middle = (low + high) / 2;
		if (micros <= bounds[middle].micros)
			high = middle;
		else
			low = middle + 1;
	}
	atomic_fetch_add_explicit(&h->buckets[low], 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&h->sum_micros, (uint64_t)micros, memory_order_relaxed);
}

static uint64_t bucket_at(const struct histogram *h, unsigned i)
{
	return atomic_load_explicit(&h->buckets[i], memory_order_relaxed);
}

uint64_t histogram_count(const struct histogram *h)
{
	uint64_t total = 0;
	for (unsigned i = 0; i <= BOUNDS; i++)
		total += bucket_at(h, i);
	return total;
}

int64_t histogram_quantile(const struct histogram *h, double q)
{
	double rank = q * (double)histogram_count(h), below = 0;
	if (!(rank > 0))
		return 0;
	for (unsigned i = 0; i < BOUNDS; i++) {
		double here = (double)bucket_at(h, i);
		if (here > 0 && below + here >= rank) {
			double from = i == 0 ? 0 : (double)bounds[i - 1].micros, to = (double)bounds[i].micros;
			return (int64_t)(from + (to - from) * (rank - below) / here);
		}
		below += here;
	}
	return bounds[BOUNDS - 1].micros; /* beyond the last bound nothing more is known */
}

static void render_name(struct buf *out, struct str name, const char *suffix, struct str labels, const char *le)
{
	buf_str(out, name);
	buf_cstr(out, suffix);
	if (labels.len != 0 || le != NULL) {
		buf_char(out, '{');
		buf_str(out, labels);
		if (le != NULL)
			buf_printf(out, "%sle=\"%s\"", labels.len != 0 ? "," : "", le);
		buf_char(out, '}');
	}
	buf_char(out, ' ');
}

static void render_value(struct buf *out, int64_t value, double scale)
{
	if (scale == 1)
		buf_i64(out, value);
	else
		json_write_double(out, (double)value * scale);
	buf_char(out, '\n');
}

static void render_histogram(struct buf *out, struct str name, const struct series *series)
{
	const struct histogram *h = &series->as.histogram;
	uint64_t total = 0;
	for (unsigned i = 0; i <= BOUNDS; i++) {
		total += bucket_at(h, i);
		render_name(out, name, "_bucket", series->labels, i < BOUNDS ? bounds[i].seconds : "+Inf");
		render_value(out, (int64_t)total, 1);
	}
	render_name(out, name, "_sum", series->labels, NULL);
	render_value(out, (int64_t)atomic_load_explicit(&h->sum_micros, memory_order_relaxed), 1e-6);
	render_name(out, name, "_count", series->labels, NULL);
	render_value(out, (int64_t)total, 1);
}

static void render_family(struct buf *out, const struct family *family)
{
	buf_printf(out, "# HELP %.*s ", STR_ARG(family->name));
	add_escaped(out, family->help, false);
	buf_printf(out, "\n# TYPE %.*s %s\n", STR_ARG(family->name), kind_names[family->kind]);
	for (const struct series *series = family->first; series != NULL; series = series->next) {
		if (family->kind == HISTOGRAM) {
			render_histogram(out, family->name, series);
			continue;
		}
		render_name(out, family->name, "", series->labels, NULL);
		if (family->kind == COUNTER)
			render_value(out, (int64_t)atomic_load_explicit(&series->as.counter.value, memory_order_relaxed), series->as.counter.scale);
		else
			render_value(out, atomic_load_explicit(&series->as.gauge.value, memory_order_relaxed), series->as.gauge.scale);
	}
}

void metrics_render(struct metrics *metrics, struct buf *out)
{
	if (metrics == NULL)
		return;
	pthread_mutex_lock(&metrics->lock);
	for (const struct family *family = metrics->families; family != NULL; family = family->next)
		render_family(out, family);
	pthread_mutex_unlock(&metrics->lock);
}
