/*
 * advise.c: `pointsman advise`: whether routing pays for these records, with figures, before anybody has built anything.
 */
#include "worker/cli/advise.h"

#include <math.h>
#include <stdlib.h>
#include <unistd.h>

#include "worker/lab/typical_words.h"
#include "worker/route/text.h"
#include "worker/stream/span.h"

enum { DEFAULT_WANTED = 800, MOST_WANTED = 20000, DEFAULT_OUTPUT_TOKENS = 300, MOST_OUTPUT_TOKENS = 1000000,
       MOST_KEPT = 30000, MAX_CHARS = 4000, STEPS = 1000 };

static const char usage[] = "-c FILE (DATA | --from-topic TOPIC) [-o DIR] [OPTION...]\n";
static const char about[] =
    "Says whether routing pays for these records, with figures: are there kinds of texts that come again? do the\n"
    "configured models differ in cost or time? are decisions logged, and is there a way out when a model fails? It\n"
    "groups the texts in process, calls nobody and needs no secrets. The policy that the configuration names need not\n"
    "be there yet.\n";
static const char notes[] =
    "The saving is a range: of the texts that lie clearly in one of the groups the cheaper model is assumed to serve\n"
    "between half and nine tenths well enough. Only labels can tell; the draft is the way to them.\n";
static const char example[] =
    "pointsman advise -c pointsman.yaml --from-topic tickets --since 30d --per-day 20000 -o draft\n"
    "pointsman label draft/rows.jsonl -c draft/pointsman.yaml -o labelled.jsonl\n"
    "pointsman train labelled.jsonl -c draft/pointsman.yaml -o draft/model.pmc\n"
    "pointsman eval labelled.jsonl -c draft/pointsman.yaml\n";

/* ---- texts and groups ------------------------------------------------------------------------------------------------ */

/* As the policy reads it, or as one would that says nothing about it. */
static struct str text_of(const struct advise_work *w, const struct request *req, struct arena *arena)
{
	struct text_rules rules = {.use = TEXT_LAST_USER, .max_chars = MAX_CHARS};
	if (w->policy == NULL)
		return text_read(&rules, req, arena)->shown;
	struct job job = {.arena = *arena, .req = *req};
	struct str text = route_text(w->policy, &job);
	*arena = job.arena;
	return text;
}

static void embed_all(struct advise_work *w)
{
	struct cli_progress bar;
	struct arena brief;
	uint32_t n = w->rows.count;
	double tokens = 0;
	float *vector = heap_zalloc(static_model_dim(w->model), sizeof *vector);
	arena_init(&brief, 1 << 16);
	w->set = cluster_set_new(static_model_dim(w->model));
	w->texts = arena_array(&w->rows.arena, n, sizeof *w->texts);
	w->row_of = arena_array(&w->rows.arena, n, sizeof *w->row_of);
	cli_progress_begin(&bar, "reading texts", n);
	for (uint32_t i = 0; i < n; i++) {
		w->texts[i] = arena_str(&w->rows.arena, text_of(w, &w->rows.all[i].req, &brief));
		tokens += text_whole(&w->rows.all[i].req, &brief)->tokens_est;
		if (static_model_embed(w->model, w->texts[i], vector) != 0 && cluster_set_add(w->set, vector))
			w->row_of[w->vectors++] = i;
		arena_reset(&brief);
		cli_progress_at(&bar, i);
	}
	cli_progress_end(&bar);
	w->mean_tokens = tokens / n;
	arena_free(&brief);
	free(vector);
}

static void show(void *ctx, double share)
{
	cli_progress_at(ctx, (int64_t)(share * STEPS));
}

/* false: no text has a word that the table knows. */
static bool group(struct advise_work *w)
{
	struct cli_progress bar;
	cli_progress_begin(&bar, "grouping", STEPS);
	bool found = find_groups(w->set, (uint64_t)w->asked->seed, show, &bar, &w->found);
	cli_progress_end(&bar);
	if (!found)
		return false;
	struct typical_text *texts = arena_array(&w->rows.arena, w->vectors, sizeof *texts);
	for (uint32_t i = 0; i < w->vectors; i++)
		texts[i] = (struct typical_text){w->texts[w->row_of[i]], w->found.clusters.of[i]};
	w->names = typical_words_name(texts, w->vectors, w->found.clusters.k, &w->rows.arena);
	return true;
}

/* ---- models and what is in place ------------------------------------------------------------------------------------- */

static double cost_of(const struct advise_work *w, uint32_t model)
{
	const struct price *p = &w->settings.models[model].price;
	return p->free ? 0 : w->mean_tokens * p->input + (double)w->asked->output_tokens * p->output;
}

static struct advise_model model_facts(const struct advise_work *w, int model)
{
	const struct model_settings *m = &w->settings.models[model];
	struct advise_model facts = {m->price.free ? 0 : m->price.input, m->price.free ? 0 : m->price.output, NAN};
	for (uint32_t i = 0; i < w->asked->latency_count; i++)
		if (str_eq(w->asked->latency_names[i], m->name))
			facts.latency_ms = w->asked->latencies_ms[i];
	return facts;
}

/* a costs more than b; at the same costs: it is slower. */
static bool is_dearer(const struct advise_work *w, int a, int b)
{
	double cost_a = cost_of(w, (uint32_t)a), cost_b = cost_of(w, (uint32_t)b);
	if (cost_a < cost_b || cost_a > cost_b)
		return cost_a > cost_b;
	return model_facts(w, a).latency_ms > model_facts(w, b).latency_ms; /* false where one is not known */
}

/* The policy's baseline, or the dearest; and the cheapest of the others. */
static void choose_models(struct advise_work *w)
{
	w->capable = w->policy != NULL ? policy_baseline_model(w->policy) : -1;
	bool given = w->capable >= 0;
	for (int i = 0; !given && i < (int)w->settings.model_count; i++)
		if (w->capable < 0 || is_dearer(w, i, w->capable))
			w->capable = i;
	w->cheaper = -1;
	for (int i = 0; i < (int)w->settings.model_count; i++)
		if (i != w->capable && (w->cheaper < 0 || is_dearer(w, w->cheaper, i)))
			w->cheaper = i;
	if (w->cheaper < 0)
		w->cheaper = w->capable; /* there is only one */
}

static void look_at_routes(struct advise_work *w)
{
	for (uint32_t i = 0; w->policy != NULL && i < policy_route_count(w->policy); i++) {
		const struct route *route = policy_route(w->policy, i);
		w->routes += route->topic.data == NULL;
		w->lone_routes += route->topic.data == NULL && route->model_count < 2;
	}
}

/* Only where a topic was read: who brings a file need not have brokers. */
static enum rc look_for_decisions(struct advise_work *w, struct err *err)
{
	struct span *span = NULL;
	w->decisions_there = true;
	if (w->asked->rows.topic == NULL)
		return RC_OK;
	enum rc rc = span_open(&w->settings, &span, err);
	if (rc == RC_OK) {
		rc = span_add(span, w->settings.output.decisions.data, 0, -1, -1, err); /* settings end their texts with a NUL */
		w->decisions_there = rc == RC_OK;
	}
	span_close(span);
	return rc == RC_BAD_INPUT ? RC_OK : rc;
}

static void conclude(struct advise_work *w)
{
	double share = w->vectors != 0 ? (double)w->found.tight_count / w->rows.count : 0;
	w->facts = (struct advise_facts){.rows = w->rows.count, .tight_share = share,
	                                 .largest_share = w->found.tight_count != 0 ? (double)w->found.most_tight / w->found.tight_count : 0,
	                                 .models = w->settings.model_count, .capable = model_facts(w, w->capable),
	                                 .cheaper = model_facts(w, w->cheaper), .input_tokens = w->mean_tokens,
	                                 .output_tokens = (double)w->asked->output_tokens, .records_a_day = w->asked->per_day != 0 ? (double)w->asked->per_day : NAN};
	w->advice = advise(&w->facts);
}

/* ---- the command ----------------------------------------------------------------------------------------------------- */

static int read_settings(const struct command *self, struct advise_work *w)
{
	struct err err;
	int code = cli_settings_no_secrets(self, w->asked->config, &w->settings);
	w->has_settings = code == EXIT_DONE;
	if (code != EXIT_DONE)
		return code;
	for (uint32_t i = 0; i < w->asked->latency_count; i++)
		if (settings_model(&w->settings, w->asked->latency_names[i]) < 0)
			return cli_usage(self, "--latency: the configuration has no model \"%.*s\"", STR_ARG(w->asked->latency_names[i]));
	if (access(w->settings.policy_file.data, F_OK) == 0 && policy_load(w->settings.policy_file.data, &w->settings, &w->policy, &err) != RC_OK)
		return cli_fail(&err, EXIT_CONFIG);
	return EXIT_DONE;
}

static int find_out(struct advise_work *w)
{
	struct err err;
	if (static_model_builtin(&w->rows.arena, &w->model, &err) != RC_OK || look_for_decisions(w, &err) != RC_OK)
		return cli_fail(&err, EXIT_FAILED);
	embed_all(w);
	if (!group(w)) {
		fputs("no text holds a word that the table of this program knows; it is English\n", stderr);
		return EXIT_CONFIG;
	}
	choose_models(w);
	look_at_routes(w);
	conclude(w);
	return EXIT_DONE;
}

static int prepare_and_advise(const struct command *self, struct advise_asked *asked)
{
	struct advise_work *w = heap_zalloc(1, sizeof *w);
	w->asked = asked;
	int code = read_settings(self, w);
	asked->rows.settings = &w->settings;
	if (code == EXIT_DONE)
		code = rows_read(&asked->rows, &w->rows);
	if (code == EXIT_DONE)
		code = find_out(w);
	if (code == EXIT_DONE && asked->dir != NULL)
		code = advise_draft(w);
	if (code == EXIT_DONE)
		(asked->json ? advise_tell_json : advise_tell)(w);
	found_groups_free(&w->found);
	cluster_set_free(w->set);
	rows_free(&w->rows);
	policy_unref(w->policy);
	if (w->has_settings)
		settings_free(&w->settings);
	free(w);
	return code;
}

/* ---- options --------------------------------------------------------------------------------------------------------- */

static enum rc take_latency(void *ctx, const char *text, struct err *err)
{
	struct advise_asked *asked = ctx;
	const char *equals = strchr(text, '=');
	double ms;
	if (equals == NULL || equals == text || asked->latency_count == ADVISE_MAX_LATENCIES ||
	    !option_number(OPTION_DURATION, str_of(equals + 1), &ms) || ms <= 0)
		return err_set(err, RC_BAD_INPUT, "--latency takes MODEL=TIME, as in small=400ms, not \"%s\"", text);
	asked->latency_names[asked->latency_count] = (struct str){text, (size_t)(equals - text)};
	asked->latencies_ms[asked->latency_count++] = ms;
	return RC_OK;
}

static int run(const struct command *self, int argc, char **argv)
{
	struct advise_asked asked = {.wanted = DEFAULT_WANTED, .seed = 1, .output_tokens = DEFAULT_OUTPUT_TOKENS,
	                             .rows = {.since_ms = -1, .until_ms = -1, .most = MOST_KEPT}};
	const struct arg args[] = {
		{.operand = &asked.rows.file},
		{'c', "config", "FILE", "the configuration, for its models and prices", .text = &asked.config},
		{0, "from-topic", "TOPIC", "read with the configuration's brokers and input mapping, up to its end now", .text = &asked.rows.topic},
		{0, "since", "WHEN", CLI_MOMENT_HELP, .moment_ms = &asked.rows.since_ms},
		{0, "until", "WHEN", "only before that time", .moment_ms = &asked.rows.until_ms},
		{'o', "out", "DIR", "write a draft there: policy.yaml with a route for each clear group, example files, a configuration for trying "
		 "it out, and rows.jsonl: rows to label", .text = &asked.dir},
		{0, "rows", "N", "how many of those", .number = &asked.wanted, .least = 1, .most = MOST_WANTED},
		{0, "output-tokens", "N", "of an answer, on average; the input's are estimated from the texts", .number = &asked.output_tokens,
		 .least = 1, .most = MOST_OUTPUT_TOKENS},
		{0, "per-day", "N", "records a day, for sums in a month", .number = &asked.per_day, .least = 1, .most = INT64_C(1000000000000)},
		{0, "latency", "MODEL=TIME", "of an answer, on average: small=400ms (may be repeated)", .take = take_latency, .ctx = &asked},
		{'f', "field", "NAME=PATH", "a field stands elsewhere: text=ticket.body", .take = cli_take_field, .ctx = &asked.fields},
		{0, "seed", "N", "another beginning of the search for groups", .number = &asked.seed, .most = CLI_MOST_SEED},
		{0, "skip-bad", NULL, CLI_SKIP_BAD_HELP, .flag = &asked.rows.skip_bad},
		{0, "force", NULL, "overwrite a draft that is there", .flag = &asked.force},
		{0, "json", NULL, "one JSON object instead of words", .flag = &asked.json},
		{0},
	};
	int code = EXIT_DONE;
	if (!cli_args(self, args, argc, argv, &code))
		return code;
	if ((asked.rows.file == NULL) == (asked.rows.topic == NULL))
		return cli_usage(self, "one data set, or --from-topic TOPIC, is needed");
	if (asked.rows.file != NULL && (asked.rows.since_ms >= 0 || asked.rows.until_ms >= 0))
		return cli_usage(self, "--since and --until are of a topic's records");
	asked.rows.fields = &asked.fields;
	asked.rows.seed = (uint64_t)asked.seed;
	return prepare_and_advise(self, &asked);
}

const struct command command_advise = {
	.name = "advise", .summary = "say with figures whether routing pays, and draft a policy", .usage = usage, .about = about,
	.notes = notes, .example = example, .run = run,
};
