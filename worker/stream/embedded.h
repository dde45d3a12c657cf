/*
 * embedded.h: librdkafka's in-memory cluster, for the demo. It keeps nothing, has no transactions to speak of, and lives in
 * this process: never a place to test delivery in.
 *
 * Thread: one at a time.
 */
#ifndef STREAM_EMBEDDED_H
#define STREAM_EMBEDDED_H

#include "common/err.h"

struct embedded;

enum rc embedded_start(int brokers, struct embedded **ret, struct err *err);
void embedded_stop(struct embedded *cluster); /* NULL is fine; clients must be gone */
const char *embedded_bootstrap(const struct embedded *cluster);
enum rc embedded_topic(struct embedded *cluster, const char *name, int partitions, struct err *err);

#endif
