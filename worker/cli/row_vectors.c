/*
 * row_vectors.c: reading rows, and a vector for each.
 */
#include "worker/cli/row_vectors.h"

#include <stdlib.h>

#include "worker/cli/embed_remote.h"
#include "worker/route/text.h"

enum { BAD_SHOWN = 20, MOST_CHARS = 1000000 };

/* What the router reads of the row; with a policy job knows it too. */
static void read_text(const struct row_vectors *r, const struct dataset_row *row, struct job *job, struct row_vector *ret)
{
	static const struct text_rules whole = {.use = TEXT_LAST_USER, .max_chars = MOST_CHARS};
	if (r->policy != NULL) {
		ret->text = route_text(r->policy, job);
		ret->tokens_est = job->dec.prompt_tokens_est;
		return;
	}
	const struct text *text = text_read(&whole, &row->req, &job->arena);
	ret->text = text->shown;
	ret->tokens_est = text->tokens_est;
}

static enum rc take_given(struct row_vectors *r, const struct dataset_row *row, struct row_vector *ret, struct err *err)
{
	if (row->req.embedding == NULL)
		return err_set(err, RC_BAD_INPUT, "the row has no embedding; which field is it? --field embedding=NAME");
	if (r->dim == 0)
		r->dim = row->req.embedding_len;
	if (row->req.embedding_len != r->dim)
		return err_set(err, RC_BAD_INPUT, "the embedding has %u values, those before it had %u", row->req.embedding_len, r->dim);
	ret->values = row->req.embedding;
	return RC_OK;
}

/* RC_BAD_INPUT: something is wrong with the row; RC_UNAVAILABLE: with the model that is asked. */
static enum rc embed(struct row_vectors *r, const struct dataset_row *row, struct arena *arena, struct row_vector *ret, struct err *err)
{
	struct job job = {.arena = *arena, .req = row->req, .dec = {.route = -1}, .call = {.model = -1}};
	enum rc rc = RC_OK;
	ret->row = row;
	read_text(r, row, &job, ret);
	if (r->given) {
		rc = take_given(r, row, ret, err);
	} else if (r->remote != NULL) {
		rc = embed_remote_vector(r->remote, &job, &ret->values, err);
		r->dim = r->remote->dim;
	} else {
		float *values = arena_array(&job.arena, r->dim, sizeof *values);
		ret->values = document_embed(r->model, ret->text, r->windows, values) ? values : NULL;
	}
	*arena = job.arena;
	return rc;
}

static int begin(struct row_vectors *r, struct dataset **ret)
{
	struct static_model *model = NULL;
	struct err err;
	arena_init(&r->arena, 1 << 16);
	r->dim = 0;
	if (!r->given && r->remote == NULL && static_model_builtin(&r->arena, &model, &err) != RC_OK)
		return cli_fail(&err, EXIT_CONFIG);
	r->model = model;
	if (model != NULL)
		r->dim = static_model_dim(model);
	return dataset_open(r->data, r->fields, r->field_count, ret, &err) == RC_OK ? EXIT_DONE : cli_fail(&err, EXIT_CONFIG);
}

int row_vectors_read(struct row_vectors *r, const char *what, bool (*see)(void *ctx, const struct row_vector *row, struct err *err), void *ctx)
{
	struct dataset *ds = NULL;
	struct arena arena;
	struct cli_progress bar;
	struct err err;
	int code = begin(r, &ds);
	if (code != EXIT_DONE)
		return code;
	arena_init(&arena, 65536);
	cli_progress_begin(&bar, what, dataset_bytes_total(ds));
	for (enum dataset_step step = DATASET_ROW; code == EXIT_DONE;) {
		struct dataset_row row;
		struct row_vector vector = {0};
		struct err why;
		arena_reset(&arena);
		step = dataset_next(ds, &arena, &row, &err);
		if (step == DATASET_END)
			break;
		if (step == DATASET_FAILED)
			code = cli_fail(&err, EXIT_CONFIG);
		enum rc rc = step == DATASET_ROW ? embed(r, &row, &arena, &vector, &why) : RC_OK;
		if (rc == RC_UNAVAILABLE) {
			code = cli_fail(&why, EXIT_FAILED);
			break;
		}
		if (rc != RC_OK) {
			(void)err_set(&err, RC_BAD_INPUT, "%s:%llu: error: %.300s", r->data, (unsigned long long)row.line, why.text);
			step = DATASET_BAD;
		}
		if (step == DATASET_ROW) {
			r->rows++;
			if (!see(ctx, &vector, &err))
				code = cli_fail(&err, EXIT_FAILED);
			cli_progress_at(&bar, dataset_bytes_read(ds));
		}
		if (step != DATASET_BAD)
			continue;
		if (r->bad++ < BAD_SHOWN || !r->skip_bad)
			fprintf(stderr, "%s\n", err.text);
		if (!r->skip_bad)
			code = EXIT_CONFIG;
	}
	cli_progress_end(&bar);
	arena_free(&arena);
	dataset_close(ds);
	return code;
}

void row_vectors_free(struct row_vectors *r)
{
	arena_free(&r->arena);
}
