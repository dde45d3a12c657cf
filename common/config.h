/*
 * config.h: YAML with positions, and option tables that check, fill structs and document themselves.
 *
 * A table of `struct option` describes one map: name, kind, where in the struct, default, words for the reference. config_bind
 * walks the map by the table: unknown keys, duplicates, wrong kinds and values out of range are errors with
 * file:line:column, the line, a caret and "did you mean".
 *
 * Thread: one at a time per arena. Memory: nodes and values live in the arena given; texts are copied.
 */
#ifndef COMMON_CONFIG_H
#define COMMON_CONFIG_H

#include <stdbool.h>
#include <stddef.h>

#include "common/arena.h"
#include "common/err.h"

enum node_kind { NODE_NULL, NODE_SCALAR, NODE_LIST, NODE_MAP };

struct config_source { /* one file's text; kept for messages */
	const char *name;
	struct str text;
};
struct node {
	enum node_kind kind;
	bool quoted; /* a quoted scalar is never null, true or a number */
	unsigned line, column; /* from 1 */
	unsigned width;        /* of the token, for the caret */
	struct str scalar;     /* after ${VAR} */
	struct node_entry {
		struct node *key; /* NULL in lists */
		struct node *value;
	} *entries;
	unsigned count;
	const struct config_source *source;
};

/* Depth <= 32, size <= 4 MiB, anchors and tags refused, duplicate keys refused. ${VAR} in scalars is replaced from the
 * environment (an unset one is an error; $$ is a dollar). */
enum rc config_parse(struct arena *arena, const char *name, struct str text, const struct node **ret, struct err *err);
enum rc config_load(struct arena *arena, const char *path, const struct node **ret, struct err *err);
/* NULL when map has no such key (or is no map). */
const struct node *config_get(const struct node *map, const char *key);
/* Fills err with "file:line:column: error: ...", the line and a caret under the node. Returns RC_BAD_INPUT. */
enum rc config_error(const struct node *at, struct err *err, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* The best of count names within distance, or NULL. name_at(ctx, i) gives the i-th. */
const char *config_suggest(struct str word, const char *(*name_at)(const void *ctx, unsigned i), const void *ctx, unsigned count);

enum option_kind {
	OPTION_STR,       /* struct str */
	OPTION_BOOL,      /* bool */
	OPTION_I64,       /* int64_t; plain, or with k, M, G (decimal) */
	OPTION_U32,       /* uint32_t */
	OPTION_BYTES,     /* size_t; with B, KB, KiB, MB, MiB, GiB */
	OPTION_DURATION,  /* int64_t milliseconds; with ms, s, m, h, d */
	OPTION_DOUBLE,    /* double */
	OPTION_ENUM,      /* int; choices "a|b|c" in order of the enum */
	OPTION_STR_LIST,  /* struct str_list; a single scalar is a list of one */
	OPTION_PAIRS,     /* struct pair_list: map of scalars */
	OPTION_SECTION,   /* nested struct: table in sub */
	OPTION_CUSTOM     /* parse(node, field, arena, err) */
};

struct option {
	const char *name;
	enum option_kind kind;
	size_t offset;
	const char *fallback; /* default as text; NULL: stays zero (absent) */
	const char *doc;      /* one or two sentences, with the unit */
	const char *choices;  /* OPTION_ENUM */
	double min, max;      /* numbers, bytes, ms; both 0: unbounded */
	bool required;
	bool secret; /* never shown */
	const struct option *sub; /* OPTION_SECTION; ends with a NULL name */
	enum rc (*parse)(const struct node *node, void *field, struct arena *arena, struct err *err);
	const char *example;     /* text for the example file; NULL: the default, commented out */
	const char *schema_json; /* OPTION_CUSTOM: its JSON Schema fragment */
};

/* map may be NULL (all defaults). out is zeroed by the caller. */
enum rc config_bind(const struct option *table, const struct node *map, void *out, struct arena *arena, struct err *err);

#endif
