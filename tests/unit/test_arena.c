/* test_arena.c: alignment, reset, growth, and ends instead of NULL. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/arena.h"

/* Sanitizers end the process themselves when malloc is asked for too much; here our own ending is what is tested. */
const char *__asan_default_options(void);
const char *__tsan_default_options(void);
const char *__asan_default_options(void)
{
	return "allocator_may_return_null=1";
}
const char *__tsan_default_options(void)
{
	return "allocator_may_return_null=1";
}

static void pieces_are_aligned_apart_and_keep_what_is_written(void **state)
{
	(void)state;
	enum { PIECES = 3000 };
	struct arena arena;
	unsigned char *pieces[PIECES];
	size_t sizes[PIECES];
	uint32_t seed = 1;
	arena_init(&arena, 100); /* not a multiple of the alignment */
	assert_null(arena.head);
	for (size_t i = 0; i < PIECES; i++) {
		seed = seed * 1664525 + 1013904223;
		sizes[i] = i % 50 == 0 ? seed % 300000 : seed % 200; /* some larger than any step */
		pieces[i] = arena_alloc(&arena, sizes[i]);
		assert_int_equal((uintptr_t)pieces[i] % _Alignof(max_align_t), 0);
		memset(pieces[i], (int)(i & 0xFF), sizes[i]);
	}
	for (size_t i = 0; i < PIECES; i++)
		for (size_t j = 0; j < sizes[i]; j++)
			if (pieces[i][j] != (i & 0xFF))
				fail_msg("piece %zu was written over", i);
	arena_free(&arena);
}

static void a_reset_keeps_the_first_chunk_only(void **state)
{
	(void)state;
	struct arena arena;
	arena_init(&arena, 1024);
	void *first = arena_alloc(&arena, 10);
	assert_int_equal(arena.total_bytes, 1024);
	(void)arena_alloc(&arena, 5000); /* only the growth matters */
	(void)arena_alloc(&arena, 1000000);
	assert_true(arena.total_bytes >= 1006024);
	arena_reset(&arena);
	assert_int_equal(arena.total_bytes, 1024);
	assert_ptr_equal(arena_alloc(&arena, 1024), first); /* the whole chunk is there again */
	assert_int_equal(arena.total_bytes, 1024);
	arena_reset(&arena);
	arena_free(&arena);
	assert_true(arena.head == NULL && arena.total_bytes == 0 && arena.first_bytes == 1024);
	assert_non_null(arena_alloc(&arena, 1)); /* usable again after a free */
	arena_free(&arena);
	arena_free(&arena);
	arena_reset(&arena);
}

static void the_end_of_the_last_piece_can_be_given_back(void **state)
{
	(void)state;
	struct arena arena;
	arena_init(&arena, 1024);
	char *first = arena_alloc(&arena, 100), *last = arena_alloc(&arena, 512);
	arena_shrink(&arena, first, 100, 1); /* not the last: stays */
	assert_ptr_equal(arena_alloc(&arena, 0), last + 512);
	last = arena_alloc(&arena, 200);
	arena_shrink(&arena, last, 200, 33);
	assert_ptr_equal(arena_alloc(&arena, 1), last + 48);
	char *all = arena_alloc(&arena, 5000); /* a chunk of its own */
	arena_shrink(&arena, all, 5000, 0);
	assert_ptr_equal(arena_alloc(&arena, 4096), all + 16);
	assert_int_equal(arena.total_bytes, 1024 + 5008);
	arena_free(&arena);
}

static void a_large_first_piece_is_not_kept(void **state)
{
	(void)state;
	struct arena arena;
	arena_init(&arena, 0);
	(void)arena_alloc(&arena, 1000000); /* only the growth matters */
	arena_reset(&arena);
	assert_int_equal(arena.total_bytes, 0);
	(void)arena_alloc(&arena, 1);
	assert_int_equal(arena.total_bytes, 4096);
	arena_free(&arena);
}

static void texts_are_copied_with_a_terminator(void **state)
{
	(void)state;
	struct arena arena;
	arena_init(&arena, 0);
	struct str s = arena_str(&arena, STR("a\0b"));
	assert_true(str_eq(s, STR("a\0b")) && s.data[3] == '\0');
	assert_null(arena_str(&arena, STR_NULL).data);
	assert_true(arena_str(&arena, STR("")).data != NULL);
	assert_string_equal(arena_cstr(&arena, STR_NULL), "");
	char long_text[9000];
	memset(long_text, 'x', sizeof long_text - 1);
	long_text[sizeof long_text - 1] = '\0';
	s = arena_printf(&arena, "%d %s", 42, long_text);
	assert_true(s.len == 3 + sizeof long_text - 1 && s.data[s.len] == '\0' && str_starts(s, STR("42 xx")));
	int *zeros = arena_array(&arena, 1000, sizeof *zeros);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(zeros[i], 0);
	arena_free(&arena);
}

static void impossible_sizes_end_the_process_with_a_message(void **state)
{
	(void)state;
	for (int which = 0; which < 6; which++) {
		int ends[2];
		assert_int_equal(pipe(ends), 0);
		pid_t child = fork();
		if (child == 0) {
			struct arena arena;
			(void)signal(SIGABRT, SIG_DFL); /* cmocka's handler would report a failure; the abort is what is tested */
			(void)dup2(ends[1], STDERR_FILENO); /* a failure shows as a missing message */
			arena_init(&arena, 0);
			volatile size_t huge = SIZE_MAX;
			switch (which) {
			case 0: (void)arena_alloc(&arena, huge); break;
			case 1: (void)arena_alloc(&arena, huge - 40); break;
			case 2: (void)arena_array(&arena, huge / 2, 3); break;
			case 3: free(heap_resize(NULL, huge / 2, 3)); break;
			case 4: {
				struct buf buf;
				buf_init(&buf, &arena, 10);
				buf_char(&buf, 'x');
				(void)buf_room(&buf, huge);
				break;
			}
			default: (void)arena_array(&arena, huge, huge); break;
			}
			_exit(0);
		}
		int status = 0;
		close(ends[1]);
		char text[4096] = "";
		size_t len = 0;
		for (ssize_t n; (n = read(ends[0], text + len, sizeof text - 1 - len)) > 0;)
			len += (size_t)n;
		close(ends[0]);
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
		assert_non_null(strstr(text, "out of memory"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pieces_are_aligned_apart_and_keep_what_is_written), cmocka_unit_test(a_reset_keeps_the_first_chunk_only),
		cmocka_unit_test(the_end_of_the_last_piece_can_be_given_back),
		cmocka_unit_test(a_large_first_piece_is_not_kept),                   cmocka_unit_test(texts_are_copied_with_a_terminator),
		cmocka_unit_test(impossible_sizes_end_the_process_with_a_message),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
