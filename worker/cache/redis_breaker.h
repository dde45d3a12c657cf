/*
 * redis_breaker.h: when to ask Redis and when to leave it alone.
 *
 * Closed: everybody asks. After a few failures in a row it opens: nobody asks until the backoff is over; then one caller
 * probes, and its success closes it, its failure doubles the backoff. Thread: any (locked). Time is an argument.
 */
#ifndef CACHE_REDIS_BREAKER_H
#define CACHE_REDIS_BREAKER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

enum { REDIS_BREAKER_FAILURES = 3, REDIS_BREAKER_MIN_MS = 500, REDIS_BREAKER_MAX_MS = 5000 };

struct redis_breaker {
	pthread_mutex_t lock;
	uint32_t failures;   /* in a row */
	int64_t backoff_ms;  /* 0: closed */
	int64_t retry_at_us; /* while open */
	bool answered;       /* ever, since the last failure */
};

void redis_breaker_init(struct redis_breaker *b);
void redis_breaker_destroy(struct redis_breaker *b);
/* May the caller ask now? At the end of a backoff true for one caller, which holds the others off for another one. */
bool redis_breaker_allow(struct redis_breaker *b, int64_t now_us);
bool redis_breaker_is_closed(struct redis_breaker *b);
/* True when this closed an open breaker. */
bool redis_breaker_success(struct redis_breaker *b);
/* The backoff in ms that began by this failure (it opened, or stays open); 0: still closed. */
int64_t redis_breaker_failure(struct redis_breaker *b, int64_t now_us);
bool redis_breaker_up(struct redis_breaker *b); /* closed, and something has answered */

#endif
