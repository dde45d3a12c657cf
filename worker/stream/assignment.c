/*
 * assignment.c: what a rebalance does, and how partitions are read again.
 *
 * The one idea: librdkafka is answered at once with an empty incremental assign, so that nothing else is held up, and each
 * partition is really assigned when its progress is certain, at exactly its watermark; a partition whose progress is not
 * known is not read. A revocation is answered when its calls on the wire have had their time and the last commit is in.
 *
 * A lease that is dead is never committed for again; its jobs may still come back, and so may the partition: then record by
 * record what is in the worker is taken up again (partition.c, adopt).
 */
#include "worker/stream/assignment.h"

#include <stdlib.h>

#include "common/clock.h"
#include "common/fault.h"
#include "worker/stream/core.h"
#include "worker/stream/joining.h"
#include "worker/stream/membership.h"

enum { AGAIN_US = 1000 * 1000, LAST_COMMIT_US = 5 * 1000 * 1000, REVOKE_LOOK_US = 20 * 1000, RESTART_PAUSE_US = 50 * 1000 };

struct partition *assignment_find(const struct stream *s, const char *topic, int32_t number)
{
	for (uint32_t i = 0; i < s->partition_count; i++)
		if (s->partitions[i]->number == number && str_is(s->partitions[i]->topic, topic))
			return s->partitions[i];
	return NULL;
}

static struct partition *find_or_add(struct stream *s, const char *topic, int32_t number)
{
	struct partition *p = assignment_find(s, topic, number);
	if (p != NULL)
		return p;
	const struct str_list *topics = &s->settings->input.topics;
	for (uint32_t i = 0; i < topics->count; i++) {
		if (!str_is(topics->items[i], topic))
			continue;
		if (s->partition_count == s->partition_cap) {
			s->partition_cap = s->partition_cap == 0 ? 16 : s->partition_cap * 2;
			s->partitions = heap_resize(s->partitions, s->partition_cap, sizeof(struct partition *));
		}
		p = partition_new(s, topics->items[i], s->topic_names[i], number);
		s->partitions[s->partition_count++] = p;
		return p;
	}
	return NULL; /* a topic that was not subscribed to */
}

/* Tells librdkafka that the rebalance is dealt with. */
static void answer_rebalance(struct stream *s, bool assign, const rd_kafka_topic_partition_list_t *list)
{
	rd_kafka_error_t *error =
	    assign ? rd_kafka_incremental_assign(s->consumer, list) : rd_kafka_incremental_unassign(s->consumer, list);
	if (error == NULL)
		return;
	log_warn(s->log, "stream", "rebalance was not accepted", LOG_C("error", rd_kafka_error_string(error)));
	rd_kafka_error_destroy(error);
}

/* This process was thrown out of the group and is back as another member. What it still holds is its own again, but may have
 * been another's meanwhile: as if it had been revoked and assigned. */
static void hold_anew(struct stream *s)
{
	uint32_t count = 0;
	for (uint32_t i = 0; i < s->partition_count; i++) {
		struct partition *p = s->partitions[i];
		if (p->state == PARTITION_AWAY)
			continue;
		partition_forget(p, PARTITION_UNKNOWN, NULL);
		partition_set_lease(p, s->phase == STREAM_RUNNING ? LEASE_LIVE : LEASE_DRAINING, true);
		count++;
	}
	if (count == 0) /* it was told in time */
		return;
	log_warn(s->log, "stream", "the group has thrown this worker out and taken it again; progress is read anew", LOG_I("partitions", count));
	s->hooks.leases_changed(s->hooks.ctx);
}

/* A static member that comes back is given what the group remembers, and the group does not rebalance. Had it gone while a
 * partition was on its way from it to another, nobody would have that partition until the next rebalance. So it asks for one.
 * librdkafka joins again for the same subscription only when this comes while it waits to be answered. */
static void ask_for_rebalance(struct stream *s)
{
	if (!s->rebalance_due || s->phase != STREAM_RUNNING)
		return;
	s->rebalance_due = false;
	rd_kafka_resp_err_t got = joining_subscribe(s);
	if (got != RD_KAFKA_RESP_ERR_NO_ERROR)
		log_warn(s->log, "stream", "no rebalance after a return", LOG_C("error", rd_kafka_err2str(got)));
}

static void on_assign(struct stream *s, const rd_kafka_topic_partition_list_t *list)
{
	bool is_back = membership_note(s);
	ask_for_rebalance(s);
	rd_kafka_topic_partition_list_t *none = rd_kafka_topic_partition_list_new(1);
	answer_rebalance(s, true, none);
	rd_kafka_topic_partition_list_destroy(none);
	if (is_back)
		hold_anew(s);
	for (int i = 0; i < list->cnt; i++) {
		struct partition *p = find_or_add(s, list->elems[i].topic, list->elems[i].partition);
		if (p == NULL)
			continue;
		if (p->state != PARTITION_AWAY)
			partition_forget(p, PARTITION_AWAY, NULL);
		p->state = PARTITION_UNKNOWN;
		partition_set_lease(p, s->phase == STREAM_RUNNING ? LEASE_LIVE : LEASE_DRAINING, true);
	}
	s->assigned = true;
	stream_set_reachable(s, true);
	counter_add(s->m.rebalances, 1);
	log_info(s->log, "stream", "partitions assigned", LOG_I("partitions", list->cnt));
}

/* The partitions are gone: nothing of them is committed from now on. */
void assignment_finish_revoke(struct stream *s, bool lost)
{
	struct revoke *r = &s->revoke;
	rd_kafka_topic_partition_list_t *unassign = rd_kafka_topic_partition_list_new(r->list->cnt);
	uint32_t running = 0;
	for (int i = 0; i < r->list->cnt; i++) {
		struct partition *p = assignment_find(s, r->list->elems[i].topic, r->list->elems[i].partition);
		if (p == NULL || p->state == PARTITION_AWAY)
			continue;
		partition_set_lease(p, LEASE_DEAD, true);
		partition_forget(p, PARTITION_AWAY, unassign);
		running += p->orphan_count;
	}
	answer_rebalance(s, false, unassign);
	rd_kafka_topic_partition_list_destroy(unassign);
	log_info(s->log, "stream", lost ? "partitions lost" : "partitions revoked", LOG_I("partitions", r->list->cnt),
	         LOG_I("unfinished", running));
	rd_kafka_topic_partition_list_destroy(r->list);
	*r = (struct revoke){0};
	counter_add(s->m.rebalances, 1);
	s->hooks.leases_changed(s->hooks.ctx);
}

static void on_revoke(struct stream *s, const rd_kafka_topic_partition_list_t *list)
{
	if (s->revoke.list != NULL) /* the group went on without waiting for the one before */
		assignment_finish_revoke(s, true);
	s->revoke.list = rd_kafka_topic_partition_list_copy(list);
	FAULT_POINT("inside_revoke");
	if (rd_kafka_assignment_lost(s->consumer) || !membership_is_current(s)) {
		assignment_finish_revoke(s, true);
		return;
	}
	int64_t now = clock_mono_us();
	s->revoke.drain_until_us = now + s->settings->kafka.drain_on_revoke_ms * 1000;
	s->revoke.give_up_us = s->revoke.drain_until_us + LAST_COMMIT_US;
	for (int i = 0; i < list->cnt; i++) {
		struct partition *p = assignment_find(s, list->elems[i].topic, list->elems[i].partition);
		if (p != NULL && p->state != PARTITION_AWAY)
			partition_set_lease(p, LEASE_DRAINING, false);
	}
	s->hooks.leases_changed(s->hooks.ctx);
}

static bool has_unfinished(const struct partition *p)
{
	for (const struct taken *t = p->takens; t != NULL; t = t->next)
		if (!t->orphan)
			return true;
	return false;
}

static void clear_mark(struct partition *p)
{
	if (!partition_is_owned(p))
		return;
	p->mark.running = false;
	p->mark.restarts = 0;
	p->mark_due = true;
}

static void revoke_tick(struct stream *s, int64_t now_us)
{
	struct revoke *r = &s->revoke;
	if (r->list == NULL)
		return;
	stream_wake_at(s, now_us + REVOKE_LOOK_US);
	if (rd_kafka_assignment_lost(s->consumer) || !membership_is_current(s)) {
		assignment_finish_revoke(s, true);
		return;
	}
	bool unfinished = false, uncommitted = false, in_batch = false;
	for (int i = 0; i < r->list->cnt; i++) {
		struct partition *p = assignment_find(s, r->list->elems[i].topic, r->list->elems[i].partition);
		if (p == NULL)
			continue;
		unfinished |= has_unfinished(p);
		uncommitted |= partition_is_owned(p) && p->mark_due;
		in_batch |= p->in_batch;
	}
	if (!r->last_commit_asked) {
		if (unfinished && now_us < r->drain_until_us)
			return;
		r->last_commit_asked = true;
		for (int i = 0; i < r->list->cnt; i++) {
			struct partition *p = assignment_find(s, r->list->elems[i].topic, r->list->elems[i].partition);
			if (p != NULL)
				clear_mark(p);
		}
		return;
	}
	/* one that is still under way then may be given up: it is the old generation's, and whoever gets the partition waits
	 * until it is settled */
	if ((in_batch || uncommitted) && now_us < r->give_up_us)
		return;
	assignment_finish_revoke(s, false);
}

/* true: the consumer is dead and must be made anew. */
static bool on_error(struct stream *s, rd_kafka_resp_err_t err, const char *text)
{
	char why[512] = "";
	/* an event of a fatal error bears the error's own code, so the client is asked */
	rd_kafka_resp_err_t fatal = rd_kafka_fatal_error(s->consumer, why, sizeof why);
	if (fatal != RD_KAFKA_RESP_ERR_NO_ERROR) {
		if (fatal == RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID) {
			stream_fail(s, "another worker with kafka.instance %.*s is running in group %.*s: give each its own name, or none",
			            STR_ARG(s->settings->kafka.instance), STR_ARG(s->settings->kafka.group));
			return false;
		}
		log_error(s->log, "stream", "consumer failed; joining anew", LOG_C("error", why));
		return true;
	}
	if (err == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) {
		stream_set_reachable(s, false);
		log_warn(s->log, "stream", "no broker is reachable; outputs are kept and tried again", LOG_C("error", text));
		return false;
	}
	log_warn(s->log, "stream", "consumer error", LOG_C("name", rd_kafka_err2name(err)), LOG_C("error", text));
	return false;
}

void assignment_event(struct stream *s, rd_kafka_event_t *event)
{
	rd_kafka_resp_err_t err = rd_kafka_event_error(event);
	bool dead = false;
	if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_ERROR)
		dead = on_error(s, err, rd_kafka_event_error_string(event));
	else if (err == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS)
		on_assign(s, rd_kafka_event_topic_partition_list(event));
	else
		on_revoke(s, rd_kafka_event_topic_partition_list(event));
	rd_kafka_event_destroy(event);
	if (!dead)
		return;
	joining_lose_all(s); /* only now: the event was the consumer's */
	s->consumer_again_us = clock_mono_us() + AGAIN_US;
}

void assignment_reload(struct stream *s, struct partition *p)
{
	(void)s; /* one form for all */
	partition_forget(p, PARTITION_UNKNOWN, NULL);
}

void assignment_partition_error(struct partition *p, const rd_kafka_message_t *msg)
{
	struct stream *s = p->stream;
	if (msg->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
		progress_position(p->progress, msg->offset);
		quarantine_all_read(p);
		p->high = msg->offset;
	} else if (msg->err == RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET || msg->err == RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE) {
		assignment_reload(s, p);
		p->was_out_of_range = true;
	} else {
		log_warn(s->log, "stream", "partition cannot be fetched", LOG_C("topic", p->topic_name),
		         LOG_I("partition", p->number), LOG_C("error", rd_kafka_message_errstr(msg)));
	}
}

void assignment_marked(struct stream *s, struct partition *p)
{
	p->state = PARTITION_READING;
	p->marked = p->marked || p->mark.running;
	log_debug(s->log, "stream", "partition is read", LOG_C("topic", p->topic_name), LOG_I("partition", p->number),
	          LOG_I("offset", p->base));
}

void assignment_drain(struct stream *s)
{
	for (uint32_t i = 0; i < s->partition_count; i++)
		if (s->partitions[i]->state != PARTITION_AWAY)
			partition_set_lease(s->partitions[i], LEASE_DRAINING, false);
	s->hooks.leases_changed(s->hooks.ctx);
}

void assignment_clear_marks(struct stream *s)
{
	for (uint32_t i = 0; i < s->partition_count; i++)
		clear_mark(s->partitions[i]);
}

/* A record that was dropped lies behind the consumer: back to it. And what librdkafka did not take is tried again. */
static void restart_partitions(struct stream *s, int64_t now_us)
{
	for (uint32_t i = 0; i < s->partition_count; i++) {
		struct partition *p = s->partitions[i];
		if (p->state == PARTITION_READING && !p->consuming && !p->in_batch && s->revoke.list == NULL) {
			assignment_reload(s, p);
			p->tries = 1;
			p->retry_at_us = now_us + AGAIN_US;
			continue;
		}
		if (!p->restart_due || p->state != PARTITION_READING || !partition_is_live(p))
			continue;
		if (now_us < p->retry_at_us) {
			stream_wake_at(s, p->retry_at_us);
			continue;
		}
		p->restart_due = false;
		p->retry_at_us = now_us + RESTART_PAUSE_US; /* drops come in bursts */
		int64_t target = progress_seek_target(p->progress);
		if (target < 0)
			continue;
		partition_stop_consuming(p, NULL);
		progress_seek(p->progress, target);
		partition_start_consuming(p, target);
	}
}

void assignment_tick(struct stream *s, int64_t now_us)
{
	if (s->consumer == NULL) {
		struct err why;
		if (s->phase != STREAM_RUNNING)
			return;
		if (now_us < s->consumer_again_us) {
			stream_wake_at(s, s->consumer_again_us);
		} else if (joining_begin(s, &why) != RC_OK) {
			log_error(s->log, "stream", "joining the group", LOG_C("error", why.text));
			s->consumer_again_us = now_us + AGAIN_US;
		}
		return;
	}
	revoke_tick(s, now_us);
	load_ask(s, now_us);
	if (s->phase == STREAM_RUNNING)
		restart_partitions(s, now_us);
}
