/*
 * avro_encode.c: the adapter to avro-c; the only file that knows it.
 *
 * The one idea: a sink walks down an avro-c value of our schema as it is told the fields, in order; the value is reset and
 * reused for the next record. Texts are lent to avro-c, not copied.
 *
 * avro-c's error text is shared by all threads, so it is not read; what can go wrong here is a field told out of order.
 */
#include "worker/wire/avro_encode.h"

#include <avro.h>
#include <math.h>

enum { MAX_NESTING = 12 };

struct frame {
	avro_value_t value;
	avro_type_t type;
	size_t next; /* field of a record */
};

struct avro_encoder {
	struct sink sink;
	avro_schema_t schema;
	avro_value_iface_t *iface;
	avro_value_t root;
	avro_writer_t writer;
	struct arena *arena;
	struct frame frames[MAX_NESTING];
	unsigned depth;
	bool failed;
};

static struct avro_encoder *encoder_of(struct sink *sink)
{
	return (struct avro_encoder *)(void *)((char *)sink - offsetof(struct avro_encoder, sink));
}

static void check(struct avro_encoder *e, int failure)
{
	e->failed |= failure != 0;
}

/* The place for the next field or item; false when there is none. */
static bool next(struct avro_encoder *e, const char *name, avro_value_t *ret)
{
	struct frame *f = e->depth != 0 ? &e->frames[e->depth - 1] : NULL;
	if (e->failed || f == NULL)
		return false;
	if (f->type == AVRO_ARRAY) {
		check(e, avro_value_append(&f->value, ret, NULL));
	} else {
		const char *known = NULL;
		check(e, avro_value_get_by_index(&f->value, f->next++, ret, &known));
		if (!e->failed && (name == NULL || known == NULL || strcmp(name, known) != 0))
			e->failed = true;
	}
	return !e->failed;
}

/* The same, with a union's second branch chosen: all our unions are null and one other. */
static bool next_present(struct avro_encoder *e, const char *name, avro_value_t *ret)
{
	avro_value_t v;
	if (!next(e, name, &v))
		return false;
	if (avro_value_get_type(&v) == AVRO_UNION)
		check(e, avro_value_set_branch(&v, 1, ret));
	else
		*ret = v;
	return !e->failed;
}

static void tell_null(struct sink *sink, const char *name)
{
	struct avro_encoder *e = encoder_of(sink);
	avro_value_t v;
	if (next(e, name, &v))
		check(e, avro_value_get_type(&v) == AVRO_UNION ? avro_value_set_branch(&v, 0, NULL) : 1);
}

/* avro-c counts a terminator that it never reads. */
static void lend(struct avro_encoder *e, avro_value_t *v, struct str text)
{
	avro_wrapped_buffer_t lent = {.buf = text.len != 0 ? text.data : "", .size = text.len + 1};
	check(e, avro_value_give_string_len(v, &lent));
}

static void tell_text(struct sink *sink, const char *name, struct str text)
{
	struct avro_encoder *e = encoder_of(sink);
	avro_value_t v;
	if (text.data == NULL)
		tell_null(sink, name);
	else if (next_present(e, name, &v))
		lend(e, &v, text);
}

static void tell_whole(struct sink *sink, const char *name, int64_t n)
{
	struct avro_encoder *e = encoder_of(sink);
	avro_value_t v;
	if (!next_present(e, name, &v))
		return;
	if (avro_value_get_type(&v) == AVRO_INT64)
		check(e, avro_value_set_long(&v, n));
	else
		check(e, avro_value_set_int(&v, n > INT32_MAX ? INT32_MAX : n < INT32_MIN ? INT32_MIN : (int32_t)n));
}

static void tell_real(struct sink *sink, const char *name, double d)
{
	struct avro_encoder *e = encoder_of(sink);
	avro_value_t v;
	if (!isfinite(d))
		tell_null(sink, name);
	else if (next_present(e, name, &v))
		check(e, avro_value_get_type(&v) == AVRO_FLOAT ? avro_value_set_float(&v, (float)d) : avro_value_set_double(&v, d));
}

static void tell_truth(struct sink *sink, const char *name, bool truth)
{
	struct avro_encoder *e = encoder_of(sink);
	avro_value_t v;
	if (next_present(e, name, &v))
		check(e, avro_value_set_boolean(&v, truth));
}

static void tell_symbol(struct sink *sink, const char *name, const char *symbol, int index)
{
	struct avro_encoder *e = encoder_of(sink);
	avro_value_t v;
	(void)symbol; /* Avro writes its position */
	if (next_present(e, name, &v))
		check(e, avro_value_set_enum(&v, index));
}

static void open(struct sink *sink, const char *name)
{
	struct avro_encoder *e = encoder_of(sink);
	avro_value_t v;
	if (!next_present(e, name, &v))
		return;
	if (e->depth == MAX_NESTING) {
		e->failed = true;
		return;
	}
	e->frames[e->depth++] = (struct frame){v, avro_value_get_type(&v), 0};
}

static void tell_entry(struct sink *sink, struct str key, struct str text)
{
	struct avro_encoder *e = encoder_of(sink);
	avro_value_t v;
	if (e->failed || e->depth == 0)
		return;
	check(e, avro_value_add(&e->frames[e->depth - 1].value, arena_cstr(e->arena, key), &v, NULL, NULL));
	if (!e->failed)
		lend(e, &v, text);
}

static void close_one(struct sink *sink)
{
	struct avro_encoder *e = encoder_of(sink);
	if (e->depth != 0)
		e->depth--;
}

enum rc avro_encoder_new(struct str schema, struct avro_encoder **ret, struct err *err)
{
	struct avro_encoder *e = heap_zalloc(1, sizeof *e);
	e->sink = (struct sink){tell_text, tell_whole, tell_real, tell_truth, tell_symbol, tell_null, open, open, open, tell_entry, close_one};
	bool ok = avro_schema_from_json_length(schema.data, schema.len, &e->schema) == 0;
	ok = ok && (e->iface = avro_generic_class_from_schema(e->schema)) != NULL;
	ok = ok && avro_generic_value_new(e->iface, &e->root) == 0;
	ok = ok && (e->writer = avro_writer_memory("", 0)) != NULL;
	if (!ok) {
		avro_encoder_free(e);
		return err_set(err, RC_FATAL, "avro-c cannot use a schema of this worker's own");
	}
	*ret = e;
	return RC_OK;
}

void avro_encoder_free(struct avro_encoder *e)
{
	if (e == NULL)
		return;
	if (e->writer != NULL)
		avro_writer_free(e->writer);
	if (e->root.iface != NULL)
		avro_value_decref(&e->root);
	if (e->iface != NULL)
		avro_value_iface_decref(e->iface);
	if (e->schema != NULL)
		(void)avro_schema_decref(e->schema); /* only says whether others hold it */
	free(e);
}

struct sink *avro_encoder_begin(struct avro_encoder *e, struct arena *arena)
{
	e->arena = arena;
	e->failed = avro_value_reset(&e->root) != 0;
	e->frames[0] = (struct frame){e->root, AVRO_RECORD, 0};
	e->depth = 1;
	return &e->sink;
}

enum rc avro_encoder_end(struct avro_encoder *e, struct buf *out, struct err *err)
{
	size_t bytes = 0;
	if (!e->failed)
		check(e, avro_value_sizeof(&e->root, &bytes));
	if (!e->failed) {
		avro_writer_memory_set_dest(e->writer, buf_room(out, bytes), (int64_t)bytes);
		check(e, avro_value_write(e->writer, &e->root));
	}
	if (e->failed || e->depth != 1)
		return err_set(err, RC_BAD_INPUT, "a record was told otherwise than its schema says");
	out->len += (size_t)avro_writer_tell(e->writer);
	return RC_OK;
}
