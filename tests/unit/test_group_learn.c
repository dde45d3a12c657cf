/*
 * Groups of a backlog, from vectors to the file and back: that they are found, that far means what it says, that the bytes are the same, and
 * that a file from elsewhere is not believed.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/noise.h"
#include "worker/lab/group_learn.h"
#include "worker/route/kernels.h"

enum { DIM = 24, BLOBS = 6 };
static const struct str table = {"0123456789abcdef", 16};

/* A row of blob b, always around the same centre; b BLOBS and more lie elsewhere. Each blob is wider than the one before. */
static void row_of(uint32_t b, uint64_t *seed, float v[DIM])
{
	uint64_t fixed = 1000 + b;
	for (int d = 0; d < DIM; d++)
		v[d] = noise(&fixed) + (0.1f + 0.05f * (float)b) * noise(seed);
}

static struct buf learn(struct arena *arena, uint32_t rows, uint64_t seed, struct group_learn **ret_learn, struct group_learn_report *report)
{
	static const struct group_learn_setup made = {.embedder = GROUPS_GIVEN, .dim = DIM, .windows = 1, .seed = 5};
	struct group_learn *l = group_learn_new(&made);
	struct buf file;
	for (uint32_t i = 0; i < rows; i++) {
		float v[DIM];
		row_of(i % BLOBS, &seed, v);
		assert_true(group_learn_add(l, v));
	}
	assert_false(group_learn_add(l, (const float[DIM]){0}));
	buf_init(&file, arena, 4096);
	assert_int_equal(group_learn_run(l, &file, report, NULL), RC_OK);
	*ret_learn = l;
	return file;
}

static struct groups_found find(const struct groups *g, const float v[DIM], double far, int share)
{
	int8_t whole[DIM];
	struct groups_found found;
	float inverse = kernels_direction(v, DIM, whole);
	assert_true(inverse > 0);
	groups_find(g, whole, inverse, far, share, &found);
	return found;
}

static void groups_are_found_and_far_is_the_share_that_was_asked_for(void **state)
{
	(void)state;
	struct arena arena;
	struct group_learn *l;
	struct group_learn_report report;
	struct groups *g = NULL;
	arena_init(&arena, 0);
	struct buf file = learn(&arena, 3000, 9, &l, &report);
	assert_int_equal(report.count, BLOBS);
	assert_int_equal(report.rows, 3000);
	assert_int_equal(report.held_out, 600);
	assert_int_equal(groups_open(buf_view(&file), table, &arena, &g, NULL), RC_OK);
	assert_int_equal(groups_count(g), BLOBS);
	assert_int_equal(groups_dim(g), DIM);
	assert_true(groups_embedder(g) == GROUPS_GIVEN && groups_windows(g) == 1);
	assert_true(str_is(groups_name(g, 0), "g1") && str_is(groups_name(g, BLOBS - 1), "g6"));
	assert_int_equal(groups_version(g).len, 16);
	uint64_t seed = 77;
	static const double shares[GROUPS_SHARES] = {0.01, 0.05, 0.10, 0.25, 0.50};
	for (int s = 0; s < GROUPS_SHARES; s++) {
		uint32_t far = 0, group_of[BLOBS];
		for (uint32_t i = 0; i < 3000; i++) {
			float v[DIM];
			row_of(i % BLOBS, &seed, v);
			struct groups_found found = find(g, v, NAN, s);
			far += found.far;
			if (i < BLOBS)
				group_of[i] = found.nearest;
			assert_int_equal(found.nearest, group_of[i % BLOBS]);
			assert_int_equal(report.groups[found.nearest].central % BLOBS, i % BLOBS);
			assert_true(found.far == (found.cosine < found.limit));
		}
		assert_true(fabs(far / 3000.0 - shares[s]) < 0.02 + 0.3 * shares[s]);
	}
	for (uint32_t i = 0; i < 200; i++) {
		float v[DIM];
		row_of(BLOBS + i, &seed, v);
		assert_true(find(g, v, NAN, 0).far);
		assert_true(find(g, v, 1, 0).far);
		assert_false(find(g, v, -1, 0).far);
	}
	group_learn_free(l);
	arena_free(&arena);
}

static void two_times_the_same_is_the_same_to_the_byte(void **state)
{
	(void)state;
	struct arena arena;
	struct group_learn *l, *again;
	struct group_learn_report report;
	arena_init(&arena, 0);
	struct buf a = learn(&arena, 500, 9, &l, &report), b = learn(&arena, 500, 9, &again, &report);
	assert_int_equal(a.len, b.len);
	assert_memory_equal(a.data, b.data, a.len);
	struct groups *g = NULL;
	assert_int_equal(groups_open(buf_view(&a), table, &arena, &g, NULL), RC_OK);
	assert_true(str_is(groups_version(g), "d2585ae8babadbc4")); /* a hash of the bytes: those of every compiler and machine */
	group_learn_free(l);
	group_learn_free(again);
	arena_free(&arena);
}

static void of_few_rows_none_is_kept_aside(void **state)
{
	(void)state;
	struct arena arena;
	struct group_learn *l;
	struct group_learn_report report;
	struct groups *g = NULL;
	arena_init(&arena, 0);
	struct buf file = learn(&arena, 60, 9, &l, &report);
	assert_int_equal(report.rows, 60);
	assert_int_equal(report.held_out, 0);
	assert_int_equal(groups_open(buf_view(&file), table, &arena, &g, NULL), RC_OK);
	uint64_t seed = 9;
	for (uint32_t i = 0, of[BLOBS]; i < 60; i++) { /* rows that were learned from, in their order: each blob is one group */
		float v[DIM];
		row_of(i % BLOBS, &seed, v);
		uint32_t nearest = find(g, v, NAN, 0).nearest;
		if (i < BLOBS)
			of[i] = nearest;
		assert_int_equal(nearest, of[i % BLOBS]);
		assert_true(report.groups[nearest].central % BLOBS == i % BLOBS);
	}
	uint32_t far[2] = {0};
	for (uint32_t i = 0; i < 1200; i++) { /* new ones: the limits were found with rows that were not learned from */
		float v[DIM];
		row_of(i % BLOBS, &seed, v);
		far[0] += find(g, v, NAN, 1).far;
		far[1] += find(g, v, NAN, 4).far;
		row_of(BLOBS + i, &seed, v);
		assert_true(find(g, v, NAN, 1).far);
	}
	assert_true(far[0] < 1200 * 0.08 && far[1] > 1200 * 0.3 && far[1] < 1200 * 0.7);
	group_learn_free(l);
	group_learn_free(NULL);
	arena_free(&arena);
}

static void nothing_to_learn_from_is_said(void **state)
{
	(void)state;
	struct arena arena;
	struct buf file;
	struct err err = {""};
	struct group_learn_report report;
	const struct group_learn_setup setup = {.embedder = GROUPS_GIVEN, .dim = 3, .windows = 1};
	struct group_learn *l = group_learn_new(&setup);
	arena_init(&arena, 0);
	buf_init(&file, &arena, 0);
	assert_int_equal(group_learn_run(l, &file, &report, &err), RC_BAD_INPUT);
	assert_non_null(strstr(err.text, "nothing to learn from"));
	group_learn_free(l);
	arena_free(&arena);
}

static void another_table_is_refused_where_the_table_embeds(void **state)
{
	(void)state;
	struct arena arena;
	struct buf file;
	struct err err = {""};
	struct groups *g = NULL;
	struct group_learn_report report;
	const struct group_learn_setup setup = {.embedder = GROUPS_STATIC, .dim = 3, .windows = 3, .static_version = table};
	struct group_learn *l = group_learn_new(&setup);
	arena_init(&arena, 0);
	buf_init(&file, &arena, 0);
	assert_true(group_learn_add(l, (const float[]){1, 2, 3}));
	assert_int_equal(group_learn_run(l, &file, &report, &err), RC_OK);
	assert_int_equal(groups_open(buf_view(&file), table, &arena, &g, &err), RC_OK);
	assert_int_equal(groups_windows(g), 3);
	assert_int_equal(groups_open(buf_view(&file), STR("another"), &arena, &g, &err), RC_BAD_INPUT);
	assert_non_null(strstr(err.text, "another embedding table"));
	group_learn_free(l);
	arena_free(&arena);
}

static void a_file_that_was_changed_or_cut_is_refused_or_harmless(void **state)
{
	(void)state;
	struct arena arena;
	struct group_learn *l;
	struct group_learn_report report;
	arena_init(&arena, 0);
	struct buf file = learn(&arena, 200, 9, &l, &report);
	uint64_t seed = 4;
	for (size_t cut = 0; cut < file.len; cut += 1 + file.len / 60) {
		struct arena each;
		struct groups *g = NULL;
		arena_init(&each, 0);
		assert_int_equal(groups_open((struct str){file.data, cut}, table, &each, &g, NULL), RC_BAD_INPUT);
		arena_free(&each);
	}
	unsigned opened = 0;
	for (unsigned round = 0; round < 600; round++) {
		struct arena each;
		struct groups *g = NULL;
		size_t at = draw(&seed) % file.len;
		char kept = file.data[at];
		file.data[at] = (char)draw(&seed);
		arena_init(&each, 0);
		if (groups_open(buf_view(&file), table, &each, &g, NULL) == RC_OK && groups_dim(g) == DIM) {
			float v[DIM];
			row_of(round % 10, &seed, v);
			struct groups_found found = find(g, v, NAN, 1);
			assert_true(found.nearest < groups_count(g) && found.cosine >= -1 && found.cosine <= 1);
			opened++;
		}
		file.data[at] = kept;
		arena_free(&each);
	}
	assert_true(opened > 10 && opened < 600);
	group_learn_free(l);
	arena_free(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(groups_are_found_and_far_is_the_share_that_was_asked_for),
		cmocka_unit_test(two_times_the_same_is_the_same_to_the_byte),
		cmocka_unit_test(of_few_rows_none_is_kept_aside),
		cmocka_unit_test(nothing_to_learn_from_is_said),
		cmocka_unit_test(another_table_is_refused_where_the_table_embeds),
		cmocka_unit_test(a_file_that_was_changed_or_cut_is_refused_or_harmless),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
