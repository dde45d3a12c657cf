/* test_edit.c: line edits: what comes of them, and that their diff, followed to the letter, gives the same. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "worker/lab/edit.h"

static uint32_t next_random(uint64_t *seed)
{
	*seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(*seed >> 33);
}

static void check(const char *text, const struct edit *edits, uint32_t count, const char *expected_text, const char *expected_diff)
{
	struct arena arena;
	arena_init(&arena, 0);
	struct edit_lines lines = edit_lines(str_of(text), &arena);
	struct str after = edit_apply(&lines, edits, count, &arena), diff = edit_diff(&lines, edits, count, "p", &arena);
	if (!str_is(after, expected_text))
		fail_msg("text:\n%.*s", STR_ARG(after));
	if (!str_is(diff, expected_diff))
		fail_msg("diff:\n%.*s", STR_ARG(diff));
	arena_free(&arena);
}

static void a_diff_shows_what_went_and_what_came_with_three_lines_around(void **state)
{
	(void)state;
	static const char ten[] = "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n";
	check(ten, (const struct edit[]){{4, 1, STR("five\nfive and a half\n")}}, 1, "1\n2\n3\n4\nfive\nfive and a half\n6\n7\n8\n9\n10\n",
	      "--- p\n+++ p\n@@ -2,7 +2,8 @@\n 2\n 3\n 4\n-5\n+five\n+five and a half\n 6\n 7\n 8\n");
	check(ten, (const struct edit[]){{0, 0, STR("0\n")}, {9, 1, STR("")}}, 2, "0\n1\n2\n3\n4\n5\n6\n7\n8\n9\n",
	      "--- p\n+++ p\n@@ -1,3 +1,4 @@\n+0\n 1\n 2\n 3\n@@ -7,4 +8,3 @@\n 7\n 8\n 9\n-10\n");
	check("a", (const struct edit[]){{0, 1, STR("b\n")}}, 1, "b\n", "--- p\n+++ p\n@@ -1 +1 @@\n-a\n\\ No newline at end of file\n+b\n");
	check("", (const struct edit[]){{0, 0, STR("b\n")}}, 1, "b\n", "--- p\n+++ p\n@@ -0,0 +1 @@\n+b\n");
	check("a\nb\n", NULL, 0, "a\nb\n", "");
}

/* Follows a diff, hunk by hunk. */
static struct str follow(struct str text, struct str diff, struct arena *arena)
{
	struct edit_lines from = edit_lines(text, arena), by = edit_lines(diff, arena);
	struct buf out;
	uint32_t at = 0;
	buf_init(&out, arena, 0);
	for (uint32_t i = 2; i < by.count; i++) {
		struct str line = {diff.data + by.begin[i], by.begin[i + 1] - by.begin[i]};
		if (line.data[0] == '@') {
			uint32_t first = (uint32_t)strtoul(line.data + 4, NULL, 10);
			const char *comma = memchr(line.data, ',', line.len), *plus = memchr(line.data, '+', line.len);
			bool empty = comma != NULL && comma < plus && comma[1] == '0';
			for (; at < first - (empty ? 0 : 1); at++)
				buf_printf(&out, "%.*s\n", STR_ARG(edit_line(&from, at)));
			assert_int_equal(strtoul(plus + 1, NULL, 10), edit_lines(buf_view(&out), arena).count + (strstr(plus, ",0 @@") == NULL ? 1u : 0u));
			continue;
		}
		if (line.data[0] != '+') {
			assert_true(str_eq((struct str){line.data + 1, line.len - 2}, edit_line(&from, at)));
			at++;
		}
		if (line.data[0] != '-')
			buf_str(&out, (struct str){line.data + 1, line.len - 1});
	}
	for (; at < from.count; at++)
		buf_printf(&out, "%.*s\n", STR_ARG(edit_line(&from, at)));
	return buf_view(&out);
}

static void following_the_diff_gives_the_text(void **state)
{
	(void)state;
	struct arena arena;
	uint64_t seed = 17;
	arena_init(&arena, 0);
	for (int round = 0; round < 3000; round++) {
		struct buf text;
		struct edit edits[8];
		uint32_t count = 0, rows = next_random(&seed) % 40;
		buf_init(&text, &arena, 0);
		for (uint32_t i = 0; i < rows; i++)
			buf_printf(&text, "line %u\n", i);
		for (uint32_t at = next_random(&seed) % 9; at < rows && count < 8; at += 1 + next_random(&seed) % 9) {
			uint32_t remove = next_random(&seed) % 3 < rows - at ? next_random(&seed) % 3 : 0;
			remove = at + remove <= rows ? remove : 0;
			uint32_t add = next_random(&seed) % 3;
			edits[count++] = (struct edit){at, remove, add == 0 ? STR("") : add == 1 ? STR("one\n") : STR("one\ntwo\n")};
			at += remove;
		}
		struct edit_lines lines = edit_lines(buf_view(&text), &arena);
		struct str after = edit_apply(&lines, edits, count, &arena);
		struct str diff = edit_diff(&lines, edits, count, "p", &arena);
		struct str followed = count != 0 ? follow(buf_view(&text), diff, &arena) : buf_view(&text);
		if (!str_eq(followed, after))
			fail_msg("round %d\n%.*s\n---\n%.*s\n---\n%.*s", round, STR_ARG(diff), STR_ARG(followed), STR_ARG(after));
		arena_reset(&arena);
	}
	arena_free(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_diff_shows_what_went_and_what_came_with_three_lines_around),
		cmocka_unit_test(following_the_diff_gives_the_text),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
