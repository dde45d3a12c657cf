/*
 * test_decode_bounds.c: no record of one megabyte, however it is made, takes more than eight to decode.
 *
 * Counted are all bytes that are allocated at the same time, by the linker's --wrap on the four allocators. How long it takes
 * is measured, not asserted: tests/bench/decode_bounds.c prints it for the same records.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <malloc.h>

#include "tests/unit/decode_worst.h"

enum { MOST_BYTES = 8 << 20 };

static size_t now_bytes, high_bytes; /* one thread */

void *__real_malloc(size_t bytes);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t bytes);
void __real_free(void *p);
void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t bytes);
void __wrap_free(void *p);

static void *counted(void *p)
{
	now_bytes += p != NULL ? malloc_usable_size(p) : 0;
	if (now_bytes > high_bytes)
		high_bytes = now_bytes;
	return p;
}

void *__wrap_malloc(size_t bytes)
{
	return counted(__real_malloc(bytes));
}

void *__wrap_calloc(size_t count, size_t size)
{
	return counted(__real_calloc(count, size));
}

/* Old and new may exist at the same time, so both are counted while it grows. */
void *__wrap_realloc(void *old, size_t bytes)
{
	size_t before = old != NULL ? malloc_usable_size(old) : 0;
	void *p = counted(__real_realloc(old, bytes));
	if (p != NULL)
		now_bytes -= before;
	return p;
}

void __wrap_free(void *p)
{
	now_bytes -= p != NULL ? malloc_usable_size(p) : 0;
	__real_free(p);
}

static void the_worst_megabyte_of_each_kind_takes_less_than_eight(void **unused)
{
	(void)unused; /* cmocka's fixture argument */
	size_t worst = 0;
	for (size_t i = 0; i < sizeof worst_records / sizeof worst_records[0]; i++) {
		const struct worst *w = &worst_records[i];
		struct settings settings = worst_settings(w);
		struct wire *wire = worst_open(w, &settings);
		struct wire_coder *coder = wire_coder_new(wire);
		struct str value = worst_value(w);
		struct job job;
		enum outcome outcome;
		struct err err = {""};
		size_t before = now_bytes;
		high_bytes = now_bytes;
		enum rc rc = worst_decode(coder, value, &job, &outcome, &err);
		size_t taken = high_bytes - before;
		print_message("%-38s %8zu bytes, takes %8zu: %s\n", w->name, value.len, taken, rc == RC_OK ? "decoded" : err.text);
		assert_true(rc == RC_OK || rc == RC_BAD_INPUT);
		assert_true(taken < MOST_BYTES);
		assert_true(job.arena.total_bytes <= taken);
		worst = taken > worst ? taken : worst;
		arena_free(&job.arena);
		assert_int_equal(now_bytes, before);
		free((void *)(uintptr_t)value.data); /* made by worst_value */
		wire_coder_free(coder);
		wire_close(wire);
	}
	assert_true(worst > 1 << 20); /* else nothing was counted */
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(the_worst_megabyte_of_each_kind_takes_less_than_eight)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
