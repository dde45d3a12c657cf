/*
 * request.c: fills a request from a decoded record.
 *
 * The one idea: every field is read even when an earlier one was wrong, so that the refusal still carries the record's id
 * and tenant; the first complaint is the one that is told. It knows nothing of formats: see value.h.
 */
#include "worker/wire/request.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "worker/wire/event.h"

struct filling {
	const struct mapping *mapping;
	const struct value *root;
	struct arena *arena;
	struct request *req;
	struct err *err;
	bool refused;
};

static void refuse(struct filling *f, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void refuse(struct filling *f, const char *fmt, ...)
{
	if (f->refused)
		return;
	f->refused = true;
	char text[256];
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	(void)err_set(f->err, RC_BAD_INPUT, "%s", n > 0 ? text : "invalid"); /* the caller returns the code */
}

static struct value field(const struct filling *f, enum field which)
{
	struct str path = f->mapping->path[which];
	return path.data == NULL ? (struct value){.kind = VALUE_ABSENT} : value_path(f->root, path);
}

/* A short text without NUL; data NULL when absent. An empty one is absent: that is how many producers say "none". */
static struct str short_text(struct filling *f, enum field which, size_t max_bytes)
{
	struct value v = field(f, which);
	struct str s = STR_NULL;
	if (!value_given(&v))
		return STR_NULL;
	if (!value_text(&v, f->arena, &s)) {
		refuse(f, "%s is not text", mapping_field_name(which));
		return STR_NULL;
	}
	if (s.len > max_bytes) {
		refuse(f, "%s has %zu bytes; at most %zu are allowed", mapping_field_name(which), s.len, max_bytes);
		return STR_NULL;
	}
	if (s.len != 0 && memchr(s.data, '\0', s.len) != NULL) {
		refuse(f, "%s holds a NUL character", mapping_field_name(which));
		return STR_NULL;
	}
	return s.len != 0 ? s : STR_NULL;
}

static int64_t whole(struct filling *f, enum field which, int64_t min, int64_t max, int64_t fallback)
{
	struct value v = field(f, which);
	int64_t n = 0;
	if (!value_given(&v))
		return fallback;
	if (!value_i64(&v, &n)) {
		refuse(f, "%s is not a whole number", mapping_field_name(which));
		return fallback;
	}
	if (v.micros)
		n /= 1000;
	if (n < min || n > max) {
		refuse(f, "%s is %lld; it must be from %lld to %lld", mapping_field_name(which), (long long)n, (long long)min, (long long)max);
		return fallback;
	}
	return n;
}

static bool blank(struct str s)
{
	return str_trim(s).len == 0;
}

static void one_user_message(struct filling *f, struct str prompt)
{
	f->req->messages = arena_zalloc(f->arena, sizeof *f->req->messages);
	f->req->messages[0] = (struct message){STR("user"), prompt};
	f->req->message_count = 1;
}

/* False when none of the template's fields is there. */
static bool assemble_prompt(struct filling *f, struct str *ret)
{
	const struct mapping *m = f->mapping;
	bool any = false;
	struct buf out;
	buf_init(&out, f->arena, 256);
	for (uint32_t i = 0; i < m->prompt_part_count; i++) {
		struct str s = m->prompt_parts[i].text;
		if (m->prompt_parts[i].is_path) {
			struct value v = value_path(f->root, s);
			struct str path = s;
			s = STR_NULL;
			if (value_given(&v) && !value_text(&v, f->arena, &s))
				refuse(f, "prompt: the field %.*s is not text", (int)(path.len < 100 ? path.len : 100), path.data);
			any |= s.len != 0;
		}
		if (out.len + s.len > REQUEST_MAX_PROMPT_BYTES) {
			refuse(f, "prompt has more than %d bytes when put together", REQUEST_MAX_PROMPT_BYTES);
			return false;
		}
		buf_str(&out, s);
	}
	*ret = buf_view(&out);
	return any;
}

static void fill_messages(struct filling *f, const struct value *list)
{
	if (list->kind != VALUE_LIST) {
		refuse(f, "messages is not a list");
		return;
	}
	if (list->count > REQUEST_MAX_MESSAGES) {
		refuse(f, "messages has %u entries; at most %d are allowed", list->count, REQUEST_MAX_MESSAGES);
		return;
	}
	struct message *messages = arena_array(f->arena, list->count, sizeof *messages);
	bool any = false;
	for (uint32_t i = 0; i < list->count; i++) {
		struct value v = value_item(list, i), role = value_get(&v, STR("role")), content = value_get(&v, STR("content"));
		struct message *m = &messages[i];
		if (role.kind != VALUE_TEXT || blank(role.text) || role.text.len > REQUEST_MAX_ROLE_BYTES || memchr(role.text.data, '\0', role.text.len) != NULL) {
			refuse(f, "messages.%u has no role of 1 to %d bytes", i, REQUEST_MAX_ROLE_BYTES);
			return;
		}
		m->role = role.text;
		m->content = STR("");
		if (value_given(&content) && content.kind != VALUE_TEXT) {
			refuse(f, "messages.%u.content is not text", i);
			return;
		}
		if (content.kind == VALUE_TEXT)
			m->content = content.text;
		any |= !blank(m->content);
	}
	if (any) {
		f->req->messages = messages;
		f->req->message_count = list->count;
	}
}

static void fill_prompt(struct filling *f)
{
	struct value messages = field(f, FIELD_MESSAGES);
	struct str prompt = STR_NULL;
	if (f->mapping->prompt_parts != NULL) {
		if (!assemble_prompt(f, &prompt))
			prompt = STR_NULL;
	} else {
		struct value v = field(f, FIELD_PROMPT);
		if (value_given(&v) && !value_text(&v, f->arena, &prompt))
			refuse(f, "prompt is not text");
	}
	bool has_messages = value_given(&messages) && !(messages.kind == VALUE_LIST && messages.count == 0);
	if (!blank(prompt) && has_messages)
		refuse(f, "both prompt and messages are given; send one of them");
	else if (!blank(prompt))
		one_user_message(f, prompt);
	else if (has_messages)
		fill_messages(f, &messages);
}

/* Appends unless the name is there; false when it was or there is no room. */
static bool add_attribute(struct filling *f, struct attribute *list, uint32_t *count, struct str name, const struct value *v)
{
	struct str text;
	if (!value_given(v))
		return false;
	if (!value_text(v, f->arena, &text)) {
		refuse(f, "attributes.%.*s is not a text, number or boolean", (int)(name.len < 100 ? name.len : 100), name.data);
		return false;
	}
	if (name.len + text.len > REQUEST_MAX_ATTRIBUTE_BYTES) {
		refuse(f, "attributes.%.*s has %zu bytes; at most %d are allowed", (int)(name.len < 100 ? name.len : 100), name.data,
		       name.len + text.len, REQUEST_MAX_ATTRIBUTE_BYTES);
		return false;
	}
	if (name.len != 0 && memchr(name.data, '\0', name.len) != NULL) {
		refuse(f, "attributes: a name holds a NUL character");
		return false;
	}
	for (uint32_t i = 0; i < *count; i++)
		if (str_eq(list[i].name, name))
			return false;
	list[(*count)++] = (struct attribute){name, text};
	return true;
}

static void fill_attributes(struct filling *f)
{
	const struct mapping *m = f->mapping;
	struct value map = field(f, FIELD_ATTRIBUTES);
	if (value_given(&map) && map.kind != VALUE_MAP) {
		refuse(f, "attributes is not a map");
		map.count = 0;
	}
	uint32_t given = value_given(&map) ? map.count : m->attribute_count;
	if (given > REQUEST_MAX_ATTRIBUTES) {
		refuse(f, "attributes has %u entries; at most %d are allowed", given, REQUEST_MAX_ATTRIBUTES);
		given = 0;
	}
	if (given + m->carry_count == 0)
		return;
	struct attribute *list = arena_array(f->arena, given + m->carry_count, sizeof *list);
	uint32_t count = 0;
	for (uint32_t i = 0; i < given; i++) {
		struct value v = value_given(&map) ? value_item(&map, i) : value_path(f->root, m->attributes[i].path);
		(void)add_attribute(f, list, &count, value_given(&map) ? value_key(&map, i) : m->attributes[i].name, &v); /* absent: not there */
	}
	f->req->carry = list + count;
	for (uint32_t i = 0; i < m->carry_count; i++) {
		struct value v = value_path(f->root, m->carry[i].path);
		f->req->carry_count += add_attribute(f, list, &count, m->carry[i].name, &v);
	}
	f->req->attributes = list;
	f->req->attribute_count = count;
}

static void fill_embedding(struct filling *f)
{
	struct value list = field(f, FIELD_EMBEDDING);
	if (!value_given(&list))
		return;
	if (list.kind != VALUE_LIST || list.count > REQUEST_MAX_EMBEDDING) {
		refuse(f, "embedding is not a list of at most %d numbers", REQUEST_MAX_EMBEDDING);
		return;
	}
	float *vector = arena_array(f->arena, list.count, sizeof *vector);
	for (uint32_t i = 0; i < list.count; i++) {
		struct value v = value_item(&list, i);
		double d;
		if (!value_double(&v, &d) || !isfinite((float)d)) {
			refuse(f, "embedding.%u is not a finite number", i);
			return;
		}
		vector[i] = (float)d;
	}
	f->req->embedding = list.count != 0 ? vector : NULL;
	f->req->embedding_len = list.count;
}

static void fill_stop(struct filling *f)
{
	struct value list = field(f, FIELD_STOP);
	if (!value_given(&list))
		return;
	bool one = list.kind == VALUE_TEXT;
	uint32_t count = one ? 1 : list.count;
	if ((!one && list.kind != VALUE_LIST) || count > REQUEST_MAX_STOP) {
		refuse(f, "stop is not a list of at most %d texts", REQUEST_MAX_STOP);
		return;
	}
	struct str *stop = arena_array(f->arena, count, sizeof *stop);
	for (uint32_t i = 0; i < count; i++) {
		struct value v = one ? list : value_item(&list, i);
		if (v.kind != VALUE_TEXT || v.text.len == 0 || v.text.len > REQUEST_MAX_STOP_BYTES) {
			refuse(f, "stop.%u is not a text of 1 to %d bytes", i, REQUEST_MAX_STOP_BYTES);
			return;
		}
		stop[i] = v.text;
	}
	f->req->stop = stop;
	f->req->stop_count = count;
}

/* "json", a response_format as OpenAI's API has it, or a bare JSON schema; as a map or as text. */
static void fill_response_format(struct filling *f)
{
	struct value v = field(f, FIELD_RESPONSE_FORMAT);
	struct str text = STR_NULL;
	const struct json *json = v.json;
	if (!value_given(&v))
		return;
	if (v.kind == VALUE_TEXT && str_is(str_trim(v.text), "json")) {
		f->req->response_format = STR("{\"type\":\"json_object\"}");
		return;
	}
	if ((v.kind == VALUE_TEXT || (v.kind == VALUE_MAP && v.json != NULL)) && v.text.len <= REQUEST_MAX_FORMAT_BYTES)
		text = v.text;
	if (text.data != NULL && v.kind == VALUE_TEXT &&
	    json_parse(f->arena, text, (struct json_limits){.max_depth = 32, .max_nodes = 8192}, &json, NULL) != RC_OK)
		text = STR_NULL;
	if (text.data == NULL || json->kind != JSON_MAP) {
		refuse(f, "response_format is neither \"json\" nor a JSON schema of at most %d bytes", REQUEST_MAX_FORMAT_BYTES);
		return;
	}
	struct str type = json_str(json_get(json, STR("type")));
	if (str_is(type, "json_object") || str_is(type, "json_schema") || str_is(type, "text"))
		f->req->response_format = text;
	else
		f->req->response_format = arena_printf(f->arena, "{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"answer\",\"schema\":%.*s}}", STR_ARG(text));
}

static bool lower_hex(struct str s)
{
	bool any = false;
	for (size_t i = 0; i < s.len; i++) {
		if (!((s.data[i] >= '0' && s.data[i] <= '9') || (s.data[i] >= 'a' && s.data[i] <= 'f')))
			return false;
		any |= s.data[i] != '0';
	}
	return any;
}

bool request_is_traceparent(struct str t)
{
	if (t.len != 55 || memcmp(t.data, "00-", 3) != 0 || t.data[35] != '-' || t.data[52] != '-')
		return false;
	struct str flags = {t.data + 53, 2};
	return lower_hex((struct str){t.data + 3, 32}) && lower_hex((struct str){t.data + 36, 16}) && (str_is(flags, "00") || lower_hex(flags));
}

/* From the record, else from its headers. One that is not well-formed is as if it were not there (W3C Trace Context, 4.3). */
static void fill_traceparent(struct filling *f, const struct record *rec)
{
	struct value v = field(f, FIELD_TRACEPARENT);
	if (v.kind == VALUE_TEXT && request_is_traceparent(v.text)) {
		f->req->traceparent = v.text;
		return;
	}
	for (uint32_t i = 0; i < rec->header_count; i++)
		if (str_is(rec->headers[i].name, "traceparent") && request_is_traceparent(rec->headers[i].value))
			f->req->traceparent = rec->headers[i].value;
}

static void fill_temperature(struct filling *f)
{
	struct value v = field(f, FIELD_TEMPERATURE);
	double d = NAN;
	if (!value_given(&v))
		return;
	if (!value_double(&v, &d) || d < 0 || d > 10)
		refuse(f, "temperature is not a number from 0 to 10");
	else
		f->req->temperature = d;
}

void request_begin(struct job *job)
{
	uint8_t format = job->req.format;
	job->req = (struct request){.temperature = NAN, .format = format};
	job->req.id = job->origin.id.data != NULL ? job->origin.id : event_id(&job->rec);
	if (job->req.id.data != NULL)
		return;
	struct buf id;
	buf_init(&id, &job->arena, job->rec.topic.len + 36);
	buf_str(&id, job->rec.topic);
	buf_char(&id, '-');
	buf_i64(&id, job->rec.partition);
	buf_char(&id, '-');
	buf_i64(&id, job->rec.offset);
	job->req.id = buf_view(&id);
}

enum rc request_fill(const struct mapping *mapping, const struct value *root, struct job *job, enum outcome *ret_outcome, struct err *err)
{
	struct filling f = {.mapping = mapping, .root = root, .arena = &job->arena, .req = &job->req, .err = err};
	struct request *req = &job->req;
	struct str id = short_text(&f, FIELD_ID, REQUEST_MAX_ID_BYTES);
	if (id.data != NULL)
		req->id = id;
	req->tenant = short_text(&f, FIELD_TENANT, REQUEST_MAX_TENANT_BYTES);
	req->conversation_id = short_text(&f, FIELD_CONVERSATION_ID, REQUEST_MAX_ID_BYTES);
	req->job_id = short_text(&f, FIELD_JOB_ID, REQUEST_MAX_ID_BYTES);
	req->route_hint = short_text(&f, FIELD_ROUTE_HINT, REQUEST_MAX_ID_BYTES);
	fill_attributes(&f);
	req->deadline_ms = whole(&f, FIELD_DEADLINE, 0, INT64_C(253402300799999), 0); /* the year 9999 */
	req->priority = (int32_t)whole(&f, FIELD_PRIORITY, INT32_MIN, INT32_MAX, 0);
	req->max_tokens = whole(&f, FIELD_MAX_TOKENS, 1, 10000000, 0);
	fill_temperature(&f);
	fill_stop(&f);
	fill_response_format(&f);
	fill_traceparent(&f, &job->rec);
	fill_embedding(&f);
	fill_prompt(&f);
	if (f.refused) {
		*ret_outcome = OUTCOME_INVALID;
		return RC_BAD_INPUT;
	}
	if (req->message_count == 0) {
		*ret_outcome = OUTCOME_NO_PROMPT;
		return err_set(err, RC_BAD_INPUT, "neither prompt nor messages hold text");
	}
	return RC_OK;
}
