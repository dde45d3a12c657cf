/*
 * turn.c: records of one key go one after the other.
 *
 * The one idea: a record that must wait is taken like any other (it is a hole, its job is from the pool, the bound on the
 * metadata counts it) and is only not handed to the engine. Its predecessor's commit does that. As it was never begun it can
 * be dropped at any time, without a call being repeated: when its partition drains, goes away or is read again.
 *
 * That the lines are right after any rebalance needs one thing, that records of a key enter in the order of their offsets.
 * Deliveries ascend; a record that was dropped takes those that wait for it along, and nothing of its partition is read
 * before the consumer is back at it; a record that ran on while its partition was away enters when it is delivered again.
 *
 * Waiting jobs do no work, so they must not fill the pool: each partition may have its share of half the jobs waiting. A key
 * with more than that stops its own partition, and no other.
 */
#include "worker/stream/turn.h"

#include "common/clock.h"
#include "common/hmac.h"
#include "worker/stream/core.h"

void turn_open(struct stream *s, uint32_t max_jobs)
{
	uint64_t seed;
	s->turns.by_key = s->settings->input.ordering == ORDERING_KEY;
	if (!s->turns.by_key)
		return;
	random_bytes(&seed, sizeof seed);
	key_order_open(&s->turns.keys, max_jobs, seed);
}

void turn_close(struct stream *s)
{
	key_order_close(&s->turns.keys);
}

/* A record that waits is admitted while what waits already is under the partition's share. */
static bool has_room(const struct stream *s, const struct partition *p)
{
	const struct engine_settings *engine = &s->settings->engine;
	uint32_t shares = 0;
	for (uint32_t i = 0; i < s->partition_count; i++)
		shares += 2 * partition_is_owned(s->partitions[i]);
	return p->waiting == 0 || (p->waiting < engine->max_jobs / shares && p->waiting_bytes < engine->max_bytes / shares);
}

bool turn_has_no_room(const struct stream *s, const struct partition *p, struct str key)
{
	return s->turns.by_key && key.data != NULL && !has_room(s, p) && key_order_first(&s->turns.keys, p, key) != NULL;
}

bool turn_holds_up(const struct stream *s, const struct partition *p)
{
	return s->turns.by_key && progress_seek_target(p->progress) >= 0;
}

bool turn_enter(struct stream *s, struct taken *t, bool member)
{
	struct partition *p = t->partition;
	struct str key = t->job->rec.key;
	bool first = !s->turns.by_key || key.data == NULL || key_order_enter(&s->turns.keys, &t->place, p, key, t->offset);
	t->quarantined = member;
	p->quarantine.members += member;
	if (first && !member)
		return true;
	inflight_set_state(&s->inflight, t, TAKEN_WAITING);
	p->waiting++;
	p->waiting_bytes += t->job->reserved_bytes;
	return false;
}

void turn_resume(struct stream *s, struct taken *t)
{
	if (s->turns.by_key && t->place.key.data != NULL) /* its place's from before: the job may be with the engine */
		(void)key_order_enter(&s->turns.keys, &t->place, t->partition, t->place.key, t->offset); /* begun, whoever is first */
}

static void end_wait(struct partition *p, const struct taken *t)
{
	p->waiting--;
	p->waiting_bytes -= t->job->reserved_bytes;
}

void turn_leave(struct stream *s, struct taken *t, struct list *ready)
{
	if (t->quarantined)
		quarantine_leave(s, t);
	if (!t->place.in_line)
		return;
	struct key_place *next = key_order_leave(&s->turns.keys, &t->place);
	if (next == NULL || ready == NULL)
		return;
	struct taken *turn = LINK_OWNER(struct taken, place, next);
	if (turn->state == TAKEN_WAITING && !turn->quarantined)
		list_push(ready, &turn->job->link);
}

static void drop(struct stream *s, struct taken *t)
{
	struct partition *p = t->partition;
	turn_leave(s, t, NULL);
	if (p->progress != NULL) {
		progress_release(p->progress, t->offset);
		p->restart_due = true;
	}
	end_wait(p, t);
	stream_discard(s, t);
	atomic_fetch_sub_explicit(&s->outstanding, 1, memory_order_relaxed);
}

void turn_drop_behind(struct stream *s, struct taken *t)
{
	for (struct key_place *at = t->place.in_line ? t->place.behind : NULL, *next; at != NULL; at = next) {
		struct taken *waiting = LINK_OWNER(struct taken, place, at);
		next = at->behind;
		if (waiting->state == TAKEN_WAITING)
			drop(s, waiting);
	}
}

void turn_drop_waiting(struct stream *s, struct partition *p)
{
	for (struct taken *t = p->takens, *next; t != NULL && p->waiting > 0; t = next) {
		next = t->next;
		if (t->state == TAKEN_WAITING)
			drop(s, t);
	}
}

void turn_release(struct stream *s)
{
	struct list ready = {0};
	for (uint32_t i = 0; i < s->partition_count; i++)
		for (struct taken *t = s->partitions[i]->takens; t != NULL; t = t->next)
			if (t->state == TAKEN_WAITING && !t->quarantined && key_order_is_first(&t->place))
				list_push(&ready, &t->job->link);
	turn_deliver(s, &ready);
}

void turn_deliver(struct stream *s, struct list *ready)
{
	int64_t now = clock_mono_us();
	if (ready->head == NULL)
		return;
	for (struct link *link = ready->head; link != NULL; link = link->next) {
		struct job *job = LINK_OWNER(struct job, link, link);
		struct taken *t = taken_of(job);
		inflight_set_state(&s->inflight, t, TAKEN_OUT);
		end_wait(t->partition, t);
		job->fetched_us = now; /* its default deadline begins now, or a long line would expire as a whole */
	}
	s->hooks.deliver(s->hooks.ctx, ready);
}
