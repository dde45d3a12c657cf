/*
 * joining.h: the consumer of a stream, from the first subscription to leaving the group.
 *
 * Thread: stream.
 */
#ifndef STREAM_JOINING_H
#define STREAM_JOINING_H

#include <librdkafka/rdkafka.h>

#include "common/err.h"

struct stream;

/* A new consumer that joins the group. RC_BAD_INPUT with the reason; then there is none. */
enum rc joining_begin(struct stream *s, struct err *err);
/* The input topics, as at first. In the middle of a rebalance that is not answered yet it makes the consumer join once more. */
rd_kafka_resp_err_t joining_subscribe(struct stream *s);
/* The consumer is dead: so is all it held. */
void joining_lose_all(struct stream *s);
/* Leaves in order, within five seconds; then as above. */
void joining_leave(struct stream *s);

#endif
