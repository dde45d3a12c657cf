/*
 * safetensors.c: reading the header and finding tensors.
 *
 * The one idea: nothing in the header is believed before it has been held against the length of the file: a tensor's bytes
 * must lie inside and be as many as its shape says.
 */
#include "worker/route/safetensors.h"

#include <math.h>

#include "common/json.h"

enum { LENGTH_BYTES = 8, MAX_TENSORS = 1000 };

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the numbers of the file are read as they lie there");

enum rc safetensors_open(struct str file, struct arena *arena, struct safetensors *ret, struct err *err)
{
	uint64_t length = 0;
	if (file.len < LENGTH_BYTES)
		return err_set(err, RC_BAD_INPUT, "too short for a safetensors file");
	memcpy(&length, file.data, sizeof length);
	if (length > SAFETENSORS_MAX_HEADER || length > file.len - LENGTH_BYTES)
		return err_set(err, RC_BAD_INPUT, "not a safetensors file: its header would have %llu bytes", (unsigned long long)length);
	struct str header = {file.data + LENGTH_BYTES, (size_t)length};
	const struct json *json;
	enum rc rc = json_parse(arena, header, (struct json_limits){.max_depth = 4, .max_nodes = MAX_TENSORS * 8}, &json, err);
	if (rc != RC_OK)
		return err_prefix(err, rc, "the header of the safetensors file");
	if (json->kind != JSON_MAP)
		return err_set(err, RC_BAD_INPUT, "the header of the safetensors file is no map");
	*ret = (struct safetensors){{header.data + header.len, file.len - LENGTH_BYTES - header.len}, json};
	return RC_OK;
}

struct str safetensors_metadata(const struct safetensors *s, const char *name)
{
	return json_str(json_get(json_get(s->header, STR("__metadata__")), str_of(name)));
}

/* A number of a list, not negative; false: there is none. */
static bool number(const struct json *list, uint32_t at, uint64_t *ret)
{
	int64_t n;
	if (list == NULL || list->kind != JSON_LIST || at >= list->count || !json_i64(&list->items[at], &n) || n < 0)
		return false;
	*ret = (uint64_t)n;
	return true;
}

enum rc safetensors_find(const struct safetensors *s, const char *name, enum tensor_type type, struct tensor *ret, struct err *err)
{
	static const char *const types[] = {"I8", "F32", "I32"};
	static const uint64_t sizes[] = {1, 4, 4};
	const struct json *tensor = json_get(s->header, str_of(name));
	if (tensor == NULL)
		return err_set(err, RC_BAD_INPUT, "the file has no tensor \"%s\"", name);
	if (!str_is(json_str(json_get(tensor, STR("dtype"))), types[type]))
		return err_set(err, RC_BAD_INPUT, "the tensor \"%s\" is not of type %s", name, types[type]);
	const struct json *shape = json_get(tensor, STR("shape")), *offsets = json_get(tensor, STR("data_offsets"));
	uint64_t rows, columns = 1, begin, end, bytes;
	bool right = number(shape, 0, &rows) && shape->count <= SAFETENSORS_MAX_DIMS && (shape->count == 1 || number(shape, 1, &columns)) &&
	             number(offsets, 0, &begin) && number(offsets, 1, &end) && offsets->count == 2 && begin <= end && end <= s->data.len;
	right = right && !__builtin_mul_overflow(rows, columns, &bytes) && !__builtin_mul_overflow(bytes, sizes[type], &bytes);
	if (!right || bytes != end - begin)
		return err_set(err, RC_BAD_INPUT, "the tensor \"%s\" is not what the header says", name);
	*ret = (struct tensor){type, rows, columns, (const unsigned char *)s->data.data + begin};
	return RC_OK;
}

enum rc safetensors_rows(const struct safetensors *s, const char *values, const char *scale, struct tensor_rows *ret, struct err *err)
{
	struct tensor v, f;
	enum rc rc = safetensors_find(s, values, TENSOR_I8, &v, err);
	if (rc == RC_OK)
		rc = safetensors_find(s, scale, TENSOR_F32, &f, err);
	if (rc != RC_OK)
		return rc;
	if (f.rows != v.rows || f.columns != 1 || v.rows > UINT32_MAX || v.columns > UINT32_MAX)
		return err_set(err, RC_BAD_INPUT, "the tensor \"%s\" has not one number for each row of \"%s\"", scale, values);
	for (uint64_t i = 0; i < f.rows; i++)
		if (!isfinite(tensor_float(f.bytes, i)))
			return err_set(err, RC_BAD_INPUT, "the tensor \"%s\" holds something that is no number", scale);
	*ret = (struct tensor_rows){(const int8_t *)v.bytes, f.bytes, (uint32_t)v.rows, (uint32_t)v.columns};
	return RC_OK;
}
