/*
 * features.h: what the classifier reads of a text: hashed words and pairs of words, hashed pieces of 3 to 5 characters, and the static
 * model's vector.
 *
 * Both hashed groups are weighted by (1 + ln count) * idf and made one long; the hashing trick is that of Weinberger et al. 2009.
 *
 * Thread: a `struct features` belongs to one thread and is used again for each text; it allocates nothing after features_new.
 */
#ifndef ROUTE_FEATURES_H
#define ROUTE_FEATURES_H

#include "worker/route/static_model.h"

enum {
	FEATURES_GROUP = 1 << 16,        /* places of each hashed group */
	FEATURES_HASHED = 2 * FEATURES_GROUP,
	FEATURES_MAX_BYTES = 6000,       /* of a text that are read */
	FEATURES_VERSION = 1,            /* raised when the same text may get other features */
};

struct feature {
	uint32_t at; /* words below FEATURES_GROUP, characters above */
	float value;
};

struct features {
	struct feature *items; /* each place once, in the order of first sight */
	uint32_t count;
	float *dense; /* static_model_dim of them */
	bool has_dense;
	struct features_work *work;
};

struct features *features_new(const struct static_model *model);
void features_free(struct features *f); /* NULL is fine */

/* idf: FEATURES_HASHED weights, or NULL: all 1. */
void features_read(struct features *f, const float *idf, struct str text);

#endif
