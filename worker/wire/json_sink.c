/*
 * json_sink.c: writes the fields it is told as JSON, straight into a buffer in the job's arena.
 *
 * The one idea: names are ours and need no escape, so a field is a few copies; the buffer's last byte says whether a comma is
 * due. Null is written as null, so that a record always has the same names.
 */
#include "worker/wire/sink.h"

#include <math.h>

#include "common/json.h"

static struct json_sink *json_of(struct sink *sink)
{
	return (struct json_sink *)(void *)((char *)sink - offsetof(struct json_sink, sink));
}

/* A comma where one is due and "name":, and the buffer to go on with. */
static struct buf *begin(struct sink *sink, const char *name)
{
	struct buf *out = json_of(sink)->out;
	char last = out->len != 0 ? out->data[out->len - 1] : '{';
	size_t len = name != NULL ? strlen(name) : 0;
	char *p = out->cap - out->len >= len + 4 ? out->data + out->len : buf_room(out, len + 4), *start = p;
	if (last != '{' && last != '[' && last != ':')
		*p++ = ',';
	if (name != NULL) {
		*p++ = '"';
		memcpy(p, name, len);
		p += len;
		*p++ = '"';
		*p++ = ':';
	}
	out->len += (size_t)(p - start);
	return out;
}

static void open(struct sink *sink, const char *name, char opening, char closing)
{
	struct json_sink *j = json_of(sink);
	buf_char(begin(sink, name), opening);
	if (j->depth < sizeof j->closing)
		j->closing[j->depth] = closing;
	j->depth++;
}

static void write_null(struct sink *sink, const char *name)
{
	buf_add(begin(sink, name), "null", 4);
}

static void write_text(struct sink *sink, const char *name, struct str value)
{
	if (value.data == NULL)
		write_null(sink, name);
	else
		json_write_str(begin(sink, name), value);
}

static void write_whole(struct sink *sink, const char *name, int64_t value)
{
	buf_i64(begin(sink, name), value);
}

static void write_real(struct sink *sink, const char *name, double value)
{
	json_write_double(begin(sink, name), value);
}

static void write_truth(struct sink *sink, const char *name, bool value)
{
	buf_str(begin(sink, name), value ? STR("true") : STR("false"));
}

static void write_symbol(struct sink *sink, const char *name, const char *value, int index)
{
	(void)index; /* JSON has the symbol itself */
	json_write_str(begin(sink, name), str_of(value));
}

static void open_record(struct sink *sink, const char *name)
{
	open(sink, name, '{', '}');
}

static void open_list(struct sink *sink, const char *name)
{
	open(sink, name, '[', ']');
}

static void entry(struct sink *sink, struct str key, struct str value)
{
	struct buf *out = begin(sink, NULL);
	json_write_str(out, key);
	buf_char(out, ':');
	json_write_str(out, value.data != NULL ? value : STR(""));
}

static void close_one(struct sink *sink)
{
	struct json_sink *j = json_of(sink);
	j->depth--;
	buf_char(j->out, j->depth < sizeof j->closing ? j->closing[j->depth] : '}');
}

void json_sink_init(struct json_sink *sink, struct buf *out)
{
	*sink = (struct json_sink){
		.sink = {write_text, write_whole, write_real, write_truth, write_symbol, write_null, open_record, open_list, open_record, entry, close_one},
		.out = out,
	};
}
