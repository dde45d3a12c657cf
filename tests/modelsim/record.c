/*
 * record.c: what has arrived, word by word, for tests that ask whether something left the worker.
 *
 * The one idea: a request is written down when it ends, whole or not, so that half a body is seen too. One JSON object a line.
 */
#include "tests/modelsim/record.h"

#include "common/json.h"

static enum MHD_Result write_header(void *ctx, enum MHD_ValueKind kind, const char *name, const char *value)
{
	struct buf *out = ctx;
	(void)kind; /* only headers are asked for */
	json_sep(out);
	json_write_str(out, str_of(name));
	buf_char(out, ':');
	json_write_str(out, value != NULL ? str_of(value) : STR(""));
	return MHD_YES;
}

/* Bytes that are no UTF-8 as one byte, one character. */
static struct str as_utf8(struct arena *arena, struct str s)
{
	if (str_utf8_valid(s))
		return s;
	struct buf out;
	buf_init(&out, arena, s.len * 2);
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.data[i];
		if (c >= 0x80)
			buf_char(&out, (char)(0xC0 | c >> 6));
		buf_char(&out, (char)(c < 0x80 ? c : 0x80 | (c & 0x3F)));
	}
	return buf_view(&out);
}

void record_request(FILE *file, struct exchange *exchange)
{
	struct buf out;
	if (file == NULL || exchange->endpoint >= ENDPOINT_STATS)
		return;
	buf_init(&out, &exchange->arena, exchange->body.len + 512);
	buf_cstr(&out, "{\"headers\":{");
	(void)MHD_get_connection_values(exchange->connection, MHD_HEADER_KIND, write_header, &out); /* a count */
	buf_char(&out, '}');
	json_member_str(&out, "body", as_utf8(&exchange->arena, buf_view(&exchange->body)));
	buf_cstr(&out, "}\n");
	if (fwrite(out.data, 1, out.len, file) != out.len || fflush(file) != 0)
		perror("modelsim: --record");
}
