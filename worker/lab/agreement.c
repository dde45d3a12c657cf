/*
 * agreement.c: counting pairs of labels.
 *
 * The one idea: a verdict is one of the labels that people used, or it is unknown; nothing is guessed from a verdict that is nearly
 * one. What is unknown is left out of kappa and counts against the agreement.
 */
#include "worker/lab/agreement.h"

#include <math.h>
#include <stdlib.h>

static const double z95 = 1.959963984540054;

struct agreement {
	struct arena *arena;
	struct str *names; /* sorted */
	uint32_t count;
	int64_t *cells; /* count * count; NULL until the first row */
	int64_t *unknown; /* by people's label */
	int64_t rows;
};

struct agreement *agreement_new(struct arena *arena)
{
	struct agreement *a = heap_zalloc(1, sizeof *a);
	a->arena = arena;
	a->names = heap_zalloc(AGREEMENT_MAX_LABELS, sizeof *a->names);
	return a;
}

void agreement_free(struct agreement *a)
{
	if (a == NULL)
		return;
	free(a->names);
	free(a->cells);
	free(a->unknown);
	free(a);
}

/* Where the name stands, or would. */
static uint32_t place(const struct agreement *a, struct str name, bool *ret_there)
{
	uint32_t low = 0, high = a->count;
	while (low < high) {
		uint32_t middle = (low + high) / 2;
		if (str_cmp(a->names[middle], name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	*ret_there = low < a->count && str_eq(a->names[low], name);
	return low;
}

bool agreement_learn(struct agreement *a, struct str people)
{
	bool there;
	uint32_t at = place(a, people, &there);
	if (there)
		return true;
	if (a->count == AGREEMENT_MAX_LABELS)
		return false;
	memmove(&a->names[at + 1], &a->names[at], (a->count - at) * sizeof *a->names);
	a->names[at] = arena_str(a->arena, people);
	a->count++;
	return true;
}

void agreement_add(struct agreement *a, struct str people, struct str judge)
{
	bool known, by_judge = false;
	if (a->cells == NULL) {
		a->cells = heap_zalloc((size_t)a->count * a->count, sizeof *a->cells);
		a->unknown = heap_zalloc(a->count, sizeof *a->unknown);
	}
	uint32_t row = place(a, people, &known), column = judge.data != NULL ? place(a, judge, &by_judge) : 0;
	if (!known)
		return; /* was not learned: the caller's mistake, and no row */
	a->rows++;
	if (by_judge)
		a->cells[(size_t)row * a->count + column]++;
	else
		a->unknown[row]++;
}

uint32_t agreement_labels(const struct agreement *a) { return a->count; }

int64_t agreement_cell(const struct agreement *a, uint32_t people, uint32_t judge)
{
	return a->cells != NULL ? a->cells[(size_t)people * a->count + judge] : 0;
}

struct agreement_label agreement_label(const struct agreement *a, uint32_t index)
{
	struct agreement_label l = {.name = a->names[index], .both = agreement_cell(a, index, index)};
	int64_t known = 0;
	for (uint32_t i = 0; i < a->count; i++) {
		known += agreement_cell(a, index, i);
		l.judge += agreement_cell(a, i, index);
	}
	l.unknown = a->unknown != NULL ? a->unknown[index] : 0;
	l.people = known + l.unknown;
	l.missed = share_of(known - l.both, known);
	l.false_alarms = share_of(l.judge - l.both, l.judge);
	return l;
}

/* The standard error of kappa by equation 13 of Fleiss, Cohen and Everitt, "Large sample standard errors of kappa and weighted kappa",
 * Psychological Bulletin 72 (1969). p, q: people's and the judge's shares by label. */
static double kappa_error(const struct agreement *a, double n, const double *p, const double *q, double chance, double kappa)
{
	double diagonal = 0, rest = 0, bias = kappa - chance * (1 - kappa);
	for (uint32_t i = 0; i < a->count; i++)
		for (uint32_t k = 0; k < a->count; k++) {
			double cell = (double)agreement_cell(a, i, k) / n;
			double weight = i == k ? 1 - (p[i] + q[i]) * (1 - kappa) : (1 - kappa) * (q[i] + p[k]);
			if (i == k)
				diagonal += cell * weight * weight;
			else
				rest += cell * weight * weight;
		}
	double variance = (diagonal + rest - bias * bias) / (n * (1 - chance) * (1 - chance));
	return variance > 0 ? sqrt(variance) : 0;
}

static void find_kappa(const struct agreement *a, struct agreement_figures *f)
{
	double n = (double)f->known.rows, chance = 0;
	double *p = heap_zalloc((size_t)a->count * 2 + 1, sizeof *p), *q = p + a->count;
	f->kappa = f->kappa_low = f->kappa_high = NAN;
	for (uint32_t i = 0; i < a->count && n > 0; i++) {
		struct agreement_label l = agreement_label(a, i);
		p[i] = (double)(l.people - l.unknown) / n;
		q[i] = (double)l.judge / n;
		chance += p[i] * q[i];
	}
	if (n > 0 && chance < 1) {
		f->kappa = (f->known.share - chance) / (1 - chance);
		double half = z95 * kappa_error(a, n, p, q, chance, f->kappa);
		f->kappa_low = f->kappa - half;
		f->kappa_high = f->kappa + half < 1 ? f->kappa + half : 1;
	}
	free(p);
}

struct agreement_figures agreement_figures(const struct agreement *a)
{
	struct agreement_figures f = {.rows = a->rows};
	int64_t agreed = 0;
	for (uint32_t i = 0; i < a->count; i++) {
		agreed += agreement_cell(a, i, i);
		f.unknown += a->unknown != NULL ? a->unknown[i] : 0;
	}
	f.agreed = share_of(agreed, f.rows);
	f.known = share_of(agreed, f.rows - f.unknown);
	find_kappa(a, &f);
	return f;
}
