/*
 * produce.h: a job's outputs as librdkafka messages. Thread: committer.
 *
 * Memory: payloads are not copied; the job must live until its messages are flushed or purged.
 */
#ifndef STREAM_PRODUCE_H
#define STREAM_PRODUCE_H

#include <librdkafka/rdkafka.h>

#include "common/log.h"
#include "worker/job/settings.h"
#include "worker/stream/batch.h"

struct produce; /* topic handles and partition counts of one producer */

struct produce *produce_new(rd_kafka_t *rk, struct log *log);
void produce_free(struct produce *p); /* NULL is fine */

/* Are all topics of the job's outputs there? RC_OK; RC_BAD_INPUT: one does not exist, why says which; RC_UNAVAILABLE: the
 * broker does not say. Known topics cost nothing. */
enum rc produce_check(struct produce *p, const struct job *job, struct err *why);
/* RC_OK; RC_AGAIN: the producer's queue is full, poll and call again (goes on where it was); RC_BAD_INPUT: this output is
 * refused for good; RC_UNAVAILABLE: abort and try again; RC_FATAL: the producer is dead. *at: the next output, NULL when all
 * are produced. */
enum rc produce_job(struct produce *p, const struct job *job, const struct output **at, struct err *why);
/* An error that trying again cannot help. */
bool produce_is_refusal(rd_kafka_resp_err_t err);

#endif
