/*
 * canon.h: canonical bytes: what versions and cache keys are hashes of. Every piece carries its length, so no two different
 * sequences give the same bytes. Thread: the owner of the buffer's arena.
 */
#ifndef ROUTE_CANON_H
#define ROUTE_CANON_H

#include "common/str.h"

struct canon {
	struct buf buf;
};

static inline void canon_bytes(struct canon *canon, const void *data, size_t bytes)
{
	uint64_t n = bytes;
	unsigned char head[8];
	for (unsigned i = 0; i < 8; i++)
		head[i] = (unsigned char)(n >> (8 * i));
	buf_add(&canon->buf, head, sizeof head);
	buf_add(&canon->buf, data, bytes);
}

/* A null str is not an empty one. */
static inline void canon_str(struct canon *canon, struct str s)
{
	buf_char(&canon->buf, s.data == NULL ? '0' : 's');
	canon_bytes(canon, s.data, s.len);
}

static inline void canon_tag(struct canon *canon, const char *tag)
{
	buf_char(&canon->buf, 't');
	canon_bytes(canon, tag, strlen(tag));
}

static inline void canon_u64(struct canon *canon, uint64_t n)
{
	unsigned char bytes[8];
	for (unsigned i = 0; i < 8; i++)
		bytes[i] = (unsigned char)(n >> (8 * i));
	buf_char(&canon->buf, 'n');
	buf_add(&canon->buf, bytes, sizeof bytes);
}

static inline void canon_double(struct canon *canon, double d)
{
	uint64_t bits;
	memcpy(&bits, &d, sizeof bits);
	canon_u64(canon, d == 0 ? 0 : bits); /* -0 and 0 are one */
}

#endif
