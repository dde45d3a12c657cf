/*
 * avro_read.c: the bounded reader.
 *
 * The one idea: one walk by the schema's tree with the tree of wanted names beside it; where the latter ends, the walk goes
 * on without keeping anything. Each value visited costs a step from a budget that grows with the input, so neither a
 * block of two thousand million nulls nor a tree of empty records can cost more than a long honest record.
 *
 * It keeps the first of two equal map keys, and takes no default from the schema: what was not written is absent.
 * Source: Apache Avro specification 1.11, "Binary encoding".
 */
#include "worker/wire/avro_read.h"

struct reading {
	const char *start, *p, *end;
	struct arena *arena;
	struct err *err;
	uint64_t steps_left;
	uint32_t values_left;
	uint32_t places_left; /* memory for values, what lists and maps grew out of included */
};

/* What a walk over items that grow one by one needs. */
struct collection {
	struct value *items;
	struct str *keys;
	uint32_t count, cap;
	uint32_t paid; /* charged for by a block's count and not there yet */
};

static const struct wanted everything = {.whole = true};

static enum rc read_any(struct reading *r, const struct avro_type *type, const struct wanted *wanted, unsigned depth, struct value *ret);

static enum rc refuse(struct reading *r, const char *what)
{
	return err_set(r->err, RC_BAD_INPUT, "offset %zu: %s", (size_t)(r->p - r->start), what);
}

static size_t left(const struct reading *r)
{
	return (size_t)(r->end - r->p);
}

static enum rc read_long(struct reading *r, int64_t *ret)
{
	uint64_t n = 0;
	for (unsigned i = 0; i < 10; i++) {
		if (r->p == r->end)
			return refuse(r, "the record ends within a number");
		uint8_t byte = (uint8_t)*r->p++;
		if (i == 9 && byte > 1)
			return refuse(r, "a number of more than 64 bits");
		n |= (uint64_t)(byte & 0x7F) << (7 * i);
		if (byte < 0x80) {
			*ret = (int64_t)(n >> 1) ^ -(int64_t)(n & 1);
			return RC_OK;
		}
	}
	return refuse(r, "a number of more than 64 bits");
}

static enum rc read_bytes(struct reading *r, const char *what, struct str *ret)
{
	int64_t length;
	enum rc rc = read_long(r, &length);
	if (rc != RC_OK)
		return rc;
	if (length < 0 || (uint64_t)length > left(r))
		return err_set(r->err, RC_BAD_INPUT, "offset %zu: %s of %lld bytes where %zu are left", (size_t)(r->p - r->start), what, (long long)length, left(r));
	*ret = (struct str){r->p, (size_t)length};
	r->p += length;
	return RC_OK;
}

static enum rc read_text(struct reading *r, bool keep, struct str *ret)
{
	enum rc rc = read_bytes(r, "a text", ret);
	if (rc == RC_OK && keep && !str_utf8_valid(*ret))
		return refuse(r, "the text that ends here is not UTF-8");
	return rc;
}

static enum rc read_real(struct reading *r, bool is_double, double *ret)
{
	unsigned bytes = is_double ? 8 : 4;
	uint64_t bits = 0;
	if (left(r) < bytes)
		return refuse(r, "the record ends within a number");
	for (unsigned i = 0; i < bytes; i++)
		bits |= (uint64_t)(uint8_t)r->p[i] << (8 * i);
	r->p += bytes;
	if (is_double) {
		memcpy(ret, &bits, sizeof *ret);
	} else {
		uint32_t half = (uint32_t)bits;
		float f;
		memcpy(&f, &half, sizeof f);
		*ret = (double)f;
	}
	return RC_OK;
}

static enum rc read_scalar(struct reading *r, const struct avro_type *type, bool keep, struct value *ret)
{
	enum rc rc = RC_OK;
	switch (type->kind) {
	case KIND_NULL:
		ret->kind = VALUE_NULL;
		return RC_OK;
	case KIND_BOOLEAN:
		if (r->p == r->end || (uint8_t)*r->p > 1)
			return refuse(r, "a boolean that is neither 0 nor 1");
		ret->kind = VALUE_BOOL;
		ret->whole = *r->p++;
		return RC_OK;
	case KIND_INT:
	case KIND_LONG:
		rc = read_long(r, &ret->whole);
		if (rc == RC_OK && type->kind == KIND_INT && (ret->whole < INT32_MIN || ret->whole > INT32_MAX))
			return refuse(r, "an int of more than 32 bits");
		ret->kind = VALUE_INT;
		ret->micros = type->micros;
		return rc;
	case KIND_FLOAT:
	case KIND_DOUBLE:
		ret->kind = VALUE_REAL;
		return read_real(r, type->kind == KIND_DOUBLE, &ret->real);
	case KIND_BYTES:
		ret->kind = VALUE_BYTES;
		return read_bytes(r, "bytes", &ret->text);
	case KIND_STRING:
		ret->kind = VALUE_TEXT;
		return read_text(r, keep, &ret->text);
	default:
		break;
	}
	if (type->kind == KIND_FIXED) {
		if (type->fixed_bytes > left(r))
			return refuse(r, "the record ends within a fixed");
		ret->kind = VALUE_BYTES;
		ret->text = (struct str){r->p, (size_t)type->fixed_bytes};
		r->p += type->fixed_bytes;
		return RC_OK;
	}
	int64_t symbol;
	rc = read_long(r, &symbol);
	if (rc != RC_OK)
		return rc;
	if (symbol < 0 || symbol >= type->count)
		return refuse(r, "an enum's symbol that its schema does not have");
	ret->kind = VALUE_TEXT;
	ret->text = type->names[symbol];
	return RC_OK;
}

/* Charged before memory is taken: a kept container pays for all it may keep. */
static enum rc charge(struct reading *r, uint32_t values)
{
	if (values > r->values_left)
		return refuse(r, "more values than are kept of one record");
	r->values_left -= values;
	return RC_OK;
}

static enum rc take_places(struct reading *r, uint32_t places)
{
	if (places > r->places_left)
		return refuse(r, "more values than are kept of one record");
	r->places_left -= places;
	return RC_OK;
}

static enum rc read_record(struct reading *r, const struct avro_type *type, const struct wanted *wanted, unsigned depth, struct value *ret)
{
	uint32_t kept = 0, wants = 0;
	if (wanted != NULL && wanted->whole) {
		wants = type->count;
	} else if (wanted != NULL) {
		for (const struct wanted *w = wanted->child; w != NULL; w = w->next)
			wants++;
		if (wants > type->count)
			wants = type->count;
	}
	enum rc rc = charge(r, wants);
	if (rc == RC_OK)
		rc = take_places(r, wants);
	if (rc != RC_OK)
		return rc;
	if (wanted != NULL) {
		ret->kind = VALUE_MAP;
		ret->items = arena_array(r->arena, wants, sizeof *ret->items);
		ret->keys = arena_array(r->arena, wants, sizeof *ret->keys);
	}
	for (uint32_t i = 0; i < type->count; i++) {
		const struct wanted *w = wanted == NULL ? NULL : wanted->whole ? &everything : mapping_wanted(wanted, type->names[i]);
		struct value skipped, *into = &skipped;
		if (w != NULL && kept < wants) {
			into = &ret->items[kept];
			ret->keys[kept++] = type->names[i];
		}
		rc = read_any(r, type->items[i], w, depth, into);
		if (rc != RC_OK)
			return rc;
	}
	if (wanted != NULL)
		ret->count = kept;
	return RC_OK;
}

/* Moves to cap places. What it leaves stays in the arena, so a list that grows block by block pays for that too. */
static enum rc grow(struct reading *r, struct collection *c, bool with_keys, uint32_t cap)
{
	enum rc rc = take_places(r, cap);
	if (rc != RC_OK)
		return rc;
	struct value *items = arena_array(r->arena, cap, sizeof *items);
	struct str *keys = with_keys ? arena_array(r->arena, cap, sizeof *keys) : NULL;
	if (c->count != 0) {
		memcpy(items, c->items, c->count * sizeof *items);
		if (with_keys)
			memcpy(keys, c->keys, c->count * sizeof *keys);
	}
	c->items = items;
	c->keys = keys;
	c->cap = cap;
	return RC_OK;
}

/* Charges for a block of which every item is kept: its places are exact where there is one block, as nearly always. A count
 * that cannot be kept takes nothing here: its items are read until one of the bounds is met. */
static enum rc expect_block(struct reading *r, struct collection *c, bool with_keys, int64_t count)
{
	if (count > r->values_left)
		return RC_OK;
	enum rc rc = charge(r, (uint32_t)count);
	if (rc != RC_OK)
		return rc;
	uint32_t need = c->count + (uint32_t)count;
	c->paid = (uint32_t)count;
	if (need <= c->cap)
		return RC_OK;
	return grow(r, c, with_keys, need > c->cap * 2 ? need : c->cap * 2);
}

/* A place for one more; charged. */
static enum rc collect(struct reading *r, struct collection *c, bool with_keys, struct value **ret)
{
	enum rc rc = RC_OK;
	if (c->paid != 0)
		c->paid--;
	else
		rc = charge(r, 1);
	if (rc == RC_OK && c->count == c->cap)
		rc = grow(r, c, with_keys, c->cap == 0 ? 1 : c->cap * 2);
	if (rc == RC_OK)
		*ret = &c->items[c->count++];
	return rc;
}

/* Below which index a list is kept, and what of the item at an index is wanted. */
static int64_t wanted_items(const struct wanted *wanted)
{
	int64_t bound = 0, index;
	for (const struct wanted *w = wanted->child; w != NULL; w = w->next)
		if (str_to_i64(w->name, &index) && index >= bound && index < AVRO_READ_MAX_VALUES)
			bound = index + 1;
	return bound;
}

static const struct wanted *wanted_item(const struct wanted *wanted, uint32_t index)
{
	int64_t at;
	for (const struct wanted *w = wanted->child; w != NULL; w = w->next)
		if (str_to_i64(w->name, &at) && at == index)
			return w;
	return NULL;
}

static enum rc read_entry(struct reading *r, const struct avro_type *type, const struct wanted *wanted, unsigned depth, int64_t bound,
                          struct collection *c)
{
	struct value skipped, *into = &skipped;
	const struct wanted *w = wanted != NULL && wanted->whole ? &everything : NULL;
	struct str key = STR_NULL;
	enum rc rc = RC_OK;
	bool keep = w != NULL;
	if (type->kind == KIND_MAP) {
		rc = read_text(r, wanted != NULL, &key);
		if (rc != RC_OK)
			return rc;
		if (wanted != NULL && !keep)
			keep = (w = mapping_wanted(wanted, key)) != NULL;
	} else if (wanted != NULL && !keep && c->count < bound) {
		w = wanted_item(wanted, c->count);
		keep = true; /* an item that is not wanted keeps its place as absent */
	}
	if (keep) {
		rc = collect(r, c, type->kind == KIND_MAP, &into);
		if (rc != RC_OK)
			return rc;
		if (type->kind == KIND_MAP)
			c->keys[c->count - 1] = key;
	}
	/* what is read goes through a local: the collection may not move meanwhile, but a nested failure leaves it clean */
	struct value value;
	rc = read_any(r, type->items[0], w, depth, &value);
	if (rc == RC_OK)
		*into = value;
	return rc;
}

/* Items that take no bytes are the only ones a few bytes can claim any number of, and no honest record has many. */
static enum rc charge_empty_item(struct reading *r)
{
	enum { STEPS = 16 };
	if (r->steps_left < STEPS)
		return refuse(r, "more empty items than a record of this size can mean");
	r->steps_left -= STEPS;
	return RC_OK;
}

/* Blocks of items until one of none. A negative count is followed by the block's size in bytes, so that it can be skipped. */
static enum rc read_blocks(struct reading *r, const struct avro_type *type, const struct wanted *wanted, unsigned depth, struct value *ret)
{
	struct collection c = {0};
	int64_t bound = wanted != NULL && type->kind == KIND_ARRAY && !wanted->whole ? wanted_items(wanted) : 0;
	for (;;) {
		int64_t count, size = -1;
		enum rc rc = read_long(r, &count);
		if (rc != RC_OK)
			return rc;
		if (count == 0)
			break;
		if (count < 0) {
			rc = read_long(r, &size);
			if (rc != RC_OK)
				return rc;
			if (count == INT64_MIN || size < 0 || (uint64_t)size > left(r))
				return refuse(r, "a block that is longer than what is left");
			count = -count;
		}
		if (wanted != NULL && wanted->whole && (rc = expect_block(r, &c, type->kind == KIND_MAP, count)) != RC_OK)
			return rc;
		const char *begin = r->p;
		if (size >= 0 && wanted == NULL) {
			r->p += size;
			continue;
		}
		for (int64_t i = 0; i < count; i++) {
			const char *before = r->p;
			rc = read_entry(r, type, wanted, depth, bound, &c);
			if (rc == RC_OK && r->p == before)
				rc = charge_empty_item(r);
			if (rc != RC_OK)
				return rc;
		}
		if (size >= 0 && r->p - begin != size)
			return refuse(r, "a block that is not as long as it says");
	}
	if (wanted != NULL) {
		ret->kind = type->kind == KIND_MAP ? VALUE_MAP : VALUE_LIST;
		ret->items = c.items;
		ret->keys = c.keys;
		ret->count = c.count;
	}
	return RC_OK;
}

static enum rc read_any(struct reading *r, const struct avro_type *type, const struct wanted *wanted, unsigned depth, struct value *ret)
{
	if (r->steps_left == 0)
		return refuse(r, "more empty items than a record of this size can mean");
	r->steps_left--;
	*ret = (struct value){.kind = VALUE_ABSENT};
	if (type->kind < KIND_RECORD || type->kind == KIND_ENUM || type->kind == KIND_FIXED)
		return read_scalar(r, type, wanted != NULL, ret);
	if (depth == AVRO_READ_MAX_DEPTH)
		return refuse(r, "nested deeper than is allowed");
	if (type->kind == KIND_RECORD)
		return read_record(r, type, wanted, depth + 1, ret);
	if (type->kind != KIND_UNION)
		return read_blocks(r, type, wanted, depth + 1, ret);
	int64_t branch;
	const char *begin = r->p;
	enum rc rc = read_long(r, &branch);
	if (rc != RC_OK)
		return rc;
	if (branch < 0 || branch >= type->count)
		return refuse(r, "a union's branch that its schema does not have");
	rc = read_any(r, type->items[branch], wanted, depth + 1, ret);
	if (rc == RC_OK && ret->kind == VALUE_NULL)
		ret->text = (struct str){begin, (size_t)(r->p - begin)};
	return rc;
}

enum rc avro_read(struct arena *arena, const struct avro_type *type, const struct wanted *wanted, struct str bytes, struct value *ret,
                  struct err *err)
{
	struct reading r = {.start = bytes.data, .p = bytes.data, .end = bytes.data + bytes.len, .arena = arena, .err = err,
	                    .steps_left = AVRO_READ_FREE_STEPS + (uint64_t)bytes.len * 4, .values_left = AVRO_READ_MAX_VALUES,
	                    .places_left = AVRO_READ_MAX_PLACES};
	struct value value;
	enum rc rc = read_any(&r, type, wanted, 0, &value);
	if (rc == RC_OK && r.p != r.end)
		return refuse(&r, "bytes are left behind the record");
	if (rc == RC_OK)
		*ret = value;
	return rc;
}
