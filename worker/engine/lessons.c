/*
 * lessons.c: from decided jobs to what the cache keeps.
 *
 * The one idea: what is kept of a text is what the stages said of it alone; a conversation is applied behind that and kept apart. So
 * neither can spoil the other.
 */
#include "worker/engine/lessons.h"

#include "worker/route/conversation.h"

void lessons_decision(struct lessons *lessons, const struct cache_settings *settings, const struct job *job, bool leads, struct arena *arena)
{
	struct cache_entry entry = {.ttl_ms = job->dec.unsure ? settings->unsure_ttl_ms : settings->ttl_ms};
	memcpy(entry.key, job->dec.prompt_hash, sizeof entry.key);
	if (job->dec.route >= 0)
		entry.value = arena_str(arena, route_pack(job->dec.policy, job)); /* the job may be gone before the write */
	if (leads || entry.value.data != NULL) /* only a leader may come with nothing */
		lessons->entries[lessons->count++] = entry;
}

void lessons_name_conversation(struct cache_conn *cache, struct job *job, struct cache_state *ret)
{
	struct str material = conversation_material(job->dec.policy, job);
	*ret = (struct cache_state){.asked = material.data != NULL};
	if (ret->asked)
		cache_key(cache, material, ret->key);
}

const struct cache_entry *lessons_converse(struct lessons *lessons, struct route_scratch *scratch, struct job *job, const struct cache_state *state,
                                           struct arena *arena)
{
	const struct policy *policy = job->dec.policy;
	conversation_apply(policy, scratch, job);
	struct cache_entry entry = {.ttl_ms = conversation_ttl_ms(policy)};
	if (!state->asked || (entry.value = conversation_state(policy, job, arena)).data == NULL)
		return NULL;
	memcpy(entry.key, state->key, sizeof entry.key);
	lessons->entries[lessons->count] = entry;
	return &lessons->entries[lessons->count++];
}
