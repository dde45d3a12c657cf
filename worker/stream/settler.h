/*
 * settler.h: ends the transaction that a dead owner of a partition has left open, so that its successor need not wait for the broker to.
 *
 * Until then the partition's committed offset is not certain, and read_committed readers of the outputs stand still.
 *
 * Thread: stream, but where said otherwise; the work is done by a thread of its own, which blocks on the broker.
 */
#ifndef STREAM_SETTLER_H
#define STREAM_SETTLER_H

#include "common/log.h"
#include "worker/job/settings.h"

enum { SETTLER_ID_MAX = 512 };

struct settler;

/* The transactional id of the worker that metadata names as owner; truncated ids are the same on both sides. Pure. */
void settler_transactional_id(const struct settings *settings, const char *owner, char out[SETTLER_ID_MAX]);

/* Starts no thread yet. wake: one has been settled. Thread of wake: the settler's. */
struct settler *settler_new(const struct settings *settings, struct log *log, void (*wake)(void *ctx), void *ctx);
/* Asked again for the same owner within a while, or while others are being settled, it does nothing. */
void settler_ask(struct settler *s, const char *owner, int64_t now_us);
/* Ends the thread, within about a second. NULL is fine. Thread: main. */
void settler_free(struct settler *s);

#endif
