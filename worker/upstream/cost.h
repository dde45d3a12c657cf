/*
 * cost.h: tokens and dollars. Pure. Thread: any.
 */
#ifndef UPSTREAM_COST_H
#define UPSTREAM_COST_H

#include <stdint.h>

#include "worker/job/settings.h"

/* Dollars for so many tokens; cached ones are part of the input and have their own price. Negative counts are 0. */
double cost_usd(const struct price *price, int64_t input, int64_t cached, int64_t output);
/* How many tokens a text probably is, for servers that do not say: 4 bytes each, rounded up. */
int64_t cost_tokens_estimate(size_t bytes);

#endif
