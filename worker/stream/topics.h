/*
 * topics.h: what the brokers have and lack, for `topics` and `check-config --connect`. Blocking, outside the worker's road.
 * Thread: caller's.
 */
#ifndef STREAM_TOPICS_H
#define STREAM_TOPICS_H

#include "common/err.h"
#include "worker/job/settings.h"

struct topics;

/* Connects. RC_UNAVAILABLE when no broker answers within timeout_ms. */
enum rc topics_open(const struct settings *settings, int timeout_ms, struct topics **ret, struct err *err);
void topics_close(struct topics *topics); /* NULL is fine */

/* Partitions of the topic; 0: there is none. */
enum rc topics_partitions(struct topics *topics, const char *name, int *ret_partitions, struct err *err);
/* replication 0: the broker's default. RC_OK also when it is there already. */
enum rc topics_create(struct topics *topics, const char *name, int partitions, int replication, struct err *err);
/* RC_OK also when there is none. The broker deletes in the background. */
enum rc topics_delete(struct topics *topics, const char *name, struct err *err);
/* An empty transaction under an id of its own: rights and coordinators work. */
enum rc topics_try_transaction(const struct settings *settings, int timeout_ms, struct err *err);

#endif
