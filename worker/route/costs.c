/*
 * costs.c: the table of what errors cost.
 *
 * The one idea: a pair that is named twice, misspelt or right is a mistake of the file, because a cost that is silently not counted
 * is worse than none.
 */
#include "worker/route/costs.h"

#include <math.h>

static const char *route_name(const void *ctx, unsigned i)
{
	return policy_route(ctx, i)->name.data; /* ends with a NUL */
}

static int find(const struct policy *policy, struct str name)
{
	for (uint32_t i = 0; i < policy_route_count(policy); i++)
		if (str_eq(policy_route(policy, i)->name, name))
			return (int)i;
	return -1;
}

static enum rc unknown(const struct node *at, const struct policy *policy, struct str name, struct err *err)
{
	const char *near = config_suggest(name, route_name, policy, policy_route_count(policy));
	if (near == NULL)
		return config_error(at, err, "\"%.*s\" is no route of the policy", STR_ARG(name));
	return config_error(at, err, "\"%.*s\" is no route of the policy; did you mean \"%s\"?", STR_ARG(name), near);
}

static enum rc add(const struct node *key, double amount, const struct policy *policy, double *costs, struct err *err)
{
	struct str pair = key->scalar;
	size_t arrow = 0;
	while (arrow + 1 < pair.len && memcmp(pair.data + arrow, "->", 2) != 0)
		arrow++;
	if (arrow + 1 >= pair.len)
		return config_error(key, err, "a pair is expected, such as careful->quick, or default");
	struct str from = str_trim((struct str){pair.data, arrow}), to = str_trim((struct str){pair.data + arrow + 2, pair.len - arrow - 2});
	uint32_t routes = policy_route_count(policy);
	int row = str_is(from, "oos") ? (int)routes : find(policy, from), column = find(policy, to);
	if (row < 0 || column < 0)
		return unknown(key, policy, row < 0 ? from : to, err);
	if (row == column)
		return config_error(key, err, "what goes where it belongs costs nothing");
	double *cell = &costs[(size_t)row * routes + (size_t)column];
	if (!isnan(*cell))
		return config_error(key, err, "the pair %.*s->%.*s has a cost already", STR_ARG(from), STR_ARG(to));
	*cell = amount;
	return RC_OK;
}

static enum rc amount_of(const struct node *node, double *ret, struct err *err)
{
	if (node->kind != NODE_SCALAR || !str_to_double(node->scalar, ret) || !isfinite(*ret) || *ret < 0)
		return config_error(node, err, "an amount of 0 or more is expected");
	return RC_OK;
}

enum rc costs_read(const struct policy *policy, const struct node *map, struct arena *arena, double **ret, struct err *err)
{
	if (map->kind != NODE_MAP)
		return config_error(map, err, "pairs of routes with amounts are expected: costs: {careful->quick: 25.00}");
	size_t cells = ((size_t)policy_route_count(policy) + 1) * policy_route_count(policy);
	double rest = NAN, *costs = arena_array(arena, cells, sizeof *costs);
	for (size_t i = 0; i < cells; i++)
		costs[i] = NAN;
	enum rc rc = RC_OK;
	for (unsigned i = 0; rc == RC_OK && i < map->count; i++) {
		double amount;
		const struct node *key = map->entries[i].key;
		rc = amount_of(map->entries[i].value, &amount, err);
		if (rc == RC_OK && str_is(key->scalar, "default"))
			rest = amount;
		else if (rc == RC_OK)
			rc = add(key, amount, policy, costs, err);
	}
	for (size_t i = 0; i < cells; i++)
		if (isnan(costs[i]))
			costs[i] = rest;
	if (rc == RC_OK)
		*ret = costs;
	return rc;
}
