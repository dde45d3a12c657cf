/*
 * safetensors.h: tensors in a file of the safetensors format (github.com/huggingface/safetensors, "Format"): 8 bytes little-endian
 * length, a JSON header, the bytes of the tensors.
 *
 * Thread: any. Pure. The tensors point into the file.
 */
#ifndef ROUTE_SAFETENSORS_H
#define ROUTE_SAFETENSORS_H

#include "common/arena.h"
#include "common/err.h"

enum { SAFETENSORS_MAX_HEADER = 1 << 20, SAFETENSORS_MAX_DIMS = 2 };
enum tensor_type { TENSOR_I8, TENSOR_F32, TENSOR_I32 };

struct tensor {
	enum tensor_type type;
	uint64_t rows, columns; /* columns 1 where it has one dimension */
	const unsigned char *bytes; /* not aligned; numbers little-endian */
};

struct safetensors {
	struct str data;
	const struct json *header;
};

/* The header is parsed into the arena. RC_BAD_INPUT with the reason. */
enum rc safetensors_open(struct str file, struct arena *arena, struct safetensors *ret, struct err *err);
/* RC_BAD_INPUT when it is missing, of another type, or not wholly inside the file. */
enum rc safetensors_find(const struct safetensors *s, const char *name, enum tensor_type type, struct tensor *ret, struct err *err);

/* Rows of int8, each with its own scale: a pair of tensors. */
struct tensor_rows {
	const int8_t *values;
	const unsigned char *scale; /* float32, finite */
	uint32_t count, columns;
};
/* RC_BAD_INPUT when either is missing, they do not fit together, or a scale is no finite number. */
enum rc safetensors_rows(const struct safetensors *s, const char *values, const char *scale, struct tensor_rows *ret, struct err *err);

/* A text of the file's metadata; data NULL: there is none of that name. */
struct str safetensors_metadata(const struct safetensors *s, const char *name);

static inline int32_t tensor_int(const unsigned char *bytes, uint64_t index)
{
	int32_t n;
	memcpy(&n, bytes + index * sizeof n, sizeof n);
	return n;
}
static inline float tensor_float(const unsigned char *bytes, uint64_t index)
{
	float f;
	memcpy(&f, bytes + index * sizeof f, sizeof f);
	return f;
}

#endif
