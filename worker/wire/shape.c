/*
 * shape.c: output.fields: the response in the shape its reader wants.
 *
 * The one idea: our own response is written first and read again, so that a path in output.fields means exactly what the
 * schema documents. It costs a parse of our own small record, and only where it is asked for.
 */
#include "worker/wire/room.h"

#include "common/json.h"

static const char *const response_names[] = {
	"id", "tenant", "status", "kind", "attributes", "text", "finish_reason", "model", "route", "group_id", "usage", "cost_usd",
	"error", "latency_ms", "decision_id", "answered_at",
};
enum { NAMES = sizeof response_names / sizeof response_names[0] };

enum rc shape_check(const struct output_settings *settings, struct err *err)
{
	for (uint32_t i = 0; i < settings->fields.count; i++) {
		const struct pair *p = &settings->fields.items[i];
		const char *dot = p->value.len != 0 ? memchr(p->value.data, '.', p->value.len) : NULL;
		struct str first = {p->value.data, dot != NULL ? (size_t)(dot - p->value.data) : p->value.len};
		unsigned n = 0;
		while (n < NAMES && !str_is(first, response_names[n]))
			n++;
		if (n < NAMES)
			continue;
		const char *meant = NULL;
		unsigned best = 3;
		for (unsigned k = 0; k < NAMES; k++) {
			unsigned d = str_distance(first, str_of(response_names[k]));
			if (d < best) {
				best = d;
				meant = response_names[k];
			}
		}
		return err_set(err, RC_BAD_INPUT, "output.fields.%.*s: a response has no field \"%.*s\"%s%s%s", STR_ARG(p->name), STR_ARG(first),
		               meant != NULL ? "; did you mean " : "", meant != NULL ? meant : "", meant != NULL ? "?" : "");
	}
	return RC_OK;
}

struct str shape_response(const struct output_settings *settings, struct arena *arena, struct str response)
{
	const struct json *json;
	if (json_parse(arena, response, (struct json_limits){.max_depth = 16}, &json, NULL) != RC_OK)
		return STR_NULL;
	struct buf out;
	buf_init(&out, arena, response.len);
	buf_char(&out, '{');
	for (uint32_t i = 0; i < settings->fields.count; i++) {
		const struct pair *p = &settings->fields.items[i];
		const struct json *j = json_path(json, p->value);
		if (i != 0)
			buf_char(&out, ',');
		json_write_str(&out, p->name);
		buf_char(&out, ':');
		if (j == NULL || j->kind == JSON_NULL)
			buf_cstr(&out, "null");
		else if (j->kind == JSON_STRING)
			json_write_str(&out, j->text);
		else if (j->kind == JSON_TRUE || j->kind == JSON_FALSE)
			buf_cstr(&out, j->kind == JSON_TRUE ? "true" : "false");
		else
			buf_str(&out, j->text);
	}
	buf_char(&out, '}');
	return buf_view(&out);
}
