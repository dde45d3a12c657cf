/*
 * agreement.h: a judge's labels against people's: how often they agree, and how much of that is not chance.
 *
 * Thread: one at a time. Pure. Memory: names are copied into the arena given at the start.
 */
#ifndef LAB_AGREEMENT_H
#define LAB_AGREEMENT_H

#include "common/arena.h"
#include "worker/lab/stats.h"

enum { AGREEMENT_MAX_LABELS = 1000 };

struct agreement_label {
	struct str name;
	int64_t people, judge, both; /* rows that have it by people, by the judge (where it is known), by both */
	int64_t unknown;             /* of people's rows, those where the judge's label is unknown */
	struct share missed;         /* of people's rows with a known verdict, those that the judge called something else */
	struct share false_alarms;   /* of the judge's rows, those that people called something else */
};
struct agreement_figures {
	int64_t rows, unknown;
	struct share agreed;  /* of all rows: an unknown verdict agrees with nobody */
	struct share known;   /* of the rows with a known verdict, those that agree */
	double kappa, kappa_low, kappa_high; /* Cohen's, of the known rows, with its 95 % interval (Fleiss, Cohen, Everitt 1969);
	                                        NAN where chance alone would agree always */
};

struct agreement;
struct agreement *agreement_new(struct arena *arena);
void agreement_free(struct agreement *a); /* NULL is fine */
/* First all of people's labels: they are what a verdict can be. false: there are too many. */
bool agreement_learn(struct agreement *a, struct str people);
/* Then the rows. A verdict that is none of those labels, cut off, empty or absent (data NULL) is unknown. */
void agreement_add(struct agreement *a, struct str people, struct str judge);

struct agreement_figures agreement_figures(const struct agreement *a);
uint32_t agreement_labels(const struct agreement *a);
struct agreement_label agreement_label(const struct agreement *a, uint32_t index); /* in the order of their names */
int64_t agreement_cell(const struct agreement *a, uint32_t people, uint32_t judge);

#endif
