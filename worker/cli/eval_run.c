/*
 * eval_run.c: rows of a data set through the router, block by block.
 *
 * The one idea: gather a block, decide it on all cores, count it in the order of the rows. So memory is bounded by a block and the
 * report does not depend on threads.
 */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/json.h"
#include "worker/cli/data_rows.h"
#include "worker/cli/eval.h"
#include "worker/route/inspect.h"

enum { BLOCK_ROWS = 8192, BLOCK_BYTES = 64 * 1024 * 1024 };

struct block {
	struct eval_work *work;
	FILE *predictions; /* NULL: not asked for, or not yet */
	struct arena arena;
	struct dataset_row *rows;
	struct request *requests;
	int *labels, *other_labels;
	struct decided *decided, *other;
	uint32_t count;
};

/* As this run reads labels. */
static enum rc label_of(const struct eval_side *side, const struct eval_asked *asked, const struct dataset_row *row, int *ret, struct err *err)
{
	if (asked->none != NULL && row->labelled && str_is(row->label, asked->none)) {
		*ret = EVAL_NONE;
		return RC_OK;
	}
	return (asked->labels_as_routes ? eval_label_learned : eval_label_route)(side->policy, row, ret, err);
}

/* The label as a route of each policy. */
static enum rc find_labels(const struct eval_work *work, const struct dataset_row *row, struct block *block, struct err *err)
{
	enum rc rc = label_of(&work->side, work->asked, row, &block->labels[block->count], err);
	if (rc == RC_OK && work->compare != NULL)
		rc = label_of(&work->other, work->asked, row, &block->other_labels[block->count], err);
	return rc;
}

/* ---- misses ---------------------------------------------------------------------------------------------------------- */

static void copy(char *out, size_t bytes, struct str s)
{
	size_t n = str_utf8_cut(s, bytes - 1);
	for (size_t i = 0; i < n; i++)
		out[i] = (unsigned char)s.data[i] < 0x20 || s.data[i] == 0x7F ? ' ' : s.data[i];
	out[n] = '\0';
}

/* How sure it was of what was wrong: a rule is entirely; when_unsure not at all. */
static double sureness(const struct decided *d)
{
	return d->unsure ? -2 : isnan(d->confidence) ? 1 : d->confidence;
}

static void find_near(struct eval_work *work, const struct request *req, struct eval_miss *miss)
{
	struct job job = {.state = JOB_DECODED, .req = *req, .dec = {.policy = work->side.policy, .route = -1}, .call = {.model = -1}};
	arena_init(&job.arena, 0);
	miss->near_count = route_nearest(work->side.policy, work->scratch, &job, miss->near, EVAL_NEAR);
	arena_free(&job.arena);
}

static void keep_miss(struct eval_work *work, const struct dataset_row *row, int label, const struct decided *d)
{
	uint32_t at = work->miss_count, most = (uint32_t)work->asked->worst;
	struct eval_miss miss = {.line = row->line, .label = label, .route = d->route, .threshold = d->threshold};
	miss.confidence = sureness(d);
	while (at > 0 && work->misses[at - 1].confidence < miss.confidence)
		at--;
	if (at == most)
		return;
	copy(miss.id, sizeof miss.id, row->req.id);
	copy(miss.text, sizeof miss.text, str_trim(row->req.messages[row->req.message_count - 1].content));
	copy(miss.reason, sizeof miss.reason, d->reason);
	miss.stage = d->stage >= 0 ? d->stages[d->stage] : NULL;
	if (work->scratch != NULL)
		find_near(work, &row->req, &miss);
	if (work->miss_count < most)
		work->miss_count++;
	memmove(&work->misses[at + 1], &work->misses[at], (work->miss_count - at - 1) * sizeof miss);
	work->misses[at] = miss;
}

/* ---- counting -------------------------------------------------------------------------------------------------------- */

static const char *length_class(uint32_t chars)
{
	return chars < 100 ? "under 100" : chars < 500 ? "100 to 499" : chars < 2000 ? "500 to 1999" : "2000 and more";
}

static void predict_stage(const struct decided_stage *said, struct buf *out)
{
	json_sep(out);
	buf_char(out, '{');
	json_member_str(out, "stage", str_of(said->name));
	json_member_str(out, "verdict", str_of(verdict_name((enum verdict)said->verdict)));
	json_member_str(out, "label", said->label);
	json_member_double(out, "score", said->score);
	json_member_str(out, "runner_up", said->runner_up);
	json_member_double(out, "runner_up_score", said->runner_up_score);
	json_member_double(out, "threshold", said->threshold);
	json_member_double(out, "in_scope", said->in_scope);
	buf_char(out, '}');
}

/* The classifier's word, or NULL: there is none. */
static const struct decided_stage *scored(const struct decided *d)
{
	for (uint32_t i = 0; i < d->stage_count; i++)
		if (!isnan(d->said[i].in_scope))
			return &d->said[i];
	return NULL;
}

static void predict(struct eval_work *work, const struct dataset_row *row, int label, const struct decided *d, struct buf *out)
{
	const struct eval_side *side = &work->side;
	const struct decided_stage *said = scored(d);
	buf_char(out, '{');
	json_member_str(out, "id", row->req.id);
	json_member_i64(out, "line", (int64_t)row->line);
	json_member_str(out, "label", label == EVAL_NONE ? STR_NULL : row->label);
	json_member_str(out, "route", policy_route(side->policy, (uint32_t)d->route)->name);
	json_member_bool(out, "right", label != EVAL_STRANGE && eval_is_right(&side->setup, label, d->route));
	json_member_bool(out, "unsure", d->unsure);
	json_member_str(out, "stage", d->stage >= 0 ? str_of(d->stages[d->stage]) : STR_NULL);
	json_member_double(out, "confidence", d->confidence);
	json_member_double(out, "threshold", d->threshold);
	json_member_str(out, "runner_up", d->runner_up);
	json_member_double(out, "in_scope", said != NULL ? said->in_scope : NAN);
	json_member_str(out, "reason", d->reason);
	json_key(out, "stages");
	buf_char(out, '[');
	for (uint32_t i = 0; i < d->stage_count; i++)
		predict_stage(&d->said[i], out);
	buf_cstr(out, "]}\n");
}

static void add_row(struct eval_side *side, const struct dataset_row *row, int label, const struct decided *d, struct arena *arena)
{
	const struct request *req = &row->req;
	struct attribute *slices = arena_array(arena, (size_t)req->attribute_count + 3, sizeof *slices);
	uint32_t n = 0;
	for (; n < req->attribute_count; n++)
		slices[n] = req->attributes[n];
	slices[n++] = (struct attribute){STR("language"), str_of(d->language)};
	slices[n++] = (struct attribute){STR("length"), str_of(length_class(d->chars))};
	if (req->tenant.len != 0)
		slices[n++] = (struct attribute){STR("tenant"), req->tenant};
	eval_add(side->eval, &(struct eval_row){label, d->route, d->unsure, d->stage, d->stages, d->verdicts, d->stage_count, d->nanos, slices, n});
}

static void count_scores(struct eval_work *work, int label, const struct decided *d)
{
	const struct decided_stage *said = scored(d);
	work->strange += label == EVAL_STRANGE;
	if (said == NULL)
		return;
	if (work->scope == NULL)
		work->scope = scope_new();
	scope_add(work->scope, said->in_scope, label < 0);
	if (label >= 0)
		reliability_add(&work->reliability, said->score, str_eq(said->label, policy_route(work->side.policy, (uint32_t)label)->name));
}

static void count_row(struct eval_work *work, const struct block *block, uint32_t i, struct arena *arena, struct buf *predictions)
{
	const struct dataset_row *row = &block->rows[i];
	const struct decided *d = &block->decided[i];
	const struct eval_side *side = &work->side, *other = &work->other;
	int label = block->labels[i];
	if (work->asked->predictions != NULL)
		predict(work, row, label, d, predictions);
	count_scores(work, label, d);
	if (work->asked->html != NULL && label != EVAL_STRANGE)
		eval_scores_add(&work->scores, side->policy, &side->setup, label, d);
	if (work->asked->labels_as_routes && label < 0)
		return; /* such rows are judged by their scores only: every text gets a label here */
	add_row(&work->side, row, label, d, arena);
	if (work->compare != NULL) {
		const struct decided *o = &block->other[i];
		add_row(&work->other, row, block->other_labels[i], o, arena);
		compare_add(work->compare, policy_route(side->policy, (uint32_t)d->route)->name, eval_is_right(&side->setup, label, d->route),
		            policy_route(other->policy, (uint32_t)o->route)->name, eval_is_right(&other->setup, block->other_labels[i], o->route));
	}
	if (!eval_is_right(&side->setup, label, d->route) && work->asked->worst != 0)
		keep_miss(work, row, label, d);
}

/* With the first block, so that data that cannot be read at all leave what was there. */
static enum rc open_predictions(struct block *block, const char *path, struct err *err)
{
	if (path == NULL || block->predictions != NULL)
		return RC_OK;
	block->predictions = fopen(path, "w");
	return block->predictions != NULL ? RC_OK : err_set(err, RC_FATAL, "%s: cannot be opened: %s", path, strerror(errno));
}

/* What there is of a block, and empties it. RC_FATAL: predictions cannot be written. */
static enum rc count_block(struct eval_work *work, struct block *block, struct err *err)
{
	struct buf lines;
	enum rc rc = open_predictions(block, work->asked->predictions, err);
	if (rc != RC_OK)
		return rc;
	buf_init(&lines, &block->arena, 0);
	decider_run(work->side.decider, block->requests, block->count, block->decided);
	if (work->compare != NULL)
		decider_run(work->other.decider, block->requests, block->count, block->other);
	for (uint32_t i = 0; i < block->count; i++)
		count_row(work, block, i, &block->arena, &lines);
	work->rows += block->count;
	bool written = lines.len == 0 || fwrite(lines.data, 1, lines.len, block->predictions) == lines.len;
	block->count = 0;
	arena_reset(&block->arena);
	return written ? RC_OK : err_set(err, RC_FATAL, "%s: cannot be written: %s", work->asked->predictions, strerror(errno));
}

static enum rc take_row(void *ctx, const struct dataset_row *row, struct arena *arena, struct err *err)
{
	struct block *block = ctx;
	enum rc rc = find_labels(block->work, row, block, err);
	if (rc != RC_OK)
		return rc;
	block->rows[block->count] = *row;
	block->requests[block->count++] = row->req;
	return block->count == BLOCK_ROWS || arena->total_bytes >= BLOCK_BYTES ? count_block(block->work, block, err) : RC_OK;
}

static int read_all(struct eval_work *work, struct block *block)
{
	const struct eval_asked *asked = work->asked;
	struct data_rows rows = {.path = asked->data, .fields = &asked->fields, .skip_bad = asked->skip_bad, .limit = asked->limit,
	                         .most = DATASET_MAX_ROWS, .bar = "deciding, kB", .arena = &block->arena, .take = take_row, .ctx = block};
	struct err err;
	int64_t started_us = clock_mono_us();
	int code = data_rows_read(&rows);
	work->bad = rows.bad;
	if (code == EXIT_DONE && count_block(work, block, &err) != RC_OK)
		code = cli_fail(&err, EXIT_FAILED);
	work->micros = clock_mono_us() - started_us;
	return code == EXIT_DONE ? data_rows_some(rows.path, rows.taken, rows.bad) : code;
}

static int closed(FILE *predictions, const char *path, int code)
{
	if (predictions == NULL || fclose(predictions) == 0 || code != EXIT_DONE)
		return code;
	fprintf(stderr, "%s: cannot be written: %s\n", path, strerror(errno));
	return EXIT_FAILED;
}

int eval_run(struct eval_work *work)
{
	const struct eval_asked *asked = work->asked;
	struct block block = {.work = work};
	arena_init(&block.arena, 1024 * 1024);
	block.rows = heap_zalloc(BLOCK_ROWS, sizeof *block.rows);
	block.requests = heap_zalloc(BLOCK_ROWS, sizeof *block.requests);
	block.labels = heap_zalloc(BLOCK_ROWS, sizeof *block.labels);
	block.decided = heap_zalloc(BLOCK_ROWS, sizeof *block.decided);
	if (work->compare != NULL) {
		block.other_labels = heap_zalloc(BLOCK_ROWS, sizeof *block.other_labels);
		block.other = heap_zalloc(BLOCK_ROWS, sizeof *block.other);
	}
	work->misses = arena_array(&work->arena, (size_t)asked->worst + 1, sizeof *work->misses);
	int code = closed(block.predictions, asked->predictions, read_all(work, &block));
	free(block.rows);
	free(block.requests);
	free(block.labels);
	free(block.decided);
	free(block.other_labels);
	free(block.other);
	arena_free(&block.arena);
	return code;
}
