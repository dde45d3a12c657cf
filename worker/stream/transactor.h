/*
 * transactor.h: one producer and the steps of its transactions. Thread: committer, but where said otherwise.
 */
#ifndef STREAM_TRANSACTOR_H
#define STREAM_TRANSACTOR_H

#include <librdkafka/rdkafka.h>
#include <stdatomic.h>

#include "worker/stream/batch.h"
#include "worker/stream/kafka_conf.h"
#include "worker/stream/settler.h"

struct produce;

struct transactor {
	const struct settings *settings;
	struct kafka_client client;
	char transactional_id[SETTLER_ID_MAX]; /* empty: at_least_once */
	rd_kafka_t *producer;       /* NULL: none yet, or dead and to be replaced */
	struct produce *produce;
	int64_t backoff_ms;
	_Atomic bool stopping;            /* give up at the next slice. Thread: any */
	_Atomic int64_t hanging_since_us; /* 0: no call that cannot be cancelled is running. Thread: any */
	struct batch *current;            /* for the delivery reports */
	bool delivery_failed, delivery_refused;
	bool abandoned; /* a producer that was given up still points here: never to be freed */
};

void transactor_open(struct transactor *x, const struct settings *settings, struct log *log, const char *owner);
/* The first producer, initialised; slices of a second. RC_UNAVAILABLE when the broker does not answer in that time. */
enum rc transactor_connect(struct transactor *x, int slices, struct err *err);
/* A producer is there when it returns true; waits with backoff. false: it is to stop. */
bool transactor_ensure(struct transactor *x);
/* Writes and commits; sets b->result, b->why, b->refused. */
void transactor_run(struct transactor *x, struct batch *b);
/* The producer is dead: the next connect or ensure makes another under the same id. */
void transactor_drop(struct transactor *x);
/* The producer is lost to a call that does not come back: it is left as it is, memory and threads. */
void transactor_abandon(struct transactor *x);
void transactor_close(struct transactor *x);

#endif
