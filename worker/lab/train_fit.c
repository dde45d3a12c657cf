/*
 * train_fit.c: features of all rows, and stochastic descent over them.
 *
 * The one idea: a weight row (one number a label) belongs to each feature, so a step over a row is a few sweeps over short arrays,
 * which the compiler vectorises, and a label's number never meets another's but in the softmax.
 */
#include "worker/lab/train_fit.h"

#include <math.h>
#include <stdlib.h>

#include "worker/route/elementary.h"
#include "worker/route/kernels.h"

static const float RATE = 0.05f, DECAY = 1e-6f;
/* Of each row a step sees about half of the hashed features, counted double: no label leans on one word alone, which a few texts
 * would otherwise teach (dropout; why it acts as a regulariser: Wager, Wang, Liang 2013). */
static const float KEPT_FACTOR = 2;
enum { COINS = 32 /* of one draw */ };

/* The hashed features of a row that a step sees. */
struct seen {
	uint32_t *at;
	float *value;
	uint32_t count;
};

static void count_places(struct features *f, const struct train_setup *setup, uint32_t *rows_with)
{
	for (uint32_t i = 0; i < setup->row_count; i++) {
		features_read(f, NULL, setup->rows[i].text);
		for (uint32_t k = 0; k < f->count; k++)
			rows_with[f->items[k].at]++;
	}
}

/* Vectors of texts have much in common, which tells nothing apart: their mean is taken off each. A text without a vector has none then. */
static void center(struct train_matrix *m, uint32_t rows)
{
	double *sum = heap_zalloc(m->dim, sizeof *sum);
	for (uint32_t i = 0; i < rows; i++)
		for (uint32_t d = 0; d < m->dim; d++)
			sum[d] += (double)m->dense[(size_t)i * m->dim + d];
	m->center = heap_zalloc(m->dim, sizeof *m->center);
	for (uint32_t d = 0; d < m->dim; d++)
		m->center[d] = (float)(sum[d] / rows);
	for (uint32_t i = 0; i < rows; i++) {
		float *vector = m->dense + (size_t)i * m->dim;
		bool empty = true;
		for (uint32_t d = 0; d < m->dim; d++)
			empty = empty && vector[d] == 0;
		if (empty || !classifier_center(vector, m->center, m->dim))
			memset(vector, 0, m->dim * sizeof *vector);
	}
	free(sum);
}

void train_matrix_read(struct train_matrix *m, const struct train_setup *setup)
{
	struct features *f = features_new(setup->model);
	uint32_t *rows_with = heap_zalloc(FEATURES_HASHED, sizeof *rows_with), *number = heap_zalloc(FEATURES_HASHED, sizeof *number);
	size_t total = 0, cap = 0;
	*m = (struct train_matrix){.dim = static_model_dim(setup->model)};
	m->idf = heap_zalloc(FEATURES_HASHED, sizeof *m->idf);
	m->place = heap_zalloc(FEATURES_HASHED, sizeof *m->place);
	m->start = heap_zalloc((size_t)setup->row_count + 1, sizeof *m->start);
	m->dense = heap_zalloc((size_t)setup->row_count * m->dim, sizeof *m->dense);
	count_places(f, setup, rows_with);
	for (int32_t at = 0; at < FEATURES_HASHED; at++) {
		m->idf[at] = (float)(1 + elementary_log((1.0 + setup->row_count) / (1.0 + rows_with[at])));
		if (rows_with[at] == 0)
			continue;
		number[at] = m->place_count;
		m->place[m->place_count++] = at;
	}
	m->unseen_idf = (float)(1 + elementary_log(1.0 + setup->row_count));
	for (uint32_t i = 0; i < setup->row_count; i++) {
		features_read(f, m->idf, setup->rows[i].text);
		if (total + f->count > cap) {
			cap = (total + f->count) * 2;
			m->at = heap_resize(m->at, cap, sizeof *m->at);
			m->value = heap_resize(m->value, cap, sizeof *m->value);
		}
		for (uint32_t k = 0; k < f->count; k++) {
			m->at[total] = number[f->items[k].at];
			m->value[total++] = CLASSIFIER_HASHED_WEIGHT * f->items[k].value;
		}
		m->start[i + 1] = (uint32_t)total;
		memcpy(m->dense + (size_t)i * m->dim, f->dense, m->dim * sizeof *f->dense);
	}
	center(m, setup->row_count);
	free(rows_with);
	free(number);
	features_free(f);
}

void train_matrix_free(struct train_matrix *m)
{
	free(m->start);
	free(m->at);
	free(m->value);
	free(m->dense);
	free(m->center);
	free(m->place);
	free(m->idf);
}

void train_weights_free(struct train_weights *w)
{
	free(w->values);
	free(w->squares);
}

static void score_row(const struct train_matrix *m, const struct train_weights *w, uint32_t row, const struct seen *seen, float *scores)
{
	const float *dense = m->dense + (size_t)row * m->dim;
	memcpy(scores, w->values + (size_t)(w->rows - 1) * w->width, w->width * sizeof *scores);
	for (uint32_t k = 0; k < seen->count; k++)
		kernels_add_floats(scores, w->values + (size_t)seen->at[k] * w->width, seen->value[k], w->width);
	for (uint32_t d = 0; d < m->dim; d++)
		kernels_add_floats(scores, w->values + (size_t)(m->place_count + d) * w->width, CLASSIFIER_DENSE_WEIGHT * dense[d], w->width);
}

/* A step for a feature of that value. error: probability less truth, by label. */
static void step(struct train_weights *w, uint32_t at, float value, const float *error)
{
	kernels_adagrad(w->values + (size_t)at * w->width, w->squares + (size_t)at * w->width, error, (struct kernels_step){value, RATE, DECAY}, w->width);
}

static void to_error(float *scores, uint32_t labels, uint32_t width, uint32_t truth)
{
	float most = scores[0], sum = 0;
	for (uint32_t i = 1; i < labels; i++)
		most = scores[i] > most ? scores[i] : most;
	for (uint32_t i = 0; i < labels; i++) {
		scores[i] = (float)elementary_exp((double)(scores[i] - most));
		sum += scores[i];
	}
	for (uint32_t i = 0; i < labels; i++)
		scores[i] /= sum;
	scores[truth] -= 1;
	for (uint32_t i = labels; i < width; i++)
		scores[i] = 0;
}

/* xorshift64* (Vigna 2016). */
static uint64_t draw(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * UINT64_C(2685821657736338717);
}

static void shuffle(uint32_t *rows, uint32_t count, uint64_t *state)
{
	for (uint32_t i = count; i > 1; i--) {
		uint32_t at = (uint32_t)((draw(state) >> 32) * i >> 32), kept = rows[i - 1];
		rows[i - 1] = rows[at];
		rows[at] = kept;
	}
}

static void see(const struct train_matrix *m, uint32_t row, uint64_t *state, struct seen *seen)
{
	uint64_t coins = 0;
	seen->count = 0;
	for (uint32_t k = m->start[row], left = 0; k < m->start[row + 1]; k++, left--, coins >>= 1) {
		if (left == 0) {
			coins = draw(state) >> COINS;
			left = COINS;
		}
		if ((coins & 1) == 0)
			continue;
		seen->at[seen->count] = m->at[k];
		seen->value[seen->count++] = KEPT_FACTOR * m->value[k];
	}
}

static uint32_t longest_row(const struct train_matrix *m, const uint32_t *rows, uint32_t count)
{
	uint32_t most = 0;
	for (uint32_t i = 0; i < count; i++) {
		uint32_t length = m->start[rows[i] + 1] - m->start[rows[i]];
		most = length > most ? length : most;
	}
	return most;
}

/* A step over one row. */
static void learn_row(const struct train_matrix *m, struct train_weights *w, uint32_t row, const struct seen *seen, const float *error)
{
	const float *dense = m->dense + (size_t)row * m->dim;
	for (uint32_t k = 0; k < seen->count; k++)
		step(w, seen->at[k], seen->value[k], error);
	for (uint32_t d = 0; d < m->dim; d++)
		step(w, m->place_count + d, CLASSIFIER_DENSE_WEIGHT * dense[d], error);
	step(w, w->rows - 1, 1, error);
}

void train_fit(const struct train_matrix *m, const struct train_setup *setup, const uint32_t *rows, uint32_t count, uint32_t epochs,
               double share_from, double share_to, struct train_weights *ret)
{
	uint32_t width = (setup->label_count + CLASSIFIER_LANES - 1) / CLASSIFIER_LANES * CLASSIFIER_LANES;
	struct train_weights w = {.width = width, .rows = m->place_count + m->dim + 1};
	uint32_t *order = heap_zalloc(count, sizeof *order);
	float *error = heap_zalloc(width, sizeof *error);
	uint32_t longest = longest_row(m, rows, count);
	struct seen seen = {.at = heap_zalloc((size_t)longest + 1, sizeof *seen.at), .value = heap_zalloc((size_t)longest + 1, sizeof *seen.value)};
	uint64_t state = setup->seed * 2 + 1;
	w.values = heap_zalloc((size_t)w.rows * width, sizeof *w.values);
	w.squares = heap_zalloc((size_t)w.rows * width, sizeof *w.squares);
	memcpy(order, rows, count * sizeof *order);
	for (uint32_t epoch = 0; epoch < epochs; epoch++) {
		shuffle(order, count, &state);
		for (uint32_t i = 0; i < count; i++) {
			uint32_t row = order[i];
			see(m, row, &state, &seen);
			score_row(m, &w, row, &seen, error);
			to_error(error, setup->label_count, width, setup->rows[row].label);
			learn_row(m, &w, row, &seen, error);
		}
		if (setup->progress != NULL)
			setup->progress(setup->ctx, share_from + (share_to - share_from) * (epoch + 1) / epochs);
	}
	free(order);
	free(error);
	free(seen.at);
	free(seen.value);
	*ret = w;
}
