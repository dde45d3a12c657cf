/*
 * prices.h: how dear each route of a policy is, so that reports tell capacity wasted from quality put at risk. Thread: main.
 */
#ifndef CLI_PRICES_H
#define CLI_PRICES_H

#include "worker/route/route.h"

/* By route, in arena: what a million tokens each way cost with its first model; INFINITY for a topic, where people or others answer. */
double *prices_of_routes(const struct settings *settings, const struct policy *policy, struct arena *arena);

#endif
