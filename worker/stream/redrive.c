/*
 * redrive.c: the road of a dead letter back.
 *
 * The one idea: the order of three steps. First the transactional id is taken, which settles whatever an earlier run left open
 * and shuts out one that still runs; then the ledger is read, which nobody else can change any more; then letters go back and the
 * ledger grows, in the same transactions. So no failure is repaired here: the run ends, and the next one finds the truth.
 */
#include "worker/stream/redrive.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "common/clock.h"
#include "worker/stream/redrive_ledger.h"
#include "worker/stream/probe.h"
#include "worker/stream/redrive_txn.h"
#include "worker/stream/stretch.h"

enum { POLL_MS = 100, ASK_TIMEOUT_MS = 30000 };

struct redrive {
	const struct settings *settings;
	const struct redrive_order *order;
	struct redrive_report *report;
	struct dead_letter_rules rules;
	char group[300], dead_letters[256];
	struct redrive_txn txn; /* not opened for a dry run */
	struct stretch *stretch;
	struct redrive_ledger *ledgers; /* of each partition of the stretch */
	bool *changed;          /* in the open transaction */
	int64_t *end_before;    /* of the letter before, of each partition */
	struct arena arena;     /* of one letter */
	int64_t next_us;        /* when the rate lets the next one go */
	int64_t total_count;
};

static bool asked_to_stop(void *ctx)
{
	struct redrive *r = ctx;
	r->report->stopped = r->report->stopped || (r->order->stop != NULL && r->order->stop(r->order->ctx));
	return r->report->stopped;
}

/* ---- batches --------------------------------------------------------------------------------------------------------- */

static rd_kafka_topic_partition_list_t *offsets_of(const struct redrive *r)
{
	char text[REDRIVE_LEDGER_TEXT_MAX + 1];
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new((int)stretch_count(r->stretch));
	for (uint32_t i = 0; i < stretch_count(r->stretch); i++) {
		if (!r->changed[i])
			continue;
		const struct stretch_part *part = stretch_part(r->stretch, i);
		rd_kafka_topic_partition_t *p = rd_kafka_topic_partition_list_add(list, part->topic, part->number);
		p->offset = r->ledgers[i].low;
		p->metadata_size = redrive_ledger_encode(&r->ledgers[i], text);
		p->metadata = heap_strdup(text); /* the list frees it */
	}
	return list;
}

/* The markers behind the last letter belong to it: the group's lag is then what was left out. */
static void close_gaps(struct redrive *r)
{
	for (uint32_t i = 0; i < stretch_count(r->stretch); i++) {
		const struct stretch_part *part = stretch_part(r->stretch, i);
		if (r->changed[i] && part->over && part->at == part->end && redrive_ledger_has(&r->ledgers[i], r->end_before[i] - 1))
			(void)redrive_ledger_mark(&r->ledgers[i], r->end_before[i], part->end); /* no room: it counts as not done, and is empty */
	}
}

static enum rc commit(struct redrive *r, struct err *err)
{
	if (!r->txn.begun)
		return RC_OK;
	close_gaps(r);
	rd_kafka_topic_partition_list_t *offsets = offsets_of(r);
	int64_t count = r->txn.count;
	enum rc rc = redrive_txn_commit(&r->txn, offsets, r->group, err);
	rd_kafka_topic_partition_list_destroy(offsets);
	if (rc != RC_OK)
		return rc;
	r->report->redriven += count;
	memset(r->changed, 0, stretch_count(r->stretch) * sizeof *r->changed);
	return RC_OK;
}

/* ---- letters --------------------------------------------------------------------------------------------------------- */

/* RC_BAD_INPUT: this letter is too large for the client. The time is today's: with its old one, retention could take it away
 * before it is read. */
static enum rc send_back(struct redrive *r, const struct dead_letter *letter, const struct record *rec, struct err *err)
{
	enum rc rc = redrive_txn_begin(&r->txn, err);
	if (rc != RC_OK)
		return rc;
	char *topic = arena_cstr(&r->arena, r->order->to.data != NULL ? r->order->to : letter->topic);
	struct header *headers;
	struct record back = *rec;
	back.header_count = dead_letter_headers(letter, rec, &r->arena, &headers);
	back.headers = headers;
	return redrive_txn_send(&r->txn, topic, RD_KAFKA_PARTITION_UA, &back, err);
}

/* false: it is to stop. */
static bool wait_for_rate(struct redrive *r)
{
	int64_t now;
	if (r->order->rate == 0 || r->order->dry_run)
		return true;
	while ((now = clock_mono_us()) < r->next_us) {
		if (asked_to_stop(r))
			return false;
		int64_t left = r->next_us - now;
		nanosleep(&(struct timespec){.tv_nsec = (left > 50000 ? 50000 : left) * 1000}, NULL);
	}
	r->next_us = (r->next_us > now - 1000000 ? r->next_us : now) + 1000000 / r->order->rate; /* a pause may be made up for a second */
	return true;
}

/* The letter goes back, and the ledger says so. */
static enum rc drive(struct redrive *r, uint32_t i, const struct dead_letter *letter, const struct record *rec, int64_t gap_from,
                     enum dead_letter_verdict *verdict, struct err *err)
{
	struct redrive_ledger *ledger = &r->ledgers[i];
	if (!redrive_ledger_fits(ledger, gap_from, rec->offset + 1)) {
		r->report->full++;
		stretch_leave(r->stretch, i);
		return RC_AGAIN;
	}
	enum rc rc = r->order->dry_run ? RC_OK : send_back(r, letter, rec, err);
	if (rc == RC_BAD_INPUT) {
		*verdict = LETTER_TOO_LARGE;
		return RC_OK;
	}
	if (rc != RC_OK)
		return rc;
	(void)redrive_ledger_mark(ledger, gap_from, rec->offset + 1); /* it fits */
	r->changed[i] = true;
	r->total_count++;
	return RC_OK;
}

/* What does not exist between two letters belongs to the one before, so that it parts no run. */
static enum rc take(struct redrive *r, uint32_t i, const struct record *rec, struct err *err)
{
	struct redrive_ledger *ledger = &r->ledgers[i];
	struct dead_letter letter;
	int64_t gap_from = r->end_before[i];
	bool after_done = redrive_ledger_has(ledger, gap_from - 1) || gap_from <= ledger->low;
	dead_letter_read(rec, &letter);
	enum dead_letter_verdict verdict =
	    redrive_ledger_has(ledger, rec->offset) && !r->order->again ? LETTER_DONE : dead_letter_judge(&letter, rec, &r->order->filter, &r->rules);
	r->end_before[i] = rec->offset + 1;
	enum rc rc = RC_OK;
	if (verdict == LETTER_GO) {
		if (!wait_for_rate(r))
			return RC_OK;
		rc = drive(r, i, &letter, rec, gap_from, &verdict, err);
	} else if (after_done || verdict == LETTER_DONE) {
		(void)redrive_ledger_mark(ledger, gap_from, rec->offset); /* no room: the gap counts as not done, and is empty */
	}
	if (rc == RC_OK)
		redrive_tally(r->report, rec, &letter, verdict);
	return rc == RC_AGAIN ? RC_OK : rc;
}

static bool limit_is_reached(struct redrive *r)
{
	r->report->limited = r->order->limit != 0 && r->total_count >= r->order->limit;
	return r->report->limited;
}

static void show_progress(const struct redrive *r)
{
	int64_t done, total;
	if (r->order->progress == NULL)
		return;
	stretch_progress(r->stretch, &done, &total);
	r->order->progress(r->order->ctx, done, total);
}

static enum rc work(struct redrive *r, struct err *err)
{
	enum rc rc = RC_OK;
	while (rc == RC_OK && !stretch_is_over(r->stretch) && !limit_is_reached(r) && !asked_to_stop(r)) {
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

/* ---- beginning ------------------------------------------------------------------------------------------------------- */

static enum rc check_targets(struct redrive *r, struct err *err)
{
	int32_t partitions;
	if (r->order->to.data != NULL)
		return probe_topic(r->txn.producer, r->order->to.data, ASK_TIMEOUT_MS, &partitions, err);
	enum rc rc = RC_OK;
	for (uint32_t i = 0; i < r->rules.topic_count && rc == RC_OK; i++) {
		char *name = arena_cstr(&r->arena, r->rules.topics[i]);
		rc = probe_topic(r->txn.producer, name, ASK_TIMEOUT_MS, &partitions, err);
	}
	return rc;
}

/* What the record says is believed only if it is whole and of this topic: doubt means that a letter may go back again. */
static void see_committed(void *ctx, uint32_t i, int64_t offset, struct str metadata)
{
	struct redrive *r = ctx;
	struct stretch_part *part = stretch_part(r->stretch, i);
	struct redrive_ledger *ledger = &r->ledgers[i];
	if (offset > part->end) { /* a topic made anew */
		redrive_ledger_init(ledger, part->low);
		return;
	}
	if (metadata.len == 0 || redrive_ledger_decode(metadata, offset, ledger, NULL) != RC_OK)
		redrive_ledger_init(ledger, offset);
	(void)redrive_ledger_mark(ledger, 0, part->low); /* retention; never refused from below */
}

static enum rc open_stretch(struct redrive *r, struct err *err)
{
	const char *topic = r->dead_letters;
	enum rc rc = stretch_open(r->settings, r->group, &topic, 1, &r->stretch, err);
	if (rc != RC_OK)
		return rc;
	uint32_t count = stretch_count(r->stretch);
	r->ledgers = heap_zalloc(count, sizeof *r->ledgers);
	r->changed = heap_zalloc(count, sizeof *r->changed);
	r->end_before = heap_zalloc(count, sizeof *r->end_before);
	for (uint32_t i = 0; i < count; i++)
		redrive_ledger_init(&r->ledgers[i], stretch_part(r->stretch, i)->low);
	rc = stretch_committed(r->stretch, ASK_TIMEOUT_MS, see_committed, r, err);
	for (uint32_t i = 0; i < count && rc == RC_OK; i++) {
		struct stretch_part *part = stretch_part(r->stretch, i);
		part->from = r->order->again ? part->low : r->ledgers[i].low;
		r->end_before[i] = part->from;
	}
	return rc == RC_OK ? stretch_begin(r->stretch, err) : rc;
}

static void close_all(struct redrive *r)
{
	redrive_txn_close(&r->txn);
	for (uint32_t i = 0; r->ledgers != NULL && i < stretch_count(r->stretch); i++)
		redrive_ledger_free(&r->ledgers[i]);
	free(r->ledgers);
	free(r->changed);
	free(r->end_before);
	stretch_close(r->stretch);
	arena_free(&r->arena);
}

enum rc redrive_run(const struct settings *settings, const struct redrive_order *order, struct redrive_report *ret, struct err *err)
{
	struct redrive r = {.settings = settings, .order = order, .report = ret};
	memset(ret, 0, sizeof *ret);
	arena_init(&ret->arena, 0);
	arena_init(&r.arena, 0);
	r.rules = (struct dead_letter_rules){.topics = settings->input.topics.items, .topic_count = settings->input.topics.count,
	                                     .to = order->to, .max_redrives = order->max_redrives};
	(void)snprintf(r.group, sizeof r.group, "%.*s-redrive", STR_ARG(settings->kafka.group)); /* names are at most 249 long */
	(void)snprintf(r.dead_letters, sizeof r.dead_letters, "%.*s", STR_ARG(settings->output.dead_letters));
	enum rc rc = RC_OK;
	if (!order->dry_run) {
		rc = redrive_txn_open(&r.txn, settings, "redrive", err);
		if (rc == RC_OK)
			rc = check_targets(&r, err);
		if (rc == RC_OK)
			rc = redrive_txn_take(&r.txn, asked_to_stop, &r, err);
	}
	if (rc == RC_OK)
		rc = open_stretch(&r, err);
	if (rc == RC_OK)
		rc = work(&r, err);
	if (order->dry_run)
		ret->redriven = r.total_count;
	close_all(&r);
	return rc;
}
