/*
 * avro_canonical.c: Parsing Canonical Form and the CRC-64-AVRO fingerprint.
 *
 * The one idea: the tree holds just what the canonical form keeps, so it is written from the tree; a named type is spelled
 * out where it comes first and named from then on. Source: Apache Avro specification 1.11.
 */
#include "worker/wire/avro_canonical.h"

#include <stdlib.h>

#include "common/json.h"

static void write_type(struct buf *out, const struct avro_type *type, bool *written);

static void write_fields(struct buf *out, const struct avro_type *type, bool *written)
{
	buf_cstr(out, ",\"fields\":[");
	for (uint32_t i = 0; i < type->count; i++) {
		buf_cstr(out, i == 0 ? "{\"name\":" : ",{\"name\":");
		json_write_str(out, type->names[i]);
		buf_cstr(out, ",\"type\":");
		write_type(out, type->items[i], written);
		buf_char(out, '}');
	}
	buf_char(out, ']');
}

static void write_named(struct buf *out, const struct avro_type *type, bool *written)
{
	if (written[type->named_index]) {
		json_write_str(out, type->name);
		return;
	}
	written[type->named_index] = true;
	buf_cstr(out, "{\"name\":");
	json_write_str(out, type->name);
	buf_cstr(out, ",\"type\":\"");
	buf_cstr(out, avro_kind_name(type->kind));
	buf_char(out, '"');
	if (type->kind == KIND_RECORD) {
		write_fields(out, type, written);
	} else if (type->kind == KIND_ENUM) {
		buf_cstr(out, ",\"symbols\":[");
		for (uint32_t i = 0; i < type->count; i++) {
			if (i != 0)
				buf_char(out, ',');
			json_write_str(out, type->names[i]);
		}
		buf_char(out, ']');
	} else {
		buf_cstr(out, ",\"size\":");
		buf_i64(out, (int64_t)type->fixed_bytes);
	}
	buf_char(out, '}');
}

static void write_type(struct buf *out, const struct avro_type *type, bool *written)
{
	switch (type->kind) {
	case KIND_RECORD:
	case KIND_ENUM:
	case KIND_FIXED: write_named(out, type, written); break;
	case KIND_ARRAY:
	case KIND_MAP:
		buf_cstr(out, type->kind == KIND_ARRAY ? "{\"type\":\"array\",\"items\":" : "{\"type\":\"map\",\"values\":");
		write_type(out, type->items[0], written);
		buf_char(out, '}');
		break;
	case KIND_UNION:
		buf_char(out, '[');
		for (uint32_t i = 0; i < type->count; i++) {
			if (i != 0)
				buf_char(out, ',');
			write_type(out, type->items[i], written);
		}
		buf_char(out, ']');
		break;
	default:
		buf_char(out, '"');
		buf_cstr(out, avro_kind_name(type->kind));
		buf_char(out, '"');
	}
}

void avro_schema_canonical(const struct avro_schema *schema, struct buf *out)
{
	bool *written = heap_zalloc(schema->named_count, sizeof *written);
	write_type(out, schema->root, written);
	free(written);
}

uint64_t avro_crc64(struct str text)
{
	const uint64_t empty = UINT64_C(0xc15d213aa4d7a795);
	uint64_t fp = empty;
	for (size_t i = 0; i < text.len; i++) {
		fp ^= (unsigned char)text.data[i];
		for (int bit = 0; bit < 8; bit++) /* the specification's table, computed: schemas are few */
			fp = (fp >> 1) ^ (empty & (0 - (fp & 1)));
	}
	return fp;
}
