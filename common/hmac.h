/*
 * hmac.h: SHA-256 and HMAC-SHA-256 (OpenSSL behind it), hex, and UUIDv7. Thread: any; a state by its owner.
 */
#ifndef COMMON_HMAC_H
#define COMMON_HMAC_H

#include <stddef.h>
#include <stdint.h>

#include "common/str.h"

enum { SHA256_BYTES = 32 };

struct sha256;                         /* one running hash; reusable */
struct sha256 *sha256_new(void);       /* free with sha256_free */
void sha256_free(struct sha256 *h);
void sha256_begin(struct sha256 *h);
void sha256_add(struct sha256 *h, const void *data, size_t bytes);
/* Adds the length as 8 bytes little-endian, then the bytes: fields cannot run into each other. Null adds 2^64-1. */
void sha256_add_field(struct sha256 *h, struct str field);
void sha256_end(struct sha256 *h, uint8_t out[SHA256_BYTES]);
void sha256_once(struct str data, uint8_t out[SHA256_BYTES]);

/* The keyed one: hmac over one message (RFC 2104). */
void hmac_sha256(struct str key, struct str message, uint8_t out[SHA256_BYTES]);
struct hmac;                             /* the same for many messages under one key, which is read once; reusable */
struct hmac *hmac_new(struct str key);   /* free with hmac_free */
void hmac_free(struct hmac *h);
void hmac_message(struct hmac *h, struct str message, uint8_t out[SHA256_BYTES]);

void hex_encode(const uint8_t *bytes, size_t count, char *out); /* 2 * count characters and a NUL */
void random_bytes(void *out, size_t bytes);                     /* getrandom(2) */
void uuid7(int64_t wall_ms, char out[37]);                      /* RFC 9562 */

#endif
