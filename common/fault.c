/*
 * fault.c: dying or standing still at a named point, for the chaos tests.
 *
 * The one idea: the end is SIGKILL, sent by the process to itself: no handler, no flush, no goodbye, as an out-of-memory
 * kill or a power cut looks to the rest of the world. With a delay a thread sends it, so that death can come in the middle
 * of a call that has no points inside. A zombie is made by SIGSTOP in the same way: it lies at a known place when the test
 * wakes it. The count of passings is the one mutable global here; it exists in test builds only.
 */
#include "common/fault.h"

#ifdef POINTSMAN_FAULTS

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static void die(void)
{
	(void)kill(getpid(), SIGKILL); /* does not return */
	pause();
}

static void sleep_us(long us)
{
	struct timespec left = {.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000};
	while (nanosleep(&left, &left) != 0) /* a signal: the rest of it */
		;
}

static void *die_later(void *arg)
{
	sleep_us((long)(intptr_t)arg);
	die();
	return NULL;
}

static void act(const char *how)
{
	static const char hang[] = "hang=", stop[] = "stop=";
	pthread_t thread;
	long delay_us = strtol(how, NULL, 10);
	if (strcmp(how, "stop") == 0)
		(void)raise(SIGSTOP); /* cannot fail: the signal exists */
	else if (strncmp(how, stop, sizeof stop - 1) == 0)
		(void)raise(SIGSTOP), sleep_us(strtol(how + sizeof stop - 1, NULL, 10) * 1000);
	else if (strncmp(how, hang, sizeof hang - 1) == 0)
		sleep_us(strtol(how + sizeof hang - 1, NULL, 10) * 1000);
	else if (delay_us <= 0 || pthread_create(&thread, NULL, die_later, (void *)(intptr_t)delay_us) != 0)
		die();
}

void fault_point(const char *name)
{
	static atomic_long passings;
	const char *wanted = getenv("POINTSMAN_FAULT");
	size_t len = strlen(name);
	if (wanted == NULL || strncmp(wanted, name, len) != 0 || (wanted[len] != '\0' && wanted[len] != ':'))
		return;
	char *end = NULL;
	long at = wanted[len] == ':' ? strtol(wanted + len + 1, &end, 10) : 1;
	if (atomic_fetch_add(&passings, 1) + 1 == at)
		act(end != NULL && *end == ':' ? end + 1 : "");
}

bool fault_bug(const char *name)
{
	const char *wanted = getenv("POINTSMAN_BUG");
	return wanted != NULL && strcmp(wanted, name) == 0;
}

void fault_poison(const char *where, const void *data, size_t bytes)
{
	const char *wanted = getenv("POINTSMAN_POISON");
	size_t len = strlen(where);
	if (wanted != NULL && strncmp(wanted, where, len) == 0 && wanted[len] == ':' && data != NULL &&
	    memmem(data, bytes, wanted + len + 1, strlen(wanted + len + 1)) != NULL)
		die();
}

#else

typedef int fault_is_empty; /* C wants something in a file */

#endif
