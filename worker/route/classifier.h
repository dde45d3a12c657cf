/*
 * classifier.h: a small trained classifier: multinomial logistic regression over features.h, joined with a vote of the nearest
 * training texts, and a score of how much a text is like anything it was trained on.
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
#define CLASSIFIER_FORMAT "pointsman-classifier-1"
/* What hashed and dense features are multiplied with. */
#define CLASSIFIER_HASHED_WEIGHT 2.0f
#define CLASSIFIER_DENSE_WEIGHT 4.0f

struct classifier;
struct classifier_scratch;

struct classified {
	uint32_t best, second; /* labels; the earlier of equals. second: best where there is one label */
	float confidence, second_confidence; /* probabilities */
	float in_scope; /* ln confidence + 4 * cosine to the nearest training text */
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

#endif
