/*
 * config.h: YAML with positions. The option tables that check maps, fill structs and document themselves are in option.h,
 * which comes with this header.
 *
 * Errors read like a compiler's: file:line:column, the line, a caret under the word, and a hint ("did you mean") behind it.
 *
 * Thread: one at a time per arena. Memory: nodes and values live in the arena given; texts are copied. A path is opened
 * as it stands.
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
	unsigned line, column; /* from 1; columns count characters */
	unsigned width;        /* of the token, for the caret; at least 1 */
	struct str scalar;     /* after ${VAR} */
	struct node_entry {
		struct node *key; /* NULL in lists */
		struct node *value;
	} *entries;
	unsigned count;
	const struct config_source *source;
};

struct str_list {
	struct str *items;
	uint32_t count;
};
struct pair { /* of a YAML map of scalars */
	struct str name, value;
	const struct node *at; /* the value's, for messages */
};
struct pair_list {
	struct pair *items;
	uint32_t count;
};

/* Depth <= 32, size <= 4 MiB, UTF-8 without NUL, one document, anchors and tags refused, duplicate keys refused. ${VAR} in
 * values is replaced from the environment (an unset one is an error; $$ is a dollar). An empty text is a null node. */
enum rc config_parse(struct arena *arena, const char *name, struct str text, const struct node **ret, struct err *err);
enum rc config_load(struct arena *arena, const char *path, const struct node **ret, struct err *err);
/* NULL when map has no such key (or is NULL or no map). */
const struct node *config_get(const struct node *map, const char *key);
/* A file named in the configuration: relative paths start at the folder of the file that holds the node. */
struct str config_path(struct arena *arena, const struct node *at, struct str path);
/* A whole file of at most max_bytes, a NUL behind it. Errors name the path: RC_BAD_INPUT. */
enum rc config_read_file(struct arena *arena, const char *path, size_t max_bytes, struct str *ret, struct err *err);
/* The first line of the file that node names, as secrets are kept; it may not be empty. */
enum rc config_read_first_line(struct arena *arena, const struct node *node, struct str *ret, struct err *err);

/* Fills err with "file:line:column: error: ...", the line and a caret under the node. Returns RC_BAD_INPUT. */
enum rc config_error(const struct node *at, struct err *err, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* The same with a hint behind the caret; hint may be NULL. */
enum rc config_error_hint(const struct node *at, struct err *err, const char *hint, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* Gives the i-th name. */
typedef const char *config_name_at(const void *ctx, unsigned i);
/* `unknown WHAT "word"` at the node that holds the word, with the nearest of count names as the hint. */
enum rc config_error_unknown(const struct node *at, struct err *err, const char *what, config_name_at *name_at, const void *ctx, unsigned count);
/* The best of count names within a distance that a slip of the finger makes, or NULL. */
const char *config_suggest(struct str word, config_name_at *name_at, const void *ctx, unsigned count);

#include "common/option.h"

#endif
