/*
 * dataset_row.c: what the fields of a row mean, in JSON and in CSV.
 *
 * The one idea: the plan of where fields stand is made once; a row only follows it. What is not named by the plan and is a scalar
 * becomes an attribute, so that a policy's rules and the slices of a report can ask for it.
 */
#include "worker/lab/dataset_row.h"

#include <math.h>
#include <stdio.h>

#include "common/config.h"
#include "common/json.h"

enum { MAX_MESSAGES = 10000, MAX_EMBEDDING = 65536 };

static const char *const known_names[KNOWN_COUNT] = {"text", "messages", "label", "id", "tenant", "embedding"};

/* Names that public data sets use, where the file has not the known one and the user names none. */
static const struct {
	enum dataset_known known;
	const char *name;
} other_names[] = {{KNOWN_TEXT, "prompt"}, {KNOWN_TEXT, "sentence"}, {KNOWN_TEXT, "utterance"}, {KNOWN_LABEL, "intent"}};
enum { OTHER_NAMES = sizeof other_names / sizeof other_names[0] };

static const char *known_name(const void *ctx, unsigned i)
{
	(void)ctx; /* the table needs none */
	return known_names[i];
}

enum rc dataset_plan_make(const struct dataset_field *fields, uint32_t count, struct dataset_plan *ret, struct err *err)
{
	struct dataset_plan plan = {0};
	for (int k = 0; k < KNOWN_COUNT; k++)
		plan.known[k] = str_of(known_names[k]);
	for (uint32_t i = 0; i < count; i++) {
		if (str_starts(fields[i].name, STR("attributes."))) {
			plan.attributes[plan.attribute_count++] = &fields[i];
			continue;
		}
		int k = 0;
		struct str name = str_is(fields[i].name, "prompt") ? STR("text") : fields[i].name;
		while (k < KNOWN_COUNT && !str_is(name, known_names[k]))
			k++;
		if (k == KNOWN_COUNT) {
			const char *near = config_suggest(name, known_name, NULL, KNOWN_COUNT);
			return err_set(err, RC_BAD_INPUT, "there is no field \"%.*s\" to read: text, messages, label, id, tenant, embedding and attributes.NAME are%s%s%s",
			               STR_ARG(name), near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
		}
		plan.known[k] = fields[i].path;
		plan.given[k] = true;
	}
	*ret = plan;
	return RC_OK;
}

static bool is_wrong(struct dataset_wrong *wrong, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static bool is_wrong(struct dataset_wrong *wrong, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(wrong->text, sizeof wrong->text, fmt, ap); /* cut on purpose */
	va_end(ap);
	wrong->offset = -1;
	return false;
}

static void set_text(struct dataset_row *row, struct str text, struct arena *arena)
{
	row->req.messages = arena_array(arena, 1, sizeof *row->req.messages);
	row->req.messages[0] = (struct message){STR("user"), text};
	row->req.message_count = 1;
}

static void set_label(struct dataset_row *row, struct str label)
{
	row->labelled = true;
	row->label = str_is(label, "oos") ? STR_NULL : label;
}

static void room_for_attributes(struct dataset_row *row, size_t most, struct arena *arena)
{
	row->req.attributes = arena_array(arena, most < DATASET_MAX_ATTRIBUTES ? most : DATASET_MAX_ATTRIBUTES, sizeof *row->req.attributes);
}

static bool add_attribute(struct dataset_row *row, struct str name, struct str value, struct dataset_wrong *wrong)
{
	if (row->req.attribute_count == DATASET_MAX_ATTRIBUTES)
		return is_wrong(wrong, "the row has more than %d fields beside the known ones", DATASET_MAX_ATTRIBUTES);
	row->req.attributes[row->req.attribute_count++] = (struct attribute){name, value};
	return true;
}

/* NAME of attributes.NAME */
static struct str attribute_name(const struct dataset_field *field)
{
	size_t prefix = strlen("attributes.");
	return (struct str){field->name.data + prefix, field->name.len - prefix};
}

static void begin(struct dataset_row *row, uint64_t line)
{
	*row = (struct dataset_row){.line = line, .req = {.temperature = NAN}};
}

/* What both formats ask of a row that was read. */
static bool finish(struct dataset_row *row, struct arena *arena, struct dataset_wrong *wrong)
{
	bool blank = true;
	for (uint32_t i = 0; i < row->req.message_count; i++)
		blank = blank && str_trim(row->req.messages[i].content).len == 0;
	if (blank)
		return is_wrong(wrong, row->req.message_count == 0 ? "the row has no text, prompt or messages" : "the text is empty");
	if (row->req.id.data == NULL || row->req.id.len == 0)
		row->req.id = arena_printf(arena, "%llu", (unsigned long long)row->line);
	return true;
}

/* ---- JSON ------------------------------------------------------------------------------------------------------------ */

/* A member of exactly that name, or the way that its dots describe; names may hold dots themselves (models' names do). */
static const struct json *at_path(const struct json *root, struct str path)
{
	const struct json *j = json_get(root, path);
	for (size_t i = 0; j == NULL && i < path.len; i++) {
		const struct json *inside = path.data[i] == '.' ? json_get(root, (struct str){path.data, i}) : NULL;
		if (inside != NULL)
			j = at_path(inside, (struct str){path.data + i + 1, path.len - i - 1});
	}
	return j != NULL ? j : json_path(root, path);
}

static struct str scalar(const struct json *j)
{
	if (j == NULL)
		return STR_NULL;
	switch (j->kind) {
	case JSON_STRING:
	case JSON_NUMBER: return j->text;
	case JSON_TRUE: return STR("true");
	case JSON_FALSE: return STR("false");
	default: return STR_NULL;
	}
}

static bool read_messages(const struct json *list, struct dataset_row *row, struct arena *arena, struct dataset_wrong *wrong)
{
	if (list->kind != JSON_LIST || list->count == 0 || list->count > MAX_MESSAGES)
		return is_wrong(wrong, "messages is no list of 1 to %d messages", MAX_MESSAGES);
	row->req.messages = arena_array(arena, list->count, sizeof *row->req.messages);
	for (uint32_t i = 0; i < list->count; i++) {
		struct message m = {json_str(json_get(&list->items[i], STR("role"))), json_str(json_get(&list->items[i], STR("content")))};
		if (m.role.data == NULL || m.content.data == NULL)
			return is_wrong(wrong, "message %u has no role or no content of text", i + 1);
		row->req.messages[i] = m;
	}
	row->req.message_count = list->count;
	return true;
}

static const struct json *by_other_name(const struct dataset_plan *plan, const struct json *root, enum dataset_known known)
{
	const struct json *found = NULL;
	for (int i = 0; i < OTHER_NAMES && found == NULL && !plan->given[known]; i++)
		if (other_names[i].known == known)
			found = json_get(root, str_of(other_names[i].name));
	return found;
}

static bool read_text(const struct dataset_plan *plan, const struct json *root, struct dataset_row *row, struct arena *arena,
                      struct dataset_wrong *wrong)
{
	const struct json *text = at_path(root, plan->known[KNOWN_TEXT]), *messages = at_path(root, plan->known[KNOWN_MESSAGES]);
	if (text == NULL)
		text = by_other_name(plan, root, KNOWN_TEXT);
	if (text != NULL && text->kind == JSON_STRING) {
		set_text(row, text->text, arena);
		return true;
	}
	if (text != NULL && text->kind != JSON_NULL)
		return is_wrong(wrong, "the text is no string");
	if (plan->given[KNOWN_TEXT])
		return is_wrong(wrong, "the row has no %.*s", STR_ARG(plan->known[KNOWN_TEXT]));
	return messages == NULL || messages->kind == JSON_NULL || read_messages(messages, row, arena, wrong);
}

static bool read_label(const struct dataset_plan *plan, const struct json *root, struct dataset_row *row, struct dataset_wrong *wrong)
{
	const struct json *label = at_path(root, plan->known[KNOWN_LABEL]);
	if (label == NULL)
		label = by_other_name(plan, root, KNOWN_LABEL);
	if (label == NULL)
		return !plan->given[KNOWN_LABEL] || is_wrong(wrong, "the row has no %.*s", STR_ARG(plan->known[KNOWN_LABEL]));
	struct str s = scalar(label);
	if (label->kind != JSON_NULL && (s.data == NULL || s.len == 0))
		return is_wrong(wrong, "the label is no text (null or \"oos\" means none of the routes)");
	set_label(row, label->kind == JSON_NULL ? STR("oos") : s);
	return true;
}

static bool read_embedding(const struct json *list, struct dataset_row *row, struct arena *arena, struct dataset_wrong *wrong)
{
	if (list == NULL || list->kind == JSON_NULL)
		return true;
	if (list->kind != JSON_LIST || list->count == 0 || list->count > MAX_EMBEDDING)
		return is_wrong(wrong, "the embedding is no list of 1 to %d numbers", MAX_EMBEDDING);
	float *values = arena_array(arena, list->count, sizeof *values);
	for (uint32_t i = 0; i < list->count; i++) {
		double d;
		if (!json_double(&list->items[i], &d) || !isfinite((float)d))
			return is_wrong(wrong, "value %u of the embedding is no number", i + 1);
		values[i] = (float)d;
	}
	row->req.embedding = values;
	row->req.embedding_len = list->count;
	return true;
}

static bool is_planned(const struct dataset_plan *plan, const struct json *root, struct str name)
{
	for (int k = 0; k < KNOWN_COUNT; k++)
		if (str_eq(name, plan->known[k]))
			return true;
	for (int i = 0; i < OTHER_NAMES; i++) {
		enum dataset_known known = other_names[i].known;
		if (str_is(name, other_names[i].name) && !plan->given[known])
			return known == KNOWN_TEXT || at_path(root, plan->known[known]) == NULL;
	}
	return false;
}

static bool read_attributes(const struct dataset_plan *plan, const struct json *root, struct dataset_row *row, struct arena *arena,
                            struct dataset_wrong *wrong)
{
	const struct json *own = json_get(root, STR("attributes"));
	room_for_attributes(row, (size_t)plan->attribute_count + root->count + (own != NULL ? own->count : 0), arena);
	for (uint32_t i = 0; i < plan->attribute_count; i++) {
		struct str name = attribute_name(plan->attributes[i]);
		struct str value = scalar(at_path(root, plan->attributes[i]->path));
		if (value.data != NULL && !add_attribute(row, name, value, wrong))
			return false;
	}
	for (uint32_t i = 0; own != NULL && own->kind == JSON_MAP && i < own->count; i++) {
		struct str value = scalar(&own->items[i]);
		if (value.data != NULL && !add_attribute(row, own->keys[i], value, wrong))
			return false;
	}
	for (uint32_t i = 0; i < root->count; i++) {
		struct str value = is_planned(plan, root, root->keys[i]) ? STR_NULL : scalar(&root->items[i]);
		if (value.data != NULL && !add_attribute(row, root->keys[i], value, wrong))
			return false;
	}
	return true;
}

/* "offset 12: what is wrong" as the JSON reader says it. */
static bool bad_json(const struct err *err, struct dataset_wrong *wrong)
{
	struct str text = str_of(err->text);
	const char *colon = memchr(text.data, ':', text.len);
	size_t start = strlen("offset ");
	int64_t offset;
	if (!str_starts(text, STR("offset ")) || colon == NULL || !str_to_i64((struct str){text.data + start, (size_t)(colon - text.data) - start}, &offset))
		return is_wrong(wrong, "%s", err->text);
	(void)is_wrong(wrong, "%s", colon + 1 + (colon[1] == ' ')); /* false, as this is */
	wrong->offset = offset;
	return false;
}

bool dataset_row_json(const struct dataset_plan *plan, struct str record, struct arena *arena, struct dataset_row *row,
                      struct dataset_wrong *wrong)
{
	struct err err;
	const struct json *root;
	begin(row, row->line);
	if (json_parse(arena, record, (struct json_limits){0}, &root, &err) != RC_OK)
		return bad_json(&err, wrong);
	if (root->kind != JSON_MAP)
		return is_wrong(wrong, "a row is a JSON object, {\"text\": \"...\", \"label\": \"...\"}");
	row->req.id = scalar(at_path(root, plan->known[KNOWN_ID]));
	row->req.tenant = scalar(at_path(root, plan->known[KNOWN_TENANT]));
	return read_text(plan, root, row, arena, wrong) && read_label(plan, root, row, wrong)
	    && read_embedding(at_path(root, plan->known[KNOWN_EMBEDDING]), row, arena, wrong)
	    && read_attributes(plan, root, row, arena, wrong) && finish(row, arena, wrong);
}

/* ---- CSV ------------------------------------------------------------------------------------------------------------- */

static int column(const struct str *names, uint32_t count, struct str name)
{
	for (uint32_t i = 0; i < count; i++)
		if (str_eq(names[i], name))
			return (int)i;
	return -1;
}

struct named {
	const struct str *names;
	struct arena *arena;
};

static const char *column_name(const void *ctx, unsigned i)
{
	const struct named *named = ctx;
	return arena_cstr(named->arena, named->names[i]);
}

static enum rc no_column(struct str *names, uint32_t count, struct str path, struct err *err)
{
	struct arena brief;
	arena_init(&brief, 0);
	struct named named = {names, &brief};
	const char *near = config_suggest(path, column_name, &named, count);
	enum rc rc = err_set(err, RC_BAD_INPUT, "there is no column \"%.*s\"%s%s%s", STR_ARG(path), near ? "; did you mean \"" : "",
	                     near ? near : "", near ? "\"?" : "");
	arena_free(&brief);
	return rc;
}

enum rc dataset_columns_make(const struct dataset_plan *plan, struct str *names, uint32_t count, struct dataset_columns *ret, struct err *err)
{
	struct dataset_columns columns = {.names = names, .count = count};
	for (uint32_t i = 0; i < count; i++)
		if (names[i].len != 0 && column(names, i, names[i]) >= 0)
			return err_set(err, RC_BAD_INPUT, "the header names the column \"%.*s\" twice", STR_ARG(names[i]));
	for (int k = 0; k < KNOWN_COUNT; k++) {
		columns.known[k] = column(names, count, plan->known[k]);
		if (columns.known[k] < 0 && plan->given[k])
			return no_column(names, count, plan->known[k], err);
	}
	for (int i = 0; i < OTHER_NAMES; i++)
		if (columns.known[other_names[i].known] < 0)
			columns.known[other_names[i].known] = column(names, count, str_of(other_names[i].name));
	if (columns.known[KNOWN_TEXT] < 0)
		return err_set(err, RC_BAD_INPUT, "the header has no column text, prompt or sentence; --field text=COLUMN says which one it is");
	for (uint32_t i = 0; i < plan->attribute_count; i++) {
		columns.attributes[i] = column(names, count, plan->attributes[i]->path);
		if (columns.attributes[i] < 0)
			return no_column(names, count, plan->attributes[i]->path, err);
	}
	*ret = columns;
	return RC_OK;
}

static struct str cell_of(const struct dataset_columns *columns, int k, const struct str *cells)
{
	return columns->known[k] >= 0 ? cells[columns->known[k]] : STR_NULL;
}

bool dataset_row_csv(const struct dataset_plan *plan, const struct dataset_columns *columns, struct str *cells, struct arena *arena,
                     struct dataset_row *row, struct dataset_wrong *wrong)
{
	begin(row, row->line);
	for (uint32_t i = 0; i < columns->count; i++)
		if (!str_utf8_valid(cells[i]))
			return is_wrong(wrong, "the cell of column %.*s is not UTF-8", STR_ARG(columns->names[i]));
	set_text(row, cell_of(columns, KNOWN_TEXT, cells), arena);
	struct str label = cell_of(columns, KNOWN_LABEL, cells);
	if (label.data != NULL && label.len == 0)
		return is_wrong(wrong, "the label is empty (write oos for none of the routes)");
	if (label.data != NULL)
		set_label(row, label);
	row->req.id = cell_of(columns, KNOWN_ID, cells);
	row->req.tenant = cell_of(columns, KNOWN_TENANT, cells);
	room_for_attributes(row, (size_t)plan->attribute_count + columns->count, arena);
	for (uint32_t i = 0; i < plan->attribute_count; i++)
		if (!add_attribute(row, attribute_name(plan->attributes[i]), cells[columns->attributes[i]], wrong))
			return false;
	for (uint32_t i = 0; i < columns->count; i++) {
		bool known = columns->names[i].len == 0;
		for (int k = 0; k < KNOWN_COUNT; k++)
			known = known || columns->known[k] == (int)i;
		if (!known && cells[i].len != 0 && !add_attribute(row, columns->names[i], cells[i], wrong))
			return false;
	}
	return finish(row, arena, wrong);
}
