/*
 * embed.c: `pointsman embed`: vectors computed ahead by the embedder that the stages use: of a data set as JSON Lines, or into the
 * records of a topic. And, of a data set, which rows say nearly the same.
 */
#include "worker/cli/embed.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/json.h"
#include "worker/route/route.h"

static const char usage[] =
    "DATA [-c FILE] [-o FILE] [--near-duplicates COSINE] [OPTION...]\n"
    "-c FILE --from-topic TOPIC --to-topic TOPIC [OPTION...]\n";
static const char about[] =
    "Computes embeddings ahead, with the table in this program: the vectors that the outlier stage computes, and with the\n"
    "same number of windows (1 by default there) the semantic stage; `embedder: given` then decides alike. Nothing is\n"
    "called, but by --remote.\n";
static const char notes[] =
    "A topic's records are copied with the field `embedding` filled, every other byte of them, keys and headers as they\n"
    "are; JSON and Avro, where the schema has such a field. Records that have an embedding, and those that cannot be\n"
    "read, are copied as they are. Each is copied once, whatever dies: run it again, and it goes on where it was.\n";
static const char example[] = "pointsman embed backlog.jsonl -f text=body --near-duplicates 0.95 -o vectors.jsonl\n";

struct work {
	const struct embed_asked *asked;
	FILE *out; /* NULL: no vectors are written */
	struct buf line;
	struct arena arena, ids; /* ids: of all rows, where repeats are looked for */
	struct near_duplicates *repeats;
	struct embed_row *rows;
	uint32_t count, cap;
	int64_t without;
	uint32_t early; /* rows without a vector before the first one */
};

static void remember(struct work *w, const struct row_vector *row)
{
	if (w->count == w->cap) {
		w->cap = w->cap == 0 ? 1024 : w->cap * 2;
		w->rows = heap_resize(w->rows, w->cap, sizeof *w->rows);
	}
	w->rows[w->count++] = (struct embed_row){row->row->line, arena_cstr(&w->ids, row->row->req.id), row->tokens_est};
	if (w->repeats == NULL && row->values == NULL) {
		w->early++; /* how long vectors are is not known yet */
		return;
	}
	if (w->repeats == NULL) {
		w->repeats = near_duplicates_new(w->asked->rows.dim, w->asked->near);
		for (uint32_t i = 0; i < w->early; i++)
			near_duplicates_add(w->repeats, NULL);
	}
	near_duplicates_add(w->repeats, row->values);
}

static bool see(void *ctx, const struct row_vector *row, struct err *err)
{
	struct work *w = ctx;
	w->without += row->values == NULL;
	if (w->asked->near > 0)
		remember(w, row);
	if (w->out == NULL)
		return true;
	w->line.len = 0;
	buf_char(&w->line, '{');
	json_member_str(&w->line, "id", row->row->req.id);
	json_key(&w->line, "embedding");
	if (row->values != NULL)
		embed_write_vector(&w->line, row->values, w->asked->rows.dim, w->asked->base64);
	else
		buf_cstr(&w->line, "null");
	buf_cstr(&w->line, "}\n");
	if (fwrite(w->line.data, 1, w->line.len, w->out) == w->line.len)
		return true;
	return err_set(err, RC_FATAL, "%s cannot be written: %s", w->asked->out != NULL ? w->asked->out : "standard output", strerror(errno)) == RC_OK;
}

/* The model whose price counts; NULL with *ret_code EXIT_DONE: none is known. */
static const struct model_settings *priced_model(const struct embed_asked *asked, const struct settings *settings, const struct policy *policy, int *ret_code)
{
	int at = policy_baseline_model(policy);
	if (asked->model == NULL)
		return settings->model_count != 0 ? &settings->models[at >= 0 ? at : 0] : NULL;
	for (uint32_t i = 0; i < settings->model_count; i++)
		if (str_is(settings->models[i].name, asked->model))
			return &settings->models[i];
	fprintf(stderr, "pointsman embed: the configuration has no model \"%s\"\n", asked->model);
	*ret_code = EXIT_USAGE;
	return NULL;
}

static void tell(const struct work *w, const struct model_settings *model)
{
	const struct row_vectors *rows = &w->asked->rows;
	if (w->asked->near > 0 && w->repeats != NULL) {
		near_duplicates_end(w->repeats);
		embed_tell_repeats(&(struct embed_repeats){w->repeats, w->rows, w->asked->near, model}, w->asked->json);
	}
	fprintf(stderr, "pointsman embed: %lld rows, %u numbers each, by ", (long long)rows->rows, rows->dim);
	if (rows->remote != NULL)
		fprintf(stderr, "%s: %lld calls, %lld tokens, $%.4f; %lld rows kept from it by guards", w->asked->remote, (long long)rows->remote->calls,
		        (long long)rows->remote->input_tokens, rows->remote->cost_usd, (long long)rows->remote->kept_back);
	else
		fprintf(stderr, "the table %.*s", STR_ARG(static_model_version(rows->model)));
	if (w->without != 0)
		fprintf(stderr, "; %lld without a vector%s", (long long)w->without, rows->remote == NULL ? ": no word that it knows" : "");
	if (rows->bad != 0)
		fprintf(stderr, "; %lld that could not be read", (long long)rows->bad);
	fputc('\n', stderr);
}

/* What was written gets its name, or is removed. */
static int close_out(struct work *w, const char *part, int code)
{
	if (w->asked->out == NULL || w->out == NULL)
		return code;
	bool good = fflush(w->out) == 0 && fsync(fileno(w->out)) == 0;
	good = fclose(w->out) == 0 && good;
	if (code == EXIT_DONE && good && rename(part, w->asked->out) == 0)
		return EXIT_DONE;
	if (code == EXIT_DONE)
		fprintf(stderr, "pointsman embed: %s cannot be written: %s\n", w->asked->out, strerror(errno));
	(void)unlink(part); /* what is left of it is of no use */
	return code == EXIT_DONE ? EXIT_FAILED : code;
}

static int embed_rows(struct embed_asked *asked, const struct model_settings *model)
{
	struct work w = {.asked = asked};
	int code = EXIT_DONE;
	arena_init(&w.arena, 1 << 16);
	arena_init(&w.ids, 1 << 16);
	buf_init(&w.line, &w.arena, 1 << 14);
	const char *part = asked->out != NULL ? arena_printf(&w.arena, "%s.part", asked->out).data : NULL;
	if (part != NULL || asked->near <= 0)
		w.out = part != NULL ? fopen(part, "wb") : stdout;
	if (w.out == NULL && part != NULL) {
		fprintf(stderr, "pointsman embed: %s cannot be written: %s\n", asked->out, strerror(errno));
		code = EXIT_FAILED;
	}
	if (code == EXIT_DONE) {
		code = row_vectors_read(&asked->rows, "embedding, kB", see, &w);
		code = close_out(&w, part, code);
		if (code == EXIT_DONE)
			tell(&w, model);
		row_vectors_free(&asked->rows);
	}
	near_duplicates_free(w.repeats);
	free(w.rows);
	arena_free(&w.arena);
	arena_free(&w.ids);
	return code;
}

static int with_config(const struct command *self, struct embed_asked *asked)
{
	struct settings settings;
	struct policy *policy = NULL;
	struct err err;
	struct embed_remote remote = {.scratch = NULL};
	int code = asked->remote != NULL ? cli_settings(self, asked->config, &settings) : cli_settings_no_secrets(self, asked->config, &settings);
	if (code != EXIT_DONE)
		return code;
	if (policy_load(settings.policy_file.data, &settings, &policy, &err) != RC_OK)
		code = cli_fail(&err, EXIT_CONFIG);
	const struct model_settings *model = code == EXIT_DONE ? priced_model(asked, &settings, policy, &code) : NULL;
	asked->rows.policy = policy;
	if (code == EXIT_DONE && asked->remote != NULL) {
		code = embed_remote_open(&remote, &settings, policy, asked->remote);
		asked->rows.remote = &remote;
	}
	if (code == EXIT_DONE)
		code = embed_rows(asked, model);
	embed_remote_close(&remote);
	policy_unref(policy);
	settings_free(&settings);
	return code;
}

/* What does not go together; EXIT_DONE: all does. */
static int check(const struct command *self, const struct embed_asked *asked, bool bare)
{
	bool topic = asked->from_topic != NULL || asked->to_topic != NULL;
	if (bare && asked->config != NULL)
		return cli_usage(self, "--static reads texts without a configuration, and -c names one");
	if (topic && (asked->from_topic == NULL || asked->to_topic == NULL || asked->config == NULL))
		return cli_usage(self, "from a topic into a topic: -c FILE, --from-topic and --to-topic are needed");
	if (topic && (asked->rows.data != NULL || asked->near > 0 || asked->out != NULL))
		return cli_usage(self, "a topic's records go into a topic: no data set, --out or --near-duplicates with it");
	if (topic && strcmp(asked->from_topic, asked->to_topic) == 0)
		return cli_usage(self, "the two topics must not be the same: it would read what it writes");
	if (!topic && asked->rows.data == NULL)
		return cli_usage(self, "one data set is needed: a file, or - for standard input; or --from-topic and --to-topic");
	if (asked->remote != NULL && asked->config == NULL)
		return cli_usage(self, "--remote names a model of a configuration: -c FILE is needed");
	if (asked->model != NULL && asked->config == NULL)
		return cli_usage(self, "--model names a model of a configuration: -c FILE is needed");
	return EXIT_DONE;
}

static enum rc take_near(void *ctx, const char *text, struct err *err)
{
	double *near = ctx;
	if (str_to_double(str_of(text), near) && *near > 0 && *near <= 1)
		return RC_OK;
	return err_set(err, RC_BAD_INPUT, "--near-duplicates takes a cosine above 0, up to 1, not \"%s\"", text);
}

static int run(const struct command *self, int argc, char **argv)
{
	struct embed_asked asked = {.rows = {.windows = DOCUMENT_WINDOWS}};
	struct row_vectors *rows = &asked.rows;
	bool bare = false;
	const struct arg args[] = {
		{.operand = &rows->data},
		{.help = "A data set (JSON Lines, CSV with a header, or - for standard input; field text, prompt or messages) becomes one\n"
		         "line a row: {\"id\": ..., \"embedding\": [...]}; null where a text has no word that the table knows."},
		{'c', "config", "FILE", "read the texts as this configuration's policy does (text.use, strip, max_chars)", .text = &asked.config},
		{0, "static", NULL, "without a configuration: the last user message, whole (the default)", .flag = &bare},
		{0, "remote", "MODEL", "by an embedding model of the configuration, one call a row; guards hold here as well", .text = &asked.remote},
		{'f', "field", "NAME=PATH", "a field stands elsewhere: text=ticket.body, id=ticket.number", .take = cli_take_field, .ctx = &asked.fields},
		{'o', "out", "FILE", "instead of standard output; written whole or not at all", .text = &asked.out},
		{0, "base64", NULL, "each vector as base64 of little-endian floats: a third of the size", .flag = &asked.base64},
		{0, "windows", "N", "of texts longer than some 200 words: 3 are head, middle, tail; 1 reads the head only", .number = &rows->windows,
		 .least = 1, .most = DOCUMENT_MAX_WINDOWS},
		{0, "near-duplicates", "C", "list rows whose cosine to an earlier row is at least C (0.95), and the calls that asking once for each group "
		 "would save; vectors are then written only with --out", .take = take_near, .ctx = &asked.near},
		{0, "model", "NAME", "whose price is counted (the policy's baseline, or the first model)", .text = &asked.model},
		{0, "json", NULL, "the groups as one JSON object, all of them", .flag = &asked.json},
		{0, "skip-bad", NULL, CLI_SKIP_BAD_HELP, .flag = &rows->skip_bad},
		{.help = "From a topic into a topic:"},
		{0, "from-topic", "TOPIC", "up to the end that stands when it begins", .text = &asked.from_topic},
		{0, "to-topic", "TOPIC", "another topic, which exists", .text = &asked.to_topic},
		{0, "again", NULL, "from the beginning, whatever earlier runs have copied", .flag = &asked.again},
		{0},
	};
	int code = EXIT_DONE;
	if (!cli_args(self, args, argc, argv, &code))
		return code;
	code = check(self, &asked, bare);
	if (code != EXIT_DONE)
		return code;
	rows->fields = &asked.fields;
	if (asked.from_topic != NULL)
		return embed_topic(self, &asked);
	return asked.config != NULL ? with_config(self, &asked) : embed_rows(&asked, NULL);
}

const struct command command_embed = {
	.name = "embed", .summary = "embeddings computed ahead, and near duplicates", .usage = usage, .about = about,
	.notes = notes, .example = example, .run = run,
};
