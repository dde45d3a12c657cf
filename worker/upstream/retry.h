/*
 * retry.h: what an attempt's end means and what to do next. Pure: time and chance are arguments. Thread: any.
 *
 * A record has one budget of attempts over all its models. A model gets its share of what is left, so that a dead first
 * model cannot use up the attempts of its fallbacks.
 */
#ifndef UPSTREAM_RETRY_H
#define UPSTREAM_RETRY_H

#include <stdbool.h>
#include <stdint.h>

#include "common/str.h"
#include "worker/job/outcome.h"
#include "worker/upstream/transfer.h"

struct call_class {
	enum outcome outcome;
	bool again; /* the same model may be asked the same again */
	bool ill;   /* counts against the model's health */
};
/* status counts only with TRANSFER_DONE; 2xx gives OUTCOME_OK. */
struct call_class retry_classify(enum transfer_end end, int http_status);

/* Retry-After (seconds, or an IMF-fixdate of RFC 9110) and retry-after-ms, the finer one first. In milliseconds, at most a
 * day; 0: absent or unreadable. wall_ms: now. */
int64_t retry_after_ms(struct str retry_after, struct str retry_after_millis, int64_t wall_ms);

struct retry_ask {
	bool again;             /* of the class */
	uint32_t tries_here;    /* attempts this model has had for this record, the one that just ended included */
	uint32_t attempts_left; /* of the record's budget */
	uint32_t others;        /* models of the list not yet used up */
	int64_t retry_after_ms; /* what the server asked for; 0: nothing */
	int64_t now_us, deadline_us; /* monotonic; deadline 0: none */
	uint64_t random;
};
enum retry_step { RETRY_SAME, RETRY_NEXT, RETRY_GIVE_UP };
struct retry_plan {
	enum retry_step step;
	int64_t not_before_us; /* RETRY_SAME: when */
};
struct retry_plan retry_decide(const struct retry_ask *ask);

/* Full jitter: anything from 0 to min(20 s, 250 ms * 2^(tries - 1)). */
int64_t retry_backoff_us(uint32_t tries, uint64_t random);

#endif
