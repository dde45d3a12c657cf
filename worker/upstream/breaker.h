/*
 * breaker.h: stops calling a model that is down, and tries again carefully. Pure: time is an argument.
 *
 * closed: all calls pass. Open (half or more of at least 10 calls of the last 10 s failed, or the credentials were
 * refused): none passes for a while, which doubles with each failed trial up to a minute. Half-open: a few trials pass;
 * enough good ones close it, a bad one opens it again. ("Circuit breaker", M. Nygard, Release It!)
 * Thread: the owner.
 */
#ifndef UPSTREAM_BREAKER_H
#define UPSTREAM_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

enum breaker_state { BREAKER_CLOSED, BREAKER_OPEN, BREAKER_HALF_OPEN };
enum breaker_sight { BREAKER_GOOD, BREAKER_BAD, BREAKER_AUTH, BREAKER_NEUTRAL };

enum { BREAKER_SLOTS = 10 };

struct breaker {
	enum breaker_state state;
	int64_t until_us; /* OPEN: when trials begin */
	int64_t open_us;  /* how long the next opening lasts */
	uint32_t trials, trials_good; /* HALF_OPEN: on the way; come back well */
	int64_t slot_s[BREAKER_SLOTS]; /* the second each slot counts */
	uint32_t total[BREAKER_SLOTS], bad[BREAKER_SLOTS];
};

/* May a call start? *ret_trial: it is one of the few of a half-open breaker; hand it back to breaker_saw. */
bool breaker_admit(struct breaker *b, int64_t now_us, bool *ret_trial);
/* A call ended. True when the state changed. What started before an opening does not count after it. */
bool breaker_saw(struct breaker *b, enum breaker_sight sight, bool trial, int64_t now_us);
/* When a call may pass at the earliest; 0: now. */
int64_t breaker_blocked_until(const struct breaker *b, int64_t now_us);

#endif
