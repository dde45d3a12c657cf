/*
 * arena.c: chunked bump allocation.
 *
 * The one idea: a job's memory has one lifetime, so it needs one free. A chunk is as large as all before it together, up
 * to 256 KiB; a piece larger than that gets a chunk of its own. It does not give memory back before the reset.
 */
#include "common/arena.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ALIGN = 16, DEFAULT_FIRST = 4096, LARGEST_STEP = 256 * 1024 };

struct arena_chunk {
	struct arena_chunk *older;
	size_t bytes;
	_Alignas(ALIGN) char data[];
};

static _Noreturn void out_of_memory(size_t bytes)
{
	fprintf(stderr, "pointsman: out of memory (asked for %zu bytes); lower engine.max_bytes or give the process more\n", bytes);
	abort();
}

void *heap_alloc(size_t bytes)
{
	void *p = malloc(bytes ? bytes : 1);
	if (p == NULL)
		out_of_memory(bytes);
	return p;
}

void *heap_zalloc(size_t count, size_t size)
{
	void *p = calloc(count ? count : 1, size ? size : 1);
	if (p == NULL)
		out_of_memory(size != 0 && count > SIZE_MAX / size ? SIZE_MAX : count * size);
	return p;
}

void *heap_resize(void *old, size_t count, size_t size)
{
	size_t bytes;
	if (__builtin_mul_overflow(count, size, &bytes))
		out_of_memory(SIZE_MAX);
	void *p = realloc(old, bytes ? bytes : 1);
	if (p == NULL)
		out_of_memory(bytes);
	return p;
}

char *heap_strdup(const char *s)
{
	size_t n = strlen(s) + 1;
	return memcpy(heap_alloc(n), s, n);
}

void arena_init(struct arena *arena, size_t first_bytes)
{
	*arena = (struct arena){.first_bytes = first_bytes ? first_bytes : DEFAULT_FIRST};
}

void arena_free(struct arena *arena)
{
	for (struct arena_chunk *c = arena->head, *older; c != NULL; c = older) {
		older = c->older;
		free(c);
	}
	arena_init(arena, arena->first_bytes);
}

void arena_reset(struct arena *arena)
{
	struct arena_chunk *c = arena->head;
	if (c == NULL)
		return;
	while (c->older != NULL) {
		struct arena_chunk *older = c->older;
		free(c);
		c = older;
	}
	if (c->bytes > arena->first_bytes) { /* the very first piece was a large one: do not keep it */
		free(c);
		arena_init(arena, arena->first_bytes);
		return;
	}
	arena->head = c;
	arena->next = c->data;
	arena->end = c->data + c->bytes;
	arena->total_bytes = c->bytes;
}

static void grow(struct arena *arena, size_t bytes)
{
	size_t step = arena->head == NULL ? arena->first_bytes : arena->total_bytes < LARGEST_STEP ? arena->total_bytes : LARGEST_STEP;
	if (bytes > step)
		step = bytes;
	if (step > SIZE_MAX - sizeof(struct arena_chunk))
		out_of_memory(step);
	struct arena_chunk *c = heap_alloc(sizeof *c + step);
	c->older = arena->head;
	c->bytes = step;
	arena->head = c;
	arena->next = c->data;
	arena->end = c->data + step;
	arena->total_bytes += step;
}

static size_t rounded_up(size_t bytes)
{
	size_t rounded = (bytes + ALIGN - 1) & ~(size_t)(ALIGN - 1);
	return rounded != 0 ? rounded : ALIGN;
}

void *arena_alloc(struct arena *arena, size_t bytes)
{
	if (bytes > SIZE_MAX - ALIGN)
		out_of_memory(bytes);
	size_t rounded = rounded_up(bytes);
	if (arena->head == NULL || (size_t)(arena->end - arena->next) < rounded)
		grow(arena, rounded);
	void *p = arena->next;
	arena->next += rounded;
	return p;
}

void arena_shrink(struct arena *arena, const void *piece, size_t bytes, size_t fewer)
{
	const char *start = piece;
	if (arena->head != NULL && start == arena->next - rounded_up(bytes))
		arena->next -= rounded_up(bytes) - rounded_up(fewer);
}

void *arena_zalloc(struct arena *arena, size_t bytes)
{
	return memset(arena_alloc(arena, bytes), 0, bytes);
}

void *arena_array(struct arena *arena, size_t count, size_t size)
{
	size_t bytes;
	if (__builtin_mul_overflow(count, size, &bytes))
		out_of_memory(SIZE_MAX);
	return arena_zalloc(arena, bytes);
}

char *arena_cstr(struct arena *arena, struct str s)
{
	char *p = arena_alloc(arena, s.len + 1);
	if (s.len != 0)
		memcpy(p, s.data, s.len);
	p[s.len] = '\0';
	return p;
}

struct str arena_str(struct arena *arena, struct str s)
{
	if (s.data == NULL)
		return STR_NULL;
	return (struct str){arena_cstr(arena, s), s.len};
}

struct str arena_printf(struct arena *arena, const char *fmt, ...)
{
	va_list ap, again;
	va_start(ap, fmt);
	va_copy(again, ap);
	int n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0) {
		va_end(again);
		return STR("");
	}
	char *p = arena_alloc(arena, (size_t)n + 1);
	(void)vsnprintf(p, (size_t)n + 1, fmt, again); /* the size was measured just above */
	va_end(again);
	return (struct str){p, (size_t)n};
}
