/*
 * inspect.c: a policy's stages and their thresholds. How a text is put to each of them is in route.c, beside the decision.
 */
#include "worker/route/inspect.h"

#include "worker/route/policy.h"
#include "worker/route/thresholds.h"

const char *calibration_name(enum calibration calibration)
{
	static const char *const names[] = {"uncalibrated", "stale", "calibrated"};
	return names[calibration];
}

uint32_t policy_stage_count(const struct policy *policy)
{
	return policy->stage_count;
}

struct stage_info policy_stage_info(const struct policy *policy, uint32_t index)
{
	const struct policy_stage *stage = &policy->stages[index];
	const struct thresholds *t = stage->thresholds;
	struct stage_info info = {.name = stage->ops->name, .any_scope = stage->any_scope};
	if (t == NULL)
		return info;
	info.thresholds = t->of_gain ? NULL : t->by_route;
	info.accept = t->accept;
	info.calibration = t->calibration;
	info.data = t->data;
	info.rows = t->rows;
	info.seal = str_of(t->seal);
	return info;
}

/* Takes the first name off a list with commas. */
static bool next_name(struct str *list, struct str *ret)
{
	if (list->len == 0)
		return false;
	const char *comma = memchr(list->data, ',', list->len);
	size_t len = comma != NULL ? (size_t)(comma - list->data) : list->len;
	*ret = str_trim((struct str){list->data, len});
	len += comma != NULL;
	*list = (struct str){list->data + len, list->len - len};
	return true;
}

static bool names_stage(struct str names, const char *stage)
{
	for (struct str name; next_name(&names, &name);)
		if (str_is(name, stage))
			return true;
	return false;
}

enum rc policy_keep_stages(struct policy *policy, struct str names, struct err *err)
{
	struct str left = names;
	for (struct str name; next_name(&left, &name);) {
		bool found = false;
		for (uint32_t i = 0; i < policy->stage_count; i++)
			found = found || str_is(name, policy->stages[i].ops->name);
		if (!found)
			return err_set(err, RC_BAD_INPUT, "policy %.*s has no stage \"%.*s\"", STR_ARG(policy->name), STR_ARG(name));
	}
	uint32_t kept = 0;
	for (uint32_t i = 0; i < policy->stage_count; i++)
		if (names_stage(names, policy->stages[i].ops->name))
			policy->stages[kept++] = policy->stages[i];
		else if (policy->stages[i].ops->close != NULL)
			policy->stages[i].ops->close(policy->stages[i].config);
	policy->stage_count = kept;
	return RC_OK;
}

const double *policy_costs(const struct policy *policy)
{
	return policy->costs;
}
