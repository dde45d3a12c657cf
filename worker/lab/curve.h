/*
 * curve.h: from scores and what came of them to a threshold: what each threshold would do, and the one for a goal.
 *
 * A row is taken where its score reaches the threshold, else left: decided by a stage or passed on, sent to the strong model or to
 * the weak one. Several curves (one a route, say) can be chosen from together for one goal: the one that errs least for the next row
 * goes first (the fractional knapsack's order over the convex hulls, then what still fits), so one curve alone is chosen exactly.
 *
 * Thread: any. Pure. Memory: the arena given. The same rows in the same order give the same bits.
 */
#ifndef LAB_CURVE_H
#define LAB_CURVE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/arena.h"

struct curve_row {
	double score;                   /* finite */
	double error_taken, error_left; /* 0: right, 1: wrong; between: a loss of quality */
	double cost_taken, cost_left;
};
struct curve_point {
	double threshold; /* between two scores, with as few digits as tell them apart; the first one's may lie above 1 */
	int64_t taken;
	double errors_taken; /* of those taken */
	double errors, cost; /* of all, taken or left */
};
struct curve {
	struct curve_point *points; /* one for each score that occurs; the first takes none, the last all */
	uint32_t count;
	int64_t rows;
};

struct curve curve_make(const struct curve_row *rows, uint32_t count, struct arena *arena);
/* At most `most` points, evenly over the rows taken, ends included: for reports. */
struct curve curve_thin(const struct curve *curve, uint32_t most, struct arena *arena);

enum curve_goal_kind {
	CURVE_MISROUTE, /* errors_taken at most value * taken; take the most */
	CURVE_SHARE,    /* take at least value * rows; err the least */
	CURVE_QUALITY,  /* errors at most value * rows; take the least */
	CURVE_SLOPE,    /* take while the next rows err at most at this rate */
	CURVE_COST      /* the least cost; value does not matter */
};
struct curve_goal {
	enum curve_goal_kind kind;
	double value;
};
/* chosen[i]: a point of curves[i]. false: the goal is out of reach, and chosen is what comes nearest. */
bool curve_choose(const struct curve *curves, uint32_t count, struct curve_goal goal, uint32_t *chosen);

/* A threshold with low < it <= high, near their middle, with the fewest decimals (2 or more). */
double curve_between(double low, double high);
/* The rows without any error that show, at 95 % (Wilson), that no more than share of them err. */
int64_t curve_needs(double share);

#endif
