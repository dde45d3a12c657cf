/*
 * topics.c: asking and making topics.
 *
 * The one idea: plain admin calls with a timeout and words for each refusal; nothing is kept between two calls but the client.
 */
#include "worker/stream/topics.h"

#include <stdlib.h>

#include "common/arena.h"
#include "worker/stream/kafka_conf.h"

struct topics {
	rd_kafka_t *client;
	int timeout_ms;
};

enum rc topics_open(const struct settings *settings, int timeout_ms, struct topics **ret, struct err *err)
{
	struct topics *topics = heap_zalloc(1, sizeof *topics);
	const struct rd_kafka_metadata *metadata;
	rd_kafka_conf_t *conf = NULL;
	topics->timeout_ms = timeout_ms;
	enum rc rc = kafka_conf_base(settings, NULL, &conf, err);
	if (rc == RC_OK)
		rc = kafka_conf_client(RD_KAFKA_PRODUCER, conf, &topics->client, err);
	if (rc == RC_OK) {
		rd_kafka_resp_err_t code = rd_kafka_metadata(topics->client, 0, NULL, &metadata, timeout_ms);
		if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
			rd_kafka_metadata_destroy(metadata);
		} else {
			rc = err_set(err, RC_UNAVAILABLE, "no broker of kafka.brokers (%.*s) answers: %s; are the addresses and security.* right?",
			             STR_ARG(settings->kafka.brokers), rd_kafka_err2str(code));
		}
	}
	if (rc != RC_OK) {
		topics_close(topics);
		return rc;
	}
	*ret = topics;
	return RC_OK;
}

void topics_close(struct topics *topics)
{
	if (topics == NULL)
		return;
	if (topics->client != NULL)
		rd_kafka_destroy(topics->client);
	free(topics);
}

enum rc topics_partitions(struct topics *topics, const char *name, int *ret_partitions, struct err *err)
{
	const struct rd_kafka_metadata *metadata;
	rd_kafka_topic_t *handle = rd_kafka_topic_new(topics->client, name, NULL);
	if (handle == NULL)
		return err_set(err, RC_BAD_INPUT, "\"%s\" is not a topic name", name);
	rd_kafka_resp_err_t code = rd_kafka_metadata(topics->client, 0, handle, &metadata, topics->timeout_ms);
	rd_kafka_topic_destroy(handle);
	if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
		return err_set(err, RC_UNAVAILABLE, "topic %s: %s", name, rd_kafka_err2str(code));
	code = metadata->topic_cnt == 1 ? metadata->topics[0].err : RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
	int partitions = code == RD_KAFKA_RESP_ERR_NO_ERROR ? metadata->topics[0].partition_cnt : 0;
	rd_kafka_metadata_destroy(metadata);
	if (code != RD_KAFKA_RESP_ERR_NO_ERROR && code != RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART &&
	    code != RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC)
		return err_set(err, RC_UNAVAILABLE, "topic %s: %s", name, rd_kafka_err2str(code));
	*ret_partitions = partitions;
	return RC_OK;
}

/* The one result of a creation. */
static enum rc creation_result(rd_kafka_event_t *event, const char *name, struct err *err)
{
	rd_kafka_resp_err_t code = rd_kafka_event_error(event);
	const char *words = rd_kafka_event_error_string(event);
	size_t count = 0;
	const rd_kafka_CreateTopics_result_t *result = rd_kafka_event_CreateTopics_result(event);
	const rd_kafka_topic_result_t **each = result != NULL ? rd_kafka_CreateTopics_result_topics(result, &count) : NULL;
	if (code == RD_KAFKA_RESP_ERR_NO_ERROR && count == 1) {
		code = rd_kafka_topic_result_error(each[0]);
		words = rd_kafka_topic_result_error_string(each[0]);
	}
	if (code == RD_KAFKA_RESP_ERR_NO_ERROR || code == RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS)
		return RC_OK;
	return err_set(err, RC_UNAVAILABLE, "topic %s cannot be created: %s", name, words != NULL ? words : rd_kafka_err2str(code));
}

enum rc topics_create(struct topics *topics, const char *name, int partitions, int replication, struct err *err)
{
	char why[256];
	rd_kafka_NewTopic_t *fresh = rd_kafka_NewTopic_new(name, partitions, replication > 0 ? replication : -1, why, sizeof why);
	if (fresh == NULL)
		return err_set(err, RC_BAD_INPUT, "topic %s: %s", name, why);
	rd_kafka_queue_t *queue = rd_kafka_queue_new(topics->client);
	rd_kafka_CreateTopics(topics->client, &fresh, 1, NULL, queue);
	rd_kafka_event_t *event = rd_kafka_queue_poll(queue, topics->timeout_ms);
	enum rc rc = event != NULL ? creation_result(event, name, err)
	                           : err_set(err, RC_UNAVAILABLE, "topic %s: no answer within %d ms", name, topics->timeout_ms);
	if (event != NULL)
		rd_kafka_event_destroy(event);
	rd_kafka_queue_destroy(queue);
	rd_kafka_NewTopic_destroy(fresh);
	return rc;
}

static enum rc deletion_result(rd_kafka_event_t *event, const char *name, struct err *err)
{
	rd_kafka_resp_err_t code = rd_kafka_event_error(event);
	size_t count = 0;
	const rd_kafka_DeleteTopics_result_t *result = rd_kafka_event_DeleteTopics_result(event);
	const rd_kafka_topic_result_t **each = result != NULL ? rd_kafka_DeleteTopics_result_topics(result, &count) : NULL;
	if (code == RD_KAFKA_RESP_ERR_NO_ERROR && count == 1)
		code = rd_kafka_topic_result_error(each[0]);
	if (code == RD_KAFKA_RESP_ERR_NO_ERROR || code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART)
		return RC_OK;
	return err_set(err, RC_UNAVAILABLE, "topic %s cannot be deleted: %s", name, rd_kafka_err2str(code));
}

enum rc topics_delete(struct topics *topics, const char *name, struct err *err)
{
	rd_kafka_DeleteTopic_t *doomed = rd_kafka_DeleteTopic_new(name);
	rd_kafka_queue_t *queue = rd_kafka_queue_new(topics->client);
	rd_kafka_DeleteTopics(topics->client, &doomed, 1, NULL, queue);
	rd_kafka_event_t *event = rd_kafka_queue_poll(queue, topics->timeout_ms);
	enum rc rc = event != NULL ? deletion_result(event, name, err)
	                           : err_set(err, RC_UNAVAILABLE, "topic %s: no answer within %d ms", name, topics->timeout_ms);
	if (event != NULL)
		rd_kafka_event_destroy(event);
	rd_kafka_queue_destroy(queue);
	rd_kafka_DeleteTopic_destroy(doomed);
	return rc;
}

static enum rc step(rd_kafka_error_t *error, const char *what, struct err *err)
{
	if (error == NULL)
		return RC_OK;
	enum rc rc = err_set(err, RC_UNAVAILABLE, "%s: %s; does the principal have the right to write with a transactional id?", what,
	                     rd_kafka_error_string(error));
	rd_kafka_error_destroy(error);
	return rc;
}

enum rc topics_try_transaction(const struct settings *settings, int timeout_ms, struct err *err)
{
	char id[200];
	rd_kafka_conf_t *conf = NULL;
	rd_kafka_t *producer = NULL;
	(void)snprintf(id, sizeof id, "%.*s-check-config", STR_ARG(settings->kafka.group)); /* cut on purpose: only a name */
	enum rc rc = kafka_conf_producer(settings, NULL, id, &conf, err);
	if (rc == RC_OK)
		rc = kafka_conf_client(RD_KAFKA_PRODUCER, conf, &producer, err);
	if (rc == RC_OK)
		rc = step(rd_kafka_init_transactions(producer, timeout_ms), "transactions cannot be used", err);
	if (rc == RC_OK)
		rc = step(rd_kafka_begin_transaction(producer), "a transaction cannot be begun", err);
	if (rc == RC_OK)
		rc = step(rd_kafka_commit_transaction(producer, timeout_ms), "a transaction cannot be committed", err);
	if (producer != NULL)
		rd_kafka_destroy(producer);
	return rc;
}
