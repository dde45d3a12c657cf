/*
 * prices.c: routes by what their first model costs. A topic counts as dearest: its readers are mostly people.
 */
#include "worker/cli/prices.h"

#include <math.h>

#include "worker/upstream/upstream.h"

enum { MILLION = 1000000 };

double *prices_of_routes(const struct settings *settings, const struct policy *policy, struct arena *arena)
{
	uint32_t count = policy_route_count(policy);
	double *prices = arena_array(arena, count, sizeof *prices);
	for (uint32_t i = 0; i < count; i++) {
		const struct route *route = policy_route(policy, i);
		prices[i] = route->model_count != 0 ? upstream_price(&settings->models[route->models[0]], MILLION, 0, MILLION) : (double)INFINITY;
	}
	return prices;
}
