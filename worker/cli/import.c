/*
 * import.c: `pointsman import`: another router's routes become a policy and its example files.
 */
#include <errno.h>
#include <libgen.h>
#include <math.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/json.h"
#include "worker/cli/cli.h"
#include "worker/cli/whole_file.h"
#include "worker/lab/import_routes.h"
#include "worker/lab/wrap.h"
#include "worker/route/policy.h"
#include "worker/route/static_model.h"

enum { NOTE_COLUMNS = 240, NOTES_SHOWN = 100 };
static const double DEFAULT_ACCEPT = 0.5;

static const char usage[] = "ROUTES.json --out POLICY.yaml [-c FILE] [--model NAME] [--force] [--json]\n";
static const char about[] =
    "Turns the routes of semantic-router (RouterConfig or SemanticRouter.to_json), or of LiteLLM's semantic auto\n"
    "router, into a policy: utterances become example files in a folder beside it, score_threshold a threshold.\n"
    "What has no place here is said with its line, and never dropped in silence. Texts that no route fits go to the\n"
    "route \"default\", as both routers do.\n";
static const char notes[] =
    "Thresholds belong to the embedding they were chosen for. Here another one is used, so they are uncalibrated:\n"
    "pointsman sample, label and calibrate give better ones.\n";
static const char example[] =
    "pointsman import router.json -c pointsman.yaml -o policy.yaml\n"
    "pointsman check-config -c pointsman.yaml\n";

struct asked {
	const char *data, *out, *config, *model;
	bool force, json;
};

struct work {
	const struct asked *asked;
	struct arena arena;
	struct imported in;
	struct settings settings;
	bool has_settings;
	const char *folder, *config; /* config: given, or written here */
	uint32_t texts;
	struct str fallback; /* the route for the rest */
};

/* ---- what can be used ------------------------------------------------------------------------------------------------ */

static int read_routes(struct work *w)
{
	struct str text;
	struct err err;
	if (config_read_file(&w->arena, w->asked->data, IMPORT_MAX_BYTES, &text, &err) != RC_OK)
		return cli_fail(&err, EXIT_CONFIG);
	if (import_routes_read(text, &w->arena, &w->in, &err) == RC_OK)
		return EXIT_DONE;
	fprintf(stderr, "%s:%s\n", w->asked->data, err.text);
	return EXIT_CONFIG;
}

/* An example has to hold a word that the embedding knows. */
static int leave_out_wordless(struct work *w)
{
	struct static_model *model;
	struct err err;
	if (static_model_builtin(&w->arena, &model, &err) != RC_OK)
		return cli_fail(&err, EXIT_FAILED);
	float *vector = arena_array(&w->arena, static_model_dim(model), sizeof *vector);
	for (uint32_t r = 0; r < w->in.route_count; r++) {
		struct imported_route *route = &w->in.routes[r];
		uint32_t kept = 0;
		for (uint32_t i = 0; i < route->utterance_count; i++) {
			struct imported_text *text = &route->utterances[i];
			if (static_model_embed(model, text->text, vector) != 0)
				route->utterances[kept++] = *text;
			else
				import_routes_note(&w->in, text->line, arena_printf(&w->arena, "routes[%u].utterances[%u]", route->index, text->index),
				                   "left out: it holds no word that the embedding knows");
		}
		route->utterance_count = kept;
		w->texts += kept;
		if (kept == 0)
			import_routes_note(&w->in, route->line, arena_printf(&w->arena, "routes[%u]", route->index), "it has no utterance, so no text can go there yet");
		if (route->description.len > POLICY_MAX_DESCRIPTION) {
			route->description.len = str_utf8_cut(route->description, POLICY_MAX_DESCRIPTION);
			import_routes_note(&w->in, route->line, arena_printf(&w->arena, "routes[%u].description", route->index), "cut to %d bytes", POLICY_MAX_DESCRIPTION);
		}
	}
	if (w->texts != 0)
		return EXIT_DONE;
	fprintf(stderr, "%s: no route has an utterance that can be compared with\n", w->asked->data);
	return EXIT_CONFIG;
}

static bool is_route(const struct work *w, struct str name)
{
	for (uint32_t i = 0; i < w->in.route_count; i++)
		if (str_eq(w->in.routes[i].name, name))
			return true;
	return false;
}

static void name_fallback(struct work *w)
{
	w->fallback = STR("default");
	for (uint32_t n = 2; is_route(w, w->fallback); n++)
		w->fallback = arena_printf(&w->arena, "default_%u", n);
}

/* ---- files ----------------------------------------------------------------------------------------------------------- */

static int write_one(const char *path, struct str text)
{
	struct err err;
	return whole_file_write(path, text, &err) == RC_OK ? EXIT_DONE : cli_fail(&err, EXIT_FAILED);
}

static struct str example_file(struct work *w, const struct imported_route *route)
{
	return arena_printf(&w->arena, "%s/examples/%.*s.txt", w->folder, STR_ARG(route->name));
}

static bool is_there(const char *path)
{
	if (access(path, F_OK) != 0)
		return false;
	fprintf(stderr, "%s: is there already; --force overwrites it\n", path);
	return true;
}

/* Before the first one is written. */
static int find_files(struct work *w)
{
	bool found = is_there(w->asked->out) || (w->asked->config == NULL && is_there(w->config));
	for (uint32_t i = 0; i < w->in.route_count && !found; i++)
		found = w->in.routes[i].utterance_count != 0 && is_there(example_file(w, &w->in.routes[i]).data);
	return found ? EXIT_FAILED : EXIT_DONE;
}

static int write_examples(struct work *w)
{
	int code = EXIT_DONE;
	struct str folder = arena_printf(&w->arena, "%s/examples", w->folder);
	if (mkdir(folder.data, 0777) != 0 && errno != EEXIST) {
		fprintf(stderr, "%s: cannot be made: %s\n", folder.data, strerror(errno));
		return EXIT_FAILED;
	}
	for (uint32_t r = 0; r < w->in.route_count && code == EXIT_DONE; r++) {
		const struct imported_route *route = &w->in.routes[r];
		struct buf out;
		buf_init(&out, &w->arena, 4096);
		for (uint32_t i = 0; i < route->utterance_count; i++) {
			buf_str(&out, route->utterances[i].text);
			buf_char(&out, '\n');
		}
		if (route->utterance_count != 0)
			code = write_one(example_file(w, route).data, buf_view(&out));
	}
	return code;
}

/* Something that check-config takes, with what has to be filled in said beside it. */
static int write_config(struct work *w)
{
	struct buf out;
	if (w->asked->config != NULL)
		return EXIT_DONE;
	char *copy = arena_cstr(&w->arena, str_of(w->asked->out));
	buf_init(&out, &w->arena, 1024);
	buf_cstr(&out, "# Written by `pointsman import`; all options: pointsman config --reference\n"
	               "kafka: {brokers: \"localhost:9092\", group: pointsman}\n"
	               "input: {topics: [llm.requests]}\n"
	               "models:\n"
	               "  - name: default\n"
	               "    base_url: http://localhost:8000/v1   # any OpenAI-compatible server\n"
	               "    model: default                      # its name there\n"
	               "    price: free                         # or {input: 0.10, output: 0.40}, USD per million tokens\n"
	               "policy: ");
	json_write_str(&out, str_of(basename(copy)));
	buf_char(&out, '\n');
	return write_one(w->config, buf_view(&out));
}

static void add_string(struct buf *out, const char *before, struct str s, const char *after)
{
	buf_cstr(out, before);
	json_write_str(out, s); /* JSON's strings are YAML's, too */
	buf_cstr(out, after);
}

/* The model of the route's name, else the one for all others. */
static struct str model_for(const struct work *w, struct str name)
{
	if (settings_model(&w->settings, name) >= 0)
		return name;
	return w->asked->model != NULL ? str_of(w->asked->model) : w->settings.models[0].name;
}

/* "$" begins a variable in a configuration. */
static struct str no_dollars(struct work *w, struct str s)
{
	struct buf out;
	buf_init(&out, &w->arena, s.len + 8);
	for (size_t i = 0; i < s.len; i++) {
		if (s.data[i] == '$')
			buf_char(&out, '$');
		buf_char(&out, s.data[i]);
	}
	return buf_view(&out);
}

static void add_stage(struct work *w, struct buf *out)
{
	const char *open = "      thresholds: {";
	buf_cstr(out, "stages:\n"
	              "  # Uncalibrated: the thresholds were chosen for another embedding");
	if (w->in.encoder.len != 0)
		buf_printf(out, " (%.*s)", STR_ARG(wrap_line(w->in.encoder, 60, &w->arena)));
	buf_cstr(out, ".\n  # pointsman sample, label and calibrate give better ones.\n  - semantic:\n      embedder: static\n");
	buf_printf(out, "      accept: %.2f\n", DEFAULT_ACCEPT);
	for (uint32_t i = 0; i < w->in.route_count; i++) {
		const struct imported_route *route = &w->in.routes[i];
		if (isnan(route->threshold) || route->utterance_count == 0)
			continue;
		add_string(out, open, route->name, ": ");
		json_write_double(out, route->threshold);
		open = ", ";
	}
	buf_cstr(out, open[0] == ',' ? "}\n      margin: 0\n" : "      margin: 0\n");
}

static int write_policy(struct work *w)
{
	struct buf out;
	char *copy = arena_cstr(&w->arena, str_of(w->asked->data));
	buf_init(&out, &w->arena, 4096);
	buf_printf(&out, "# Imported by `pointsman import` from %.*s\n", STR_ARG(wrap_line(str_of(basename(copy)), 80, &w->arena)));
	add_string(&out, "when_unsure: ", w->fallback, "\nroutes:\n");
	for (uint32_t i = 0; i < w->in.route_count; i++) {
		const struct imported_route *route = &w->in.routes[i];
		add_string(&out, "  - name: ", route->name, "\n");
		add_string(&out, "    models: [", model_for(w, route->given_name), "]\n");
		if (route->description.len != 0)
			add_string(&out, "    description: ", no_dollars(w, route->description), "\n");
		if (route->utterance_count != 0)
			buf_printf(&out, "    examples: \"examples/%.*s.txt\"\n", STR_ARG(route->name));
	}
	add_string(&out, "  - name: ", w->fallback, "   # what no route fits\n");
	add_string(&out, "    models: [", model_for(w, w->fallback), "]\n");
	add_stage(w, &out);
	return write_one(w->asked->out, buf_view(&out));
}

static int read_settings(const struct command *self, struct work *w)
{
	int code = cli_settings_no_secrets(self, w->config, &w->settings);
	w->has_settings = code == EXIT_DONE;
	if (code == EXIT_DONE && w->asked->model != NULL && settings_model(&w->settings, str_of(w->asked->model)) < 0)
		return cli_usage(self, "the configuration has no model \"%s\"", w->asked->model);
	return code;
}

/* What was written is read as the worker will read it. */
static int check(struct work *w)
{
	struct policy *policy;
	struct err err;
	if (policy_load(w->asked->out, &w->settings, &policy, &err) != RC_OK)
		return cli_fail(&err, EXIT_FAILED);
	policy_unref(policy);
	return EXIT_DONE;
}

/* ---- the command ----------------------------------------------------------------------------------------------------- */

static void tell_json(struct work *w)
{
	struct buf out;
	buf_init(&out, &w->arena, 1024);
	buf_char(&out, '{');
	json_member_i64(&out, "routes", w->in.route_count);
	json_member_i64(&out, "examples", w->texts);
	json_key(&out, "notes");
	buf_char(&out, '[');
	for (uint32_t i = 0; i < w->in.note_count; i++) {
		json_sep(&out);
		buf_char(&out, '{');
		json_member_i64(&out, "line", w->in.notes[i].line);
		json_member_str(&out, "path", w->in.notes[i].path);
		json_member_str(&out, "note", w->in.notes[i].words);
		buf_char(&out, '}');
	}
	buf_cstr(&out, "]}\n");
	fwrite(out.data, 1, out.len, stdout); /* main looks at the stream's state */
}

static void tell(struct work *w)
{
	for (uint32_t i = 0; i < w->in.note_count && i < NOTES_SHOWN; i++) {
		const struct import_note *note = &w->in.notes[i];
		struct str line = arena_printf(&w->arena, "%s:%u: %.*s: %.*s", w->asked->data, note->line, STR_ARG(note->path), STR_ARG(note->words));
		fprintf(stderr, "%.*s\n", STR_ARG(wrap_line(line, NOTE_COLUMNS, &w->arena)));
	}
	if (w->in.note_count > NOTES_SHOWN)
		fprintf(stderr, "... and %u more notes\n", w->in.note_count - NOTES_SHOWN);
	if (w->asked->json) {
		tell_json(w);
		return;
	}
	printf("%u routes, %u examples, written to %s and %s/examples\n", w->in.route_count, w->texts, w->asked->out, w->folder);
	if (w->asked->config == NULL)
		printf("%s is new: fill in its model and brokers\n", w->config);
	printf("the thresholds are uncalibrated: they were chosen for another embedding\n");
	printf("next: pointsman check-config -c %s, and pointsman explain -c %s \"a text\"\n", w->config, w->config);
}

static int import(const struct command *self, struct work *w)
{
	char *copy = arena_cstr(&w->arena, str_of(w->asked->out));
	w->folder = dirname(copy);
	w->config = w->asked->config != NULL ? w->asked->config : arena_printf(&w->arena, "%s/pointsman.yaml", w->folder).data;
	int code = read_routes(w);
	if (code == EXIT_DONE)
		code = leave_out_wordless(w);
	name_fallback(w);
	if (code == EXIT_DONE && !w->asked->force)
		code = find_files(w);
	if (code == EXIT_DONE)
		code = write_config(w);
	if (code == EXIT_DONE)
		code = read_settings(self, w);
	if (code == EXIT_DONE)
		code = write_examples(w);
	if (code == EXIT_DONE)
		code = write_policy(w);
	if (code == EXIT_DONE)
		code = check(w);
	if (code == EXIT_DONE)
		tell(w);
	return code;
}

static int run(const struct command *self, int argc, char **argv)
{
	struct asked asked = {0};
	const struct arg args[] = {
		{.operand = &asked.data, .needed = "one file of routes is needed"},
		{'o', "out", "POLICY.yaml", "the policy; example files go to examples/ beside it", .text = &asked.out,
		 .needed = "--out POLICY.yaml is needed: where the policy is written"},
		{'c', "config", "FILE", "the configuration whose models serve the routes: the one of the route's name, as LiteLLM has it, else --model. "
		 "Without it a pointsman.yaml is written beside the policy, with one model to be filled in", .text = &asked.config},
		{0, "model", "NAME", "the model for routes without one of their name (the configuration's first)", .text = &asked.model},
		{0, "force", NULL, "overwrite what is there", .flag = &asked.force},
		{0, "json", NULL, "one JSON object instead of words", .flag = &asked.json},
		{0},
	};
	int code = EXIT_DONE;
	if (!cli_args(self, args, argc, argv, &code))
		return code;
	struct work w = {.asked = &asked};
	arena_init(&w.arena, 1 << 16);
	code = import(self, &w);
	if (w.has_settings)
		settings_free(&w.settings);
	arena_free(&w.arena);
	return code;
}

const struct command command_import = {
	.name = "import", .summary = "make a policy of semantic-router's or LiteLLM's routes", .usage = usage, .about = about,
	.notes = notes, .example = example, .run = run,
};
