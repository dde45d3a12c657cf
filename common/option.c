/*
 * option.c: a map against its table.
 *
 * The one idea: the table is the only place that knows a setting. Binding walks the map once to refuse what the table does
 * not know and then the table once to fill the struct, so a default goes the same way as a given value.
 *
 * Numbers and their units are read in option_value.c; the texts that a table writes about itself are in option_write.c.
 */
#include "common/option.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/option_value.h"

enum { LONGEST_PATH = 128 };

struct scope { /* where in the file a table is bound: for names and places in messages */
	const struct scope *outer;
	const char *name;      /* NULL at the root */
	const struct node *at; /* the section's key, or the nearest node there is */
	struct arena *arena;
	struct err *err;
	bool no_secrets; /* one that cannot be read is left out */
};

static const char *const secret_suffixes[] = {"", "_env", "_file"};

static bool answers_to(const struct config_option *o, struct str key)
{
	if (o->kind != OPTION_SECRET)
		return str_is(key, o->name);
	struct str name = str_of(o->name);
	for (unsigned i = 0; i < 3; i++)
		if (str_starts(key, name) && str_is((struct str){key.data + name.len, key.len - name.len}, secret_suffixes[i]))
			return true;
	return false;
}

struct names { /* of a table, its secrets with their suffixes, for suggestions */
	const char **items;
	unsigned count;
};

static struct names names_of(const struct config_option *table, struct arena *arena)
{
	struct names names = {0};
	unsigned rows = 0;
	while (table[rows].name != NULL)
		rows++;
	names.items = arena_array(arena, (size_t)rows * 3 + 1, sizeof *names.items);
	for (const struct config_option *o = table; o->name != NULL; o++)
		for (unsigned i = 0; i < (o->kind == OPTION_SECRET ? 3u : 1u); i++)
			names.items[names.count++] = arena_printf(arena, "%s%s", o->name, secret_suffixes[i]).data;
	return names;
}

static const char *name_at(const void *ctx, unsigned i)
{
	return ((const struct names *)ctx)->items[i];
}

static enum rc refuse_unknown(const struct config_option *table, const struct node *map, const struct scope *scope)
{
	for (unsigned i = 0; i < map->count; i++) {
		const struct config_option *o = table;
		while (o->name != NULL && !answers_to(o, map->entries[i].key->scalar))
			o++;
		if (o->name == NULL) {
			struct names names = names_of(table, scope->arena);
			return config_error_unknown(map->entries[i].key, scope->err, "setting", name_at, &names, names.count);
		}
	}
	return RC_OK;
}

/* "kafka.brokers" */
static void write_path(const struct scope *scope, const char *name, char path[LONGEST_PATH])
{
	struct str parts[8];
	unsigned count = 0;
	for (; scope != NULL && count < 8; scope = scope->outer)
		if (scope->name != NULL)
			parts[count++] = str_of(scope->name);
	size_t n = 0;
	path[0] = '\0';
	while (count > 0 && n < LONGEST_PATH) {
		count--;
		n += (size_t)snprintf(path + n, LONGEST_PATH - n, "%.*s.", STR_ARG(parts[count]));
	}
	if (n < LONGEST_PATH)
		(void)snprintf(path + n, LONGEST_PATH - n, "%s", name); /* cut on purpose */
}

static enum rc refuse_missing(const struct config_option *o, const struct scope *scope)
{
	char path[LONGEST_PATH], hint[256];
	const char *value = o->example != NULL ? o->example : o->fallback;
	write_path(scope, o->name, path);
	if (value != NULL && strchr(value, '\n') == NULL)
		(void)snprintf(hint, sizeof hint, "add \"%s: %s\"%s%s", o->name, value, scope->name != NULL ? " to " : "",
		               scope->name != NULL ? scope->name : ""); /* cut on purpose */
	else
		(void)snprintf(hint, sizeof hint, "add \"%s\"", o->name); /* fits */
	return config_error_hint(scope->at, scope->err, hint, "\"%s\" is missing", path);
}

static enum rc bind_str_list(const struct config_option *o, const struct node *node, struct str_list *out, const struct scope *scope)
{
	struct node_entry self = {.value = (struct node *)(uintptr_t)node}; /* only read below */
	bool one = node->kind == NODE_SCALAR;
	if (!one && node->kind != NODE_LIST)
		return config_error(node, scope->err, "\"%s\" is a list of texts", o->name);
	unsigned count = one ? 1 : node->count;
	const struct node_entry *entries = one ? &self : node->entries;
	struct str_list list = {.items = arena_array(scope->arena, count, sizeof *list.items), .count = count};
	for (unsigned i = 0; i < count; i++) {
		if (entries[i].value->kind != NODE_SCALAR)
			return config_error(entries[i].value, scope->err, "a text is expected in the list \"%s\"", o->name);
		list.items[i] = arena_str(scope->arena, entries[i].value->scalar);
	}
	*out = list;
	return RC_OK;
}

static enum rc bind_pairs(const struct config_option *o, const struct node *node, struct pair_list *out, const struct scope *scope)
{
	if (node->kind != NODE_MAP)
		return config_error(node, scope->err, "\"%s\" is a map of names and values", o->name);
	struct pair_list list = {.items = arena_array(scope->arena, node->count, sizeof *list.items), .count = node->count};
	for (unsigned i = 0; i < node->count; i++) {
		const struct node *value = node->entries[i].value;
		if (value->kind != NODE_SCALAR)
			return config_error(value, scope->err, "a single value is expected for \"%.*s\"", STR_ARG(node->entries[i].key->scalar));
		list.items[i] = (struct pair){arena_str(scope->arena, node->entries[i].key->scalar), arena_str(scope->arena, value->scalar), value};
	}
	*out = list;
	return RC_OK;
}

static enum rc read_secret(unsigned form, const struct node *node, struct str *ret, const struct scope *scope)
{
	if (node->kind != NODE_SCALAR)
		return config_error(node, scope->err, "a single value is expected here");
	if (form == 2)
		return config_read_first_line(scope->arena, node, ret, scope->err);
	struct str value = node->scalar;
	if (form == 1) {
		value = str_of(getenv(arena_cstr(scope->arena, node->scalar)));
		if (value.data == NULL)
			return config_error(node, scope->err, "the environment variable \"%.*s\" is not set", STR_ARG(node->scalar));
	}
	if (value.len == 0)
		return config_error(node, scope->err, form == 1 ? "this environment variable is empty" : "this secret is empty");
	*ret = value;
	return RC_OK;
}

static enum rc bind_secret(const struct config_option *o, const struct node *map, struct str *out, const struct scope *scope)
{
	const struct node *given = NULL;
	for (unsigned form = 0; form < 3; form++) {
		struct str name = arena_printf(scope->arena, "%s%s", o->name, secret_suffixes[form]), value;
		const struct node *node = config_get(map, name.data);
		if (node == NULL || node->kind == NODE_NULL)
			continue;
		if (given != NULL)
			return config_error(node, scope->err, "\"%s\" is given twice, in line %u and here", o->name, given->line);
		given = node;
		struct err ignored;
		struct scope lenient = *scope;
		if (scope->no_secrets)
			lenient.err = &ignored;
		enum rc rc = read_secret(form, node, &value, &lenient);
		if (rc != RC_OK && scope->no_secrets)
			continue;
		if (rc != RC_OK)
			return rc;
		*out = arena_str(scope->arena, value);
	}
	return given == NULL && o->required ? refuse_missing(o, scope) : RC_OK;
}

static enum rc bind_table(const struct config_option *table, const struct node *map, char *out, const struct scope *scope);

static enum rc bind_maps(const struct config_option *o, const struct node *node, void *field, const struct scope *scope)
{
	if (node->kind != NODE_LIST)
		return config_error_hint(node, scope->err, "begin each with a dash", "\"%s\" is a list of maps", o->name);
	char *items = arena_array(scope->arena, node->count, o->item_bytes);
	for (unsigned i = 0; i < node->count; i++) {
		const struct node *item = node->entries[i].value;
		struct scope inner = {scope, o->name, item, scope->arena, scope->err, scope->no_secrets};
		enum rc rc = bind_table(o->sub, item, items + i * o->item_bytes, &inner);
		if (rc != RC_OK)
			return rc;
	}
	memcpy(field, &items, sizeof items); /* the field is a pointer to some struct; all look alike */
	memcpy((char *)field + sizeof items, &node->count, sizeof node->count);
	return RC_OK;
}

static const struct node *key_of(const struct node *map, const char *name)
{
	for (unsigned i = 0; map != NULL && map->kind == NODE_MAP && i < map->count; i++)
		if (str_is(map->entries[i].key->scalar, name))
			return map->entries[i].key;
	return NULL;
}

static enum rc bind_one(const struct config_option *o, const struct node *map, char *out, const struct scope *scope)
{
	void *field = out + o->offset;
	const struct node *node = config_get(map, o->name);
	if (node != NULL && node->kind == NODE_NULL)
		node = NULL;
	if (o->kind == OPTION_SECRET)
		return bind_secret(o, map, field, scope);
	if (o->kind == OPTION_SECTION) {
		const struct node *key = key_of(map, o->name);
		struct scope inner = {scope, o->name, key != NULL ? key : scope->at, scope->arena, scope->err, scope->no_secrets};
		return bind_table(o->sub, node, field, &inner);
	}
	if (node == NULL && o->required && o->fallback == NULL)
		return refuse_missing(o, scope);
	if (node == NULL)
		return o->fallback != NULL && o->kind != OPTION_CUSTOM ? option_read_scalar(o, NULL, str_of(o->fallback), field, scope->arena, scope->err) : RC_OK;
	switch (o->kind) {
	case OPTION_STR_LIST: return bind_str_list(o, node, field, scope);
	case OPTION_PAIRS: return bind_pairs(o, node, field, scope);
	case OPTION_MAPS: return bind_maps(o, node, field, scope);
	case OPTION_CUSTOM: return o->parse(node, field, scope->arena, scope->err);
	default:
		if (node->kind != NODE_SCALAR)
			return config_error(node, scope->err, "a single value is expected for \"%s\", not a %s", o->name,
			                    node->kind == NODE_LIST ? "list" : "map");
		return option_read_scalar(o, node, node->scalar, field, scope->arena, scope->err);
	}
}

static enum rc bind_table(const struct config_option *table, const struct node *map, char *out, const struct scope *scope)
{
	if (map != NULL && map->kind == NODE_NULL)
		map = NULL;
	if (map != NULL && map->kind != NODE_MAP)
		return config_error(map, scope->err, "a map of settings is expected%s%s", scope->name != NULL ? " for " : " here",
		                    scope->name != NULL ? scope->name : "");
	enum rc rc = map != NULL ? refuse_unknown(table, map, scope) : RC_OK;
	for (const struct config_option *o = table; rc == RC_OK && o->name != NULL; o++)
		rc = bind_one(o, map, out, scope);
	return rc;
}

enum rc config_bind(const struct config_option *table, const struct node *map, void *out, struct arena *arena, struct err *err)
{
	struct scope root = {.at = map, .arena = arena, .err = err};
	return bind_table(table, map, out, &root);
}

enum rc config_bind_no_secrets(const struct config_option *table, const struct node *map, void *out, struct arena *arena, struct err *err)
{
	struct scope root = {.at = map, .arena = arena, .err = err, .no_secrets = true};
	return bind_table(table, map, out, &root);
}
