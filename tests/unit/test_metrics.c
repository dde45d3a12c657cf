/* test_metrics.c: series, histograms and the text that Prometheus reads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <string.h>

#include "common/arena.h"
#include "common/metrics.h"

static void the_same_name_and_labels_give_the_same_series(void **state)
{
	(void)state;
	struct metrics *m = metrics_new();
	struct counter *a = metrics_counter(m, "calls_total", "Calls.", LABELS("model", "small"));
	assert_ptr_equal(a, metrics_counter(m, "calls_total", "Calls.", LABELS("model", "small")));
	assert_ptr_not_equal(a, metrics_counter(m, "calls_total", "Calls.", LABELS("model", "big")));
	assert_ptr_not_equal(a, metrics_counter(m, "calls_total", "Calls.", NULL));
	metrics_free(m);
	metrics_free(NULL);
}

static void without_a_registry_counting_goes_nowhere(void **state)
{
	(void)state;
	counter_add(metrics_counter(NULL, "a_total", "A.", NULL), 3);
	gauge_set(metrics_gauge(NULL, "b", "B.", LABELS("x", "y")), 3);
	histogram_observe(metrics_histogram(NULL, "c_seconds", "C.", NULL), 3);
	assert_int_equal(histogram_count(metrics_histogram(NULL, "c_seconds", "C.", NULL)), 1);
}

static void the_text_is_sorted_escaped_and_scaled(void **state)
{
	(void)state;
	struct metrics *m = metrics_new();
	struct arena arena;
	struct buf out;
	arena_init(&arena, 0);
	buf_init(&out, &arena, 0);
	gauge_set(metrics_gauge(m, "zeta", "Last\nline \\ \"quoted\".", NULL), -5);
	struct counter *cost = metrics_counter(m, "cost_usd_total", "Cost.", LABELS("model", "a\"b\\c\nd", "route", "kb"));
	cost->scale = 1e-6;
	counter_add(cost, 2500000);
	counter_add(metrics_counter(m, "cost_usd_total", "Cost.", LABELS("model", "x")), 7);
	metrics_render(m, &out);
	assert_true(str_eq(buf_view(&out), STR("# HELP cost_usd_total Cost.\n"
	                                       "# TYPE cost_usd_total counter\n"
	                                       "cost_usd_total{model=\"a\\\"b\\\\c\\nd\",route=\"kb\"} 2.5\n"
	                                       "cost_usd_total{model=\"x\"} 7\n"
	                                       "# HELP zeta Last\\nline \\\\ \"quoted\".\n"
	                                       "# TYPE zeta gauge\n"
	                                       "zeta -5\n")));
	arena_free(&arena);
	metrics_free(m);
}

static void a_histogram_counts_into_the_bucket_whose_bound_holds_the_value(void **state)
{
	(void)state;
	struct metrics *m = metrics_new();
	struct arena arena;
	struct buf out;
	arena_init(&arena, 0);
	buf_init(&out, &arena, 0);
	struct histogram *h = metrics_histogram(m, "t_seconds", "T.", LABELS("s", "x"));
	static const int64_t values[] = {-3, 0, 10, 11, 25, 26, 1000000, 100000000, 100000001, INT64_C(1) << 40};
	for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
		histogram_observe(h, values[i]);
	metrics_render(m, &out);
	buf_char(&out, '\0');
	static const char *const lines[] = {
		"t_seconds_bucket{s=\"x\",le=\"0.00001\"} 3\n", "t_seconds_bucket{s=\"x\",le=\"0.000025\"} 5\n", "t_seconds_bucket{s=\"x\",le=\"0.00005\"} 6\n",
		"t_seconds_bucket{s=\"x\",le=\"0.5\"} 6\n", "t_seconds_bucket{s=\"x\",le=\"1\"} 7\n", "t_seconds_bucket{s=\"x\",le=\"100\"} 8\n",
		"t_seconds_bucket{s=\"x\",le=\"+Inf\"} 10\n", "t_seconds_count{s=\"x\"} 10\n", "t_seconds_sum{s=\"x\"} 1099712.627849\n",
	};
	for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
		if (strstr(out.data, lines[i]) == NULL)
			fail_msg("no line %s in\n%s", lines[i], out.data);
	arena_free(&arena);
	metrics_free(m);
}

static void quantiles_are_interpolated_within_a_bucket(void **state)
{
	(void)state;
	struct metrics *m = metrics_new();
	struct histogram *h = metrics_histogram(m, "t_seconds", "T.", NULL);
	assert_int_equal(histogram_quantile(h, 0.5), 0);
	for (int i = 0; i < 100; i++)
		histogram_observe(h, 75);
	assert_int_equal(histogram_quantile(h, 0.5), 75); /* the middle of 50 to 100 */
	assert_in_range(histogram_quantile(h, 0.99), 99, 100);
	for (int i = 0; i < 100; i++)
		histogram_observe(h, 4000);
	assert_int_equal(histogram_quantile(h, 0.25), 75);
	assert_int_equal(histogram_quantile(h, 0.75), 3750);
	for (int i = 0; i < 1000; i++)
		histogram_observe(h, INT64_MAX / 2000);
	assert_int_equal(histogram_quantile(h, 0.99), 100000000); /* the last bound: nothing more is known */
	metrics_free(m);
}

static void *count_many(void *arg)
{
	struct metrics *m = arg;
	for (int i = 0; i < 5000; i++) {
		counter_add(metrics_counter(m, "n_total", "N.", i % 2 ? LABELS("odd", "1") : NULL), 1);
		histogram_observe(metrics_histogram(m, "t_seconds", "T.", NULL), i);
	}
	return NULL;
}

static void threads_count_together_while_another_renders(void **state)
{
	(void)state;
	struct metrics *m = metrics_new();
	pthread_t threads[4];
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, count_many, m), 0);
	struct arena arena;
	arena_init(&arena, 0);
	for (int i = 0; i < 50; i++) {
		struct buf out;
		buf_init(&out, &arena, 0);
		metrics_render(m, &out);
		arena_reset(&arena);
	}
	arena_free(&arena);
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_int_equal(atomic_load(&metrics_counter(m, "n_total", "N.", NULL)->value), 10000);
	assert_int_equal(histogram_count(metrics_histogram(m, "t_seconds", "T.", NULL)), 20000);
	metrics_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_name_and_labels_give_the_same_series),
		cmocka_unit_test(without_a_registry_counting_goes_nowhere),
		cmocka_unit_test(the_text_is_sorted_escaped_and_scaled),
		cmocka_unit_test(a_histogram_counts_into_the_bucket_whose_bound_holds_the_value),
		cmocka_unit_test(quantiles_are_interpolated_within_a_bucket),
		cmocka_unit_test(threads_count_together_while_another_renders),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
