/*
 * embedded.c: a Kafka in memory.
 *
 * The one idea: librdkafka ships a mock cluster that speaks the protocol over loopback sockets; an idle client instance owns
 * it. Good enough to show the worker at work without a broker.
 */
#include "worker/stream/embedded.h"

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <stdlib.h>

#include "common/arena.h"

struct embedded {
	rd_kafka_t *owner; /* the mock cluster needs a client to live in */
	rd_kafka_mock_cluster_t *cluster;
};

/* The owner has nothing to say to a user. */
static void say_nothing(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
	(void)rk, (void)level, (void)facility, (void)text; /* the callback's shape */
}

enum rc embedded_start(int brokers, struct embedded **ret, struct err *err)
{
	char why[256];
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	rd_kafka_conf_set_log_cb(conf, say_nothing);
	struct embedded *e = heap_zalloc(1, sizeof *e);
	e->owner = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof why);
	if (e->owner == NULL) {
		rd_kafka_conf_destroy(conf);
		free(e);
		return err_set(err, RC_FATAL, "no in-memory cluster: %s", why);
	}
	e->cluster = rd_kafka_mock_cluster_new(e->owner, brokers);
	if (e->cluster == NULL) {
		embedded_stop(e);
		return err_set(err, RC_FATAL, "the in-memory cluster does not start: are loopback ports and descriptors left?");
	}
	*ret = e;
	return RC_OK;
}

void embedded_stop(struct embedded *cluster)
{
	if (cluster == NULL)
		return;
	if (cluster->cluster != NULL)
		rd_kafka_mock_cluster_destroy(cluster->cluster);
	rd_kafka_destroy(cluster->owner);
	free(cluster);
}

const char *embedded_bootstrap(const struct embedded *cluster)
{
	return rd_kafka_mock_cluster_bootstraps(cluster->cluster);
}

enum rc embedded_topic(struct embedded *cluster, const char *name, int partitions, struct err *err)
{
	rd_kafka_resp_err_t code = rd_kafka_mock_topic_create(cluster->cluster, name, partitions, 1);
	if (code == RD_KAFKA_RESP_ERR_NO_ERROR || code == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS)
		return RC_OK;
	return err_set(err, RC_FATAL, "topic %s in the in-memory cluster: %s", name, rd_kafka_err2str(code));
}
