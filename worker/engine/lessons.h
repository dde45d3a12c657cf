/*
 * lessons.h: what decided jobs have for the cache: decisions under the keys of their texts, and where their conversations stand.
 *
 * Thread: the decider. Memory: values live in the arena given, until cache_write has taken them.
 */
#ifndef ENGINE_LESSONS_H
#define ENGINE_LESSONS_H

#include "worker/cache/cache_states.h"
#include "worker/engine/flow.h"

struct lessons {
	struct cache_entry entries[2 * FLOW_BATCH]; /* of a batch: one of each kind a job */
	uint32_t count;
};

/* The stages' result; a key without a value only gives the leader's claim back. Before lessons_converse, which changes it. */
void lessons_decision(struct lessons *lessons, const struct cache_settings *settings, const struct job *job, bool leads, struct arena *arena);

/* The key of the job's conversation; asked is false where there is none. */
void lessons_name_conversation(struct cache_conn *cache, struct job *job, struct cache_state *ret);
/* What the conversation changes of the decision, and the state to keep. The entry that was added, or NULL. */
const struct cache_entry *lessons_converse(struct lessons *lessons, struct route_scratch *scratch, struct job *job, const struct cache_state *state,
                                           struct arena *arena);

#endif
