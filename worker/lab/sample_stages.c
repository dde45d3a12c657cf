/*
 * sample_stages.c: every stage asked, and where their answers are weak.
 *
 * The one idea: a policy stops at the first sure stage and never learns that the next would have said otherwise; here all are asked, and
 * where two contradict each other one of them is wrong.
 */
#include "worker/lab/sample_stages.h"

#include <math.h>
#include <string.h>

static double threshold_of(const struct policy *policy, uint32_t stage, int route)
{
	struct stage_info info = policy_stage_info(policy, stage);
	return info.thresholds != NULL && route >= 0 ? info.thresholds[route] : NAN;
}

/* How strongly two stages contradict each other; 0: they do not. Those that would decide count most, then the surer ones. */
static double contradiction(const struct stage_answer *a, const struct stage_answer *b)
{
	if (a->route < 0 || b->route < 0 || a->route == b->route)
		return 0;
	double sure_a = isnan(a->score) ? 1 : a->score, sure_b = isnan(b->score) ? 1 : b->score;
	double weaker = sure_a < sure_b ? sure_a : sure_b;
	return (a->verdict == VERDICT_DECIDED) + (b->verdict == VERDICT_DECIDED) + (weaker > 0.001 ? weaker : 0.001);
}

void sample_ask(const struct policy *policy, struct route_scratch *scratch, struct job *job, struct sample_said *ret, struct sample_row *row)
{
	*ret = (struct sample_said){.route = -1, .nearest = -1, .one = -1, .two = -1, .known = -1};
	ret->count = policy_stage_count(policy);
	route_ask_all(policy, scratch, job, ret->stages);
	row->margin = row->nearness = NAN;
	row->disagreement = 0;
	for (uint32_t i = 0; i < ret->count; i++) {
		const struct stage_answer *a = &ret->stages[i];
		double margin = fabs(a->score - threshold_of(policy, i, a->route));
		if (!isnan(margin) && !a->learned && !(margin >= row->margin)) { /* the first margin is below NAN, too */
			row->margin = margin;
			ret->nearest = (int)i;
		}
		if (strcmp(policy_stage_info(policy, i).name, "semantic") == 0 && !isnan(a->score)) {
			row->nearness = a->score;
			ret->known = (int)i;
		}
		for (uint32_t k = 0; k < i; k++) {
			double strength = contradiction(a, &ret->stages[k]);
			if (strength > row->disagreement) {
				row->disagreement = strength;
				ret->one = (int)k;
				ret->two = (int)i;
			}
		}
		if (a->verdict == VERDICT_DECIDED && ret->route < 0)
			ret->route = a->route;
	}
	row->stratum = ret->route >= 0 ? (uint32_t)ret->route : policy_route_count(policy);
}

static const char *route_of(const struct policy *policy, int route)
{
	return route >= 0 ? policy_route(policy, (uint32_t)route)->name.data : "none";
}

static void add_opinion(const struct policy *policy, const struct sample_said *said, int stage, struct buf *out)
{
	const struct stage_answer *a = &said->stages[stage];
	buf_printf(out, "%s %s", policy_stage_info(policy, (uint32_t)stage).name, route_of(policy, a->route));
	if (!isnan(a->score))
		buf_printf(out, " with %.2f", a->score);
}

struct str sample_detail(const struct policy *policy, enum sample_why why, const struct sample_said *said, const struct sample_row *row,
                         int64_t in_stratum, struct arena *arena)
{
	struct buf out;
	buf_init(&out, arena, 128);
	switch (why) {
	case SAMPLE_CHANCE:
		if (said->route >= 0)
			buf_printf(&out, "one of %lld rows that go to %s", (long long)in_stratum, route_of(policy, said->route));
		else
			buf_printf(&out, "one of %lld rows that no stage is sure of", (long long)in_stratum);
		break;
	case SAMPLE_UNSURE:
		add_opinion(policy, said, said->nearest, &out);
		buf_printf(&out, ", %.2f decides", threshold_of(policy, (uint32_t)said->nearest, said->stages[said->nearest].route));
		break;
	case SAMPLE_DISAGREEMENT:
		add_opinion(policy, said, said->one, &out);
		buf_cstr(&out, ", ");
		add_opinion(policy, said, said->two, &out);
		break;
	default: buf_printf(&out, "%.2f to the nearest examples, those of %s", row->nearness, route_of(policy, said->stages[said->known].route));
	}
	return buf_view(&out);
}
