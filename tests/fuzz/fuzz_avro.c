/*
 * fuzz_avro.c: a foreign schema and a record said to be written by it, both from the input (a NUL between them).
 *
 * Beyond not crashing: the canonical form of an accepted schema is a schema with the same canonical form and fingerprint;
 * texts of an accepted record are UTF-8; memory is bounded by the input; a record that reads whole also reads in part.
 */
#include "tests/fuzz/fuzz.h"
#include "worker/wire/avro_canonical.h"
#include "worker/wire/avro_read.h"

static void walk(const struct value *v, unsigned depth)
{
	FUZZ_CHECK(depth <= AVRO_READ_MAX_DEPTH + 1);
	if (v->kind == VALUE_TEXT)
		FUZZ_CHECK(fuzz_utf8(v->text));
	if (v->kind != VALUE_LIST && v->kind != VALUE_MAP)
		return;
	for (uint32_t i = 0; i < v->count; i++) {
		if (v->kind == VALUE_MAP)
			FUZZ_CHECK(fuzz_utf8(value_key(v, i)));
		struct value item = value_item(v, i);
		walk(&item, depth + 1);
	}
}

static void canonical_form_is_stable(const struct avro_schema *schema, struct arena *arena)
{
	struct buf once, twice;
	struct avro_schema again;
	buf_init(&once, arena, 256);
	buf_init(&twice, arena, 256);
	avro_schema_canonical(schema, &once);
	if (once.len > AVRO_SCHEMA_MAX_BYTES)
		return; /* full names may be longer than the text that used short ones */
	FUZZ_CHECK(avro_schema_parse(arena, buf_view(&once), &again, NULL) == RC_OK);
	avro_schema_canonical(&again, &twice);
	FUZZ_CHECK(str_eq(buf_view(&once), buf_view(&twice)));
	FUZZ_CHECK(again.fingerprint == schema->fingerprint);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	static const struct wanted all = {.whole = true};
	static struct wanted id = {.name = {"id", 2}, .whole = true};
	static const struct wanted some = {.child = &id};
	struct str record, text = fuzz_split((struct str){(const char *)data, bytes}, &record);
	struct arena arena, values, parts;
	struct avro_schema schema;
	struct value whole, part;
	arena_init(&arena, 4096);
	arena_init(&values, 4096);
	arena_init(&parts, 4096);
	if (avro_schema_parse(&arena, text, &schema, NULL) == RC_OK) {
		fuzz_arena_within(&arena, 400, text.len, 256 * 1024);
		canonical_form_is_stable(&schema, &arena);
		if (avro_read(&values, schema.root, &all, record, &whole, NULL) == RC_OK) {
			walk(&whole, 0);
			FUZZ_CHECK(avro_read(&parts, schema.root, &some, record, &part, NULL) == RC_OK);
		}
		FUZZ_CHECK(values.total_bytes <= 8u << 20 && parts.total_bytes <= 8u << 20);
	}
	arena_free(&parts);
	arena_free(&values);
	arena_free(&arena);
	return 0;
}
