/*
 * avro_schema.c: reads a schema's JSON into the tree.
 *
 * The one idea: a named type is registered before its inside is read, so a name inside it finds it and recursion is a pointer
 * back. The nesting of the text is bounded by the JSON reader, so this recursion is too.
 *
 * It is lenient where leniency is harmless (odd characters in names, {"type": {"type": "string"}}, unknown attributes) and
 * strict where bytes would be read wrongly (unknown types, missing sizes, a union within a union, a name defined twice).
 */
#include "worker/wire/avro_schema.h"

#include "common/json.h"
#include "worker/wire/avro_canonical.h"

struct parsing {
	struct arena *arena;
	struct err *err;
	uint32_t types;
	struct avro_type **named; /* room for AVRO_SCHEMA_MAX_NAMED */
	uint32_t named_count;
};

static enum rc parse_type(struct parsing *p, const struct json *j, struct str space, struct avro_type **ret);

static const char *const kind_names[] = {"null", "boolean", "int", "long", "float", "double", "bytes", "string",
                                         "record", "enum", "array", "map", "fixed", "union"};

const char *avro_kind_name(enum avro_kind kind)
{
	return (unsigned)kind <= KIND_UNION ? kind_names[kind] : "?";
}

static enum rc bad(struct parsing *p, const char *what, struct str name)
{
	if (name.len > 100)
		name.len = str_utf8_cut(name, 100);
	return err_set(p->err, RC_BAD_INPUT, "Avro schema: %s%s%.*s", what, name.data != NULL ? " " : "", STR_ARG(name));
}

static enum rc new_type(struct parsing *p, enum avro_kind kind, struct avro_type **ret)
{
	if (p->types == AVRO_SCHEMA_MAX_TYPES)
		return bad(p, "more types than are allowed", STR_NULL);
	p->types++;
	*ret = arena_zalloc(p->arena, sizeof **ret);
	(*ret)->kind = kind;
	return RC_OK;
}

static struct str joined(struct parsing *p, struct str space, struct str name)
{
	if (space.len == 0 || memchr(name.data, '.', name.len) != NULL)
		return name;
	return arena_printf(p->arena, "%.*s.%.*s", STR_ARG(space), STR_ARG(name));
}

static struct avro_type *find_named(const struct parsing *p, struct str full)
{
	for (uint32_t i = 0; i < p->named_count; i++)
		if (str_eq(p->named[i]->name, full))
			return p->named[i];
	return NULL;
}

/* A type given by its name: primitive, or one defined before. */
static enum rc parse_name(struct parsing *p, struct str name, struct str space, struct avro_type **ret)
{
	for (int k = KIND_NULL; k <= KIND_STRING; k++)
		if (str_is(name, kind_names[k]))
			return new_type(p, (enum avro_kind)k, ret);
	struct avro_type *type = name.len != 0 ? find_named(p, joined(p, space, name)) : NULL;
	if (type == NULL && name.len != 0)
		type = find_named(p, name);
	if (type == NULL)
		return bad(p, "unknown type", name);
	*ret = type;
	return RC_OK;
}

static enum rc parse_union(struct parsing *p, const struct json *j, struct str space, struct avro_type **ret)
{
	struct avro_type *type = NULL;
	enum rc rc = new_type(p, KIND_UNION, &type);
	if (rc != RC_OK)
		return rc;
	type->items = arena_array(p->arena, j->count, sizeof *type->items);
	for (uint32_t i = 0; i < j->count; i++) {
		rc = parse_type(p, &j->items[i], space, &type->items[i]);
		if (rc != RC_OK)
			return rc;
		if (type->items[i]->kind == KIND_UNION)
			return bad(p, "a union directly within a union", STR_NULL);
	}
	if (j->count == 0)
		return bad(p, "a union without branches", STR_NULL);
	type->count = j->count;
	*ret = type;
	return RC_OK;
}

/* Gives a named type its full name and registers it. *ret_space: the namespace for what is inside. */
static enum rc define(struct parsing *p, const struct json *j, struct str space, struct avro_type *type, struct str *ret_space)
{
	struct str name = json_str(json_get(j, STR("name"))), own = json_str(json_get(j, STR("namespace")));
	if (name.len == 0)
		return bad(p, "a named type without a name", STR_NULL);
	name = arena_str(p->arena, joined(p, own.data != NULL ? own : space, name));
	size_t dot = name.len;
	while (dot != 0 && name.data[dot - 1] != '.')
		dot--;
	*ret_space = (struct str){name.data, dot != 0 ? dot - 1 : 0};
	if (find_named(p, name) != NULL)
		return bad(p, "defined twice:", name);
	if (p->named_count == AVRO_SCHEMA_MAX_NAMED)
		return bad(p, "more named types than are allowed", STR_NULL);
	type->name = name;
	type->named_index = p->named_count;
	p->named[p->named_count++] = type;
	return RC_OK;
}

static enum rc parse_fields(struct parsing *p, const struct json *j, struct str space, struct avro_type *type)
{
	const struct json *fields = json_get(j, STR("fields"));
	if (fields == NULL || fields->kind != JSON_LIST)
		return bad(p, "no fields in record", type->name);
	type->names = arena_array(p->arena, fields->count, sizeof *type->names);
	type->items = arena_array(p->arena, fields->count, sizeof *type->items);
	for (uint32_t i = 0; i < fields->count; i++) {
		struct str name = json_str(json_get(&fields->items[i], STR("name")));
		const struct json *of = json_get(&fields->items[i], STR("type"));
		if (name.len == 0 || of == NULL)
			return bad(p, "a field without name or type in record", type->name);
		type->names[i] = arena_str(p->arena, name);
		enum rc rc = parse_type(p, of, space, &type->items[i]);
		if (rc != RC_OK)
			return rc;
	}
	type->count = fields->count;
	return RC_OK;
}

static enum rc parse_symbols(struct parsing *p, const struct json *j, struct avro_type *type)
{
	const struct json *symbols = json_get(j, STR("symbols"));
	if (symbols == NULL || symbols->kind != JSON_LIST || symbols->count == 0)
		return bad(p, "no symbols in enum", type->name);
	type->names = arena_array(p->arena, symbols->count, sizeof *type->names);
	for (uint32_t i = 0; i < symbols->count; i++) {
		if (symbols->items[i].kind != JSON_STRING)
			return bad(p, "a symbol that is not text in enum", type->name);
		type->names[i] = arena_str(p->arena, symbols->items[i].text);
	}
	type->count = symbols->count;
	return RC_OK;
}

static enum rc parse_named(struct parsing *p, const struct json *j, struct str space, enum avro_kind kind, struct avro_type **ret)
{
	struct avro_type *type = NULL;
	struct str inner = STR("");
	enum rc rc = new_type(p, kind, &type);
	if (rc == RC_OK)
		rc = define(p, j, space, type, &inner);
	if (rc != RC_OK)
		return rc;
	if (kind == KIND_RECORD) {
		rc = parse_fields(p, j, inner, type);
	} else if (kind == KIND_ENUM) {
		rc = parse_symbols(p, j, type);
	} else {
		int64_t size;
		if (!json_i64(json_get(j, STR("size")), &size) || size < 0 || size > INT32_MAX)
			return bad(p, "no size in fixed", type->name);
		type->fixed_bytes = (uint64_t)size;
	}
	*ret = type;
	return rc;
}

static enum rc parse_items(struct parsing *p, const struct json *j, struct str space, enum avro_kind kind, struct avro_type **ret)
{
	const struct json *of = json_get(j, kind == KIND_ARRAY ? STR("items") : STR("values"));
	struct avro_type *type = NULL;
	if (of == NULL)
		return bad(p, kind == KIND_ARRAY ? "an array without items" : "a map without values", STR_NULL);
	enum rc rc = new_type(p, kind, &type);
	if (rc != RC_OK)
		return rc;
	type->items = arena_zalloc(p->arena, sizeof *type->items);
	type->count = 1;
	*ret = type;
	return parse_type(p, of, space, &type->items[0]);
}

static enum rc parse_map(struct parsing *p, const struct json *j, struct str space, struct avro_type **ret)
{
	const struct json *of = json_get(j, STR("type"));
	struct str kind = json_str(of), logical = json_str(json_get(j, STR("logicalType")));
	if (of == NULL)
		return bad(p, "an object without a type", STR_NULL);
	if (kind.data == NULL)
		return parse_type(p, of, space, ret);
	if (str_is(kind, "record") || str_is(kind, "error"))
		return parse_named(p, j, space, KIND_RECORD, ret);
	if (str_is(kind, "enum"))
		return parse_named(p, j, space, KIND_ENUM, ret);
	if (str_is(kind, "fixed"))
		return parse_named(p, j, space, KIND_FIXED, ret);
	if (str_is(kind, "array"))
		return parse_items(p, j, space, KIND_ARRAY, ret);
	if (str_is(kind, "map"))
		return parse_items(p, j, space, KIND_MAP, ret);
	enum rc rc = parse_name(p, kind, space, ret);
	if (rc == RC_OK && (*ret)->kind == KIND_LONG)
		(*ret)->micros = str_is(logical, "timestamp-micros") || str_is(logical, "local-timestamp-micros");
	return rc;
}

static enum rc parse_type(struct parsing *p, const struct json *j, struct str space, struct avro_type **ret)
{
	switch (j->kind) {
	case JSON_STRING: return parse_name(p, j->text, space, ret);
	case JSON_LIST: return parse_union(p, j, space, ret);
	case JSON_MAP: return parse_map(p, j, space, ret);
	default: return bad(p, "a type is a name, a list or an object, not", j->text);
	}
}

enum rc avro_schema_parse(struct arena *arena, struct str text, struct avro_schema *ret, struct err *err)
{
	if (text.len > AVRO_SCHEMA_MAX_BYTES)
		return err_set(err, RC_BAD_INPUT, "Avro schema: %zu bytes; at most %d are read", text.len, AVRO_SCHEMA_MAX_BYTES);
	const struct json *json;
	struct arena scratch; /* the JSON tree is not needed afterwards */
	arena_init(&scratch, 16384);
	struct parsing p = {.arena = arena, .err = err, .named = arena_array(&scratch, AVRO_SCHEMA_MAX_NAMED, sizeof *p.named)};
	struct avro_type *root = NULL;
	enum rc rc = json_parse(&scratch, text, (struct json_limits){.max_depth = 128, .max_nodes = 200000}, &json, err);
	if (rc != RC_OK)
		(void)err_prefix(err, rc, "Avro schema"); /* rc is returned below */
	else
		rc = parse_type(&p, json, STR(""), &root);
	if (rc == RC_OK) {
		struct avro_schema schema = {.root = root, .named_count = p.named_count};
		struct buf canonical;
		buf_init(&canonical, &scratch, text.len);
		avro_schema_canonical(&schema, &canonical);
		schema.fingerprint = avro_crc64(buf_view(&canonical));
		*ret = schema;
	}
	arena_free(&scratch);
	return rc;
}
