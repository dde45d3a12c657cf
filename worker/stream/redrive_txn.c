/*
 * redrive_txn.c: the steps of a redrive's transactions.
 *
 * The one idea: only "call again" is obeyed. Whatever else goes wrong ends the run, because the next one, once it has the
 * transactional id, finds out what was committed; no outcome has to be guessed here.
 */
#include "worker/stream/redrive_txn.h"

#include <stdio.h>

#include "common/clock.h"
#include "common/fault.h"

enum {
	SLICE_MS = 1000,
	POLL_MS = 100,
	GIVE_UP_US = 60 * 1000 * 1000,
	TRANSACTION_US = 1000 * 1000 /* a slow source must not let the broker time it out */
};

static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *msg, void *opaque)
{
	(void)rk; /* the callback's form asks for it */
	if (msg->err != RD_KAFKA_RESP_ERR_NO_ERROR && msg->err != RD_KAFKA_RESP_ERR__PURGE_QUEUE && msg->err != RD_KAFKA_RESP_ERR__PURGE_INFLIGHT)
		((struct redrive_txn *)((struct kafka_client *)opaque)->owner)->refused = msg->err;
}

enum rc redrive_txn_open(struct redrive_txn *t, const struct settings *settings, const char *task, struct err *err)
{
	char id[600];
	rd_kafka_conf_t *conf;
	*t = (struct redrive_txn){.settings = settings, .task = task, .client = {.owner = t}};
	(void)snprintf(id, sizeof id, "%.*s/%s", STR_ARG(settings->kafka.group), task); /* names are at most 249 long */
	enum rc rc = kafka_conf_producer(settings, &t->client, id, &conf, err);
	if (rc != RC_OK)
		return rc;
	/* One request at a time, so that no batch can overtake the one before it. Once, in a partition made a moment ago, a batch that
	 * counted as delivered was not found after the commit. It may have been looked for before the commit's marker was written; speed
	 * is not worth the doubt here. */
	rc = kafka_conf_set(conf, "max.in.flight.requests.per.connection", "1", err);
	if (rc != RC_OK) {
		rd_kafka_conf_destroy(conf);
		return rc;
	}
	rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
	return kafka_conf_client(RD_KAFKA_PRODUCER, conf, &t->producer, err);
}

static bool is_fenced(const struct redrive_txn *t, rd_kafka_resp_err_t code)
{
	char text[256];
	rd_kafka_resp_err_t fatal = rd_kafka_fatal_error(t->producer, text, sizeof text);
	return code == RD_KAFKA_RESP_ERR__FENCED || code == RD_KAFKA_RESP_ERR_PRODUCER_FENCED || fatal == RD_KAFKA_RESP_ERR__FENCED ||
	       fatal == RD_KAFKA_RESP_ERR_PRODUCER_FENCED || fatal == RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH;
}

static enum rc words_of(const struct redrive_txn *t, rd_kafka_resp_err_t code, const char *text, const char *what, struct err *err)
{
	if (is_fenced(t, code))
		return err_set(err, RC_FATAL, "another %s of group %.*s was started and has taken over; only one can be at work", t->task,
		               STR_ARG(t->settings->kafka.group));
	if (t->refused != RD_KAFKA_RESP_ERR_NO_ERROR)
		return err_set(err, RC_UNAVAILABLE, "%s: a record was refused: %s", what, rd_kafka_err2str(t->refused));
	return err_set(err, RC_UNAVAILABLE, "%s: %s", what, text);
}

/* Destroys the error. RC_AGAIN: the same call goes on where it was. */
static enum rc sort_error(const struct redrive_txn *t, rd_kafka_error_t *error, const char *what, struct err *err)
{
	if (error == NULL)
		return RC_OK;
	bool again = rd_kafka_error_is_retriable(error) && !rd_kafka_error_is_fatal(error) && !rd_kafka_error_txn_requires_abort(error);
	enum rc rc = words_of(t, rd_kafka_error_code(error), rd_kafka_error_string(error), what, err);
	rd_kafka_error_destroy(error);
	return again ? RC_AGAIN : rc;
}

/* Another try is due. */
static bool goes_on(enum rc rc, int64_t since_us)
{
	return rc == RC_AGAIN && clock_mono_us() - since_us < GIVE_UP_US;
}

static enum rc final(enum rc rc)
{
	return rc == RC_AGAIN ? RC_UNAVAILABLE : rc;
}

enum rc redrive_txn_take(struct redrive_txn *t, bool (*stop)(void *ctx), void *ctx, struct err *err)
{
	int64_t since_us = clock_mono_us();
	enum rc rc;
	do
		rc = sort_error(t, rd_kafka_init_transactions(t->producer, SLICE_MS), "no transactional producer", err);
	while (goes_on(rc, since_us) && !stop(ctx));
	return final(rc);
}

enum rc redrive_txn_begin(struct redrive_txn *t, struct err *err)
{
	if (t->begun)
		return RC_OK;
	FAULT_POINT("before_begin");
	enum rc rc = final(sort_error(t, rd_kafka_begin_transaction(t->producer), "begin", err));
	t->begun = rc == RC_OK;
	t->begun_us = clock_mono_us();
	t->count = 0;
	t->bytes = 0;
	return rc;
}

static rd_kafka_headers_t *headers_of(const struct record *rec)
{
	rd_kafka_headers_t *list = rd_kafka_headers_new(rec->header_count);
	for (uint32_t i = 0; i < rec->header_count; i++)
		(void)rd_kafka_header_add(list, rec->headers[i].name.data, (ssize_t)rec->headers[i].name.len, rec->headers[i].value.data,
		                          (ssize_t)rec->headers[i].value.len); /* fails for read-only lists only */
	return list;
}

enum rc redrive_txn_send(struct redrive_txn *t, const char *topic, int32_t partition, const struct record *rec, struct err *err)
{
	rd_kafka_headers_t *headers = headers_of(rec);
	rd_kafka_resp_err_t code;
	for (;;) {
		code = rd_kafka_producev(t->producer, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(partition), RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
		                         RD_KAFKA_V_KEY(rec->key.data, rec->key.len),
		                         RD_KAFKA_V_VALUE((void *)(uintptr_t)rec->value.data, rec->value.len), RD_KAFKA_V_HEADERS(headers),
		                         RD_KAFKA_V_END);
		if (code != RD_KAFKA_RESP_ERR__QUEUE_FULL)
			break;
		(void)rd_kafka_poll(t->producer, POLL_MS); /* the number of events served says nothing here */
	}
	if (code == RD_KAFKA_RESP_ERR_NO_ERROR) { /* the headers are the message's now */
		t->count++;
		t->bytes += rec->value.len + rec->key.len;
		return RC_OK;
	}
	rd_kafka_headers_destroy(headers);
	return code == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE ? RC_BAD_INPUT : words_of(t, code, rd_kafka_err2str(code), topic, err);
}

bool redrive_txn_is_due(const struct redrive_txn *t)
{
	return t->begun && (t->count >= t->settings->commit.max_records || (int64_t)t->bytes >= t->settings->commit.max_bytes ||
	                    clock_mono_us() - t->begun_us >= TRANSACTION_US);
}

static enum rc send_offsets(struct redrive_txn *t, const rd_kafka_topic_partition_list_t *offsets, const char *group, struct err *err)
{
	rd_kafka_consumer_group_metadata_t *metadata = rd_kafka_consumer_group_metadata_new(group);
	int64_t since_us = clock_mono_us();
	enum rc rc;
	do
		rc = sort_error(t, rd_kafka_send_offsets_to_transaction(t->producer, offsets, metadata, SLICE_MS), "what was done cannot be noted",
		                err);
	while (goes_on(rc, since_us));
	rd_kafka_consumer_group_metadata_destroy(metadata);
	return final(rc);
}

enum rc redrive_txn_commit(struct redrive_txn *t, const rd_kafka_topic_partition_list_t *offsets, const char *group, struct err *err)
{
	FAULT_POINT("after_produce");
	enum rc rc = offsets->cnt != 0 ? send_offsets(t, offsets, group, err) : RC_OK;
	if (rc != RC_OK)
		return rc;
	FAULT_POINT("after_send_offsets");
	FAULT_POINT("inside_commit"); /* with a delay: death comes while the call is under way */
	int64_t since_us = clock_mono_us();
	do
		rc = sort_error(t, rd_kafka_commit_transaction(t->producer, SLICE_MS), "commit", err);
	while (goes_on(rc, since_us));
	t->begun = t->begun && rc != RC_OK;
	return final(rc);
}

void redrive_txn_close(struct redrive_txn *t)
{
	if (t->producer == NULL)
		return;
	struct err ignored; /* fenced or away: the broker ends the transaction by its own timeout */
	int64_t since_us = clock_mono_us();
	while (t->begun && goes_on(sort_error(t, rd_kafka_abort_transaction(t->producer, SLICE_MS), "abort", &ignored), since_us))
		;
	(void)rd_kafka_purge(t->producer, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT); /* destroy frees what is left */
	rd_kafka_destroy(t->producer);
	t->producer = NULL;
}
