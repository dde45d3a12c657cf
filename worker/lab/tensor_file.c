/*
 * tensor_file.c: a header that says where each tensor lies, and the tensors behind it.
 *
 * The one idea: both grow side by side, since the header tells places in the data and not in the file.
 */
#include "worker/lab/tensor_file.h"

#include "common/json.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "numbers are written as they lie in memory");

static const struct {
	const char *name;
	size_t bytes;
} types[] = {[TENSOR_I8] = {"I8", 1}, [TENSOR_F32] = {"F32", 4}, [TENSOR_I32] = {"I32", 4}};

void tensor_file_begin(struct tensor_file *f, struct str settings)
{
	arena_init(&f->arena, 1 << 20);
	buf_init(&f->header, &f->arena, 4096);
	buf_init(&f->data, &f->arena, 1 << 20);
	buf_cstr(&f->header, "{\"__metadata__\":{");
	json_member_str(&f->header, "pointsman", settings);
	buf_char(&f->header, '}');
}

void tensor_file_add(struct tensor_file *f, const char *name, enum tensor_type type, size_t rows, size_t columns, const void *numbers)
{
	size_t bytes = rows * (columns != 0 ? columns : 1) * types[type].bytes; /* of what is in memory: it cannot overflow */
	json_key(&f->header, name);
	buf_printf(&f->header, "{\"dtype\":\"%s\",\"shape\":[%zu", types[type].name, rows);
	if (columns != 0)
		buf_printf(&f->header, ",%zu", columns);
	buf_printf(&f->header, "],\"data_offsets\":[%zu,%zu]}", f->data.len, f->data.len + bytes);
	buf_add(&f->data, numbers, bytes);
}

void tensor_file_end(struct tensor_file *f, struct buf *out)
{
	buf_char(&f->header, '}');
	uint64_t length = f->header.len;
	buf_add(out, &length, sizeof length);
	buf_add(out, f->header.data, f->header.len);
	buf_add(out, f->data.data, f->data.len);
	arena_free(&f->arena);
}
