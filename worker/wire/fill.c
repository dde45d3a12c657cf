/*
 * fill.c: splicing an embedding into a record's bytes.
 *
 * The one idea: nothing is encoded anew. The place of the field is found in the bytes, and what stands before and behind it is copied, so
 * what this program does not understand of a record cannot be changed by it.
 */
#include "worker/wire/fill.h"

#include "common/json.h"
#include "worker/wire/avro_read.h"
#include "worker/wire/room.h"

enum { SINGLE_OBJECT_BYTES = 10, CONFLUENT_BYTES = 5, LONG_BYTES = 10 };

/* "a.b.c": the next part, taken off. */
static struct str take_part(struct str *path)
{
	const char *dot = memchr(path->data, '.', path->len);
	struct str part = {path->data, dot != NULL ? (size_t)(dot - path->data) : path->len};
	*path = dot != NULL ? (struct str){dot + 1, path->len - part.len - 1} : (struct str){path->data + path->len, 0};
	return part;
}

/* before, bytes and behind, where [at, at + gone) of value is replaced. */
static struct str splice(struct arena *arena, struct str value, const char *at, size_t gone, struct str bytes)
{
	struct buf out;
	size_t before = (size_t)(at - value.data);
	buf_init(&out, arena, value.len + bytes.len);
	buf_add(&out, value.data, before);
	buf_str(&out, bytes);
	buf_add(&out, at + gone, value.len - before - gone);
	return buf_view(&out);
}

/* ---- JSON ------------------------------------------------------------------------------------------------------------ */

static void write_numbers(struct buf *out, const float *vector, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		buf_printf(out, "%c%.9g", i == 0 ? '[' : ',', (double)vector[i]); /* nine digits read back to the same float */
	buf_char(out, ']');
}

static enum rc fill_json(struct wire_coder *coder, struct arena *arena, struct str value, const float *vector, uint32_t count, struct str *ret,
                         struct err *err)
{
	const struct json_limits limits = {.max_depth = WIRE_MAX_DEPTH, .max_nodes = WIRE_MAX_VALUES};
	const struct json *map;
	struct str path = coder->wire->mapping.path[FIELD_EMBEDDING], part = take_part(&path);
	struct buf out;
	enum rc rc = json_parse(arena, value, limits, &map, err);
	if (rc != RC_OK)
		return rc;
	for (; path.len != 0; part = take_part(&path)) {
		map = json_get(map, part);
		if (map == NULL || map->kind != JSON_MAP)
			return err_set(err, RC_BAD_INPUT, "it has no object \"%.*s\" to put the embedding into", STR_ARG(part));
	}
	buf_init(&out, arena, (size_t)count * 14 + part.len + 16);
	const struct json *field = json_get(map, part);
	if (field != NULL) {
		if (field->kind != JSON_NULL)
			return err_set(err, RC_BAD_INPUT, "its \"%.*s\" is no embedding, and not null", STR_ARG(part));
		write_numbers(&out, vector, count);
		*ret = splice(arena, value, field->text.data, field->text.len, buf_view(&out));
		return RC_OK;
	}
	if (map->count != 0)
		buf_char(&out, ',');
	json_write_str(&out, part);
	buf_char(&out, ':');
	write_numbers(&out, vector, count);
	*ret = splice(arena, value, map->text.data + map->text.len - 1, 0, buf_view(&out)); /* before the brace that ends it */
	return RC_OK;
}

/* ---- Avro ------------------------------------------------------------------------------------------------------------ */

static void write_long(struct buf *out, int64_t n)
{
	uint64_t bits = ((uint64_t)n << 1) ^ (uint64_t)(n >> 63);
	for (; bits > 0x7f; bits >>= 7)
		buf_char(out, (char)(unsigned char)(bits | 0x80));
	buf_char(out, (char)(unsigned char)bits);
}

static void write_real(struct buf *out, float f, bool is_double)
{
	double d = (double)f;
	uint64_t bits = 0;
	uint32_t half;
	memcpy(&half, &f, sizeof half);
	memcpy(&bits, &d, sizeof bits);
	for (unsigned i = 0; i < (is_double ? 8u : 4u); i++)
		buf_char(out, (char)(unsigned char)(is_double ? bits >> (8 * i) : (uint64_t)half >> (8 * i)));
}

/* The type of a field; through a union with one record. NULL: there is none. */
static const struct avro_type *field_type(const struct avro_type *type, struct str name)
{
	const struct avro_type *record = type->kind == KIND_RECORD ? type : NULL;
	for (uint32_t i = 0; type->kind == KIND_UNION && i < type->count; i++) {
		if (type->items[i]->kind != KIND_RECORD)
			continue;
		if (record != NULL)
			return NULL;
		record = type->items[i];
	}
	for (uint32_t i = 0; record != NULL && i < record->count; i++)
		if (str_eq(record->names[i], name))
			return record->items[i];
	return NULL;
}

/* The branch of a union that is a list of numbers; -1: none. */
static int64_t list_branch(const struct avro_type *type, bool *ret_double)
{
	for (uint32_t i = 0; type->kind == KIND_UNION && i < type->count; i++)
		if (type->items[i]->kind == KIND_ARRAY &&
		    (type->items[i]->items[0]->kind == KIND_FLOAT || type->items[i]->items[0]->kind == KIND_DOUBLE)) {
			*ret_double = type->items[i]->items[0]->kind == KIND_DOUBLE;
			return i;
		}
	return -1;
}

static enum rc fill_avro(struct wire_coder *coder, const struct avro_type *schema, size_t framing, struct arena *arena, struct str value,
                         const float *vector, uint32_t count, struct str *ret, struct err *err)
{
	const struct mapping *mapping = &coder->wire->mapping;
	struct str path = mapping->path[FIELD_EMBEDDING], whole = path;
	const struct avro_type *type = schema;
	struct value root, field;
	struct buf out;
	bool is_double = false;
	while (type != NULL && path.len != 0)
		type = field_type(type, take_part(&path));
	int64_t branch = type != NULL ? list_branch(type, &is_double) : -1;
	if (branch < 0)
		return err_set(err, RC_BAD_INPUT, "its schema has no field \"%.*s\" that is null or an array of floats", STR_ARG(whole));
	enum rc rc = avro_read(arena, schema, mapping->wanted, (struct str){value.data + framing, value.len - framing}, &root, err);
	if (rc != RC_OK)
		return rc;
	field = value_path(&root, whole);
	if (field.kind != VALUE_NULL || field.text.data == NULL)
		return err_set(err, RC_BAD_INPUT, "its \"%.*s\" is not there, or not null", STR_ARG(whole));
	buf_init(&out, arena, (size_t)count * (is_double ? 8 : 4) + 3 * LONG_BYTES);
	write_long(&out, branch);
	write_long(&out, count);
	for (uint32_t i = 0; i < count; i++)
		write_real(&out, vector[i], is_double);
	write_long(&out, 0);
	*ret = splice(arena, value, field.text.data, field.text.len, buf_view(&out));
	return RC_OK;
}

static const struct avro_type *single_object_schema(const struct wire *wire, struct str value)
{
	uint64_t fingerprint = 0;
	for (unsigned i = 0; i < 8; i++)
		fingerprint |= (uint64_t)(uint8_t)value.data[2 + i] << (8 * i);
	for (uint32_t i = 0; i < wire->known_count; i++)
		if (wire->known[i].fingerprint == fingerprint)
			return wire->known[i].root;
	return NULL;
}

enum rc fill_embedding(struct wire_coder *coder, struct arena *arena, struct str value, const float *vector, uint32_t count, struct str *ret,
                       struct err *err)
{
	int format = coder->wire->settings->input.format;
	bool any = format == FORMAT_AUTO;
	if (count == 0)
		return err_set(err, RC_BAD_INPUT, "an embedding of no numbers");
	if ((any || format == FORMAT_AVRO_CONFLUENT) && value.len > CONFLUENT_BYTES && value.data[0] == 0 && coder->last_schema != NULL)
		return fill_avro(coder, coder->last_schema, CONFLUENT_BYTES, arena, value, vector, count, ret, err);
	if ((any || format == FORMAT_AVRO_SINGLE_OBJECT) && value.len > SINGLE_OBJECT_BYTES && (unsigned char)value.data[0] == 0xC3) {
		const struct avro_type *schema = single_object_schema(coder->wire, value);
		if (schema != NULL)
			return fill_avro(coder, schema, SINGLE_OBJECT_BYTES, arena, value, vector, count, ret, err);
	}
	if (any || format == FORMAT_JSON)
		return fill_json(coder, arena, value, vector, count, ret, err);
	return err_set(err, RC_BAD_INPUT, "it is not in the format that the configuration names");
}
