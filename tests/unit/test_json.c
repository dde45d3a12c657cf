/* test_json.c: reading hostile JSON, exact numbers, writing; json-c is the oracle for generated documents. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <json-c/json.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/json.h"

static int set_up(void **state)
{
	struct arena *arena = heap_alloc(sizeof *arena);
	arena_init(arena, 0);
	*state = arena;
	return 0;
}

static int tear_down(void **state)
{
	arena_free(*state);
	free(*state);
	return 0;
}

/* Parses a heap copy of exactly the bytes, so that a sanitizer sees any read past the end. The copy is *ret_copy's. */
static enum rc parse(struct arena *arena, struct str text, const struct json **ret, struct err *err, char **ret_copy)
{
	*ret_copy = heap_alloc(text.len);
	if (text.len != 0)
		memcpy(*ret_copy, text.data, text.len);
	return json_parse(arena, (struct str){*ret_copy, text.len}, (struct json_limits){0}, ret, err);
}

static void a_document_is_read_with_all_its_kinds(void **state)
{
	const struct json *j = NULL;
	struct err err = {""};
	struct str text = STR(" {\"a\": [1, -2.50e+3, true, false, null, \"x\\n\\u0000\\ud83d\\ude00é\"], \"b\": {\"c\": {}}, \"\": [] } \n");
	assert_int_equal(json_parse(*state, text, (struct json_limits){0}, &j, &err), RC_OK);
	assert_int_equal(j->kind, JSON_MAP);
	assert_int_equal(j->count, 3);
	const struct json *a = json_get(j, STR("a"));
	assert_int_equal(a->kind, JSON_LIST);
	assert_int_equal(a->count, 6);
	assert_true(str_eq(a->text, STR("[1, -2.50e+3, true, false, null, \"x\\n\\u0000\\ud83d\\ude00é\"]")));
	assert_true(str_eq(a->items[1].text, STR("-2.50e+3")));
	assert_int_equal(a->items[2].kind, JSON_TRUE);
	assert_int_equal(a->items[3].kind, JSON_FALSE);
	assert_int_equal(a->items[4].kind, JSON_NULL);
	assert_true(str_eq(json_str(&a->items[5]), STR("x\n\0\xf0\x9f\x98\x80\xc3\xa9")));
	assert_int_equal(json_path(j, STR("b.c"))->kind, JSON_MAP);
	assert_int_equal(json_path(j, STR("b.c"))->count, 0);
	assert_ptr_equal(json_path(j, STR("a.1")), &a->items[1]);
	assert_int_equal(json_path(j, STR(""))->kind, JSON_LIST); /* the member with the empty name */
	static const char *const nowhere[] = {"a.6", "a.-1", "a.+1", "a.x", "a.1.x", "b.d", "b..c", "x", "b.c.d.e"};
	for (size_t i = 0; i < sizeof nowhere / sizeof nowhere[0]; i++)
		assert_null(json_path(j, str_of(nowhere[i])));
	assert_null(json_get(a, STR("a")));
	assert_null(json_get(NULL, STR("a")));
	assert_null(json_str(a).data);
}

static void a_string_without_escapes_is_not_copied(void **state)
{
	const struct json *j;
	struct str text = STR("[\"plain\", \"escaped\\t\"]");
	assert_int_equal(json_parse(*state, text, (struct json_limits){0}, &j, NULL), RC_OK);
	assert_ptr_equal(j->items[0].text.data, text.data + 2);
	assert_false(j->items[1].text.data >= text.data && j->items[1].text.data < text.data + text.len);
}

static const struct {
	struct str text;
	const char *message;
} refused[] = {
	{{"", 0}, "offset 0: a value is expected, but the text ends"},
	{STR("  "), "offset 2: a value is expected, but the text ends"},
	{STR("1 2"), "offset 2: something follows the value"},
	{STR("{} x"), "offset 3: something follows the value"},
	{STR("\xef\xbb\xbf{}"), "offset 0: not a value"},
	{STR("[1,]"), "offset 3: not a value"},
	{STR("[1"), "offset 2: the text ends inside a list"},
	{STR("[1}"), "offset 2: a comma or ] is expected"},
	{STR("[,1]"), "offset 1: not a value"},
	{STR("["), "offset 1: a value is expected, but the text ends"},
	{STR("{"), "offset 1: a name in quotes is expected"},
	{STR("{\"a\""), "offset 4: a colon must follow a name"},
	{STR("{\"a\" 1}"), "offset 5: a colon must follow a name"},
	{STR("{\"a\":1"), "offset 6: the text ends inside a map"},
	{STR("{\"a\":1]"), "offset 6: a comma or } is expected"},
	{STR("{\"a\":1,}"), "offset 7: a name in quotes is expected"},
	{STR("{a:1}"), "offset 1: a name in quotes is expected"},
	{STR("{\"a\":1,\"b\":2,\"a\":3}"), "offset 0: the name \"a\" stands twice in one map"},
	{STR("[{\"a\":1,\"\\u0061\":2}]"), "offset 1: the name \"a\" stands twice in one map"},
	{STR("tru"), "offset 0: not a value"},
	{STR("True"), "offset 0: not a value"},
	{STR("nul"), "offset 0: not a value"},
	{STR("NaN"), "offset 0: not a value"},
	{STR("-"), "offset 0: not a value"},
	{STR("+1"), "offset 0: not a value"},
	{STR(".5"), "offset 0: not a value"},
	{STR("01"), "offset 1: something follows the value"},
	{STR("1."), "offset 2: a digit must follow the decimal point"},
	{STR("1.e3"), "offset 2: a digit must follow the decimal point"},
	{STR("1e"), "offset 2: a digit must follow in the exponent"},
	{STR("1e+"), "offset 3: a digit must follow in the exponent"},
	{STR("0x10"), "offset 1: something follows the value"},
	{STR("'a'"), "offset 0: not a value"},
	{STR("\"a"), "offset 2: the text ends inside a string"},
	{STR("\"a\\"), "offset 3: the text ends inside a string"},
	{STR("\"a\\\""), "offset 4: the text ends inside a string"},
	{STR("\"a\nb\""), "offset 2: a control character inside a string must be escaped"},
	{STR("\"\\ta\0b\""), "offset 4: a control character inside a string must be escaped"},
	{STR("\"\\x41\""), "offset 1: no such escape"},
	{STR("\"\\u12g4\""), "offset 1: \\u needs four hexadecimal digits"},
	{STR("\"\\u12"), "offset 1: \\u needs four hexadecimal digits"},
	{STR("\"\\ud800\""), "offset 1: the first half of a surrogate pair without its second"},
	{STR("\"\\ud800\\u0041\""), "offset 1: the first half of a surrogate pair without its second"},
	{STR("\"\\ud800\\ud800\""), "offset 1: the first half of a surrogate pair without its second"},
	{STR("\"\\udc00\""), "offset 1: the second half of a surrogate pair without its first"},
	{STR("\"\xff\""), "offset 1: the string that begins here is not UTF-8"},
	{STR("\"long enough \xed\xa0\x80 surrogate\""), "offset 1: the string that begins here is not UTF-8"},
	{STR("\"\\n\xc0\xaf\""), "offset 1: the string that begins here is not UTF-8"},
	{STR("{\"\xe2\x82\":1}"), "offset 2: the string that begins here is not UTF-8"},
	{STR("[1] // no comments"), "offset 4: something follows the value"},
	{STR("\0"), "offset 0: not a value"},
};

static void what_is_not_json_is_refused_with_its_offset(void **state)
{
	for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
		const struct json *j = (const void *)state;
		struct err err = {""};
		char *copy;
		assert_int_equal(parse(*state, refused[i].text, &j, &err, &copy), RC_BAD_INPUT);
		assert_string_equal(err.text, refused[i].message);
		assert_ptr_equal(j, state); /* written only on success */
		free(copy);
	}
}

static void every_prefix_of_a_document_is_refused(void **state)
{
	struct str text = STR("{\"a\":[1.5e3,true,{\"b\\u00e9\":\"\\ud83d\\ude00\"}],\"c\":\"\xc3\xa9\"}");
	for (size_t n = 0; n < text.len; n++) {
		const struct json *j;
		char *copy;
		assert_int_equal(parse(*state, (struct str){text.data, n}, &j, NULL, &copy), RC_BAD_INPUT);
		free(copy);
	}
}

static struct str repeated(struct arena *arena, const char *open, size_t count, const char *close)
{
	struct buf out;
	buf_init(&out, arena, 0);
	for (size_t i = 0; i < count; i++)
		buf_cstr(&out, open);
	for (size_t i = 0; i < count && close != NULL; i++)
		buf_cstr(&out, close);
	return buf_view(&out);
}

static void depth_and_values_are_bounded(void **state)
{
	const struct json *j;
	struct err err = {""};
	assert_int_equal(json_parse(*state, repeated(*state, "[", 64, "]"), (struct json_limits){0}, &j, &err), RC_OK);
	assert_int_equal(json_parse(*state, repeated(*state, "[", 65, "]"), (struct json_limits){0}, &j, &err), RC_BAD_INPUT);
	assert_string_equal(err.text, "offset 64: nested deeper than 64");
	assert_int_equal(json_parse(*state, repeated(*state, "{\"a\":", 100000, NULL), (struct json_limits){0}, &j, &err), RC_BAD_INPUT);
	assert_string_equal(err.text, "offset 320: nested deeper than 64");
	assert_int_equal(json_parse(*state, repeated(*state, "[", 20000, "]"), (struct json_limits){.max_depth = 20000}, &j, &err), RC_OK);
	assert_int_equal(json_parse(*state, STR("[1,2,3]"), (struct json_limits){.max_nodes = 4}, &j, &err), RC_OK);
	assert_int_equal(json_parse(*state, STR("[1,2,3]"), (struct json_limits){.max_nodes = 3}, &j, &err), RC_BAD_INPUT);
	assert_string_equal(err.text, "offset 5: more than 3 values");
}

static void a_large_map_is_read_and_its_duplicate_found(void **state)
{
	for (unsigned twice = 0; twice < 2; twice++) {
		struct buf text;
		buf_init(&text, *state, 0);
		buf_char(&text, '{');
		for (int i = 0; i < 20000; i++) {
			json_key(&text, (char[]){(char)('a' + i % 26), 0}); /* made unique below */
			text.len -= 2;
			buf_i64(&text, i);
			buf_cstr(&text, "\":0");
		}
		if (twice)
			buf_cstr(&text, ",\"b1\":1");
		buf_char(&text, '}');
		const struct json *j = NULL;
		struct err err = {""};
		enum rc rc = json_parse(*state, buf_view(&text), (struct json_limits){0}, &j, &err);
		if (twice) {
			assert_int_equal(rc, RC_BAD_INPUT);
			assert_string_equal(err.text, "offset 0: the name \"b1\" stands twice in one map");
		} else {
			assert_int_equal(rc, RC_OK);
			assert_int_equal(j->count, 20000);
			assert_non_null(json_get(j, STR("a0")));
		}
	}
}

static void whole_numbers_are_exact(void **state)
{
	static const struct {
		const char *text;
		bool whole;
		int64_t value;
	} cases[] = {
		{"0", true, 0},
		{"-0", true, 0},
		{"1.0", true, 1},
		{"1e3", true, 1000},
		{"-1.50e1", true, -15},
		{"9007199254740993", true, 9007199254740993},
		{"9223372036854775807", true, INT64_MAX},
		{"-9223372036854775808", true, INT64_MIN},
		{"9223372036854775808", false, 0},
		{"-9223372036854775809", false, 0},
		{"9.223372036854775807e18", true, INT64_MAX},
		{"1e19", false, 0},
		{"0e999999999999", true, 0},
		{"0.00e-5", true, 0},
		{"1e999999999999", false, 0},
		{"1e-999999999999", false, 0},
		{"1.5", false, 0},
		{"1e-1", false, 0},
		{"10e-1", true, 1},
		{"0.000000000000000000000000000000000000000000000000001e51", true, 1},
		{"1.00000000000000000000000000000000000000000000000000000000000", true, 1},
		{"1.00000000000000000000000000000000000000000000000000000000001", false, 0},
		{"\"1\"", false, 0},
		{"true", false, 0},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		const struct json *j;
		int64_t n = 42;
		assert_int_equal(json_parse(*state, str_of(cases[i].text), (struct json_limits){0}, &j, NULL), RC_OK);
		assert_int_equal(json_i64(j, &n), cases[i].whole);
		assert_true(n == (cases[i].whole ? cases[i].value : 42));
	}
	assert_false(json_i64(NULL, NULL));
}

static void long_numbers_become_the_nearest_double(void **state)
{
	static const struct {
		const char *text;
		bool finite;
		double value;
	} cases[] = {
		{"0.1", true, 0.1},
		{"-1.5e300", true, -1.5e300},
		{"1e400", false, 0},
		{"1e-400", true, 0},
		{"0.1000000000000000055511151231257827021181583404541015625", true, 0.1},
		{"100000000000000000000000000000000000000000000000000000000000000000000", true, 1e68},
		{"0.00000000000000000000000000000000000000000000000000000000000000000001", true, 1e-68},
		{"12345678901234567890123456789012345678901234567890.5e-40", true, 1234567890.1234567},
		{"0.0000000000000000000000000000000000000000000000000000000000", true, 0},
		{"1.0000000000000000000000000000000000000000000000000e999999999", false, 0},
		{"1.0000000000000000000000000000000000000000000000000e-999999999", true, 0},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		const struct json *j;
		double d = 42;
		assert_int_equal(json_parse(*state, str_of(cases[i].text), (struct json_limits){0}, &j, NULL), RC_OK);
		assert_int_equal(json_double(j, &d), cases[i].finite);
		assert_true(d == (cases[i].finite ? cases[i].value : 42));
	}
}

static void what_is_written_reads_back(void **state)
{
	struct buf out;
	buf_init(&out, *state, 0);
	char all[256];
	for (int i = 0; i < 128; i++)
		all[i] = (char)i;
	struct str s = {all, 128};
	json_write_str(&out, s);
	struct str text = buf_view(&out);
	assert_true(str_starts(text, STR("\"\\u0000\\u0001\\u0002\\u0003\\u0004\\u0005\\u0006\\u0007\\b\\t\\n\\u000b\\f\\r\\u000e")));
	const struct json *j;
	assert_int_equal(json_parse(*state, text, (struct json_limits){0}, &j, NULL), RC_OK);
	assert_true(str_eq(j->text, s));

	static const double values[] = {0,      -0.0,  1,     -1,     0.1,   1.0 / 3, 1e15,   1e21, 123456789012345680.0,
	                                5e-324, 1e308, 1e-7, 2.5e-5, 1.7976931348623157e308, 0.1 + 0.2};
	for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
		double back;
		buf_init(&out, *state, 0);
		json_write_double(&out, values[i]);
		assert_int_equal(json_parse(*state, buf_view(&out), (struct json_limits){0}, &j, NULL), RC_OK);
		assert_true(json_double(j, &back));
		assert_memory_equal(&back, &values[i], sizeof back);
	}
	buf_init(&out, *state, 0);
	json_write_double(&out, (double)NAN);
	json_sep(&out);
	json_write_double(&out, (double)INFINITY);
	json_sep(&out);
	json_write_double(&out, 0.3);
	json_write_str(&out, STR_NULL);
	assert_true(str_eq(buf_view(&out), STR("null,null,0.3\"\"")));
}

/* A number of the kind that records have, by turns: a short decimal, a cost, a float's score, any share, a fraction of two's powers,
 * any digits at any size, also beyond those that need no printf. */
static double some_number(int turn, uint64_t random)
{
	double share = (double)(random >> 11) / 0x1p53;
	switch (turn) {
	case 0: return (double)(random % 1000000) / 1e6;
	case 1: return (double)(random % 100000) * (0.1 + (double)(random >> 40 & 7) / 10) / 1e6;
	case 2: return (double)(float)share;
	case 3: return -share;
	case 4: return ldexp((double)(random % 4096 + 1), -(int)(random >> 33 & 63));
	case 5: return (double)(int64_t)(random >> 20);
	default: return ldexp(1 + share, (int)(random & 127) - 80);
	}
}

static void numbers_are_written_as_the_shortest_that_printf_reads_back(void **state)
{
	uint64_t seed = 7;
	for (int round = 0; round < 70000; round++) {
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		double d = some_number(round % 7, seed ^ seed >> 32);
		char text[40] = "";
		for (int digits = 15; digits <= 17 && strtod(text, NULL) != d; digits++)
			(void)snprintf(text, sizeof text, "%.*g", digits, d); /* fits */
		struct buf out;
		buf_init(&out, *state, 0);
		json_write_double(&out, d);
		buf_char(&out, '\0');
		assert_string_equal(out.data, d == 0 ? "0" : text);
	}
}

static void keys_and_elements_keep_their_commas(void **state)
{
	struct buf out;
	buf_init(&out, *state, 0);
	buf_char(&out, '{');
	json_key(&out, "a");
	buf_char(&out, '[');
	for (int i = 0; i < 3; i++) {
		json_sep(&out);
		buf_i64(&out, i);
	}
	buf_char(&out, ']');
	json_key(&out, "b");
	json_write_str(&out, STR("{"));
	json_key(&out, "c");
	buf_cstr(&out, "{}}");
	assert_true(str_eq(buf_view(&out), STR("{\"a\":[0,1,2],\"b\":\"{\",\"c\":{}}")));
}

/* The oracle: random trees written by json-c must read back as json-c's tree. */
static unsigned draw(uint64_t *seed, unsigned below)
{
	*seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (unsigned)(*seed >> 33) % below;
}

static json_object *random_string(uint64_t *seed)
{
	static const char *const pieces[] = {"a", "\"", "\\", "/", "\n", "\x01", "é", "漢", "😀", "longer text ", "\t", "\x7f"};
	char text[256] = "";
	size_t len = 0;
	for (unsigned n = draw(seed, 12); n > 0; n--) {
		const char *piece = pieces[draw(seed, sizeof pieces / sizeof pieces[0])];
		memcpy(text + len, piece, strlen(piece));
		len += strlen(piece);
	}
	return json_object_new_string_len(text, (int)len);
}

static json_object *random_tree(uint64_t *seed, unsigned depth)
{
	switch (draw(seed, depth == 0 ? 6 : 8)) {
	case 0: return NULL;
	case 1: return json_object_new_boolean(1);
	case 2: return json_object_new_boolean(0);
	case 3: return json_object_new_int64((int64_t)draw(seed, 1u << 30) * (int64_t)draw(seed, 1u << 30) - (1 << 30));
	case 4: return json_object_new_double((double)draw(seed, 1u << 30) / (draw(seed, 1000) + 1));
	case 5: return random_string(seed);
	case 6: {
		json_object *list = json_object_new_array();
		for (unsigned n = draw(seed, 8); n > 0; n--)
			json_object_array_add(list, random_tree(seed, depth - 1));
		return list;
	}
	default: {
		json_object *map = json_object_new_object();
		for (unsigned n = draw(seed, draw(seed, 4) == 0 ? 40 : 6); n > 0; n--) {
			json_object *name = random_string(seed);
			json_object_object_add(map, json_object_get_string(name), random_tree(seed, depth - 1));
			json_object_put(name);
		}
		return map;
	}
	}
}

static void assert_same(const struct json *ours, json_object *theirs)
{
	switch (json_object_get_type(theirs)) {
	case json_type_null: assert_int_equal(ours->kind, JSON_NULL); break;
	case json_type_boolean: assert_int_equal(ours->kind, json_object_get_boolean(theirs) ? JSON_TRUE : JSON_FALSE); break;
	case json_type_int: {
		int64_t n;
		assert_true(json_i64(ours, &n));
		assert_true(n == json_object_get_int64(theirs));
		break;
	}
	case json_type_double: {
		double d;
		assert_true(json_double(ours, &d));
		assert_true(d == json_object_get_double(theirs));
		break;
	}
	case json_type_string: {
		struct str s = {json_object_get_string(theirs), (size_t)json_object_get_string_len(theirs)};
		assert_true(str_eq(json_str(ours), s));
		break;
	}
	case json_type_array:
		assert_int_equal(ours->count, json_object_array_length(theirs));
		for (uint32_t i = 0; i < ours->count; i++)
			assert_same(&ours->items[i], json_object_array_get_idx(theirs, i));
		break;
	case json_type_object:
		assert_int_equal(ours->count, json_object_object_length(theirs));
		for (uint32_t i = 0; i < ours->count; i++) {
			char name[256];
			json_object *value;
			memcpy(name, ours->keys[i].data, ours->keys[i].len);
			name[ours->keys[i].len] = '\0';
			assert_true(json_object_object_get_ex(theirs, name, &value));
			assert_same(&ours->items[i], value);
		}
		break;
	}
}

/* Our writer over our tree, to be read by json-c. */
static void write_tree(struct buf *out, const struct json *j)
{
	if (j->kind == JSON_MAP || j->kind == JSON_LIST) {
		buf_char(out, j->kind == JSON_MAP ? '{' : '[');
		for (uint32_t i = 0; i < j->count; i++) {
			json_sep(out);
			if (j->kind == JSON_MAP) {
				json_write_str(out, j->keys[i]);
				buf_char(out, ':');
			}
			write_tree(out, &j->items[i]);
		}
		buf_char(out, j->kind == JSON_MAP ? '}' : ']');
	} else if (j->kind == JSON_STRING) {
		json_write_str(out, j->text);
	} else {
		static const char *const words[] = {[JSON_NULL] = "null", [JSON_FALSE] = "false", [JSON_TRUE] = "true"};
		buf_str(out, j->kind == JSON_NUMBER ? j->text : str_of(words[j->kind]));
	}
}

static void generated_documents_agree_with_json_c_both_ways(void **state)
{
	uint64_t seed = 20261124;
	for (int round = 0; round < 2000; round++) {
		json_object *theirs = random_tree(&seed, 4), *again = NULL;
		const char *text = json_object_to_json_string_ext(theirs, round % 2 ? JSON_C_TO_STRING_PRETTY : JSON_C_TO_STRING_PLAIN);
		const struct json *ours;
		char *copy;
		struct err err = {""};
		assert_int_equal(parse(*state, str_of(text), &ours, &err, &copy), RC_OK);
		assert_same(ours, theirs);
		struct buf out;
		buf_init(&out, *state, 0);
		write_tree(&out, ours);
		buf_char(&out, '\0');
		again = json_tokener_parse(out.data);
		assert_true(json_object_equal(theirs, again));
		json_object_put(again);
		json_object_put(theirs);
		free(copy);
		arena_reset(*state);
	}
}

/* Bytes of a good document changed at random: whatever comes, the reader ends and stays inside its input. */
static void mutated_documents_never_break_the_reader(void **state)
{
	uint64_t seed = 7;
	struct str good = STR("{\"id\":\"t-1\",\"messages\":[{\"role\":\"user\",\"content\":\"h\\u00e9llo \\ud83d\\ude00\"}],\"n\":[1,2.5e3,true,null]}");
	static const char spice[] = "\"\\{}[],:u0e.-\x80\xff\x01 ";
	unsigned accepted = 0;
	for (int round = 0; round < 20000; round++) {
		char text[256];
		memcpy(text, good.data, good.len);
		for (unsigned n = draw(&seed, 4) + 1; n > 0; n--)
			text[draw(&seed, (unsigned)good.len)] = spice[draw(&seed, sizeof spice - 1)];
		const struct json *j;
		char *copy;
		accepted += parse(*state, (struct str){text, good.len}, &j, NULL, &copy) == RC_OK;
		free(copy);
		arena_reset(*state);
	}
	assert_in_range(accepted, 100, 19000); /* both ways out were taken */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_document_is_read_with_all_its_kinds, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_string_without_escapes_is_not_copied, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_not_json_is_refused_with_its_offset, set_up, tear_down),
		cmocka_unit_test_setup_teardown(every_prefix_of_a_document_is_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(depth_and_values_are_bounded, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_large_map_is_read_and_its_duplicate_found, set_up, tear_down),
		cmocka_unit_test_setup_teardown(whole_numbers_are_exact, set_up, tear_down),
		cmocka_unit_test_setup_teardown(long_numbers_become_the_nearest_double, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_written_reads_back, set_up, tear_down),
		cmocka_unit_test_setup_teardown(numbers_are_written_as_the_shortest_that_printf_reads_back, set_up, tear_down),
		cmocka_unit_test_setup_teardown(keys_and_elements_keep_their_commas, set_up, tear_down),
		cmocka_unit_test_setup_teardown(generated_documents_agree_with_json_c_both_ways, set_up, tear_down),
		cmocka_unit_test_setup_teardown(mutated_documents_never_break_the_reader, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
