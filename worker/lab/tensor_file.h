/*
 * tensor_file.h: a file of the safetensors format (github.com/huggingface/safetensors, "Format") being written; route/safetensors.h reads
 * it. The same calls give the same bytes.
 *
 * Thread: any. Pure.
 */
#ifndef LAB_TENSOR_FILE_H
#define LAB_TENSOR_FILE_H

#include "common/arena.h"
#include "worker/route/safetensors.h"

struct tensor_file {
	struct arena arena;
	struct buf header, data;
};

/* settings: what the file must know of itself, as the metadata entry "pointsman". */
void tensor_file_begin(struct tensor_file *f, struct str settings);
/* Copies rows * columns numbers. columns 0: the tensor has one dimension, with a number a row. */
void tensor_file_add(struct tensor_file *f, const char *name, enum tensor_type type, size_t rows, size_t columns, const void *numbers);
/* Adds the whole to out, and frees f. */
void tensor_file_end(struct tensor_file *f, struct buf *out);

#endif
