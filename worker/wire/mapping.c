/*
 * mapping.c: compiles field paths and the prompt's template.
 *
 * The one idea: what a record is read for is known at start, so a mistake in a path is a message before the first record,
 * and the readers follow a small tree of names instead of looking names up in a configuration.
 */
#include "worker/wire/mapping.h"

#include "common/json.h"

enum { MAX_PARTS = 64, MAX_PATHS = 256, MAX_PATH_DEPTH = 16 };

static const char *const own_names[FIELD_COUNT] = {
	[FIELD_ID] = "id", [FIELD_TENANT] = "tenant", [FIELD_CONVERSATION_ID] = "conversation_id", [FIELD_JOB_ID] = "job_id",
	[FIELD_PROMPT] = "prompt", [FIELD_MESSAGES] = "messages", [FIELD_ATTRIBUTES] = "attributes",
	[FIELD_EMBEDDING] = "embedding", [FIELD_DEADLINE] = "deadline", [FIELD_PRIORITY] = "priority",
	[FIELD_MAX_TOKENS] = "max_tokens", [FIELD_TEMPERATURE] = "temperature", [FIELD_STOP] = "stop",
	[FIELD_RESPONSE_FORMAT] = "response_format", [FIELD_ROUTE_HINT] = "route_hint", [FIELD_TRACEPARENT] = "traceparent",
};

const char *mapping_field_name(enum field field)
{
	return (unsigned)field < FIELD_COUNT ? own_names[field] : "?";
}

const struct wanted *mapping_wanted(const struct wanted *parent, struct str name)
{
	for (const struct wanted *w = parent->child; w != NULL; w = w->next)
		if (str_eq(w->name, name))
			return w;
	return NULL;
}

static enum rc check_path(struct str path, const char *what, struct str name, struct err *err)
{
	unsigned depth = 1;
	size_t part = 0;
	for (size_t i = 0; i <= path.len; i++) {
		if (i < path.len && (path.data[i] == '{' || path.data[i] == '}'))
			return err_set(err, RC_BAD_INPUT, "%s%.*s: only the prompt can be put together from {fields}; give one path like ticket.number",
			               what, STR_ARG(name));
		if (i < path.len && path.data[i] != '.')
			continue;
		if (i == part)
			return err_set(err, RC_BAD_INPUT, "%s%.*s: the path \"%.*s\" has an empty part", what, STR_ARG(name), STR_ARG(path));
		part = i + 1;
		depth += i < path.len;
	}
	if (depth > MAX_PATH_DEPTH)
		return err_set(err, RC_BAD_INPUT, "%s%.*s: a path of more than %d parts", what, STR_ARG(name), MAX_PATH_DEPTH);
	return RC_OK;
}

static void want(struct mapping *m, struct arena *arena, struct str path)
{
	struct wanted *at = m->wanted;
	while (path.len != 0) {
		const char *dot = memchr(path.data, '.', path.len);
		struct str name = {path.data, dot != NULL ? (size_t)(dot - path.data) : path.len};
		struct wanted *w = at->child;
		while (w != NULL && !str_eq(w->name, name))
			w = w->next;
		if (w == NULL) {
			w = arena_zalloc(arena, sizeof *w);
			w->name = name;
			w->next = at->child;
			at->child = w;
		}
		at = w;
		size_t used = name.len + (dot != NULL);
		path = (struct str){path.data + used, path.len - used};
	}
	at->whole = true;
}

/* {a.b} is a path; {{ and }} are the braces themselves. */
static enum rc compile_prompt(struct mapping *m, struct arena *arena, struct str template, struct err *err)
{
	m->prompt_parts = arena_array(arena, MAX_PARTS, sizeof *m->prompt_parts);
	bool any_path = false;
	struct buf literal;
	buf_init(&literal, arena, template.len + 1);
	for (size_t i = 0; i < template.len; i++) {
		char c = template.data[i];
		if ((c == '{' || c == '}') && i + 1 < template.len && template.data[i + 1] == c) {
			buf_char(&literal, c);
			i++;
			continue;
		}
		if (c == '}')
			return err_set(err, RC_BAD_INPUT, "input.fields.prompt: a } without its {; write }} for the character itself");
		if (c != '{') {
			buf_char(&literal, c);
			continue;
		}
		const char *close = memchr(template.data + i, '}', template.len - i);
		if (close == NULL)
			return err_set(err, RC_BAD_INPUT, "input.fields.prompt: a { without its }; write {{ for the character itself");
		if (m->prompt_part_count + 3 > MAX_PARTS)
			return err_set(err, RC_BAD_INPUT, "input.fields.prompt: more than %d fields in one template", MAX_PARTS / 2 - 1);
		struct str path = {template.data + i + 1, (size_t)(close - template.data) - i - 1};
		enum rc rc = check_path(path, "input.fields.prompt", STR(""), err);
		if (rc != RC_OK)
			return rc;
		if (literal.len != 0) {
			m->prompt_parts[m->prompt_part_count++] = (struct prompt_part){buf_view(&literal), false};
			buf_init(&literal, arena, template.len - i);
		}
		m->prompt_parts[m->prompt_part_count++] = (struct prompt_part){path, true};
		want(m, arena, path);
		any_path = true;
		i = (size_t)(close - template.data);
	}
	if (literal.len != 0)
		m->prompt_parts[m->prompt_part_count++] = (struct prompt_part){buf_view(&literal), false};
	if (!any_path)
		return err_set(err, RC_BAD_INPUT, "input.fields.prompt: the template names no field");
	return RC_OK;
}

static enum rc compile_fields(const struct input_settings *in, struct arena *arena, struct mapping *m, struct err *err)
{
	const struct str given[FIELD_COUNT] = {
		[FIELD_ID] = in->field_id, [FIELD_TENANT] = in->field_tenant, [FIELD_CONVERSATION_ID] = in->field_conversation_id,
		[FIELD_JOB_ID] = in->field_job_id, [FIELD_PROMPT] = in->field_prompt, [FIELD_MESSAGES] = in->field_messages,
		[FIELD_EMBEDDING] = in->field_embedding, [FIELD_DEADLINE] = in->field_deadline,
		[FIELD_PRIORITY] = in->field_priority, [FIELD_ROUTE_HINT] = in->field_route_hint,
	};
	for (int f = 0; f < FIELD_COUNT; f++) {
		m->path[f] = given[f].data != NULL ? given[f] : str_of(own_names[f]);
		/* a mapped prompt stands for the whole text: what the record calls "messages" is something else then, and vice versa */
		if ((f == FIELD_MESSAGES && given[FIELD_PROMPT].data != NULL && given[f].data == NULL) ||
		    (f == FIELD_PROMPT && given[FIELD_MESSAGES].data != NULL && given[f].data == NULL) ||
		    (f == FIELD_ATTRIBUTES && m->attribute_count != 0)) {
			m->path[f] = STR_NULL;
			continue;
		}
		enum rc rc;
		if (f == FIELD_PROMPT && m->path[f].len != 0 &&
		    (memchr(m->path[f].data, '{', m->path[f].len) != NULL || memchr(m->path[f].data, '}', m->path[f].len) != NULL)) {
			rc = compile_prompt(m, arena, m->path[f], err);
		} else {
			rc = check_path(m->path[f], "input.fields.", str_of(own_names[f]), err);
			if (rc == RC_OK)
				want(m, arena, m->path[f]);
		}
		if (rc != RC_OK)
			return rc;
	}
	return RC_OK;
}

enum rc mapping_compile(const struct settings *settings, struct arena *arena, struct mapping *ret, struct err *err)
{
	const struct pair_list *attributes = &settings->input.field_attributes;
	const struct str_list *carry = &settings->output.carry;
	struct mapping m = {.wanted = arena_zalloc(arena, sizeof *m.wanted)};
	if (attributes->count > MAX_PATHS || carry->count > MAX_PATHS)
		return err_set(err, RC_BAD_INPUT, "input.fields.attributes and output.carry take at most %d paths", MAX_PATHS);
	m.attributes = arena_array(arena, attributes->count, sizeof *m.attributes);
	for (uint32_t i = 0; i < attributes->count; i++) {
		struct named_path p = {attributes->items[i].name, attributes->items[i].value};
		enum rc rc = check_path(p.path, "input.fields.attributes.", p.name, err);
		if (rc != RC_OK)
			return rc;
		want(&m, arena, p.path);
		m.attributes[m.attribute_count++] = p;
	}
	m.carry = arena_array(arena, carry->count, sizeof *m.carry);
	for (uint32_t i = 0; i < carry->count; i++) {
		struct str path = carry->items[i];
		enum rc rc = check_path(path, "output.carry: ", path, err);
		if (rc != RC_OK)
			return rc;
		size_t last = path.len;
		while (last != 0 && path.data[last - 1] != '.')
			last--;
		want(&m, arena, path);
		m.carry[m.carry_count++] = (struct named_path){{path.data + last, path.len - last}, path};
	}
	enum rc rc = compile_fields(&settings->input, arena, &m, err);
	if (rc == RC_OK)
		*ret = m;
	return rc;
}
