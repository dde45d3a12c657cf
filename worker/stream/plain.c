/*
 * plain.c: the reader and the writer.
 *
 * The one idea: librdkafka as it is, with assign instead of subscribe, so that looking at a topic never disturbs a group.
 */
#include "worker/stream/plain.h"

#include <librdkafka/rdkafka.h>
#include <stdlib.h>

#include "common/arena.h"
#include "worker/stream/kafka_conf.h"

enum { MAX_TOPICS = 16, METADATA_TIMEOUT_MS = 10000, BATCH = 256 };

struct plain_writer {
	rd_kafka_t *client;
	unsigned refused;
	rd_kafka_resp_err_t why;
};

struct plain_reader {
	rd_kafka_t *client;
	rd_kafka_queue_t *queue;
};

/* ---- writer ---------------------------------------------------------------------------------------------------------- */

static void delivered(rd_kafka_t *client, const rd_kafka_message_t *message, void *opaque)
{
	(void)client, (void)opaque; /* the callback's shape; the client's opaque is its log */
	struct plain_writer *writer = message->_private;
	if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
		writer->refused++;
		writer->why = message->err;
	}
}

enum rc plain_writer_open(const struct settings *settings, struct plain_writer **ret, struct err *err)
{
	struct plain_writer *writer = heap_zalloc(1, sizeof *writer);
	rd_kafka_conf_t *conf = NULL;
	enum rc rc = kafka_conf_base(settings, NULL, &conf, err);
	if (rc == RC_OK)
		rc = kafka_conf_set(conf, "linger.ms", "5", err);
	if (rc == RC_OK) {
		rd_kafka_conf_set_dr_msg_cb(conf, delivered);
		rc = kafka_conf_client(RD_KAFKA_PRODUCER, conf, &writer->client, err);
	} else if (conf != NULL) {
		rd_kafka_conf_destroy(conf);
	}
	if (rc != RC_OK) {
		free(writer);
		return rc;
	}
	*ret = writer;
	return RC_OK;
}

enum rc plain_writer_send(struct plain_writer *writer, const char *topic, struct str key, struct str value, struct err *err)
{
	for (;;) {
		rd_kafka_resp_err_t code = rd_kafka_producev(writer->client, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
		                                             RD_KAFKA_V_KEY(key.data, key.len), RD_KAFKA_V_OPAQUE(writer),
		                                             RD_KAFKA_V_VALUE((void *)(uintptr_t)value.data, value.len), RD_KAFKA_V_END);
		if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
			break;
		if (code != RD_KAFKA_RESP_ERR__QUEUE_FULL)
			return err_set(err, RC_UNAVAILABLE, "topic %s: %s", topic, rd_kafka_err2str(code));
		rd_kafka_poll(writer->client, 100);
	}
	rd_kafka_poll(writer->client, 0);
	return RC_OK;
}

enum rc plain_writer_flush(struct plain_writer *writer, int timeout_ms, struct err *err)
{
	rd_kafka_resp_err_t code = rd_kafka_flush(writer->client, timeout_ms);
	if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
		return err_set(err, RC_UNAVAILABLE, "%d records were not delivered within %d ms", rd_kafka_outq_len(writer->client), timeout_ms);
	if (writer->refused != 0)
		return err_set(err, RC_UNAVAILABLE, "%u records were refused: %s", writer->refused, rd_kafka_err2str(writer->why));
	return RC_OK;
}

void plain_writer_close(struct plain_writer *writer)
{
	if (writer == NULL)
		return;
	rd_kafka_destroy(writer->client);
	free(writer);
}

/* ---- reader ---------------------------------------------------------------------------------------------------------- */

static enum rc add_partitions(rd_kafka_t *client, const char *topic, rd_kafka_topic_partition_list_t *list, struct err *err)
{
	const struct rd_kafka_metadata *metadata;
	rd_kafka_topic_t *handle = rd_kafka_topic_new(client, topic, NULL);
	if (handle == NULL)
		return err_set(err, RC_BAD_INPUT, "\"%s\" is not a topic name", topic);
	rd_kafka_resp_err_t code = rd_kafka_metadata(client, 0, handle, &metadata, METADATA_TIMEOUT_MS);
	rd_kafka_topic_destroy(handle);
	if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
		return err_set(err, RC_UNAVAILABLE, "topic %s: %s", topic, rd_kafka_err2str(code));
	int count = metadata->topic_cnt == 1 && metadata->topics[0].err == RD_KAFKA_RESP_ERR_NO_ERROR ? metadata->topics[0].partition_cnt : 0;
	for (int i = 0; i < count; i++)
		rd_kafka_topic_partition_list_add(list, topic, metadata->topics[0].partitions[i].id)->offset = RD_KAFKA_OFFSET_BEGINNING;
	rd_kafka_metadata_destroy(metadata);
	return count != 0 ? RC_OK : err_set(err, RC_BAD_INPUT, "there is no topic %s", topic);
}

static enum rc assign_all(struct plain_reader *reader, const char *const *topics, unsigned count, struct err *err)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)count * 4);
	enum rc rc = RC_OK;
	for (unsigned i = 0; i < count && rc == RC_OK; i++)
		rc = add_partitions(reader->client, topics[i], list, err);
	if (rc == RC_OK) {
		rd_kafka_resp_err_t code = rd_kafka_assign(reader->client, list);
		if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
			rc = err_set(err, RC_FATAL, "the topics cannot be read: %s", rd_kafka_err2str(code));
	}
	rd_kafka_topic_partition_list_destroy(list);
	return rc;
}

enum rc plain_reader_open(const struct settings *settings, const char *const *topics, unsigned count, struct plain_reader **ret,
                          struct err *err)
{
	static const char *const properties[][2] = {
		{"group.id", "pointsman-plain-reader"}, /* needed by the client; nothing is joined or committed */
		{"enable.auto.commit", "false"},
		{"isolation.level", "read_committed"},
		{"fetch.wait.max.ms", "50"},
	};
	if (count == 0 || count > MAX_TOPICS)
		return err_set(err, RC_BAD_INPUT, "1 to %d topics can be read at once, not %u", MAX_TOPICS, count);
	struct plain_reader *reader = heap_zalloc(1, sizeof *reader);
	rd_kafka_conf_t *conf = NULL;
	enum rc rc = kafka_conf_base(settings, NULL, &conf, err);
	for (unsigned i = 0; i < sizeof properties / sizeof properties[0] && rc == RC_OK; i++)
		rc = kafka_conf_set(conf, properties[i][0], properties[i][1], err);
	if (rc == RC_OK)
		rc = kafka_conf_client(RD_KAFKA_CONSUMER, conf, &reader->client, err);
	else if (conf != NULL)
		rd_kafka_conf_destroy(conf);
	if (rc == RC_OK) {
		(void)rd_kafka_poll_set_consumer(reader->client); /* fails only for producers */
		reader->queue = rd_kafka_queue_get_consumer(reader->client);
		rc = assign_all(reader, topics, count, err);
	}
	if (rc != RC_OK) {
		plain_reader_close(reader);
		return rc;
	}
	*ret = reader;
	return RC_OK;
}

unsigned plain_reader_poll(struct plain_reader *reader, int timeout_ms, unsigned max,
                           void (*see)(void *ctx, const char *topic, struct str key, struct str value), void *ctx)
{
	rd_kafka_message_t *messages[BATCH];
	ssize_t n = rd_kafka_consume_batch_queue(reader->queue, timeout_ms, messages, max < BATCH ? max : BATCH);
	unsigned seen = 0;
	for (ssize_t i = 0; i < n; i++) {
		const rd_kafka_message_t *m = messages[i];
		if (m->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
			see(ctx, rd_kafka_topic_name(m->rkt), (struct str){m->key, m->key_len}, (struct str){m->payload, m->len});
			seen++;
		}
		rd_kafka_message_destroy(messages[i]);
	}
	return seen;
}

void plain_reader_close(struct plain_reader *reader)
{
	if (reader == NULL)
		return;
	if (reader->queue != NULL)
		rd_kafka_queue_destroy(reader->queue);
	if (reader->client != NULL)
		rd_kafka_destroy(reader->client);
	free(reader);
}
