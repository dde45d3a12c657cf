/*
 * partition.c: admission: which fetched messages become jobs.
 *
 * The one idea: a message that may not be admitted stays where it is, at the head of its partition (a small array of
 * messages fetched already, and librdkafka's queue behind it), so the other partitions go on and nothing is fetched twice.
 * An admitted message is copied into its job's arena and destroyed at once: kept, it would pin its whole fetch buffer.
 */
#include "worker/stream/partition.h"

#include <stdlib.h>

#include "common/clock.h"
#include "worker/stream/assignment.h"
#include "worker/stream/core.h"

enum { HELD_LOOK_US = 100 * 1000, RECORD_HEADERS_MAX = 1000 };

struct partition *partition_new(struct stream *s, struct str topic, const char *topic_name, int32_t number)
{
	struct partition *p = heap_zalloc(1, sizeof *p);
	p->stream = s;
	p->topic = topic;
	p->topic_name = topic_name;
	p->number = number;
	p->is_park_topic = settings_is_park_topic(s->settings, topic);
	p->high = -1;
	return p;
}

static void forget_held(struct partition *p)
{
	while (p->held_at < p->held_count)
		rd_kafka_message_destroy(p->held[p->held_at++]);
	p->held_at = p->held_count = 0;
}

void partition_free(struct partition *p)
{
	if (p == NULL)
		return;
	forget_held(p);
	progress_close(p->progress);
	free(p->loaded);
	free(p);
}

void partition_set_lease(struct partition *p, enum lease_state state, bool new_epoch)
{
	if (new_epoch)
		atomic_fetch_add_explicit(&p->lease.epoch, 1, memory_order_acq_rel);
	atomic_store_explicit(&p->lease.state, state, memory_order_release);
	if (state != LEASE_LIVE)
		turn_drop_waiting(p->stream, p);
}

/* Thread: librdkafka's. Must not call librdkafka. */
static void on_readable(rd_kafka_t *rk, void *opaque)
{
	(void)rk; /* the callback's form asks for it */
	struct partition *p = opaque;
	atomic_store_explicit(&p->readable, true, memory_order_release);
	stream_wake(p->stream);
}

void partition_start_consuming(struct partition *p, int64_t offset)
{
	rd_kafka_t *rk = p->stream->consumer;
	p->queue = rd_kafka_queue_get_partition(rk, p->topic_name, p->number);
	if (p->queue == NULL) {
		stream_fail(p->stream, "no queue for partition %s [%d]", p->topic_name, p->number);
		return;
	}
	rd_kafka_queue_forward(p->queue, NULL); /* before the assign, or messages would go to the main queue */
	rd_kafka_queue_cb_event_enable(p->queue, on_readable, p);
	rd_kafka_topic_partition_list_t *one = rd_kafka_topic_partition_list_new(1);
	rd_kafka_topic_partition_list_add(one, p->topic_name, p->number)->offset = offset;
	rd_kafka_error_t *error = rd_kafka_incremental_assign(rk, one);
	rd_kafka_topic_partition_list_destroy(one);
	p->consuming = true;
	atomic_store_explicit(&p->readable, true, memory_order_release); /* look once: an event may have come before the callback */
	if (error != NULL) {
		log_error(p->stream->log, "stream", "partition could not be read", LOG_C("topic", p->topic_name),
		          LOG_I("partition", p->number), LOG_C("error", rd_kafka_error_string(error)));
		rd_kafka_error_destroy(error);
		partition_stop_consuming(p, NULL);
	}
}

static void unassign_one(struct partition *p)
{
	rd_kafka_topic_partition_list_t *one = rd_kafka_topic_partition_list_new(1);
	rd_kafka_topic_partition_list_add(one, p->topic_name, p->number);
	rd_kafka_error_t *error = rd_kafka_incremental_unassign(p->stream->consumer, one);
	rd_kafka_topic_partition_list_destroy(one);
	if (error != NULL) { /* a fatal consumer error has taken all away already */
		log_debug(p->stream->log, "stream", "partition was not assigned", LOG_C("error", rd_kafka_error_string(error)));
		rd_kafka_error_destroy(error);
	}
}

void partition_stop_consuming(struct partition *p, rd_kafka_topic_partition_list_t *unassign)
{
	forget_held(p);
	if (!p->consuming)
		return;
	p->consuming = false;
	rd_kafka_queue_cb_event_enable(p->queue, NULL, NULL);
	rd_kafka_queue_destroy(p->queue);
	p->queue = NULL;
	if (unassign != NULL)
		rd_kafka_topic_partition_list_add(unassign, p->topic_name, p->number);
	else
		unassign_one(p);
}

void partition_forget(struct partition *p, enum partition_state state, rd_kafka_topic_partition_list_t *unassign)
{
	struct stream *s = p->stream;
	partition_stop_consuming(p, unassign);
	turn_drop_waiting(s, p);
	progress_close(p->progress);
	p->progress = NULL;
	free(p->loaded);
	p->loaded = NULL;
	p->state = state;
	p->mark_due = p->restart_due = p->was_out_of_range = p->hole_finishing = false;
	p->tries = 0;
	p->retry_at_us = p->unstable_since_us = p->doubted_since_us = 0;
	p->asks_owner = false;
	p->suspects = 0;
	p->high = -1;
	for (struct taken *t = p->takens; t != NULL; t = t->next) {
		turn_leave(s, t, NULL);
		inflight_make_orphan(&s->inflight, t);
	}
	p->quarantine = (struct quarantined){0};
	p->window = 0;
}

/* How many headers are read: those beyond RECORD_HEADERS_MAX are as if they were not there. */
static size_t count_headers(const rd_kafka_message_t *msg, rd_kafka_headers_t **ret)
{
	if (rd_kafka_message_headers(msg, ret) != RD_KAFKA_RESP_ERR_NO_ERROR)
		return 0; /* none */
	size_t count = rd_kafka_header_cnt(*ret);
	return count < RECORD_HEADERS_MAX ? count : RECORD_HEADERS_MAX;
}

/* What a job will need for the message. */
static size_t message_bytes(const rd_kafka_message_t *msg)
{
	rd_kafka_headers_t *headers;
	size_t count = count_headers(msg, &headers), bytes = msg->key_len + msg->len + count * sizeof(struct header);
	for (size_t i = 0; i < count; i++) {
		const char *name;
		const void *value;
		size_t size;
		if (rd_kafka_header_get_all(headers, i, &name, &value, &size) != RD_KAFKA_RESP_ERR_NO_ERROR)
			break;
		bytes += strlen(name) + size;
	}
	return bytes;
}

/* Copies headers into the job's arena. */
static void copy_headers(struct job *job, const rd_kafka_message_t *msg)
{
	rd_kafka_headers_t *headers;
	size_t count = count_headers(msg, &headers);
	if (count == 0)
		return;
	job->rec.headers = arena_array(&job->arena, count, sizeof *job->rec.headers);
	for (size_t i = 0; i < count; i++) {
		const char *name;
		const void *value;
		size_t size;
		if (rd_kafka_header_get_all(headers, i, &name, &value, &size) != RD_KAFKA_RESP_ERR_NO_ERROR)
			break;
		struct header *h = &job->rec.headers[job->rec.header_count++];
		h->name = arena_str(&job->arena, str_of(name));
		h->value = arena_str(&job->arena, (struct str){value, value != NULL ? size : 0});
	}
}

static uint8_t timestamp_type(rd_kafka_timestamp_type_t type)
{
	return type == RD_KAFKA_TIMESTAMP_CREATE_TIME ? 1 : type == RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME ? 2 : 0;
}

static void fill_job(struct partition *p, struct job *job, const rd_kafka_message_t *msg, bool redelivered)
{
	rd_kafka_timestamp_type_t type;
	int64_t timestamp = rd_kafka_message_timestamp(msg, &type);
	job->rec = (struct record){
		.topic = p->topic,
		.partition = p->number,
		.offset = msg->offset,
		.timestamp_ms = timestamp,
		.timestamp_type = timestamp_type(type),
		.redelivered = redelivered,
		.crashes = p->mark.has_suspect && p->mark.suspect == msg->offset ? p->mark.crashes : 0,
		.key = arena_str(&job->arena, (struct str){msg->key, msg->key_len}),
		.value = arena_str(&job->arena, (struct str){msg->payload, msg->len}),
		.lease = &p->lease,
		.epoch = atomic_load_explicit(&p->lease.epoch, memory_order_relaxed),
	};
	copy_headers(job, msg);
	job->fetched_us = clock_mono_us();
}

/* A record that is in the worker already: its job goes on instead of a new one. */
static void adopt(struct partition *p, struct taken *t)
{
	struct stream *s = p->stream;
	progress_take(p->progress, t->offset);
	inflight_adopt(&s->inflight, t, atomic_load_explicit(&p->lease.epoch, memory_order_relaxed));
	t->hole = true;
	turn_resume(s, t);
	if (t->state != TAKEN_HELD)
		return;
	inflight_set_state(&s->inflight, t, TAKEN_COLLECTED);
	list_push(&s->collected, &t->job->link);
	atomic_fetch_add_explicit(&s->outstanding, 1, memory_order_relaxed);
}

/* Records from park topics wait in the worker for a model that was full before. Half of the jobs, and of the bytes, is left to
 * the other topics; else the worker would park what it has fetched and fetch what it has parked. */
static bool has_no_room(const struct partition *p)
{
	const struct stream *s = p->stream;
	if (!p->is_park_topic || p->taken_count == 0)
		return false;
	struct job_pool_use use = job_pool_use(s->pool);
	uint32_t shares = 0;
	for (uint32_t i = 0; i < s->partition_count; i++)
		if (s->partitions[i]->is_park_topic && partition_is_owned(s->partitions[i]))
			shares += 2;
	return p->taken_count >= use.max_jobs / shares || use.bytes > use.max_bytes / 2;
}

/* Is this message dealt with? false: it stays the head of its partition. */
static bool admit(struct partition *p, const rd_kafka_message_t *msg, struct list *out)
{
	struct stream *s = p->stream;
	enum progress_place place = progress_look(p->progress, msg->offset);
	if (place == PROGRESS_FINISHED || place == PROGRESS_TAKEN)
		return true;
	if (!progress_may_take(p->progress, msg->offset))
		return false;
	struct taken *orphan = p->orphan_count > 0 ? inflight_find_orphan(&s->inflight, p, msg->offset) : NULL;
	if (orphan != NULL) {
		adopt(p, orphan);
		return true;
	}
	bool member, redelivered = place == PROGRESS_AWAITED || msg->offset < p->taken_top || p->suspects > 0;
	if (has_no_room(p) || !quarantine_admits(p, redelivered, &member) || turn_has_no_room(s, p, (struct str){msg->key, msg->key_len}))
		return false;
	struct job *job = s->starved ? NULL : job_pool_take(s->pool, message_bytes(msg));
	if (job == NULL) {
		s->starved = true;
		return false;
	}
	p->suspects -= p->suspects > 0 && place != PROGRESS_AWAITED && msg->offset >= p->taken_top;
	p->quarantine.left -= member;
	progress_take(p->progress, msg->offset);
	if (msg->offset >= p->taken_top)
		p->taken_top = msg->offset + 1;
	fill_job(p, job, msg, redelivered);
	s->admitted++;
	struct taken *t = inflight_take(&s->inflight, p, job, job->rec.epoch);
	t->hole = redelivered;
	if (turn_enter(s, t, member))
		list_push(out, &job->link);
	return true;
}

/* Fetches into the array of held messages. false: nothing is there. */
static bool fetch(struct partition *p)
{
	if (!atomic_exchange_explicit(&p->readable, false, memory_order_acq_rel))
		return false;
	ssize_t n = rd_kafka_consume_batch_queue(p->queue, 0, p->held, PARTITION_BATCH);
	if (n <= 0)
		return false;
	atomic_store_explicit(&p->readable, true, memory_order_release); /* there may be more */
	p->held_at = 0;
	p->held_count = (uint32_t)n;
	return true;
}

uint32_t partition_read(struct partition *p, uint32_t budget, struct list *out)
{
	uint32_t looked_at = 0;
	if (!partition_is_live(p) || p->state != PARTITION_READING || turn_holds_up(p->stream, p) || !quarantine_lets_read(p->stream, p))
		return 0;
	if (atomic_load_explicit(&p->lease.held, memory_order_acquire) > 0) { /* a job waits for its schema */
		stream_wake_at(p->stream, clock_mono_us() + HELD_LOOK_US);
		return 0;
	}
	while (looked_at < budget && p->state == PARTITION_READING && p->consuming) {
		if (p->held_at == p->held_count && !fetch(p))
			break;
		rd_kafka_message_t *msg = p->held[p->held_at];
		if (msg->err == RD_KAFKA_RESP_ERR_NO_ERROR && !admit(p, msg, out))
			break;
		p->held_at++;
		looked_at++;
		if (msg->err != RD_KAFKA_RESP_ERR_NO_ERROR)
			assignment_partition_error(p, msg);
		else if (msg->offset >= p->high)
			p->high = msg->offset + 1;
		rd_kafka_message_destroy(msg);
	}
	return looked_at;
}
