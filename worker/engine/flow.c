/*
 * flow.c: the road of a record, top to bottom. The only file that knows the order:
 *
 *   decode -> guard -> cache -> decide -> (ask -> resume) -> dispatch -> [pool: call] -> encode -> hand back
 *
 * The one idea: a decider takes whatever jobs are there, new ones and answered ones alike, moves each as far as it can go
 * without waiting, and hands it on. A batch costs one cache read and one cache write, however many records it holds.
 *
 * Where stages ask models, identical prompts that come at the same time ask once: the first leads, the others are parked with the
 * cache until it has written what it learnt (or has come to nothing: then one of them leads, and after that each for itself).
 * Nothing here waits for a model, knows Kafka, or formats bytes.
 */
#include "worker/engine/flow.h"

#include <math.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/hmac.h"
#include "worker/engine/lessons.h"
#include "worker/job/job_pool.h"
#include "worker/route/conversation.h"
#include "worker/upstream/upstream.h"

enum { MAX_WAITS = 2 }; /* for another's decision; then a record asks itself, whoever else does */

struct flow {
	struct flow_shop shop;
	struct wire_coder *coder;
	struct cache_conn *cache;
	struct policy *policy; /* in force for this batch */
	struct route_scratch *scratch; /* of that policy's stages */
	struct arena arena; /* of one batch */
	int64_t now_us, now_ms;
	bool outputs_known; /* the registry has given the ids of our own schemas, or none are needed */
	/* where the jobs of this batch go next */
	struct list to_call, to_encode, to_hand_back;
};

struct flow *flow_new(const struct flow_shop *shop)
{
	struct flow *flow = heap_zalloc(1, sizeof *flow);
	flow->shop = *shop;
	flow->coder = wire_coder_new(shop->wire);
	flow->cache = cache_conn_new(shop->cache);
	arena_init(&flow->arena, 64 * 1024);
	return flow;
}

/* Takes over the reference to policy. */
static void work_under(struct flow *flow, struct policy *policy)
{
	if (policy == flow->policy) {
		policy_unref(policy);
		return;
	}
	route_scratch_free(flow->scratch);
	policy_unref(flow->policy);
	flow->policy = policy;
	flow->scratch = policy != NULL ? route_scratch_new(policy) : NULL;
}

void flow_free(struct flow *flow)
{
	if (flow == NULL)
		return;
	work_under(flow, NULL);
	cache_conn_free(flow->cache);
	wire_coder_free(flow->coder);
	arena_free(&flow->arena);
	free(flow);
}

/* ---- decode ---------------------------------------------------------------------------------------------------------- */

/* A deadline far away is clamped (it would hold the watermark); the default runs from the fetch, so that an old backlog
 * does not expire as a whole. */
static void set_deadline(const struct flow *flow, struct job *job)
{
	const struct engine_settings *engine = &flow->shop.settings->engine;
	int64_t left_ms = engine->default_deadline_ms - (flow->now_us - job->fetched_us) / 1000;
	int64_t deadline_ms = job->origin.deadline_ms != 0 ? job->origin.deadline_ms : job->req.deadline_ms;
	if (deadline_ms != 0) {
		left_ms = deadline_ms - flow->now_ms;
		if (left_ms > engine->max_deadline_ms)
			left_ms = engine->max_deadline_ms;
	}
	if (left_ms <= 0) {
		job_fail(job, OUTCOME_EXPIRED, "the deadline had passed %lld ms before the record was decided", (long long)-left_ms);
		return;
	}
	job->deadline_us = flow->now_us + left_ms * 1000;
}

static void await_schema(struct flow *flow, struct job *job)
{
	(void)job_advance(job, JOB_NEEDS_SCHEMA); /* legal from FETCHED */
	flow->shop.await_schema(flow->shop.ctx, job);
}

/* A record that waited is decided under the policy of today, not under the one of its first try. */
static void pin_policy(struct flow *flow, struct job *job)
{
	if (job->dec.policy == flow->policy)
		return;
	if (job->dec.policy == NULL)
		uuid7(flow->now_ms, job->dec.id);
	policy_unref(job->dec.policy);
	job->dec.policy = policy_ref(flow->policy);
	job->dec.work = NULL; /* what the old one read of the text */
}

/* False: its partition went to another worker, and so does the record. */
static bool may_begin(struct flow *flow, struct job *job)
{
	if (record_may_start(&job->rec))
		return true;
	(void)job_advance(job, JOB_DROPPED); /* legal from FETCHED and DECODED */
	list_push(&flow->to_hand_back, &job->link);
	return false;
}

/* Before anything of the record goes anywhere, a router's model included. */
static void guard(struct flow *flow, struct job *job)
{
	struct str why;
	if (route_guard(job->dec.policy, flow->scratch, job, &why))
		return;
	tally_guards(flow->shop.tally, job);
	job_fail(job, OUTCOME_GUARD, "%.*s", STR_ARG(why));
}

static void decode(struct flow *flow, struct job *job, struct list *decoded)
{
	if (!may_begin(flow, job))
		return;
	pin_policy(flow, job);
	if (!flow->outputs_known)
		flow->outputs_known = wire_ready(flow->shop.wire, NULL) == RC_OK;
	if (!flow->outputs_known) { /* what cannot be written yet is not begun */
		await_schema(flow, job);
		return;
	}
	struct err err = {""};
	enum outcome bad = OUTCOME_BAD_RECORD;
	enum rc rc = job->rec.crashes < RECORD_UNREADABLE ? wire_decode(flow->coder, job, &bad, &err) : wire_decode_nothing(flow->coder, job);
	if (rc == RC_AGAIN) {
		await_schema(flow, job);
		return;
	}
	job->decoded_us = flow->now_us;
	if (job->rec.crashes >= RECORD_CONDEMNED)
		job_fail(job, OUTCOME_CRASHED_WORKER, "workers died %u times while nothing but this record was in them", job->rec.crashes);
	else if (rc == RC_OK)
		set_deadline(flow, job);
	else
		job_fail(job, bad, "%s", err.text);
	if (job->outcome == OUTCOME_NONE)
		guard(flow, job);
	if (job->outcome != OUTCOME_NONE) {
		list_push(&flow->to_encode, &job->link);
		return;
	}
	(void)job_advance(job, JOB_DECODED); /* legal from FETCHED */
	list_push(decoded, &job->link);
}

/* It waited for another's decision of the same prompt; a policy that is new meanwhile has guards of its own. */
static void take_up_again(struct flow *flow, struct job *job, struct list *decoded)
{
	if (!may_begin(flow, job))
		return;
	if (job->dec.policy != flow->policy) {
		pin_policy(flow, job);
		guard(flow, job);
	}
	list_push(job->outcome == OUTCOME_NONE ? decoded : &flow->to_encode, &job->link);
}

/* ---- dispatch -------------------------------------------------------------------------------------------------------- */

/* At least one: a record is not parked to fail without a call. */
static uint32_t attempts_left(const struct flow *flow, const struct job *job)
{
	uint32_t all = flow->shop.settings->engine.attempts, used = job->origin.attempts;
	return used < all ? all - used : 1;
}

static void ask_route(struct flow *flow, struct job *job, const struct route *route)
{
	job->call = (struct call){
		.purpose = PURPOSE_ANSWER,
		.models = job->dec.models,
		.model_count = job->dec.model_count,
		.max_tokens = job->req.max_tokens != 0 ? job->req.max_tokens : route->max_tokens,
		.temperature = isnan(job->req.temperature) ? route->temperature : job->req.temperature,
		.stop = job->req.stop,
		.stop_count = job->req.stop_count,
		.response_format = job->req.response_format.data != NULL ? job->req.response_format : route->response_format,
		.timeout_ms = route->timeout_ms,
		.deadline_us = job->deadline_us,
		.may_park = wire_may_park(flow->coder, job),
		.attempts_left = attempts_left(flow, job),
		.model = -1,
	};
	route_render(job->dec.policy, job);
}

static void dispatch(struct flow *flow, struct job *job)
{
	struct str why;
	bool admitted = route_admit(job->dec.policy, job, &why);
	const struct route *route = policy_route(job->dec.policy, (uint32_t)job->dec.route);
	if (job->state == JOB_ASKING) { /* what a question has left behind is not the answer's; its cost is with the decision */
		job->call = (struct call){.temperature = NAN, .model = -1};
		job->called_us = job->answered_us = 0;
	}
	job->decided_us = clock_mono_us();
	job->dec.prompt_version = route->prompt_version;
	tally_decision(flow->shop.tally, job);
	tally_guards(flow->shop.tally, job);
	if (!admitted) {
		job_fail(job, OUTCOME_GUARD, "%.*s", STR_ARG(why));
		list_push(&flow->to_encode, &job->link);
		return;
	}
	if (route->topic.data != NULL) {
		job->outcome = OUTCOME_FORWARDED;
		(void)job_advance(job, JOB_FORWARDED); /* legal from DECODED and ASKING */
		list_push(&flow->to_encode, &job->link);
		return;
	}
	(void)job_advance(job, JOB_DECIDED); /* legal from DECODED and ASKING */
	ask_route(flow, job, route);
	job_pool_charge(flow->shop.pool, job);
	list_push(&flow->to_call, &job->link);
}

/* ---- decide ---------------------------------------------------------------------------------------------------------- */

/* A stage that asks gets its answer from a pool like any call; the job comes back in state ASKING. */
static void take_step(struct flow *flow, struct job *job, enum route_step step)
{
	if (step == ROUTE_DONE) {
		dispatch(flow, job);
		return;
	}
	if (job->state != JOB_ASKING)
		(void)job_advance(job, JOB_ASKING); /* legal from DECODED */
	int64_t end_us = clock_mono_us() + job->call.timeout_ms * 1000; /* of waiting and repetitions too */
	job->call.deadline_us = job->deadline_us != 0 && job->deadline_us < end_us ? job->deadline_us : end_us;
	job_pool_charge(flow->shop.pool, job);
	list_push(&flow->to_call, &job->link);
}

static bool take_cached(struct job *job, struct str value, enum cache_source source)
{
	if (value.data == NULL || route_unpack(job->dec.policy, value, job) != RC_OK)
		return false;
	job->dec.cache = source;
	return true;
}

static void teach(struct flow *flow, const struct lessons *lessons)
{
	if (lessons->count != 0)
		cache_write(flow->cache, lessons->entries, lessons->count, flow->now_us);
}

struct batch {
	struct job *jobs[FLOW_BATCH];
	struct cache_slot slots[FLOW_BATCH];
	struct cache_state states[FLOW_BATCH]; /* of the jobs' conversations */
	uint32_t count;
};

static void name_keys(struct flow *flow, struct list *decoded, struct batch *batch)
{
	bool shown = cache_has_secret(flow->shop.cache);
	for (struct link *link; batch->count < FLOW_BATCH && (link = list_pop(decoded)) != NULL; batch->count++) {
		struct job *job = batch->jobs[batch->count] = LINK_OWNER(struct job, link, link);
		struct cache_slot *slot = &batch->slots[batch->count];
		*slot = (struct cache_slot){.source = CACHE_MISS};
		cache_key(flow->cache, route_key_material(flow->policy, flow->scratch, job), slot->key);
		job->dec.has_prompt_hash = shown;
		memcpy(job->dec.prompt_hash, slot->key, sizeof job->dec.prompt_hash);
		lessons_name_conversation(flow->cache, job, &batch->states[batch->count]);
	}
}

/* Ends a job's decision: its conversation has a word, and those of it that come after in the batch hear that. */
static void conclude(struct flow *flow, struct batch *batch, uint32_t at, struct lessons *lessons)
{
	const struct cache_entry *said = lessons_converse(lessons, flow->scratch, batch->jobs[at], &batch->states[at], &flow->arena);
	for (uint32_t i = at + 1; said != NULL && i < batch->count; i++)
		if (batch->states[i].asked && memcmp(batch->states[i].key, said->key, sizeof said->key) == 0)
			batch->states[i].value = said->value;
	take_step(flow, batch->jobs[at], ROUTE_DONE);
}

/* Asks the stages. slot: who leads its key teaches it, if only that there is nothing to keep. */
static void ask_stages(struct flow *flow, struct batch *batch, uint32_t at, struct lessons *lessons)
{
	struct job *job = batch->jobs[at];
	const struct cache_slot *slot = &batch->slots[at];
	bool leads = slot->leader && slot->source != CACHE_OFF, rubbish = slot->value.data != NULL;
	job->dec.cache = slot->source == CACHE_OFF ? CACHE_OFF : CACHE_MISS;
	enum route_step step = route_decide(flow->policy, flow->scratch, job);
	if (step == ROUTE_DONE && (leads || rubbish))
		lessons_decision(lessons, &flow->shop.settings->cache, job, leads, &flow->arena);
	job->leads = step != ROUTE_DONE && leads;
	if (step == ROUTE_DONE)
		conclude(flow, batch, at, lessons);
	else
		take_step(flow, job, step);
}

static void keep(struct batch *batch, uint32_t at, uint32_t *left)
{
	batch->jobs[*left] = batch->jobs[at];
	batch->states[*left] = batch->states[at];
	batch->slots[(*left)++] = batch->slots[at];
}

/* Known prompts are taken, those that this decider leads are decided and taught to the cache. What another job is deciding
 * right now (a twin in this batch, or another decider's) stays in the batch, unless its conversation decides it. */
static void settle(struct flow *flow, struct batch *batch)
{
	struct lessons lessons = {.count = 0};
	uint32_t left = 0;
	for (uint32_t i = 0; i < batch->count; i++) {
		struct job *job = batch->jobs[i];
		const struct cache_slot *slot = &batch->slots[i];
		conversation_hear(flow->policy, job, batch->states[i].value);
		if (take_cached(job, slot->value, slot->source))
			conclude(flow, batch, i, &lessons);
		else if (slot->leader || slot->value.data != NULL || conversation_stays(flow->policy, flow->scratch, job))
			ask_stages(flow, batch, i, &lessons);
		else
			keep(batch, i, &left);
	}
	batch->count = left;
	teach(flow, &lessons);
}

/* Another job decides the prompt right now. Local stages cost less than waiting for it, a question does not. What can no longer
 * wait, because the other has just finished, stays in the batch. */
static void wait_or_decide(struct flow *flow, struct batch *batch)
{
	struct lessons lessons = {.count = 0};
	uint32_t left = 0;
	for (uint32_t i = 0; i < batch->count; i++) {
		struct job *job = batch->jobs[i];
		if (!policy_asks(flow->policy)) {
			conversation_hear(flow->policy, job, batch->states[i].value);
			ask_stages(flow, batch, i, &lessons);
			continue;
		}
		job->waits++;
		if (!cache_park(flow->shop.cache, batch->slots[i].key, &job->link, flow->now_us)) /* else another's from here on */
			keep(batch, i, &left);
	}
	batch->count = left;
	teach(flow, &lessons);
}

void flow_unparked(struct list *jobs)
{
	struct list all = {0};
	for (struct link *link; (link = list_pop(jobs)) != NULL; list_push(&all, link))
		LINK_OWNER(struct job, link, link)->waits--;
	*jobs = all;
}

/* Each round a record waits once more at most, so there are few. */
static void decide(struct flow *flow, struct list *decoded)
{
	struct batch batch = {.count = 0};
	name_keys(flow, decoded, &batch);
	while (batch.count != 0) {
		for (uint32_t i = 0; i < batch.count; i++) {
			batch.slots[i].waited = batch.jobs[i]->waits != 0;
			batch.slots[i].patient = batch.jobs[i]->waits < MAX_WAITS;
		}
		cache_read_states(flow->cache, batch.slots, batch.count, batch.states, batch.count, &flow->arena, flow->now_us);
		settle(flow, &batch);
		if (batch.count == 0)
			break;
		cache_share(flow->cache, batch.slots, batch.count, &flow->arena, flow->now_us); /* twins of what was decided just now */
		settle(flow, &batch);
		wait_or_decide(flow, &batch);
	}
}

/* The job keeps the policy it was asked under, which a reload may have replaced meanwhile. Who leads a key always writes, if only
 * that there is nothing to keep. */
static void resume(struct flow *flow, struct job *job)
{
	bool old = job->dec.policy != flow->policy;
	struct route_scratch *scratch = old ? route_scratch_new(job->dec.policy) : flow->scratch;
	enum route_step step = route_resume(job->dec.policy, scratch, job);
	if (step == ROUTE_DONE) {
		struct lessons lessons = {.count = 0};
		struct cache_state state;
		lessons_name_conversation(flow->cache, job, &state);
		lessons_decision(&lessons, &flow->shop.settings->cache, job, job->leads, &flow->arena);
		(void)lessons_converse(&lessons, scratch, job, &state, &flow->arena); /* nobody of it waits here */
		job->leads = false;
		teach(flow, &lessons);
	}
	if (old)
		route_scratch_free(scratch);
	take_step(flow, job, step);
}

/* ---- encode ---------------------------------------------------------------------------------------------------------- */

static double baseline_cost(const struct flow *flow, const struct job *job)
{
	int baseline = policy_baseline_model(job->dec.policy);
	if (baseline < 0 || job->outcome != OUTCOME_OK)
		return NAN;
	return upstream_price(&flow->shop.settings->models[baseline], job->call.input_tokens, job->call.cached_tokens,
	                      job->call.output_tokens);
}

static void encode(struct flow *flow, struct job *job)
{
	const struct policy *policy = job->dec.policy;
	if (job->state == JOB_ANSWERED)
		job->outcome = OUTCOME_OK;
	struct wire_facts facts = {
		.worker_instance = flow->shop.instance,
		.worker_version = POINTSMAN_VERSION,
		.now_ms = flow->now_ms,
		.now_us = flow->now_us,
		.policy_name = policy_name(policy),
		.decision_version = policy_decision_version(policy),
		.policy_version = policy_version(policy),
		.baseline_cost_usd = baseline_cost(flow, job),
	};
	if (job->dec.route >= 0) {
		const struct route *route = policy_route(policy, (uint32_t)job->dec.route);
		facts.route_topic = route->topic;
		facts.clarification = route->clarification;
		facts.candidates = job->dec.models;
		facts.candidate_count = job->dec.model_count;
	}
	wire_encode(flow->coder, job, &facts);
	tally_outcome(flow->shop.tally, job, flow->now_us, facts.baseline_cost_usd);
	job_pool_charge(flow->shop.pool, job);
	(void)job_advance(job, JOB_ENCODED); /* legal from every end */
	list_push(&flow->to_hand_back, &job->link);
}

/* ---- the road -------------------------------------------------------------------------------------------------------- */

/* Others wait for what it was to find out. */
static void give_up_lead(struct flow *flow, struct job *job)
{
	struct lessons lessons = {.count = 0};
	if (!job->leads)
		return;
	lessons_decision(&lessons, &flow->shop.settings->cache, job, true, &flow->arena);
	job->leads = false;
	teach(flow, &lessons);
}

static void enter(struct flow *flow, struct job *job, struct list *decoded)
{
	switch (job->state) {
	case JOB_FETCHED: /* new, or its schema has come */
		decode(flow, job, decoded);
		break;
	case JOB_ASKING: /* a stage's answer is here */
		resume(flow, job);
		break;
	case JOB_DECODED:
		take_up_again(flow, job, decoded);
		break;
	case JOB_DROPPED: /* its partition went to another worker before an answer */
		give_up_lead(flow, job);
		list_push(&flow->to_hand_back, &job->link);
		break;
	default: /* ANSWERED, FAILED, EXPIRED, FORWARDED to a park topic: back from a pool, or refused by the broker */
		list_push(&flow->to_encode, &job->link);
		break;
	}
}

void flow_batch(struct flow *flow, struct list *jobs)
{
	flow->now_us = clock_mono_us();
	flow->now_ms = clock_wall_ms();
	work_under(flow, flow->shop.policy(flow->shop.ctx));

	struct list decoded = {0};
	for (struct link *link; (link = list_pop(jobs)) != NULL;)
		enter(flow, LINK_OWNER(struct job, link, link), &decoded);
	if (decoded.count != 0)
		decide(flow, &decoded);
	if (flow->to_call.count != 0)
		flow->shop.dispatch(flow->shop.ctx, &flow->to_call);
	for (struct link *link; (link = list_pop(&flow->to_encode)) != NULL;)
		encode(flow, LINK_OWNER(struct job, link, link));
	if (flow->to_hand_back.count != 0)
		flow->shop.hand_back(flow->shop.ctx, &flow->to_hand_back);
	arena_reset(&flow->arena);
}
