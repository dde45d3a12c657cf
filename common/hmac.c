/*
 * hmac.c: hashes, keyed hashes, random bytes and time-ordered ids. The only file that includes OpenSSL.
 *
 * The one idea: a failing hash is a broken process, not an error to handle: everything here ends the process with a message
 * rather than give back a wrong or empty digest that could become a key.
 */
#include "common/hmac.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#include "common/arena.h"

enum { HMAC_BLOCK = 64 };

struct sha256 {
	EVP_MD *algorithm; /* fetched once: EVP_sha256() would look it up at every begin */
	EVP_MD_CTX *state;
};

static _Noreturn void broken(const char *what)
{
	fprintf(stderr, "pointsman: %s failed; the OpenSSL library is not usable\n", what);
	abort();
}

struct sha256 *sha256_new(void)
{
	struct sha256 *h = heap_zalloc(1, sizeof *h);
	h->algorithm = EVP_MD_fetch(NULL, "SHA256", NULL);
	h->state = EVP_MD_CTX_new();
	if (h->algorithm == NULL || h->state == NULL)
		broken("SHA-256");
	sha256_begin(h);
	return h;
}

void sha256_free(struct sha256 *h)
{
	if (h == NULL)
		return;
	EVP_MD_CTX_free(h->state);
	EVP_MD_free(h->algorithm);
	free(h);
}

void sha256_begin(struct sha256 *h)
{
	if (EVP_DigestInit_ex2(h->state, h->algorithm, NULL) != 1)
		broken("SHA-256");
}

void sha256_add(struct sha256 *h, const void *data, size_t bytes)
{
	if (bytes != 0 && EVP_DigestUpdate(h->state, data, bytes) != 1)
		broken("SHA-256");
}

void sha256_add_field(struct sha256 *h, struct str field)
{
	uint64_t len = field.data == NULL ? UINT64_MAX : field.len;
	uint8_t prefix[8];
	for (unsigned i = 0; i < 8; i++)
		prefix[i] = (uint8_t)(len >> (8 * i));
	sha256_add(h, prefix, sizeof prefix);
	if (field.data != NULL)
		sha256_add(h, field.data, field.len);
}

void sha256_end(struct sha256 *h, uint8_t out[SHA256_BYTES])
{
	if (EVP_DigestFinal_ex(h->state, out, NULL) != 1)
		broken("SHA-256");
}

void sha256_once(struct str data, uint8_t out[SHA256_BYTES])
{
	if (EVP_Digest(data.len != 0 ? data.data : "", data.len, out, NULL, EVP_sha256(), NULL) != 1)
		broken("SHA-256");
}

/* RFC 2104: the key fills a block, and the block opens two hashes. Both are kept just behind that block, so that a message
 * costs its own bytes and no look-up of an algorithm (OpenSSL's one-shot HMAC spends more on that than on a prompt). */
struct hmac {
	struct sha256 *inner, *outer, *work;
};

static struct sha256 *behind_key(const uint8_t block[HMAC_BLOCK], uint8_t pad)
{
	uint8_t padded[HMAC_BLOCK];
	for (unsigned i = 0; i < HMAC_BLOCK; i++)
		padded[i] = block[i] ^ pad;
	struct sha256 *h = sha256_new();
	sha256_add(h, padded, sizeof padded);
	OPENSSL_cleanse(padded, sizeof padded);
	return h;
}

struct hmac *hmac_new(struct str key)
{
	uint8_t block[HMAC_BLOCK] = {0};
	if (key.len > sizeof block)
		sha256_once(key, block);
	else if (key.len != 0)
		memcpy(block, key.data, key.len);
	struct hmac *h = heap_zalloc(1, sizeof *h);
	h->inner = behind_key(block, 0x36);
	h->outer = behind_key(block, 0x5c);
	h->work = sha256_new();
	OPENSSL_cleanse(block, sizeof block);
	return h;
}

void hmac_free(struct hmac *h)
{
	if (h == NULL)
		return;
	sha256_free(h->inner);
	sha256_free(h->outer);
	sha256_free(h->work);
	free(h);
}

static void start_from(struct sha256 *h, const struct sha256 *there)
{
	if (EVP_MD_CTX_copy_ex(h->state, there->state) != 1)
		broken("HMAC-SHA-256");
}

void hmac_message(struct hmac *h, struct str message, uint8_t out[SHA256_BYTES])
{
	uint8_t digest[SHA256_BYTES];
	start_from(h->work, h->inner);
	sha256_add(h->work, message.data, message.len);
	sha256_end(h->work, digest);
	start_from(h->work, h->outer);
	sha256_add(h->work, digest, sizeof digest);
	sha256_end(h->work, out);
}

void hmac_sha256(struct str key, struct str message, uint8_t out[SHA256_BYTES])
{
	struct hmac *h = hmac_new(key);
	hmac_message(h, message, out);
	hmac_free(h);
}

void hex_encode(const uint8_t *bytes, size_t count, char *out)
{
	static const char digits[] = "0123456789abcdef";
	for (size_t i = 0; i < count; i++) {
		*out++ = digits[bytes[i] >> 4];
		*out++ = digits[bytes[i] & 15];
	}
	*out = '\0';
}

void random_bytes(void *out, size_t bytes)
{
	char *p = out;
	while (bytes != 0) {
		ssize_t n = getrandom(p, bytes, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			broken("getrandom");
		p += n;
		bytes -= (size_t)n;
	}
}

void uuid7(int64_t wall_ms, char out[37])
{
	uint8_t b[16];
	random_bytes(b, sizeof b);
	uint64_t ms = wall_ms > 0 ? (uint64_t)wall_ms : 0;
	for (unsigned i = 0; i < 6; i++)
		b[i] = (uint8_t)(ms >> (8 * (5 - i)));
	b[6] = (uint8_t)((b[6] & 0x0F) | 0x70); /* version 7 */
	b[8] = (uint8_t)((b[8] & 0x3F) | 0x80); /* variant of RFC 9562 */
	char hex[33];
	hex_encode(b, sizeof b, hex);
	static const unsigned char lengths[] = {8, 4, 4, 4, 12};
	const char *from = hex;
	for (unsigned i = 0; i < sizeof lengths; i++) {
		memcpy(out, from, lengths[i]);
		out += lengths[i];
		from += lengths[i];
		*out++ = i + 1 < sizeof lengths ? '-' : '\0';
	}
}
