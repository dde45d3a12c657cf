/*
 * gain_measure.h: how well scores tell which texts need the strong model.
 *
 * Performance gap recovered (Ong et al. 2024, "RouteLLM"): what share of the quality between the weak model's and the strong one's is
 * had when the texts of the highest scores, a share x of all, go to the strong model. Its mean over x from 0 to 1 is the APGR: 0.5 is
 * what chance gives; over the best possible order it is well under 1 where both models mostly agree.
 *
 * Thread: any. Pure.
 */
#ifndef LAB_GAIN_MEASURE_H
#define LAB_GAIN_MEASURE_H

#include <stdint.h>

#include "worker/lab/curve.h"

struct gain_outcome {
	double score;        /* higher: rather to the strong model */
	double weak, strong; /* quality, at best 1 */
	double weak_usd, strong_usd; /* NAN: not known */
};
struct gain_measure {
	int64_t rows;
	double weak, strong;    /* mean quality */
	double apgr, low, high; /* with the 95 % interval of 400 resamplings; NAN: the strong model is not better */
};

struct gain_measure gain_measure(const struct gain_outcome *outcomes, uint32_t count);

/* As rows of a curve, for thresholds by share of the strong model (CURVE_SHARE) or by quality kept (CURVE_QUALITY): taken is sent to
 * the strong model, and error is what is missing to the quality 1. Costs that are not known are 0. */
void gain_curve_rows(const struct gain_outcome *outcomes, uint32_t count, struct curve_row *ret);
/* The goal of keeping that share of the strong model's mean quality. */
struct curve_goal gain_quality_goal(const struct gain_outcome *outcomes, uint32_t count, double share);
/* The point that sends at most that share of the rows to the strong model: the last such. */
uint32_t gain_share_point(const struct curve *curve, double share);

#endif
