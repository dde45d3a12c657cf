/*
 * embed_topic.c: the records of a topic into another topic, with their embeddings.
 *
 * The one idea: no record is lost on the way. One that cannot be read, has an embedding already, or has no place for one is copied as it
 * is, and counted; whoever reads the other topic says what is wrong with it, as it would have.
 */
#include <inttypes.h>
#include <signal.h>

#include "common/clock.h"
#include "worker/cli/embed.h"
#include "worker/engine/signals.h"
#include "worker/route/route.h"
#include "worker/stream/rewrite.h"
#include "worker/wire/fill.h"
#include "worker/wire/read_back.h"

enum { BAD_SHOWN = 20, REGISTRY_MAX_BODY = 4 * 1024 * 1024 };

struct work {
	const struct embed_asked *asked;
	const struct settings *settings;
	struct policy *policy;
	struct static_model *model;
	struct wire_coder *coder;
	struct http *http;
	struct signals *signals;
	struct arena brief; /* of one record; what is sent is copied into rewrite's */
	struct embed_remote remote;
	float *vector; /* of the table */
	uint32_t dim;
	struct cli_progress bar;
	int64_t filled, had, wordless, left; /* left: as they were, because something is wrong with them */
};

static enum rc decode(struct work *w, struct job *job, struct err *err)
{
	enum outcome ignored; /* err says it in words */
	if (job->rec.value.len > w->settings->input.max_bytes)
		return err_set(err, RC_BAD_INPUT, "it is over input.max_bytes");
	enum rc rc = wire_decode(w->coder, job, &ignored, err);
	if (rc != RC_AGAIN)
		return rc;
	rc = read_back_schema(w->coder, w->http, job->rec.value, clock_mono_us(), err);
	return rc == RC_OK ? wire_decode(w->coder, job, &ignored, err) : rc;
}

/* RC_OK with *ret the new value, or untouched where there is nothing to fill. */
static enum rc fill(struct work *w, struct job *job, struct arena *arena, struct str *ret, struct err *err)
{
	enum rc rc = decode(w, job, err);
	if (rc != RC_OK)
		return rc;
	if (job->req.embedding != NULL) {
		w->had++;
		return RC_OK;
	}
	const float *vector = NULL;
	if (w->asked->remote != NULL)
		rc = embed_remote_vector(&w->remote, job, &vector, err);
	else if (document_embed(w->model, route_text(w->policy, job), (uint32_t)w->asked->rows.windows, w->vector))
		vector = w->vector;
	if (rc != RC_OK)
		return rc;
	if (vector == NULL) {
		w->wordless++;
		return RC_OK;
	}
	rc = fill_embedding(w->coder, arena, job->rec.value, vector, w->asked->remote != NULL ? w->remote.dim : w->dim, ret, err);
	w->filled += rc == RC_OK;
	return rc;
}

static enum rc change(void *ctx, const struct record *rec, struct arena *arena, struct str *ret_value, struct err *err)
{
	struct work *w = ctx;
	struct err why;
	arena_reset(&w->brief);
	struct job job = {.state = JOB_FETCHED, .arena = w->brief, .rec = *rec, .dec = {.route = -1}, .call = {.model = -1}};
	*ret_value = rec->value;
	enum rc rc = fill(w, &job, arena, ret_value, &why);
	w->brief = job.arena;
	if (rc == RC_UNAVAILABLE) {
		*err = why; /* the registry, or the model that is asked: a record may not go by because of it */
		return rc;
	}
	if (rc != RC_OK && w->left++ < BAD_SHOWN)
		fprintf(stderr, "%.*s-%d@%" PRId64 ": copied as it is: %s\n", STR_ARG(rec->topic), (int)rec->partition, rec->offset, why.text);
	return RC_OK;
}

static bool stop_asked(void *ctx)
{
	int signal = signals_next(((struct work *)ctx)->signals, 0);
	return signal == SIGINT || signal == SIGTERM;
}

static void show_progress(void *ctx, int64_t done, int64_t total)
{
	struct work *w = ctx;
	if (w->bar.what == NULL)
		cli_progress_begin(&w->bar, "embedding", total);
	cli_progress_at(&w->bar, done);
}

static void tell(const struct work *w, const struct rewrite_report *report)
{
	if (w->asked->json) {
		printf("{\"copied\":%" PRId64 ",\"filled\":%" PRId64 ",\"had_one\":%" PRId64 ",\"without_words\":%" PRId64 ",\"as_they_were\":%" PRId64
		       ",\"stopped\":%s}\n", report->written, w->filled, w->had, w->wordless, w->left, report->stopped ? "true" : "false");
		return;
	}
	printf("copied        %" PRId64 " records from %s to %s\n", report->written, w->asked->from_topic, w->asked->to_topic);
	if (w->asked->remote != NULL)
		printf("filled        %" PRId64 ", by %s: %" PRId64 " tokens, $%.4f; %" PRId64 " records kept from it by guards\n", w->filled, w->asked->remote,
		       w->remote.input_tokens, w->remote.cost_usd, w->remote.kept_back);
	else
		printf("filled        %" PRId64 ", by the table %.*s\n", w->filled, STR_ARG(static_model_version(w->model)));
	printf("as they were  %" PRId64 " had an embedding, %" PRId64 " have no word that the table knows, %" PRId64 " cannot be read or hold none\n", w->had,
	       w->wordless, w->left);
}

static int act(struct work *w)
{
	struct arena arena;
	struct rewrite_report report;
	struct err err;
	arena_init(&arena, 0);
	/* the other topic is part of the task's name: copies into two topics are two tasks */
	const char *task = arena_printf(&arena, "embed-%s", w->asked->to_topic).data;
	const struct rewrite_order order = {w->asked->from_topic, w->asked->to_topic, task, w->asked->again, change, stop_asked, show_progress, w};
	enum rc rc = rewrite_run(w->settings, &order, &report, &err);
	cli_progress_end(&w->bar);
	int code = EXIT_DONE;
	if (rc != RC_OK) {
		code = cli_fail(&err, rc == RC_BAD_INPUT ? EXIT_CONFIG : EXIT_FAILED);
		fprintf(stderr, "%" PRId64 " records were copied for certain before; run it again to go on\n", report.written);
	} else {
		tell(w, &report);
		if (report.stopped) {
			fputs("interrupted; run it again to go on\n", stderr);
			code = EXIT_FAILED;
		}
	}
	arena_free(&arena);
	return code;
}

static int work(struct work *w)
{
	struct wire *wire = NULL;
	struct arena arena;
	struct err err;
	int code = EXIT_DONE;
	arena_init(&arena, 0);
	arena_init(&w->brief, 1 << 16);
	enum rc rc = policy_load(w->settings->policy_file.data, w->settings, &w->policy, &err);
	if (rc == RC_OK)
		rc = static_model_builtin(&arena, &w->model, &err);
	if (rc == RC_OK)
		rc = wire_open(w->settings, NULL, &wire, &err);
	if (rc != RC_OK) {
		code = cli_fail(&err, EXIT_CONFIG);
	} else if (signals_open(&w->signals, &err) != RC_OK) {
		code = cli_fail(&err, EXIT_FAILED);
	} else {
		(void)signals_next(w->signals, 0); /* from now on they are asked for, and end nothing by themselves */
		w->coder = wire_coder_new(wire);
		w->http = http_new(w->settings->registry.timeout_ms, REGISTRY_MAX_BODY);
		w->dim = static_model_dim(w->model);
		w->vector = arena_array(&arena, w->dim, sizeof *w->vector);
		if (w->asked->remote != NULL)
			code = embed_remote_open(&w->remote, w->settings, w->policy, w->asked->remote);
		if (code == EXIT_DONE)
			code = act(w);
		embed_remote_close(&w->remote);
		signals_close(w->signals);
	}
	http_free(w->http);
	wire_coder_free(w->coder);
	wire_close(wire);
	policy_unref(w->policy);
	arena_free(&w->brief);
	arena_free(&arena);
	return code;
}

int embed_topic(const struct command *self, const struct embed_asked *asked)
{
	struct settings settings;
	struct work w = {.asked = asked, .settings = &settings};
	int code = cli_settings(self, asked->config, &settings); /* Kafka's secrets are needed */
	if (code != EXIT_DONE)
		return code;
	code = work(&w);
	settings_free(&settings);
	return code;
}
