/*
 * costs.c: a table of costs from a file of its own, for measuring with other prices than the policy's.
 */
#include "worker/lab/costs.h"

#include "worker/route/costs.h"

static enum rc read(const struct node *root, const struct policy *policy, struct arena *arena, double **ret, struct err *err)
{
	const struct node *map = config_get(root, "costs");
	if (map == NULL || root->count != 1)
		return config_error(root, err, "one key is expected, costs, with pairs of routes: costs: {careful->quick: 25.00}");
	return costs_read(policy, map, arena, ret, err);
}

enum rc costs_load(const char *path, const struct policy *policy, struct arena *arena, double **ret, struct err *err)
{
	const struct node *root = NULL;
	enum rc rc = config_load(arena, path, &root, err);
	return rc == RC_OK ? read(root, policy, arena, ret, err) : rc;
}

enum rc costs_parse(const char *name, struct str text, const struct policy *policy, struct arena *arena, double **ret, struct err *err)
{
	const struct node *root = NULL;
	enum rc rc = config_parse(arena, name, text, &root, err);
	return rc == RC_OK ? read(root, policy, arena, ret, err) : rc;
}
