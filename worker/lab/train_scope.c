/*
 * train_scope.c: learning which texts belong to none of the labels, from what the classifier's signals are on both kinds.
 *
 * The one idea: a dozen numbers and a few hundred rows are a problem for Newton's method: some ten exact steps, no rates to choose,
 * the same result each time. Both kinds count alike, however many rows they have.
 */
#include <math.h>
#include <stdlib.h>

#include "worker/lab/train_fit.h"
#include "worker/route/elementary.h"

enum { N = CLASSIFIER_SIGNALS + 1, STEPS = 15, FOLDS = 5 };
static const double RIDGE = 1e-2, DULL = 1e-6;

struct scaling {
	double mean[CLASSIFIER_SIGNALS], spread[CLASSIFIER_SIGNALS];
};

static bool is_left_out(uint32_t row, int fold)
{
	return fold >= 0 && row % FOLDS == (uint32_t)fold;
}

static void measure(const float *signals, uint32_t rows, struct scaling *s)
{
	*s = (struct scaling){0};
	for (uint32_t r = 0; r < rows; r++)
		for (int i = 0; i < CLASSIFIER_SIGNALS; i++)
			s->mean[i] += (double)signals[(size_t)r * CLASSIFIER_SIGNALS + (size_t)i] / rows;
	for (uint32_t r = 0; r < rows; r++)
		for (int i = 0; i < CLASSIFIER_SIGNALS; i++) {
			double d = (double)signals[(size_t)r * CLASSIFIER_SIGNALS + (size_t)i] - s->mean[i];
			s->spread[i] += d * d / rows;
		}
	for (int i = 0; i < CLASSIFIER_SIGNALS; i++)
		s->spread[i] = s->spread[i] > DULL ? sqrt(s->spread[i]) : 1;
}

static void scaled(const float *signals, const struct scaling *s, double *x)
{
	for (int i = 0; i < CLASSIFIER_SIGNALS; i++)
		x[i] = ((double)signals[i] - s->mean[i]) / s->spread[i];
	x[N - 1] = 1;
}

/* Solves a w = b for a symmetric, positive a by elimination; both are used up. */
static void solve(double a[N][N], double *b)
{
	for (int k = 0; k < N; k++)
		for (int i = k + 1; i < N; i++) {
			double f = a[i][k] / a[k][k];
			for (int j = k; j < N; j++)
				a[i][j] -= f * a[k][j];
			b[i] -= f * b[k];
		}
	for (int k = N - 1; k >= 0; k--) {
		for (int j = k + 1; j < N; j++)
			b[k] -= a[k][j] * b[j];
		b[k] /= a[k][k];
	}
}

/* Newton's steps over all rows but those of the fold (-1: none is left out); w over scaled signals. */
static void fit(const float *signals, const bool *none, uint32_t rows, int fold, const struct scaling *s, double *w)
{
	double count[2] = {0, 0};
	for (uint32_t r = 0; r < rows; r++)
		if (!is_left_out(r, fold))
			count[none[r]]++;
	memset(w, 0, N * sizeof *w);
	for (int step = 0; step < STEPS && count[0] > 0 && count[1] > 0; step++) {
		double hessian[N][N] = {{0}}, slope[N], x[N];
		for (int i = 0; i < N; i++) {
			slope[i] = -RIDGE * w[i];
			hessian[i][i] = RIDGE;
		}
		for (uint32_t r = 0; r < rows; r++) {
			if (is_left_out(r, fold))
				continue;
			double sum = 0, weight = .5 / count[none[r]];
			scaled(signals + (size_t)r * CLASSIFIER_SIGNALS, s, x);
			for (int i = 0; i < N; i++)
				sum += w[i] * x[i];
			double p = 1 / (1 + elementary_exp(-sum)), steep = weight * (p * (1 - p) + DULL);
			for (int i = 0; i < N; i++) {
				slope[i] += weight * ((none[r] ? 0 : 1) - p) * x[i];
				for (int j = 0; j < N; j++)
					hessian[i][j] += steep * x[i] * x[j];
			}
		}
		solve(hessian, slope);
		for (int i = 0; i < N; i++)
			w[i] += slope[i];
	}
}

void train_scope_fit(const float *signals, const bool *none, uint32_t rows, float *weights)
{
	struct scaling s;
	double w[N];
	measure(signals, rows, &s);
	fit(signals, none, rows, -1, &s, w);
	for (int i = 0; i < CLASSIFIER_SIGNALS; i++) {
		weights[i] = (float)(w[i] / s.spread[i]);
		w[N - 1] -= w[i] * s.mean[i] / s.spread[i];
	}
	weights[N - 1] = (float)w[N - 1];
}

void train_scope_cross(const float *signals, const bool *none, uint32_t rows, float *scores)
{
	struct scaling s;
	measure(signals, rows, &s);
	for (int fold = 0; fold < FOLDS; fold++) {
		double w[N], x[N];
		fit(signals, none, rows, fold, &s, w);
		for (uint32_t r = (uint32_t)fold; r < rows; r += FOLDS) {
			double sum = 0;
			scaled(signals + (size_t)r * CLASSIFIER_SIGNALS, &s, x);
			for (int i = 0; i < N; i++)
				sum += w[i] * x[i];
			scores[r] = (float)sum;
		}
	}
}
