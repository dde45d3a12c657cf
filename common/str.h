/*
 * str.h: byte slices and a growing buffer.
 *
 * `struct str` borrows bytes: pointer and length, no terminator promised, NULs allowed. data == NULL is "absent", which is
 * not the same as empty. `struct buf` grows in an arena and is for building outputs.
 *
 * Thread: any; a buf belongs to the owner of its arena.
 */
#ifndef COMMON_STR_H
#define COMMON_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct arena;

struct str {
	const char *data;
	size_t len;
};

#define STR(literal) ((struct str){"" literal, sizeof(literal) - 1})
#define STR_NULL ((struct str){NULL, 0})
/* For printf("%.*s"): cut at 2^20 so that the int cannot overflow. */
#define STR_ARG(s) (int)((s).len < 1048576 ? (s).len : 1048576), ((s).data != NULL ? (s).data : "")
static inline struct str str_of(const char *cstr)
{
	return cstr == NULL ? STR_NULL : (struct str){cstr, strlen(cstr)};
}
static inline bool str_eq(struct str a, struct str b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}
static inline bool str_is(struct str a, const char *cstr)
{
	return str_eq(a, str_of(cstr));
}
static inline bool str_starts(struct str s, struct str prefix)
{
	return s.len >= prefix.len && (prefix.len == 0 || memcmp(s.data, prefix.data, prefix.len) == 0);
}
int str_cmp(struct str a, struct str b);            /* by bytes, shorter first */
bool str_eq_nocase(struct str a, struct str b);     /* ASCII only */
struct str str_trim(struct str s);                  /* ASCII white space off both ends */
bool str_utf8_valid(struct str s);                  /* RFC 3629: no surrogates, no overlong forms, NUL allowed */
size_t str_utf8_cut(struct str s, size_t max_bytes); /* largest length <= max_bytes that splits no character */
size_t str_utf8_count(struct str s);                /* code points; s must be valid */
/* Whole-string, locale-free. false and *ret untouched when it is not a number in range. */
bool str_to_i64(struct str s, int64_t *ret);
bool str_to_double(struct str s, double *ret);
/* Damerau-Levenshtein, for "did you mean"; bounded at 64 bytes a side (longer: a large number). */
unsigned str_distance(struct str a, struct str b);

struct buf {
	struct arena *arena;
	char *data; /* NULL until the first byte */
	size_t len, cap;
};

void buf_init(struct buf *buf, struct arena *arena, size_t first_bytes);
char *buf_room(struct buf *buf, size_t bytes); /* space for that many more bytes at the end; len is not moved */
static inline void buf_add(struct buf *buf, const void *data, size_t bytes) /* inline: a record is hundreds of small pieces */
{
	if (bytes != 0)
		memcpy(buf->cap - buf->len >= bytes ? buf->data + buf->len : buf_room(buf, bytes), data, bytes);
	buf->len += bytes;
}
static inline void buf_char(struct buf *buf, char c) { buf_add(buf, &c, 1); }
void buf_str(struct buf *buf, struct str s);
void buf_cstr(struct buf *buf, const char *s);
void buf_i64(struct buf *buf, int64_t n);
void buf_printf(struct buf *buf, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static inline struct str buf_view(const struct buf *buf)
{
	return (struct str){buf->data != NULL ? buf->data : "", buf->len};
}

#endif
