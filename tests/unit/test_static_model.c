/*
 * The shipped embedding table: the golden vectors that came with it, and that a table from elsewhere is not believed.
 * POINTSMAN_PIECES=FILE: instead of the tests, prints the ids of each line's JSON string, for the comparison with another library.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/config.h"
#include "common/json.h"
#include "worker/route/safetensors.h"
#include "worker/route/static_model.h"

#define GOLDEN "deploy/models/golden.json"

static struct static_model *model(struct arena *arena)
{
	struct static_model *m = NULL;
	struct err err = {""};
	if (static_model_builtin(arena, &m, &err) != RC_OK)
		fail_msg("%s", err.text);
	return m;
}

static struct str read_file(const char *path, struct arena *arena)
{
	FILE *f = fopen(path, "rb");
	assert_non_null(f);
	struct buf text;
	char piece[65536];
	buf_init(&text, arena, sizeof piece);
	for (size_t n; (n = fread(piece, 1, sizeof piece, f)) > 0;)
		buf_add(&text, piece, n);
	fclose(f);
	return buf_view(&text);
}

static double number_at(const struct json *list, uint32_t i)
{
	double d = NAN;
	assert_true(json_double(&list->items[i], &d));
	return d;
}

static void the_golden_texts_have_their_pieces_pairs_and_vectors(void **state)
{
	(void)state;
	struct arena arena;
	arena_init(&arena, 1 << 20);
	struct static_model *m = model(&arena);
	const struct json *golden;
	assert_int_equal(json_parse(&arena, read_file(GOLDEN, &arena), (struct json_limits){0}, &golden, NULL), RC_OK);
	assert_true(golden->count > 100);
	assert_int_equal(static_model_dim(m), 256);
	for (uint32_t i = 0; i < golden->count; i++) {
		static uint32_t ids[4096];
		float vector[256];
		struct str text = json_str(json_get(&golden->items[i], STR("text")));
		const struct json *want = json_get(&golden->items[i], STR("ids")), *pairs = json_get(&golden->items[i], STR("pair_rows"));
		const struct json *first = json_get(&golden->items[i], STR("emb_first8"));
		uint32_t n = wordpiece_encode(static_model_pieces(m), text, ids, 4096), row = 0;
		assert_int_equal(n, want->count);
		for (uint32_t k = 0; k < n; k++)
			assert_int_equal(ids[k], (uint32_t)number_at(want, k));
		for (uint32_t k = 1; k < n; k++)
			if (ids[k - 1] != 100 && ids[k] != 100 && pairs != NULL && row < pairs->count)
				assert_int_equal(static_model_pair_row(ids[k - 1], ids[k], 30522, 30720), (uint32_t)number_at(pairs, row++));
		double norm = NAN;
		assert_true(json_double(json_get(&golden->items[i], STR("norm")), &norm));
		assert_true(fabs((double)static_model_embed_pieces(m, ids, n, vector) - norm) <= 1e-4 * (1 + norm));
		for (uint32_t k = 0; k < 8; k++)
			assert_true(fabs((double)vector[k] - number_at(first, k)) < 1e-5);
	}
	arena_free(&arena);
}

static void the_vector_is_one_long_or_zero(void **state)
{
	(void)state;
	static const char *const texts[] = {"", " \t\n", "\xff\xfe", "a", "The printer is on fire!", "[CLS]", "\xe4\xb8\xad"};
	struct arena arena;
	arena_init(&arena, 0);
	struct static_model *m = model(&arena);
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		float vector[256];
		double sum = 0;
		float length = static_model_embed(m, str_of(texts[i]), vector);
		for (unsigned k = 0; k < 256; k++)
			sum += (double)vector[k] * (double)vector[k];
		assert_true(length == 0 ? sum == 0 : fabs(sum - 1) < 1e-5);
		assert_int_equal(length != 0, i > 2);
	}
	arena_free(&arena);
}

static void long_texts_and_long_words_are_bounded(void **state)
{
	(void)state;
	struct arena arena;
	arena_init(&arena, 0);
	struct static_model *m = model(&arena);
	uint32_t ids[WORDPIECE_MAX];
	char word[101];
	memset(word, 'a', sizeof word);
	assert_int_not_equal(wordpiece_encode(static_model_pieces(m), (struct str){word, 100}, ids, WORDPIECE_MAX), 1);
	assert_int_equal(wordpiece_encode(static_model_pieces(m), (struct str){word, 101}, ids, WORDPIECE_MAX), 1);
	assert_int_equal(ids[0], wordpiece_unknown(static_model_pieces(m)));
	char *text = arena_alloc(&arena, 1000000);
	memset(text, '!', 1000000);
	assert_int_equal(wordpiece_encode(static_model_pieces(m), (struct str){text, 1000000}, ids, WORDPIECE_MAX), WORDPIECE_MAX);
	arena_free(&arena);
}

static struct str file_of(struct arena *arena, const char *header, size_t data)
{
	uint64_t length = strlen(header);
	struct buf out;
	buf_init(&out, arena, 256);
	buf_add(&out, &length, sizeof length);
	buf_cstr(&out, header);
	for (size_t i = 0; i < data; i++)
		buf_char(&out, 0);
	return buf_view(&out);
}

static void a_file_that_is_not_what_its_header_says_is_refused(void **state)
{
	(void)state;
	static const struct {
		const char *header;
		size_t data;
	} cases[] = {
		{"", 0},
		{"[]", 0},
		{"{\"t\":{\"dtype\":\"F16\",\"shape\":[2,8],\"data_offsets\":[0,16]}}", 16},
		{"{\"t\":{\"dtype\":\"I8\",\"shape\":[2,8],\"data_offsets\":[0,16]}}", 15},
		{"{\"t\":{\"dtype\":\"I8\",\"shape\":[2,8],\"data_offsets\":[8,16]}}", 16},
		{"{\"t\":{\"dtype\":\"I8\",\"shape\":[2,8],\"data_offsets\":[16,0]}}", 16},
		{"{\"t\":{\"dtype\":\"I8\",\"shape\":[2,8],\"data_offsets\":[-16,0]}}", 16},
		{"{\"t\":{\"dtype\":\"I8\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,0]}}", 16},
		{"{\"t\":{\"dtype\":\"I8\",\"shape\":[2,4,2],\"data_offsets\":[0,16]}}", 16},
		{"{\"t\":{\"dtype\":\"I8\",\"shape\":[],\"data_offsets\":[0,16]}}", 16},
		{"{\"t\":{\"dtype\":\"I8\",\"shape\":[2,8]}}", 16},
		{"{\"u\":{\"dtype\":\"I8\",\"shape\":[2,8],\"data_offsets\":[0,16]}}", 16},
	};
	struct arena arena;
	arena_init(&arena, 0);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct safetensors file;
		struct tensor tensor;
		struct err err = {""};
		enum rc rc = safetensors_open(file_of(&arena, cases[i].header, cases[i].data), &arena, &file, &err);
		if (rc == RC_OK)
			rc = safetensors_find(&file, "t", TENSOR_I8, &tensor, &err);
		assert_int_equal(rc, RC_BAD_INPUT);
		assert_true(err.text[0] != '\0');
	}
	struct safetensors file;
	struct tensor tensor;
	struct str good = file_of(&arena, "{\"t\":{\"dtype\":\"I8\",\"shape\":[2,8],\"data_offsets\":[0,16]}}", 16);
	assert_int_equal(safetensors_open(good, &arena, &file, NULL), RC_OK);
	assert_int_equal(safetensors_find(&file, "t", TENSOR_I8, &tensor, NULL), RC_OK);
	assert_int_equal(tensor.rows, 2);
	for (size_t cut = 0; cut < 8; cut++)
		assert_int_equal(safetensors_open((struct str){good.data, cut}, &arena, &file, NULL), RC_BAD_INPUT);
	arena_free(&arena);
}

static int print_pieces(const char *path)
{
	struct arena arena, line_arena;
	arena_init(&arena, 1 << 20);
	arena_init(&line_arena, 1 << 16);
	struct static_model *m = NULL;
	if (static_model_builtin(&arena, &m, NULL) != RC_OK)
		return 1;
	struct str text = read_file(path, &arena);
	for (size_t at = 0; at < text.len;) {
		const char *end = memchr(text.data + at, '\n', text.len - at);
		struct str line = {text.data + at, (size_t)(end - text.data) - at};
		const struct json *json;
		uint32_t ids[WORDPIECE_MAX];
		arena_reset(&line_arena);
		if (json_parse(&line_arena, line, (struct json_limits){0}, &json, NULL) != RC_OK)
			return 1;
		uint32_t n = wordpiece_encode(static_model_pieces(m), json_str(json), ids, WORDPIECE_MAX);
		for (uint32_t i = 0; i < n; i++)
			printf("%s%u", i != 0 ? " " : "", ids[i]);
		printf("\n");
		at += line.len + 1;
	}
	arena_free(&line_arena);
	arena_free(&arena);
	return 0;
}

int main(void)
{
	const char *path = getenv("POINTSMAN_PIECES");
	if (path != NULL)
		return print_pieces(path);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_golden_texts_have_their_pieces_pairs_and_vectors),
		cmocka_unit_test(the_vector_is_one_long_or_zero),
		cmocka_unit_test(long_texts_and_long_words_are_bounded),
		cmocka_unit_test(a_file_that_is_not_what_its_header_says_is_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
