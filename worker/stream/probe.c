/*
 * probe.c: does this broker keep the promise's half?
 *
 * The one idea: a broker below 2.5 lets a transaction commit offsets for a member that was thrown out long ago, and no public
 * call tells its version; so it is tried, with a member that never was, in a transaction that is aborted.
 */
#include "worker/stream/probe.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/arena.h"
#include "common/fault.h"

enum { SLICE_MS = 1000, TRIES = 30, SEND_TRIES = 10, HANG_S = 20, PAUSE_MS = 200, PATIENCE = 4 };

static enum rc failed(rd_kafka_error_t *error, const char *what, struct err *err)
{
	(void)err_set(err, RC_UNAVAILABLE, "%s: %s", what, rd_kafka_error_string(error));
	rd_kafka_error_destroy(error);
	return RC_UNAVAILABLE;
}

static rd_kafka_error_t *send_invented(rd_kafka_t *producer, const char *group, const char *topic)
{
	rd_kafka_topic_partition_list_t *offsets = rd_kafka_topic_partition_list_new(1);
	rd_kafka_topic_partition_list_add(offsets, topic, 0)->offset = 0;
	rd_kafka_consumer_group_metadata_t *invented = rd_kafka_consumer_group_metadata_new_with_genid(group, 1, "pointsman-probe", NULL);
	rd_kafka_error_t *error = NULL;
	for (int i = 0; i < SEND_TRIES; i++) {
		FAULT_POINT("inside_probe");
		error = rd_kafka_send_offsets_to_transaction(producer, offsets, invented, SLICE_MS);
		if (error == NULL || !rd_kafka_error_is_retriable(error) || i == SEND_TRIES - 1)
			break;
		rd_kafka_error_destroy(error);
	}
	rd_kafka_consumer_group_metadata_destroy(invented);
	rd_kafka_topic_partition_list_destroy(offsets);
	return error;
}

static enum rc abort_probe(rd_kafka_t *producer, struct err *err)
{
	for (int i = 0;; i++) {
		rd_kafka_error_t *error = rd_kafka_abort_transaction(producer, SLICE_MS);
		if (error == NULL)
			return RC_OK;
		if (i == TRIES || !rd_kafka_error_is_retriable(error))
			return failed(error, "abort of the fencing probe", err);
		rd_kafka_error_destroy(error);
	}
}

/* A question to a coordinator that was not there when it was asked (the first of a fresh broker, which only then makes the
 * topic of offsets) is never answered, so it must run out of time and be asked anew. But librdkafka aborts (its issue 4605)
 * when one has run out of time and the coordinator comes back later: so each has time enough for a coordinator that moves. */
static void ask_coordinator(rd_kafka_t *rk, rd_kafka_queue_t *queue, const char *group, int timeout_ms)
{
	const char *groups[] = {group};
	char why[256];
	rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(rk, RD_KAFKA_ADMIN_OP_DESCRIBECONSUMERGROUPS);
	(void)rd_kafka_AdminOptions_set_request_timeout(options, timeout_ms, why, sizeof why); /* cannot fail: it is in range */
	rd_kafka_DescribeConsumerGroups(rk, groups, 1, options, queue);
	rd_kafka_AdminOptions_destroy(options);
}

/* Does the coordinator answer for this group? One that it does not know is an answer. Destroys the event. */
static enum rc take_answer(rd_kafka_event_t *event, const char *group, struct err *err)
{
	size_t count = 0;
	const rd_kafka_ConsumerGroupDescription_t **described = NULL;
	if (rd_kafka_event_error(event) == RD_KAFKA_RESP_ERR_NO_ERROR)
		described = rd_kafka_DescribeConsumerGroups_result_groups(rd_kafka_event_DescribeConsumerGroups_result(event), &count);
	const rd_kafka_error_t *error = count == 1 ? rd_kafka_ConsumerGroupDescription_error(described[0]) : NULL;
	enum rc rc = RC_OK;
	if (count != 1 || (error != NULL && rd_kafka_error_code(error) != RD_KAFKA_RESP_ERR_GROUP_ID_NOT_FOUND))
		rc = err_set(err, RC_UNAVAILABLE, "the coordinator of group %s: %s", group,
		             error != NULL ? rd_kafka_error_string(error) : rd_kafka_event_error_string(event));
	rd_kafka_event_destroy(event);
	return rc;
}

/* Sending offsets to a coordinator that is not there yet can hang for minutes and cannot be cancelled; asking can. What is
 * asked is not the group's offsets: newer libraries (seen with 2.16.0) read through a null pointer when a coordinator that is
 * still loading answers that question to a producer. */
static enum rc wait_for_coordinator(rd_kafka_t *rk, const char *group, struct err *err)
{
	rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
	enum rc rc = err_set(err, RC_UNAVAILABLE, "the coordinator of group %s does not answer", group);
	ask_coordinator(rk, queue, group, PATIENCE * SLICE_MS);
	for (int i = 0; i < TRIES && rc != RC_OK; i++) {
		rd_kafka_event_t *event = rd_kafka_queue_poll(queue, SLICE_MS);
		if (event == NULL)
			continue;
		rc = take_answer(event, group, err);
		if (rc == RC_OK)
			break;
		nanosleep(&(struct timespec){.tv_nsec = PAUSE_MS * 1000000L}, NULL);
		ask_coordinator(rk, queue, group, PATIENCE * SLICE_MS);
	}
	rd_kafka_queue_destroy(queue);
	return rc;
}

static enum rc try_fencing(rd_kafka_t *producer, const char *group, const char *topic, struct err *err)
{
	enum rc rc = RC_OK;
	rd_kafka_error_t *error = rd_kafka_begin_transaction(producer);
	if (error != NULL)
		return failed(error, "fencing probe", err);
	error = send_invented(producer, group, topic);
	rd_kafka_resp_err_t code = error != NULL ? rd_kafka_error_code(error) : RD_KAFKA_RESP_ERR_NO_ERROR;
	/* a group that has been used and is empty objects to the generation instead */
	bool fences = code == RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID || code == RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION;
	bool accepted = error == NULL;
	if (accepted)
		rc = err_set(err, RC_FATAL,
		             "this broker takes offsets from a member that does not exist, so two workers could commit the same record "
		             "twice; exactly once needs Kafka 2.5 or newer (kafka.delivery: at_least_once works with this one)");
	else if (!fences)
		rc = err_set(err, RC_UNAVAILABLE, "fencing probe for group %s: %s", group, rd_kafka_error_string(error));
	if (error != NULL)
		rd_kafka_error_destroy(error);
	enum rc aborted = abort_probe(producer, rc == RC_OK ? err : NULL);
	return rc != RC_OK ? rc : aborted;
}

/* What the thread of a trial works on; its own, for it may outlive the caller. */
struct trial {
	rd_kafka_t *producer;
	char *group, *topic;
	enum rc rc;
	struct err err;
};

static void *run_trial(void *arg)
{
	struct trial *t = arg;
	t->rc = try_fencing(t->producer, t->group, t->topic, &t->err);
	return NULL;
}

enum rc probe_fencing(rd_kafka_t *producer, const char *group, const char *topic, struct err *err)
{
	enum rc rc = wait_for_coordinator(producer, group, err);
	if (rc != RC_OK)
		return rc;
	struct trial *t = heap_zalloc(1, sizeof *t);
	*t = (struct trial){.producer = producer, .group = heap_strdup(group), .topic = heap_strdup(topic)};
	pthread_t thread;
	struct timespec until;
	if (pthread_create(&thread, NULL, run_trial, t) != 0) {
		rc = err_set(err, RC_FATAL, "no thread for the fencing probe: raise the limit of processes");
	} else {
		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_sec += HANG_S;
		if (pthread_clockjoin_np(thread, NULL, CLOCK_MONOTONIC, &until) != 0) {
			pthread_detach(thread); /* it keeps t: whether and when it comes back is not known */
			return err_set(err, RC_AGAIN, "fencing probe for group %s: the broker has not answered for %d s", group, HANG_S);
		}
		rc = t->rc;
		if (rc != RC_OK && err != NULL)
			*err = t->err;
	}
	free(t->group);
	free(t->topic);
	free(t);
	return rc;
}

enum rc probe_topic(rd_kafka_t *rk, const char *topic, int timeout_ms, int32_t *ret_partitions, struct err *err)
{
	rd_kafka_topic_t *handle = rd_kafka_topic_new(rk, topic, NULL);
	if (handle == NULL)
		return err_set(err, RC_BAD_INPUT, "topic \"%s\": %s", topic, rd_kafka_err2str(rd_kafka_last_error()));
	const struct rd_kafka_metadata *md;
	rd_kafka_resp_err_t got = rd_kafka_metadata(rk, 0, handle, &md, timeout_ms);
	rd_kafka_topic_destroy(handle);
	if (got != RD_KAFKA_RESP_ERR_NO_ERROR)
		return err_set(err, RC_UNAVAILABLE, "no broker answers: %s", rd_kafka_err2str(got));
	rd_kafka_resp_err_t of_topic = md->topic_cnt == 1 ? md->topics[0].err : RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
	int32_t partitions = md->topic_cnt == 1 ? (int32_t)md->topics[0].partition_cnt : 0;
	rd_kafka_metadata_destroy(md);
	if (of_topic == RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE)
		return err_set(err, RC_UNAVAILABLE, "topic %s has no leader yet", topic);
	if (of_topic != RD_KAFKA_RESP_ERR_NO_ERROR || partitions == 0)
		return err_set(err, RC_BAD_INPUT, "topic %s: %s", topic, rd_kafka_err2str(of_topic));
	*ret_partitions = partitions;
	return RC_OK;
}
