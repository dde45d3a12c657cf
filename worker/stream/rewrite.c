/*
 * rewrite.c: reading, changing and writing in transactions.
 *
 * The one idea: the same three steps as a redrive. First the transactional id is taken, which settles what an earlier run left open and
 * shuts out one that still runs; then it is read how far that one came; then records and the offset behind them go together.
 */
#include "worker/stream/rewrite.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "worker/stream/probe.h"
#include "worker/stream/redrive_txn.h"
#include "worker/stream/stretch.h"

enum { POLL_MS = 100, ASK_TIMEOUT_MS = 30000 };

struct rewrite {
	const struct settings *settings;
	const struct rewrite_order *order;
	struct rewrite_report *report;
	char group[600];
	struct redrive_txn txn;
	struct stretch *stretch;
	int64_t *next;     /* of each partition: the offset behind the last record that was sent */
	bool *changed;     /* in the open transaction */
	int32_t to_count;  /* partitions of the other topic */
	struct arena arena; /* of one record */
};

static bool asked_to_stop(void *ctx)
{
	struct rewrite *r = ctx;
	r->report->stopped = r->report->stopped || (r->order->stop != NULL && r->order->stop(r->order->ctx));
	return r->report->stopped;
}

static rd_kafka_topic_partition_list_t *offsets_of(const struct rewrite *r)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)stretch_count(r->stretch));
	for (uint32_t i = 0; i < stretch_count(r->stretch); i++) {
		const struct stretch_part *part = stretch_part(r->stretch, i);
		bool whole = part->over && part->at == part->end; /* markers behind the last record count as read: lag is then 0 */
		if (r->changed[i])
			rd_kafka_topic_partition_list_add(list, part->topic, part->number)->offset = whole ? part->end : r->next[i];
	}
	return list;
}

static enum rc commit(struct rewrite *r, struct err *err)
{
	if (!r->txn.begun)
		return RC_OK;
	rd_kafka_topic_partition_list_t *offsets = offsets_of(r);
	int64_t count = r->txn.count;
	enum rc rc = redrive_txn_commit(&r->txn, offsets, r->group, err);
	rd_kafka_topic_partition_list_destroy(offsets);
	if (rc != RC_OK)
		return rc;
	r->report->written += count;
	memset(r->changed, 0, stretch_count(r->stretch) * sizeof *r->changed);
	return RC_OK;
}

static enum rc take(struct rewrite *r, uint32_t i, const struct record *rec, struct err *err)
{
	struct record changed = *rec;
	enum rc rc = r->order->change(r->order->ctx, rec, &r->arena, &changed.value, err);
	if (rc == RC_OK)
		rc = redrive_txn_begin(&r->txn, err);
	if (rc != RC_OK)
		return rc;
	rc = redrive_txn_send(&r->txn, r->order->to, rec->partition < r->to_count ? rec->partition : RD_KAFKA_PARTITION_UA, &changed, err);
	if (rc == RC_BAD_INPUT)
		return err_set(err, rc, "%.*s-%d@%" PRId64 ": with its embedding it has %zu bytes, more than the client sends; raise message.max.bytes under kafka.properties",
		               STR_ARG(rec->topic), (int)rec->partition, rec->offset, changed.value.len);
	r->next[i] = rec->offset + 1;
	r->changed[i] = true;
	return rc;
}

static void show_progress(const struct rewrite *r)
{
	int64_t done, total;
	if (r->order->progress == NULL)
		return;
	stretch_progress(r->stretch, &done, &total);
	r->order->progress(r->order->ctx, done, total);
}

static enum rc work(struct rewrite *r, struct err *err)
{
	enum rc rc = RC_OK;
	while (rc == RC_OK && !stretch_is_over(r->stretch) && !asked_to_stop(r)) {
		struct record rec;
		uint32_t i;
		rc = stretch_next(r->stretch, POLL_MS, &rec, &i, err);
		if (rc == RC_OK)
			rc = take(r, i, &rec, err);
		else if (rc == RC_AGAIN)
			rc = RC_OK;
		arena_reset(&r->arena);
		if (rc == RC_OK && redrive_txn_is_due(&r->txn))
			rc = commit(r, err);
		show_progress(r);
	}
	return rc == RC_OK ? commit(r, err) : rc;
}

/* An offset behind the end is of a topic that was made anew. */
static void see_committed(void *ctx, uint32_t i, int64_t offset, struct str metadata)
{
	struct rewrite *r = ctx;
	struct stretch_part *part = stretch_part(r->stretch, i);
	(void)metadata; /* the offset says all */
	if (offset > part->low && offset <= part->end)
		part->from = offset;
}

static enum rc open_stretch(struct rewrite *r, struct err *err)
{
	enum rc rc = stretch_open(r->settings, r->group, &r->order->from, 1, &r->stretch, err);
	if (rc != RC_OK)
		return rc;
	r->next = heap_zalloc(stretch_count(r->stretch), sizeof *r->next);
	r->changed = heap_zalloc(stretch_count(r->stretch), sizeof *r->changed);
	if (!r->order->again)
		rc = stretch_committed(r->stretch, ASK_TIMEOUT_MS, see_committed, r, err);
	return rc == RC_OK ? stretch_begin(r->stretch, err) : rc;
}

enum rc rewrite_run(const struct settings *settings, const struct rewrite_order *order, struct rewrite_report *ret, struct err *err)
{
	struct rewrite r = {.settings = settings, .order = order, .report = ret};
	*ret = (struct rewrite_report){0};
	arena_init(&r.arena, 1 << 16);
	(void)snprintf(r.group, sizeof r.group, "%.*s-%s", STR_ARG(settings->kafka.group), order->task); /* names are at most 249 long */
	enum rc rc = redrive_txn_open(&r.txn, settings, order->task, err);
	if (rc == RC_OK)
		rc = probe_topic(r.txn.producer, order->to, ASK_TIMEOUT_MS, &r.to_count, err);
	if (rc == RC_OK)
		rc = redrive_txn_take(&r.txn, asked_to_stop, &r, err);
	if (rc == RC_OK)
		rc = open_stretch(&r, err);
	if (rc == RC_OK)
		rc = work(&r, err);
	redrive_txn_close(&r.txn);
	free(r.next);
	free(r.changed);
	stretch_close(r.stretch);
	arena_free(&r.arena);
	return rc;
}
