/*
 * router.c: answers to "where does this text belong?", friendly and hostile.
 *
 * The one idea: the truth is in the text itself (its first word is a route's name), so a test can tell a wrong route from a right
 * one without a model. All routes' names are plain ASCII here.
 */
#include "tests/modelsim/router.h"

#include <json-c/json.h>
#include <string.h>

#include "tests/modelsim/ledger.h"

static const char *const mode_names[] = {
#define X(NAME, name) name,
    ROUTER_MODES(X)
#undef X
};

bool router_mode_named(struct str name, int *ret)
{
	for (int i = 0; i < ROUTER_MODE_COUNT; i++) {
		if (str_is(name, mode_names[i])) {
			*ret = i;
			return true;
		}
	}
	return false;
}

const char *router_mode_name(int mode)
{
	return mode_names[mode];
}

static struct json_object *at(struct json_object *object, const char *const *path)
{
	for (; *path != NULL; path++)
		if (!json_object_is_type(object, json_type_object) || !json_object_object_get_ex(object, *path, &object))
			return NULL;
	return object;
}

void router_read(struct json_object *root, struct arena *arena, struct question *question)
{
	static const char *const path[] = {"response_format", "json_schema", "schema", "properties", "route", "enum", NULL};
	struct json_object *names = at(root, path), *logprobs;
	if (!json_object_is_type(names, json_type_array))
		return;
	size_t count = json_object_array_length(names);
	question->routes = arena_array(arena, count, sizeof *question->routes);
	for (size_t i = 0; i < count; i++)
		question->routes[question->route_count++] = arena_str(arena, str_of(json_object_get_string(json_object_array_get_idx(names, i))));
	question->logprobs = json_object_object_get_ex(root, "logprobs", &logprobs) && json_object_get_boolean(logprobs);
	/* the text is a JSON string within the last message */
	static const char *const text[] = {"text", NULL};
	struct json_object *user = json_tokener_parse(question->texts[question->text_count - 1].data), *found = at(user, text);
	if (json_object_is_type(found, json_type_string))
		question->routed = arena_str(arena, str_of(json_object_get_string(found)));
	json_object_put(user);
}

static struct str truth(const struct question *question)
{
	for (uint32_t i = 0; i < question->route_count; i++) {
		struct str name = question->routes[i];
		if (str_starts(question->routed, name) && (question->routed.len == name.len || question->routed.data[name.len] == ' '))
			return name;
	}
	return question->routes[0];
}

static struct str another(const struct question *question, struct str name)
{
	for (uint32_t i = 0; i < question->route_count; i++)
		if (!str_eq(question->routes[i], name))
			return question->routes[i];
	return name;
}

static void object(struct buf *out, struct str route, const char *confidence)
{
	buf_printf(out, "{\\\"route\\\":\\\"%.*s\\\",\\\"confidence\\\":%s}", STR_ARG(route), confidence);
}

/* What the text asks the model to say: its first piece in braces. */
static void echo(struct buf *out, const struct question *question)
{
	struct str text = question->routed;
	const char *open = text.len != 0 ? memchr(text.data, '{', text.len) : NULL;
	const char *close = open != NULL ? memchr(open, '}', text.len - (size_t)(open - text.data)) : NULL;
	if (close == NULL) {
		object(out, truth(question), "0.9");
		return;
	}
	for (; open <= close; open++) {
		if (*open == '"' || *open == '\\')
			buf_char(out, '\\');
		buf_char(out, *open);
	}
}

static int mode_of(const struct question *question, int mode)
{
	return mode == ROUTER_MIXED ? (int)(ledger_hash(question->routed) % ROUTER_LATE) : mode;
}

void router_write(struct buf *out, const struct question *question, int mode)
{
	struct str right = truth(question), wrong = another(question, right);
	switch (mode_of(question, mode)) {
	case ROUTER_FENCE:
		buf_cstr(out, "```json\\n");
		object(out, right, "0.9");
		buf_cstr(out, "\\n```");
		return;
	case ROUTER_PROSE:
		buf_cstr(out, "Sure! I think {as far as one can tell} it is\\n\\n");
		object(out, right, "0.9");
		buf_cstr(out, ". Can I help with anything else?");
		return;
	case ROUTER_UNSURE: object(out, wrong, "0.1"); return;
	case ROUTER_WRONG: object(out, STR("administrator"), "0.99"); return;
	case ROUTER_EMPTY: return;
	case ROUTER_ECHO: echo(out, question); return;
	case ROUTER_CONTRADICT:
		object(out, wrong, "0.9");
		buf_cstr(out, " No, wait: ");
		object(out, right, "0.9");
		return;
	case ROUTER_CUT: buf_printf(out, "{\\\"route\\\":\\\"%.*s\\\",\\\"confi", STR_ARG(wrong)); return;
	case ROUTER_TYPE: buf_printf(out, "{\\\"route\\\":[\\\"%.*s\\\"],\\\"confidence\\\":1}", STR_ARG(wrong)); return;
	case ROUTER_BOAST: object(out, wrong, "\\\"very high\\\""); return;
	case ROUTER_WORD: buf_printf(out, "%.*s", STR_ARG(wrong)); return;
	case ROUTER_HUGE:
		for (int i = 0; i < 3000; i++)
			buf_cstr(out, "thinking ");
		object(out, wrong, "1");
		return;
	case ROUTER_BYTES: object(out, STR("k\xFF\xC3("), "1"); return;
	default: object(out, right, "0.9"); return;
	}
}

/* Each escape of ours is two bytes and one letter; pieces are cut between letters. */
void router_write_logprobs(struct buf *out, const struct question *question, int mode, struct str text)
{
	const char *logprob = mode_of(question, mode) == ROUTER_UNSURE ? "-1.5" : "-0.01";
	buf_cstr(out, ",\"logprobs\":{\"content\":[");
	for (size_t i = 0; i < text.len;) {
		size_t end = i;
		for (int letters = 0; letters < 3 && end < text.len; letters++)
			end += text.data[end] == '\\' ? 2 : 1;
		buf_printf(out, "%s{\"token\":\"%.*s\",\"logprob\":%s,\"bytes\":null,\"top_logprobs\":[]}", i == 0 ? "" : ",", (int)(end - i),
		           text.data + i, logprob);
		i = end;
	}
	buf_cstr(out, "]}");
}
