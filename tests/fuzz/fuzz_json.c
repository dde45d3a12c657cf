/*
 * fuzz_json.c: our JSON reader beside json-c, strict: what both accept is the same tree; what ours accepts, json-c does too.
 *
 * Ours refuses more: duplicate keys, lone surrogates, what is too deep. The other direction has one exception, numbers:
 * json-c keeps what fits into its types, so only their kind is compared.
 */
#include <json-c/json.h>

#include "common/json.h"
#include "tests/fuzz/fuzz.h"

static void same(struct arena *arena, const struct json *ours, struct json_object *theirs)
{
	switch (ours->kind) {
	case JSON_NULL:
		FUZZ_CHECK(theirs == NULL);
		return;
	case JSON_TRUE:
	case JSON_FALSE:
		FUZZ_CHECK(json_object_is_type(theirs, json_type_boolean));
		FUZZ_CHECK((json_object_get_boolean(theirs) != 0) == (ours->kind == JSON_TRUE));
		return;
	case JSON_NUMBER:
		FUZZ_CHECK(json_object_is_type(theirs, json_type_int) || json_object_is_type(theirs, json_type_double));
		return;
	case JSON_STRING: {
		struct str text = {json_object_get_string(theirs), (size_t)json_object_get_string_len(theirs)};
		FUZZ_CHECK(json_object_is_type(theirs, json_type_string));
		FUZZ_CHECK(str_utf8_valid(ours->text));
		FUZZ_CHECK(str_eq(ours->text, text));
		return;
	}
	case JSON_LIST:
		FUZZ_CHECK(json_object_is_type(theirs, json_type_array));
		FUZZ_CHECK(json_object_array_length(theirs) == ours->count);
		for (uint32_t i = 0; i < ours->count; i++)
			same(arena, &ours->items[i], json_object_array_get_idx(theirs, i));
		return;
	case JSON_MAP:
		FUZZ_CHECK(json_object_is_type(theirs, json_type_object));
		for (uint32_t i = 0; i < ours->count; i++) {
			struct json_object *member;
			if (memchr(ours->keys[i].data, '\0', ours->keys[i].len) != NULL)
				continue; /* json-c's keys end at a NUL */
			FUZZ_CHECK(json_get(ours, ours->keys[i]) == &ours->items[i]);
			if (json_object_object_get_ex(theirs, arena_cstr(arena, ours->keys[i]), &member))
				same(arena, &ours->items[i], member);
		}
		return;
	}
}

static void string_comes_back(struct str s, struct arena *arena)
{
	struct buf out;
	const struct json *again;
	buf_init(&out, arena, 64);
	json_write_str(&out, s);
	FUZZ_CHECK(json_parse(arena, buf_view(&out), (struct json_limits){0}, &again, NULL) == RC_OK);
	FUZZ_CHECK(again->kind == JSON_STRING && str_eq(again->text, s));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct str text = {(const char *)data, bytes};
	struct arena arena;
	const struct json *ours;
	arena_init(&arena, 4096);
	enum rc rc = json_parse(&arena, text, (struct json_limits){.max_nodes = 100000}, &ours, NULL);
	fuzz_arena_within(&arena, 256, bytes, 64 * 1024);
	if (str_utf8_valid(text))
		string_comes_back(text, &arena);
	if (rc == RC_OK && ours->kind != JSON_NULL) {
		struct json_tokener *tokener = json_tokener_new_ex(100);
		json_tokener_set_flags(tokener, JSON_TOKENER_STRICT | JSON_TOKENER_ALLOW_TRAILING_CHARS);
		char *copy = arena_cstr(&arena, text); /* json-c looks for an end behind a number */
		struct json_object *theirs = json_tokener_parse_ex(tokener, copy, (int)bytes + 1);
		if (json_tokener_get_error(tokener) == json_tokener_success)
			same(&arena, ours, theirs);
		json_object_put(theirs);
		json_tokener_free(tokener);
	}
	arena_free(&arena);
	return 0;
}
