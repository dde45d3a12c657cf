/*
 * question.c: reads the body of a request.
 *
 * The one idea: json-c reads it, not the worker's own reader, so that what the worker writes is judged by an independent
 * parser, and strictly. It looks only at the members that an answer needs.
 */
#include <json-c/json.h>

#include "tests/modelsim/answer.h"
#include "tests/modelsim/ledger.h"
#include "tests/modelsim/router.h"

static struct json_object *parse(struct json_tokener *tokener, struct str body, const char **ret_why)
{
	json_tokener_reset(tokener);
	json_tokener_set_flags(tokener, JSON_TOKENER_VALIDATE_UTF8); /* not STRICT: json-c 0.18 then refuses all but ASCII */
	struct json_object *root = json_tokener_parse_ex(tokener, body.data, (int)body.len);
	if (root == NULL || json_tokener_get_parse_end(tokener) != body.len) {
		*ret_why = "the body is not one JSON value";
		json_object_put(root);
		return NULL;
	}
	if (!json_object_is_type(root, json_type_object)) {
		*ret_why = "the body is not a JSON object";
		json_object_put(root);
		return NULL;
	}
	return root;
}

static struct str string_of(struct json_object *value)
{
	if (!json_object_is_type(value, json_type_string))
		return STR_NULL;
	return (struct str){json_object_get_string(value), (size_t)json_object_get_string_len(value)};
}

static int64_t whole_number(struct json_object *root, const char *name)
{
	struct json_object *value;
	if (!json_object_object_get_ex(root, name, &value) || !json_object_is_type(value, json_type_int))
		return 0;
	int64_t number = json_object_get_int64(value);
	return number > 0 ? number : 0;
}

static void add_text(struct arena *arena, struct question *question, struct str text)
{
	question->texts[question->text_count++] = arena_str(arena, text);
	question->hash = question->hash * 31 + ledger_hash(text);
	question->tokens += (int64_t)((text.len + 3) / 4);
}

/* The members that both kinds share; texts has room for count. */
static bool begin(struct json_object *root, struct arena *arena, size_t count, struct question *question, const char **ret_why)
{
	struct json_object *model;
	struct str name = json_object_object_get_ex(root, "model", &model) ? string_of(model) : STR_NULL;
	if (name.data == NULL) {
		*ret_why = "'model' is missing or not a string";
		return false;
	}
	*question = (struct question){.model = arena_str(arena, name), .hash = ledger_hash(name)};
	question->texts = arena_array(arena, count, sizeof *question->texts);
	return true;
}

static bool read_messages(struct json_object *root, struct arena *arena, struct question *question, const char **ret_why)
{
	struct json_object *messages;
	if (!json_object_object_get_ex(root, "messages", &messages) || !json_object_is_type(messages, json_type_array) ||
	    json_object_array_length(messages) == 0) {
		*ret_why = "'messages' is missing, empty or not a list";
		return false;
	}
	size_t count = json_object_array_length(messages);
	if (!begin(root, arena, count, question, ret_why))
		return false;
	for (size_t i = 0; i < count; i++) {
		struct json_object *message = json_object_array_get_idx(messages, i), *content, *role;
		if (!json_object_is_type(message, json_type_object) || !json_object_object_get_ex(message, "role", &role) ||
		    string_of(role).data == NULL) {
			*ret_why = "a message has no 'role'";
			return false;
		}
		struct str text = json_object_object_get_ex(message, "content", &content) ? string_of(content) : STR_NULL;
		if (text.data == NULL) {
			*ret_why = "a message's 'content' is not a string";
			return false;
		}
		add_text(arena, question, text);
	}
	question->max_tokens = whole_number(root, "max_tokens");
	if (question->max_tokens == 0)
		question->max_tokens = whole_number(root, "max_completion_tokens");
	router_read(root, arena, question);
	return true;
}

static bool read_inputs(struct json_object *root, struct arena *arena, struct question *question, const char **ret_why)
{
	struct json_object *input;
	bool is_list = json_object_object_get_ex(root, "input", &input) && json_object_is_type(input, json_type_array);
	size_t count = is_list ? json_object_array_length(input) : 1;
	if (count == 0 || (!is_list && string_of(input).data == NULL)) {
		*ret_why = "'input' is missing, empty or not text";
		return false;
	}
	if (!begin(root, arena, count, question, ret_why))
		return false;
	for (size_t i = 0; i < count; i++) {
		struct str text = string_of(is_list ? json_object_array_get_idx(input, i) : input);
		if (text.data == NULL) {
			*ret_why = "an 'input' is not a string";
			return false;
		}
		add_text(arena, question, text);
	}
	question->dimensions = whole_number(root, "dimensions");
	if (question->dimensions > 4096) {
		*ret_why = "'dimensions' is over 4096";
		return false;
	}
	return true;
}

bool question_parse_chat(struct json_tokener *tokener, struct arena *arena, struct str body, struct question *ret,
                         const char **ret_why)
{
	struct json_object *root = parse(tokener, body, ret_why);
	struct question question = {0};
	bool ok = root != NULL && read_messages(root, arena, &question, ret_why);
	if (ok)
		*ret = question;
	json_object_put(root);
	return ok;
}

bool question_parse_embeddings(struct json_tokener *tokener, struct arena *arena, struct str body, struct question *ret,
                               const char **ret_why)
{
	struct json_object *root = parse(tokener, body, ret_why);
	struct question question = {0};
	bool ok = root != NULL && read_inputs(root, arena, &question, ret_why);
	if (ok)
		*ret = question;
	json_object_put(root);
	return ok;
}
