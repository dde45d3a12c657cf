/*
 * eval.h: how well a policy decides: figures over rows of (label, decision).
 *
 * A row is right when it goes to the route of its label; a row that belongs to none of the routes, when it ends where unsure ones
 * go. Everything but times and costs is exact counting, in one pass.
 *
 * Thread: one at a time. Pure: no I/O, no clock.
 */
#ifndef LAB_EVAL_H
#define LAB_EVAL_H

#include "common/arena.h"
#include "worker/job/job.h"
#include "worker/lab/stats.h"

enum { EVAL_NONE = -1, EVAL_MAX_STAGES = 16, EVAL_MAX_SLICED = 64, EVAL_MAX_VALUES = 50 };

struct eval_setup {
	uint32_t routes;
	int when_unsure;           /* route */
	const double *costs;       /* (routes + 1) x routes, of sending a true row to column, the last row for none; NAN: not given. NULL: none are */
	const double *prices;      /* by route, to tell wasted capacity from risk; INFINITY: people. NULL: not told apart */
	const struct str *slices;  /* names to slice by; count 0: all there are */
	uint32_t slice_count;
};
struct eval_row {
	int label; /* route, or EVAL_NONE */
	int route;
	bool unsure;
	int stage; /* -1: none decided */
	const char *const *stages; /* reached, in order */
	const uint8_t *verdicts;   /* enum verdict */
	uint32_t stage_count;
	uint32_t nanos;
	const struct attribute *slices; /* name and value */
	uint32_t slice_count;
};
struct eval_summary {
	int64_t rows, right;
	double accuracy, macro_f1;   /* macro: mean over the routes that have rows; NAN without any */
	struct share misroutes, unsure;
	struct share out_of_scope;   /* of the rows for none of the routes, those that ended where unsure ones go */
	struct share kept;           /* of the others, those that some stage was sure of */
	double cost, unpriced;       /* of wrong rows; how many of them have no price. NAN: no costs are given */
	/* Wrong rows apart, never netted: wasted are those that went to a dearer route than their own, a risk all others. */
	int64_t wasted, risky;
	double cost_wasted, cost_risky;
};
struct eval_class { /* NAN: undefined */
	int64_t support, taken, right;
	double precision, recall, f1;
};
struct eval_stage {
	const char *name;
	int64_t reached, failed, asked;
	struct share decided; /* of all rows */
	struct share right;   /* of those it decided */
};
/* A class of 5 rows or more that goes wrong more often than not, at 95 %. */
struct eval_consistent {
	int label;
	uint32_t route; /* where most of them went wrongly */
	int64_t rows;   /* that went there */
	struct share wrong;
};
struct eval_slice {
	struct str name, value;
	struct eval_summary summary;
	int worst; /* the route (of 5 rows or more) whose rows fare worst; EVAL_NONE: none is wrong */
	struct share worst_right;
	bool consistent; /* the worst goes wrong more often than not, at 95 % */
};

struct eval;
struct eval *eval_new(const struct eval_setup *setup); /* copies */
void eval_free(struct eval *e);                        /* NULL is fine */
void eval_add(struct eval *e, const struct eval_row *row);

bool eval_is_right(const struct eval_setup *setup, int label, int route);
struct eval_summary eval_summary(const struct eval *e);
struct eval_class eval_class(const struct eval *e, uint32_t route);
int64_t eval_cell(const struct eval *e, int label, uint32_t route); /* confusion: rows of label that went to route */
uint32_t eval_stages(const struct eval *e);
struct eval_stage eval_stage(const struct eval *e, uint32_t index);
double eval_micros(struct eval *e, double quantile); /* of decision times; NAN without rows */
/* Fills at most `most`, the worst first; returns how many. */
uint32_t eval_consistent(const struct eval *e, struct eval_consistent *ret, uint32_t most);
/* Values with at least min_rows; first those with a class that is consistently wrong, then by misroutes. In arena; texts live as long as e. */
struct eval_slice *eval_slices(const struct eval *e, int64_t min_rows, struct arena *arena, uint32_t *ret_count);

#endif
