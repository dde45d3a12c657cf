/*
 * conversation.h: what one record of a conversation means for the next: an escalated one stays with its route for some turns, and
 * nobody is asked back for ever.
 *
 * A conversation is named by tenant and id. Its state is a few bytes that the caller keeps in a cache under a key made of
 * conversation_material: losing them means that the next record is decided by itself, no more. Earlier messages in the record tell
 * too: those of users are decided again as they were then, by the stages that ask nobody.
 *
 * Cached decisions stay what the stages say of a text alone: conversations are applied after the cache, as guards are. Rules go before a
 * conversation; learned stages do not.
 *
 * Thread: the decider that owns the job and the scratch. Memory: the job's arena.
 */
#ifndef ROUTE_CONVERSATION_H
#define ROUTE_CONVERSATION_H

#include "worker/route/route.h"

/* The stage name of a decision that a conversation made. */
#define ROUTE_CONVERSATION "conversation"

/* The bytes that the state's key covers; data NULL: the policy remembers nothing, or the record names no conversation. */
struct str conversation_material(const struct policy *policy, struct job *job);
int64_t conversation_ttl_ms(const struct policy *policy);
/* What the cache has; data NULL: nothing. Rubbish is nothing. Before route_decide; without it only the record's messages tell. */
void conversation_hear(const struct policy *policy, struct job *job, struct str state);
/* The record stays with its conversation's route if no rule decides otherwise; then route_decide asks nobody. */
bool conversation_stays(const struct policy *policy, struct route_scratch *scratch, struct job *job);
/* After route_decide, route_resume or route_unpack: what the conversation changes of the decision. */
void conversation_apply(const struct policy *policy, struct route_scratch *scratch, struct job *job);
/* After conversation_apply: the state to keep; data NULL: none. The same record gives the same state, however often it comes. */
struct str conversation_state(const struct policy *policy, struct job *job, struct arena *arena);

#endif
