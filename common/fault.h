/*
 * fault.h: named points at which a test build dies, and mistakes that it makes on purpose. Nothing in an ordinary build.
 *
 * The chaos tests build with FAULTS=1 and choose by the environment: POINTSMAN_FAULT=NAME[:N[:DELAY_US]] ends the process
 * as kill -9 does when it comes to that point for the N-th time (default the first), or so much later, while what follows
 * the point goes on. POINTSMAN_BUG=NAME makes one known mistake, so that a suite can show that it would see it.
 *
 * Thread: any.
 */
#ifndef COMMON_FAULT_H
#define COMMON_FAULT_H

#include <stdbool.h>

#ifdef POINTSMAN_FAULTS
void fault_point(const char *name);
bool fault_bug(const char *name);
#define FAULT_POINT(name) fault_point(name)
#define FAULT_BUG(name) fault_bug(name)
#else
#define FAULT_POINT(name) ((void)0) /* nothing here */
#define FAULT_BUG(name) false
#endif

#endif
