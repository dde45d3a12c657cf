/*
 * span.c: the reader to a fixed end.
 *
 * The one idea: two clients. One asks for the logs' ends without minding transactions; the other reads committed records and is
 * done with a partition when its position has passed that end, so nothing that was committed before the question is missed.
 */
#include "worker/stream/span.h"

#include <librdkafka/rdkafka.h>
#include <stdlib.h>

#include "common/arena.h"
#include "common/clock.h"
#include "worker/stream/kafka_conf.h"
#include "worker/stream/progress_codec.h"

enum { QUESTION_MS = 10000, BATCH = 1000, MAX_PARTS = 20000 };

struct span {
	rd_kafka_t *reader, *asker;
	struct span_part *parts;
	int64_t *at; /* position of each */
	unsigned count, cap;
};

static enum rc open_client(const struct settings *settings, const char *isolation, rd_kafka_t **ret, struct err *err)
{
	char group[256];
	(void)snprintf(group, sizeof group, "%.*s", STR_ARG(settings->kafka.group)); /* the settings bound it */
	const char *const properties[][2] = {
		{"group.id", group[0] != '\0' ? group : "pointsman-span"}, /* to ask for its offsets; it is never joined */
		{"enable.auto.commit", "false"},
		{"enable.partition.eof", "true"},
		{"auto.offset.reset", "error"},
		{"isolation.level", isolation},
		{"fetch.wait.max.ms", "50"},
	};
	rd_kafka_conf_t *conf = NULL;
	enum rc rc = kafka_conf_base(settings, NULL, &conf, err);
	for (unsigned i = 0; i < sizeof properties / sizeof properties[0] && rc == RC_OK; i++)
		rc = kafka_conf_set(conf, properties[i][0], properties[i][1], err);
	if (rc != RC_OK) {
		if (conf != NULL)
			rd_kafka_conf_destroy(conf);
		return rc;
	}
	rc = kafka_conf_client(RD_KAFKA_CONSUMER, conf, ret, err);
	if (rc == RC_OK)
		(void)rd_kafka_poll_set_consumer(*ret); /* fails only for producers */
	return rc;
}

enum rc span_open(const struct settings *settings, struct span **ret, struct err *err)
{
	struct span *span = heap_zalloc(1, sizeof *span);
	enum rc rc = open_client(settings, "read_committed", &span->reader, err);
	if (rc == RC_OK)
		rc = open_client(settings, "read_uncommitted", &span->asker, err);
	if (rc != RC_OK) {
		span_close(span);
		return rc;
	}
	*ret = span;
	return RC_OK;
}

void span_close(struct span *span)
{
	if (span == NULL)
		return;
	if (span->reader != NULL)
		rd_kafka_destroy(span->reader);
	if (span->asker != NULL)
		rd_kafka_destroy(span->asker);
	for (unsigned i = 0; i < span->count; i++)
		free((char *)(uintptr_t)span->parts[i].topic);
	free(span->parts);
	free(span->at);
	free(span);
}

/* ---- what is to be read ---------------------------------------------------------------------------------------------- */

static enum rc partitions_of(rd_kafka_t *client, const char *topic, int *ret, struct err *err)
{
	const struct rd_kafka_metadata *metadata;
	rd_kafka_topic_t *handle = rd_kafka_topic_new(client, topic, NULL);
	if (handle == NULL)
		return err_set(err, RC_BAD_INPUT, "\"%s\" is not a topic name", topic);
	rd_kafka_resp_err_t code = rd_kafka_metadata(client, 0, handle, &metadata, QUESTION_MS);
	rd_kafka_topic_destroy(handle);
	if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
		return err_set(err, RC_UNAVAILABLE, "topic %s: %s", topic, rd_kafka_err2str(code));
	int count = metadata->topic_cnt == 1 && metadata->topics[0].err == RD_KAFKA_RESP_ERR_NO_ERROR ? metadata->topics[0].partition_cnt : 0;
	rd_kafka_metadata_destroy(metadata);
	if (count <= 0)
		return err_set(err, RC_BAD_INPUT, "there is no topic %s", topic);
	*ret = count;
	return RC_OK;
}

/* The first offset of that time or later; end when there is none. */
static enum rc offset_at(struct span *span, const struct span_part *part, int64_t time_ms, int64_t *ret, struct err *err)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
	rd_kafka_topic_partition_t *at = rd_kafka_topic_partition_list_add(list, part->topic, part->partition);
	at->offset = time_ms;
	rd_kafka_resp_err_t code = rd_kafka_offsets_for_times(span->asker, list, QUESTION_MS);
	if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
		code = at->err;
	if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
		*ret = at->offset >= 0 && at->offset < part->end ? at->offset : part->end;
	rd_kafka_topic_partition_list_destroy(list);
	return code == RD_KAFKA_RESP_ERR_NO_ERROR ? RC_OK : err_set(err, RC_UNAVAILABLE, "topic %s, partition %d: %s", part->topic, (int)part->partition, rd_kafka_err2str(code));
}

static enum rc add_part(struct span *span, const char *topic, int partition, int use, int64_t since_ms, int64_t until_ms, struct err *err)
{
	struct span_part part = {.topic = topic, .partition = partition, .use = use};
	rd_kafka_resp_err_t code = rd_kafka_query_watermark_offsets(span->asker, topic, partition, &part.low, &part.end, QUESTION_MS);
	if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
		return err_set(err, RC_UNAVAILABLE, "topic %s, partition %d: %s", topic, partition, rd_kafka_err2str(code));
	part.begin = part.low;
	enum rc rc = RC_OK;
	if (since_ms >= 0)
		rc = offset_at(span, &part, since_ms, &part.begin, err);
	if (rc == RC_OK && until_ms >= 0)
		rc = offset_at(span, &part, until_ms, &part.end, err);
	if (rc != RC_OK)
		return rc;
	if (part.end < part.begin)
		part.end = part.begin;
	if (span->count == span->cap) {
		span->cap = span->cap != 0 ? span->cap * 2 : 64;
		span->parts = heap_resize(span->parts, span->cap, sizeof *span->parts);
		span->at = heap_resize(span->at, span->cap, sizeof *span->at);
	}
	part.topic = heap_strdup(topic);
	span->at[span->count] = part.begin;
	span->parts[span->count++] = part;
	return RC_OK;
}

enum rc span_add(struct span *span, const char *topic, int use, int64_t since_ms, int64_t until_ms, struct err *err)
{
	int partitions = 0;
	enum rc rc = partitions_of(span->asker, topic, &partitions, err);
	if (rc == RC_OK && span->count + (unsigned)partitions > MAX_PARTS)
		rc = err_set(err, RC_BAD_INPUT, "more than %d partitions", MAX_PARTS);
	for (int i = 0; i < partitions && rc == RC_OK; i++)
		rc = add_part(span, topic, i, use, since_ms, until_ms, err);
	return rc;
}

unsigned span_parts(const struct span *span)
{
	return span->count;
}

const struct span_part *span_part(const struct span *span, unsigned index)
{
	return &span->parts[index];
}

int64_t span_total(const struct span *span)
{
	int64_t total = 0;
	for (unsigned i = 0; i < span->count; i++)
		total += span->parts[i].end - span->parts[i].begin;
	return total;
}

/* ---- reading --------------------------------------------------------------------------------------------------------- */

static enum rc assign(struct span *span, int use, struct err *err)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(16);
	for (unsigned i = 0; i < span->count; i++)
		if (span->parts[i].use == use && span->parts[i].begin < span->parts[i].end)
			rd_kafka_topic_partition_list_add(list, span->parts[i].topic, span->parts[i].partition)->offset = span->parts[i].begin;
	rd_kafka_resp_err_t code = rd_kafka_assign(span->reader, list);
	rd_kafka_topic_partition_list_destroy(list);
	return code == RD_KAFKA_RESP_ERR_NO_ERROR ? RC_OK : err_set(err, RC_FATAL, "the topics cannot be read: %s", rd_kafka_err2str(code));
}

static unsigned part_of(const struct span *span, const rd_kafka_message_t *m, unsigned last)
{
	const char *topic = rd_kafka_topic_name(m->rkt);
	if (last < span->count && span->parts[last].partition == m->partition && strcmp(span->parts[last].topic, topic) == 0)
		return last;
	for (unsigned i = 0; i < span->count; i++)
		if (span->parts[i].partition == m->partition && strcmp(span->parts[i].topic, topic) == 0)
			return i;
	return span->count;
}

struct reading {
	struct span *span;
	int use;
	int64_t total, left; /* offsets; parts that are not at their end */
	unsigned last;
	bool (*see)(void *ctx, const struct span_record *record, int64_t done);
	void *ctx;
};

static void move_to(struct reading *r, unsigned part, int64_t position)
{
	int64_t end = r->span->parts[part].end;
	int64_t to = position < end ? position : end;
	if (to > r->span->at[part]) {
		r->left -= to - r->span->at[part];
		r->span->at[part] = to;
	}
}

/* False: stop. */
static bool take(struct reading *r, const rd_kafka_message_t *m, struct err *err)
{
	if (m->rkt == NULL) /* the client's own word of a lost connection: it goes on by itself */
		return true;
	unsigned part = part_of(r->span, m, r->last);
	if (part == r->span->count || r->span->parts[part].use != r->use)
		return true;
	r->last = part;
	if (m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
		move_to(r, part, m->offset);
		return true;
	}
	if (m->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
		err_set(err, RC_UNAVAILABLE, "topic %s, partition %d: %s", r->span->parts[part].topic, (int)m->partition, rd_kafka_message_errstr(m));
		return m->err == RD_KAFKA_RESP_ERR__TRANSPORT || m->err == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN;
	}
	bool go_on = true;
	if (m->offset < r->span->parts[part].end) {
		struct span_record record = {.part = part, .offset = m->offset, .key = {m->key, m->key_len}, .value = {m->payload, m->len}, .message = m};
		record.timestamp_ms = rd_kafka_message_timestamp(m, NULL);
		go_on = r->see(r->ctx, &record, r->total - r->left);
	}
	move_to(r, part, m->offset + 1);
	return go_on;
}

static enum rc tell_stuck(const struct reading *r, int idle_ms, struct err *err)
{
	for (unsigned i = 0; i < r->span->count; i++) {
		const struct span_part *p = &r->span->parts[i];
		if (p->use == r->use && r->span->at[i] < p->end)
			return err_set(err, RC_UNAVAILABLE, "topic %s, partition %d: nothing came for %d s at offset %lld of %lld; is a transaction open there?",
			               p->topic, (int)p->partition, idle_ms / 1000, (long long)r->span->at[i], (long long)p->end);
	}
	return RC_OK;
}

enum rc span_read(struct span *span, int use, int idle_ms, bool (*see)(void *ctx, const struct span_record *record, int64_t done),
                  void *ctx, struct err *err)
{
	struct reading r = {.span = span, .use = use, .see = see, .ctx = ctx, .last = 0};
	for (unsigned i = 0; i < span->count; i++)
		if (span->parts[i].use == use)
			r.total += span->parts[i].end - span->parts[i].begin;
	r.left = r.total;
	if (r.left == 0)
		return RC_OK;
	enum rc rc = assign(span, use, err);
	if (rc != RC_OK)
		return rc;
	rd_kafka_queue_t *queue = rd_kafka_queue_get_consumer(span->reader);
	rd_kafka_message_t **messages = heap_zalloc(BATCH, sizeof *messages);
	int64_t moved_us = clock_mono_us();
	bool go_on = true;
	while (r.left > 0 && go_on) {
		int64_t before = r.left;
		ssize_t n = rd_kafka_consume_batch_queue(queue, 200, messages, BATCH);
		for (ssize_t i = 0; i < n; i++) {
			go_on = go_on && take(&r, messages[i], err);
			rd_kafka_message_destroy(messages[i]);
		}
		int64_t now_us = clock_mono_us();
		if (r.left < before)
			moved_us = now_us;
		else if (now_us - moved_us > (int64_t)idle_ms * 1000)
			break;
	}
	free(messages);
	rd_kafka_queue_destroy(queue);
	if (!go_on)
		return RC_UNAVAILABLE;
	return r.left == 0 ? RC_OK : tell_stuck(&r, idle_ms, err);
}

struct str span_header(const struct span_record *record, const char *name)
{
	rd_kafka_headers_t *headers;
	const void *value;
	size_t bytes;
	if (rd_kafka_message_headers(record->message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR ||
	    rd_kafka_header_get_last(headers, name, &value, &bytes) != RD_KAFKA_RESP_ERR_NO_ERROR)
		return STR_NULL;
	return (struct str){value, bytes};
}

/* ---- the group's progress -------------------------------------------------------------------------------------------- */

enum rc span_committed(struct span *span, const char *topic, int32_t partition, int timeout_ms, int64_t *ret_offset, bool *ret_known,
                       struct progress_snapshot *ret, struct err *err)
{
	struct progress_mark mark;
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
	rd_kafka_topic_partition_t *at = rd_kafka_topic_partition_list_add(list, topic, partition);
	/* this client reads committed records, and so its question waits for what is not stable */
	rd_kafka_resp_err_t code = rd_kafka_committed(span->reader, list, timeout_ms);
	if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
		code = at->err;
	if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
		*ret_offset = at->offset >= 0 ? at->offset : -1;
		*ret_known = at->offset >= 0 && progress_decode((struct str){at->metadata, at->metadata != NULL ? at->metadata_size : 0},
		                                                at->offset, ret, &mark, NULL) == RC_OK;
	}
	rd_kafka_topic_partition_list_destroy(list);
	return code == RD_KAFKA_RESP_ERR_NO_ERROR
	           ? RC_OK
	           : err_set(err, RC_UNAVAILABLE, "the group's progress in topic %s, partition %d: %s", topic, (int)partition, rd_kafka_err2str(code));
}
