/*
 * kafka_conf.h: client configurations from the settings.
 *
 * Thread: any. Ownership: a configuration returned is the caller's until rd_kafka_new takes it.
 */
#ifndef STREAM_KAFKA_CONF_H
#define STREAM_KAFKA_CONF_H

#include <librdkafka/rdkafka.h>

#include "common/log.h"
#include "worker/job/settings.h"

/* The opaque of each client: callbacks find it. Outlives the client. */
struct kafka_client {
	struct log *log; /* may be NULL */
	void *owner;
};

/* RC_BAD_INPUT when a property of the user's is unknown, wrong, or one that the worker owns. */
enum rc kafka_conf_consumer(const struct settings *settings, struct kafka_client *client, rd_kafka_conf_t **ret, struct err *err);
/* transactional_id NULL: idempotent only. */
enum rc kafka_conf_producer(const struct settings *settings, struct kafka_client *client, const char *transactional_id,
                            rd_kafka_conf_t **ret, struct err *err);
/* Brokers and the user's properties, for admin calls and the plain reader and writer. */
enum rc kafka_conf_base(const struct settings *settings, struct kafka_client *client, rd_kafka_conf_t **ret, struct err *err);
/* One property. A value that librdkafka refuses is RC_BAD_INPUT. */
enum rc kafka_conf_set(rd_kafka_conf_t *conf, const char *name, const char *value, struct err *err);
/* rd_kafka_new, with the configuration freed on failure. */
enum rc kafka_conf_client(rd_kafka_type_t type, rd_kafka_conf_t *conf, rd_kafka_t **ret, struct err *err);

#endif
