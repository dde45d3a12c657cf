/*
 * fault.h: named points at which a test build dies or stands still, and mistakes that it makes on purpose. Nothing in an
 * ordinary build.
 *
 * The chaos tests build with FAULTS=1 and choose by the environment. POINTSMAN_FAULT=NAME[:N[:HOW]] acts when the process
 * comes to that point for the N-th time (default the first). HOW is
 *   nothing      the process ends as by kill -9
 *   DELAY_US     it ends so much later, while what follows the point goes on
 *   stop         it is stopped as by SIGSTOP, until a SIGCONT
 *   stop=MS      the same, and after the SIGCONT the thread that came there stands still for so long
 *   hang=MS      the thread that came there stands still for so long, the others go on
 * POINTSMAN_BUG=NAME makes one known mistake, so that a suite can show that it would see it.
 * POINTSMAN_POISON=WHERE:TEXT ends the process each time that a record which holds the text comes to "decode" or "encode".
 *
 * Thread: any.
 */
#ifndef COMMON_FAULT_H
#define COMMON_FAULT_H

#include <stdbool.h>
#include <stddef.h>

#ifdef POINTSMAN_FAULTS
void fault_point(const char *name);
bool fault_bug(const char *name);
void fault_poison(const char *where, const void *data, size_t bytes);
#define FAULT_POINT(name) fault_point(name)
#define FAULT_BUG(name) fault_bug(name)
#define FAULT_POISON(where, data, bytes) fault_poison(where, data, bytes)
#else
#define FAULT_POINT(name) ((void)0) /* nothing here */
#define FAULT_BUG(name) false
#define FAULT_POISON(where, data, bytes) ((void)0) /* nothing here */
#endif

#endif
