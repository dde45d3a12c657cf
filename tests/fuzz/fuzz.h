/*
 * fuzz.h: what the fuzz targets share: the assertion that counts as a find, pieces of the input, a bound on an arena.
 *
 * A target is one file with LLVMFuzzerTestOneInput (libFuzzer); it must give the same result for the same input.
 */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/arena.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

#define FUZZ_CHECK(what)                                                                                               \
	do {                                                                                                               \
		if (!(what)) {                                                                                                 \
			(void)fprintf(stderr, "%s:%d: this does not hold: %s\n", __FILE__, __LINE__, #what); /* about to die */    \
			abort();                                                                                                   \
		}                                                                                                              \
	} while (0)

/* Cuts the input at the first NUL: what is before it, and *rest what is behind it (empty when there is none). */
static inline struct str fuzz_split(struct str input, struct str *rest)
{
	const char *nul = input.len != 0 ? memchr(input.data, '\0', input.len) : NULL;
	size_t len = nul != NULL ? (size_t)(nul - input.data) : input.len;
	*rest = nul != NULL ? (struct str){nul + 1, input.len - len - 1} : STR("");
	return (struct str){input.data, len};
}

static inline void fuzz_arena_within(const struct arena *arena, size_t per_byte, size_t input_bytes, size_t fixed)
{
	FUZZ_CHECK(arena->total_bytes <= fixed + per_byte * input_bytes);
}

static inline bool fuzz_utf8(struct str s)
{
	return s.data == NULL || str_utf8_valid(s);
}

#endif
