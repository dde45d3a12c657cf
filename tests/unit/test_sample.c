/*
 * Which rows are worth a label: quotas, fairness of chance, duplicates, and that nothing hangs on the order of the rows.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>

#include "worker/lab/sample.h"

enum { ROWS = 2000, STRATA = 5, DIM = 16 };

static uint64_t mix(uint64_t z)
{
	z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
	return z ^ (z >> 31);
}

/* Stratum 0 has most rows and the last one 8; every 7th row has stages that disagree, every 11th is far. */
static struct sample_row row_at(uint32_t i)
{
	uint64_t h = mix(i + 1);
	return (struct sample_row){.stratum = i < STRATA * 8 ? i % STRATA : (uint32_t)(h % (STRATA - 1)) * (h % 3 == 0), .draw = h, .print = mix(h),
	                           .vector = SAMPLE_NO_VECTOR, .margin = (double)(h % 1000) / 1000, .disagreement = i % 7 == 0 ? 1 + (double)(h % 97) / 97 : 0,
	                           .nearness = i % 11 == 0 ? 0.1 : 0.8};
}

static void every_kind_has_its_share_and_no_row_comes_twice(void **state)
{
	(void)state; /* unused */
	struct sample_row rows[ROWS];
	bool seen[ROWS] = {false};
	uint32_t of_stratum[STRATA] = {0};
	struct arena arena;
	arena_init(&arena, 0);
	for (uint32_t i = 0; i < ROWS; i++)
		rows[i] = row_at(i);
	struct sample_result r = sample_choose(&(struct sample_setup){rows, ROWS, STRATA, 200, NULL, 0.2}, &arena);
	assert_int_equal(r.count, 200);
	assert_int_equal(r.by_why[SAMPLE_CHANCE], 80);
	assert_int_equal(r.by_why[SAMPLE_UNSURE], 50);
	assert_int_equal(r.by_why[SAMPLE_DISAGREEMENT], 40);
	assert_int_equal(r.by_why[SAMPLE_FAR], 30);
	double widest = 0;
	for (uint32_t i = 0; i < r.count; i++) {
		const struct sample_row *row = &rows[r.picks[i].row];
		assert_false(seen[r.picks[i].row]);
		seen[r.picks[i].row] = true;
		of_stratum[row->stratum] += r.picks[i].why == SAMPLE_CHANCE;
		if (r.picks[i].why == SAMPLE_UNSURE)
			widest = row->margin > widest ? row->margin : widest;
		if (r.picks[i].why == SAMPLE_DISAGREEMENT)
			assert_true(row->disagreement > 0);
		if (r.picks[i].why == SAMPLE_FAR)
			assert_true(row->nearness < 0.2);
		assert_true(i == 0 || rows[r.picks[i - 1].row].draw < row->draw);
	}
	for (uint32_t i = 0; i < ROWS; i++) /* the nearest to a threshold are all taken, for one kind or another */
		assert_true(seen[i] || rows[i].margin >= widest);
	assert_int_equal(of_stratum[STRATA - 1], 8); /* all that there are */
	for (uint32_t s = 0; s + 1 < STRATA; s++)
		assert_int_equal(of_stratum[s], 18);
	arena_free(&arena);
}

static void what_one_kind_lacks_chance_fills(void **state)
{
	(void)state; /* unused */
	struct sample_row rows[100];
	struct arena arena;
	arena_init(&arena, 0);
	for (uint32_t i = 0; i < 100; i++) {
		rows[i] = row_at(i);
		rows[i].margin = rows[i].nearness = NAN;
		rows[i].disagreement = 0;
	}
	struct sample_result r = sample_choose(&(struct sample_setup){rows, 100, STRATA, 60, NULL, 0.2}, &arena);
	assert_int_equal(r.by_why[SAMPLE_CHANCE], 60);
	r = sample_choose(&(struct sample_setup){rows, 100, STRATA, 500, NULL, 0.2}, &arena);
	assert_int_equal(r.count, 100);
	r = sample_choose(&(struct sample_setup){rows, 0, STRATA, 10, NULL, 0.2}, &arena);
	assert_int_equal(r.count, 0);
	arena_free(&arena);
}

/* The same rows in another order give the same rows in the same order. */
static void the_order_of_the_rows_does_not_matter(void **state)
{
	(void)state; /* unused */
	struct sample_row rows[ROWS], turned[ROWS];
	struct arena arena;
	arena_init(&arena, 0);
	for (uint32_t i = 0; i < ROWS; i++)
		rows[i] = turned[ROWS - 1 - i] = row_at(i);
	struct sample_result a = sample_choose(&(struct sample_setup){rows, ROWS, STRATA, 300, NULL, 0.2}, &arena);
	struct sample_result b = sample_choose(&(struct sample_setup){turned, ROWS, STRATA, 300, NULL, 0.2}, &arena);
	assert_int_equal(a.count, b.count);
	for (uint32_t i = 0; i < a.count; i++) {
		assert_int_equal(a.picks[i].row, ROWS - 1 - b.picks[i].row);
		assert_int_equal(a.picks[i].why, b.picks[i].why);
	}
	arena_free(&arena);
}

static void duplicates_are_taken_once(void **state)
{
	(void)state; /* unused */
	struct sample_row rows[90];
	struct cluster_set *set = cluster_set_new(DIM);
	struct arena arena;
	arena_init(&arena, 0);
	for (uint32_t i = 0; i < 90; i++) { /* rows 0 to 29: three prints; 30 to 59: three directions; the others: all different */
		float v[DIM] = {0};
		rows[i] = row_at(i);
		rows[i].vector = i;
		v[i < 30 ? i % 8 : i < 60 ? 8 + i % 3 : 11] = 1;
		v[15] = i < 30 || i >= 60 ? (float)i : 0.01f * (float)(i - 30) / 30;
		v[14] = i >= 60 ? (float)(i * i % 61) - 30 : 0;
		assert_true(cluster_set_add(set, v));
		if (i < 30)
			rows[i].print = i % 3 + 1;
		if (i < 30 || i >= 60)
			rows[i].vector = SAMPLE_NO_VECTOR;
	}
	struct sample_result r = sample_choose(&(struct sample_setup){rows, 90, STRATA, 90, set, 0.2}, &arena);
	assert_int_equal(r.count, 3 + 3 + 30);
	assert_int_equal(r.duplicates, 27 + 27);
	cluster_set_free(set);
	arena_free(&arena);
}

static void a_print_is_of_the_words(void **state)
{
	(void)state; /* unused */
	static const char *const same[][2] = {
		{"Where is order 4711?", "where is ORDER 90"}, {"caf\xC3\xA9  ol\xC3\xA9", "Cafe ole!"}, {"a-b", "a b"}, {"x200", "X300."}, {" hello\n", "hello"},
	};
	static const char *const different[][2] = {{"order 1", "order"}, {"a b", "ab"}, {"", "a"}, {"\xE4\xB8\xAD", "\xE6\x96\x87"}};
	struct arena arena;
	arena_init(&arena, 0);
	for (unsigned i = 0; i < sizeof same / sizeof same[0]; i++)
		if (sample_print(str_of(same[i][0]), &arena) != sample_print(str_of(same[i][1]), &arena))
			fail_msg("%s, %s", same[i][0], same[i][1]);
	for (unsigned i = 0; i < sizeof different / sizeof different[0]; i++)
		if (sample_print(str_of(different[i][0]), &arena) == sample_print(str_of(different[i][1]), &arena))
			fail_msg("%s, %s", different[i][0], different[i][1]);
	arena_free(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_kind_has_its_share_and_no_row_comes_twice),
		cmocka_unit_test(what_one_kind_lacks_chance_fills),
		cmocka_unit_test(the_order_of_the_rows_does_not_matter),
		cmocka_unit_test(duplicates_are_taken_once),
		cmocka_unit_test(a_print_is_of_the_words),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
