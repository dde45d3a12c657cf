/*
 * calibrate_read.c: rows of a data set, each put to every stage.
 *
 * The one idea: of a row only its label, its fold and the stages' answers are kept; and its text, because a classifier that was
 * trained on it has to be trained without it.
 */
#include <math.h>
#include <stdlib.h>

#include "common/hmac.h"
#include "worker/cli/calibrate.h"
#include "worker/cli/data_rows.h"
#include "worker/cli/eval_label.h"
#include "worker/route/features.h"

enum { FIRST_ROWS = 1024, STEPS = 1000 };

static void make_room(struct calibrate_work *work)
{
	if (work->count < work->cap)
		return;
	work->cap = work->cap == 0 ? FIRST_ROWS : work->cap * 2;
	work->rows = heap_resize(work->rows, work->cap, sizeof *work->rows);
	work->texts = heap_resize(work->texts, work->cap, sizeof *work->texts);
}

static void hash_row(struct sha256 *hash, struct str text, int label)
{
	uint64_t head[2] = {text.len, (uint64_t)(int64_t)label};
	sha256_add(hash, head, sizeof head);
	sha256_add(hash, text.data, text.len);
}

struct taking {
	struct calibrate_work *work;
	struct route_scratch *scratch;
};

static enum rc take(void *ctx, const struct dataset_row *row, struct arena *arena, struct err *err)
{
	struct calibrate_work *work = ((struct taking *)ctx)->work;
	int label = EVAL_NONE;
	enum rc rc = eval_label_route(work->policy, row, &label, err);
	if (rc != RC_OK)
		return rc;
	struct job job = {.state = JOB_DECODED, .arena = *arena, .req = row->req, .dec = {.route = -1, .policy = work->policy}, .call = {.model = -1}};
	make_room(work);
	struct calibrate_row *to = &work->rows[work->count];
	struct str text = route_text(work->policy, &job);
	*to = (struct calibrate_row){.label = label, .fold = held_out_fold(text, (uint32_t)work->asked->folds)};
	to->answers = arena_array(&work->arena, policy_stage_count(work->policy), sizeof *to->answers);
	route_ask_all(work->policy, ((struct taking *)ctx)->scratch, &job, to->answers);
	text.len = str_utf8_cut(text, FEATURES_MAX_BYTES);
	work->texts[work->count++] = arena_str(&work->arena, text);
	*arena = job.arena;
	return RC_OK;
}

static int read_rows(struct calibrate_work *work)
{
	struct taking taking = {work, route_scratch_new(work->policy)};
	struct data_rows rows = {.path = work->asked->data, .fields = &work->asked->fields, .skip_bad = work->asked->skip_bad,
	                         .limit = work->asked->limit, .most = DATASET_MAX_ROWS, .bar = "asking all stages, kB", .take = take, .ctx = &taking};
	int code = data_rows_read(&rows);
	route_scratch_free(taking.scratch);
	work->bad = rows.bad;
	return code == EXIT_DONE ? data_rows_some(rows.path, rows.taken, rows.bad) : code;
}

static int by_text(const void *a, const void *b)
{
	return str_cmp(*(const struct str *)a, *(const struct str *)b);
}

/* The digest, and how many rows repeat a text. */
static void sum_up(struct calibrate_work *work)
{
	struct str *sorted = heap_zalloc(work->count, sizeof *sorted);
	struct sha256 *hash = sha256_new();
	uint8_t digest[SHA256_BYTES];
	sha256_begin(hash);
	for (uint32_t i = 0; i < work->count; i++) {
		hash_row(hash, work->texts[i], work->rows[i].label);
		sorted[i] = work->texts[i];
	}
	sha256_end(hash, digest);
	sha256_free(hash);
	hex_encode(digest, (sizeof work->digest - 1) / 2, work->digest);
	qsort(sorted, work->count, sizeof *sorted, by_text);
	for (uint32_t i = 1; i < work->count; i++)
		work->repeated += str_eq(sorted[i], sorted[i - 1]);
	free(sorted);
}

static void show(void *ctx, double share)
{
	cli_progress_at(ctx, (int64_t)(share * STEPS));
}

/* Answers of classifiers that had not learned the row. */
static int answer_anew(struct calibrate_work *work)
{
	for (uint32_t s = 0; s < policy_stage_count(work->policy); s++) {
		struct cli_progress bar;
		struct err err;
		struct held_out_setup setup = {.policy = work->policy, .stage = s, .folds = (uint32_t)work->asked->folds, .rows = work->rows,
		                               .texts = work->texts, .row_count = work->count, .progress = show, .ctx = &bar};
		cli_progress_begin(&bar, "training without each fold", STEPS);
		enum rc rc = held_out_answers(&setup, &work->learned[s], &err);
		if (work->learned[s].learned != 0)
			cli_progress_end(&bar);
		if (rc != RC_OK)
			return cli_fail(&err, EXIT_FAILED);
	}
	return EXIT_DONE;
}

int calibrate_read(struct calibrate_work *work)
{
	int code = read_rows(work);
	if (code != EXIT_DONE)
		return code;
	sum_up(work);
	return answer_anew(work);
}
