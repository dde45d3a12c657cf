/*
 * behaviour.h: how the simulated model behaves: how long a call takes and whether it fails.
 *
 * Thread: one. Pure but for the random state, which starts from a seed.
 */
#ifndef MODELSIM_BEHAVIOUR_H
#define MODELSIM_BEHAVIOUR_H

#include <stdbool.h>
#include <stdint.h>

#include "common/str.h"

struct behaviour {
	double latency_ms; /* fixed, or the median where sigma > 0 */
	double sigma;      /* of the log-normal distribution; 0: fixed */
	double p429, p500; /* shares of calls */
	bool stall;        /* calls are accepted and not answered */
	int64_t retry_after_s;
	int router;        /* enum router_mode: how a question for a route is answered */
	bool no_logprobs;  /* token probabilities are not offered */
	uint64_t random; /* state; any start value */
};

enum setting { SETTING_OK, SETTING_UNKNOWN, SETTING_BAD };
/* Sets one value by its name, as the command line and /config do. */
enum setting behaviour_set(struct behaviour *behaviour, struct str name, struct str value);

/* What is to be done with one call. The x-sim-* headers of a request override the behaviour. */
struct plan {
	int64_t delay_us;
	unsigned status; /* of the answer */
	int64_t retry_after_s;
	bool garbage;  /* status 200 and a body that is no JSON */
	bool no_usage; /* leave the token counts out */
	bool reset;    /* close the connection in place of an answer */
	int64_t bytes; /* of the answer's text; 0: as it comes */
	int router;    /* enum router_mode */
	bool logprobs; /* are given to who asks */
};
struct plan behaviour_plan(struct behaviour *behaviour);
/* An override by header; false when there is no such header or its value is bad. */
bool plan_override(struct plan *plan, struct str header, struct str value);

#endif
