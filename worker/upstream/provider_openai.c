/*
 * provider_openai.c: chat completions and embeddings as OpenAI defined them and as vLLM, llama.cpp, Ollama, Azure, gateways and
 * most hosted services speak them (POST BASE/chat/completions, BASE/embeddings).
 *
 * The one idea: the request is the same for all, and where a server differs the configuration says so: params.set adds or
 * replaces a member, params.drop leaves one out, params.rename gives it another name. The answer is a stranger's data:
 * bounded, checked, repaired, and refused when it is not what the format promises.
 *
 * Not here: streaming, tool calls; the numbers of an answer are openai_vectors.c's.
 */
#include "worker/upstream/provider.h"

#include <math.h>

#include "common/json.h"
#include "worker/upstream/openai_vectors.h"
#include "worker/upstream/repair.h"

enum { MESSAGE_MAX = 300, FIELD_MAX = 128, DEPTH = 32, NODES = 200000 };

static bool unreserved(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' ||
	       c == '~';
}

static void add_percent(struct buf *out, struct str s)
{
	for (size_t i = 0; i < s.len; i++) {
		if (unreserved(s.data[i]))
			buf_char(out, s.data[i]);
		else
			buf_printf(out, "%%%02X", (unsigned char)s.data[i]);
	}
}

static struct str url(const struct model_settings *model, enum purpose purpose, struct arena *arena)
{
	struct buf out;
	buf_init(&out, arena, 256);
	struct str base = model->base_url;
	while (base.len > 0 && base.data[base.len - 1] == '/')
		base.len--;
	buf_str(&out, base);
	buf_cstr(&out, purpose == PURPOSE_EMBED ? "/embeddings" : "/chat/completions");
	for (uint32_t i = 0; i < model->query.count; i++) {
		buf_char(&out, i == 0 ? '?' : '&');
		add_percent(&out, model->query.items[i].name);
		buf_char(&out, '=');
		add_percent(&out, model->query.items[i].value);
	}
	return arena_str(arena, buf_view(&out));
}

static const char *const *headers(const struct model_settings *model, struct arena *arena)
{
	const char **list = arena_array(arena, (size_t)model->headers.count + 4, sizeof *list);
	uint32_t n = 0;
	list[n++] = "Content-Type: application/json";
	if (model->api_key.data != NULL && model->auth_header.data != NULL)
		list[n++] = arena_printf(arena, "%.*s: %.*s", STR_ARG(model->auth_header), STR_ARG(model->api_key)).data;
	else if (model->api_key.data != NULL)
		list[n++] = arena_printf(arena, "Authorization: Bearer %.*s", STR_ARG(model->api_key)).data;
	for (uint32_t i = 0; i < model->headers.count; i++)
		list[n++] =
		    arena_printf(arena, "%.*s: %.*s", STR_ARG(model->headers.items[i].name), STR_ARG(model->headers.items[i].value)).data;
	list[n] = NULL;
	return list;
}

/* Opens the member of that name unless the model's parameters leave it out or set it themselves. */
static bool member(struct buf *out, const struct model_settings *model, struct str name)
{
	for (uint32_t i = 0; i < model->params_drop.count; i++)
		if (str_eq(model->params_drop.items[i], name))
			return false;
	struct str known_as = name;
	for (uint32_t i = 0; i < model->params_rename.count; i++)
		if (str_eq(model->params_rename.items[i].name, name))
			known_as = model->params_rename.items[i].value;
	for (uint32_t i = 0; i < model->params_set.count; i++)
		if (str_eq(model->params_set.items[i].name, name) || str_eq(model->params_set.items[i].name, known_as))
			return false;
	buf_char(out, ',');
	json_write_str(out, known_as);
	buf_char(out, ':');
	return true;
}

/* The record's word "json", a whole response_format, or a bare JSON schema. */
static void add_response_format(struct buf *out, struct str text, struct arena *arena)
{
	const struct json *j;
	if (str_is(text, "json") || str_is(text, "\"json\"")) {
		buf_cstr(out, "{\"type\":\"json_object\"}");
		return;
	}
	if (json_parse(arena, text, (struct json_limits){.max_depth = DEPTH, .max_nodes = NODES}, &j, NULL) != RC_OK) {
		json_write_str(out, text); /* the server's refusal will name it */
		return;
	}
	struct str type = json_str(json_get(j, STR("type")));
	if (j->kind != JSON_MAP || str_is(type, "json_object") || str_is(type, "json_schema") || str_is(type, "text")) {
		buf_str(out, text);
		return;
	}
	buf_cstr(out, "{\"type\":\"json_schema\",\"json_schema\":{\"name\":\"answer\",\"schema\":");
	buf_str(out, text);
	buf_cstr(out, "}}");
}

static size_t request_bytes_expected(const struct call *call)
{
	size_t bytes = 512;
	for (uint32_t i = 0; i < call->message_count; i++)
		bytes += call->messages[i].content.len + call->messages[i].content.len / 16 + 64;
	return bytes;
}

static void add_embedding(struct buf *out, const struct model_settings *model, const struct call *call)
{
	buf_cstr(out, ",\"input\":");
	json_write_str(out, call->message_count != 0 ? call->messages[0].content : STR(""));
	if (member(out, model, STR("encoding_format")))
		buf_cstr(out, "\"float\"");
}

static void add_chat(struct buf *out, const struct model_settings *model, const struct call *call, struct arena *arena)
{
	buf_cstr(out, ",\"messages\":[");
	for (uint32_t i = 0; i < call->message_count; i++) {
		buf_cstr(out, i == 0 ? "{\"role\":" : ",{\"role\":");
		json_write_str(out, call->messages[i].role);
		buf_cstr(out, ",\"content\":");
		json_write_str(out, call->messages[i].content);
		buf_char(out, '}');
	}
	buf_char(out, ']');
	if (call->max_tokens > 0 && member(out, model, STR("max_tokens")))
		buf_i64(out, call->max_tokens);
	if (isfinite(call->temperature) && member(out, model, STR("temperature")))
		json_write_double(out, call->temperature);
	if (call->stop_count > 0 && member(out, model, STR("stop"))) {
		for (uint32_t i = 0; i < call->stop_count; i++) {
			buf_char(out, i == 0 ? '[' : ',');
			json_write_str(out, call->stop[i]);
		}
		buf_char(out, ']');
	}
	if (call->response_format.data != NULL && member(out, model, STR("response_format")))
		add_response_format(out, call->response_format, arena);
	if (call->logprobs && member(out, model, STR("logprobs")))
		buf_cstr(out, "true");
}

static struct str build_request(const struct model_settings *model, const struct call *call, struct arena *arena)
{
	struct buf out;
	buf_init(&out, arena, request_bytes_expected(call));
	buf_cstr(&out, "{\"model\":");
	json_write_str(&out, model->model.data != NULL ? model->model : model->name);
	if (call->purpose == PURPOSE_EMBED)
		add_embedding(&out, model, call);
	else
		add_chat(&out, model, call, arena);
	for (uint32_t i = 0; i < model->params_set.count; i++) {
		json_key(&out, arena_cstr(arena, model->params_set.items[i].name));
		buf_str(&out, model->params_set.items[i].value); /* JSON, as the settings wrote it */
	}
	buf_char(&out, '}');
	arena_shrink(arena, out.data, out.cap, out.len);
	return buf_view(&out);
}

static int64_t count_at(const struct json *usage, const char *path)
{
	int64_t n;
	return json_i64(json_path(usage, str_of(path)), &n) && n > 0 ? n : 0;
}

static struct str cut(struct str s)
{
	return s.data == NULL || s.len <= FIELD_MAX ? s : (struct str){s.data, str_utf8_cut(s, FIELD_MAX)};
}

/* content: a string, null (then a refusal may stand beside it), or parts of which the texts are joined. */
static bool content_text(const struct json *message, struct arena *scratch, struct str *ret)
{
	const struct json *content = json_get(message, STR("content"));
	if (content != NULL && content->kind == JSON_STRING) {
		*ret = content->text;
		return true;
	}
	if (content != NULL && content->kind == JSON_LIST) {
		struct buf out;
		buf_init(&out, scratch, 256);
		for (uint32_t i = 0; i < content->count; i++) {
			struct str part = json_str(json_get(&content->items[i], STR("text")));
			if (part.data != NULL)
				buf_str(&out, part);
		}
		*ret = buf_view(&out);
		return true;
	}
	if (content != NULL && content->kind != JSON_NULL)
		return false;
	*ret = json_str(json_get(message, STR("refusal")));
	return ret->data != NULL;
}

static enum rc parse_chat(const struct json *root, enum purpose purpose, struct arena *scratch, struct provider_answer *ret, struct err *err)
{
	const struct json *choice = json_path(root, STR("choices.0"));
	const struct json *message = json_get(choice, STR("message"));
	struct str text;
	if (message == NULL || !content_text(message, scratch, &text))
		return err_set(err, RC_BAD_INPUT, "the answer has no choices[0].message.content; does base_url end where "
		                                  "/chat/completions follows?");
	if (text.len > 0 && memchr(text.data, '\0', text.len) != NULL)
		return err_set(err, RC_BAD_INPUT, "the answer's text holds a NUL character");
	ret->text = text;
	ret->finish_reason = cut(json_str(json_get(choice, STR("finish_reason"))));
	if (purpose == PURPOSE_ROUTER)
		openai_logprobs(choice, scratch, ret);
	return RC_OK;
}

static enum rc parse_answer(struct str body, enum purpose purpose, struct arena *scratch, struct provider_answer *ret, struct err *err)
{
	const struct json *root;
	struct json_limits limits = {.max_depth = DEPTH, .max_nodes = NODES};
	if (json_parse(scratch, body, limits, &root, err) != RC_OK) {
		struct str mended = repair_json(body, scratch);
		if (mended.data == body.data || json_parse(scratch, mended, limits, &root, err) != RC_OK)
			return err_prefix(err, RC_BAD_INPUT, "the answer is not JSON");
	}
	const struct json *usage = json_get(root, STR("usage"));
	struct provider_answer answer = {
	    .id = cut(json_str(json_get(root, STR("id")))),
	    .input_tokens = count_at(usage, "prompt_tokens"),
	    .cached_tokens = count_at(usage, "prompt_tokens_details.cached_tokens"),
	    .output_tokens = count_at(usage, "completion_tokens"),
	    .has_usage = usage != NULL && usage->kind == JSON_MAP,
	};
	enum rc rc = purpose == PURPOSE_EMBED ? openai_vector(root, scratch, &answer, err) : parse_chat(root, purpose, scratch, &answer, err);
	if (rc == RC_OK)
		*ret = answer;
	return rc;
}

/* OpenAI {"error":{"message","code"}}; others {"error":"text"}, {"message"}, {"detail"}; or any text at all. */
static void classify_error(int http_status, struct str body, struct arena *scratch, struct provider_error *ret)
{
	static const char *const places[] = {"error.message", "error", "message", "detail"};
	const struct json *root = NULL;
	struct str message = STR_NULL;
	if (json_parse(scratch, body, (struct json_limits){.max_depth = DEPTH, .max_nodes = NODES}, &root, NULL) == RC_OK)
		for (size_t i = 0; i < sizeof places / sizeof places[0] && message.data == NULL; i++)
			message = json_str(json_path(root, str_of(places[i])));
	struct str code = json_str(json_path(root, STR("error.code")));
	*ret = (struct provider_error){
	    .message = repair_line(message.data != NULL ? message : body, MESSAGE_MAX, scratch),
	    .hopeless = http_status == 429 && str_is(code, "insufficient_quota"),
	};
}

const struct provider provider_openai = {
    .name = "openai",
    .url = url,
    .headers = headers,
    .build_request = build_request,
    .parse_answer = parse_answer,
    .classify_error = classify_error,
};
