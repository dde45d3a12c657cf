/*
 * batch.c: composing a transaction and settling it.
 *
 * The one idea: a batch is put together in one go by the thread that also handles assignments, with the group's metadata
 * taken at that moment, so everything in it belonged to this member then. It is filtered anew before each attempt: commits
 * are fenced per member and not per partition, so a live member could otherwise commit for a partition it has lost.
 *
 * An abort loses nothing: the jobs with their outputs are kept, and the next attempt carries them again. A refusal that
 * names no record starts a search (bisect.h): the next batches are halves, until the culprit is alone.
 */
#include "worker/stream/batch.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/fault.h"
#include "worker/stream/assignment.h"
#include "worker/stream/core.h"
#include "worker/stream/membership.h"

enum {
	METADATA_BATCH_BYTES = 900 * 1000, /* one offset commit is one broker batch of 1 MB */
	METADATA_EXTRA_BYTES = 64,         /* an offset record beside its metadata and topic name */
	GROUP_RETRY_US = 50 * 1000,
};

void batch_close(struct batch *b)
{
	if (b->offsets != NULL)
		rd_kafka_topic_partition_list_destroy(b->offsets);
	if (b->group != NULL)
		rd_kafka_consumer_group_metadata_destroy(b->group);
	free(b->parts);
	*b = (struct batch){0};
}

static size_t job_bytes(const struct job *job)
{
	size_t bytes = 0;
	for (const struct output *o = job->outputs; o != NULL; o = o->next)
		bytes += o->key.len + o->value.len;
	return bytes;
}

static void add_part(struct batch *b, struct partition *p)
{
	if (p->in_batch)
		return;
	if (b->part_count == b->part_cap) {
		b->part_cap = b->part_cap == 0 ? 64 : b->part_cap * 2;
		b->parts = heap_resize(b->parts, b->part_cap, sizeof *b->parts);
	}
	b->parts[b->part_count++] = (struct batch_part){.partition = p, .epoch = atomic_load_explicit(&p->lease.epoch, memory_order_relaxed), .alone = -1};
	p->in_batch = true;
}

/* The most that the partition's offset record can take. */
static size_t part_bytes(const struct partition *p)
{
	size_t text = 160 + (size_t)progress_entries(p->progress) * 8; /* generous for few holes; the text's bound for many */
	return METADATA_EXTRA_BYTES + p->topic.len + (text < PROGRESS_TEXT_MAX ? text : PROGRESS_TEXT_MAX);
}

/* The mistakes of test builds (common/fault.h). Without the filter: outputs of a record that another worker answers too. */
static void take_unowned(struct stream *s, struct batch *b, struct taken *t)
{
	inflight_set_state(&s->inflight, t, TAKEN_OPEN);
	(void)job_advance(t->job, JOB_COMMITTING); /* aborts in debug builds */
	list_push(&b->jobs, &t->job->link);
}

/* Early: the record counts as finished in this transaction, its outputs come with the next. */
static bool tell_early(struct batch *b, struct taken *t, struct list *left)
{
	if (!FAULT_BUG("commit_early") || progress_look(t->partition->progress, t->offset) == PROGRESS_FINISHED)
		return false;
	add_part(b, t->partition);
	progress_finish(t->partition->progress, t->offset);
	list_push(left, &t->job->link);
	return true;
}

/* Moves finished jobs into the batch, up to the bounds. What lost its partition meanwhile is held aside. */
static size_t collect_jobs(struct stream *s, struct batch *b, int64_t now_us)
{
	size_t metadata = 0;
	struct list left = {0};
	uint32_t max = (uint32_t)s->settings->commit.max_records;
	uint32_t limit = bisect_limit(&b->bisect);
	max = limit < max ? limit : max;
	while (s->collected.head != NULL) {
		struct job *job = LINK_OWNER(struct job, link, list_pop(&s->collected));
		struct taken *t = taken_of(job);
		struct partition *p = t->partition;
		if (!partition_owns(p, t)) {
			if (FAULT_BUG("skip_epoch_filter"))
				take_unowned(s, b, t);
			else
				assignment_hold(s, t);
			continue;
		}
		if (!key_order_is_first(&t->place)) { /* begun before its predecessor, which was taken for finished: committed after it */
			list_push(&left, &job->link);
			continue;
		}
		if (now_us < t->again_us) {
			stream_wake_at(s, t->again_us);
			list_push(&left, &job->link);
			continue;
		}
		bool alone = t->refused && t->again_us != 0; /* refused twice: it shall not make others wait for a search */
		if (alone && b->jobs.head != NULL) {
			list_push(&left, &job->link);
			continue;
		}
		if (alone)
			max = 1;
		if (tell_early(b, t, &left))
			continue;
		size_t bytes = job_bytes(job), text = p->in_batch ? 0 : part_bytes(p);
		bool first = b->jobs.head == NULL;
		bool fits = first || (b->jobs.count < max && b->bytes + bytes <= (size_t)s->settings->commit.max_bytes &&
		                      metadata + text <= METADATA_BATCH_BYTES);
		if (!fits) {
			list_push(&left, &job->link);
			break;
		}
		metadata += text;
		b->bytes += bytes;
		add_part(b, p);
		if (!FAULT_BUG("commit_early"))
			progress_finish(p->progress, t->offset);
		p->hole_finishing = p->hole_finishing || t->hole;
		inflight_set_state(&s->inflight, t, TAKEN_OPEN);
		(void)job_advance(job, JOB_COMMITTING); /* aborts in debug builds */
		list_push(&b->jobs, &job->link);
	}
	list_join(&left, &s->collected);
	s->collected = left;
	return metadata;
}

/* Partitions that have something to say without a record: marks, and a position that moved. */
static void collect_partitions(struct stream *s, struct batch *b, size_t metadata, int64_t now_us)
{
	bool idle_due = now_us - s->last_commit_us >= s->settings->commit.interval_ms * 1000 || b->jobs.head != NULL;
	for (uint32_t i = 0; i < s->partition_count && metadata < METADATA_BATCH_BYTES; i++) {
		struct partition *p = s->partitions[i];
		if (!partition_is_owned(p) || p->in_batch)
			continue;
		if (!p->mark_due && !(idle_due && p->state == PARTITION_READING && progress_has_news(p->progress)))
			continue;
		metadata += part_bytes(p);
		add_part(b, p);
	}
}

static void write_offset(const struct stream *s, struct batch *b, struct batch_part *part)
{
	static _Thread_local struct progress_snapshot snapshot; /* 16 KB: too much for the stack, not worth the heap */
	struct partition *p = part->partition;
	char text[PROGRESS_TEXT_MAX + 1];
	progress_begin(p->progress, &snapshot);
	if (FAULT_BUG("queued_is_finished"))
		snapshot = (struct progress_snapshot){.base = progress_top(p->progress)};
	struct progress_mark mark = p->mark; /* counts that end with this commit are 0 in it */
	part->finishes_hole = p->hole_finishing;
	p->hole_finishing = false;
	part->base = snapshot.base;
	if (part->finishes_hole && !p->quarantine.active)
		mark.restarts = 0;
	if (snapshot.base > p->base)
		mark.stuck = 0;
	size_t len = progress_encode(&snapshot, &mark, text);
	rd_kafka_topic_partition_t *at = rd_kafka_topic_partition_list_add(b->offsets, p->topic_name, p->number);
	at->offset = snapshot.base;
	at->metadata = heap_strdup(text); /* the list frees it */
	at->metadata_size = len;
	quarantine_told(s, part);
	part->was_mark = p->mark_due;
	p->mark_due = false;
}

static bool take_group(const struct stream *s, struct batch *b)
{
	FAULT_POINT("before_group");
	b->group = membership_group(s);
	if (b->group == NULL && FAULT_BUG("trust_empty_member")) { /* what the broker takes from anybody */
		char name[256];
		(void)snprintf(name, sizeof name, "%.*s", STR_ARG(s->settings->kafka.group)); /* a test's: short */
		b->group = rd_kafka_consumer_group_metadata_new(name);
	}
	return b->group != NULL;
}

static bool has_marks(const struct stream *s)
{
	for (uint32_t i = 0; i < s->partition_count; i++)
		if (s->partitions[i]->mark_due && partition_is_owned(s->partitions[i]))
			return true;
	return false;
}

bool batch_is_idle(const struct stream *s)
{
	return !s->batch.busy && s->collected.head == NULL && !has_marks(s);
}

static bool is_due(struct stream *s, int64_t now_us)
{
	if (s->collected.head != NULL || has_marks(s))
		return true;
	if (now_us - s->last_commit_us < s->settings->commit.interval_ms * 1000)
		return false;
	for (uint32_t i = 0; i < s->partition_count; i++)
		if (s->partitions[i]->state == PARTITION_READING && progress_has_news(s->partitions[i]->progress))
			return true;
	s->last_commit_us = now_us; /* nothing moved: look again an interval later */
	return false;
}

void batch_make(struct stream *s, int64_t now_us)
{
	struct batch *b = &s->batch;
	if (b->busy || !is_due(s, now_us))
		return;
	if (now_us < b->not_before_us) {
		stream_wake_at(s, b->not_before_us);
		return;
	}
	if (!take_group(s, b)) {
		stream_wake_at(s, now_us + GROUP_RETRY_US);
		return;
	}
	b->task = (struct task){.kind = TASK_BATCH};
	b->result = BATCH_UNKNOWN;
	b->bytes = 0;
	size_t metadata = collect_jobs(s, b, now_us);
	collect_partitions(s, b, metadata, now_us);
	if (b->part_count == 0) { /* everything finished had lost its partition */
		rd_kafka_consumer_group_metadata_destroy(b->group);
		b->group = NULL;
		return;
	}
	b->offsets = rd_kafka_topic_partition_list_new((int)b->part_count);
	for (uint32_t i = 0; i < b->part_count; i++)
		write_offset(s, b, &b->parts[i]);
	b->busy = true;
	s->last_commit_us = now_us;
	committer_give(s->committer, &b->task);
}
