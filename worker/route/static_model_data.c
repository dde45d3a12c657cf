/*
 * static_model_data.c: the shipped table and its vocabulary as bytes of the program, so that routing by examples needs no download.
 *
 * The one idea: they lie in read-only pages that the kernel loads when a piece is first used and shares between processes. Their
 * version is taken by the build, or every start would read all of them.
 */
#include "worker/route/static_model.h"

#include "static_model_version.h"

__asm__(".pushsection .rodata\n"
        ".balign 64\n"
        "static_model_table_begin:\n"
        ".incbin \"deploy/models/static-minilm-256-int8.safetensors\"\n"
        "static_model_table_end:\n"
        "static_model_vocabulary_begin:\n"
        ".incbin \"deploy/models/vocab.txt\"\n"
        "static_model_vocabulary_end:\n"
        ".popsection\n");

extern const char static_model_table_begin[], static_model_table_end[];
extern const char static_model_vocabulary_begin[], static_model_vocabulary_end[];

enum rc static_model_builtin(struct arena *arena, struct static_model **ret, struct err *err)
{
	struct str table = {static_model_table_begin, (size_t)(static_model_table_end - static_model_table_begin)};
	struct str vocabulary = {static_model_vocabulary_begin, (size_t)(static_model_vocabulary_end - static_model_vocabulary_begin)};
	return static_model_open(table, vocabulary, STR(STATIC_MODEL_VERSION), arena, ret, err);
}
