/*
 * quarantine.c: finding the record that kills, without blaming one that was only there.
 *
 * The one idea: a death proves something about a record only when nothing else was in the worker, and when that was written
 * down before. So the members are worked on one at a time with everything else at rest, each after a commit that names it; a
 * successor that finds such a name knows whom to suspect. A suspect is tried once more, and only by a worker that has held
 * the partition for a while: kills from outside that follow each other quickly never come that far, so they condemn nobody,
 * however long the calls are. A record that was alone at two deaths is handed to the engine as condemned, to be made a dead
 * letter without being worked on.
 *
 * Members go in the order of their offsets, the suspect too: the lowest bad one is always found first, so two of them cannot
 * take turns in hiding. While a suspect waits for its second trial its partition waits with it; the others go on.
 *
 * What it costs is said in the log and in the metrics: while a member is alone every partition of this worker rests, for 16
 * members at most and each for no longer than its deadline.
 *
 * A bad record far behind the lowest would be reached by 16 a round. So after two deaths a partition begins with few records
 * at once and doubles that as they are committed: each life gets half-way to it or further.
 */
#include "worker/stream/quarantine.h"

#include "common/clock.h"
#include "worker/stream/core.h"

enum { QUIET_US = 10 * 1000 * 1000, WINDOW_RESTARTS = 2 };

static uint8_t one_more(uint8_t count)
{
	return count < PROGRESS_COUNT_MAX ? (uint8_t)(count + 1) : count;
}

void quarantine_judge(const struct progress_mark *found, bool died, struct progress_mark *ret)
{
	ret->has_suspect = found->has_suspect;
	ret->suspect = found->suspect;
	ret->crashes = found->crashes;
	ret->restarts = found->running ? found->restarts : 0;
	ret->stuck = found->running ? found->stuck : 0;
	if (!died || !found->running)
		return;
	ret->restarts = found->restarts < UINT16_MAX ? (uint16_t)(found->restarts + 1) : UINT16_MAX;
	ret->stuck = one_more(found->stuck);
	if (!found->has_alone)
		return;
	bool again = found->has_suspect && found->suspect == found->alone;
	ret->has_suspect = true;
	ret->suspect = found->alone;
	ret->crashes = again ? one_more(found->crashes) : 1;
}

void quarantine_open(struct stream *s, struct partition *p)
{
	const struct progress_mark *mark = &p->mark;
	p->window = mark->restarts >= WINDOW_RESTARTS ? QUARANTINE_MEMBERS : 0;
	if (mark->restarts < QUARANTINE_RESTARTS && mark->stuck < QUARANTINE_STUCK && !mark->has_suspect)
		return;
	p->quarantine = (struct quarantined){.active = true, .selecting = true, .left = QUARANTINE_MEMBERS, .since_us = clock_mono_us()};
	counter_add(s->m.quarantines, 1);
	log_error(s->log, "stream",
	          "workers died at this partition again and again: its lowest records are worked on one at a time, and everything "
	          "else in this worker rests meanwhile",
	          LOG_C("topic", p->topic_name), LOG_I("partition", p->number), LOG_I("restarts", mark->restarts),
	          LOG_I("stuck", mark->stuck), LOG_I("suspect", mark->has_suspect ? mark->suspect : -1), LOG_I("crashes", mark->crashes));
}

bool quarantine_admits(struct partition *p, bool suspicious, bool *ret_member)
{
	*ret_member = false;
	if (!p->quarantine.active)
		return p->window == 0 || p->taken_count < p->window;
	if (!suspicious || p->quarantine.left == 0) {
		p->quarantine.selecting = false;
		return false;
	}
	*ret_member = true;
	return true;
}

void quarantine_all_read(struct partition *p)
{
	p->quarantine.selecting = false;
}

bool quarantine_lets_read(const struct stream *s, const struct partition *p)
{
	return p->quarantine.active ? p->quarantine.selecting : !s->quarantine.closed;
}

void quarantine_leave(struct stream *s, struct taken *member)
{
	struct partition *p = member->partition;
	member->quarantined = false;
	p->quarantine.members--;
	if (s->quarantine.alone == member) {
		s->quarantine.alone = NULL;
		p->mark.has_alone = false;
	}
	if (member->state != TAKEN_OPEN) { /* it comes again, and is a member then */
		p->quarantine.left++;
		p->quarantine.selecting = true;
	} else if (p->mark.has_suspect && p->mark.suspect == member->offset) {
		p->mark.has_suspect = false;
		p->mark.crashes = 0;
	}
}

void quarantine_told(const struct stream *s, struct batch_part *part)
{
	const struct taken *alone = s->quarantine.alone;
	bool tells = alone != NULL && alone->partition == part->partition && alone->state == TAKEN_WAITING;
	part->alone = tells ? alone->offset : -1;
}

void quarantine_committed(struct stream *s, const struct batch_part *part)
{
	struct taken *alone = s->quarantine.alone;
	if (part->alone < 0 || alone == NULL || alone->partition != part->partition || alone->offset != part->alone ||
	    alone->state != TAKEN_WAITING)
		return;
	s->quarantine.told = true;
}

static void begin(struct stream *s, struct taken *alone)
{
	struct list one = {0};
	list_push(&one, &alone->job->link);
	counter_add(s->m.alone, 1);
	log_warn(s->log, "stream", "a record is worked on alone", LOG_C("topic", alone->partition->topic_name),
	         LOG_I("partition", alone->partition->number), LOG_I("offset", alone->offset), LOG_I("crashes", alone->job->rec.crashes));
	turn_deliver(s, &one);
}

/* The lowest member of p, if it may be tried now. */
static struct taken *candidate_of(struct stream *s, struct partition *p, int64_t now_us)
{
	struct taken *lowest = NULL;
	if (!p->quarantine.active || p->quarantine.members == 0 || p->state != PARTITION_READING || !partition_is_live(p))
		return NULL;
	for (struct taken *t = p->takens; t != NULL; t = t->next)
		if (t->quarantined && (lowest == NULL || t->offset < lowest->offset))
			lowest = t;
	if (lowest == NULL || lowest->state != TAKEN_WAITING)
		return NULL;
	int64_t quiet_us = p->quarantine.since_us + QUIET_US;
	if (lowest->job->rec.crashes == 1 && now_us < quiet_us) {
		stream_wake_at(s, quiet_us);
		return NULL;
	}
	return lowest;
}

static void end_if_through(struct stream *s, struct partition *p)
{
	if (!p->quarantine.active || p->quarantine.selecting || p->quarantine.members > 0 || p->state != PARTITION_READING)
		return;
	p->quarantine = (struct quarantined){0};
	p->window = QUARANTINE_MEMBERS;
	p->mark.restarts = p->mark.stuck = p->mark.crashes = 0;
	p->mark.has_suspect = false;
	p->mark_due = p->mark_due || partition_is_live(p);
	log_warn(s->log, "stream", "the suspicious records of this partition are through", LOG_C("topic", p->topic_name),
	         LOG_I("partition", p->number));
}

void quarantine_tick(struct stream *s, int64_t now_us)
{
	struct quarantine *q = &s->quarantine;
	struct taken *next = NULL;
	for (uint32_t i = 0; i < s->partition_count; i++) {
		end_if_through(s, s->partitions[i]);
		if (q->alone == NULL && next == NULL)
			next = candidate_of(s, s->partitions[i], now_us);
	}
	if (q->alone != NULL) {
		if (q->told && q->alone->state == TAKEN_WAITING && s->inflight.out == 0)
			begin(s, q->alone);
		return;
	}
	bool was_closed = q->closed;
	q->closed = next != NULL;
	if (was_closed && !q->closed)
		turn_release(s);
	if (next == NULL || s->inflight.out > 0) /* what is at work ends by its deadline */
		return;
	q->alone = next;
	q->told = false;
	next->partition->mark.has_alone = true;
	next->partition->mark.alone = next->offset;
	next->partition->mark_due = true;
}
