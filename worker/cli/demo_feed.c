/*
 * demo_feed.c: requests from a file, each under a new id.
 *
 * The one idea: a request is used as it stands in the file, member by member; only its id is replaced, so that every record
 * of the demo can be counted.
 */
#include "worker/cli/demo_feed.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/config.h"
#include "common/json.h"

enum { MAX_FILE = 16 * 1024 * 1024 };

struct demo_feed {
	struct arena arena; /* the file and its trees */
	struct arena record;
	const struct json **rows;
	int64_t count;
};

static const char id_format[] = "demo-%06lld";

static size_t line_length(struct str text)
{
	const char *end = memchr(text.data, '\n', text.len);
	return end != NULL ? (size_t)(end - text.data) : text.len;
}

static enum rc read_rows(struct demo_feed *feed, const char *path, struct str text, struct err *err)
{
	size_t lines = 1;
	for (size_t i = 0; i < text.len; i++)
		lines += text.data[i] == '\n';
	feed->rows = arena_array(&feed->arena, lines, sizeof *feed->rows);
	for (long long line = 1; text.len != 0; line++) {
		size_t n = line_length(text);
		const struct json *row;
		enum rc rc = n == 0 ? RC_OK : json_parse(&feed->arena, (struct str){text.data, n}, (struct json_limits){0}, &row, err);
		if (rc == RC_OK && n != 0 && row->kind != JSON_MAP)
			rc = err_set(err, RC_BAD_INPUT, "not an object");
		if (rc != RC_OK)
			return err_prefix(err, rc, "%s:%lld", path, line);
		if (n != 0)
			feed->rows[feed->count++] = row;
		size_t step = n < text.len ? n + 1 : n;
		text = (struct str){text.data + step, text.len - step};
	}
	return feed->count != 0 ? RC_OK : err_set(err, RC_BAD_INPUT, "%s holds no requests", path);
}

enum rc demo_feed_open(const char *folder, struct demo_feed **ret, struct err *err)
{
	struct demo_feed *feed = heap_zalloc(1, sizeof *feed);
	struct str text = STR_NULL;
	arena_init(&feed->arena, 1 << 20);
	arena_init(&feed->record, 64 * 1024);
	const char *path = arena_printf(&feed->arena, "%s/prompts.jsonl", folder).data;
	enum rc rc = config_read_file(&feed->arena, path, MAX_FILE, &text, err);
	if (rc == RC_OK)
		rc = read_rows(feed, path, text, err);
	if (rc != RC_OK) {
		demo_feed_close(feed);
		return rc;
	}
	*ret = feed;
	return RC_OK;
}

void demo_feed_close(struct demo_feed *feed)
{
	if (feed == NULL)
		return;
	arena_free(&feed->arena);
	arena_free(&feed->record);
	free(feed);
}

static void write_value(struct buf *out, const struct json *value)
{
	switch (value->kind) {
	case JSON_STRING: json_write_str(out, value->text); break;
	case JSON_NULL: buf_cstr(out, "null"); break;
	case JSON_TRUE: buf_cstr(out, "true"); break;
	case JSON_FALSE: buf_cstr(out, "false"); break;
	case JSON_NUMBER:
	case JSON_LIST:
	case JSON_MAP: buf_str(out, value->text); break; /* as it was written */
	}
}

struct str demo_feed_record(struct demo_feed *feed, int64_t index)
{
	const struct json *row = feed->rows[index % feed->count];
	struct buf out;
	arena_reset(&feed->record);
	buf_init(&out, &feed->record, 4096);
	buf_cstr(&out, "{\"id\":\"");
	buf_printf(&out, id_format, (long long)index);
	buf_char(&out, '"');
	for (uint32_t i = 0; i < row->count; i++) {
		if (str_is(row->keys[i], "id"))
			continue;
		buf_char(&out, ',');
		json_write_str(&out, row->keys[i]);
		buf_char(&out, ':');
		write_value(&out, &row->items[i]);
	}
	buf_char(&out, '}');
	return buf_view(&out);
}

struct str demo_feed_prompt(void *ctx, struct str id)
{
	const struct demo_feed *feed = ctx;
	int64_t index;
	if (id.len < 6 || !str_starts(id, STR("demo-")) || !str_to_i64((struct str){id.data + 5, id.len - 5}, &index) || index < 0)
		return STR_NULL;
	const struct json *row = feed->rows[index % feed->count];
	const struct json *messages = json_get(row, STR("messages"));
	if (messages != NULL && messages->kind == JSON_LIST && messages->count != 0)
		return json_str(json_get(&messages->items[messages->count - 1], STR("content")));
	return json_str(json_get(row, STR("prompt")));
}
