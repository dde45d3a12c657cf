/*
 * test_idempotency.c: the key is equal for the same call and never for two.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "worker/upstream/idempotency.h"

struct input {
	const char *cluster, *topic;
	int32_t partition;
	int64_t offset;
	enum purpose purpose;
	const char *model, *body;
};

static void key_of(struct sha256 *hash, const struct input *in, char out[IDEMPOTENCY_CHARS + 1])
{
	struct record rec = {.topic = str_of(in->topic), .partition = in->partition, .offset = in->offset};
	idempotency_key(hash, str_of(in->cluster), &rec, in->purpose, str_of(in->model), str_of(in->body), out);
}

static void a_key_depends_on_each_part_and_on_nothing_else(void **state)
{
	(void)state;
	static const struct input inputs[] = {
	    {"c", "t", 1, 2, PURPOSE_ANSWER, "m", "b"}, {"d", "t", 1, 2, PURPOSE_ANSWER, "m", "b"},
	    {"c", "u", 1, 2, PURPOSE_ANSWER, "m", "b"}, {"c", "t", 2, 1, PURPOSE_ANSWER, "m", "b"},
	    {"c", "t", 1, 3, PURPOSE_ANSWER, "m", "b"}, {"c", "t", 1, 2, PURPOSE_ROUTER, "m", "b"},
	    {"c", "t", 1, 2, PURPOSE_ANSWER, "n", "b"}, {"c", "t", 1, 2, PURPOSE_ANSWER, "m", "bb"},
	    {"ct", "", 1, 2, PURPOSE_ANSWER, "m", "b"}, {"c", "t", 1, 2, PURPOSE_ANSWER, "mb", ""},
	};
	enum { N = sizeof inputs / sizeof inputs[0] };
	char keys[N][IDEMPOTENCY_CHARS + 1];
	struct sha256 *hash = sha256_new(), *other = sha256_new();
	for (int i = 0; i < N; i++) {
		char again[IDEMPOTENCY_CHARS + 1];
		key_of(hash, &inputs[i], keys[i]);
		key_of(other, &inputs[i], again);
		assert_string_equal(keys[i], again);
		assert_int_equal(strlen(again), IDEMPOTENCY_CHARS);
		assert_int_equal(strspn(again, "0123456789abcdef"), IDEMPOTENCY_CHARS);
		for (int k = 0; k < i; k++)
			assert_string_not_equal(keys[i], keys[k]);
	}
	sha256_free(hash);
	sha256_free(other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(a_key_depends_on_each_part_and_on_nothing_else)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
