/*
 * room.h: the engine's own struct, for the files of this room only.
 */
#ifndef ENGINE_ROOM_H
#define ENGINE_ROOM_H

#include <pthread.h>
#include <stdatomic.h>

#include "worker/engine/admin.h"
#include "worker/engine/engine.h"
#include "worker/engine/flow.h"
#include "worker/engine/tally.h"
#include "worker/job/job_pool.h"
#include "worker/stream/stream.h"
#include "worker/upstream/upstream.h"

struct control;

struct engine {
	const struct settings *settings;
	struct log *log;
	struct metrics *metrics;
	char instance[128];
	int64_t started_us;

	struct wire *wire;
	struct cache *cache;
	struct tally *tally;
	struct job_pool *pool;
	struct upstream *upstream;
	struct stream *stream;
	struct control *control;
	struct admin *admin;

	struct handover work; /* jobs for the deciders */
	pthread_t *deciders;
	uint32_t decider_count;

	pthread_mutex_t policy_lock; /* guards the pointer only */
	struct policy *policy;

	_Atomic bool wired; /* upstream is there: hooks of the stream may reach it */
	_Atomic bool up;    /* every room is open: the admin pages may ask them */
	_Atomic bool draining;
	_Atomic int64_t beat_us; /* when main last went round: /healthz */
};

/* A reference to the policy in force. Thread: any. */
struct policy *engine_policy(struct engine *engine);

/* True when records can flow; else why holds the reason. Thread: any. */
bool engine_ready(struct engine *engine, struct buf *why);

/* control.c: the thread that talks to the schema registry. */
enum rc control_start(struct engine *engine, struct control **ret, struct err *err);
/* A job whose schema is missing; it comes back to the deciders when the schema has come, is known not to exist, or the
 * partition is gone. Takes ownership. Thread: any. */
void control_await_schema(struct control *control, struct job *job);
void control_stop(struct control *control); /* NULL is fine */

#endif
