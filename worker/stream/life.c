/*
 * life.c: starting and ending the stream, and what others may ask of it.
 *
 * The one idea: everything that can be wrong before the first record (library, broker, fencing, topics) is found out here,
 * blocking and with words; afterwards the two threads never stop for a fault that may pass.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/hmac.h"
#include "worker/stream/assignment.h"
#include "worker/stream/core.h"
#include "worker/stream/joining.h"
#include "worker/stream/versions.h"

enum { HANG_MARGIN_S = 30 };

static void wake_stream(void *ctx)
{
	stream_wake(ctx);
}

static void open_metrics(struct stream_metrics *m, struct metrics *metrics)
{
	m->fetched = metrics_counter(metrics, "pointsman_records_fetched_total", "Records admitted from the input topics", NULL);
	m->committed = metrics_counter(metrics, "pointsman_records_committed_total", "Records whose outputs and offset are committed", NULL);
	m->transactions = metrics_counter(metrics, "pointsman_commits_total", "Commits by result", LABELS("result", "committed"));
	m->aborted = metrics_counter(metrics, "pointsman_commits_total", "Commits by result", LABELS("result", "aborted"));
	m->lost_commits = metrics_counter(metrics, "pointsman_commits_total", "Commits by result", LABELS("result", "unknown"));
	m->dropped = metrics_counter(metrics, "pointsman_jobs_dropped_total", "Jobs given up because their partition went away", NULL);
	m->rebalances = metrics_counter(metrics, "pointsman_rebalances_total", "Assignments and revocations", NULL);
	m->gap_records = metrics_counter(metrics, "pointsman_records_deleted_unread_total",
	                                 "Records that retention deleted before they were read", NULL);
	m->bad_metadata = metrics_counter(metrics, "pointsman_progress_unreadable_total",
	                                  "Committed offsets whose metadata was not this worker's", NULL);
	m->went_back = metrics_counter(metrics, "pointsman_progress_went_back_total",
	                               "Times that the broker named an older committed offset than before, or none though there were decisions", NULL);
	m->quarantines = metrics_counter(metrics, "pointsman_quarantines_total",
	                                 "Partitions taken up whose lowest records had to be worked on alone", NULL);
	m->alone = metrics_counter(metrics, "pointsman_records_alone_total", "Records worked on with everything else at rest", NULL);
	m->holes = metrics_gauge(metrics, "pointsman_records_unfinished", "Records taken and not yet committed", NULL);
	m->lag = metrics_gauge(metrics, "pointsman_lag_records", "Records behind the end of the log; -1 unknown", NULL);
	m->partitions = metrics_gauge(metrics, "pointsman_partitions_assigned", "Partitions assigned to this worker", NULL);
	m->commit_seconds = metrics_histogram(metrics, "pointsman_commit_seconds", "From the making of a batch to its commit", NULL);
}

/* Names this worker's transactional id in the commit metadata: the instance where it fits, else its hash; or random. */
static void choose_owner(const struct settings *settings, char out[PROGRESS_OWNER_MAX + 1])
{
	struct str instance = settings->kafka.instance;
	uint8_t bytes[SHA256_BYTES];
	bool printable = instance.len <= PROGRESS_OWNER_MAX;
	for (size_t i = 0; i < instance.len; i++)
		printable = printable && instance.data[i] > 0x20 && instance.data[i] < 0x7f && instance.data[i] != '/'; /* settler.c */
	if (instance.data != NULL && printable) {
		snprintf(out, PROGRESS_OWNER_MAX + 1, "%.*s", STR_ARG(instance));
		return;
	}
	if (instance.data != NULL)
		sha256_once(instance, bytes);
	else
		random_bytes(bytes, sizeof bytes);
	hex_encode(bytes, instance.data != NULL ? 16 : 8, out);
}

static void copy_topic_names(struct stream *s)
{
	const struct str_list *topics = &s->settings->input.topics;
	s->topic_names = heap_zalloc(topics->count, sizeof(char *));
	for (uint32_t i = 0; i < topics->count; i++) {
		s->topic_names[i] = heap_zalloc(topics->items[i].len + 1, 1);
		memcpy(s->topic_names[i], topics->items[i].data, topics->items[i].len);
	}
}

static enum rc watch(struct stream *s, int fd, uint32_t events, struct err *err)
{
	struct epoll_event e = {.events = events, .data.fd = fd};
	if (epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, fd, &e) != 0)
		return err_set(err, RC_FATAL, "epoll: %s", strerror(errno));
	return RC_OK;
}

static enum rc open_events(struct stream *s, struct err *err)
{
	s->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	s->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (s->epoll_fd < 0 || s->wake_fd < 0)
		return err_set(err, RC_FATAL, "no descriptors for events: %s; raise the limit of open files", strerror(errno));
	enum rc rc = handover_open(&s->finished, err);
	if (rc == RC_OK)
		rc = watch(s, s->wake_fd, EPOLLIN, err);
	if (rc == RC_OK)
		rc = watch(s, s->finished.event_fd, EPOLLIN, err);
	if (rc == RC_OK) /* edge: it stays readable until a take fails again */
		rc = watch(s, job_pool_event_fd(s->pool), EPOLLIN | EPOLLET, err);
	return rc;
}

static enum rc open_threads(struct stream *s, struct err *err)
{
	struct committer_options options = {s->settings, s->log, s->owner, wake_stream, s};
	enum rc rc = committer_start(&options, &s->committer, err);
	if (rc != RC_OK)
		return rc;
	committer_cluster_id(s->committer, s->status.cluster_id, sizeof s->status.cluster_id);
	s->status.brokers_reachable = true;
	rc = joining_begin(s, err);
	if (rc == RC_OK && pthread_create(&s->thread, NULL, stream_main, s) != 0)
		rc = err_set(err, RC_FATAL, "the stream thread could not be started");
	s->thread_started = rc == RC_OK;
	return rc;
}

enum rc stream_start(const struct stream_options *options, struct stream **ret, struct err *err)
{
	if (options->settings->input.topics.count == 0)
		return err_set(err, RC_BAD_INPUT, "input.topics names no topic");
	enum rc rc = versions_check(rd_kafka_version(), !options->settings->kafka.classic_protocol, options->log, err);
	if (rc != RC_OK)
		return rc;
	struct stream *s = heap_zalloc(1, sizeof *s);
	s->settings = options->settings;
	s->pool = options->pool;
	s->log = options->log;
	s->hooks = options->hooks;
	s->client = (struct kafka_client){.log = s->log, .owner = s};
	s->epoll_fd = s->wake_fd = s->finished.event_fd = -1;
	s->status.lag = -1;
	pthread_mutex_init(&s->status_lock, NULL);
	open_metrics(&s->m, options->metrics);
	choose_owner(s->settings, s->owner);
	s->settler = settler_new(s->settings, s->log, wake_stream, s);
	copy_topic_names(s);
	inflight_open(&s->inflight, job_pool_use(s->pool).max_jobs);
	turn_open(s, job_pool_use(s->pool).max_jobs);
	rc = open_events(s, err);
	if (rc == RC_OK)
		rc = open_threads(s, err);
	if (rc != RC_OK) {
		stream_free(s);
		return rc;
	}
	if (s->settings->kafka.delivery == DELIVERY_EXACTLY_ONCE)
		log_info(s->log, "stream", "exactly once holds for readers with isolation.level=read_committed; others see aborted outputs too",
		         LOG_C("owner", s->owner));
	*ret = s;
	return RC_OK;
}

void stream_finish_list(struct stream *s, struct list *jobs)
{
	if (atomic_load_explicit(&s->ended, memory_order_acquire)) { /* nobody takes them any more */
		for (struct link *link; (link = list_pop(jobs)) != NULL;)
			job_pool_give(s->pool, LINK_OWNER(struct job, link, link));
		return;
	}
	handover_push_list(&s->finished, jobs);
}

void stream_finish(struct stream *s, struct job *job)
{
	struct list one = {0};
	list_push(&one, &job->link);
	stream_finish_list(s, &one);
}

static void ask_phase(struct stream *s, enum stream_phase phase)
{
	int now = atomic_load_explicit(&s->asked_phase, memory_order_acquire);
	while (now < (int)phase && !atomic_compare_exchange_weak_explicit(&s->asked_phase, &now, (int)phase, memory_order_acq_rel,
	                                                                  memory_order_acquire)) {
	}
	stream_wake(s);
}

void stream_drain(struct stream *s)
{
	ask_phase(s, STREAM_DRAINING);
}

uint32_t stream_outstanding(const struct stream *s)
{
	return atomic_load_explicit(&s->outstanding, memory_order_acquire);
}

enum rc stream_stop(struct stream *s)
{
	if (!s->thread_started)
		return s->lost ? RC_FATAL : RC_OK;
	ask_phase(s, STREAM_STOPPING);
	pthread_join(s->thread, NULL); /* bounded: it does not wait for the committer */
	s->thread_started = false;
	atomic_store_explicit(&s->ended, true, memory_order_release);
	struct list late = {0};
	handover_take(&s->finished, &late, 0);
	stream_finish_list(s, &late);
	s->lost = committer_stop(s->committer) != RC_OK;
	return s->lost ? RC_FATAL : RC_OK;
}

/* What is finished and was not committed goes back to the pool; its next owner does it again. */
static void discard_rest(struct stream *s)
{
	list_join(&s->collected, &s->batch.jobs);
	list_join(&s->collected, &s->batch.refused);
	for (struct link *link; (link = list_pop(&s->collected)) != NULL;) {
		struct job *job = LINK_OWNER(struct job, link, link);
		stream_discard(s, taken_of(job));
		atomic_fetch_sub_explicit(&s->outstanding, 1, memory_order_relaxed);
	}
	s->phase = STREAM_ENDED;
	assignment_drop_held(s, clock_mono_us(), true);
}

void stream_free(struct stream *s)
{
	if (s == NULL)
		return;
	if (stream_stop(s) != RC_OK)
		return; /* a thread is in it for good */
	joining_lose_all(s);
	settler_free(s->settler);
	committer_free(s->committer);
	discard_rest(s);
	batch_close(&s->batch);
	for (uint32_t i = 0; i < s->partition_count; i++)
		partition_free(s->partitions[i]);
	free(s->partitions);
	inflight_close(&s->inflight);
	turn_close(s);
	for (uint32_t i = 0; s->topic_names != NULL && i < s->settings->input.topics.count; i++)
		free(s->topic_names[i]);
	free(s->topic_names);
	handover_close(&s->finished);
	if (s->epoll_fd >= 0)
		close(s->epoll_fd);
	if (s->wake_fd >= 0)
		close(s->wake_fd);
	pthread_mutex_destroy(&s->status_lock);
	free(s);
}

void stream_fail(struct stream *s, const char *fmt, ...)
{
	char text[sizeof s->fatal.text];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	pthread_mutex_lock(&s->status_lock);
	if (s->fatal.text[0] == '\0')
		(void)err_set(&s->fatal, RC_FATAL, "%s", text);
	pthread_mutex_unlock(&s->status_lock);
}

bool stream_has_failed(struct stream *s)
{
	pthread_mutex_lock(&s->status_lock);
	bool failed = s->fatal.text[0] != '\0';
	pthread_mutex_unlock(&s->status_lock);
	return failed;
}

void stream_set_reachable(struct stream *s, bool reachable)
{
	pthread_mutex_lock(&s->status_lock);
	s->status.brokers_reachable = reachable;
	pthread_mutex_unlock(&s->status_lock);
}

bool stream_is_reachable(struct stream *s)
{
	pthread_mutex_lock(&s->status_lock);
	bool reachable = s->status.brokers_reachable;
	pthread_mutex_unlock(&s->status_lock);
	return reachable;
}

/* A hang that is past its bound is a failure: the stop does not wait for that commit either. */
static void look_for_a_hang(struct stream *s)
{
	int64_t now = clock_mono_us();
	if (!stream_is_reachable(s)) /* without brokers it has nothing to return with */
		s->reachable_since_us = now;
	int64_t hanging = committer_hanging_s(s->committer), reachable_s = (now - s->reachable_since_us) / 1000000;
	hanging = hanging < reachable_s ? hanging : reachable_s;
	int64_t bound = 2 * s->settings->kafka.transaction_timeout_ms / 1000 + HANG_MARGIN_S;
	if (hanging > bound)
		stream_fail(s,
		            "the call that sends offsets to the transaction has not returned for %lld s and cannot be cancelled "
		            "(librdkafka issue 5456); restart the worker: nothing committed is lost",
		            (long long)hanging);
}

enum rc stream_health(struct stream *s, struct err *err)
{
	look_for_a_hang(s);
	pthread_mutex_lock(&s->status_lock);
	bool failed = s->fatal.text[0] != '\0';
	if (failed)
		*err = s->fatal;
	pthread_mutex_unlock(&s->status_lock);
	return failed ? RC_FATAL : RC_OK;
}

void stream_status(struct stream *s, struct stream_status *ret)
{
	pthread_mutex_lock(&s->status_lock);
	*ret = s->status;
	pthread_mutex_unlock(&s->status_lock);
	ret->committed = atomic_load_explicit(&s->m.committed->value, memory_order_relaxed);
	ret->redone_commits = atomic_load_explicit(&s->m.aborted->value, memory_order_relaxed) +
	                      atomic_load_explicit(&s->m.lost_commits->value, memory_order_relaxed);
	ret->rebalances = atomic_load_explicit(&s->m.rebalances->value, memory_order_relaxed);
}
