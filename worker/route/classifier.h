/*
 * classifier.h: a small trained classifier: multinomial logistic regression over features.h, joined with what the nearest
 * training texts and the middles of the labels' texts say, and a score of how much a text is like anything it was trained on.
 *
 * A model is one file of the safetensors format, written by `pointsman train`. The same file gives the same scores, to the bit,
 * on every machine.
 *
 * Thread: a `struct classifier` is read-only after it was opened; a scratch belongs to one thread. Nothing is allocated per text.
 */
#ifndef ROUTE_CLASSIFIER_H
#define ROUTE_CLASSIFIER_H

#include "worker/route/features.h"

enum { CLASSIFIER_MAX_LABELS = 1000, CLASSIFIER_MAX_EXAMPLES = 1000000, CLASSIFIER_LANES = 8, CLASSIFIER_NEAREST = 10, CLASSIFIER_MAX_BYTES = 1 << 30 };
#define CLASSIFIER_FORMAT "pointsman-classifier-3"
/* What hashed and dense features are multiplied with. */
#define CLASSIFIER_HASHED_WEIGHT 2.0f
#define CLASSIFIER_DENSE_WEIGHT 4.0f

/* What each of the three says counts; cosines to middles and to texts are sharpened like this. */
#define CLASSIFIER_WEIGHTS_SHARE 0.7f
#define CLASSIFIER_MIDDLES_SHARE 0.15f
#define CLASSIFIER_NEAREST_SHARE 0.15f
#define CLASSIFIER_MIDDLES_SHARPNESS 14
#define CLASSIFIER_NEAREST_SHARPNESS 15

/* What tells texts of the labels from others; of probabilities before they are calibrated. */
enum classifier_signal {
	SIGNAL_LOG_BEST,     /* ln of the best label's probability */
	SIGNAL_LOG_MARGIN,   /* less ln of the second's */
	SIGNAL_ENTROPY,
	SIGNAL_ENERGY,       /* ln of the sum of e to the scores (Liu et al. 2020) */
	SIGNAL_NEAREST,      /* cosine to the nearest text */
	SIGNAL_NEAREST_3,    /* mean of the best three */
	SIGNAL_RATIO,        /* distance to the best label's nearest text over that to another label's */
	SIGNAL_MIDDLE,       /* cosine to the nearest middle */
	SIGNAL_MIDDLE_LEAD,  /* less the next one's */
	SIGNAL_BEST_NEAREST, /* cosine to the best label's nearest text */
	SIGNAL_COVERAGE,     /* share of the hashed features that the training has seen, by weight */
	SIGNAL_LENGTH,       /* ln of their number */
	CLASSIFIER_SIGNALS
};

struct classifier;
struct classifier_scratch;

struct classified {
	uint32_t best, second; /* labels; the earlier of equals. second: best where there is one label */
	float confidence, second_confidence; /* probabilities */
	float in_scope; /* by the signals, where the training had texts of no label; else by a formula of four of them */
	bool known;     /* in_scope reaches the model's threshold */
};

/* file must outlive the result, which lives in the arena. RC_BAD_INPUT with the reason. */
enum rc classifier_open(struct str file, const struct static_model *model, struct arena *arena, struct classifier **ret, struct err *err);
uint32_t classifier_label_count(const struct classifier *c);
struct str classifier_label(const struct classifier *c, uint32_t label);
struct str classifier_version(const struct classifier *c); /* hex, short */
float classifier_threshold(const struct classifier *c);    /* of in_scope */

struct classifier_scratch *classifier_scratch_new(const struct classifier *c);
void classifier_scratch_free(struct classifier_scratch *s); /* NULL is fine */
void classifier_run(const struct classifier *c, struct classifier_scratch *s, struct str text, struct classified *ret);
/* Whether the last text is one that it was trained on, or has the very same dense features. Slow; for calibration. */
bool classifier_knows(const struct classifier *c, const struct classifier_scratch *s);
/* The probabilities of all labels in the last run. */
const float *classifier_probabilities(const struct classifier_scratch *s);
/* CLASSIFIER_SIGNALS numbers of the last run, by enum classifier_signal. */
const float *classifier_signals(const struct classifier_scratch *s);
/* Takes center off a vector of dim floats, and makes it a unit one; false: nothing is left of it. */
bool classifier_center(float *vector, const float *center, uint32_t dim);

#endif
