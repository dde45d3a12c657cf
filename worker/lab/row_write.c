/*
 * row_write.c: rows written so that they are read again as they were.
 *
 * The one idea: what the commands know of a row stands under the names that they look for first; everything else is carried along,
 * so that a file which passes through a command loses no column.
 */
#include "worker/lab/row_write.h"

#include "common/json.h"

static const char *const own_names[] = {"id", "text", "prompt", "messages", "tenant"};

struct str row_json(struct str s, struct arena *arena)
{
	struct buf out;
	if (s.data == NULL)
		return STR("null");
	buf_init(&out, arena, s.len + 2);
	json_write_str(&out, s);
	return buf_view(&out);
}

static void write_messages(struct buf *out, const struct request *req)
{
	if (req->message_count == 1 && str_is(req->messages[0].role, "user")) {
		json_member_str(out, "text", req->messages[0].content);
		return;
	}
	json_key(out, "messages");
	buf_char(out, '[');
	for (uint32_t i = 0; i < req->message_count; i++) {
		json_sep(out);
		buf_char(out, '{');
		json_member_str(out, "role", req->messages[i].role);
		json_member_str(out, "content", req->messages[i].content);
		buf_char(out, '}');
	}
	buf_char(out, ']');
}

static void write_value(struct buf *out, const struct json *j)
{
	switch (j->kind) {
	case JSON_NULL: buf_cstr(out, "null"); break;
	case JSON_FALSE: buf_cstr(out, "false"); break;
	case JSON_TRUE: buf_cstr(out, "true"); break;
	case JSON_STRING: json_write_str(out, j->text); break;
	default: buf_str(out, j->text); break; /* numbers, lists and maps as they were written */
	}
}

static void write_name(struct buf *out, struct str name)
{
	json_sep(out);
	json_write_str(out, name);
	buf_char(out, ':');
}

static bool is_written(struct str name, bool label, const struct row_member *members, uint32_t count)
{
	bool found = label && str_is(name, "label");
	for (size_t i = 0; i < sizeof own_names / sizeof own_names[0]; i++)
		found = found || str_is(name, own_names[i]);
	for (uint32_t i = 0; i < count; i++)
		found = found || str_is(name, members[i].name);
	return found;
}

/* Each name once: a row may have the same in two places, and the first is what a policy sees. */
static void write_attributes(struct buf *out, const struct request *req)
{
	if (req->attribute_count == 0)
		return;
	json_key(out, "attributes");
	buf_char(out, '{');
	for (uint32_t i = 0; i < req->attribute_count; i++) {
		bool again = false;
		for (uint32_t k = 0; k < i && !again; k++)
			again = str_eq(req->attributes[k].name, req->attributes[i].name);
		if (again)
			continue;
		write_name(out, req->attributes[i].name);
		json_write_str(out, req->attributes[i].value);
	}
	buf_char(out, '}');
}

static void write_rest(struct buf *out, const struct dataset_row *row, bool label, const struct row_member *members, uint32_t count,
                       struct arena *arena)
{
	const struct json *root = NULL;
	if (row->source.data == NULL || json_parse(arena, row->source, (struct json_limits){0}, &root, NULL) != RC_OK) {
		write_attributes(out, &row->req); /* a row that is JSON was read as such, so it parses here */
		return;
	}
	for (uint32_t i = 0; i < root->count; i++) {
		if (is_written(root->keys[i], label, members, count))
			continue;
		write_name(out, root->keys[i]);
		write_value(out, &root->items[i]);
	}
}

void row_write(struct buf *out, const struct dataset_row *row, const struct row_member *members, uint32_t count, struct arena *arena)
{
	bool label = row->labelled;
	buf_char(out, '{');
	json_member_str(out, "id", row->req.id);
	write_messages(out, &row->req);
	if (row->req.tenant.data != NULL)
		json_member_str(out, "tenant", row->req.tenant);
	for (uint32_t i = 0; i < count; i++) {
		label = label && strcmp(members[i].name, "label") != 0;
		json_key(out, members[i].name);
		buf_str(out, members[i].json);
	}
	if (label)
		json_member_str(out, "label", row->label);
	write_rest(out, row, label, members, count, arena);
	buf_cstr(out, "}\n");
}
