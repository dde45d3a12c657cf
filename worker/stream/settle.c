/*
 * settle.c: what the end of a batch does to progress and to its jobs.
 *
 * The one idea: three ends and no fourth. Committed: the jobs are done. Aborted: they are taken again and the next batch
 * carries them. Unknown (the producer died in the middle): the broker is asked what it holds, as after a rebalance, and each
 * record is taken up again or dropped by what it says.
 */
#include <stdlib.h>

#include "common/clock.h"
#include "worker/stream/assignment.h"
#include "worker/stream/core.h"
#include "worker/stream/membership.h"

enum { PAUSE_FIRST_US = 20 * 1000, PAUSE_MAX_US = 1000 * 1000, OFFSET_RETRY_US = 100 * 1000, DOUBT_US = 100 * 1000, REFUSED_TWICE_US = 5 * 1000 * 1000 };

static bool part_is_live(const struct batch_part *part)
{
	const struct partition *p = part->partition;
	return p->progress != NULL && progress_has_open(p->progress) &&
	       part->epoch == atomic_load_explicit(&p->lease.epoch, memory_order_relaxed);
}

static void commit_parts(struct stream *s, struct batch *b)
{
	for (uint32_t i = 0; i < b->part_count; i++) {
		struct partition *p = b->parts[i].partition;
		if (!part_is_live(&b->parts[i]))
			continue;
		progress_commit(p->progress);
		if (b->parts[i].base > p->committed_top)
			p->committed_top = b->parts[i].base;
		if (b->parts[i].finishes_hole && !p->quarantine.active)
			p->mark.restarts = 0;
		if (b->parts[i].base > p->base)
			p->mark.stuck = 0;
		quarantine_committed(s, &b->parts[i]);
		if (p->state == PARTITION_MARKING)
			assignment_marked(s, p);
	}
}

static void commit_jobs(struct stream *s, struct batch *b)
{
	struct list ready = {0};
	counter_add(s->m.committed, b->jobs.count);
	for (struct link *link; (link = list_pop(&b->jobs)) != NULL;) {
		struct job *job = LINK_OWNER(struct job, link, link);
		struct taken *t = taken_of(job);
		struct partition *p = t->partition;
		if (p->window > 0)
			p->window = p->window < PROGRESS_MAX_ENTRIES ? p->window + 1 : 0;
		turn_leave(s, t, &ready);
		inflight_remove(&s->inflight, t);
		(void)job_advance(job, JOB_DONE); /* aborts in debug builds */
		job_pool_give(s->pool, job);
		atomic_fetch_sub_explicit(&s->outstanding, 1, memory_order_relaxed);
	}
	if (!s->quarantine.closed)
		turn_deliver(s, &ready);
}

static void abort_parts(struct batch *b)
{
	for (uint32_t i = 0; i < b->part_count; i++) {
		struct partition *p = b->parts[i].partition;
		if (!part_is_live(&b->parts[i]))
			continue;
		progress_abort(p->progress);
		p->mark_due = p->mark_due || b->parts[i].was_mark;
	}
}

static void collect_later(struct stream *s, struct taken *t, int64_t pause_us)
{
	inflight_set_state(&s->inflight, t, TAKEN_COLLECTED);
	list_push(&s->collected, &t->job->link);
	t->again_us = clock_mono_us() + pause_us;
}

/* Nobody can help it before this worker has ended: the next owner does it again. */
static void drop_refused(struct stream *s, struct taken *t)
{
	(void)job_advance(t->job, JOB_DROPPED); /* aborts in debug builds */
	stream_drop(s, t->job, t);
}

void batch_drop_refused(struct stream *s)
{
	struct list kept = {0};
	for (struct link *link; (link = list_pop(&s->collected)) != NULL;) {
		struct taken *t = taken_of(LINK_OWNER(struct job, link, link));
		if (t->refused && t->again_us != 0 && partition_owns(t->partition, t))
			drop_refused(s, t);
		else
			list_push(&kept, link);
	}
	s->collected = kept;
}

/* A search for the culprit has come down to one record. */
static void refuse_only_job(struct batch *b)
{
	struct job *job = LINK_OWNER(struct job, link, list_pop(&b->jobs));
	taken_of(job)->doubted = true; /* twice in a row is part of the search */
	list_push(&b->refused, &job->link);
}

/* One record's outputs are refused for good: its owner makes others that say so. */
static void refuse_jobs(struct stream *s, struct batch *b)
{
	for (struct link *link; (link = list_pop(&b->refused)) != NULL;) {
		struct job *job = LINK_OWNER(struct job, link, link);
		struct taken *t = taken_of(job);
		(void)job_advance(job, JOB_ENCODED); /* aborts in debug builds */
		if (!partition_owns(t->partition, t)) {
			assignment_hold(s, t);
		} else if (!t->doubted) {
			t->doubted = true;
			collect_later(s, t, DOUBT_US);
		} else if (t->refused && s->phase != STREAM_RUNNING) {
			drop_refused(s, t);
		} else if (t->refused) { /* what tells of the refusal is refused too: only a person can help */
			log_error(s->log, "stream", "output refused again; the record waits", LOG_C("topic", t->partition->topic_name),
			          LOG_I("partition", t->partition->number), LOG_I("offset", t->offset), LOG_C("error", b->why.text));
			collect_later(s, t, REFUSED_TWICE_US); /* the others go on meanwhile */
		} else {
			t->refused = true;
			t->doubted = false;
			t->again_us = 0;
			inflight_set_state(&s->inflight, t, TAKEN_OUT);
			s->hooks.refused(s->hooks.ctx, job, &b->why);
		}
	}
}

/* In front of what finished meanwhile. */
static void take_back_jobs(struct stream *s, struct batch *b)
{
	struct list again = {0};
	for (struct link *link; (link = list_pop(&b->jobs)) != NULL;) {
		struct job *job = LINK_OWNER(struct job, link, link);
		struct taken *t = taken_of(job);
		(void)job_advance(job, JOB_ENCODED); /* aborts in debug builds */
		inflight_set_state(&s->inflight, t, TAKEN_COLLECTED);
		list_push(&again, &job->link);
	}
	list_join(&again, &s->collected);
	s->collected = again;
}

static void reload_parts(struct stream *s, struct batch *b)
{
	for (uint32_t i = 0; i < b->part_count; i++)
		if (part_is_live(&b->parts[i]))
			assignment_reload(s, b->parts[i].partition);
}

static void pause_after_abort(struct batch *b)
{
	int64_t pause = PAUSE_FIRST_US;
	for (uint32_t i = 0; i < b->aborts_in_a_row && pause < PAUSE_MAX_US; i++)
		pause *= 2;
	b->not_before_us = clock_mono_us() + pause;
	b->aborts_in_a_row++;
}

static void settle(struct stream *s)
{
	struct batch *b = &s->batch;
	if (b->result == BATCH_COMMITTED) {
		bisect_committed(&b->bisect, (uint32_t)b->jobs.count);
		commit_parts(s, b);
		commit_jobs(s, b);
		counter_add(s->m.transactions, 1);
		histogram_observe(s->m.commit_seconds, clock_mono_us() - s->last_commit_us);
		b->aborts_in_a_row = 0;
		stream_set_reachable(s, true);
	} else {
		counter_add(b->result == BATCH_ABORTED ? s->m.aborted : s->m.lost_commits, 1);
		log_warn(s->log, "stream", b->result == BATCH_ABORTED ? "transaction aborted; its outputs are kept" :
		                                                        "outcome of a transaction unknown; progress is read again",
		         LOG_I("records", b->jobs.count + b->refused.count), LOG_C("error", b->why.text));
		pause_after_abort(b);
		if (b->refusal && b->jobs.head != NULL && bisect_refused(&b->bisect, (uint32_t)b->jobs.count))
			refuse_only_job(b);
		if (b->result == BATCH_ABORTED)
			abort_parts(b);
		else
			reload_parts(s, b);
		refuse_jobs(s, b);
		take_back_jobs(s, b);
	}
	for (uint32_t i = 0; i < b->part_count; i++)
		b->parts[i].partition->in_batch = false;
	b->part_count = 0;
	rd_kafka_topic_partition_list_destroy(b->offsets);
	b->offsets = NULL;
	if (b->group != NULL)
		rd_kafka_consumer_group_metadata_destroy(b->group);
	b->group = NULL;
	b->busy = b->refusal = b->offsets_due = b->committing_offsets = false;
}

static bool any_part_live(const struct batch *b)
{
	for (uint32_t i = 0; i < b->part_count; i++)
		if (part_is_live(&b->parts[i]))
			return true;
	return false;
}

/* at_least_once: outputs are written; now the offsets of the partitions that are still held. */
static void commit_offsets(struct stream *s)
{
	struct batch *b = &s->batch;
	if (s->consumer == NULL || !any_part_live(b)) {
		settle(s);
		return;
	}
	if (!membership_is_current(s)) { /* until an assignment says what is still held */
		b->not_before_us = clock_mono_us() + OFFSET_RETRY_US;
		stream_wake_at(s, b->not_before_us);
		return;
	}
	rd_kafka_topic_partition_list_t *live = rd_kafka_topic_partition_list_new((int)b->part_count);
	for (uint32_t i = 0; i < b->part_count; i++) {
		if (!part_is_live(&b->parts[i]))
			continue;
		const rd_kafka_topic_partition_t *from = &b->offsets->elems[i];
		rd_kafka_topic_partition_t *at = rd_kafka_topic_partition_list_add(live, from->topic, from->partition);
		at->offset = from->offset;
		at->metadata = heap_strdup(from->metadata);
		at->metadata_size = from->metadata_size;
	}
	b->committing_offsets = true;
	rd_kafka_resp_err_t err = rd_kafka_commit_queue(s->consumer, live, s->answers_queue, NULL, NULL);
	rd_kafka_topic_partition_list_destroy(live);
	if (err != RD_KAFKA_RESP_ERR_NO_ERROR)
		batch_offsets_committed(s, err);
}

void batch_offsets_committed(struct stream *s, rd_kafka_resp_err_t err)
{
	struct batch *b = &s->batch;
	if (!b->committing_offsets)
		return;
	if (err == RD_KAFKA_RESP_ERR_NO_ERROR || !any_part_live(b)) {
		settle(s);
		return;
	}
	log_warn(s->log, "stream", "offset commit failed; tried again", LOG_C("error", rd_kafka_err2str(err)));
	b->committing_offsets = false;
	b->not_before_us = clock_mono_us() + OFFSET_RETRY_US;
	stream_wake_at(s, b->not_before_us);
}

void batch_retry_offsets(struct stream *s, int64_t now_us)
{
	struct batch *b = &s->batch;
	if (b->busy && b->offsets_due && !b->committing_offsets) {
		if (now_us >= b->not_before_us)
			commit_offsets(s);
		else
			stream_wake_at(s, b->not_before_us);
	}
}

void batch_done(struct stream *s)
{
	struct batch *b = &s->batch;
	if (s->settings->kafka.delivery == DELIVERY_AT_LEAST_ONCE && b->result == BATCH_COMMITTED) {
		b->offsets_due = true;
		commit_offsets(s);
	} else {
		settle(s);
	}
}
