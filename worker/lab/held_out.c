/*
 * held_out.c: out-of-fold answers of classifiers.
 */
#include "worker/lab/held_out.h"

#include <math.h>
#include <stdlib.h>

#include "worker/lab/train.h"

enum { SEED = 1 };

struct refit {
	const struct held_out_setup *setup;
	const struct static_model *model;
	struct arena arena; /* of one fold */
	uint32_t fold;
	uint32_t *label_of; /* by route: label of the fold's classifier; UINT32_MAX: none yet */
	struct str *labels;
	int *route_of; /* by label */
	struct train_row *rows;
	struct str *none;
	uint32_t row_count, label_count, none_count;
};

uint32_t held_out_fold(struct str text, uint32_t folds)
{
	uint64_t hash = UINT64_C(14695981039346656037); /* FNV-1a, its bits mixed once more (splitmix64's finisher) */
	for (size_t i = 0; i < text.len; i++)
		hash = (hash ^ (unsigned char)text.data[i]) * UINT64_C(1099511628211);
	hash = (hash ^ (hash >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	hash = (hash ^ (hash >> 27)) * UINT64_C(0x94d049bb133111eb);
	return (uint32_t)((hash ^ (hash >> 31)) % folds);
}

static struct stage_answer *answer_of(const struct refit *r, uint32_t row)
{
	return &r->setup->rows[row].answers[r->setup->stage];
}

/* The learned rows of the other folds. */
static void gather(struct refit *r)
{
	const struct held_out_setup *setup = r->setup;
	uint32_t routes = policy_route_count(setup->policy);
	r->row_count = r->label_count = r->none_count = 0;
	for (uint32_t i = 0; i < routes; i++)
		r->label_of[i] = UINT32_MAX;
	for (uint32_t i = 0; i < setup->row_count; i++) {
		int route = setup->rows[i].label;
		if (!answer_of(r, i)->learned || setup->rows[i].fold == r->fold)
			continue;
		if (route == EVAL_NONE) {
			r->none[r->none_count++] = setup->texts[i];
			continue;
		}
		if (r->label_of[route] == UINT32_MAX) {
			r->label_of[route] = r->label_count;
			r->route_of[r->label_count] = route;
			r->labels[r->label_count++] = policy_route(setup->policy, (uint32_t)route)->name;
		}
		r->rows[r->row_count++] = (struct train_row){setup->texts[i], r->label_of[route]};
	}
}

static void answer_rows(struct refit *r, const struct classifier *c)
{
	const struct held_out_setup *setup = r->setup;
	bool any_scope = policy_stage_info(setup->policy, setup->stage).any_scope;
	struct classifier_scratch *scratch = classifier_scratch_new(c);
	for (uint32_t i = 0; i < setup->row_count; i++) {
		struct stage_answer *a = answer_of(r, i);
		struct classified found;
		if (!a->learned || setup->rows[i].fold != r->fold)
			continue;
		classifier_run(c, scratch, setup->texts[i], &found);
		a->route = r->route_of[found.best];
		a->score = (double)found.confidence;
		a->barred = !found.known && !any_scope;
	}
	classifier_scratch_free(scratch);
}

static void show(void *ctx, double share)
{
	const struct refit *r = ctx;
	if (r->setup->progress != NULL)
		r->setup->progress(r->setup->ctx, (r->fold + share) / r->setup->folds);
}

/* false: there is nothing to train on, which is all that can be wrong with rows that were read. Names are learned as train does. */
static bool one_fold(struct refit *r)
{
	struct classifier *c = NULL;
	struct train_report report;
	struct buf file;
	struct err err;
	gather(r);
	arena_reset(&r->arena);
	buf_init(&file, &r->arena, 1 << 20);
	struct train_setup setup = {.rows = r->rows, .row_count = r->row_count, .labels = r->labels, .label_count = r->label_count,
	                            .none = r->none, .none_count = r->none_count, .model = r->model, .seed = SEED, .progress = show, .ctx = r};
	if (train_classifier(&setup, &file, &report, &err) != RC_OK || classifier_open(buf_view(&file), r->model, &r->arena, &c, &err) != RC_OK)
		return false;
	answer_rows(r, c);
	return true;
}

static uint32_t forget(struct refit *r)
{
	uint32_t count = 0;
	for (uint32_t i = 0; i < r->setup->row_count; i++) {
		struct stage_answer *a = answer_of(r, i);
		if (!a->learned || r->setup->rows[i].fold != r->fold)
			continue;
		a->route = -1;
		a->score = NAN;
		count++;
	}
	return count;
}

/* A classifier that knows most of the rows was trained on them all: some it read otherwise (with a signature that the policy strips,
 * say), and the texts of no route it does not keep. One that knows a few has met them by chance. */
static bool mark_all(const struct refit *r)
{
	uint32_t others = 0, known = 0;
	for (uint32_t i = 0; i < r->setup->row_count; i++) {
		others += r->setup->rows[i].label != EVAL_NONE;
		known += r->setup->rows[i].label != EVAL_NONE && answer_of(r, i)->learned;
	}
	for (uint32_t i = 0; i < r->setup->row_count && known * 2 > others; i++)
		answer_of(r, i)->learned = true;
	return known * 2 > others;
}

enum rc held_out_answers(const struct held_out_setup *setup, struct held_out_report *ret, struct err *err)
{
	struct arena model_arena;
	struct static_model *model = NULL;
	struct refit r = {.setup = setup};
	uint32_t routes = policy_route_count(setup->policy);
	*ret = (struct held_out_report){0};
	bool trained_on_them = mark_all(&r);
	for (uint32_t i = 0; i < setup->row_count; i++)
		ret->learned += answer_of(&r, i)->learned;
	if (ret->learned == 0)
		return RC_OK;
	arena_init(&model_arena, 0);
	enum rc rc = static_model_builtin(&model_arena, &model, err);
	r.model = model;
	r.label_of = arena_array(&model_arena, routes, sizeof *r.label_of);
	r.labels = arena_array(&model_arena, routes, sizeof *r.labels);
	r.route_of = arena_array(&model_arena, routes, sizeof *r.route_of);
	r.rows = arena_array(&model_arena, setup->row_count, sizeof *r.rows);
	r.none = arena_array(&model_arena, setup->row_count, sizeof *r.none);
	arena_init(&r.arena, 1 << 20);
	for (r.fold = 0; rc == RC_OK && r.fold < setup->folds; r.fold++)
		if (!trained_on_them || !one_fold(&r))
			ret->unanswered += forget(&r);
	arena_free(&r.arena);
	arena_free(&model_arena);
	return rc;
}
