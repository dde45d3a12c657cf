/*
 * train.c: the steps of training: hold out, fit, calibrate, fit all.
 *
 * The one idea: what is measured is what will run: the held-out rows go through the very file that would be written, int8 weights
 * and all.
 */
#include "worker/lab/train.h"

#include <math.h>
#include <stdlib.h>

#include "worker/lab/train_fit.h"

enum { HOLD_OUT = 5, FEW = 20, FEW_EPOCHS = 30, EPOCHS = 12, CENTROIDS_UP_TO = 10, LEAST_HELD_OUT = 20, SHARPNESS_STEPS = 24 };
static const double UNLIKE_SHARE = 0.05, NO_THRESHOLD = -1e6;

struct split {
	uint32_t *learn, *held, *all;
	uint32_t learn_count, held_count;
};

/* Every fifth row of a label, in the order of the rows; a label keeps its first four. */
static void split_rows(const struct train_setup *setup, struct split *s)
{
	uint32_t *seen = heap_zalloc(setup->label_count, sizeof *seen);
	s->learn = heap_zalloc(setup->row_count, sizeof *s->learn);
	s->held = heap_zalloc(setup->row_count, sizeof *s->held);
	s->all = heap_zalloc(setup->row_count, sizeof *s->all);
	s->learn_count = s->held_count = 0;
	for (uint32_t i = 0; i < setup->row_count; i++) {
		s->all[i] = i;
		if (++seen[setup->rows[i].label] % HOLD_OUT == 0)
			s->held[s->held_count++] = i;
		else
			s->learn[s->learn_count++] = i;
	}
	free(seen);
}

static double loss_at(const float *scores, uint32_t rows, uint32_t width, uint32_t labels, const uint32_t *truth, double sharpness)
{
	double loss = 0;
	for (uint32_t r = 0; r < rows; r++) {
		const float *z = scores + (size_t)r * width;
		double most = (double)z[0], sum = 0;
		for (uint32_t i = 1; i < labels; i++)
			most = (double)z[i] > most ? (double)z[i] : most;
		for (uint32_t i = 0; i < labels; i++)
			sum += exp(sharpness * ((double)z[i] - most));
		loss += log(sum) - sharpness * ((double)z[truth[r]] - most);
	}
	return loss;
}

/* The sharpness under which the held-out labels are likeliest. */
static double find_sharpness(const struct train_matrix *m, const struct train_weights *w, const struct train_setup *setup,
                             const struct split *s)
{
	float *scores = heap_zalloc((size_t)s->held_count * w->width, sizeof *scores);
	uint32_t *truth = heap_zalloc(s->held_count, sizeof *truth);
	double best = 1, least = INFINITY, sharpness = 0.25;
	for (uint32_t i = 0; i < s->held_count; i++) {
		train_score(m, w, s->held[i], scores + (size_t)i * w->width);
		truth[i] = setup->rows[s->held[i]].label;
	}
	for (int i = 0; i < SHARPNESS_STEPS; i++, sharpness *= 1.15) {
		double loss = loss_at(scores, s->held_count, w->width, setup->label_count, truth, sharpness);
		if (loss < least) {
			least = loss;
			best = sharpness;
		}
	}
	free(scores);
	free(truth);
	return best;
}

static int by_value(const void *a, const void *b)
{
	float x = *(const float *)a, y = *(const float *)b;
	return (x > y) - (x < y);
}

/* Runs the held-out rows through the file: how many are right, and what counts as unlike. */
static enum rc try_held_out(const struct train_setup *setup, const struct split *s, struct str file, struct train_report *report, struct err *err)
{
	struct arena arena;
	struct classifier *c = NULL;
	arena_init(&arena, 1 << 20);
	enum rc rc = classifier_open(file, setup->model, &arena, &c, err);
	if (rc == RC_OK) {
		struct classifier_scratch *scratch = classifier_scratch_new(c);
		float *in_scope = heap_zalloc((size_t)s->held_count + 1, sizeof *in_scope);
		for (uint32_t i = 0; i < s->held_count; i++) {
			struct classified found;
			classifier_run(c, scratch, setup->rows[s->held[i]].text, &found);
			report->held_out_right += found.best == setup->rows[s->held[i]].label;
			in_scope[i] = found.in_scope;
		}
		qsort(in_scope, s->held_count, sizeof *in_scope, by_value);
		report->threshold = (double)in_scope[(uint32_t)(UNLIKE_SHARE * s->held_count)];
		free(in_scope);
		classifier_scratch_free(scratch);
	}
	arena_free(&arena);
	return rc;
}

static enum rc calibrate(const struct train_matrix *m, const struct train_setup *setup, const struct split *s, struct train_report *report,
                         struct err *err)
{
	struct train_weights w;
	struct arena arena;
	struct buf file;
	if (s->held_count < LEAST_HELD_OUT)
		return RC_OK;
	arena_init(&arena, 1 << 20);
	buf_init(&file, &arena, 1 << 20);
	train_fit(m, setup, s->learn, s->learn_count, report->epochs, 0, 0.45, &w);
	report->held_out = s->held_count;
	report->sharpness = find_sharpness(m, &w, setup, s);
	train_write(m, &w, setup, s->learn, s->learn_count, report, &file);
	enum rc rc = try_held_out(setup, s, buf_view(&file), report, err);
	train_weights_free(&w);
	arena_free(&arena);
	return rc;
}

enum rc train_classifier(const struct train_setup *setup, struct buf *ret_file, struct train_report *ret_report, struct err *err)
{
	if (setup->label_count < 2)
		return err_set(err, RC_BAD_INPUT, "the rows have %u label; a classifier tells at least two apart", setup->label_count);
	if (setup->label_count > CLASSIFIER_MAX_LABELS || setup->row_count > CLASSIFIER_MAX_EXAMPLES)
		return err_set(err, RC_BAD_INPUT, "at most %d labels and %d rows are learned", CLASSIFIER_MAX_LABELS, CLASSIFIER_MAX_EXAMPLES);
	uint32_t per_label = setup->row_count / setup->label_count;
	struct train_report report = {.sharpness = 1, .threshold = NO_THRESHOLD, .epochs = per_label <= FEW ? FEW_EPOCHS : EPOCHS,
	                              .by_centroids = per_label <= CENTROIDS_UP_TO};
	struct train_matrix m;
	struct train_weights w;
	struct split s;
	split_rows(setup, &s);
	train_matrix_read(&m, setup);
	report.places = m.place_count;
	enum rc rc = calibrate(&m, setup, &s, &report, err);
	if (rc == RC_OK) {
		train_fit(&m, setup, s.all, setup->row_count, report.epochs, 0.5, 1, &w);
		train_write(&m, &w, setup, s.all, setup->row_count, &report, ret_file);
		train_weights_free(&w);
		*ret_report = report;
	}
	train_matrix_free(&m);
	free(s.learn);
	free(s.held);
	free(s.all);
	return rc;
}
