/*
 * test_sealed.c: what lies in Redis opens with its key alone, and only unchanged.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "worker/cache/sealed.h"

static const uint8_t key[CACHE_KEY_BYTES] = "a key of thirty-two bytes in all";
static const uint8_t other_key[CACHE_KEY_BYTES] = "A key of thirty-two bytes in all";

static void what_is_sealed_opens_to_the_same(void **state)
{
	(void)state; /* unused */
	struct hmac *seal = hmac_new(STR("secret"));
	static char long_value[CACHE_MAX_VALUE];
	const struct {
		struct str value;
		int64_t end_ms;
	} rows[] = {{STR(""), 0}, {STR("v"), 1}, {STR("with\0nul"), -1}, {{long_value, sizeof long_value}, INT64_MAX}, {STR("x"), INT64_MIN}};
	for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char sealed[SEALED_MAX];
		struct str value;
		int64_t end_ms;
		size_t len = sealed_write(seal, key, rows[i].value, rows[i].end_ms, sealed);
		assert_int_equal(len, rows[i].value.len + SEALED_EXTRA);
		assert_true(sealed_read(seal, key, (struct str){sealed, len}, &value, &end_ms));
		assert_true(str_eq(value, rows[i].value));
		assert_int_equal(end_ms, rows[i].end_ms);
	}
	hmac_free(seal);
}

static void any_bit_changed_keeps_it_shut(void **state)
{
	(void)state; /* unused */
	struct hmac *seal = hmac_new(STR("secret"));
	char sealed[SEALED_MAX];
	struct str value;
	int64_t end_ms;
	size_t len = sealed_write(seal, key, STR("route: human"), 1764000000000, sealed);
	for (size_t bit = 0; bit < len * 8; bit++) {
		sealed[bit / 8] = (char)(sealed[bit / 8] ^ 1 << bit % 8);
		assert_false(sealed_read(seal, key, (struct str){sealed, len}, &value, &end_ms));
		sealed[bit / 8] = (char)(sealed[bit / 8] ^ 1 << bit % 8);
	}
	for (size_t cut = 0; cut < len; cut++)
		assert_false(sealed_read(seal, key, (struct str){sealed, cut}, &value, &end_ms));
	assert_true(sealed_read(seal, key, (struct str){sealed, len}, &value, &end_ms));
	hmac_free(seal);
}

static void another_key_or_secret_does_not_open_it(void **state)
{
	(void)state; /* unused */
	struct hmac *seal = hmac_new(STR("secret"));
	struct hmac *other_seal = hmac_new(STR("Secret"));
	char sealed[SEALED_MAX];
	struct str value;
	int64_t end_ms;
	size_t len = sealed_write(seal, key, STR("v"), 1, sealed);
	assert_false(sealed_read(seal, other_key, (struct str){sealed, len}, &value, &end_ms));
	assert_false(sealed_read(other_seal, key, (struct str){sealed, len}, &value, &end_ms));
	hmac_free(seal);
	hmac_free(other_seal);
}

static void random_bytes_never_open(void **state)
{
	(void)state; /* unused */
	struct hmac *seal = hmac_new(STR("secret"));
	uint64_t seed = 11;
	static char bytes[SEALED_MAX + 10];
	for (int round = 0; round < 5000; round++) {
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		size_t len = (size_t)(seed >> 33) % sizeof bytes;
		for (size_t i = 0; i < len && i < 64; i++)
			bytes[i] = (char)(seed >> i % 57);
		bytes[0] = 1; /* the right version */
		struct str value;
		int64_t end_ms;
		assert_false(sealed_read(seal, key, (struct str){bytes, len}, &value, &end_ms));
	}
	hmac_free(seal);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_sealed_opens_to_the_same),
		cmocka_unit_test(any_bit_changed_keeps_it_shut),
		cmocka_unit_test(another_key_or_secret_does_not_open_it),
		cmocka_unit_test(random_bytes_never_open),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
