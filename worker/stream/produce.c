/*
 * produce.c: outputs to messages.
 *
 * The one idea: where the output topic has as many partitions as the input, an output goes to the partition number of its
 * source, so input, responses and audits are co-partitioned and a transaction touches few partitions; else by key, as Java
 * would. Topic handles and counts are kept, so a record costs no look-up by name beyond a short list.
 */
#include "worker/stream/produce.h"

#include <stdlib.h>

#include "common/clock.h"

enum { METADATA_TIMEOUT_MS = 1000, MISSING_FOR_US = 10 * 1000 * 1000, COUNTS_FOR_US = 60 * 1000 * 1000 };

struct topic {
	struct topic *next;
	rd_kafka_topic_t *handle;
	char *name;
	size_t name_len;
	int32_t partitions; /* 0: does not exist */
	int64_t asked_us;
	uint32_t missed; /* answers in a row that it does not exist: the first may be a broker's that has not heard of it yet */
};

struct produce {
	rd_kafka_t *rk;
	struct log *log;
	struct topic *topics;
};

struct produce *produce_new(rd_kafka_t *rk, struct log *log)
{
	struct produce *p = heap_zalloc(1, sizeof *p);
	p->rk = rk;
	p->log = log;
	return p;
}

void produce_free(struct produce *p)
{
	if (p == NULL)
		return;
	for (struct topic *t = p->topics, *next; t != NULL; t = next) {
		next = t->next;
		rd_kafka_topic_destroy(t->handle);
		free(t->name);
		free(t);
	}
	free(p);
}

static struct topic *find_topic(const struct produce *p, struct str name)
{
	for (struct topic *t = p->topics; t != NULL; t = t->next)
		if (t->name_len == name.len && memcmp(t->name, name.data, name.len) == 0)
			return t;
	return NULL;
}

static struct topic *add_topic(struct produce *p, struct str name, struct err *why)
{
	char *cname = heap_zalloc(name.len + 1, 1);
	memcpy(cname, name.data, name.len);
	rd_kafka_topic_t *handle = rd_kafka_topic_new(p->rk, cname, NULL);
	if (handle == NULL) {
		(void)err_set(why, RC_BAD_INPUT, "topic %s: %s", cname, rd_kafka_err2str(rd_kafka_last_error()));
		free(cname);
		return NULL;
	}
	struct topic *t = heap_zalloc(1, sizeof *t);
	*t = (struct topic){.next = p->topics, .handle = handle, .name = cname, .name_len = name.len};
	p->topics = t;
	return t;
}

static enum rc ask_partitions(struct produce *p, struct topic *t, struct err *why)
{
	const struct rd_kafka_metadata *md;
	rd_kafka_resp_err_t err = rd_kafka_metadata(p->rk, 0, t->handle, &md, METADATA_TIMEOUT_MS);
	if (err != RD_KAFKA_RESP_ERR_NO_ERROR)
		return err_set(why, RC_UNAVAILABLE, "the partitions of topic %s: %s", t->name, rd_kafka_err2str(err));
	rd_kafka_resp_err_t topic_err = md->topic_cnt == 1 ? md->topics[0].err : RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
	int32_t partitions = md->topic_cnt == 1 ? (int32_t)md->topics[0].partition_cnt : 0;
	rd_kafka_metadata_destroy(md);
	if (topic_err != RD_KAFKA_RESP_ERR_NO_ERROR && !produce_is_refusal(topic_err))
		return err_set(why, RC_UNAVAILABLE, "the partitions of topic %s: %s", t->name, rd_kafka_err2str(topic_err));
	t->asked_us = clock_mono_us();
	t->partitions = topic_err == RD_KAFKA_RESP_ERR_NO_ERROR ? partitions : 0;
	t->missed = t->partitions > 0 ? 0 : t->missed + 1;
	if (t->partitions == 0)
		return err_set(why, RC_BAD_INPUT, "topic %s: %s", t->name, rd_kafka_err2str(topic_err));
	return RC_OK;
}

/* Topics grow while the worker runs, and co-partitioning with them. An answer that does not come, or says less, changes
 * nothing: the old count is still the best there is. */
static void recount(struct produce *p, struct topic *t)
{
	struct err ignored;
	int32_t before = t->partitions;
	if (clock_mono_us() - t->asked_us < COUNTS_FOR_US)
		return;
	(void)ask_partitions(p, t, &ignored); /* looked at by its effect */
	t->asked_us = clock_mono_us();
	if (t->partitions < before)
		t->partitions = before;
	else if (t->partitions > before)
		log_info(p->log, "stream", "a topic has grown", LOG_C("topic", t->name), LOG_I("partitions", t->partitions));
}

static enum rc know_topic(struct produce *p, struct str name, struct err *why)
{
	struct topic *t = find_topic(p, name);
	if (t == NULL && (t = add_topic(p, name, why)) == NULL)
		return RC_BAD_INPUT;
	if (t->partitions > 0) {
		recount(p, t);
		return RC_OK;
	}
	if (t->missed > 1 && clock_mono_us() - t->asked_us < MISSING_FOR_US)
		return err_set(why, RC_BAD_INPUT, "topic %s does not exist, or may not be written; pointsman topics --create makes it", t->name);
	return ask_partitions(p, t, why);
}

enum rc produce_check(struct produce *p, const struct job *job, struct err *why)
{
	for (const struct output *o = job->outputs; o != NULL; o = o->next) {
		enum rc rc = know_topic(p, o->topic, why);
		if (rc != RC_OK)
			return rc;
	}
	/* the input's own count decides co-partitioning; not knowing it only means "by key" */
	struct err ignored;
	(void)know_topic(p, job->rec.topic, &ignored); /* said by the consumer, if at all */
	return RC_OK;
}

static int32_t partition_for(const struct produce *p, const struct job *job, const struct output *o, const struct topic *t)
{
	if (o->partition >= 0)
		return o->partition;
	const struct topic *input = find_topic(p, job->rec.topic);
	if (input != NULL && input->partitions == t->partitions && job->rec.partition < t->partitions)
		return job->rec.partition;
	return RD_KAFKA_PARTITION_UA;
}

static rd_kafka_headers_t *headers_of(const struct output *o)
{
	if (o->header_count == 0)
		return NULL;
	rd_kafka_headers_t *headers = rd_kafka_headers_new(o->header_count);
	for (uint32_t i = 0; i < o->header_count; i++) {
		const struct header *h = &o->headers[i];
		(void)rd_kafka_header_add(headers, h->name.data, (ssize_t)h->name.len, h->value.data,
		                          (ssize_t)h->value.len); /* fails for read-only lists only */
	}
	return headers;
}

bool produce_is_refusal(rd_kafka_resp_err_t err)
{
	switch (err) {
	case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
	case RD_KAFKA_RESP_ERR_INVALID_MSG:
	case RD_KAFKA_RESP_ERR_INVALID_RECORD:
	case RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE:
	case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
	case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
	case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
	case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION:
	case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
	case RD_KAFKA_RESP_ERR_POLICY_VIOLATION:
	case RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP:
		return true;
	default:
		return false;
	}
}

enum rc produce_job(struct produce *p, const struct job *job, const struct output **at, struct err *why)
{
	for (; *at != NULL; *at = (*at)->next) {
		const struct output *o = *at;
		const struct topic *t = find_topic(p, o->topic);
		if (t == NULL)
			return err_set(why, RC_BAD_INPUT, "topic %.*s is not known", STR_ARG(o->topic));
		rd_kafka_headers_t *headers = headers_of(o);
		rd_kafka_resp_err_t err = rd_kafka_producev(
		    p->rk, RD_KAFKA_V_RKT(t->handle), RD_KAFKA_V_PARTITION(partition_for(p, job, o, t)), RD_KAFKA_V_MSGFLAGS(0),
		    RD_KAFKA_V_KEY(o->key.data, o->key.len), RD_KAFKA_V_VALUE((void *)(uintptr_t)o->value.data, o->value.len),
		    RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_OPAQUE((void *)(uintptr_t)job), RD_KAFKA_V_END);
		if (err == RD_KAFKA_RESP_ERR_NO_ERROR)
			continue; /* the headers are the message's now */
		if (headers != NULL)
			rd_kafka_headers_destroy(headers);
		if (err == RD_KAFKA_RESP_ERR__QUEUE_FULL)
			return RC_AGAIN;
		if (produce_is_refusal(err))
			return err_set(why, RC_BAD_INPUT, "topic %s: %s (%zu bytes)", t->name, rd_kafka_err2str(err), o->value.len);
		bool dead = err == RD_KAFKA_RESP_ERR__FATAL || err == RD_KAFKA_RESP_ERR__FENCED;
		return err_set(why, dead ? RC_FATAL : RC_UNAVAILABLE, "topic %s: %s", t->name, rd_kafka_err2str(err));
	}
	return RC_OK;
}
