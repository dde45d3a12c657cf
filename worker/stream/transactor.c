/*
 * transactor.c: the steps of a transaction.
 *
 * The one idea: an error is sorted by what must be done, as librdkafka sorts it. Retriable: call again, the call resumes.
 * Abortable: abort, and the stream brings the same outputs again. Anything else: the producer is dead and the outcome is
 * not known here; a new one under the same transactional id makes the broker settle it, and the stream asks what it holds.
 *
 * It decides nothing about records: what may be committed was decided when the batch was made.
 */
#include "worker/stream/transactor.h"

#include <stdio.h>
#include <time.h>

#include "common/clock.h"
#include "common/fault.h"
#include "worker/stream/produce.h"

enum { SLICE_MS = 1000, BACKOFF_FIRST_MS = 100, BACKOFF_MAX_MS = 10000 };

enum step { STEP_OK, STEP_ABORT, STEP_DEAD, STEP_STOPPED };

/* Only failures are reported. Thread: committer, inside poll and flush. */
static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *msg, void *opaque)
{
	(void)rk; /* the callback's form asks for it */
	if (msg->err == RD_KAFKA_RESP_ERR_NO_ERROR)
		return;
	struct transactor *x = ((struct kafka_client *)opaque)->owner;
	x->delivery_failed = true;
	if (!produce_is_refusal(msg->err) || x->delivery_refused)
		return;
	x->delivery_refused = true;
	if (x->current != NULL)
		(void)err_set(&x->current->why, RC_BAD_INPUT, "topic %s: %s (%zu bytes)", rd_kafka_topic_name(msg->rkt),
		              rd_kafka_err2str(msg->err), msg->len);
}

static bool is_transactional(const struct transactor *x)
{
	return x->transactional_id[0] != '\0';
}

static bool stopping(const struct transactor *x)
{
	return atomic_load_explicit(&x->stopping, memory_order_acquire);
}

/* Sorts an error by what must be done, and destroys it. retry: call again. */
static enum step sort_error(struct transactor *x, rd_kafka_error_t *error, const char *what, bool *ret_retry, struct err *why)
{
	*ret_retry = false;
	if (error == NULL)
		return STEP_OK;
	enum step step = STEP_DEAD;
	if (rd_kafka_error_is_fatal(error))
		step = STEP_DEAD;
	else if (rd_kafka_error_txn_requires_abort(error))
		step = STEP_ABORT;
	else if (rd_kafka_error_is_retriable(error))
		*ret_retry = true;
	(void)err_set(why, RC_UNAVAILABLE, "%s: %s", what, rd_kafka_error_string(error));
	if (*ret_retry)
		log_debug(x->client.log, "stream", "transaction call is resumed", LOG_C("call", what), LOG_C("error", rd_kafka_error_string(error)));
	rd_kafka_error_destroy(error);
	return *ret_retry && stopping(x) ? STEP_STOPPED : step;
}

void transactor_drop(struct transactor *x)
{
	if (x->producer == NULL)
		return;
	/* no message may point into a job's arena any more when this returns */
	(void)rd_kafka_purge(x->producer, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT); /* destroy frees what is left */
	(void)rd_kafka_flush(x->producer, 0);
	produce_free(x->produce);
	rd_kafka_destroy(x->producer);
	x->producer = NULL;
	x->produce = NULL;
}

static enum rc make_producer(struct transactor *x, struct err *err)
{
	rd_kafka_conf_t *conf;
	enum rc rc = kafka_conf_producer(x->settings, &x->client, is_transactional(x) ? x->transactional_id : NULL, &conf, err);
	if (rc != RC_OK)
		return rc;
	rd_kafka_conf_set_dr_msg_cb(conf, on_delivery);
	rc = kafka_conf_client(RD_KAFKA_PRODUCER, conf, &x->producer, err);
	if (rc == RC_OK)
		x->produce = produce_new(x->producer, x->client.log);
	return rc;
}

/* Until the broker has settled what an earlier producer of this id left open. slices 0: no bound. */
static enum step init_transactions(struct transactor *x, int slices, struct err *why)
{
	if (!is_transactional(x))
		return STEP_OK;
	for (int i = 0;; i++) {
		bool retry;
		enum step step = sort_error(x, rd_kafka_init_transactions(x->producer, SLICE_MS), "init_transactions", &retry, why);
		if (!retry || step == STEP_STOPPED || (slices > 0 && i + 1 >= slices))
			return retry && step != STEP_STOPPED ? STEP_DEAD : step;
	}
}

/* false: the committer is to stop. */
bool transactor_ensure(struct transactor *x)
{
	while (x->producer == NULL) {
		for (int64_t slept = 0; slept < x->backoff_ms && !stopping(x); slept += 50)
			nanosleep(&(struct timespec){.tv_nsec = 50 * 1000000}, NULL);
		if (stopping(x))
			return false;
		x->backoff_ms = x->backoff_ms * 2 > BACKOFF_MAX_MS ? BACKOFF_MAX_MS : x->backoff_ms * 2;
		struct err why;
		enum step step = make_producer(x, &why) == RC_OK ? init_transactions(x, 0, &why) : STEP_DEAD;
		if (step == STEP_OK)
			log_info(x->client.log, "stream", "new producer", LOG_C("transactional_id", x->transactional_id));
		else {
			log_warn(x->client.log, "stream", "no producer yet", LOG_C("error", why.text));
			transactor_drop(x);
		}
	}
	return true;
}

static void refuse_job(struct batch *b, struct job *culprit)
{
	struct list kept = {0};
	for (struct link *link; (link = list_pop(&b->jobs)) != NULL;)
		list_push(link == &culprit->link ? &b->refused : &kept, link);
	b->jobs = kept;
}

/* Are all output topics there? Asked before anything is begun, so that a missing one costs no abort. */
static enum step check_topics(struct transactor *x, struct batch *b)
{
	for (struct link *link = b->jobs.head, *next; link != NULL; link = next) {
		next = link->next;
		struct job *job = LINK_OWNER(struct job, link, link);
		enum rc rc = produce_check(x->produce, job, &b->why);
		if (rc == RC_BAD_INPUT)
			refuse_job(b, job);
		if (rc != RC_OK)
			return STEP_ABORT;
	}
	return STEP_OK;
}

static enum step produce_all(struct transactor *x, struct batch *b)
{
	for (struct link *link = b->jobs.head; link != NULL; link = link->next) {
		struct job *job = LINK_OWNER(struct job, link, link);
		const struct output *at = job->outputs;
		enum rc rc;
		while ((rc = produce_job(x->produce, job, &at, &b->why)) == RC_AGAIN) {
			(void)rd_kafka_poll(x->producer, 10); /* the number of events served says nothing here */
			if (stopping(x))
				return STEP_STOPPED;
		}
		if (rc == RC_BAD_INPUT)
			refuse_job(b, job);
		if (rc != RC_OK)
			return rc == RC_FATAL ? STEP_DEAD : STEP_ABORT;
	}
	return STEP_OK;
}

static enum step send_offsets(struct transactor *x, struct batch *b)
{
	bool retry;
	enum step step;
	do {
		/* this call can ignore its timeout for ever (librdkafka issue 5456): the watchdog looks at the clock */
		atomic_store_explicit(&x->hanging_since_us, clock_mono_us(), memory_order_release);
		FAULT_POINT("inside_send_offsets");
		rd_kafka_error_t *error = rd_kafka_send_offsets_to_transaction(x->producer, b->offsets, b->group, SLICE_MS);
		atomic_store_explicit(&x->hanging_since_us, 0, memory_order_release);
		step = sort_error(x, error, "send_offsets_to_transaction", &retry, &b->why);
	} while (retry && step != STEP_STOPPED);
	return step;
}

static enum step commit(struct transactor *x, struct batch *b)
{
	bool retry;
	enum step step;
	do
		step = sort_error(x, rd_kafka_commit_transaction(x->producer, SLICE_MS), "commit_transaction", &retry, &b->why);
	while (retry && step != STEP_STOPPED);
	return step;
}

static enum step abort_transaction(struct transactor *x)
{
	struct err why;
	bool retry;
	enum step step;
	do
		step = sort_error(x, rd_kafka_abort_transaction(x->producer, SLICE_MS), "abort_transaction", &retry, &why);
	while (retry && step != STEP_STOPPED);
	if (step != STEP_OK && step != STEP_STOPPED)
		log_warn(x->client.log, "stream", "abort failed", LOG_C("error", why.text));
	return step == STEP_ABORT ? STEP_DEAD : step; /* an abort that asks for an abort */
}

/* The broker answers for a whole request, so a refusal that came back from it says of no record that it is at fault. */
static void note_refusal(const struct transactor *x, struct batch *b)
{
	b->refusal = x->delivery_refused && b->refused.head == NULL;
}

static enum batch_result run_transaction(struct transactor *x, struct batch *b)
{
	bool retry;
	FAULT_POINT("before_begin");
	enum step step = sort_error(x, rd_kafka_begin_transaction(x->producer), "begin_transaction", &retry, &b->why);
	if (retry) /* nothing was begun */
		return BATCH_ABORTED;
	bool begun = step == STEP_OK;
	if (step == STEP_OK)
		step = produce_all(x, b);
	FAULT_POINT("after_produce");
	if (step == STEP_OK)
		step = send_offsets(x, b);
	FAULT_POINT("after_send_offsets");
	FAULT_POINT("inside_commit"); /* with a delay: death comes while the call is under way */
	if (step == STEP_OK)
		step = commit(x, b);
	if (step == STEP_OK)
		return BATCH_COMMITTED;
	if (step == STEP_ABORT && begun)
		step = abort_transaction(x);
	note_refusal(x, b);
	return step == STEP_OK ? BATCH_ABORTED : BATCH_UNKNOWN;
}

/* at_least_once: what a failed attempt has written already is written again. */
static enum batch_result run_plain(struct transactor *x, struct batch *b)
{
	enum step step = produce_all(x, b);
	FAULT_POINT("after_produce");
	rd_kafka_resp_err_t flushed = RD_KAFKA_RESP_ERR__TIMED_OUT;
	/* even after a failure: what was produced points into the jobs */
	while (step != STEP_DEAD && flushed == RD_KAFKA_RESP_ERR__TIMED_OUT && !stopping(x))
		flushed = rd_kafka_flush(x->producer, SLICE_MS);
	char text[256];
	if (rd_kafka_fatal_error(x->producer, text, sizeof text) != RD_KAFKA_RESP_ERR_NO_ERROR) {
		(void)err_set(&b->why, RC_FATAL, "producer: %s", text);
		return BATCH_UNKNOWN;
	}
	note_refusal(x, b);
	if (step == STEP_OK && flushed == RD_KAFKA_RESP_ERR_NO_ERROR && !x->delivery_failed)
		return BATCH_COMMITTED;
	if (b->why.text[0] == '\0')
		(void)err_set(&b->why, RC_UNAVAILABLE, "outputs were not delivered");
	return flushed == RD_KAFKA_RESP_ERR_NO_ERROR ? BATCH_ABORTED : BATCH_UNKNOWN;
}

void transactor_run(struct transactor *x, struct batch *b)
{
	b->result = BATCH_UNKNOWN;
	b->why.text[0] = '\0';
	if (!transactor_ensure(x))
		return;
	x->current = b;
	x->delivery_failed = x->delivery_refused = false;
	if (check_topics(x, b) != STEP_OK)
		b->result = BATCH_ABORTED;
	else
		b->result = is_transactional(x) ? run_transaction(x, b) : run_plain(x, b);
	x->current = NULL;
	if (b->result == BATCH_UNKNOWN)
		transactor_drop(x);
	else
		x->backoff_ms = BACKOFF_FIRST_MS;
}

void transactor_open(struct transactor *x, const struct settings *settings, struct log *log, const char *owner)
{
	x->settings = settings;
	x->client = (struct kafka_client){.log = log, .owner = x};
	x->backoff_ms = BACKOFF_FIRST_MS;
	if (settings->kafka.delivery == DELIVERY_EXACTLY_ONCE)
		settler_transactional_id(settings, owner, x->transactional_id);
}

enum rc transactor_connect(struct transactor *x, int slices, struct err *err)
{
	enum rc rc = make_producer(x, err);
	if (rc != RC_OK)
		return rc;
	if (init_transactions(x, slices, err) == STEP_OK)
		return RC_OK;
	transactor_drop(x);
	return err_prefix(err, RC_UNAVAILABLE,
	                  "the brokers of kafka.brokers (%.*s) gave no transactional producer: are they up, and may this principal use the "
	                  "transactional id %s",
	                  STR_ARG(x->settings->kafka.brokers), x->transactional_id);
}

void transactor_close(struct transactor *x)
{
	transactor_drop(x);
}

void transactor_abandon(struct transactor *x)
{
	rd_kafka_set_log_level(x->producer, 0); /* its threads live on and must not write to a log that is closed by then */
	x->abandoned = true;
	x->producer = NULL;
	x->produce = NULL;
}
