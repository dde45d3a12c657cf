/*
 * value.c: the common view of JSON nodes and Avro values.
 *
 * The one idea: a value is small and passed by value; JSON children are wrapped when they are asked for, Avro children are
 * there already. No copy of a JSON tree is made.
 */
#include "worker/wire/value.h"

#include <math.h>

struct value value_of_json(const struct json *json)
{
	static const enum value_kind kinds[] = {
		[JSON_NULL] = VALUE_NULL, [JSON_FALSE] = VALUE_BOOL, [JSON_TRUE] = VALUE_BOOL, [JSON_NUMBER] = VALUE_NUMBER,
		[JSON_STRING] = VALUE_TEXT, [JSON_LIST] = VALUE_LIST, [JSON_MAP] = VALUE_MAP,
	};
	if (json == NULL)
		return (struct value){.kind = VALUE_ABSENT};
	struct value v = {.kind = kinds[json->kind], .count = json->count, .text = json->text, .json = json};
	if (v.kind == VALUE_BOOL)
		v.whole = json->kind == JSON_TRUE;
	return v;
}

struct value value_item(const struct value *list, uint32_t index)
{
	if ((list->kind != VALUE_LIST && list->kind != VALUE_MAP) || index >= list->count)
		return (struct value){.kind = VALUE_ABSENT};
	return list->json != NULL ? value_of_json(&list->json->items[index]) : list->items[index];
}

struct str value_key(const struct value *map, uint32_t index)
{
	if (map->kind != VALUE_MAP || index >= map->count)
		return STR_NULL;
	return map->json != NULL ? map->json->keys[index] : map->keys[index];
}

struct value value_get(const struct value *map, struct str name)
{
	if (map->kind == VALUE_MAP && map->json != NULL)
		return value_of_json(json_get(map->json, name));
	if (map->kind == VALUE_MAP)
		for (uint32_t i = 0; i < map->count; i++)
			if (str_eq(map->keys[i], name))
				return map->items[i];
	return (struct value){.kind = VALUE_ABSENT};
}

static struct value step(const struct value *v, struct str part)
{
	if (v->kind != VALUE_LIST)
		return value_get(v, part);
	int64_t index;
	if (part.len == 0 || part.data[0] == '+' || part.data[0] == '-' || !str_to_i64(part, &index) || index >= v->count)
		return (struct value){.kind = VALUE_ABSENT};
	return value_item(v, (uint32_t)index);
}

struct value value_path(const struct value *root, struct str path)
{
	struct value v = *root;
	for (;;) {
		const char *dot = path.len != 0 ? memchr(path.data, '.', path.len) : NULL;
		struct str part = {path.data, dot != NULL ? (size_t)(dot - path.data) : path.len};
		v = step(&v, part);
		if (dot == NULL || v.kind == VALUE_ABSENT)
			return v;
		path = (struct str){dot + 1, path.len - part.len - 1};
	}
}

bool value_text(const struct value *v, struct arena *arena, struct str *ret)
{
	struct buf out;
	switch (v->kind) {
	case VALUE_TEXT:
	case VALUE_NUMBER: *ret = v->text; return true;
	case VALUE_BOOL: *ret = v->whole ? STR("true") : STR("false"); return true;
	case VALUE_BYTES:
		if (!str_utf8_valid(v->text))
			return false;
		*ret = v->text;
		return true;
	case VALUE_INT:
		buf_init(&out, arena, 24);
		buf_i64(&out, v->whole);
		break;
	case VALUE_REAL:
		if (!isfinite(v->real))
			return false;
		buf_init(&out, arena, 32);
		json_write_double(&out, v->real);
		break;
	default: return false;
	}
	*ret = buf_view(&out);
	return true;
}

bool value_i64(const struct value *v, int64_t *ret)
{
	if (v->kind == VALUE_NUMBER)
		return json_i64(v->json, ret);
	if (v->kind != VALUE_INT)
		return false;
	*ret = v->whole;
	return true;
}

bool value_double(const struct value *v, double *ret)
{
	if (v->kind == VALUE_NUMBER)
		return json_double(v->json, ret);
	double d = v->kind == VALUE_INT ? (double)v->whole : v->kind == VALUE_REAL ? v->real : NAN;
	if (!isfinite(d))
		return false;
	*ret = d;
	return true;
}
