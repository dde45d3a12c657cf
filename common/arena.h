/*
 * arena.h: memory that belongs to one thing and dies with it.
 *
 * An arena hands out aligned pieces of larger chunks; nothing is freed by itself, everything by one reset. The first
 * chunk survives a reset, so a warm arena allocates nothing from the heap for small work.
 *
 * Thread: whoever owns the arena; never two at once. Allocation never returns NULL: when the process is out of memory
 * it ends with a message (the stream's promise makes that safe: nothing committed is lost).
 * Bounds belong to the caller: a size that came from outside is checked before it is asked for here.
 */
#ifndef COMMON_ARENA_H
#define COMMON_ARENA_H

#include <stdarg.h>
#include <stddef.h>

#include "common/str.h"

struct arena_chunk;

struct arena {
	struct arena_chunk *head; /* the chunk in use; older ones hang behind it */
	char *next, *end;
	size_t total_bytes; /* capacity of all chunks, first included */
	size_t first_bytes; /* size of the chunk that a reset keeps */
};

/* first_bytes: size of the chunk kept over resets (0: 4,096). Allocates nothing yet. */
void arena_init(struct arena *arena, size_t first_bytes);
/* Frees all; the arena is as after arena_init. */
void arena_free(struct arena *arena);
/* Forgets all allocations, keeps the first chunk. */
void arena_reset(struct arena *arena);

void *arena_alloc(struct arena *arena, size_t bytes); /* uninitialised, aligned for any type */
/* Gives back the end of a piece, if no other was handed out since. */
void arena_shrink(struct arena *arena, const void *piece, size_t bytes, size_t fewer);
void *arena_zalloc(struct arena *arena, size_t bytes);
/* count * size with the multiplication checked; zeroed. */
void *arena_array(struct arena *arena, size_t count, size_t size);
/* Copies with a terminating NUL, which is not counted in len. A null str stays null. */
struct str arena_str(struct arena *arena, struct str s);
char *arena_cstr(struct arena *arena, struct str s);
struct str arena_printf(struct arena *arena, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* malloc and friends that end the process instead of returning NULL. Free with free(). */
void *heap_alloc(size_t bytes);
void *heap_zalloc(size_t count, size_t size);
void *heap_resize(void *old, size_t count, size_t size);
char *heap_strdup(const char *s);

#endif
