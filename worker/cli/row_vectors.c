/*
 * row_vectors.c: reading rows, and a vector for each.
 */
#include "worker/cli/row_vectors.h"

#include "worker/cli/data_rows.h"
#include "worker/cli/embed_remote.h"
#include "worker/route/text.h"

enum { MOST_CHARS = 1000000 };

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
		ret->values = document_embed(r->model, ret->text, (uint32_t)r->windows, values) ? values : NULL;
	}
	*arena = job.arena;
	return rc;
}

static int begin(struct row_vectors *r)
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
	return EXIT_DONE;
}

struct seeing {
	struct row_vectors *r;
	bool (*see)(void *ctx, const struct row_vector *row, struct err *err);
	void *ctx;
};

static enum rc take(void *ctx, const struct dataset_row *row, struct arena *arena, struct err *err)
{
	struct seeing *s = ctx;
	struct row_vector vector = {0};
	enum rc rc = embed(s->r, row, arena, &vector, err);
	if (rc != RC_OK)
		return rc;
	s->r->rows++;
	return s->see(s->ctx, &vector, err) ? RC_OK : RC_UNAVAILABLE;
}

int row_vectors_read(struct row_vectors *r, const char *what, bool (*see)(void *ctx, const struct row_vector *row, struct err *err), void *ctx)
{
	struct seeing seeing = {r, see, ctx};
	struct data_rows rows = {.path = r->data, .fields = r->fields, .skip_bad = r->skip_bad, .bar = what,
	                         .take = take, .ctx = &seeing};
	int code = begin(r);
	if (code == EXIT_DONE)
		code = data_rows_read(&rows);
	r->bad = rows.bad;
	return code;
}

void row_vectors_free(struct row_vectors *r)
{
	arena_free(&r->arena);
}
