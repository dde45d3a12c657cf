/*
 * assignment.h: which partitions are this worker's, and from where each is read.
 *
 * Thread: stream.
 */
#ifndef STREAM_ASSIGNMENT_H
#define STREAM_ASSIGNMENT_H

#include <librdkafka/rdkafka.h>

#include "worker/stream/committer.h"
#include "worker/stream/inflight.h"
#include "worker/stream/partition.h"

struct stream;

/* An event of the consumer's queue: rebalance or error. Destroys the event. */
void assignment_event(struct stream *s, rd_kafka_event_t *event);
/* The running mark is committed: reading may begin. */
void assignment_marked(struct stream *s, struct partition *p);
/* A fetch error or the end of a partition, in place of a record. */
void assignment_partition_error(struct partition *p, const rd_kafka_message_t *msg);
/* Progress is no longer certain, though the partition is still ours. */
void assignment_reload(struct stream *s, struct partition *p);
/* The revocation that is under way ends: nothing of its partitions is committed from now on. lost: somebody else has them already. */
void assignment_finish_revoke(struct stream *s, bool lost);
/* Timers: questions to repeat, revocations to end, held answers to give up. */
void assignment_tick(struct stream *s, int64_t now_us);
/* All leases to DRAINING. */
void assignment_drain(struct stream *s);
/* The mark of each partition is to be cleared by the next commit: a clean leave. */
void assignment_clear_marks(struct stream *s);

/* A finished job whose partition is not (or not yet again) ours. */
void assignment_hold(struct stream *s, struct taken *t);
/* Gives up held answers of partitions that are away. true: there were some. */
bool assignment_drop_held(struct stream *s, int64_t now_us, bool all);
/* Gives up one held answer of any partition. */
bool assignment_drop_one_held(struct stream *s);

/* load.c: what was committed, and where the log begins and ends. */
void load_ask(struct stream *s, int64_t now_us); /* sends the questions that are due */
/* Asks anything: an answer says that a broker is reachable again. */
void load_ping(struct stream *s);
void load_answered(struct stream *s, rd_kafka_event_t *event);
void load_looked_up(struct stream *s, struct lookup *l);
/* The partition of an event's element; NULL when it was never assigned. */
struct partition *assignment_find(const struct stream *s, const char *topic, int32_t number);

#endif
