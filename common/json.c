/*
 * json.c: reads JSON from strangers into a tree.
 *
 * The one idea: no recursion and one growing stack. Values wait on the stack until their list or map closes and then move
 * into the arena as one array, so the tree is compact and the depth of the input costs nothing but stack entries, which
 * are counted before they are taken. Strings without escapes are not copied. An open list or map keeps the place of the
 * one around it in its count until it closes.
 *
 * It does not build numbers: they keep their text, and json_number.c reads that when asked.
 */
#include "common/json.h"

#include <stdlib.h>
#include <string.h>

#include "common/hmac.h"
#include "common/json_text.h"

enum { DEFAULT_DEPTH = 64, DEFAULT_NODES = 1000000, FIRST_ENTRIES = 48, PAIRWISE_MEMBERS = 16 };
#define NONE UINT32_MAX

struct entry {
	struct str key;
	struct json value;
};

struct reader {
	const char *start, *p, *end;
	struct arena *arena;
	struct json_limits limits;
	struct err *err;
	struct str key;   /* of the member whose value comes next */
	uint32_t open;    /* the innermost open list or map on the stack; NONE */
	uint32_t depth, nodes;
	struct entry *stack;
	uint32_t count, cap;
	struct entry first[FIRST_ENTRIES]; /* the stack until it grows onto the heap */
};

static enum rc refuse_at(struct reader *r, const char *where, const char *what)
{
	return err_set(r->err, RC_BAD_INPUT, "offset %zu: %s", (size_t)(where - r->start), what);
}

static void skip_space(struct reader *r)
{
	while (r->p < r->end && (*r->p == ' ' || *r->p == '\n' || *r->p == '\t' || *r->p == '\r'))
		r->p++;
}

/* Four hexadecimal digits at p; -1 when they are not there. */
static int32_t hex4(const char *p, const char *end)
{
	if (end - p < 4)
		return -1;
	int32_t code = 0;
	for (int i = 0; i < 4; i++) {
		char c = p[i];
		int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
		if (digit < 0)
			return -1;
		code = code * 16 + digit;
	}
	return code;
}

static char *put_utf8(char *out, int32_t code)
{
	if (code < 0x80) {
		*out++ = (char)code;
	} else if (code < 0x800) {
		*out++ = (char)(0xC0 | (code >> 6));
		*out++ = (char)(0x80 | (code & 0x3F));
	} else if (code < 0x10000) {
		*out++ = (char)(0xE0 | (code >> 12));
		*out++ = (char)(0x80 | ((code >> 6) & 0x3F));
		*out++ = (char)(0x80 | (code & 0x3F));
	} else {
		*out++ = (char)(0xF0 | (code >> 18));
		*out++ = (char)(0x80 | ((code >> 12) & 0x3F));
		*out++ = (char)(0x80 | ((code >> 6) & 0x3F));
		*out++ = (char)(0x80 | (code & 0x3F));
	}
	return out;
}

/* r->p is on the u of \uXXXX. Two of them make a character beyond U+FFFF; half a pair is no character. */
static enum rc read_unicode_escape(struct reader *r, char **out)
{
	int32_t code = hex4(r->p + 1, r->end);
	if (code < 0)
		return refuse_at(r, r->p - 1, "\\u needs four hexadecimal digits");
	const char *at = r->p - 1;
	r->p += 5;
	if (code >= 0xDC00 && code <= 0xDFFF)
		return refuse_at(r, at, "the second half of a surrogate pair without its first");
	if (code >= 0xD800 && code <= 0xDBFF) {
		int32_t low = r->end - r->p >= 6 && r->p[0] == '\\' && r->p[1] == 'u' ? hex4(r->p + 2, r->end) : -1;
		if (low < 0xDC00 || low > 0xDFFF)
			return refuse_at(r, at, "the first half of a surrogate pair without its second");
		code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
		r->p += 6;
	}
	*out = put_utf8(*out, code);
	return RC_OK;
}

/* r->p is behind a backslash. */
static enum rc read_escape(struct reader *r, char **out)
{
	if (r->p == r->end)
		return refuse_at(r, r->p, "the text ends inside a string");
	char plain;
	switch (*r->p) {
	case '"': plain = '"'; break;
	case '\\': plain = '\\'; break;
	case '/': plain = '/'; break;
	case 'b': plain = '\b'; break;
	case 'f': plain = '\f'; break;
	case 'n': plain = '\n'; break;
	case 'r': plain = '\r'; break;
	case 't': plain = '\t'; break;
	case 'u': return read_unicode_escape(r, out);
	default: return refuse_at(r, r->p - 1, "no such escape");
	}
	*(*out)++ = plain;
	r->p++;
	return RC_OK;
}

/* Finds the closing quote of the string that began at r->p, to know how much room its text needs at most. */
static size_t escaped_length(const struct reader *r)
{
	const char *p = r->p;
	while (p < r->end && *p != '"')
		p += *p == '\\' && r->end - p > 1 ? 2 : 1;
	return (size_t)(p - r->p);
}

static enum rc read_escaped(struct reader *r, const char *begin, struct str *ret)
{
	char *text = arena_alloc(r->arena, (size_t)(r->p - begin) + escaped_length(r) + 1), *out = text;
	memcpy(out, begin, (size_t)(r->p - begin));
	out += r->p - begin;
	for (;;) {
		uint64_t high = 0;
		const char *run = r->p;
		r->p = json_plain_run(run, r->end, &high);
		memcpy(out, run, (size_t)(r->p - run));
		out += r->p - run;
		if (r->p == r->end)
			return refuse_at(r, r->p, "the text ends inside a string");
		char c = *r->p;
		if ((unsigned char)c < 0x20)
			return refuse_at(r, r->p, "a control character inside a string must be escaped");
		r->p++;
		if (c == '"')
			break;
		enum rc rc = read_escape(r, &out);
		if (rc != RC_OK)
			return rc;
	}
	*ret = (struct str){text, (size_t)(out - text)};
	return RC_OK;
}

/* r->p is behind the opening quote. */
static enum rc read_string(struct reader *r, struct str *ret)
{
	const char *begin = r->p;
	uint64_t high = 0;
	r->p = json_plain_run(begin, r->end, &high);
	struct str s = {begin, (size_t)(r->p - begin)};
	if (r->p < r->end && *r->p == '"') {
		r->p++;
		if (high == 0) {
			*ret = s;
			return RC_OK;
		}
	} else {
		enum rc rc = read_escaped(r, begin, &s);
		if (rc != RC_OK)
			return rc;
	}
	if (!str_utf8_valid(s))
		return refuse_at(r, begin, "the string that begins here is not UTF-8");
	*ret = s;
	return RC_OK;
}

static bool skip_digits(struct reader *r)
{
	const char *begin = r->p;
	while (r->p < r->end && *r->p >= '0' && *r->p <= '9')
		r->p++;
	return r->p != begin;
}

static enum rc read_number(struct reader *r, struct str *ret)
{
	const char *begin = r->p;
	if (*r->p == '-')
		r->p++;
	if (r->p < r->end && *r->p == '0')
		r->p++;
	else if (!skip_digits(r))
		return refuse_at(r, begin, "not a value");
	if (r->p < r->end && *r->p == '.') {
		r->p++;
		if (!skip_digits(r))
			return refuse_at(r, r->p, "a digit must follow the decimal point");
	}
	if (r->p < r->end && (*r->p == 'e' || *r->p == 'E')) {
		r->p++;
		if (r->p < r->end && (*r->p == '+' || *r->p == '-'))
			r->p++;
		if (!skip_digits(r))
			return refuse_at(r, r->p, "a digit must follow in the exponent");
	}
	*ret = (struct str){begin, (size_t)(r->p - begin)};
	return RC_OK;
}

static enum rc read_word(struct reader *r, struct str word, enum json_kind kind, struct json *ret)
{
	if (!str_starts((struct str){r->p, (size_t)(r->end - r->p)}, word))
		return refuse_at(r, r->p, "not a value");
	r->p += word.len;
	ret->kind = kind;
	return RC_OK;
}

/* Puts an entry under the pending key onto the stack. NULL when the node count is used up. */
static struct json *push(struct reader *r)
{
	if (r->nodes == r->limits.max_nodes) {
		(void)err_set(r->err, RC_BAD_INPUT, "offset %zu: more than %u values", (size_t)(r->p - r->start), r->limits.max_nodes); /* the caller returns it */
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

/* r->p is behind the bracket. Moves the values that wait above the open one into the arena. */
static enum rc close_container(struct reader *r)
{
	struct json *j = &r->stack[r->open].value;
	const struct entry *members = &r->stack[r->open + 1];
	uint32_t count = r->count - r->open - 1, around = j->count;
	if (j->kind == JSON_MAP && count > 1) {
		uint32_t twice = find_duplicate(members, count);
		if (twice != NONE)
			return err_set(r->err, RC_BAD_INPUT, "offset %zu: the name \"%.*s\" stands twice in one map",
			               (size_t)(j->text.data - r->start), members[twice].key.len < 64 ? (int)members[twice].key.len : 64,
			               members[twice].key.data);
	}
	j->text.len = (size_t)(r->p - j->text.data);
	j->count = count;
	if (count != 0) {
		j->items = arena_alloc(r->arena, count * sizeof *j->items);
		for (uint32_t i = 0; i < count; i++)
			j->items[i] = members[i].value;
	}
	if (count != 0 && j->kind == JSON_MAP) {
		j->keys = arena_alloc(r->arena, count * sizeof *j->keys);
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
	if (r->p == r->end || *r->p != '"')
		return refuse_at(r, r->p, "a name in quotes is expected");
	r->p++;
	enum rc rc = read_string(r, &r->key);
	if (rc != RC_OK)
		return rc;
	skip_space(r);
	if (r->p == r->end || *r->p != ':')
		return refuse_at(r, r->p, "a colon must follow a name");
	r->p++;
	return RC_OK;
}

static enum rc open_container(struct reader *r, struct json *j, bool *ret_complete)
{
	if (r->depth == r->limits.max_depth)
		return err_set(r->err, RC_BAD_INPUT, "offset %zu: nested deeper than %u", (size_t)(r->p - r->start), r->limits.max_depth);
	r->depth++;
	j->kind = *r->p == '{' ? JSON_MAP : JSON_LIST;
	j->text.data = r->p;
	j->count = r->open;
	r->open = r->count - 1;
	r->p++;
	skip_space(r);
	if (r->p < r->end && *r->p == (j->kind == JSON_MAP ? '}' : ']')) {
		r->p++;
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
	if (r->p == r->end)
		return refuse_at(r, r->p, "a value is expected, but the text ends");
	struct json *j = push(r);
	if (j == NULL)
		return RC_BAD_INPUT;
	*ret_complete = true;
	switch (*r->p) {
	case '{':
	case '[': return open_container(r, j, ret_complete);
	case '"':
		r->p++;
		j->kind = JSON_STRING;
		return read_string(r, &j->text);
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
		if (r->p == r->end)
			return refuse_at(r, r->p, map ? "the text ends inside a map" : "the text ends inside a list");
		char c = *r->p;
		if (c != ',' && c != (map ? '}' : ']'))
			return refuse_at(r, r->p, map ? "a comma or } is expected" : "a comma or ] is expected");
		r->p++;
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
	return r->p == r->end ? RC_OK : refuse_at(r, r->p, "something follows the value");
}

enum rc json_parse(struct arena *arena, struct str text, struct json_limits limits, const struct json **ret, struct err *err)
{
	struct reader r;
	/* set one by one: clearing the first stack entries would cost as much as reading a small record */
	r.start = r.p = text.data != NULL ? text.data : "";
	r.end = r.start + text.len;
	r.arena = arena;
	r.limits.max_depth = limits.max_depth != 0 ? limits.max_depth : DEFAULT_DEPTH;
	r.limits.max_nodes = limits.max_nodes != 0 ? limits.max_nodes : DEFAULT_NODES;
	r.err = err;
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
