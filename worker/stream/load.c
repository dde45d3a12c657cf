/*
 * load.c: where a partition is taken up.
 *
 * The one idea: a partition is read only from a place that is certain. What was committed is asked with require_stable, so
 * an open transaction of the owner before makes the answer "not yet"; any error means unknown, and is asked again. Where
 * nothing was committed, or the log no longer has it, the log's ends are looked up, and the result is committed before the
 * first dispatch.
 *
 * Not yet for longer than a commit takes is a sign of a dead owner: what was committed before then names it, and its
 * transaction is settled (settler.h).
 *
 * A broker may forget: one that was killed can name an older offset than it has confirmed, or none, while it reads its own log
 * again. So an answer is held against what this worker knows to be committed, and "none" against the decisions that are there. It is
 * asked for again, and believed after a while: an offset can also be set back on purpose, and a group be new.
 *
 * Metadata that is not this worker's means "nothing above the offset is finished": redone, never skipped.
 */
#include <stdio.h>
#include <stdlib.h>

#include "common/clock.h"
#include "worker/stream/assignment.h"
#include "worker/stream/core.h"

/* REQUEST_MS: librdkafka aborts (its issue 4605) when a question to a coordinator runs out of time and the coordinator comes back
 * later, so there is more of it than a failover takes, and no more than a stop may take: an open question holds that up. */
enum { REQUEST_MS = 20 * 1000, RETRY_FIRST_US = 100 * 1000, RETRY_MAX_US = 1000 * 1000, UNSTABLE_RETRY_US = 200 * 1000, UNSTABLE_LONG_US = 700 * 1000,
       DOUBT_OLDER_US = 30 * 1000 * 1000, DOUBT_NONE_US = 10 * 1000 * 1000 };

static void ask_again(struct stream *s, struct partition *p, int64_t now_us)
{
	int64_t pause = RETRY_FIRST_US;
	for (uint32_t i = 0; i < p->tries && pause < RETRY_MAX_US; i++)
		pause *= 2;
	p->tries++;
	p->state = PARTITION_UNKNOWN;
	p->retry_at_us = now_us + pause;
	stream_wake_at(s, p->retry_at_us);
}

static void send_question(struct stream *s, rd_kafka_topic_partition_list_t *list, bool stable)
{
	char why[256], group[256];
	snprintf(group, sizeof group, "%.*s", STR_ARG(s->settings->kafka.group));
	rd_kafka_AdminOptions_t *options = rd_kafka_AdminOptions_new(s->consumer, RD_KAFKA_ADMIN_OP_LISTCONSUMERGROUPOFFSETS);
	/* cannot fail: the values are in range for this call */
	(void)rd_kafka_AdminOptions_set_request_timeout(options, REQUEST_MS, why, sizeof why);
	rd_kafka_error_t *error = rd_kafka_AdminOptions_set_require_stable_offsets(options, stable);
	if (error != NULL)
		rd_kafka_error_destroy(error);
	rd_kafka_AdminOptions_set_opaque(options, (void *)(uintptr_t)s->question);
	rd_kafka_ListConsumerGroupOffsets_t *request = rd_kafka_ListConsumerGroupOffsets_new(group, list);
	rd_kafka_ListConsumerGroupOffsets(s->consumer, &request, 1, options, s->answers_queue);
	rd_kafka_ListConsumerGroupOffsets_destroy(request);
	rd_kafka_AdminOptions_destroy(options);
}

static void add_to_question(struct stream *s, struct partition *p, rd_kafka_topic_partition_list_t *list)
{
	rd_kafka_topic_partition_list_add(list, p->topic_name, p->number);
	p->state = PARTITION_ASKED;
	p->question = s->question;
}

static bool is_due(struct stream *s, const struct partition *p, int64_t now_us)
{
	if (p->state != PARTITION_UNKNOWN || p->in_batch) /* its end in a batch under way is not known yet */
		return false;
	if (!stream_is_reachable(s)) {
		stream_wake_at(s, now_us + RETRY_FIRST_US);
		return false;
	}
	if (now_us < p->retry_at_us) {
		stream_wake_at(s, p->retry_at_us);
		return false;
	}
	return true;
}

void load_ask(struct stream *s, int64_t now_us)
{
	rd_kafka_topic_partition_list_t *all = rd_kafka_topic_partition_list_new(16);
	s->question++;
	for (uint32_t i = 0; i < s->partition_count; i++)
		if (s->partitions[i]->tries == 0 && is_due(s, s->partitions[i], now_us))
			add_to_question(s, s->partitions[i], all);
	if (all->cnt > 0)
		send_question(s, all, true);
	rd_kafka_topic_partition_list_destroy(all);
	/* one that is not certain yet may fail a whole question: from then on each is asked for alone */
	for (uint32_t i = 0; i < s->partition_count; i++) {
		struct partition *p = s->partitions[i];
		if (p->tries == 0 || !is_due(s, p, now_us))
			continue;
		rd_kafka_topic_partition_list_t *one = rd_kafka_topic_partition_list_new(1);
		s->question++;
		add_to_question(s, p, one);
		send_question(s, one, !p->asks_owner);
		rd_kafka_topic_partition_list_destroy(one);
	}
}

/* By the committer, not by an admin call: librdkafka can abort the process (rd_kafka_enq_once_del_source_return, its issues
 * 3663 and 4605) when the connection breaks under one of those. For the same reason none is made while no broker is there. */
void load_ping(struct stream *s)
{
	if (s->pinging)
		return;
	struct lookup *l = heap_zalloc(1, sizeof *l);
	*l = (struct lookup){.task.kind = TASK_LOOKUP, .topic = s->topic_names[0]};
	s->pinging = true;
	committer_give(s->committer, &l->task);
}

static void look_up(struct stream *s, struct partition *p)
{
	struct lookup *l = heap_zalloc(1, sizeof *l);
	*l = (struct lookup){.task.kind = TASK_LOOKUP, .partition = p, .question = p->question, .topic = p->topic_name, .number = p->number,
	                     .asks_outputs = !p->has_committed};
	p->state = PARTITION_LOOKUP;
	committer_give(s->committer, &l->task);
}

/* Where to begin is certain: from here the partition is assigned, and read once its mark is committed. */
static void take_up(struct stream *s, struct partition *p, int64_t begin)
{
	p->progress = progress_open(p->base, p->loaded);
	if (begin > p->base)
		progress_position(p->progress, begin);
	free(p->loaded);
	p->loaded = NULL;
	p->mark_due = true;
	p->state = PARTITION_MARKING;
	quarantine_open(s, p);
	partition_start_consuming(p, begin);
	log_info(s->log, "stream", "partition taken up", LOG_C("topic", p->topic_name), LOG_I("partition", p->number),
	         LOG_I("offset", begin), LOG_I("holes", progress_entries(p->progress)), LOG_I("restarts", p->mark.restarts));
}

static void read_metadata(struct stream *s, struct partition *p, struct str text)
{
	struct err why;
	struct progress_mark mark = {0};
	struct progress_snapshot *snapshot = heap_alloc(sizeof *snapshot);
	p->suspects = 0;
	p->mark = (struct progress_mark){.running = true};
	snprintf(p->mark.owner, sizeof p->mark.owner, "%s", s->owner);
	if (progress_decode(text, p->base, snapshot, &mark, &why) == RC_OK) {
		p->loaded = snapshot;
		bool is_own = p->marked && strcmp(mark.owner, s->owner) == 0; /* nobody has crashed: this worker reads it again */
		quarantine_judge(&mark, !is_own, &p->mark);
		if (mark.running && !is_own) { /* what the owner before may have begun and not told: bounded like all that is unfinished */
			p->suspects = PROGRESS_MAX_ENTRIES - snapshot->count;
			/* outputs may be open though no offset is: readers would wait for the broker's timeout */
			bool transactional = s->settings->kafka.delivery == DELIVERY_EXACTLY_ONCE;
			if (transactional && mark.owner[0] != '\0' && strcmp(mark.owner, s->owner) != 0)
				settler_ask(s->settler, mark.owner, clock_mono_us());
		}
		return;
	}
	free(snapshot);
	p->suspects = PROGRESS_MAX_ENTRIES;
	counter_add(s->m.bad_metadata, 1);
	log_warn(s->log, "stream", "progress beyond the committed offset is not known; what was finished there is done again",
	         LOG_C("topic", p->topic_name), LOG_I("partition", p->number), LOG_I("offset", p->base), LOG_C("why", why.text));
}

/* Some transaction holds the partition. A living owner's ends in a moment; one that lasts is asked for by name. */
static void note_unstable(struct stream *s, struct partition *p, int64_t now_us)
{
	if (p->unstable_since_us == 0)
		p->unstable_since_us = now_us;
	p->asks_owner = now_us - p->unstable_since_us >= UNSTABLE_LONG_US;
	p->retry_at_us = now_us + UNSTABLE_RETRY_US;
	stream_wake_at(s, p->retry_at_us);
}

/* The answer holds what was committed before that transaction; nothing but the owner's name is taken from it. */
static void settle_owner(struct stream *s, struct partition *p, const rd_kafka_topic_partition_t *at, int64_t now_us)
{
	struct progress_mark mark = {0};
	struct progress_snapshot *ignored = heap_alloc(sizeof *ignored);
	struct err why;
	struct str text = {at->metadata, at->metadata != NULL ? at->metadata_size : 0};
	bool named = at->err == RD_KAFKA_RESP_ERR_NO_ERROR && at->offset >= 0 && progress_decode(text, at->offset, ignored, &mark, &why) == RC_OK;
	free(ignored);
	if (named && mark.owner[0] != '\0' && strcmp(mark.owner, s->owner) != 0)
		settler_ask(s->settler, mark.owner, now_us);
	ask_again(s, p, now_us);
	p->asks_owner = false;
	p->retry_at_us = now_us + UNSTABLE_RETRY_US;
	stream_wake_at(s, p->retry_at_us);
}

/* An answer that can be believed. */
static void end_doubt(struct stream *s, struct partition *p)
{
	if (p->doubted_since_us != 0)
		log_warn(s->log, "stream", "a committed offset is believed again", LOG_C("topic", p->topic_name), LOG_I("partition", p->number),
		         LOG_I("offset", p->base), LOG_I("committed_before", p->committed_top));
	p->doubted_since_us = 0;
	p->committed_top = p->base;
}

static void on_partition(struct stream *s, const rd_kafka_topic_partition_t *at, uint32_t question)
{
	struct partition *p = assignment_find(s, at->topic, at->partition);
	if (p == NULL || p->state != PARTITION_ASKED || p->question != question)
		return;
	int64_t now = clock_mono_us();
	if (p->asks_owner) {
		settle_owner(s, p, at, now);
		return;
	}
	if (at->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
		log_info(s->log, "stream", "committed progress is not certain yet", LOG_C("topic", p->topic_name),
		         LOG_I("partition", p->number), LOG_C("error", rd_kafka_err2str(at->err)));
		ask_again(s, p, now);
		if (at->err == RD_KAFKA_RESP_ERR_UNSTABLE_OFFSET_COMMIT)
			note_unstable(s, p, now);
		return;
	}
	p->unstable_since_us = 0;
	p->has_committed = at->offset >= 0;
	p->base = at->offset >= 0 ? at->offset : 0;
	if (!p->has_committed) {
		p->mark = (struct progress_mark){.running = true};
		snprintf(p->mark.owner, sizeof p->mark.owner, "%s", s->owner);
	}
	if (p->base < p->committed_top || !p->has_committed) {
		look_up(s, p);
		return;
	}
	end_doubt(s, p);
	/* the text comes without a terminating NUL */
	read_metadata(s, p, (struct str){at->metadata, at->metadata != NULL ? at->metadata_size : 0});
	if (p->was_out_of_range)
		look_up(s, p);
	else
		take_up(s, p, p->base);
}

void load_answered(struct stream *s, rd_kafka_event_t *event)
{
	uint32_t question = (uint32_t)(uintptr_t)rd_kafka_event_opaque(event);
	rd_kafka_resp_err_t err = rd_kafka_event_error(event);
	size_t count = 0;
	const rd_kafka_group_result_t **groups = NULL;
	if (err == RD_KAFKA_RESP_ERR_NO_ERROR)
		groups = rd_kafka_ListConsumerGroupOffsets_result_groups(rd_kafka_event_ListConsumerGroupOffsets_result(event), &count);
	const rd_kafka_error_t *error = count == 1 ? rd_kafka_group_result_error(groups[0]) : NULL;
	if (count == 1 && (error == NULL || rd_kafka_error_code(error) > 0)) /* below 0 are the library's own */
		stream_set_reachable(s, true);
	const rd_kafka_topic_partition_list_t *list = count == 1 && error == NULL ? rd_kafka_group_result_partitions(groups[0]) : NULL;
	for (int i = 0; list != NULL && i < list->cnt; i++)
		on_partition(s, &list->elems[i], question);
	int64_t now = clock_mono_us();
	for (uint32_t i = 0; i < s->partition_count; i++) {
		struct partition *p = s->partitions[i];
		if (p->state != PARTITION_ASKED || p->question != question)
			continue; /* what is left had no answer */
		log_info(s->log, "stream", "committed progress is not certain yet", LOG_C("topic", p->topic_name),
		         LOG_I("partition", p->number),
		         LOG_C("error", error != NULL ? rd_kafka_error_string(error) : rd_kafka_event_error_string(event)));
		p->asks_owner = false;
		ask_again(s, p, now);
	}
	rd_kafka_event_destroy(event);
}

/* The log ends below what was committed: it was made anew, and nothing that is known of it holds. */
static void start_anew(struct stream *s, struct partition *p, const struct lookup *l)
{
	log_error(s->log, "stream", "the log ends below the committed offset: the topic was truncated or made anew; read from its start",
	          LOG_C("topic", p->topic_name), LOG_I("partition", p->number), LOG_I("committed", p->committed_top), LOG_I("log_end", l->high));
	free(p->loaded);
	p->loaded = NULL;
	p->has_committed = false;
	p->suspects = 0;
	p->mark.restarts = p->mark.stuck = p->mark.crashes = 0;
	p->mark.has_suspect = false;
	p->taken_top = p->committed_top = p->doubted_since_us = 0;
	p->base = l->low;
	for (struct taken *t = p->takens, *next; t != NULL; t = next) {
		next = t->next;
		inflight_estrange(&s->inflight, t);
	}
	take_up(s, p, l->low);
}

/* The broker has forgotten, or somebody has set the offset back, or this group is new here. true: it is asked again before that is
 * believed. */
static bool is_in_doubt(struct stream *s, struct partition *p)
{
	int64_t now = clock_mono_us(), most = p->base < p->committed_top ? DOUBT_OLDER_US : DOUBT_NONE_US;
	if (p->doubted_since_us == 0) {
		p->doubted_since_us = now;
		counter_add(s->m.went_back, 1);
		log_warn(s->log, "stream", p->has_committed ? "the broker names an older committed offset than before; it is asked again"
		                                            : "the broker names no committed offset, though there were decisions; it is asked again",
		         LOG_C("topic", p->topic_name), LOG_I("partition", p->number), LOG_I("offset", p->has_committed ? p->base : -1),
		         LOG_I("committed_before", p->committed_top), LOG_I("believed_after_s", most / 1000000));
	}
	if (now - p->doubted_since_us >= most)
		return false;
	ask_again(s, p, now);
	return true;
}

static void on_ends(struct stream *s, struct partition *p, const struct lookup *l)
{
	bool is_odd = p->base < p->committed_top || (!p->has_committed && l->has_outputs);
	if (p->committed_top > l->high) {
		start_anew(s, p, l);
	} else if (is_odd && is_in_doubt(s, p)) {
		return;
	} else if (p->base < p->committed_top && p->has_committed) { /* believed after all; what it says beside the offset is asked for */
		end_doubt(s, p);
		ask_again(s, p, clock_mono_us());
	} else if (!p->has_committed) {
		end_doubt(s, p);
		bool latest = s->settings->kafka.start == START_LATEST;
		p->base = latest ? l->high : l->low;
		log_warn(s->log, "stream", "no committed offset: starting as kafka.start says", LOG_C("topic", p->topic_name),
		         LOG_I("partition", p->number), LOG_C("start", latest ? "latest" : "earliest"), LOG_I("offset", p->base));
		take_up(s, p, p->base);
	} else if (p->base < l->low) {
		counter_add(s->m.gap_records, (uint64_t)(l->low - p->base));
		log_error(s->log, "stream", "records were deleted by retention before they were read; going on at the log's start",
		          LOG_C("topic", p->topic_name), LOG_I("partition", p->number), LOG_I("committed", p->base),
		          LOG_I("log_start", l->low));
		take_up(s, p, l->low);
	} else {
		take_up(s, p, p->base);
	}
}

void load_looked_up(struct stream *s, struct lookup *l)
{
	struct partition *p = l->partition;
	if (l->error == RD_KAFKA_RESP_ERR_NO_ERROR)
		stream_set_reachable(s, true);
	if (p == NULL) {
		s->pinging = false;
	} else if (p->state == PARTITION_LOOKUP && p->question == l->question) {
		if (l->error == RD_KAFKA_RESP_ERR_NO_ERROR && l->low >= 0 && l->high >= l->low) {
			on_ends(s, p, l);
		} else {
			log_info(s->log, "stream", "the log's ends are not known yet", LOG_C("topic", p->topic_name),
			         LOG_I("partition", p->number), LOG_C("error", rd_kafka_err2str(l->error)));
			ask_again(s, p, clock_mono_us());
		}
	}
	free(l);
}
