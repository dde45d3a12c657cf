/*
 * stretch.c: reading to a fixed end.
 *
 * The one idea: the end is the last stable offset, so nothing below it can still be decided; a partition is over when a record
 * at or behind the end comes, or when the broker says that there is no more. Markers of transactions stand between records and
 * are never given, which is why counting to the end would wait for ever.
 */
#include "worker/stream/stretch.h"

#include <librdkafka/rdkafka.h>
#include <stdlib.h>

#include "common/arena.h"
#include "common/clock.h"
#include "worker/stream/kafka_conf.h"
#include "worker/stream/probe.h"

enum { ASK_TIMEOUT_MS = 15000, SILENT_US = 60 * 1000 * 1000 };

struct stretch {
	rd_kafka_t *client;
	rd_kafka_message_t *message; /* what the last record points into */
	struct arena arena;          /* topics' names */
	struct arena headers;        /* of the last record */
	struct stretch_part *parts;
	uint32_t count, left;
	int64_t heard_us; /* when a broker last gave anything */
};

uint32_t stretch_count(const struct stretch *stretch)
{
	return stretch->count;
}

struct stretch_part *stretch_part(struct stretch *stretch, uint32_t i)
{
	return &stretch->parts[i];
}

static enum rc ask_bounds(struct stretch *s, struct stretch_part *part, struct err *err)
{
	rd_kafka_resp_err_t code = rd_kafka_query_watermark_offsets(s->client, part->topic, part->number, &part->low, &part->end, ASK_TIMEOUT_MS);
	if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
		return err_set(err, RC_UNAVAILABLE, "topic %s: the bounds of partition %d: %s", part->topic, part->number, rd_kafka_err2str(code));
	part->from = part->at = part->low;
	return RC_OK;
}

static enum rc add_topic(struct stretch *s, const char *name, struct err *err)
{
	int32_t partitions;
	enum rc rc = probe_topic(s->client, name, ASK_TIMEOUT_MS, &partitions, err);
	if (rc != RC_OK)
		return rc;
	const char *kept = arena_cstr(&s->arena, str_of(name));
	s->parts = heap_resize(s->parts, (size_t)s->count + (size_t)partitions, sizeof *s->parts);
	for (int32_t i = 0; i < partitions && rc == RC_OK; i++) {
		s->parts[s->count] = (struct stretch_part){.topic = kept, .number = i};
		rc = ask_bounds(s, &s->parts[s->count++], err);
	}
	return rc;
}

static enum rc make_client(struct stretch *s, const struct settings *settings, const char *group, struct err *err)
{
	const char *const properties[][2] = {
		{"group.id", group},
		{"enable.auto.commit", "false"},
		{"isolation.level", "read_committed"},
		{"enable.partition.eof", "true"},
		{"auto.offset.reset", "earliest"}, /* what retention deletes meanwhile is passed over, not the rest */
		{"fetch.wait.max.ms", "100"},
	};
	rd_kafka_conf_t *conf;
	enum rc rc = kafka_conf_base(settings, NULL, &conf, err);
	if (rc != RC_OK)
		return rc;
	for (size_t i = 0; i < sizeof properties / sizeof properties[0] && rc == RC_OK; i++)
		rc = kafka_conf_set(conf, properties[i][0], properties[i][1], err);
	if (rc != RC_OK) {
		rd_kafka_conf_destroy(conf);
		return rc;
	}
	rc = kafka_conf_client(RD_KAFKA_CONSUMER, conf, &s->client, err);
	if (rc == RC_OK)
		(void)rd_kafka_poll_set_consumer(s->client); /* fails only for producers */
	return rc;
}

enum rc stretch_open(const struct settings *settings, const char *group, const char *const *topics, unsigned count,
                     struct stretch **ret, struct err *err)
{
	struct stretch *s = heap_zalloc(1, sizeof *s);
	arena_init(&s->arena, 0);
	arena_init(&s->headers, 0);
	enum rc rc = make_client(s, settings, group, err);
	for (unsigned i = 0; i < count && rc == RC_OK; i++)
		rc = add_topic(s, topics[i], err);
	if (rc != RC_OK) {
		stretch_close(s);
		return rc;
	}
	*ret = s;
	return RC_OK;
}

void stretch_close(struct stretch *s)
{
	if (s == NULL)
		return;
	if (s->message != NULL)
		rd_kafka_message_destroy(s->message);
	if (s->client != NULL)
		rd_kafka_destroy(s->client);
	arena_free(&s->headers);
	arena_free(&s->arena);
	free(s->parts);
	free(s);
}

static rd_kafka_topic_partition_list_t *list_of(const struct stretch *s, bool all)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)s->count);
	for (uint32_t i = 0; i < s->count; i++)
		if (all || !s->parts[i].over)
			rd_kafka_topic_partition_list_add(list, s->parts[i].topic, s->parts[i].number)->offset = s->parts[i].from;
	return list;
}

enum rc stretch_committed(struct stretch *s, int timeout_ms, void (*see)(void *ctx, uint32_t i, int64_t offset, struct str metadata),
                          void *ctx, struct err *err)
{
	rd_kafka_topic_partition_list_t *list = list_of(s, true);
	rd_kafka_resp_err_t code = rd_kafka_committed(s->client, list, timeout_ms);
	for (int i = 0; i < list->cnt && code == RD_KAFKA_RESP_ERR_NO_ERROR; i++)
		code = list->elems[i].err;
	for (int i = 0; i < list->cnt && code == RD_KAFKA_RESP_ERR_NO_ERROR; i++)
		if (list->elems[i].offset >= 0)
			see(ctx, (uint32_t)i, list->elems[i].offset, (struct str){list->elems[i].metadata, list->elems[i].metadata_size});
	rd_kafka_topic_partition_list_destroy(list);
	return code == RD_KAFKA_RESP_ERR_NO_ERROR ? RC_OK : err_set(err, RC_UNAVAILABLE, "the group's offsets: %s", rd_kafka_err2str(code));
}

enum rc stretch_begin(struct stretch *s, struct err *err)
{
	s->left = 0;
	for (uint32_t i = 0; i < s->count; i++) {
		struct stretch_part *part = &s->parts[i];
		part->at = part->from;
		part->over = part->from >= part->end;
		s->left += part->over ? 0 : 1;
	}
	rd_kafka_topic_partition_list_t *list = list_of(s, false);
	rd_kafka_resp_err_t code = rd_kafka_assign(s->client, list);
	rd_kafka_topic_partition_list_destroy(list);
	s->heard_us = clock_mono_us();
	return code == RD_KAFKA_RESP_ERR_NO_ERROR ? RC_OK : err_set(err, RC_FATAL, "the topics cannot be read: %s", rd_kafka_err2str(code));
}

bool stretch_is_over(const struct stretch *s)
{
	return s->left == 0;
}

void stretch_progress(const struct stretch *s, int64_t *ret_done, int64_t *ret_total)
{
	*ret_done = *ret_total = 0;
	for (uint32_t i = 0; i < s->count; i++) {
		const struct stretch_part *part = &s->parts[i];
		*ret_total += part->end - part->from;
		*ret_done += (part->over ? part->end : part->at) - part->from;
	}
}

void stretch_leave(struct stretch *s, uint32_t i)
{
	struct stretch_part *part = &s->parts[i];
	if (part->over)
		return;
	part->over = true;
	s->left--;
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
	(void)rd_kafka_topic_partition_list_add(list, part->topic, part->number); /* the new element needs nothing more */
	(void)rd_kafka_pause_partitions(s->client, list); /* saves fetching; what comes all the same is dropped */
	rd_kafka_topic_partition_list_destroy(list);
}

static uint32_t find_part(const struct stretch *s, const rd_kafka_message_t *m)
{
	uint32_t i = 0;
	while (i < s->count && (s->parts[i].number != m->partition || strcmp(s->parts[i].topic, rd_kafka_topic_name(m->rkt)) != 0))
		i++;
	return i;
}

static void read_headers(struct stretch *s, struct record *rec)
{
	rd_kafka_headers_t *headers;
	if (rd_kafka_message_headers(s->message, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR)
		return; /* it has none */
	size_t count = rd_kafka_header_cnt(headers);
	rec->headers = arena_array(&s->headers, count + 1, sizeof *rec->headers);
	for (size_t i = 0; i < count; i++) {
		const char *name;
		const void *value;
		size_t size;
		if (rd_kafka_header_get_all(headers, i, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR)
			rec->headers[rec->header_count++] = (struct header){str_of(name), {value, size}};
	}
}

static void read_record(struct stretch *s, const struct stretch_part *part, struct record *ret)
{
	const rd_kafka_message_t *m = s->message;
	rd_kafka_timestamp_type_t type;
	*ret = (struct record){.topic = str_of(part->topic), .partition = m->partition, .offset = m->offset, .key = {m->key, m->key_len},
	                       .value = {m->payload, m->len}};
	ret->timestamp_ms = rd_kafka_message_timestamp(m, &type);
	ret->timestamp_type = (uint8_t)type;
	read_headers(s, ret);
}

/* What is not a record: the end of a partition, or an error of which the client tells. */
static enum rc take_event(struct stretch *s, const rd_kafka_message_t *m, struct err *err)
{
	if (m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
		uint32_t i = find_part(s, m);
		s->heard_us = clock_mono_us();
		if (i < s->count && !s->parts[i].over) {
			s->parts[i].at = s->parts[i].end;
			stretch_leave(s, i);
		}
		return RC_AGAIN;
	}
	if (m->err == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED || m->err == RD_KAFKA_RESP_ERR__FATAL ||
	    m->err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART)
		return err_set(err, RC_FATAL, "the topics cannot be read: %s", rd_kafka_message_errstr(m));
	return RC_AGAIN; /* brokers come back; the silence is bounded */
}

enum rc stretch_next(struct stretch *s, int timeout_ms, struct record *ret, uint32_t *ret_i, struct err *err)
{
	if (s->message != NULL)
		rd_kafka_message_destroy(s->message);
	arena_reset(&s->headers);
	s->message = rd_kafka_consumer_poll(s->client, timeout_ms);
	if (s->message == NULL) {
		if (clock_mono_us() - s->heard_us > SILENT_US)
			return err_set(err, RC_UNAVAILABLE, "the brokers have given nothing for %d s", SILENT_US / 1000000);
		return RC_AGAIN;
	}
	if (s->message->err != RD_KAFKA_RESP_ERR_NO_ERROR)
		return take_event(s, s->message, err);
	s->heard_us = clock_mono_us();
	uint32_t i = find_part(s, s->message);
	if (i == s->count || s->parts[i].over)
		return RC_AGAIN;
	struct stretch_part *part = &s->parts[i];
	if (s->message->offset >= part->end) {
		part->at = part->end;
		stretch_leave(s, i);
		return RC_AGAIN;
	}
	read_record(s, part, ret);
	*ret_i = i;
	part->at = s->message->offset + 1;
	if (part->at >= part->end)
		stretch_leave(s, i);
	return RC_OK;
}
