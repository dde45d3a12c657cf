/*
 * json.c: reads JSON from strangers into a tree.
 *
 * The one idea: no recursion and one growing stack. Values wait on the stack until their list or map closes and then move
 * into the arena as one array, so the tree is compact and the depth of the input costs nothing but stack entries, which
 * are counted before they are taken. An open list or map keeps the place of the one around it in its count until it closes.
 *
 * Strings are read in json_string.c. Numbers are not built: they keep their text, and json_access.c reads that when asked.
 */
#include "common/json.h"

#include <stdlib.h>
#include <string.h>

#include "common/hmac.h"
#include "common/json_cursor.h"

enum { DEFAULT_DEPTH = 64, DEFAULT_NODES = 1000000, FIRST_ENTRIES = 48, PAIRWISE_MEMBERS = 16 };
#define NONE UINT32_MAX

struct entry {
	struct str key;
	struct json value;
};

struct reader {
	struct json_cursor at;
	struct json_limits limits;
	struct str key;   /* of the member whose value comes next */
	uint32_t open;    /* the innermost open list or map on the stack; NONE */
	uint32_t depth, nodes;
	struct entry *stack;
	uint32_t count, cap;
	struct entry first[FIRST_ENTRIES]; /* the stack until it grows onto the heap */
};

static enum rc refuse_at(const struct reader *r, const char *where, const char *what)
{
	return json_refuse(&r->at, where, what);
}

static void skip_space(struct reader *r)
{
	while (r->at.p < r->at.end && (*r->at.p == ' ' || *r->at.p == '\n' || *r->at.p == '\t' || *r->at.p == '\r'))
		r->at.p++;
}

static bool skip_digits(struct reader *r)
{
	const char *begin = r->at.p;
	while (r->at.p < r->at.end && *r->at.p >= '0' && *r->at.p <= '9')
		r->at.p++;
	return r->at.p != begin;
}

static enum rc read_number(struct reader *r, struct str *ret)
{
	const char *begin = r->at.p;
	if (*r->at.p == '-')
		r->at.p++;
	if (r->at.p < r->at.end && *r->at.p == '0')
		r->at.p++;
	else if (!skip_digits(r))
		return refuse_at(r, begin, "not a value");
	if (r->at.p < r->at.end && *r->at.p == '.') {
		r->at.p++;
		if (!skip_digits(r))
			return refuse_at(r, r->at.p, "a digit must follow the decimal point");
	}
	if (r->at.p < r->at.end && (*r->at.p == 'e' || *r->at.p == 'E')) {
		r->at.p++;
		if (r->at.p < r->at.end && (*r->at.p == '+' || *r->at.p == '-'))
			r->at.p++;
		if (!skip_digits(r))
			return refuse_at(r, r->at.p, "a digit must follow in the exponent");
	}
	*ret = (struct str){begin, (size_t)(r->at.p - begin)};
	return RC_OK;
}

static enum rc read_word(struct reader *r, struct str word, enum json_kind kind, struct json *ret)
{
	if (!str_starts((struct str){r->at.p, (size_t)(r->at.end - r->at.p)}, word))
		return refuse_at(r, r->at.p, "not a value");
	ret->text = (struct str){r->at.p, word.len};
	r->at.p += word.len;
	ret->kind = kind;
	return RC_OK;
}

/* Puts an entry under the pending key onto the stack. NULL when the node count is used up. */
static struct json *push(struct reader *r)
{
	if (r->nodes == r->limits.max_nodes) {
		(void)err_set(r->at.err, RC_BAD_INPUT, "offset %zu: more than %u values", (size_t)(r->at.p - r->at.start), r->limits.max_nodes); /* the caller returns it */
		return NULL;
	}
	r->nodes++;
	if (r->count == r->cap) {
		struct entry *old = r->stack == r->first ? NULL : r->stack;
		r->stack = heap_resize(old, (size_t)r->cap * 2, sizeof *r->stack);
		if (old == NULL)
			memcpy(r->stack, r->first, sizeof r->first);
		r->cap = r->cap > NONE / 2 ? NONE : r->cap * 2;
	}
	struct entry *e = &r->stack[r->count++];
	*e = (struct entry){.key = r->key};
	r->key = STR_NULL;
	return &e->value;
}

/* A secret multiplier makes a set of colliding names unguessable; the 128-bit product is folded so that all bits count. */
static uint64_t hash_name(struct str name, const uint64_t secret[2])
{
	uint64_t h = secret[0] ^ name.len;
	for (size_t i = 0; i < name.len; i += 8) {
		uint64_t word = 0;
		memcpy(&word, name.data + i, name.len - i < 8 ? name.len - i : 8);
		unsigned __int128 product = (unsigned __int128)(h ^ word) * (secret[1] | 1);
		h = (uint64_t)product ^ (uint64_t)(product >> 64);
	}
	return h;
}

/* The position of a name that came before, or NONE. */
static uint32_t find_duplicate(const struct entry *members, uint32_t count)
{
	if (count <= PAIRWISE_MEMBERS) {
		for (uint32_t i = 1; i < count; i++)
			for (uint32_t j = 0; j < i; j++)
				if (str_eq(members[i].key, members[j].key))
					return i;
		return NONE;
	}
	uint64_t secret[2], slots = 64;
	random_bytes(secret, sizeof secret);
	while (slots < (uint64_t)count * 2)
		slots *= 2;
	uint32_t *table = heap_zalloc(slots, sizeof *table), found = NONE; /* holds position + 1 */
	for (uint32_t i = 0; i < count && found == NONE; i++) {
		uint64_t at = hash_name(members[i].key, secret) & (slots - 1);
		for (; table[at] != 0; at = (at + 1) & (slots - 1)) {
			if (str_eq(members[table[at] - 1].key, members[i].key)) {
				found = i;
				break;
			}
		}
		table[at] = i + 1;
	}
	free(table);
	return found;
}

/* r->at.p is behind the bracket. Moves the values that wait above the open one into the arena. */
static enum rc close_container(struct reader *r)
{
	struct json *j = &r->stack[r->open].value;
	const struct entry *members = &r->stack[r->open + 1];
	uint32_t count = r->count - r->open - 1, around = j->count;
	if (j->kind == JSON_MAP && count > 1) {
		uint32_t twice = find_duplicate(members, count);
		if (twice != NONE)
			return err_set(r->at.err, RC_BAD_INPUT, "offset %zu: the name \"%.*s\" stands twice in one map",
			               (size_t)(j->text.data - r->at.start), members[twice].key.len < 64 ? (int)members[twice].key.len : 64,
			               members[twice].key.data);
	}
	j->text.len = (size_t)(r->at.p - j->text.data);
	j->count = count;
	if (count != 0) {
		j->items = arena_alloc(r->at.arena, count * sizeof *j->items);
		for (uint32_t i = 0; i < count; i++)
			j->items[i] = members[i].value;
	}
	if (count != 0 && j->kind == JSON_MAP) {
		j->keys = arena_alloc(r->at.arena, count * sizeof *j->keys);
		for (uint32_t i = 0; i < count; i++)
			j->keys[i] = members[i].key;
	}
	r->count = r->open + 1;
	r->open = around;
	r->depth--;
	return RC_OK;
}

static enum rc read_key(struct reader *r)
{
	skip_space(r);
	if (r->at.p == r->at.end || *r->at.p != '"')
		return refuse_at(r, r->at.p, "a name in quotes is expected");
	r->at.p++;
	enum rc rc = json_read_string(&r->at, &r->key);
	if (rc != RC_OK)
		return rc;
	skip_space(r);
	if (r->at.p == r->at.end || *r->at.p != ':')
		return refuse_at(r, r->at.p, "a colon must follow a name");
	r->at.p++;
	return RC_OK;
}

static enum rc open_container(struct reader *r, struct json *j, bool *ret_complete)
{
	if (r->depth == r->limits.max_depth)
		return err_set(r->at.err, RC_BAD_INPUT, "offset %zu: nested deeper than %u", (size_t)(r->at.p - r->at.start), r->limits.max_depth);
	r->depth++;
	j->kind = *r->at.p == '{' ? JSON_MAP : JSON_LIST;
	j->text.data = r->at.p;
	j->count = r->open;
	r->open = r->count - 1;
	r->at.p++;
	skip_space(r);
	if (r->at.p < r->at.end && *r->at.p == (j->kind == JSON_MAP ? '}' : ']')) {
		r->at.p++;
		*ret_complete = true;
		return close_container(r);
	}
	*ret_complete = false;
	return j->kind == JSON_MAP ? read_key(r) : RC_OK;
}

/* One scalar, or the opening of a list or map (then *ret_complete is false unless it is empty). */
static enum rc read_value(struct reader *r, bool *ret_complete)
{
	skip_space(r);
	if (r->at.p == r->at.end)
		return refuse_at(r, r->at.p, "a value is expected, but the text ends");
	struct json *j = push(r);
	if (j == NULL)
		return RC_BAD_INPUT;
	*ret_complete = true;
	switch (*r->at.p) {
	case '{':
	case '[': return open_container(r, j, ret_complete);
	case '"':
		r->at.p++;
		j->kind = JSON_STRING;
		return json_read_string(&r->at, &j->text);
	case 't': return read_word(r, STR("true"), JSON_TRUE, j);
	case 'f': return read_word(r, STR("false"), JSON_FALSE, j);
	case 'n': return read_word(r, STR("null"), JSON_NULL, j);
	default:
		j->kind = JSON_NUMBER;
		return read_number(r, &j->text);
	}
}

/* What may stand behind a value: closing brackets, then a comma or the end. */
static enum rc read_after_value(struct reader *r)
{
	while (r->open != NONE) {
		bool map = r->stack[r->open].value.kind == JSON_MAP;
		skip_space(r);
		if (r->at.p == r->at.end)
			return refuse_at(r, r->at.p, map ? "the text ends inside a map" : "the text ends inside a list");
		char c = *r->at.p;
		if (c != ',' && c != (map ? '}' : ']'))
			return refuse_at(r, r->at.p, map ? "a comma or } is expected" : "a comma or ] is expected");
		r->at.p++;
		if (c == ',')
			return map ? read_key(r) : RC_OK;
		enum rc rc = close_container(r);
		if (rc != RC_OK)
			return rc;
	}
	return RC_OK;
}

static enum rc read_document(struct reader *r)
{
	do {
		bool complete = false;
		enum rc rc = read_value(r, &complete);
		if (rc == RC_OK && complete)
			rc = read_after_value(r);
		if (rc != RC_OK)
			return rc;
	} while (r->open != NONE);
	skip_space(r);
	return r->at.p == r->at.end ? RC_OK : refuse_at(r, r->at.p, "something follows the value");
}

enum rc json_parse(struct arena *arena, struct str text, struct json_limits limits, const struct json **ret, struct err *err)
{
	struct reader r;
	/* set one by one: clearing the first stack entries would cost as much as reading a small record */
	r.at.start = r.at.p = text.data != NULL ? text.data : "";
	r.at.end = r.at.start + text.len;
	r.at.arena = arena;
	r.limits.max_depth = limits.max_depth != 0 ? limits.max_depth : DEFAULT_DEPTH;
	r.limits.max_nodes = limits.max_nodes != 0 ? limits.max_nodes : DEFAULT_NODES;
	r.at.err = err;
	r.key = STR_NULL;
	r.open = NONE;
	r.depth = r.nodes = r.count = 0;
	r.stack = r.first;
	r.cap = FIRST_ENTRIES;
	enum rc rc = read_document(&r);
	if (rc == RC_OK) {
		struct json *root = arena_alloc(arena, sizeof *root);
		*root = r.stack[0].value;
		*ret = root;
	}
	if (r.stack != r.first)
		free(r.stack);
	return rc;
}
