/*
 * settings_models.c: one model's table, and what must hold between its settings.
 *
 * The one idea: a price is part of a model. It must be said, if only `free`, because a missing price would turn every figure
 * of cost into a wrong one that nobody notices.
 */
#include <stdlib.h>

#include "common/json.h"
#include "worker/job/settings_table.h"

#define AT(field) offsetof(struct model_settings, field)
#define END {.name = NULL}

_Static_assert(offsetof(struct settings, model_count) == offsetof(struct settings, models) + sizeof(void *),
               "OPTION_MAPS fills a pointer and the count behind it");
_Static_assert(sizeof(size_t) == sizeof(int64_t), "OPTION_BYTES fills int64_t fields too");

static const struct config_option price_options[] = {
	{.name = "input", .kind = OPTION_DOUBLE, .offset = offsetof(struct price, input), .required = true, .example = "0.10", .max = 1e6},
	{.name = "cached", .kind = OPTION_DOUBLE, .offset = offsetof(struct price, cached), .fallback = "-1", .min = -1, .max = 1e6},
	{.name = "output", .kind = OPTION_DOUBLE, .offset = offsetof(struct price, output), .required = true, .example = "0.40", .max = 1e6},
	END,
};

static enum rc parse_price(const struct node *node, void *field, struct arena *arena, struct err *err)
{
	struct price price = {.given = true};
	if (node->kind == NODE_SCALAR) {
		if (!str_is(node->scalar, "free"))
			return config_error_hint(node, err, "free, or {input: 0.10, output: 0.40} in USD per million tokens", "this is no price");
		price.free = true;
	} else {
		const struct node *cached = config_get(node, "cached");
		enum rc rc = config_bind(price_options, node, &price, arena, err);
		if (rc != RC_OK)
			return rc;
		if (cached == NULL || cached->kind == NODE_NULL)
			price.cached = price.input;
		else if (price.cached < 0)
			return config_error(cached, err, "a price is not below 0");
	}
	*(struct price *)field = price;
	return RC_OK;
}

static void show_price(const void *field, struct buf *out)
{
	const struct price *price = field;
	if (price->free) {
		buf_cstr(out, "free");
		return;
	}
	buf_cstr(out, "{input: ");
	json_write_double(out, price->input);
	buf_cstr(out, ", cached: ");
	json_write_double(out, price->cached);
	buf_cstr(out, ", output: ");
	json_write_double(out, price->output);
	buf_cstr(out, "}");
}

/* YAML to the JSON that goes into the request's body. The depth is bounded by the reader. */
static void write_json(const struct node *node, struct arena *arena, struct buf *out)
{
	const struct json *j;
	switch (node->kind) {
	case NODE_NULL: buf_cstr(out, "null"); return;
	case NODE_SCALAR:
		if (!node->quoted && json_parse(arena, node->scalar, (struct json_limits){0}, &j, NULL) == RC_OK &&
		    (j->kind == JSON_NUMBER || j->kind == JSON_TRUE || j->kind == JSON_FALSE))
			buf_str(out, j->text.data != NULL ? j->text : node->scalar);
		else
			json_write_str(out, node->scalar);
		return;
	case NODE_LIST:
	case NODE_MAP:
		buf_char(out, node->kind == NODE_MAP ? '{' : '[');
		for (unsigned i = 0; i < node->count; i++) {
			if (node->kind == NODE_MAP)
				json_key(out, arena_cstr(arena, node->entries[i].key->scalar));
			else
				json_sep(out);
			write_json(node->entries[i].value, arena, out);
		}
		buf_char(out, node->kind == NODE_MAP ? '}' : ']');
	}
}

static enum rc parse_params_set(const struct node *node, void *field, struct arena *arena, struct err *err)
{
	if (node->kind != NODE_MAP)
		return config_error(node, err, "\"set\" is a map of parameters and their values");
	struct pair_list list = {.items = arena_array(arena, node->count, sizeof *list.items), .count = node->count};
	for (unsigned i = 0; i < node->count; i++) {
		struct buf json;
		buf_init(&json, arena, 32);
		write_json(node->entries[i].value, arena, &json);
		list.items[i] = (struct pair){arena_str(arena, node->entries[i].key->scalar), buf_view(&json), node->entries[i].value};
	}
	*(struct pair_list *)field = list;
	return RC_OK;
}

static void show_params_set(const void *field, struct buf *out)
{
	const struct pair_list *list = field;
	buf_char(out, '{');
	for (uint32_t i = 0; i < list->count; i++) {
		buf_cstr(out, i == 0 ? "" : ", ");
		json_write_str(out, list->items[i].name);
		buf_cstr(out, ": ");
		buf_str(out, list->items[i].value);
	}
	buf_char(out, '}');
}

static const struct config_option params[] = {
	{.name = "set", .kind = OPTION_CUSTOM, .offset = AT(params_set), .parse = parse_params_set, .show = show_params_set,
	 .schema_json = "\"type\":\"object\"", .example = "# {temperature: 0}", .doc = "Parameters put into every request; they win over the request's own."},
	{.name = "drop", .kind = OPTION_STR_LIST, .offset = AT(params_drop), .example = "# [stop]", .doc = "Parameters that this model does not take."},
	{.name = "rename", .kind = OPTION_PAIRS, .offset = AT(params_rename), .example = "# {max_tokens: max_completion_tokens}",
	 .doc = "Parameters that this model knows by another name."},
	END,
};

static const struct config_option auth[] = {
	{.name = "header", .kind = OPTION_STR, .offset = AT(auth_header), .example = "# api-key",
	 .doc = "Header that carries the key as it is. Without it: Authorization: Bearer."},
	{.name = "token_file", .kind = OPTION_STR, .offset = AT(token_file), .example = "# /run/secrets/model-token",
	 .doc = "File whose first line is the token, instead of api_key. Read when the worker starts."},
	END,
};

static const struct config_option limits[] = {
	{.name = "concurrency", .kind = OPTION_I64, .offset = AT(concurrency), .fallback = "64", .min = 1, .max = 100000,
	 .doc = "Calls on the wire at once."},
	{.name = "max_waiting", .kind = OPTION_U32, .offset = AT(max_waiting), .fallback = "0", .min = 0, .max = 1e6,
	 .doc = "Records that may wait for this model in one worker, beside those on the wire. 0: no share of its own."},
	{.name = "when_full", .kind = OPTION_ENUM, .offset = AT(when_full), .fallback = "wait", .choices = "wait|next|park",
	 .doc = "What becomes of records beyond max_waiting. wait: they wait all the same; a backlog that fills engine.max_jobs then stops the "
	        "other models too. next: the next model of the route is asked; where all are full the record waits. park: the record goes to "
	        "park_topic, and is answered from there."},
	{.name = "park_topic", .kind = OPTION_STR, .offset = AT(park_topic), .example = "# llm.parked.small",
	 .doc = "Topic of the records that wait outside the worker. List it in input.topics, here or in another deployment; that one "
	        "names it here too, with any when_full, or the records would be taken for new ones. A record is parked once: what comes "
	        "from here waits, in half of engine.max_jobs at most. Keys keep no order through it."},
	END,
};

const struct config_option settings_model_options[] = {
	{.name = "name", .kind = OPTION_STR, .offset = AT(name), .required = true, .example = "small", .doc = "The name that routes use."},
	{.name = "provider", .kind = OPTION_ENUM, .offset = AT(provider), .fallback = "openai", .choices = "openai",
	 .doc = "The server's API. openai: every OpenAI-compatible server (vLLM, llama.cpp, Ollama, hosted)."},
	{.name = "base_url", .kind = OPTION_STR, .offset = AT(base_url), .required = true, .example = "http://localhost:8000/v1",
	 .doc = "The server, up to and including the version: the part before /chat/completions."},
	{.name = "model", .kind = OPTION_STR, .offset = AT(model), .example = "qwen3-8b", .doc = "The server's name of the model. Without it: name."},
	{.name = "api_key", .kind = OPTION_SECRET, .offset = AT(api_key), .secret = true, .example = "# SMALL_KEY", .doc = "Key for the server."},
	{.name = "price", .kind = OPTION_CUSTOM, .offset = AT(price), .required = true, .parse = parse_price, .show = show_price,
	 .schema_json = "\"anyOf\":[{\"const\":\"free\"},{\"type\":\"object\",\"properties\":{\"input\":{\"type\":\"number\"},\"cached\":{\"type\":"
	                "\"number\"},\"output\":{\"type\":\"number\"}},\"required\":[\"input\",\"output\"],\"additionalProperties\":false}]",
	 .example = "{input: 0.10, output: 0.40}",
	 .doc = "USD per million tokens: input, output and, where they differ from input, cached. `price: free` must be said."},
	{.name = "params", .kind = OPTION_SECTION, .offset = 0, .sub = params, .doc = "Changes to the request's parameters."},
	{.name = "auth", .kind = OPTION_SECTION, .offset = 0, .sub = auth, .doc = "How the key is sent."},
	{.name = "headers", .kind = OPTION_PAIRS, .offset = AT(headers), .secret = true, .example = "# {x-team: support}", .doc = "Further headers of every request."},
	{.name = "query", .kind = OPTION_PAIRS, .offset = AT(query), .secret = true, .example = "# {api-version: 2024-10-21}",
	 .doc = "Query parameters of every request."},
	{.name = "limits", .kind = OPTION_SECTION, .offset = 0, .sub = limits, .doc = "What the server allows this worker."},
	{.name = "timeout", .kind = OPTION_DURATION, .offset = AT(timeout_ms), .fallback = "60s", .min = 10, .max = 3600000, .doc = "How long one call may take."},
	{.name = "connect_timeout", .kind = OPTION_DURATION, .offset = AT(connect_timeout_ms), .fallback = "5s", .min = 10, .max = 300000,
	 .doc = "How long a connection may take to come about."},
	{.name = "max_answer_bytes", .kind = OPTION_BYTES, .offset = AT(max_answer_bytes), .fallback = "1 MB", .min = 1000, .max = 1e9,
	 .doc = "A longer answer is cut off and counts as failed."},
	{.name = "tags", .kind = OPTION_PAIRS, .offset = AT(tags), .example = "# {region: eu}", .doc = "Words about the model, by which guards choose: only_models: {region: eu}."},
	{.name = "context_tokens", .kind = OPTION_I64, .offset = AT(context_tokens), .min = 1, .max = 1e9, .example = "# 32768",
	 .doc = "How many tokens prompt and answer may have together. A record that needs more by estimate is not sent there. Without it: not checked."},
	{.name = "allow_addresses", .kind = OPTION_STR_LIST, .offset = AT(allow_addresses), .example = "# [link-local]",
	 .doc = "`link-local` allows addresses of 169.254.0.0/16 and fe80::/10, which are refused otherwise (cloud metadata services)."},
	END,
};

static enum rc read_token(struct settings *settings, struct model_settings *m, struct err *err)
{
	const struct node *at = config_get(config_get(m->at, "auth"), "token_file");
	if (m->api_key.data != NULL)
		return config_error(at, err, "both api_key and auth.token_file are given; one is enough");
	m->token_file = config_path(&settings->arena, at, m->token_file);
	return settings->no_secrets ? RC_OK : config_read_first_line(&settings->arena, at, &m->api_key, err);
}

/* A full model must have a bound, and parking a place that is not one of the outputs: nobody would answer what lies there. */
static enum rc check_share(const struct settings *settings, const struct model_settings *m, struct err *err)
{
	const struct node *limits_at = config_get(m->at, "limits"), *topic = config_get(limits_at, "park_topic");
	const struct str outputs[] = {settings->output.responses, settings->output.decisions, settings->output.dead_letters};
	if (m->when_full != FULL_WAIT && m->max_waiting == 0)
		return config_error_hint(config_get(limits_at, "when_full"), err, "add \"max_waiting: 200\"", "without max_waiting the model is never full");
	if (m->when_full == FULL_PARK && m->park_topic.len == 0)
		return config_error_hint(config_get(limits_at, "when_full"), err, "add \"park_topic: NAME\"", "park needs a topic to park in");
	for (size_t i = 0; m->park_topic.data != NULL && i < sizeof outputs / sizeof outputs[0]; i++)
		if (str_eq(m->park_topic, outputs[i]))
			return config_error(topic, err, "this is an output topic: what is parked there would never be answered");
	return RC_OK;
}

static enum rc check_model(struct settings *settings, uint32_t i, struct err *err)
{
	struct model_settings *m = &settings->models[i];
	const struct node *url = config_get(m->at, "base_url");
	if (m->name.len == 0)
		return config_error(config_get(m->at, "name"), err, "a model needs a name");
	for (uint32_t j = 0; j < i; j++)
		if (str_eq(m->name, settings->models[j].name))
			return config_error(config_get(m->at, "name"), err, "a model \"%.*s\" is already in line %u", STR_ARG(m->name),
			                    config_get(settings->models[j].at, "name")->line);
	if (!str_starts(m->base_url, STR("http://")) && !str_starts(m->base_url, STR("https://")))
		return config_error_hint(url, err, "for example http://localhost:8000/v1", "a URL with http:// or https:// is expected");
	while (m->base_url.data[m->base_url.len - 1] == '/')
		m->base_url.len--;
	if (m->model.data == NULL)
		m->model = m->name;
	for (uint32_t j = 0; j < m->allow_addresses.count; j++)
		if (!str_is(m->allow_addresses.items[j], "link-local"))
			return config_error_hint(config_get(m->at, "allow_addresses"), err, "link-local is the only one", "unknown kind of address");
	if (m->token_file.data != NULL) {
		enum rc rc = read_token(settings, m, err);
		if (rc != RC_OK)
			return rc;
	}
	return check_share(settings, m, err);
}

enum rc settings_check_models(struct settings *settings, const struct node *models, struct err *err)
{
	if (settings->model_count == 0)
		return config_error(models, err, "at least one model is needed");
	if (settings->model_count > UINT16_MAX) /* an attempt keeps the index in 16 bits */
		return config_error(models, err, "more than %d models", UINT16_MAX);
	for (uint32_t i = 0; i < settings->model_count; i++)
		settings->models[i].at = models->entries[i].value;
	enum rc rc = RC_OK;
	for (uint32_t i = 0; rc == RC_OK && i < settings->model_count; i++)
		rc = check_model(settings, i, err);
	return rc;
}
