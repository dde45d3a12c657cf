/*
 * tsan_join.h: lets the thread sanitizer see a join that has a time limit. Included ahead of each file by make SAN=thread.
 *
 * pthread_clockjoin_np is not intercepted before GCC 13 and LLVM 16: to the sanitizer the thread was never joined, so all that
 * comes after the join is a race, the thread a leak, and its reused id a crash. pthread_timedjoin_np is intercepted; it counts
 * by the wall clock, which may be set, and so it is not for the product.
 */
#ifndef TSAN_JOIN_H
#define TSAN_JOIN_H

#include <pthread.h>
#include <time.h>

static inline int tsan_join(pthread_t thread, void **ret, clockid_t clock, const struct timespec *until)
{
	struct timespec now, wall;
	clock_gettime(clock, &now);
	clock_gettime(CLOCK_REALTIME, &wall);
	wall.tv_sec += until->tv_sec - now.tv_sec + 1; /* whole seconds, rounded up, are exact enough */
	return pthread_timedjoin_np(thread, ret, &wall);
}

#define pthread_clockjoin_np tsan_join

#endif
