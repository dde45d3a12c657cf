/*
 * orphan.c: finished jobs whose partition is away.
 *
 * The one idea: an answer that was paid for is kept for a while, because a partition that was lost often comes back; it is
 * given up when the time is over, when the pool is empty, or when the progress then read says that another has done it.
 */
#include "common/clock.h"
#include "worker/stream/assignment.h"
#include "worker/stream/core.h"

enum { HOLD_US = 60 * 1000 * 1000 };

void stream_discard(struct stream *s, struct taken *t)
{
	struct job *job = t->job;
	inflight_remove(&s->inflight, t);
	(void)job_advance(job, JOB_DROPPED); /* aborts in debug builds */
	job_pool_give(s->pool, job);
	counter_add(s->m.dropped, 1);
}

/* Can the record still come, and ask for this answer? */
static bool is_useful(const struct stream *s, const struct taken *t, int64_t now_us)
{
	const struct partition *p = t->partition;
	if (t->offset < 0)
		return false;
	if (p->state == PARTITION_AWAY)
		return s->phase == STREAM_RUNNING && now_us < t->held_until_us;
	return p->progress == NULL || !progress_is_finished(p->progress, t->offset);
}

void assignment_hold(struct stream *s, struct taken *t)
{
	int64_t now = clock_mono_us();
	inflight_make_orphan(&s->inflight, t);
	atomic_fetch_sub_explicit(&s->outstanding, 1, memory_order_relaxed);
	t->held_until_us = now + HOLD_US;
	if (is_useful(s, t, now))
		inflight_set_state(&s->inflight, t, TAKEN_HELD);
	else
		stream_discard(s, t);
}

bool assignment_drop_held(struct stream *s, int64_t now_us, bool all)
{
	bool some = false;
	for (uint32_t i = 0; i < s->partition_count && s->inflight.held > 0; i++) {
		struct partition *p = s->partitions[i];
		for (struct taken *t = p->takens, *next; t != NULL; t = next) {
			next = t->next;
			if (t->state != TAKEN_HELD)
				continue;
			if (is_useful(s, t, now_us) && !(all && p->state == PARTITION_AWAY))
				continue;
			stream_discard(s, t);
			some = true;
		}
	}
	return some;
}

bool assignment_drop_one_held(struct stream *s)
{
	for (uint32_t i = 0; i < s->partition_count && s->inflight.held > 0; i++)
		for (struct taken *t = s->partitions[i]->takens; t != NULL; t = t->next)
			if (t->state == TAKEN_HELD) {
				stream_discard(s, t);
				return true;
			}
	return false;
}
