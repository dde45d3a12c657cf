/*
 * behaviour.c: latency and error injection.
 *
 * The one idea: everything random comes from one seeded state, so a run with one connection can be repeated. It does not
 * measure and does not wait; it only says what is to happen.
 */
#include "tests/modelsim/behaviour.h"

#include <math.h>

#include "tests/modelsim/router.h"

#define LONGEST_MS 3600000.0 /* an hour: also keeps the conversion to microseconds in range */
#define LARGEST_ANSWER (64 << 20)

/* SplitMix64 (Steele, Lea, Flood 2014): uniform in [0, 1). */
static double uniform(struct behaviour *behaviour)
{
	uint64_t z = behaviour->random += UINT64_C(0x9e3779b97f4a7c15);
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	z ^= z >> 31;
	return (double)(z >> 11) * 0x1p-53;
}

static double normal(struct behaviour *behaviour)
{
	double radius = sqrt(-2.0 * log(1.0 - uniform(behaviour))); /* Box-Muller; 1 - u is never 0 */
	return radius * cos(2.0 * 3.14159265358979323846 * uniform(behaviour));
}

static enum setting set_number(struct str value, double min, double max, double *ret)
{
	double number;
	if (!str_to_double(value, &number) || number < min || number > max)
		return SETTING_BAD;
	*ret = number;
	return SETTING_OK;
}

enum setting behaviour_set(struct behaviour *behaviour, struct str name, struct str value)
{
	if (str_is(name, "latency_ms"))
		return set_number(value, 0, LONGEST_MS, &behaviour->latency_ms);
	if (str_is(name, "sigma"))
		return set_number(value, 0, 5, &behaviour->sigma);
	if (str_is(name, "p429"))
		return set_number(value, 0, 1, &behaviour->p429);
	if (str_is(name, "p500"))
		return set_number(value, 0, 1, &behaviour->p500);
	if (str_is(name, "router"))
		return router_mode_named(value, &behaviour->router) ? SETTING_OK : SETTING_BAD;
	int64_t number;
	bool whole = str_to_i64(value, &number) && number >= 0;
	if (str_is(name, "stall")) {
		if (!whole || number > 1)
			return SETTING_BAD;
		behaviour->stall = number == 1;
		return SETTING_OK;
	}
	if (str_is(name, "logprobs")) {
		if (!whole || number > 1)
			return SETTING_BAD;
		behaviour->no_logprobs = number == 0;
		return SETTING_OK;
	}
	if (str_is(name, "retry_after")) {
		if (!whole || number > 86400)
			return SETTING_BAD;
		behaviour->retry_after_s = number;
		return SETTING_OK;
	}
	if (str_is(name, "seed")) {
		if (!whole)
			return SETTING_BAD;
		behaviour->random = (uint64_t)number;
		return SETTING_OK;
	}
	return SETTING_UNKNOWN;
}

struct plan behaviour_plan(struct behaviour *behaviour)
{
	double ms = behaviour->latency_ms;
	if (behaviour->sigma > 0 && ms > 0)
		ms *= exp(behaviour->sigma * normal(behaviour));
	if (ms > LONGEST_MS)
		ms = LONGEST_MS;
	struct plan plan = {.delay_us = (int64_t)(ms * 1000.0), .status = 200, .retry_after_s = behaviour->retry_after_s,
	                    .router = behaviour->router, .logprobs = !behaviour->no_logprobs};
	if (behaviour->p429 + behaviour->p500 > 0) {
		double draw = uniform(behaviour);
		if (draw < behaviour->p429)
			plan.status = 429;
		else if (draw < behaviour->p429 + behaviour->p500)
			plan.status = 500;
	}
	return plan;
}

bool plan_override(struct plan *plan, struct str header, struct str value)
{
	int64_t number;
	if (!str_to_i64(value, &number) || number < 0)
		return false;
	if (str_eq_nocase(header, STR("x-sim-status")) && number >= 200 && number <= 599)
		plan->status = (unsigned)number;
	else if (str_eq_nocase(header, STR("x-sim-latency-ms")) && (double)number <= LONGEST_MS)
		plan->delay_us = number * 1000;
	else if (str_eq_nocase(header, STR("x-sim-retry-after")) && number <= 86400)
		plan->retry_after_s = number;
	else if (str_eq_nocase(header, STR("x-sim-garbage")))
		plan->garbage = number != 0;
	else if (str_eq_nocase(header, STR("x-sim-no-usage")))
		plan->no_usage = number != 0;
	else if (str_eq_nocase(header, STR("x-sim-reset")))
		plan->reset = number != 0;
	else if (str_eq_nocase(header, STR("x-sim-bytes")) && number <= LARGEST_ANSWER)
		plan->bytes = number;
	else
		return false;
	return true;
}
