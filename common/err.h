/*
 * err.h: what a failed call tells its caller.
 *
 * `enum rc` says what the caller must do; `struct err` says why, in words a user can act on: what failed, where, and
 * what to do about it. A function that returns RC_OK leaves its `struct err` alone.
 *
 * Thread: any. Ownership: the caller owns the struct; texts are copied in and cut at the bound.
 */
#ifndef COMMON_ERR_H
#define COMMON_ERR_H

enum rc {
	RC_OK = 0,
	RC_AGAIN,       /* not now: try later or wait for an event */
	RC_BAD_INPUT,   /* what was given is wrong: trying again cannot help */
	RC_UNAVAILABLE, /* a service is down or slow: go on without it, or retry with backoff */
	RC_FATAL        /* this component cannot go on */
};

struct err {
	char text[1024]; /* NUL-terminated UTF-8; may hold several lines (a caret under a configuration line) */
};

/* Writes the text and returns rc, so that `return err_set(err, RC_FATAL, ...)` reads as one sentence. err may be NULL. */
enum rc err_set(struct err *err, enum rc rc, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Puts "prefix: " before the text that is there. Returns rc. */
enum rc err_prefix(struct err *err, enum rc rc, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

const char *rc_name(enum rc rc);

#endif
