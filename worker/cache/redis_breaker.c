/*
 * redis_breaker.c: the breaker around Redis, shared by all deciders.
 *
 * The one idea: the time of the next try is the state. A probe moves it on before it asks, so a second caller sees an open
 * breaker, and a probe that never reports back is followed by another one.
 */
#include "worker/cache/redis_breaker.h"

void redis_breaker_init(struct redis_breaker *b)
{
	*b = (struct redis_breaker){0};
	pthread_mutex_init(&b->lock, NULL);
}

void redis_breaker_destroy(struct redis_breaker *b)
{
	pthread_mutex_destroy(&b->lock);
}

bool redis_breaker_allow(struct redis_breaker *b, int64_t now_us)
{
	pthread_mutex_lock(&b->lock);
	bool allow = b->backoff_ms == 0;
	if (!allow && now_us >= b->retry_at_us) {
		b->retry_at_us = now_us + b->backoff_ms * 1000;
		allow = true;
	}
	pthread_mutex_unlock(&b->lock);
	return allow;
}

bool redis_breaker_is_closed(struct redis_breaker *b)
{
	pthread_mutex_lock(&b->lock);
	bool closed = b->backoff_ms == 0;
	pthread_mutex_unlock(&b->lock);
	return closed;
}

bool redis_breaker_success(struct redis_breaker *b)
{
	pthread_mutex_lock(&b->lock);
	bool was_open = b->backoff_ms != 0;
	b->failures = 0;
	b->backoff_ms = 0;
	b->answered = true;
	pthread_mutex_unlock(&b->lock);
	return was_open;
}

int64_t redis_breaker_failure(struct redis_breaker *b, int64_t now_us)
{
	pthread_mutex_lock(&b->lock);
	b->answered = false;
	if (b->backoff_ms != 0) {
		b->backoff_ms = b->backoff_ms * 2 < REDIS_BREAKER_MAX_MS ? b->backoff_ms * 2 : REDIS_BREAKER_MAX_MS;
		b->retry_at_us = now_us + b->backoff_ms * 1000;
	} else if (++b->failures >= REDIS_BREAKER_FAILURES) {
		b->backoff_ms = REDIS_BREAKER_MIN_MS;
		b->retry_at_us = now_us + b->backoff_ms * 1000;
	}
	int64_t backoff_ms = b->backoff_ms;
	pthread_mutex_unlock(&b->lock);
	return backoff_ms;
}

bool redis_breaker_up(struct redis_breaker *b)
{
	pthread_mutex_lock(&b->lock);
	bool up = b->backoff_ms == 0 && b->answered;
	pthread_mutex_unlock(&b->lock);
	return up;
}
