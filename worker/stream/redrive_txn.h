/*
 * redrive_txn.h: the transactions of a redrive or of another task that copies records: one producer under a transactional id of the
 * group and the task, opened, filled, committed.
 *
 * Thread: one. Blocking: each step gives up after a minute. After an error nothing but redrive_txn_close is of use.
 */
#ifndef STREAM_REDRIVE_TXN_H
#define STREAM_REDRIVE_TXN_H

#include <librdkafka/rdkafka.h>

#include "common/err.h"
#include "worker/job/record.h"
#include "worker/job/settings.h"
#include "worker/stream/kafka_conf.h"

struct redrive_txn {
	const struct settings *settings;
	const char *task;
	struct kafka_client client;
	rd_kafka_t *producer; /* NULL: not opened */
	bool begun;
	int64_t begun_us;
	int64_t count; /* records sent in the open transaction, and the bytes of their keys and values */
	size_t bytes;
	rd_kafka_resp_err_t refused; /* by a broker: the transaction cannot be committed */
};

/* The struct may not move afterwards. task: "redrive"; the transactional id is GROUP/TASK. Borrows it. */
enum rc redrive_txn_open(struct redrive_txn *t, const struct settings *settings, const char *task, struct err *err);
/* Takes the transactional id: settles what an earlier owner left open, shuts out one that still runs. stop: asked between tries;
 * true gives up. */
enum rc redrive_txn_take(struct redrive_txn *t, bool (*stop)(void *ctx), void *ctx, struct err *err);
enum rc redrive_txn_begin(struct redrive_txn *t, struct err *err); /* nothing to do when it is begun */
/* Key, value and headers of rec, to a partition; RD_KAFKA_PARTITION_UA: by key. RC_BAD_INPUT: too large for the client, nothing else
 * is wrong. */
enum rc redrive_txn_send(struct redrive_txn *t, const char *topic, int32_t partition, const struct record *rec, struct err *err);
bool redrive_txn_is_due(const struct redrive_txn *t); /* it is as large, or as old, as one should be */
/* With the offsets of a group that has no members: the transactional id is what shuts a second run out. */
enum rc redrive_txn_commit(struct redrive_txn *t, const rd_kafka_topic_partition_list_t *offsets, const char *group, struct err *err);
/* Aborts what is open. */
void redrive_txn_close(struct redrive_txn *t);

#endif
