/*
 * stream.c: the stream thread's loop.
 *
 * The one idea: one epoll, nothing that blocks. Each turn takes what finished, what the committer answers and what the group
 * says, admits a bounded number of records, hands them over in one list, and opens the next transaction if none is open.
 * librdkafka's queues say by callback that they have something; the callbacks share one eventfd, written on the edge only.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/fault.h"
#include "worker/stream/assignment.h"
#include "worker/stream/core.h"
#include "worker/stream/joining.h"

enum { TURN_RECORDS = 512, SECOND_US = 1000 * 1000, STOP_US = 20 * 1000 * 1000 };

void stream_wake(struct stream *s)
{
	if (atomic_exchange_explicit(&s->wake_pending, true, memory_order_acq_rel))
		return;
	uint64_t one = 1;
	ssize_t n = write(s->wake_fd, &one, sizeof one);
	(void)n; /* cannot overflow: one write per reading */
}

/* Is an output over its bound? The answer is known here, so no transaction is lost over it. */
static bool is_too_large(const struct stream *s, const struct job *job, struct err *why)
{
	for (const struct output *o = job->outputs; o != NULL; o = o->next) {
		if (o->value.len + o->key.len <= s->settings->output.max_bytes)
			continue;
		(void)err_set(why, RC_BAD_INPUT, "output of %zu bytes for topic %.*s is over output.max_bytes (%zu)",
		              o->value.len + o->key.len, STR_ARG(o->topic), s->settings->output.max_bytes);
		return true;
	}
	return false;
}

static void take_encoded(struct stream *s, struct job *job, struct taken *t)
{
	struct err why;
	if (!partition_owns(t->partition, t) && !FAULT_BUG("skip_epoch_filter")) {
		assignment_hold(s, t);
	} else if (!t->refused && is_too_large(s, job, &why)) {
		t->refused = true;
		s->hooks.refused(s->hooks.ctx, job, &why);
	} else {
		inflight_set_state(&s->inflight, t, TAKEN_COLLECTED);
		list_push(&s->collected, &job->link);
	}
}

void stream_drop(struct stream *s, struct job *job, struct taken *t)
{
	struct partition *p = t->partition;
	turn_drop_behind(s, t);
	turn_leave(s, t, NULL);
	if (partition_owns(p, t)) {
		progress_release(p->progress, t->offset);
		p->restart_due = true;
	}
	inflight_remove(&s->inflight, t);
	job_pool_give(s->pool, job);
	counter_add(s->m.dropped, 1);
	atomic_fetch_sub_explicit(&s->outstanding, 1, memory_order_relaxed);
}

static void take_finished(struct stream *s)
{
	struct list done = {0};
	handover_take(&s->finished, &done, 0);
	for (struct link *link; (link = list_pop(&done)) != NULL;) {
		struct job *job = LINK_OWNER(struct job, link, link);
		if (job->state == JOB_ENCODED) {
			take_encoded(s, job, taken_of(job));
			continue;
		}
		if (job->state != JOB_DROPPED) {
			log_error(s->log, "stream", "bug: a job came back unfinished", LOG_C("state", job_state_name(job->state)),
			          LOG_I("offset", job->rec.offset));
			(void)job_advance(job, JOB_DROPPED); /* aborts in debug builds */
		}
		stream_drop(s, job, taken_of(job));
	}
}

static void take_answers(struct stream *s)
{
	struct list answers = {0};
	committer_take(s->committer, &answers);
	for (struct link *link; (link = list_pop(&answers)) != NULL;) {
		struct task *task = LINK_OWNER(struct task, link, link);
		if (task->kind == TASK_BATCH)
			batch_done(s);
		else
			load_looked_up(s, LINK_OWNER(struct lookup, task, task));
	}
}

static void dispatch_event(struct stream *s, rd_kafka_event_t *event)
{
	switch (rd_kafka_event_type(event)) {
	case RD_KAFKA_EVENT_REBALANCE:
	case RD_KAFKA_EVENT_ERROR:
		assignment_event(s, event);
		return;
	case RD_KAFKA_EVENT_LISTCONSUMERGROUPOFFSETS_RESULT:
		load_answered(s, event);
		return;
	case RD_KAFKA_EVENT_OFFSET_COMMIT: {
		rd_kafka_resp_err_t err = rd_kafka_event_error(event);
		const rd_kafka_topic_partition_list_t *list = rd_kafka_event_topic_partition_list(event);
		for (int i = 0; list != NULL && err == RD_KAFKA_RESP_ERR_NO_ERROR && i < list->cnt; i++)
			err = list->elems[i].err; /* one may be refused where the others are not */
		rd_kafka_event_destroy(event);
		batch_offsets_committed(s, err);
		return;
	}
	default:
		rd_kafka_event_destroy(event);
	}
}

/* Polling is also what tells the group that this member lives. */
static void take_events(struct stream *s)
{
	for (int i = 0; i < 2; i++) {
		while (s->consumer != NULL) { /* a fatal error takes it away in the middle */
			rd_kafka_event_t *event = rd_kafka_queue_poll(i == 0 ? s->consumer_queue : s->answers_queue, 0);
			if (event == NULL)
				break;
			dispatch_event(s, event);
		}
	}
}

/* Round robin over the partitions. When the pool is empty only records that are in the worker already are taken up. */
static uint32_t read_partitions(struct stream *s, struct list *out, uint32_t *ret_idle)
{
	uint32_t looked_at = 0, idle = 0, first = s->turn;
	while (looked_at < TURN_RECORDS && idle < s->partition_count) {
		struct partition *p = s->partitions[s->turn % s->partition_count];
		bool was_starved = s->starved;
		uint32_t n = was_starved && p->orphan_count == 0 ? 0 : partition_read(p, PARTITION_BATCH, out);
		if (s->starved && !was_starved)
			first = s->turn;
		idle = n == 0 ? idle + 1 : 0;
		looked_at += n;
		s->turn++;
	}
	if (s->starved) /* the one that found the pool empty is the first to be asked again */
		s->turn = first;
	*ret_idle = idle;
	return looked_at;
}

/* Finished answers of partitions that went away make room; and where nothing but such answers fills the pool, one that waits
 * for its record gives way to the records before it. */
static bool make_room(struct stream *s)
{
	if (assignment_drop_held(s, clock_mono_us(), true))
		return true;
	return atomic_load_explicit(&s->outstanding, memory_order_relaxed) == 0 && assignment_drop_one_held(s);
}

/* true: there is more to read at once. */
static bool read_records(struct stream *s)
{
	if (s->phase != STREAM_RUNNING || s->partition_count == 0 || (s->starved && s->inflight.orphans == 0))
		return false;
	struct list out = {0};
	uint32_t idle;
	s->admitted = 0;
	uint32_t looked_at = read_partitions(s, &out, &idle);
	counter_add(s->m.fetched, s->admitted);
	atomic_fetch_add_explicit(&s->outstanding, s->admitted, memory_order_relaxed);
	if (out.count > 0)
		s->hooks.deliver(s->hooks.ctx, &out);
	if (s->starved && make_room(s))
		s->starved = false;
	return looked_at >= TURN_RECORDS || (!s->starved && idle < s->partition_count);
}

static void each_second(struct stream *s, int64_t now_us)
{
	if (now_us < s->second_us)
		return;
	s->second_us = now_us + SECOND_US;
	atomic_store_explicit(&s->events_ready, true, memory_order_release);
	assignment_drop_held(s, now_us, false);
	uint32_t partitions = 0, holes = 0;
	int64_t lag = 0;
	for (uint32_t i = 0; i < s->partition_count; i++) {
		struct partition *p = s->partitions[i];
		partitions += p->state != PARTITION_AWAY;
		if (p->progress == NULL)
			continue;
		int64_t low, high;
		if (p->consuming && s->consumer != NULL &&
		    rd_kafka_get_watermark_offsets(s->consumer, p->topic_name, p->number, &low, &high) == RD_KAFKA_RESP_ERR_NO_ERROR &&
		    high > p->high)
			p->high = high;
		holes += progress_entries(p->progress);
		lag = p->high < 0 || lag < 0 ? -1 : lag + (p->high > progress_watermark(p->progress) ? p->high - progress_watermark(p->progress) : 0);
	}
	gauge_set(s->m.holes, holes);
	gauge_set(s->m.lag, lag);
	gauge_set(s->m.partitions, partitions);
	char *member = s->consumer != NULL ? rd_kafka_memberid(s->consumer) : NULL;
	pthread_mutex_lock(&s->status_lock);
	bool reachable = s->status.brokers_reachable;
	s->status.assigned = s->assigned;
	s->status.partitions = partitions;
	s->status.holes = holes;
	s->status.lag = lag;
	snprintf(s->status.member, sizeof s->status.member, "%s", member != NULL ? member : "");
	pthread_mutex_unlock(&s->status_lock);
	if (member != NULL)
		rd_kafka_mem_free(s->consumer, member);
	if (!reachable)
		load_ping(s);
}

/* The last steps, each when the one before is done. false: the loop may end. */
static bool go_on(struct stream *s, int64_t now_us)
{
	int asked = atomic_load_explicit(&s->asked_phase, memory_order_acquire);
	if (s->phase == STREAM_RUNNING && asked >= STREAM_DRAINING) {
		s->phase = STREAM_DRAINING;
		assignment_drain(s);
		batch_drop_refused(s);
	}
	if (s->phase == STREAM_DRAINING && asked >= STREAM_STOPPING) {
		s->phase = STREAM_STOPPING;
		s->stop_by_us = now_us + (stream_has_failed(s) ? 0 : STOP_US); /* a fenced member commits nothing */
	}
	if (s->phase != STREAM_STOPPING)
		return true;
	stream_wake_at(s, now_us + SECOND_US / 20);
	if (now_us >= s->stop_by_us) {
		log_error(s->log, "stream", "the last commit did not get through in time; the next owner does those records again",
		          LOG_I("records", stream_outstanding(s)));
		return false;
	}
	if (!batch_is_idle(s))
		return true;
	if (s->marks_cleared)
		return false;
	s->marks_cleared = true;
	assignment_clear_marks(s);
	return !batch_is_idle(s);
}

static void sleep_until_work(struct stream *s, bool more, int64_t now_us)
{
	int64_t us = more ? 0 : s->wake_at_us - now_us;
	int timeout = us <= 0 ? 0 : (int)((us + 999) / 1000);
	struct epoll_event events[4];
	int n = epoll_wait(s->epoll_fd, events, 4, timeout);
	for (int i = 0; i < n; i++) {
		if (events[i].data.fd == job_pool_event_fd(s->pool)) {
			s->starved = false;
		} else if (events[i].data.fd == s->wake_fd) {
			uint64_t count;
			ssize_t got = read(s->wake_fd, &count, sizeof count);
			(void)got; /* EAGAIN: it was cleared before */
			/* an exchange, not a store: it must see what a waker did who found the flag still set */
			(void)atomic_exchange_explicit(&s->wake_pending, false, memory_order_acq_rel);
		}
	}
}

void *stream_main(void *arg)
{
	struct stream *s = arg;
	(void)pthread_setname_np(pthread_self(), "stream"); /* a name for people; nothing depends on it */
	bool more = false;
	for (;;) {
		sleep_until_work(s, more, clock_mono_us());
		int64_t now = clock_mono_us();
		s->wake_at_us = now + SECOND_US;
		take_answers(s);
		take_finished(s);
		each_second(s, now);
		if (atomic_exchange_explicit(&s->events_ready, false, memory_order_acq_rel))
			take_events(s);
		assignment_tick(s, now);
		batch_retry_offsets(s, now);
		quarantine_tick(s, now);
		more = read_records(s);
		batch_make(s, now);
		if (!go_on(s, now)) {
			joining_leave(s);
			return NULL;
		}
	}
}
