/*
 * sealed.h: how a value lies in Redis: with its end of life and a keyed checksum that binds it to its key. Pure.
 *
 *   version (1 byte) | end of life, Unix ms, little-endian (8) | MAC (16) | value
 *   MAC = first 16 bytes of HMAC-SHA-256(secret, version | end of life | key | value)
 * What is damaged, cut, of another version, copied from another key or written by someone without the secret does not open.
 */
#ifndef CACHE_SEALED_H
#define CACHE_SEALED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/hmac.h"
#include "worker/cache/cache.h"

enum { SEALED_EXTRA = 25, SEALED_MAX = CACHE_MAX_VALUE + SEALED_EXTRA };

/* seal: of the secret; a thread's own. value.len <= CACHE_MAX_VALUE. Returns the sealed length. */
size_t sealed_write(struct hmac *seal, const uint8_t key[CACHE_KEY_BYTES], struct str value, int64_t end_ms, char out[SEALED_MAX]);
/* The value, inside bytes. False when it does not open. Whether its time is over is the caller's to judge. */
bool sealed_read(struct hmac *seal, const uint8_t key[CACHE_KEY_BYTES], struct str bytes, struct str *ret_value, int64_t *ret_end_ms);

#endif
