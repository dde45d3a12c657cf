/*
 * joining.c: the consumer's life: made and subscribed, given up when it is dead, and led out of the group.
 *
 * The one idea: a consumer is replaced as a whole. Whatever it held is lost with it at once (the leases die first, so nothing of
 * them is committed later), and the next one begins from what the group has.
 *
 * It does not answer rebalances while the worker runs: assignment.c does.
 */
#include "worker/stream/joining.h"

#include "common/clock.h"
#include "worker/stream/assignment.h"
#include "worker/stream/core.h"
#include "worker/stream/kafka_conf.h"
#include "worker/stream/membership.h"

enum { LEAVE_MS = 5000 };

rd_kafka_resp_err_t joining_subscribe(struct stream *s)
{
	const struct str_list *input = &s->settings->input.topics;
	rd_kafka_topic_partition_list_t *topics = rd_kafka_topic_partition_list_new((int)input->count);
	for (uint32_t i = 0; i < input->count; i++)
		rd_kafka_topic_partition_list_add(topics, s->topic_names[i], RD_KAFKA_PARTITION_UA);
	rd_kafka_resp_err_t got = rd_kafka_subscribe(s->consumer, topics);
	rd_kafka_topic_partition_list_destroy(topics);
	return got;
}

/* Thread: librdkafka's. Must not call librdkafka. */
static void on_consumer_queue(rd_kafka_t *rk, void *opaque)
{
	(void)rk; /* the callback's form asks for it */
	struct stream *s = opaque;
	atomic_store_explicit(&s->events_ready, true, memory_order_release);
	stream_wake(s);
}

enum rc joining_begin(struct stream *s, struct err *err)
{
	rd_kafka_conf_t *conf;
	enum rc rc = kafka_conf_consumer(s->settings, &s->client, &conf, err);
	if (rc == RC_OK)
		rc = kafka_conf_client(RD_KAFKA_CONSUMER, conf, &s->consumer, err);
	if (rc != RC_OK)
		return rc;
	rd_kafka_poll_set_consumer(s->consumer); /* cannot fail for a consumer with a group */
	s->consumer_queue = rd_kafka_queue_get_consumer(s->consumer);
	s->answers_queue = rd_kafka_queue_new(s->consumer);
	rd_kafka_queue_cb_event_enable(s->consumer_queue, on_consumer_queue, s);
	rd_kafka_queue_cb_event_enable(s->answers_queue, on_consumer_queue, s);
	s->rebalance_due = s->settings->kafka.instance.data != NULL && s->settings->kafka.classic_protocol;
	rd_kafka_resp_err_t got = joining_subscribe(s);
	if (got == RD_KAFKA_RESP_ERR_NO_ERROR)
		return RC_OK;
	joining_lose_all(s);
	return err_set(err, RC_BAD_INPUT, "subscribing to the input topics: %s", rd_kafka_err2str(got));
}

/* librdkafka below 2.3.0 aborts when a consumer is destroyed between its join and its first assignment (its issue 4312). Such
 * a one is only silenced, and left to the end of the process. */
static void destroy_consumer(rd_kafka_t *consumer, bool was_assigned)
{
	if (was_assigned || rd_kafka_version() >= 0x02030000)
		rd_kafka_destroy_flags(consumer, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
	else
		rd_kafka_set_log_level(consumer, 0); /* what it logs with may go before it */
}

void joining_lose_all(struct stream *s)
{
	bool was_assigned = s->assigned;
	rd_kafka_topic_partition_list_t *ignored = rd_kafka_topic_partition_list_new(1); /* the consumer goes as a whole */
	for (uint32_t i = 0; i < s->partition_count; i++) {
		struct partition *p = s->partitions[i];
		if (p->state == PARTITION_AWAY)
			continue;
		partition_set_lease(p, LEASE_DEAD, true);
		partition_forget(p, PARTITION_AWAY, ignored);
	}
	rd_kafka_topic_partition_list_destroy(ignored);
	if (s->revoke.list != NULL)
		rd_kafka_topic_partition_list_destroy(s->revoke.list);
	s->revoke = (struct revoke){0};
	s->assigned = false;
	membership_forget(s);
	if (s->consumer == NULL)
		return;
	batch_offsets_committed(s, RD_KAFKA_RESP_ERR__DESTROY); /* its answer will not come */
	rd_kafka_queue_cb_event_enable(s->consumer_queue, NULL, NULL);
	rd_kafka_queue_cb_event_enable(s->answers_queue, NULL, NULL);
	rd_kafka_queue_destroy(s->consumer_queue);
	rd_kafka_queue_destroy(s->answers_queue);
	destroy_consumer(s->consumer, was_assigned);
	s->consumer = NULL;
	s->consumer_queue = s->answers_queue = NULL;
	s->hooks.leases_changed(s->hooks.ctx);
}

void joining_leave(struct stream *s)
{
	if (s->consumer == NULL)
		return;
	if (s->revoke.list != NULL)
		assignment_finish_revoke(s, false);
	rd_kafka_error_t *error = rd_kafka_consumer_close_queue(s->consumer, s->answers_queue);
	if (error != NULL) {
		log_warn(s->log, "stream", "leaving the group", LOG_C("error", rd_kafka_error_string(error)));
		rd_kafka_error_destroy(error);
	}
	int64_t until = clock_mono_us() + LEAVE_MS * 1000;
	while (error == NULL && !rd_kafka_consumer_closed(s->consumer) && clock_mono_us() < until) {
		rd_kafka_event_t *event = rd_kafka_queue_poll(s->answers_queue, 50);
		if (event == NULL)
			continue;
		bool revoke = rd_kafka_event_type(event) == RD_KAFKA_EVENT_REBALANCE &&
		              rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS;
		if (revoke) {
			s->revoke.list = rd_kafka_topic_partition_list_copy(rd_kafka_event_topic_partition_list(event));
			assignment_finish_revoke(s, false);
		}
		rd_kafka_event_destroy(event);
	}
	joining_lose_all(s);
}
