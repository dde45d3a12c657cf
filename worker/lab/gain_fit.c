/*
 * gain_fit.c: the features of all rows, and least squares over them.
 *
 * The one idea: conjugate gradients need a matrix only as "times a vector", so rows stay lists of what they hold, and some dozens of
 * passes over them solve what has a hundred thousand unknowns. All sums are in double and in the order of the rows.
 */
#include "worker/lab/gain_fit.h"

#include <math.h>
#include <stdlib.h>

#include "worker/route/elementary.h"

enum { MOST_STEPS = 60 };
static const double CLOSE = 1e-8; /* of the squared residual, against where it began */

static void count_places(struct gain_matrix *m, struct features *f, const struct str *texts, uint32_t count, uint32_t *number)
{
	uint32_t *rows_with = heap_zalloc(FEATURES_HASHED, sizeof *rows_with);
	for (uint32_t i = 0; i < count; i++) {
		features_read(f, NULL, texts[i]);
		for (uint32_t k = 0; k < f->count; k++)
			rows_with[f->items[k].at]++;
	}
	for (int32_t at = 0; at < FEATURES_HASHED; at++) {
		m->idf[at] = (float)(1 + elementary_log((1.0 + count) / (1.0 + rows_with[at])));
		if (rows_with[at] == 0)
			continue;
		number[at] = m->words.places;
		m->place[m->words.places++] = at;
	}
	m->unseen_idf = (float)(1 + elementary_log(1.0 + count));
	free(rows_with);
}

static void read_words(struct gain_matrix *m, const struct str *texts, uint32_t count, const struct static_model *model)
{
	struct features *f = features_new(model);
	struct gain_columns *x = &m->words;
	uint32_t *number = heap_zalloc(FEATURES_HASHED, sizeof *number);
	size_t total = 0, cap = 0;
	m->idf = heap_zalloc(FEATURES_HASHED, sizeof *m->idf);
	m->place = heap_zalloc(FEATURES_HASHED, sizeof *m->place);
	x->dim = static_model_dim(model);
	x->start = heap_zalloc((size_t)count + 1, sizeof *x->start);
	x->dense = heap_zalloc((size_t)count * x->dim, sizeof *x->dense);
	count_places(m, f, texts, count, number);
	for (uint32_t i = 0; i < count; i++) {
		features_read(f, m->idf, texts[i]);
		if (total + f->count > cap) {
			cap = (total + f->count) * 2;
			x->at = heap_resize(x->at, cap, sizeof *x->at);
			x->value = heap_resize(x->value, cap, sizeof *x->value);
		}
		for (uint32_t k = 0; k < f->count; k++) {
			x->at[total] = number[f->items[k].at];
			x->value[total++] = f->items[k].value;
		}
		x->start[i + 1] = (uint32_t)total;
		for (uint32_t d = 0; f->has_dense && d < x->dim; d++)
			x->dense[(size_t)i * x->dim + d] = f->dense[d];
	}
	free(number);
	features_free(f);
}

static void read_surface(struct gain_matrix *m, const struct str *texts, uint32_t count)
{
	struct gain_columns *x = &m->surface;
	x->dim = GAIN_SURFACE;
	x->dense = heap_zalloc((size_t)count * x->dim, sizeof *x->dense);
	for (uint32_t i = 0; i < count; i++)
		gain_surface(texts[i], x->dense + (size_t)i * x->dim);
	for (uint32_t d = 0; d < x->dim; d++) {
		double sum = 0, squares = 0;
		for (uint32_t i = 0; i < count; i++)
			sum += (double)x->dense[(size_t)i * x->dim + d] / count;
		for (uint32_t i = 0; i < count; i++) {
			double off = (double)x->dense[(size_t)i * x->dim + d] - sum;
			squares += off * off / count;
		}
		m->mean[d] = (float)sum;
		m->inverse[d] = squares > 1e-12 ? (float)(1 / sqrt(squares)) : 0;
		for (uint32_t i = 0; i < count; i++) {
			float *value = &x->dense[(size_t)i * x->dim + d];
			*value = (*value - m->mean[d]) * m->inverse[d];
		}
	}
}

void gain_matrix_read(struct gain_matrix *m, const struct str *texts, uint32_t count, const struct static_model *model)
{
	*m = (struct gain_matrix){.unseen_idf = 1};
	read_words(m, texts, count, model);
	read_surface(m, texts, count);
}

void gain_matrix_free(struct gain_matrix *m)
{
	free(m->words.start);
	free(m->words.at);
	free(m->words.value);
	free(m->words.dense);
	free(m->surface.dense);
	free(m->place);
	free(m->idf);
}

double gain_dot(const struct gain_columns *x, uint32_t row, const double *w)
{
	double sum = 0;
	for (uint32_t k = x->start != NULL ? x->start[row] : 0; x->start != NULL && k < x->start[row + 1]; k++)
		sum += (double)x->value[k] * w[x->at[k]];
	const float *dense = x->dense + (size_t)row * x->dim;
	for (uint32_t d = 0; d < x->dim; d++)
		sum += (double)dense[d] * w[x->places + d];
	return sum;
}

static void add_row(const struct gain_columns *x, uint32_t row, double times, double *w)
{
	for (uint32_t k = x->start != NULL ? x->start[row] : 0; x->start != NULL && k < x->start[row + 1]; k++)
		w[x->at[k]] += times * (double)x->value[k];
	const float *dense = x->dense + (size_t)row * x->dim;
	for (uint32_t d = 0; d < x->dim; d++)
		w[x->places + d] += times * (double)dense[d];
}

static double squares(const double *v, uint32_t count)
{
	double sum = 0;
	for (uint32_t i = 0; i < count; i++)
		sum += v[i] * v[i];
	return sum;
}

void gain_ridge(const struct gain_columns *x, const uint32_t *rows, uint32_t count, const double *y, double ridge, double *w)
{
	uint32_t width = x->places + x->dim;
	double *residual = heap_zalloc(width, sizeof *residual), *way = heap_zalloc(width, sizeof *way), *image = heap_zalloc(width, sizeof *image);
	for (uint32_t i = 0; i < count; i++)
		add_row(x, rows[i], y[rows[i]] - gain_dot(x, rows[i], w), residual);
	for (uint32_t d = 0; d < width; d++)
		way[d] = residual[d] -= ridge * w[d];
	double now = squares(residual, width), begun = now;
	for (int step = 0; step < MOST_STEPS && now > CLOSE * begun; step++) {
		double along = 0;
		for (uint32_t d = 0; d < width; d++)
			image[d] = ridge * way[d];
		for (uint32_t i = 0; i < count; i++)
			add_row(x, rows[i], gain_dot(x, rows[i], way), image);
		for (uint32_t d = 0; d < width; d++)
			along += way[d] * image[d];
		double length = now / along, before = now;
		for (uint32_t d = 0; d < width; d++) {
			w[d] += length * way[d];
			residual[d] -= length * image[d];
		}
		now = squares(residual, width);
		for (uint32_t d = 0; d < width; d++)
			way[d] = residual[d] + now / before * way[d];
	}
	free(residual);
	free(way);
	free(image);
}
