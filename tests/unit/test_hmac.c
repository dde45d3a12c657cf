/* test_hmac.c: published vectors for SHA-256 and HMAC-SHA-256; shape and order of ids. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "common/hmac.h"

static struct str repeat(char *room, int byte, size_t count)
{
	memset(room, byte, count);
	return (struct str){room, count};
}

static void sha256_gives_the_published_digests(void **state)
{
	(void)state;
	static const struct {
		struct str data;
		const char *digest;
	} cases[] = { /* FIPS 180-4 examples */
		{{"", 0}, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
		{STR("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
		{STR("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"), "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
	};
	struct sha256 *h = sha256_new();
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		uint8_t digest[SHA256_BYTES];
		char hex[65];
		sha256_once(cases[i].data, digest);
		hex_encode(digest, sizeof digest, hex);
		assert_string_equal(hex, cases[i].digest);
		sha256_begin(h); /* the same state again and again, byte by byte */
		for (size_t j = 0; j < cases[i].data.len; j++)
			sha256_add(h, cases[i].data.data + j, 1);
		sha256_end(h, digest);
		hex_encode(digest, sizeof digest, hex);
		assert_string_equal(hex, cases[i].digest);
	}
	sha256_free(h);
	sha256_free(NULL);
}

static void fields_cannot_run_into_each_other(void **state)
{
	(void)state;
	static const struct str pairs[][2] = {
		{STR("ab"), STR("c")}, {STR("a"), STR("bc")}, {STR("abc"), {"", 0}}, {{"", 0}, STR("abc")}, {STR("abc"), {NULL, 0}}, {{NULL, 0}, STR("abc")},
	};
	enum { PAIRS = sizeof pairs / sizeof pairs[0] };
	uint8_t digests[PAIRS][SHA256_BYTES];
	struct sha256 *h = sha256_new();
	for (size_t i = 0; i < PAIRS; i++) {
		sha256_begin(h);
		sha256_add_field(h, pairs[i][0]);
		sha256_add_field(h, pairs[i][1]);
		sha256_end(h, digests[i]);
		for (size_t j = 0; j < i; j++)
			assert_memory_not_equal(digests[i], digests[j], SHA256_BYTES);
	}
	sha256_begin(h);
	sha256_add(h, "\2\0\0\0\0\0\0\0ab\1\0\0\0\0\0\0\0c", 19); /* what a field is made of */
	uint8_t plain[SHA256_BYTES];
	sha256_end(h, plain);
	assert_memory_equal(plain, digests[0], SHA256_BYTES);
	sha256_free(h);
}

static void hmac_gives_the_digests_of_rfc_4231(void **state)
{
	(void)state;
	char key1[20], key3[20], data3[50], key6[131];
	static const uint8_t key4[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25};
	char data4[50];
	const struct {
		struct str key, data;
		const char *digest;
	} cases[] = {
		{repeat(key1, 0x0b, 20), STR("Hi There"), "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
		{STR("Jefe"), STR("what do ya want for nothing?"), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
		{repeat(key3, 0xaa, 20), repeat(data3, 0xdd, 50), "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"},
		{{(const char *)key4, 25}, repeat(data4, 0xcd, 50), "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"},
		{repeat(key6, 0xaa, 131), STR("Test Using Larger Than Block-Size Key - Hash Key First"),
		 "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
		{{key6, 131},
		 STR("This is a test using a larger than block-size key and a larger than block-size data. The key needs to be hashed before being "
		     "used by the HMAC algorithm."),
		 "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2"},
		/* an empty key and message: by Python's hmac module */
		{{NULL, 0}, {NULL, 0}, "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		uint8_t digest[SHA256_BYTES];
		char hex[65];
		hmac_sha256(cases[i].key, cases[i].data, digest);
		hex_encode(digest, sizeof digest, hex);
		assert_string_equal(hex, cases[i].digest);
		struct hmac *kept = hmac_new(cases[i].key);
		for (int again = 0; again < 3; again++) { /* one message leaves nothing behind for the next */
			hmac_message(kept, STR("another message"), digest);
			hmac_message(kept, cases[i].data, digest);
			hex_encode(digest, sizeof digest, hex);
			assert_string_equal(hex, cases[i].digest);
		}
		hmac_free(kept);
	}
}

static void ids_are_of_version_7_in_order_of_time_and_never_the_same(void **state)
{
	(void)state;
	char before[37] = "", id[37], again[37];
	for (int64_t ms = INT64_C(1790000000000); ms < INT64_C(1790000001000); ms++) {
		uuid7(ms, id);
		uuid7(ms, again);
		assert_string_not_equal(id, again);
		assert_true(strcmp(before, id) < 0);
		memcpy(before, id, sizeof before);
		assert_int_equal(strlen(id), 36);
		assert_true(id[8] == '-' && id[13] == '-' && id[18] == '-' && id[23] == '-');
		assert_int_equal(id[14], '7');
		assert_non_null(strchr("89ab", id[19]));
	}
	uuid7(INT64_C(0x017F22E279B0), id); /* the time of RFC 9562's example */
	assert_memory_equal(id, "017f22e2-79b0-7", 15);
	uuid7(-1, id);
	assert_memory_equal(id, "00000000-0000-7", 15);
}

static void random_bytes_fill_all_that_is_asked_for(void **state)
{
	(void)state;
	uint8_t seen[600] = {0}, bytes[600];
	for (int round = 0; round < 20; round++) {
		random_bytes(bytes, sizeof bytes);
		for (size_t i = 0; i < sizeof bytes; i++)
			seen[i] |= bytes[i];
	}
	for (size_t i = 0; i < sizeof seen; i++)
		assert_int_not_equal(seen[i], 0); /* wrong once in 10^45 runs */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sha256_gives_the_published_digests),
		cmocka_unit_test(fields_cannot_run_into_each_other),
		cmocka_unit_test(hmac_gives_the_digests_of_rfc_4231),
		cmocka_unit_test(ids_are_of_version_7_in_order_of_time_and_never_the_same),
		cmocka_unit_test(random_bytes_fill_all_that_is_asked_for),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
