/*
 * test_tensor_file.c: what is written is read back by the reader that stages use, and is what the format's specification says.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "worker/lab/tensor_file.h"

static const int8_t bytes[6] = {1, -2, 3, -4, 5, -128};
static const float floats[3] = {0.5f, -1.25f, 3e9f};
static const int32_t numbers[2] = {-7, INT32_MAX};

static void write_all(struct buf *out)
{
	struct tensor_file f;
	tensor_file_begin(&f, STR("{\"a\":1}"));
	tensor_file_add(&f, "bytes", TENSOR_I8, 2, 3, bytes);
	tensor_file_add(&f, "floats", TENSOR_F32, 3, 0, floats);
	tensor_file_add(&f, "none", TENSOR_I8, 0, 1, NULL);
	tensor_file_add(&f, "numbers", TENSOR_I32, 2, 1, numbers);
	tensor_file_end(&f, out);
}

static void a_file_is_a_length_a_header_and_the_numbers(void **state)
{
	(void)state;
	static const char header[] = "{\"__metadata__\":{\"pointsman\":\"{\\\"a\\\":1}\"},"
	                             "\"bytes\":{\"dtype\":\"I8\",\"shape\":[2,3],\"data_offsets\":[0,6]},"
	                             "\"floats\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[6,18]},"
	                             "\"none\":{\"dtype\":\"I8\",\"shape\":[0,1],\"data_offsets\":[18,18]},"
	                             "\"numbers\":{\"dtype\":\"I32\",\"shape\":[2,1],\"data_offsets\":[18,26]}}";
	struct arena arena;
	struct buf out;
	uint64_t length;
	arena_init(&arena, 4096);
	buf_init(&out, &arena, 256);
	write_all(&out);
	memcpy(&length, out.data, sizeof length);
	assert_int_equal(length, sizeof header - 1);
	assert_memory_equal(out.data + 8, header, sizeof header - 1);
	const char *data = out.data + 8 + length;
	assert_int_equal(out.len, 8 + length + 26);
	assert_memory_equal(data, bytes, 6);
	assert_memory_equal(data + 6, floats, 12);
	assert_memory_equal(data + 18, numbers, 8);
	arena_free(&arena);
}

static void what_is_written_is_read_back(void **state)
{
	(void)state;
	struct arena arena;
	struct buf out;
	struct safetensors file;
	struct tensor t;
	struct err err;
	arena_init(&arena, 4096);
	buf_init(&out, &arena, 256);
	write_all(&out);
	assert_int_equal(safetensors_open(buf_view(&out), &arena, &file, &err), RC_OK);
	assert_true(str_is(safetensors_metadata(&file, "pointsman"), "{\"a\":1}"));
	assert_int_equal(safetensors_find(&file, "bytes", TENSOR_I8, &t, &err), RC_OK);
	assert_true(t.rows == 2 && t.columns == 3);
	assert_memory_equal(t.bytes, bytes, sizeof bytes);
	assert_int_equal(safetensors_find(&file, "floats", TENSOR_F32, &t, &err), RC_OK);
	assert_true(t.rows == 3 && t.columns == 1);
	assert_memory_equal(t.bytes, floats, sizeof floats);
	assert_int_equal(safetensors_find(&file, "none", TENSOR_I8, &t, &err), RC_OK);
	assert_int_equal(t.rows, 0);
	assert_int_equal(safetensors_find(&file, "numbers", TENSOR_I32, &t, &err), RC_OK);
	assert_int_equal(tensor_int(t.bytes, 1), INT32_MAX);
	arena_free(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_is_a_length_a_header_and_the_numbers),
		cmocka_unit_test(what_is_written_is_read_back),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
