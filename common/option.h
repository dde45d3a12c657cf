/*
 * option.h: tables of `struct config_option` that check a YAML map, fill a struct and write their own documentation.
 *
 * A table describes one map: name, kind, where in the struct, default, words for the reference; it ends with a NULL name.
 * Unknown keys, wrong kinds and values out of range are errors with position and advice (config.h).
 *
 * Thread: one at a time per arena. Memory: texts are copied into the arena given.
 */
#ifndef COMMON_OPTION_H
#define COMMON_OPTION_H

#include "common/config.h"

enum option_kind {
	OPTION_STR,       /* struct str */
	OPTION_BOOL,      /* bool */
	OPTION_I64,       /* int64_t; plain, or with k, M, G (decimal) */
	OPTION_U32,       /* uint32_t; likewise */
	OPTION_BYTES,     /* size_t; with B, KB, KiB, MB, MiB, GB, GiB */
	OPTION_DURATION,  /* int64_t milliseconds; with ms, s, m, h, d */
	OPTION_DOUBLE,    /* double */
	OPTION_ENUM,      /* int; choices "a|b|c" in order of the enum; an empty choice is skipped */
	OPTION_STR_LIST,  /* struct str_list; a single scalar is a list of one */
	OPTION_PAIRS,     /* struct pair_list: map of scalars */
	OPTION_SECTION,   /* nested struct: table in sub, its offsets from this offset */
	OPTION_MAPS,      /* list of maps: table in sub; the field is a pointer to structs of item_bytes, then a uint32_t count */
	OPTION_SECRET,    /* struct str; the value as NAME, NAME_env (a variable) or NAME_file (a file's first line) */
	OPTION_CUSTOM     /* parse(node, field, arena, err); its fallback is only shown: the caller sets it before */
};

struct config_option {
	const char *name;
	enum option_kind kind;
	size_t offset;
	const char *fallback; /* default as text; NULL: stays zero (absent) */
	const char *doc;      /* one or two sentences, with the unit */
	const char *choices;  /* OPTION_ENUM */
	double min, max;      /* numbers, bytes, ms; both 0: unbounded */
	bool required;
	bool secret; /* never shown; for OPTION_PAIRS the values */
	const struct config_option *sub; /* OPTION_SECTION, OPTION_MAPS; ends with a NULL name */
	enum rc (*parse)(const struct node *node, void *field, struct arena *arena, struct err *err);
	const char *example;     /* text for the example file; NULL: the default, commented out */
	const char *schema_json; /* OPTION_CUSTOM: its JSON Schema fragment */
	size_t item_bytes;       /* OPTION_MAPS */
	void (*show)(const void *field, struct buf *out); /* OPTION_CUSTOM: the value as YAML flow text */
};

/* map may be NULL (all defaults). out is zeroed by the caller. */
enum rc config_bind(const struct config_option *table, const struct node *map, void *out, struct arena *arena, struct err *err);
/* The same, but a secret whose variable or file is missing stays absent. */
enum rc config_bind_no_secrets(const struct config_option *table, const struct node *map, void *out, struct arena *arena, struct err *err);

/* "64", "4 MB", "10s" read as the kind's number, in its unit. false: no such number or unit. */
bool option_number(enum option_kind kind, struct str text, double *ret);

/* What a table says of itself. */
void option_write_example(const struct config_option *table, struct buf *out);
void option_write_reference(const struct config_option *table, struct buf *out); /* Markdown, one table per section */
void option_write_schema(const struct config_option *table, const char *title, struct buf *out); /* JSON Schema 2020-12 */
/* The bound struct as YAML; secrets, and passwords inside URLs, as "***". */
void option_write_effective(const struct config_option *table, const void *values, struct buf *out);

#endif
