/*
 * sealed.c: sealing and opening of values in the far tier.
 *
 * The one idea: a keyed checksum costs a microsecond more than a CRC and makes the far tier's content worth nothing to
 * whoever can write to Redis but does not hold the secret: a forged decision is a miss. It does not encrypt: values are
 * route names and scores, never prompts.
 */
#include "worker/cache/sealed.h"

#include <string.h>

enum { VERSION = 1, END_AT = 1, MAC_AT = 9, MAC_BYTES = 16 };

static void make_mac(struct hmac *seal, const char *head, const uint8_t key[CACHE_KEY_BYTES], struct str value, uint8_t mac[SHA256_BYTES])
{
	char message[MAC_AT + CACHE_KEY_BYTES + CACHE_MAX_VALUE];
	memcpy(message, head, MAC_AT);
	memcpy(message + MAC_AT, key, CACHE_KEY_BYTES);
	if (value.len != 0)
		memcpy(message + MAC_AT + CACHE_KEY_BYTES, value.data, value.len);
	hmac_message(seal, (struct str){message, MAC_AT + CACHE_KEY_BYTES + value.len}, mac);
}

size_t sealed_write(struct hmac *seal, const uint8_t key[CACHE_KEY_BYTES], struct str value, int64_t end_ms, char out[SEALED_MAX])
{
	uint8_t mac[SHA256_BYTES];
	out[0] = VERSION;
	for (unsigned i = 0; i < 8; i++)
		out[END_AT + i] = (char)((uint64_t)end_ms >> (8 * i) & 0xff);
	make_mac(seal, out, key, value, mac);
	memcpy(out + MAC_AT, mac, MAC_BYTES);
	if (value.len != 0)
		memcpy(out + SEALED_EXTRA, value.data, value.len);
	return SEALED_EXTRA + value.len;
}

bool sealed_read(struct hmac *seal, const uint8_t key[CACHE_KEY_BYTES], struct str bytes, struct str *ret_value, int64_t *ret_end_ms)
{
	if (bytes.len < SEALED_EXTRA || bytes.len > SEALED_MAX || bytes.data[0] != VERSION)
		return false;
	struct str value = {bytes.data + SEALED_EXTRA, bytes.len - SEALED_EXTRA};
	uint8_t mac[SHA256_BYTES];
	make_mac(seal, bytes.data, key, value, mac);
	unsigned differs = 0; /* in constant time: how far a forgery got is nobody's business */
	for (unsigned i = 0; i < MAC_BYTES; i++)
		differs |= mac[i] ^ (uint8_t)bytes.data[MAC_AT + i];
	if (differs != 0)
		return false;
	uint64_t end = 0;
	for (unsigned i = 0; i < 8; i++)
		end |= (uint64_t)(uint8_t)bytes.data[END_AT + i] << (8 * i);
	*ret_value = value;
	*ret_end_ms = (int64_t)end;
	return true;
}
