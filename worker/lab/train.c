/*
 * train.c: the steps of training: hold out, calibrate, learn all.
 *
 * The one idea: what is measured is what will run: the held-out rows go through the very file that would be written, int8 weights
 * and all.
 */
#include "worker/lab/train.h"

#include <math.h>
#include <stdlib.h>

#include "worker/lab/reliability.h"
#include "worker/lab/scope.h"
#include "worker/lab/train_fit.h"
#include "worker/route/elementary.h"

enum { PARTS = 5, FEW = 20, FEW_EPOCHS = 30, EPOCHS = 12, LEAST_HELD_OUT = 20, MOST_HELD_OUT = 20000, SHARPNESS_STEPS = 40 };
enum { ROWS_FOR_ONE_PART = 4000 /* of so many on, one part of five is enough to calibrate by */, SCORES = 1 + CLASSIFIER_SIGNALS };
static const double RETAINED = 0.95, NO_THRESHOLD = -1e6, LEAST_SHARPNESS = 0.3, SHARPNESS_STEP = 1.07;

/* What was seen of rows while they were held out. */
struct held {
	uint32_t count, none_count; /* rows of labels first, then those of none */
	float *logs;                /* of the former, label_count each: ln of the probabilities */
	uint32_t *truth;
	float *signals; /* CLASSIFIER_SIGNALS each */
	float *scores;  /* in-scope score by the formula without weights */
};

struct work {
	const struct train_setup *setup;
	struct train_matrix matrix;
	uint8_t *part;     /* of each row: 0 to PARTS - 1 is held out in turn; PARTS: never */
	uint32_t *learned; /* numbers of rows, space for all */
	struct held held;
	struct train_report report;
};

/* The rows of a label go to the parts in turn. Names, which come last, and rows that are alone are always learned. */
static void deal(struct work *w, uint32_t named_from)
{
	const struct train_setup *setup = w->setup;
	uint32_t *seen = heap_zalloc(setup->label_count, sizeof *seen), *total = heap_zalloc(setup->label_count, sizeof *total);
	w->part = heap_zalloc(setup->row_count, 1);
	for (uint32_t i = 0; i < named_from; i++)
		total[setup->rows[i].label]++;
	for (uint32_t i = 0; i < setup->row_count; i++) {
		uint32_t label = setup->rows[i].label;
		w->part[i] = i >= named_from || total[label] < 2 ? PARTS : (uint8_t)(seen[label]++ % PARTS);
	}
	free(seen);
	free(total);
}

static void keep(struct held *h, uint32_t at, const struct classifier_scratch *scratch, const struct classified *found)
{
	memcpy(h->signals + (size_t)at * CLASSIFIER_SIGNALS, classifier_signals(scratch), CLASSIFIER_SIGNALS * sizeof *h->signals);
	h->scores[at] = found->in_scope;
}

/* Rows of the part, and texts of none by their number, through the file. Those of none go behind all rows of labels. */
static enum rc try_part(struct work *w, struct str file, uint32_t part, uint32_t parts, struct err *err)
{
	const struct train_setup *setup = w->setup;
	struct held *h = &w->held;
	struct arena arena;
	struct classifier *c = NULL;
	struct classified found;
	arena_init(&arena, 1 << 20);
	enum rc rc = classifier_open(file, setup->model, &arena, &c, err);
	if (rc == RC_OK) {
		struct classifier_scratch *scratch = classifier_scratch_new(c);
		for (uint32_t i = 0; i < setup->row_count && h->count < MOST_HELD_OUT; i++) {
			if (w->part[i] != part)
				continue;
			classifier_run(c, scratch, setup->rows[i].text, &found);
			w->report.held_out_right += found.best == setup->rows[i].label;
			h->truth[h->count] = setup->rows[i].label;
			for (uint32_t k = 0; k < setup->label_count; k++)
				h->logs[(size_t)h->count * setup->label_count + k] = (float)elementary_log((double)classifier_probabilities(scratch)[k] + 1e-30);
			keep(h, h->count++, scratch, &found);
		}
		for (uint32_t i = part; i < setup->none_count && i < MOST_HELD_OUT; i += parts) {
			classifier_run(c, scratch, setup->none[i], &found);
			keep(h, MOST_HELD_OUT + i, scratch, &found);
		}
		classifier_scratch_free(scratch);
	}
	arena_free(&arena);
	return rc;
}

static enum rc hold_out(struct work *w, uint32_t parts, struct err *err)
{
	const struct train_setup *setup = w->setup;
	enum rc rc = RC_OK;
	for (uint32_t part = 0; part < parts && rc == RC_OK; part++) {
		struct train_weights weights;
		struct arena arena;
		struct buf file;
		uint32_t count = 0;
		double from = (double)part / (parts + 1), to = (double)(part + 1) / (parts + 1);
		for (uint32_t i = 0; i < setup->row_count; i++)
			if (w->part[i] != part)
				w->learned[count++] = i;
		arena_init(&arena, 1 << 20);
		buf_init(&file, &arena, 1 << 20);
		train_fit(&w->matrix, setup, w->learned, count, w->report.epochs, from, to, &weights);
		train_write(&w->matrix, &weights, setup, w->learned, count, &(struct train_settings){1, NO_THRESHOLD, NULL}, &file);
		rc = try_part(w, buf_view(&file), part, parts, err);
		train_weights_free(&weights);
		arena_free(&arena);
	}
	return rc;
}

/* ---- what the held-out rows say -------------------------------------------------------------------------------------------------- */

/* Probability of the likeliest label, and whether it is the true one, at a sharpness; returns ln of the true one's. */
static double at_sharpness(const struct held *h, uint32_t row, uint32_t labels, double sharpness, double *ret_best, bool *ret_right)
{
	const float *logs = h->logs + (size_t)row * labels;
	uint32_t best = 0;
	double sum = 0;
	for (uint32_t i = 1; i < labels; i++)
		best = logs[i] > logs[best] ? i : best;
	for (uint32_t i = 0; i < labels; i++)
		sum += elementary_exp(sharpness * (double)(logs[i] - logs[best]));
	*ret_best = 1 / sum;
	*ret_right = best == h->truth[row];
	return sharpness * (double)(logs[h->truth[row]] - logs[best]) - elementary_log(sum);
}

static double loss_at(const struct held *h, uint32_t labels, double sharpness)
{
	double loss = 0, best;
	bool right;
	for (uint32_t r = 0; r < h->count; r++)
		loss -= at_sharpness(h, r, labels, sharpness, &best, &right);
	return loss;
}

static void reliability_at(const struct held *h, uint32_t labels, double sharpness, double *ret_ece, double *ret_brier)
{
	struct reliability r = {0};
	for (uint32_t i = 0; i < h->count; i++) {
		double best;
		bool right;
		(void)at_sharpness(h, i, labels, sharpness, &best, &right); /* the loss is not wanted here */
		reliability_add(&r, best, right);
	}
	*ret_ece = reliability_ece(&r);
	*ret_brier = reliability_brier(&r);
}

/* The sharpness under which the held-out labels are likeliest. */
static void calibrate(struct work *w)
{
	double least = INFINITY, sharpness = LEAST_SHARPNESS;
	uint32_t labels = w->setup->label_count;
	for (int i = 0; i < SHARPNESS_STEPS; i++, sharpness *= SHARPNESS_STEP) {
		double loss = loss_at(&w->held, labels, sharpness);
		if (loss < least) {
			least = loss;
			w->report.sharpness = sharpness;
		}
	}
	reliability_at(&w->held, labels, 1, &w->report.ece[0], &w->report.brier[0]);
	reliability_at(&w->held, labels, w->report.sharpness, &w->report.ece[1], &w->report.brier[1]);
}

/* The score of scope: by its formula, or learned where there are texts of none enough; then the threshold. scope: for the weights. */
static void find_scope(struct work *w, float *scope)
{
	struct held *h = &w->held;
	uint32_t rows = h->count + h->none_count;
	bool *none = heap_zalloc((size_t)rows + 1, sizeof *none);
	struct scope *measured = scope_new();
	for (uint32_t i = h->count; i < rows; i++)
		none[i] = true;
	w->report.scope_learned = h->none_count >= TRAIN_NONE_FOR_SCOPE;
	if (w->report.scope_learned) {
		train_scope_cross(h->signals, none, rows, h->scores);
		train_scope_fit(h->signals, none, rows, scope);
	}
	for (uint32_t i = 0; i < rows; i++)
		scope_add(measured, (double)h->scores[i], none[i]);
	w->report.threshold = scope_threshold(measured, RETAINED);
	w->report.auroc = scope_auroc(measured);
	w->report.caught = scope_caught(measured, w->report.threshold);
	scope_free(measured);
	free(none);
}

static enum rc look_at_held_out(struct work *w, float *scope, struct err *err)
{
	const struct train_setup *setup = w->setup;
	struct held *h = &w->held;
	uint32_t parts = setup->row_count >= ROWS_FOR_ONE_PART ? 1 : PARTS, space, held = 0;
	for (uint32_t i = 0; i < setup->row_count; i++)
		held += w->part[i] < parts;
	if (held < LEAST_HELD_OUT)
		return RC_OK;
	held = held < MOST_HELD_OUT ? held : MOST_HELD_OUT;
	h->none_count = setup->none_count < MOST_HELD_OUT ? setup->none_count : MOST_HELD_OUT;
	space = MOST_HELD_OUT + h->none_count;
	h->logs = heap_zalloc((size_t)held * setup->label_count, sizeof *h->logs);
	h->truth = heap_zalloc(held, sizeof *h->truth);
	h->signals = heap_zalloc((size_t)space * CLASSIFIER_SIGNALS, sizeof *h->signals);
	h->scores = heap_zalloc(space, sizeof *h->scores);
	enum rc rc = hold_out(w, parts, err);
	if (rc != RC_OK)
		return rc;
	memmove(h->signals + (size_t)h->count * CLASSIFIER_SIGNALS, h->signals + (size_t)MOST_HELD_OUT * CLASSIFIER_SIGNALS,
	        (size_t)h->none_count * CLASSIFIER_SIGNALS * sizeof *h->signals);
	memmove(h->scores + h->count, h->scores + MOST_HELD_OUT, h->none_count * sizeof *h->scores);
	w->report.folds = parts;
	w->report.held_out = h->count;
	calibrate(w);
	find_scope(w, scope);
	return RC_OK;
}

/* ---- names ----------------------------------------------------------------------------------------------------------------------- */

static bool is_letter(char c)
{
	return (unsigned char)c >= 0x80 || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* "card_arrival", "cardArrival" -> "card arrival"; data NULL: it has no word of three letters. */
static struct str name_as_words(struct str name, struct arena *arena)
{
	struct buf out;
	uint32_t run = 0;
	bool worded = false;
	buf_init(&out, arena, name.len * 2 + 1);
	for (size_t i = 0; i < name.len; i++) {
		char c = name.data[i];
		bool letter = is_letter(c), capital = c >= 'A' && c <= 'Z', after_small = i != 0 && name.data[i - 1] >= 'a' && name.data[i - 1] <= 'z';
		if (capital && after_small)
			buf_char(&out, ' ');
		buf_char(&out, letter || (c >= '0' && c <= '9') ? c : ' ');
		run = letter ? run + 1 : 0;
		worded = worded || run >= 3;
	}
	return worded ? buf_view(&out) : STR_NULL;
}

/* A copy of the rows with the names behind them. */
static struct train_row *with_names(const struct train_setup *setup, struct arena *arena, uint32_t *ret_count)
{
	struct train_row *rows = heap_zalloc((size_t)setup->row_count + setup->label_count, sizeof *rows);
	uint32_t count = setup->row_count;
	memcpy(rows, setup->rows, setup->row_count * sizeof *rows);
	for (uint32_t i = 0; !setup->no_names && i < setup->label_count; i++) {
		struct str words = name_as_words(setup->labels[i], arena);
		if (words.data != NULL)
			rows[count++] = (struct train_row){words, i};
	}
	*ret_count = count;
	return rows;
}

/* ---- all of it ------------------------------------------------------------------------------------------------------------------- */

static enum rc learn(struct work *w, struct buf *ret_file, struct err *err)
{
	const struct train_setup *setup = w->setup;
	float scope[CLASSIFIER_SIGNALS + 1];
	train_matrix_read(&w->matrix, setup);
	w->report.places = w->matrix.place_count;
	enum rc rc = look_at_held_out(w, scope, err);
	if (rc != RC_OK)
		return rc;
	struct train_weights weights;
	struct train_settings settings = {w->report.sharpness, w->report.threshold, w->report.scope_learned ? scope : NULL};
	for (uint32_t i = 0; i < setup->row_count; i++)
		w->learned[i] = i;
	train_fit(&w->matrix, setup, w->learned, setup->row_count, w->report.epochs, w->report.folds / (w->report.folds + 1.0), 1, &weights);
	train_write(&w->matrix, &weights, setup, w->learned, setup->row_count, &settings, ret_file);
	train_weights_free(&weights);
	return RC_OK;
}

static void work_free(struct work *w)
{
	train_matrix_free(&w->matrix);
	free(w->part);
	free(w->learned);
	free(w->held.logs);
	free(w->held.truth);
	free(w->held.signals);
	free(w->held.scores);
}

enum rc train_classifier(const struct train_setup *setup, struct buf *ret_file, struct train_report *ret_report, struct err *err)
{
	if (setup->label_count < 2)
		return err_set(err, RC_BAD_INPUT, "the rows have %u label; a classifier tells at least two apart", setup->label_count);
	if (setup->label_count > CLASSIFIER_MAX_LABELS || setup->row_count > CLASSIFIER_MAX_EXAMPLES - CLASSIFIER_MAX_LABELS)
		return err_set(err, RC_BAD_INPUT, "at most %d labels and %d rows are learned", CLASSIFIER_MAX_LABELS,
		               CLASSIFIER_MAX_EXAMPLES - CLASSIFIER_MAX_LABELS);
	struct train_setup all = *setup;
	struct work w = {.setup = &all};
	struct arena arena;
	arena_init(&arena, 0);
	struct train_row *rows = with_names(setup, &arena, &all.row_count);
	all.rows = rows;
	w.report = (struct train_report){.sharpness = 1, .threshold = NO_THRESHOLD, .auroc = NAN, .names = all.row_count - setup->row_count};
	w.report.epochs = setup->row_count / setup->label_count <= FEW ? FEW_EPOCHS : EPOCHS;
	w.learned = heap_zalloc(all.row_count, sizeof *w.learned);
	deal(&w, setup->row_count);
	enum rc rc = learn(&w, ret_file, err);
	if (rc == RC_OK)
		*ret_report = w.report;
	work_free(&w);
	free(rows);
	arena_free(&arena);
	return rc;
}
