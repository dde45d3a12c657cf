/*
 * probe.h: questions to the broker before the first record. Blocking, bounded. Thread: main.
 */
#ifndef STREAM_PROBE_H
#define STREAM_PROBE_H

#include <librdkafka/rdkafka.h>

#include "common/err.h"
#include "common/str.h"

/* A transactional producer, initialised, sends offsets under an invented member id and aborts. A broker that fences refuses
 * them; one below 2.5 takes them: RC_FATAL then. topic: any that exists. RC_AGAIN: the call hangs and cannot be cancelled;
 * the producer is lost (another thread is in it for good) and may not even be destroyed. */
enum rc probe_fencing(rd_kafka_t *producer, const char *group, const char *topic, struct err *err);
/* Partitions of the topic; RC_BAD_INPUT when it does not exist, RC_UNAVAILABLE when no broker answers in time. */
enum rc probe_topic(rd_kafka_t *rk, const char *topic, int timeout_ms, int32_t *ret_partitions, struct err *err);

#endif
