/*
 * counted.h: every allocation of the process is counted, those of its libraries too: the program's own malloc and its kin go before the C
 * library's (glibc has the real ones under a second name). For one main file; not with sanitizers, which do the same.
 */
#ifndef TESTS_BENCH_COUNTED_H
#define TESTS_BENCH_COUNTED_H

#include <errno.h>
#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>

static uint64_t counted_allocations; /* read where one thread is at work */

void *__libc_malloc(size_t bytes);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t bytes);
void *__libc_memalign(size_t alignment, size_t bytes);
void __libc_free(void *p);

void *malloc(size_t bytes)
{
	counted_allocations++;
	return __libc_malloc(bytes);
}

void *calloc(size_t count, size_t size)
{
	counted_allocations++;
	return __libc_calloc(count, size);
}

void *realloc(void *old, size_t bytes)
{
	counted_allocations++;
	return __libc_realloc(old, bytes);
}

void *memalign(size_t alignment, size_t bytes)
{
	counted_allocations++;
	return __libc_memalign(alignment, bytes);
}

void *aligned_alloc(size_t alignment, size_t bytes)
{
	return memalign(alignment, bytes);
}

int posix_memalign(void **ret, size_t alignment, size_t bytes)
{
	void *p = memalign(alignment, bytes);
	if (p == NULL)
		return ENOMEM;
	*ret = p;
	return 0;
}

void free(void *p)
{
	__libc_free(p);
}

#endif
