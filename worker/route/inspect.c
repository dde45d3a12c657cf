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

const double *policy_costs(const struct policy *policy)
{
	return policy->costs;
}
