/*
 * versions.h: which librdkafka this worker runs on, and what is known against it. Thread: any. Pure but for the log lines.
 */
#ifndef STREAM_VERSIONS_H
#define STREAM_VERSIONS_H

#include "common/err.h"
#include "common/log.h"

/* version as rd_kafka_version() gives it. RC_FATAL below the oldest that has every call used here, or for the new group
 * protocol on a library that is not ready for it; ranges with known trouble are logged. */
enum rc versions_check(int version, bool new_group_protocol, struct log *log, struct err *err);

#endif
