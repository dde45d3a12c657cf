/*
 * committer.c: the thread around the producer.
 *
 * The one idea: everything that may block on the broker happens here, one task after the other, so the stream thread never
 * does. What a transaction's steps are is transactor.c's.
 */
#include "worker/stream/committer.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "common/clock.h"
#include "worker/stream/probe.h"
#include "worker/stream/transactor.h"

enum { LOOKUP_TIMEOUT_MS = 1000, START_SLICES = 30, TOPIC_TIMEOUT_MS = 15000, CLUSTER_TIMEOUT_MS = 5000, PROBES = 3, MISSED_PROBES = 5, STOP_S = 15 };

struct committer {
	struct transactor transactor;
	void (*wake)(void *ctx);
	void *ctx;
	struct handover tasks, answers;
	enum { OUTPUTS_UNKNOWN, OUTPUTS_NONE, OUTPUTS_THERE } outputs; /* none: nor has this worker committed any since */
	pthread_t thread;
	bool started;
};

/* Decisions of anybody: a topic that was never written to ends at 0 everywhere. */
static rd_kafka_resp_err_t look_for_outputs(struct committer *c)
{
	rd_kafka_t *rk = c->transactor.producer;
	char name[256];
	const struct rd_kafka_metadata *metadata = NULL;
	snprintf(name, sizeof name, "%.*s", STR_ARG(c->transactor.settings->output.decisions));
	rd_kafka_topic_t *topic = rd_kafka_topic_new(rk, name, NULL);
	rd_kafka_resp_err_t err = rd_kafka_metadata(rk, 0, topic, &metadata, LOOKUP_TIMEOUT_MS);
	rd_kafka_topic_destroy(topic);
	if (err != RD_KAFKA_RESP_ERR_NO_ERROR)
		return err;
	int64_t low = 0, high = 0;
	int count = metadata->topic_cnt == 1 ? metadata->topics[0].partition_cnt : 0;
	for (int i = 0; i < count && high == 0 && err == RD_KAFKA_RESP_ERR_NO_ERROR; i++)
		err = rd_kafka_query_watermark_offsets(rk, name, metadata->topics[0].partitions[i].id, &low, &high, LOOKUP_TIMEOUT_MS);
	rd_kafka_metadata_destroy(metadata);
	if (err == RD_KAFKA_RESP_ERR_NO_ERROR)
		c->outputs = high > 0 ? OUTPUTS_THERE : OUTPUTS_NONE;
	return err;
}

static void run_lookup(struct committer *c, struct lookup *l)
{
	l->error = RD_KAFKA_RESP_ERR__DESTROY;
	if (transactor_ensure(&c->transactor))
		l->error = rd_kafka_query_watermark_offsets(c->transactor.producer, l->topic, l->number, &l->low, &l->high,
		                                            LOOKUP_TIMEOUT_MS);
	if (l->error == RD_KAFKA_RESP_ERR_NO_ERROR && l->asks_outputs && c->outputs == OUTPUTS_UNKNOWN)
		l->error = look_for_outputs(c);
	l->has_outputs = c->outputs == OUTPUTS_THERE;
}

static void *committer_main(void *arg)
{
	struct committer *c = arg;
	(void)pthread_setname_np(pthread_self(), "committer"); /* a name for people; nothing depends on it */
	while (!atomic_load_explicit(&c->transactor.stopping, memory_order_acquire)) {
		struct list todo = {0};
		if (handover_take(&c->tasks, &todo, 1) == 0) {
			handover_wait(&c->tasks, -1);
			continue;
		}
		struct task *task = LINK_OWNER(struct task, link, list_pop(&todo));
		if (task->kind == TASK_BATCH) {
			transactor_run(&c->transactor, LINK_OWNER(struct batch, task, task));
			if (c->outputs == OUTPUTS_NONE)
				c->outputs = OUTPUTS_UNKNOWN;
		} else {
			run_lookup(c, LINK_OWNER(struct lookup, task, task));
		}
		handover_push(&c->answers, &task->link);
		c->wake(c->ctx);
	}
	return NULL;
}

static const char *cstr_of(struct str s, char *out, size_t size)
{
	snprintf(out, size, "%.*s", STR_ARG(s));
	return out;
}

/* A probe that hangs takes its producer with it; another one under the same id goes on. One that was not answered in time was
 * aborted, and is tried again; so is one whose producer was fenced by a worker that settles what the life before left open. */
static enum rc check_fencing(struct committer *c, const char *group, const char *topic, struct err *err)
{
	struct transactor *x = &c->transactor;
	int64_t until = clock_mono_us() + START_SLICES * 1000000LL;
	for (int hung = 0, missed = 0;;) {
		enum rc rc = x->producer == NULL ? transactor_connect(x, START_SLICES, err) : RC_OK;
		if (rc != RC_OK)
			return rc;
		rc = probe_fencing(x->producer, group, topic, err);
		if (rc == RC_UNAVAILABLE && ++missed < MISSED_PROBES && clock_mono_us() < until) {
			log_warn(x->client.log, "stream", "probe of the broker failed; tried again", LOG_C("error", err->text));
			if (rd_kafka_fatal_error(x->producer, NULL, 0) != RD_KAFKA_RESP_ERR_NO_ERROR) /* fenced by one who took it for dead */
				transactor_drop(x);
		} else if (rc == RC_AGAIN) {
			log_warn(x->client.log, "stream", "probe of the broker hangs; tried with another producer", LOG_C("error", err->text));
			transactor_abandon(x);
			if (++hung == PROBES)
				return err_prefix(err, RC_UNAVAILABLE, "gave up");
		} else {
			return rc;
		}
	}
}

static enum rc check_broker(struct committer *c, struct err *err)
{
	const struct settings *settings = c->transactor.settings;
	char topic[256], group[256];
	cstr_of(settings->input.topics.items[0], topic, sizeof topic);
	int32_t partitions;
	enum rc rc = probe_topic(c->transactor.producer, topic, TOPIC_TIMEOUT_MS, &partitions, err);
	if (rc != RC_OK)
		return err_prefix(err, rc, "input.topics");
	if (c->transactor.transactional_id[0] == '\0')
		return RC_OK;
	return check_fencing(c, cstr_of(settings->kafka.group, group, sizeof group), topic, err);
}

static enum rc check_output(struct committer *c, struct str name, struct err *err)
{
	char topic[256];
	int32_t partitions;
	if (name.len == 0)
		return RC_OK;
	enum rc rc = probe_topic(c->transactor.producer, cstr_of(name, topic, sizeof topic), TOPIC_TIMEOUT_MS, &partitions, err);
	return rc != RC_BAD_INPUT
	           ? rc
	           : err_set(err, rc, "output topic %s does not exist, or may not be written; pointsman topics --create makes it", topic);
}

static enum rc check_outputs(struct committer *c, struct err *err)
{
	const struct settings *settings = c->transactor.settings;
	const struct str topics[] = {settings->output.responses, settings->output.decisions, settings->output.dead_letters};
	enum rc rc = RC_OK;
	for (size_t i = 0; i < sizeof topics / sizeof topics[0] && rc == RC_OK; i++)
		rc = check_output(c, topics[i], err);
	for (uint32_t i = 0; i < settings->model_count && rc == RC_OK; i++)
		rc = check_output(c, settings->models[i].park_topic, err);
	return rc;
}

enum rc committer_start(const struct committer_options *options, struct committer **ret, struct err *err)
{
	struct committer *c = heap_zalloc(1, sizeof *c);
	transactor_open(&c->transactor, options->settings, options->log, options->owner);
	c->wake = options->wake;
	c->ctx = options->ctx;
	c->tasks.event_fd = c->answers.event_fd = -1;
	enum rc rc = handover_open(&c->tasks, err);
	if (rc == RC_OK)
		rc = handover_open(&c->answers, err);
	if (rc == RC_OK)
		rc = transactor_connect(&c->transactor, START_SLICES, err);
	if (rc == RC_OK)
		rc = check_broker(c, err);
	if (rc == RC_OK)
		rc = check_outputs(c, err);
	if (rc == RC_OK && pthread_create(&c->thread, NULL, committer_main, c) != 0)
		rc = err_set(err, RC_FATAL, "the committer thread could not be started");
	if (rc != RC_OK) {
		committer_free(c);
		return rc;
	}
	c->started = true;
	*ret = c;
	return RC_OK;
}

void committer_give(struct committer *c, struct task *task)
{
	handover_push(&c->tasks, &task->link);
}

size_t committer_take(struct committer *c, struct list *answers)
{
	return handover_take(&c->answers, answers, 0);
}

enum rc committer_stop(struct committer *c)
{
	if (!c->started)
		return RC_OK;
	atomic_store_explicit(&c->transactor.stopping, true, memory_order_release);
	handover_wake_all(&c->tasks);
	struct timespec until;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += STOP_S;
	if (pthread_clockjoin_np(c->thread, NULL, CLOCK_MONOTONIC, &until) != 0)
		return RC_FATAL;
	c->started = false;
	return RC_OK;
}

/* What nobody will answer any more. Batches are the stream's. */
static void drop_lookups(struct handover *h)
{
	struct list left = {0};
	if (h->event_fd >= 0)
		handover_take(h, &left, 0);
	for (struct link *link; (link = list_pop(&left)) != NULL;) {
		struct task *task = LINK_OWNER(struct task, link, link);
		if (task->kind == TASK_LOOKUP)
			free(LINK_OWNER(struct lookup, task, task));
	}
}

void committer_free(struct committer *c)
{
	if (c == NULL)
		return;
	if (committer_stop(c) != RC_OK)
		return;
	transactor_close(&c->transactor);
	drop_lookups(&c->tasks);
	drop_lookups(&c->answers);
	handover_close(&c->tasks);
	handover_close(&c->answers);
	if (!c->transactor.abandoned)
		free(c);
}

int64_t committer_hanging_s(const struct committer *c)
{
	int64_t since = atomic_load_explicit(&c->transactor.hanging_since_us, memory_order_acquire);
	return since == 0 ? 0 : (clock_mono_us() - since) / 1000000;
}

void committer_cluster_id(struct committer *c, char *out, size_t size)
{
	char *id = rd_kafka_clusterid(c->transactor.producer, CLUSTER_TIMEOUT_MS);
	snprintf(out, size, "%s", id != NULL ? id : "");
	if (id != NULL)
		rd_kafka_mem_free(c->transactor.producer, id);
}
