/*
 * policy_routes.c: the routes section of a policy: where texts can go, and with which prompt.
 *
 * The one idea: a route is either models or a topic. A mixture is refused here, so that nothing later asks twice.
 */
#include <math.h>

#include "common/json.h"
#include "worker/route/policy_load.h"
#include "worker/route/render.h"

struct route_settings {
	struct str name, topic, description;
	const struct node *models, *on_error, *system, *prompt, *examples, *response_format, *then;
	int kind;
	int64_t max_tokens, timeout_ms;
	uint32_t max_per_conversation;
	double temperature;
};
enum { KIND_ANSWER, KIND_CLARIFICATION };

#define KEEP(field) .kind = OPTION_CUSTOM, .offset = offsetof(struct route_settings, field), .parse = policy_keep_node
static const struct config_option route_options[] = {
	{.name = "name", .kind = OPTION_STR, .offset = offsetof(struct route_settings, name), .required = true,
	 .doc = "The label in decisions, metrics and data sets."},
	{.name = "description", .kind = OPTION_STR, .offset = offsetof(struct route_settings, description),
	 .doc = "What belongs there, in a sentence or two: the llm stage's model reads it."},
	{.name = "models", KEEP(models), .doc = "The models that serve it, in order of preference."},
	{.name = "on_error", KEEP(on_error), .doc = "Models that are asked next when those are down, limited or refuse."},
	{.name = "topic", .kind = OPTION_STR, .offset = offsetof(struct route_settings, topic),
	 .doc = "A Kafka topic instead of models, for example of a review desk."},
	{.name = "kind", .kind = OPTION_ENUM, .offset = offsetof(struct route_settings, kind), .fallback = "answer",
	 .choices = "answer|clarification", .doc = "clarification: the model asks back; the response says so."},
	{.name = "max_per_conversation", .kind = OPTION_U32, .offset = offsetof(struct route_settings, max_per_conversation), .min = 1, .max = 100,
	 .doc = "kind clarification: how often a conversation is asked back, by any route; default: without end."},
	{.name = "then", KEEP(then), .doc = "The route after max_per_conversation, for example to people; default: when_unsure."},
	{.name = "system", KEEP(system), .doc = "System prompt: a file (.md, .txt) beside the policy, or the text itself."},
	{.name = "prompt", KEEP(prompt),
	 .doc = "Template of the user message: {text}, {attributes.NAME}, {tenant}, {id}; a file (.md, .txt) or the text itself."},
	{.name = "max_tokens", .kind = OPTION_I64, .offset = offsetof(struct route_settings, max_tokens), .min = 1, .max = 10000000,
	 .doc = "Upper bound of the answer's tokens; a record may ask for fewer."},
	{.name = "temperature", .kind = OPTION_DOUBLE, .offset = offsetof(struct route_settings, temperature), .min = 0, .max = 2,
	 .doc = "Used where the record gives none."},
	{.name = "response_format", KEEP(response_format), .doc = "json, or the JSON that the provider takes as response_format."},
	{.name = "timeout", .kind = OPTION_DURATION, .offset = offsetof(struct route_settings, timeout_ms), .min = 1, .max = 86400000,
	 .doc = "Of one call; default: the model's."},
	{.name = "examples", KEEP(examples), .doc = "A file of example texts, one a line."},
	{.name = NULL},
};
#undef KEEP

static const char *model_name(const void *ctx, unsigned i)
{
	return ((const struct settings *)ctx)->models[i].name.data; /* settings end their texts with a NUL */
}

enum rc policy_refer_model(const struct settings *settings, const struct node *node, int *ret, struct err *err)
{
	if (node->kind != NODE_SCALAR)
		return config_error(node, err, "the name of a model is expected");
	int model = settings_model(settings, node->scalar);
	if (model < 0)
		return config_error_unknown(node, err, "model", model_name, settings, settings->model_count);
	*ret = model;
	return RC_OK;
}

/* Adds the models named at node to the route's list, but for those that are there. */
static enum rc add_models(struct policy *policy, const struct settings *settings, const struct node *node, struct route *route,
                          struct arena *brief, struct err *err)
{
	struct policy_strings names;
	enum rc rc = policy_strings(policy, node, brief, &names, err);
	for (uint32_t i = 0; rc == RC_OK && i < names.count; i++) {
		int model = -1;
		rc = policy_refer_model(settings, names.nodes[i], &model, err);
		if (rc != RC_OK)
			break;
		bool there = false;
		for (uint32_t k = 0; k < route->model_count && !there; k++)
			there = route->models[k] == model;
		if (there)
			continue;
		if (route->model_count == POLICY_MAX_MODELS)
			return config_error(names.nodes[i], err, "a route has at most %d models", POLICY_MAX_MODELS);
		route->models[route->model_count++] = (uint16_t)model;
	}
	return rc;
}

static bool ends_with(struct str s, struct str suffix)
{
	return s.len > suffix.len && str_eq((struct str){s.data + s.len - suffix.len, suffix.len}, suffix);
}

/* A file's name (ending in .md, .txt or the one given, on one line) or the text itself. */
static enum rc text_or_file(struct policy *policy, const struct node *node, struct str suffix, struct arena *brief,
                            struct str *ret, struct err *err)
{
	if (node->kind != NODE_SCALAR || node->scalar.len == 0)
		return config_error(node, err, "a text or the name of a file is expected");
	struct str s = node->scalar;
	bool named = ends_with(s, STR(".md")) || ends_with(s, STR(".txt")) || ends_with(s, suffix);
	bool file = named && memchr(s.data, '\n', s.len) == NULL;
	if (!file && s.len > POLICY_MAX_PROMPT_BYTES)
		return config_error(node, err, "the text is longer than %d bytes", POLICY_MAX_PROMPT_BYTES);
	enum rc rc = file ? policy_read_file(policy, node, s, POLICY_MAX_PROMPT_BYTES, brief, &s, err) : RC_OK;
	if (rc != RC_OK)
		return rc;
	if (str_trim(s).len == 0)
		return config_error(node, err, "the file %.*s is empty", STR_ARG(node->scalar));
	*ret = arena_str(&policy->arena, file ? str_trim(s) : s);
	return RC_OK;
}

static enum rc read_prompts(struct policy *policy, const struct route_settings *s, struct route *route, struct arena *brief,
                            struct err *err)
{
	struct err why;
	enum rc rc = RC_OK;
	if (s->system != NULL)
		rc = text_or_file(policy, s->system, STR(".md"), brief, &route->system, err);
	if (rc == RC_OK && s->prompt != NULL) {
		rc = text_or_file(policy, s->prompt, STR(".md"), brief, &route->template, err);
		if (rc == RC_OK && render_check(route->template, &why) != RC_OK)
			rc = config_error(s->prompt, err, "%s", why.text);
	}
	if (rc != RC_OK || s->response_format == NULL)
		return rc;
	struct str format;
	rc = text_or_file(policy, s->response_format, STR(".json"), brief, &format, err);
	if (rc != RC_OK)
		return rc;
	if (str_is(format, "json"))
		format = STR("{\"type\":\"json_object\"}");
	const struct json *tree;
	if (json_parse(brief, format, (struct json_limits){0}, &tree, &why) != RC_OK || tree->kind != JSON_MAP)
		return config_error(s->response_format, err, "json is expected, or a JSON object as the provider takes it");
	route->response_format = format;
	return RC_OK;
}

/* What a route may not be. */
static enum rc check_shape(const struct node *node, const struct route_settings *s, struct err *err)
{
	static const char *const of_models[] = {"models", "on_error", "system", "prompt", "max_tokens", "temperature", "response_format",
	                                        "timeout", "kind", "max_per_conversation", "then"};
	if (s->topic.data == NULL && s->models == NULL)
		return config_error(node, err, "the route %.*s has neither models nor a topic", STR_ARG(s->name));
	if (s->topic.data != NULL && s->topic.len == 0)
		return config_error(config_get(node, "topic"), err, "the topic's name is empty");
	for (size_t i = 0; s->topic.data != NULL && i < sizeof of_models / sizeof of_models[0]; i++) {
		const struct node *value = config_get(node, of_models[i]);
		if (value != NULL)
			return config_error(value, err, "the route %.*s goes to a topic: %s has no place there", STR_ARG(s->name), of_models[i]);
	}
	return RC_OK;
}

static enum rc check_name(const struct policy *policy, const struct node *node, struct str name, struct err *err)
{
	const struct node *at = config_get(node, "name");
	if (name.len == 0 || name.len > POLICY_MAX_NAME)
		return config_error(at, err, "a route's name has 1 to %d bytes", POLICY_MAX_NAME);
	for (size_t i = 0; i < name.len; i++) {
		char c = name.data[i];
		if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') && strchr("_-.", c) == NULL)
			return config_error(at, err, "a route's name is made of letters, digits, \"_\", \"-\" and \".\"");
	}
	if (str_is(name, "oos") || str_is(name, "when_unsure"))
		return config_error(at, err, "\"%.*s\" cannot be a route: data sets and reports use it for \"none of these\"", STR_ARG(name));
	if (policy_find_route(policy, name) >= 0)
		return config_error(at, err, "there are two routes of the name \"%.*s\"", STR_ARG(name));
	return RC_OK;
}

/* Everything that can change an answer; what makes the prompt is hashed on its own too. */
static void add_canon(struct policy *policy, const struct settings *settings, struct route *route, struct canon *canon)
{
	struct canon prompt;
	buf_init(&prompt.buf, &policy->arena, 256);
	canon_str(&prompt, route->system);
	canon_str(&prompt, route->template);
	canon_str(&prompt, route->response_format);
	canon_u64(&prompt, (uint64_t)route->max_tokens);
	canon_u64(&prompt, (uint64_t)(isnan(route->temperature) != 0));
	canon_double(&prompt, isnan(route->temperature) ? 0 : route->temperature);
	char *hex = arena_alloc(&policy->arena, POLICY_VERSION_CHARS + 1);
	policy_hash(&prompt, hex);
	route->prompt_version = str_of(hex);
	canon_tag(canon, "route");
	canon_str(canon, route->name);
	canon_str(canon, route->topic);
	canon_u64(canon, route->clarification);
	canon_u64(canon, (uint64_t)route->timeout_ms);
	canon_str(canon, buf_view(&prompt.buf));
	canon_u64(canon, route->model_count);
	for (uint32_t i = 0; i < route->model_count; i++) {
		canon_str(canon, settings->models[route->models[i]].name);
		canon_str(canon, settings->models[route->models[i]].model);
	}
}

static enum rc parse_route(struct policy *policy, const struct settings *settings, const struct node *node, struct arena *brief,
                           struct canon *canon, struct err *err)
{
	struct route_settings s = {0};
	struct route *route = &policy->routes[policy->route_count];
	enum rc rc = config_bind(route_options, node, &s, brief, err);
	if (rc == RC_OK)
		rc = check_name(policy, node, s.name, err);
	if (rc == RC_OK)
		rc = check_shape(node, &s, err);
	if (rc != RC_OK)
		return rc;
	route->name = arena_str(&policy->arena, s.name);
	route->topic = arena_str(&policy->arena, s.topic);
	route->description = arena_str(&policy->arena, str_trim(s.description));
	if (route->description.len > POLICY_MAX_DESCRIPTION)
		return config_error(config_get(node, "description"), err, "a description has at most %d bytes", POLICY_MAX_DESCRIPTION);
	route->clarification = s.kind == KIND_CLARIFICATION;
	route->max_per_conversation = s.max_per_conversation;
	if (route->max_per_conversation != 0 && !route->clarification)
		return config_error(config_get(node, "max_per_conversation"), err, "max_per_conversation is for routes of kind clarification");
	route->max_tokens = s.max_tokens;
	route->timeout_ms = s.timeout_ms;
	route->temperature = config_get(node, "temperature") != NULL ? s.temperature : NAN;
	route->models = arena_array(&policy->arena, POLICY_MAX_MODELS, sizeof *route->models);
	if (s.models != NULL)
		rc = add_models(policy, settings, s.models, route, brief, err);
	if (rc == RC_OK && s.on_error != NULL)
		rc = add_models(policy, settings, s.on_error, route, brief, err);
	if (rc == RC_OK)
		rc = read_prompts(policy, &s, route, brief, err);
	policy->route_examples[policy->route_count] = s.examples;
	policy->route_then[policy->route_count] = s.then;
	if (rc == RC_OK) {
		add_canon(policy, settings, route, canon);
		policy->route_count++;
	}
	return rc;
}

enum rc policy_routes_parse(struct policy *policy, const struct settings *settings, const struct node *node, struct arena *brief,
                            struct canon *canon, struct err *err)
{
	if (node->kind != NODE_LIST || node->count == 0)
		return config_error(node, err, "a list of routes is expected, for example [{name: simple, models: [small]}]");
	if (node->count > POLICY_MAX_ROUTES)
		return config_error(node, err, "there are more than %d routes", POLICY_MAX_ROUTES);
	policy->routes = arena_array(&policy->arena, node->count, sizeof *policy->routes);
	policy->route_examples = arena_array(brief, node->count, sizeof *policy->route_examples);
	policy->route_then = arena_array(brief, node->count, sizeof *policy->route_then);
	policy->reachable = arena_array(&policy->arena, node->count, sizeof *policy->reachable);
	enum rc rc = RC_OK;
	for (unsigned i = 0; i < node->count && rc == RC_OK; i++)
		rc = parse_route(policy, settings, node->entries[i].value, brief, canon, err);
	return rc;
}
