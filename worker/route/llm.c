/*
 * llm.c: the stage that asks a model where a text belongs. For what the cheaper stages left.
 *
 * The one idea: the stage itself is a question and a reading; between the two the record is with a model's pool like any other call.
 * What the model is told is llm_prompt.c's, what its words mean llm_answer.c's, how a question can fail ask.c's. Whatever is not one
 * clear choice decides nothing.
 */
#include <math.h>

#include "worker/route/ask.h"
#include "worker/route/llm_answer.h"
#include "worker/route/llm_prompt.h"
#include "worker/route/thresholds.h"

struct llm {
	struct ask ask;
	struct str prompt_version; /* of the prompt's file: the beginning of its SHA-256 */
	struct str system, format;
	struct str *names;
	int *route_of; /* by name */
	uint32_t name_count, max_chars;
	int64_t max_tokens;
	const double *accept; /* by route */
	bool logprobs;
};

struct llm_settings {
	struct ask_settings ask;
	const struct node *prompt, *routes;
	struct thresholds_settings thresholds;
	int64_t max_tokens;
	uint32_t max_chars;
	bool logprobs;
};

#define AT(field) offsetof(struct llm_settings, field)
static const struct config_option options[] = {
	ASK_OPTIONS(AT(ask)),
	{.name = "prompt", .kind = OPTION_CUSTOM, .offset = AT(prompt), .parse = policy_keep_node, .required = true,
	 .doc = "A file beside the policy: what the model is told. {routes} in it becomes the routes' names and descriptions."},
	THRESHOLDS_OPTIONS(struct llm_settings, thresholds),
	{.name = "routes", .kind = OPTION_CUSTOM, .offset = AT(routes), .parse = policy_keep_node,
	 .doc = "The routes that it may choose; default: all."},
	{.name = "max_tokens", .kind = OPTION_I64, .offset = AT(max_tokens), .fallback = "100", .min = 1, .max = 100000,
	 .doc = "Of the answer; a model that thinks aloud needs more."},
	{.name = "max_chars", .kind = OPTION_U32, .offset = AT(max_chars), .fallback = "4000", .min = 16, .max = 1000000,
	 .doc = "Of the text that the model is shown: head and tail of what text.max_chars has left."},
	{.name = "logprobs", .kind = OPTION_BOOL, .offset = AT(logprobs), .fallback = "true",
	 .doc = "Ask for token probabilities: a better confidence than the model's own word. false: for servers that refuse the parameter."},
	{.name = NULL},
};

static enum rc choose_routes(struct llm *s, struct stage_setup *setup, const struct node *node, const struct route **routes,
                             struct err *err)
{
	struct policy *policy = setup->policy;
	struct policy_strings named = {0};
	enum rc rc = RC_OK;
	s->names = arena_array(&policy->arena, policy->route_count, sizeof *s->names);
	s->route_of = arena_array(&policy->arena, policy->route_count, sizeof *s->route_of);
	if (node != NULL)
		rc = policy_strings(policy, node, setup->brief, &named, err);
	for (uint32_t i = 0; rc == RC_OK && i < (node != NULL ? named.count : policy->route_count); i++) {
		int route = (int)i;
		if (node != NULL)
			rc = policy_name_route(policy, named.nodes[i], &route, err);
		if (rc != RC_OK)
			break;
		for (uint32_t k = 0; k < s->name_count; k++)
			if (s->route_of[k] == route)
				return config_error(named.nodes[i], err, "the route %.*s is named twice", STR_ARG(policy->routes[route].name));
		policy->reachable[route] = true;
		routes[s->name_count] = &policy->routes[route];
		s->names[s->name_count] = policy->routes[route].name;
		s->route_of[s->name_count++] = route;
		if (policy->routes[route].description.len == 0)
			policy_warn(policy, "route %.*s: it has no description; all that the llm stage's model knows of it is its name",
			            STR_ARG(policy->routes[route].name));
	}
	return rc;
}

static enum rc read_prompt(struct llm *s, struct stage_setup *setup, const struct node *node, const struct route *const *routes,
                           struct err *err)
{
	struct policy *policy = setup->policy;
	struct str file;
	struct err why;
	if (node->kind != NODE_SCALAR)
		return config_error(node, err, "the name of a file is expected");
	enum rc rc = policy_read_file(policy, node, node->scalar, POLICY_MAX_PROMPT_BYTES, setup->brief, &file, err);
	if (rc != RC_OK)
		return rc;
	if (llm_prompt_system(str_trim(file), routes, s->name_count, &policy->arena, &s->system, &why) != RC_OK)
		return config_error(node, err, "%.*s: %s", STR_ARG(node->scalar), why.text);
	s->format = llm_prompt_format(routes, s->name_count, &policy->arena);
	uint8_t digest[SHA256_BYTES];
	char *hex = arena_alloc(&policy->arena, POLICY_VERSION_CHARS + 1);
	sha256_once(file, digest);
	hex_encode(digest, POLICY_VERSION_CHARS / 2, hex);
	s->prompt_version = str_of(hex);
	return RC_OK;
}

static enum rc llm_open(struct stage_setup *setup, void **ret, struct err *err)
{
	struct policy *policy = setup->policy;
	struct llm_settings settings = {0};
	struct llm *s = arena_zalloc(&policy->arena, sizeof *s);
	enum rc rc = config_bind(options, setup->node, &settings, setup->brief, err);
	if (rc != RC_OK)
		return rc;
	const struct route **routes = arena_array(setup->brief, policy->route_count, sizeof *routes);
	rc = choose_routes(s, setup, settings.routes, routes, err);
	if (rc == RC_OK)
		rc = read_prompt(s, setup, settings.prompt, routes, err);
	if (rc == RC_OK)
		rc = ask_open(setup, &settings.ask, &s->ask, err);
	if (rc == RC_OK)
		rc = thresholds_open(setup, &settings.thresholds, &setup->thresholds, err);
	if (rc != RC_OK)
		return rc;
	s->accept = setup->thresholds->by_route;
	s->max_tokens = settings.max_tokens;
	s->max_chars = settings.max_chars;
	s->logprobs = settings.logprobs;
	canon_str(setup->canon, s->system);
	canon_str(setup->canon, s->format);
	canon_u64(setup->canon, (uint64_t)s->max_tokens);
	canon_u64(setup->canon, s->max_chars);
	canon_u64(setup->canon, s->logprobs);
	*ret = s;
	return RC_OK;
}

static struct str shown(const struct llm *s, struct stage_turn *turn)
{
	return text_cut(turn->text->shown, s->max_chars, &turn->job->arena);
}

static enum verdict llm_decide(const void *stage, struct stage_turn *turn)
{
	const struct llm *s = stage;
	struct job *job = turn->job;
	turn->trace->asset_version = s->prompt_version;
	if (!ask_begin(&s->ask, turn, PURPOSE_ROUTER))
		return VERDICT_PASS;
	struct message *messages = arena_array(&job->arena, 2, sizeof *messages);
	messages[0] = (struct message){STR("system"), s->system};
	messages[1] = (struct message){STR("user"), llm_prompt_text(shown(s, turn), &job->arena)};
	job->call.messages = messages;
	job->call.message_count = 2;
	job->call.max_tokens = s->max_tokens;
	job->call.temperature = 0;
	job->call.response_format = s->format;
	job->call.logprobs = s->logprobs;
	return VERDICT_ASK;
}

static enum verdict llm_resume(const void *stage, struct stage_turn *turn)
{
	const struct llm *s = stage;
	struct job *job = turn->job;
	struct stage_trace *trace = turn->trace;
	struct llm_choice choice;
	trace->asset_version = s->prompt_version;
	if (!ask_answered(turn))
		return VERDICT_FAILED;
	enum llm_fault fault = llm_answer_read(job->call.text, job->call.tokens, job->call.token_count, s->names, s->name_count,
	                                       shown(s, turn), &job->arena, &choice);
	if (fault != LLM_FINE)
		return ask_useless(turn, llm_fault_name(fault), str_of(llm_fault_words(fault)));
	turn->route = s->route_of[choice.name];
	trace->threshold = s->accept[turn->route];
	bool sure = choice.confidence >= trace->threshold;
	trace->label = s->names[choice.name];
	trace->score = choice.confidence;
	trace->asked = sure ? "decided" : "unsure";
	trace->reason = arena_printf(&job->arena, "the model chose %.*s (%.2f by %s, %.2f %s)", STR_ARG(trace->label), choice.confidence,
	                             choice.by_tokens ? "token probabilities" : "its own word", trace->threshold,
	                             sure ? "is enough" : "would be enough");
	return sure ? VERDICT_DECIDED : VERDICT_PASS;
}

const struct stage_ops llm_stage = {
	.name = "llm",
	.version = 1,
	.open = llm_open,
	.decide = llm_decide,
	.resume = llm_resume,
};
