/*
 * err.c: error texts.
 *
 * The one idea: an error is a value in the caller's frame. There is no errno-like state and no allocation, so an error
 * can be made when memory is short and from any thread.
 */
#include "common/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum rc err_set(struct err *err, enum rc rc, const char *fmt, ...)
{
	if (err == NULL)
		return rc;
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(err->text, sizeof err->text, fmt, ap); /* cut at the bound on purpose */
	va_end(ap);
	return rc;
}

enum rc err_prefix(struct err *err, enum rc rc, const char *fmt, ...)
{
	if (err == NULL)
		return rc;
	char old[sizeof err->text];
	memcpy(old, err->text, sizeof old);
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(err->text, sizeof err->text, fmt, ap);
	va_end(ap);
	if (n >= 0 && (size_t)n < sizeof err->text - 1)
		(void)snprintf(err->text + n, sizeof err->text - (size_t)n, ": %s", old); /* cut on purpose */
	return rc;
}

const char *rc_name(enum rc rc)
{
	switch (rc) {
	case RC_OK: return "ok";
	case RC_AGAIN: return "again";
	case RC_BAD_INPUT: return "bad input";
	case RC_UNAVAILABLE: return "unavailable";
	case RC_FATAL: return "fatal";
	}
	return "?";
}
