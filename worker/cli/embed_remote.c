/*
 * embed_remote.c: asking an embedding model, outside the pools.
 */
#include "worker/cli/embed_remote.h"

#include <stdio.h>
#include <time.h>

#include "worker/cli/cli.h"
#include "worker/upstream/upstream.h"

enum { TRIES = 4, PAUSE_S = 1 };

int embed_remote_open(struct embed_remote *r, const struct settings *settings, const struct policy *policy, const char *name)
{
	*r = (struct embed_remote){.settings = settings, .policy = policy};
	for (uint32_t i = 0; i < settings->model_count; i++) {
		if (!str_is(settings->models[i].name, name))
			continue;
		r->model = (uint16_t)i;
		r->scratch = route_scratch_new(policy);
		return EXIT_DONE;
	}
	fprintf(stderr, "pointsman embed: the configuration has no model \"%s\"\n", name);
	return EXIT_USAGE;
}

void embed_remote_close(struct embed_remote *r)
{
	route_scratch_free(r->scratch);
	r->scratch = NULL;
}

/* Repeats what may go better the next time. */
static void ask(struct embed_remote *r, struct job *job)
{
	struct call *call = &job->call;
	for (int i = 0; i < TRIES; i++) {
		if (i != 0)
			nanosleep(&(struct timespec){.tv_sec = PAUSE_S << (i - 1)}, NULL);
		upstream_ask(r->settings, job);
		r->calls++;
		r->input_tokens += call->outcome == OUTCOME_OK ? call->input_tokens : 0;
		r->cost_usd += call->outcome == OUTCOME_OK ? call->cost_usd : 0;
		if (call->outcome == OUTCOME_OK || !outcome_info(call->outcome)->retryable)
			return;
	}
}

enum rc embed_remote_vector(struct embed_remote *r, struct job *job, const float **ret_vector, struct err *err)
{
	struct str ignored, text; /* which guard it was is counted, not told */
	bool passed = route_guard(r->policy, r->scratch, job, &ignored);
	text = route_text(r->policy, job);
	*ret_vector = NULL;
	if (!passed || !decision_allows(&job->dec, r->model)) {
		r->kept_back++;
		return RC_OK;
	}
	if (str_trim(text).len == 0)
		return RC_OK;
	struct message message = {STR("user"), text};
	job->call = (struct call){.purpose = PURPOSE_EMBED, .models = &r->model, .model_count = 1, .messages = &message, .message_count = 1, .model = -1};
	ask(r, job);
	const struct call *call = &job->call;
	struct str name = r->settings->models[r->model].name;
	if (call->outcome != OUTCOME_OK) /* refused: this text, too long perhaps; all else is the model's */
		return err_set(err, call->outcome == OUTCOME_MODEL_REFUSED ? RC_BAD_INPUT : RC_UNAVAILABLE, "the model %.*s gave no embedding: %.*s", STR_ARG(name), STR_ARG(call->message));
	if (r->dim == 0)
		r->dim = call->vector_len;
	if (call->vector_len == 0 || call->vector_len != r->dim)
		return err_set(err, RC_UNAVAILABLE, "the model %.*s gave %u values, and %u before", STR_ARG(name), call->vector_len, r->dim);
	*ret_vector = call->vector;
	return RC_OK;
}
