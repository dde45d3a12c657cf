/*
 * settler.c: fencing a dead owner by its own name.
 *
 * The one idea: init_transactions under a transactional id makes the broker abort what an earlier producer of that id left
 * open, at once; otherwise it waits for transaction.timeout.ms and its own scan. The metadata of the last commit names the
 * owner, and so the id.
 *
 * The owner may live after all (stopped, cut off, slow to give up): then its producer is fenced. It aborts or learns that its
 * transaction was aborted, makes another producer, and writes what it still owns again: nothing is lost, and what it no longer
 * owns was ours to write. So being wrong costs it one transaction, and being asked for again is bounded here.
 */
#include "worker/stream/settler.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/fault.h"
#include "common/queue.h"
#include "worker/stream/kafka_conf.h"
#include "worker/stream/progress_codec.h"

enum { SLICE_MS = 500, SLICES = 30, REMEMBERED = 16, AGAIN_US = 10 * 1000 * 1000 };

struct request {
	struct link link;
	char owner[PROGRESS_OWNER_MAX + 1];
};

struct settler {
	const struct settings *settings;
	struct kafka_client client;
	void (*wake)(void *ctx);
	void *ctx;
	struct {
		char owner[PROGRESS_OWNER_MAX + 1];
		int64_t asked_us;
	} remembered[REMEMBERED]; /* the oldest is forgotten first */
	uint32_t next;
	struct handover requests;
	pthread_t thread;
	bool started;
	_Atomic bool stopping;
};

void settler_transactional_id(const struct settings *settings, const char *owner, char out[SETTLER_ID_MAX])
{
	/* an owner holds no slash, so two groups never share an id */
	(void)snprintf(out, SETTLER_ID_MAX, "%.*s/%s", STR_ARG(settings->kafka.group), owner); /* cut the same way everywhere */
}

struct settler *settler_new(const struct settings *settings, struct log *log, void (*wake)(void *ctx), void *ctx)
{
	struct settler *s = heap_zalloc(1, sizeof *s);
	s->settings = settings;
	s->client = (struct kafka_client){.log = log, .owner = s};
	s->wake = wake;
	s->ctx = ctx;
	s->requests.event_fd = -1;
	return s;
}

static enum rc fence(struct settler *s, const char *id, struct err *err)
{
	rd_kafka_conf_t *conf;
	rd_kafka_t *producer;
	enum rc rc = kafka_conf_producer(s->settings, &s->client, id, &conf, err);
	if (rc == RC_OK)
		rc = kafka_conf_client(RD_KAFKA_PRODUCER, conf, &producer, err);
	if (rc != RC_OK)
		return rc;
	rc = RC_UNAVAILABLE;
	for (int i = 0; i < SLICES && rc == RC_UNAVAILABLE && !atomic_load_explicit(&s->stopping, memory_order_acquire); i++) {
		rd_kafka_error_t *error = rd_kafka_init_transactions(producer, SLICE_MS);
		if (error == NULL) {
			rc = RC_OK;
			break;
		}
		rc = err_set(err, rd_kafka_error_is_retriable(error) ? RC_UNAVAILABLE : RC_FATAL, "%s", rd_kafka_error_string(error));
		rd_kafka_error_destroy(error);
	}
	rd_kafka_destroy(producer);
	return rc;
}

static void *settler_main(void *arg)
{
	struct settler *s = arg;
	(void)pthread_setname_np(pthread_self(), "settler"); /* a name for people; nothing depends on it */
	while (!atomic_load_explicit(&s->stopping, memory_order_acquire)) {
		struct list todo = {0};
		if (handover_take(&s->requests, &todo, 1) == 0) {
			handover_wait(&s->requests, -1);
			continue;
		}
		struct request *request = LINK_OWNER(struct request, link, list_pop(&todo));
		char id[SETTLER_ID_MAX];
		struct err why = {""};
		int64_t began_us = clock_mono_us();
		settler_transactional_id(s->settings, request->owner, id);
		if (fence(s, id, &why) == RC_OK)
			log_info(s->client.log, "stream", "settled what a dead worker left open", LOG_C("transactional_id", id),
			         LOG_I("ms", (clock_mono_us() - began_us) / 1000));
		else
			log_warn(s->client.log, "stream", "what a dead worker left open is not settled; the broker will, in its time",
			         LOG_C("transactional_id", id), LOG_C("error", why.text));
		free(request);
		s->wake(s->ctx);
	}
	return NULL;
}

static bool start(struct settler *s)
{
	struct err err;
	if (s->started)
		return true;
	if (s->requests.event_fd < 0 && handover_open(&s->requests, &err) != RC_OK) {
		log_warn(s->client.log, "stream", "no settling", LOG_C("error", err.text));
		return false;
	}
	s->started = pthread_create(&s->thread, NULL, settler_main, s) == 0;
	return s->started;
}

/* Is the owner to be settled now? Notes that it is. */
static bool remember(struct settler *s, const char *owner, int64_t now_us)
{
	for (uint32_t i = 0; i < REMEMBERED; i++) {
		if (strcmp(s->remembered[i].owner, owner) != 0 || s->remembered[i].asked_us == 0)
			continue;
		if (now_us - s->remembered[i].asked_us < AGAIN_US)
			return false;
		s->remembered[i].asked_us = now_us;
		return true;
	}
	uint32_t at = s->next++ % REMEMBERED;
	(void)snprintf(s->remembered[at].owner, sizeof s->remembered[at].owner, "%s", owner); /* both are as long */
	s->remembered[at].asked_us = now_us;
	return true;
}

void settler_ask(struct settler *s, const char *owner, int64_t now_us)
{
	if (FAULT_BUG("trust_empty_member")) /* fencing the owner would hide what its commit as nobody does */
		return;
	if (FAULT_BUG("never_settle") || !remember(s, owner, now_us) || !start(s))
		return;
	struct request *request = heap_zalloc(1, sizeof *request);
	(void)snprintf(request->owner, sizeof request->owner, "%s", owner); /* both are as long */
	handover_push(&s->requests, &request->link);
}

void settler_free(struct settler *s)
{
	if (s == NULL)
		return;
	if (s->started) {
		atomic_store_explicit(&s->stopping, true, memory_order_release);
		handover_wake_all(&s->requests);
		pthread_join(s->thread, NULL); /* bounded by a slice and the producer's end */
		struct list left = {0};
		handover_take(&s->requests, &left, 0);
		for (struct link *link; (link = list_pop(&left)) != NULL;)
			free(LINK_OWNER(struct request, link, link));
	}
	handover_close(&s->requests);
	free(s);
}
