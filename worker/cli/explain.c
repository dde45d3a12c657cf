/*
 * explain.c: `pointsman explain`: one prompt through the policy, told in words. Nothing is called (but by --ask), nothing is cached.
 *
 * The one idea: it walks the same functions as the worker's road (route_key_material, route_decide), so what it tells is what
 * would happen.
 */
#include <math.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/json.h"
#include "worker/cli/cli.h"
#include "worker/cli/explain_ask.h"
#include "worker/route/inspect.h"
#include "worker/upstream/upstream.h"

enum { MAX_PROMPT = 4 * 1024 * 1024, MAX_ATTRIBUTES = 64, GUESSED_OUTPUT_TOKENS = 256 };

static const char usage[] = "-c FILE [OPTION...] PROMPT | -\n";
static const char about[] =
    "Tells where a prompt would go and why: the guards that take effect, each stage's verdict, what nearly won,\n"
    "the models in line and about what it costs. Calls nobody and needs no secrets: where a stage would ask a model, it\n"
    "says so, and where the prompt goes without an answer. With - the prompt is read from standard input.\n";
static const char example[] =
    "pointsman explain -c triage/pointsman.yaml \"E-4012 on the X200 after update\"\n"
    "pointsman explain -c triage/pointsman.yaml --ask \"Can my neighbour use my account?\"\n";

struct asked {
	const char *config, *tenant, *prompt;
	struct attribute attributes[MAX_ATTRIBUTES];
	uint32_t attribute_count;
	bool json, ask, timings;
};

static bool read_all(FILE *stream, struct buf *out)
{
	size_t n;
	do {
		n = fread(buf_room(out, 65536), 1, 65536, stream);
		out->len += n;
	} while (n != 0 && out->len <= MAX_PROMPT);
	return ferror(stream) == 0 && out->len <= MAX_PROMPT;
}

static struct job *job_for(const struct asked *asked, struct str prompt, struct policy *policy)
{
	struct job *job = heap_zalloc(1, sizeof *job);
	arena_init(&job->arena, 0);
	job->state = JOB_DECODED;
	job->dec.policy = policy;
	job->dec.route = -1;
	job->call.model = -1;
	job->req.id = STR("explain");
	job->req.tenant = str_of(asked->tenant);
	job->req.temperature = NAN;
	job->req.messages = arena_array(&job->arena, 1, sizeof *job->req.messages);
	job->req.messages[0] = (struct message){STR("user"), prompt};
	job->req.message_count = 1;
	job->req.attributes = arena_array(&job->arena, asked->attribute_count, sizeof *job->req.attributes);
	memcpy(job->req.attributes, asked->attributes, asked->attribute_count * sizeof *asked->attributes);
	job->req.attribute_count = asked->attribute_count;
	return job;
}

static double guess_cost(const struct settings *settings, const struct route *route, const struct job *job)
{
	if (job->dec.model_count == 0)
		return 0;
	int64_t output = route->max_tokens != 0 ? route->max_tokens : GUESSED_OUTPUT_TOKENS;
	return upstream_price(&settings->models[job->dec.models[0]], job->dec.prompt_tokens_est, 0, output);
}

static void json_guards(struct buf *out, const struct decision *dec)
{
	json_key(out, "guards");
	buf_char(out, '[');
	for (uint32_t i = 0; i < dec->guard_count; i++) {
		buf_cstr(out, i == 0 ? "{" : ",{");
		json_member_str(out, "name", dec->guards[i].name);
		json_member_str(out, "effect", dec->guards[i].effect);
		buf_char(out, '}');
	}
	buf_char(out, ']');
}

static void say_number(struct buf *out, const char *before, double x, const char *after)
{
	if (!isnan(x))
		buf_printf(out, "%s%.3f%s", before, x, after);
}

/* known: the reason that stands above already, in the first line. */
static void say_stage(struct buf *out, const struct stage_trace *stage, const char *calibration, struct str known, bool timings)
{
	buf_printf(out, "  %-12s %-8s", stage->stage, verdict_name(stage->verdict));
	if (stage->label.data != NULL)
		buf_printf(out, " %.*s", STR_ARG(stage->label));
	say_number(out, " ", stage->score, "");
	say_number(out, " of ", stage->threshold, "");
	if (!isnan(stage->threshold))
		buf_printf(out, " (%s)", calibration);
	if (stage->runner_up.data != NULL)
		buf_printf(out, ", then %.*s", STR_ARG(stage->runner_up));
	say_number(out, " ", stage->runner_up_score, "");
	if (stage->reason.data != NULL && !str_eq(stage->reason, known))
		buf_printf(out, "  %.*s", STR_ARG(stage->reason));
	if (timings)
		buf_printf(out, "  (%lld us)", (long long)stage->micros);
	buf_char(out, '\n');
}

static void say_models(struct buf *out, const struct settings *settings, const struct route *route, const struct decision *dec, double cost)
{
	if (route->topic.data != NULL) {
		buf_printf(out, "topic        %.*s\n", STR_ARG(route->topic));
		return;
	}
	buf_cstr(out, "models       ");
	for (uint32_t i = 0; i < dec->model_count; i++)
		buf_printf(out, "%s%.*s", i != 0 ? ", then " : "", STR_ARG(settings->models[dec->models[i]].name));
	if (dec->model_count == 0) {
		buf_cstr(out, "none: the record would be rejected\n");
		return;
	}
	buf_printf(out, "   about $%.6f\n", cost);
}

static void say_guards(struct buf *out, const struct decision *dec)
{
	for (uint32_t i = 0; i < dec->guard_count; i++)
		buf_printf(out, "guard        %.*s: %.*s\n", STR_ARG(dec->guards[i].name), STR_ARG(dec->guards[i].effect));
}

/* A guard turned it away before any stage was asked. */
static void tell_rejected(const struct asked *asked, const struct job *job, struct str why, struct buf *out)
{
	if (!asked->json) {
		buf_printf(out, "rejected     %.*s\n", STR_ARG(why));
		say_guards(out, &job->dec);
		return;
	}
	buf_char(out, '{');
	json_member_str(out, "route", STR_NULL);
	json_member_str(out, "outcome", STR("guard"));
	json_member_str(out, "reason", why);
	json_guards(out, &job->dec);
	buf_cstr(out, "}\n");
}

static void tell(const struct asked *asked, const struct settings *settings, const struct job *job, const struct questions *questions,
                 struct buf *out)
{
	const struct route *route = policy_route(job->dec.policy, (uint32_t)job->dec.route);
	buf_printf(out, "%-12.*s %.*s\n", STR_ARG(route->name), STR_ARG(job->dec.reason));
	if (job->dec.unsure)
		buf_printf(out, "unsure       %.*s\n", STR_ARG(job->dec.unsure_reason));
	if (job->dec.group_id.data != NULL)
		buf_printf(out, "group        %.*s\n", STR_ARG(job->dec.group_id));
	say_number(out, "confidence   ", job->dec.confidence, "");
	say_number(out, " of ", job->dec.threshold, "");
	if (!isnan(job->dec.confidence))
		buf_char(out, '\n');
	say_guards(out, &job->dec);
	explain_say_questions(settings, questions, out);
	say_models(out, settings, route, &job->dec, guess_cost(settings, route, job));
	buf_printf(out, "read         %u characters, about %u tokens\n", job->dec.prompt_chars, job->dec.prompt_tokens_est);
	buf_printf(out, "policy       %.*s, decisions %.*s\nstages\n", STR_ARG(policy_name(job->dec.policy)),
	           STR_ARG(policy_decision_version(job->dec.policy)));
	for (uint32_t i = 0; i < job->dec.trace_count; i++)
		say_stage(out, &job->dec.trace[i], cli_calibration(job->dec.policy, i), job->dec.reason, asked->timings);
}

static void json_stage(struct buf *out, const struct stage_trace *stage, const char *calibration, bool timings)
{
	buf_char(out, '{');
	json_member_str(out, "stage", str_of(stage->stage));
	json_member_str(out, "verdict", str_of(verdict_name(stage->verdict)));
	json_member_str(out, "label", stage->label);
	json_member_double(out, "score", stage->score);
	json_member_double(out, "threshold", stage->threshold);
	json_member_str(out, "calibration", calibration[0] != '\0' ? str_of(calibration) : STR_NULL);
	json_member_str(out, "runner_up", stage->runner_up);
	json_member_double(out, "runner_up_score", stage->runner_up_score);
	json_member_str(out, "reason", stage->reason);
	if (timings)
		json_member_i64(out, "micros", stage->micros);
	buf_char(out, '}');
}

static void tell_json(const struct asked *asked, const struct settings *settings, const struct job *job, const struct questions *questions,
                      struct buf *out)
{
	const struct route *route = policy_route(job->dec.policy, (uint32_t)job->dec.route);
	buf_char(out, '{');
	json_member_str(out, "route", route->name);
	json_member_str(out, "stage", str_of(job->dec.stage));
	json_member_str(out, "reason", job->dec.reason);
	json_member_double(out, "confidence", job->dec.confidence);
	json_member_double(out, "threshold", job->dec.threshold);
	json_member_bool(out, "unsure", job->dec.unsure);
	json_member_str(out, "unsure_reason", job->dec.unsure_reason);
	json_member_str(out, "topic", route->topic);
	json_member_str(out, "group_id", job->dec.group_id);
	json_key(out, "models");
	for (uint32_t i = 0; i < job->dec.model_count; i++) {
		buf_char(out, i == 0 ? '[' : ',');
		json_write_str(out, settings->models[job->dec.models[i]].name);
	}
	buf_cstr(out, job->dec.model_count == 0 ? "[]" : "]");
	json_guards(out, &job->dec);
	json_member_double(out, "cost_usd", guess_cost(settings, route, job));
	json_member_double(out, "decision_cost_usd", job->dec.cost_usd);
	explain_json_questions(settings, questions, out);
	json_member_str(out, "policy", policy_name(job->dec.policy));
	json_member_str(out, "decision_version", policy_decision_version(job->dec.policy));
	json_key(out, "trace");
	buf_char(out, '[');
	for (uint32_t i = 0; i < job->dec.trace_count; i++) {
		if (i != 0)
			buf_char(out, ',');
		json_stage(out, &job->dec.trace[i], cli_calibration(job->dec.policy, i), asked->timings);
	}
	buf_cstr(out, "]}\n");
}

static int explain(const struct asked *asked, const struct settings *settings, struct str prompt)
{
	struct err err;
	struct policy *policy = NULL;
	if (policy_load(settings->policy_file.data, settings, &policy, &err) != RC_OK)
		return cli_fail(&err, EXIT_CONFIG);
	struct route_scratch *scratch = route_scratch_new(policy);
	struct job *job = job_for(asked, prompt, policy);
	struct questions questions = {.count = 0};
	struct buf out;
	struct str why = STR_NULL;
	bool passed = route_guard(policy, scratch, job, &why);
	(void)route_key_material(policy, scratch, job); /* for what it reads of the request; the key itself is not needed */
	if (passed) {
		explain_decide(settings, asked->ask, policy, scratch, job, &questions);
		(void)route_admit(policy, job, &why); /* a refusal shows: no models, and the reason is the decision's */
	}
	buf_init(&out, &job->arena, 1024);
	if (!passed)
		tell_rejected(asked, job, why, &out);
	else if (asked->json)
		tell_json(asked, settings, job, &questions, &out);
	else
		tell(asked, settings, job, &questions, &out);
	fwrite(out.data, 1, out.len, stdout);
	arena_free(&job->arena);
	free(job);
	route_scratch_free(scratch);
	policy_unref(policy);
	return EXIT_DONE;
}

static enum rc take_attribute(void *ctx, const char *text, struct err *err)
{
	struct asked *asked = ctx;
	const char *equals = strchr(text, '=');
	if (equals == NULL || equals == text || asked->attribute_count == MAX_ATTRIBUTES)
		return err_set(err, RC_BAD_INPUT, "--attribute takes NAME=VALUE, at most %d of them, not \"%s\"", MAX_ATTRIBUTES, text);
	asked->attributes[asked->attribute_count++] = (struct attribute){{text, (size_t)(equals - text)}, str_of(equals + 1)};
	return RC_OK;
}

static bool all_utf8(const struct asked *asked, struct str prompt)
{
	bool valid = str_utf8_valid(prompt) && str_utf8_valid(str_of(asked->tenant));
	for (uint32_t i = 0; i < asked->attribute_count; i++)
		valid = valid && str_utf8_valid(asked->attributes[i].name) && str_utf8_valid(asked->attributes[i].value);
	return valid;
}

static int run(const struct command *self, int argc, char **argv)
{
	struct asked asked = {0};
	const struct arg args[] = {
		{.operand = &asked.prompt, .needed = "one prompt is needed, in quotes, or - for standard input"},
		{'c', "config", "FILE", "the configuration", .text = &asked.config},
		{'a', "attribute", "NAME=VALUE", "an attribute of the record (may be repeated)", .take = take_attribute, .ctx = &asked},
		{0, "tenant", "NAME", "the record's tenant", .text = &asked.tenant},
		{0, "ask", NULL, "put the stages' questions to their models; needs their secrets, and costs", .flag = &asked.ask},
		{0, "json", NULL, "one JSON object instead of words", .flag = &asked.json},
		{0, "timings", NULL, "how long each stage took, too, which differs from run to run", .flag = &asked.timings},
		{0},
	};
	int code = EXIT_DONE;
	if (!cli_args(self, args, argc, argv, &code))
		return code;
	struct arena arena;
	struct buf text;
	arena_init(&arena, 0);
	buf_init(&text, &arena, 0);
	struct settings settings;
	if (strcmp(asked.prompt, "-") != 0)
		buf_cstr(&text, asked.prompt);
	else if (!read_all(stdin, &text))
		code = cli_usage(self, "standard input cannot be read, or is over %d bytes", MAX_PROMPT);
	if (code == EXIT_DONE && !all_utf8(&asked, buf_view(&text)))
		code = cli_usage(self, "the prompt, an attribute or the tenant is not UTF-8");
	if (code == EXIT_DONE)
		code = asked.ask ? cli_settings(self, asked.config, &settings) : cli_settings_no_secrets(self, asked.config, &settings);
	if (code == EXIT_DONE) {
		code = explain(&asked, &settings, buf_view(&text));
		settings_free(&settings);
	}
	arena_free(&arena);
	return code;
}

const struct command command_explain = {
	.name = "explain", .summary = "tell where a prompt would go and why", .usage = usage, .about = about,
	.example = example, .run = run,
};
