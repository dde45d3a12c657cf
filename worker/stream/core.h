/*
 * core.h: what the files of this room share: the stream itself. Nobody outside the room includes it.
 *
 * Thread: every field belongs to the stream thread unless it is atomic, a handover, or under status_lock.
 */
#ifndef STREAM_CORE_H
#define STREAM_CORE_H

#include <librdkafka/rdkafka.h>
#include <pthread.h>
#include <stdatomic.h>

#include "worker/stream/batch.h"
#include "worker/stream/committer.h"
#include "worker/stream/inflight.h"
#include "worker/stream/kafka_conf.h"
#include "worker/stream/partition.h"
#include "worker/stream/progress_codec.h"
#include "worker/stream/quarantine.h"
#include "worker/stream/settler.h"
#include "worker/stream/stream.h"
#include "worker/stream/turn.h"

enum stream_phase { STREAM_RUNNING, STREAM_DRAINING, STREAM_STOPPING, STREAM_ENDED };

struct stream_metrics {
	struct counter *fetched, *committed, *transactions, *aborted, *lost_commits, *dropped, *rebalances, *gap_records, *bad_metadata,
		*went_back, *quarantines, *alone;
	struct gauge *holes, *lag, *partitions;
	struct histogram *commit_seconds;
};

/* A revocation that waits for calls on the wire, then for a last commit. */
struct revoke {
	rd_kafka_topic_partition_list_t *list; /* NULL: none is going on */
	int64_t drain_until_us, give_up_us;
	bool last_commit_asked;
};

struct stream {
	const struct settings *settings;
	struct job_pool *pool;
	struct log *log;
	struct stream_hooks hooks;
	struct stream_metrics m;
	char owner[PROGRESS_OWNER_MAX + 1];
	char **topic_names; /* of settings.input.topics, NUL-terminated */
	struct kafka_client client;

	pthread_t thread;
	int epoll_fd, wake_fd;
	_Atomic bool wake_pending, events_ready;
	_Atomic bool ended; /* jobs that come back now go straight to the pool */
	_Atomic int asked_phase;
	enum stream_phase phase;
	int64_t wake_at_us; /* the loop sleeps no longer than until then */

	rd_kafka_t *consumer; /* NULL between a fatal error and the next one */
	rd_kafka_queue_t *consumer_queue, *answers_queue;
	int64_t consumer_again_us;
	struct partition **partitions; /* all that were ever assigned: jobs point to their leases */
	uint32_t partition_count, partition_cap, turn;
	struct revoke revoke;
	uint32_t question; /* number of the last question for progress */
	bool pinging;      /* a lookup that asks whether a broker answers is out */
	bool assigned;
	bool rebalance_due; /* a static member has joined: its first assignment asks for a rebalance */
	char *member; /* the id under which what is in hand was assigned; NULL: nothing is */
	uint32_t admitted; /* in this turn */
	bool starved; /* the job pool was empty: read nothing until its event */

	struct inflight inflight;
	struct turns turns;
	struct quarantine quarantine;
	struct handover finished;
	struct list collected; /* finished jobs, to be committed */
	struct batch batch;
	struct committer *committer;
	struct settler *settler; /* of transactions that dead owners left open */
	bool marks_cleared;
	int64_t last_commit_us, second_us, stop_by_us;

	_Atomic uint32_t outstanding;
	pthread_mutex_t status_lock;
	struct stream_status status;
	struct err fatal; /* under status_lock; empty: all is well */
	bool thread_started, lost; /* main's */
	int64_t reachable_since_us; /* main's: of the brokers, as stream_health saw it */
};

/* Thread: any. */
void stream_wake(struct stream *s);
/* The loop shall look again at that time. */
static inline void stream_wake_at(struct stream *s, int64_t at_us)
{
	if (at_us < s->wake_at_us)
		s->wake_at_us = at_us;
}
/* What stream_health will say from now on. Thread: any. */
void stream_fail(struct stream *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
bool stream_has_failed(struct stream *s);
/* The stream thread: stream.c. */
void *stream_main(void *stream);
/* A job that is here ends without outputs; its record stays unfinished, and comes again where the partition is live. */
void stream_drop(struct stream *s, struct job *job, struct taken *t);
/* A job of the stream's own ends without outputs. */
void stream_discard(struct stream *s, struct taken *t);
void stream_set_reachable(struct stream *s, bool reachable);
bool stream_is_reachable(struct stream *s);

#endif
