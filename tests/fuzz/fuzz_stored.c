/*
 * fuzz_stored.c: what comes back from Redis, and where Redis is: sealed values, and addresses.
 *
 * A sealed value opens only under its own key and only untouched; a message about an address never shows a password.
 */
#include "tests/fuzz/fuzz.h"
#include "worker/cache/redis_url.h"
#include "worker/cache/sealed.h"

static void only_untouched_values_open(struct str input)
{
	uint8_t key[CACHE_KEY_BYTES] = {1};
	char sealed[SEALED_MAX];
	struct str value;
	int64_t end;
	struct hmac *seal = hmac_new(STR("a secret of sixteen"));
	FUZZ_CHECK(!sealed_read(seal, key, input, &value, &end)); /* nobody guesses 16 bytes of HMAC */
	if (input.len >= 2 && input.len <= CACHE_MAX_VALUE) {
		size_t len = sealed_write(seal, key, input, 1700000000000, sealed);
		FUZZ_CHECK(len <= SEALED_MAX && sealed_read(seal, key, (struct str){sealed, len}, &value, &end));
		FUZZ_CHECK(str_eq(value, input) && end == 1700000000000);
		size_t at = ((size_t)(uint8_t)input.data[0] << 8 | (uint8_t)input.data[1]) % (8 * len);
		FUZZ_CHECK(!sealed_read(seal, key, (struct str){sealed, at / 8}, &value, &end));
		sealed[at / 8] = (char)(sealed[at / 8] ^ 1 << at % 8);
		FUZZ_CHECK(!sealed_read(seal, key, (struct str){sealed, len}, &value, &end));
	}
	hmac_free(seal);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct str input = {(const char *)data, bytes}, password, url = fuzz_split(input, &password);
	struct redis_address address = {0};
	struct err err = {""};
	if (redis_url_parse(url, bytes > url.len ? password : STR_NULL, &address, &err) == RC_OK) {
		FUZZ_CHECK(memchr(address.host, '\0', sizeof address.host) != NULL && address.host[0] != '\0');
		FUZZ_CHECK(memchr(address.shown, '\0', sizeof address.shown) != NULL);
		FUZZ_CHECK(address.unix_socket || address.port != 0);
	} else {
		FUZZ_CHECK(err.text[0] != '\0');
	}
	only_untouched_values_open(input);
	return 0;
}
