/*
 * conversation.c: where a conversation stands, and what that decides.
 *
 * The one idea: a state names the record that wrote it. So a record that comes again (a worker died before its commit) sees that its
 * own turn is counted already, and decides and writes the same once more.
 */
#include "worker/route/conversation.h"

#include <math.h>

#include "worker/route/policy.h"

enum { MOST_COUNT = 255, MAGIC_BYTES = 4 };
static const struct str magic = {"PMC1", MAGIC_BYTES};

struct state {
	int route;       /* that it stays with; -1: none */
	uint32_t turn;   /* how many records it has stayed since it was decided */
	uint32_t asked;  /* clarifications so far */
	bool asked_last; /* the last record was one of them */
	uint64_t last;   /* the record that wrote this; 0: not known */
};

struct conversation {
	struct state before;
	bool again;    /* before was written by this very record */
	bool alone;    /* earlier messages are being decided: no conversation applies */
	bool looked;   /* route and turn are known */
	int route;     /* it stays with; -1: it does not stay */
	uint32_t turn; /* from 1 on */
};

static struct str name_of(const struct policy *policy, const struct job *job)
{
	struct str by = policy->conversation.by;
	if (by.data == NULL)
		return job->req.conversation_id;
	for (uint32_t i = 0; i < job->req.attribute_count; i++)
		if (str_eq(job->req.attributes[i].name, by))
			return job->req.attributes[i].value;
	return STR_NULL;
}

struct str conversation_material(const struct policy *policy, struct job *job)
{
	struct str name = name_of(policy, job);
	if ((policy->conversation.turns == 0 && !policy->conversation.bounded) || name.len == 0)
		return STR_NULL;
	struct canon canon;
	buf_init(&canon.buf, &job->arena, name.len + 128);
	canon_tag(&canon, "conversation");
	canon_str(&canon, policy->name); /* not its version: a conversation outlives a change of the policy */
	canon_str(&canon, job->req.tenant);
	canon_str(&canon, policy->conversation.by);
	canon_str(&canon, name);
	return buf_view(&canon.buf);
}

int64_t conversation_ttl_ms(const struct policy *policy)
{
	return policy->conversation.ttl_ms;
}

/* ---- state as bytes -------------------------------------------------------------------------------------------------- */

/* Magic, turn, asked, asked_last, the last record (8, little-endian), the route's name up to the end (none: no route). */
enum { TURN_AT = MAGIC_BYTES, ASKED_AT, ASKED_LAST_AT, LAST_AT, ROUTE_AT = LAST_AT + 8 };

static bool read_state(const struct policy *policy, struct str s, struct state *ret)
{
	if (s.len < ROUTE_AT || !str_starts(s, magic))
		return false;
	const unsigned char *p = (const unsigned char *)s.data;
	*ret = (struct state){.turn = p[TURN_AT], .asked = p[ASKED_AT], .asked_last = p[ASKED_LAST_AT] != 0};
	for (unsigned i = 0; i < 8; i++)
		ret->last |= (uint64_t)p[LAST_AT + i] << (8 * i);
	/* a route that is gone, or no longer sticky, holds nobody */
	ret->route = policy_find_route(policy, (struct str){s.data + ROUTE_AT, s.len - ROUTE_AT});
	if (policy->conversation.turns == 0 || ret->route < 0 || !policy->conversation.sticky[ret->route])
		ret->route = -1;
	return true;
}

static struct str write_state(const struct policy *policy, const struct state *state, struct arena *arena)
{
	struct buf out;
	buf_init(&out, arena, 64);
	buf_str(&out, magic);
	buf_char(&out, (char)(unsigned char)(state->turn < MOST_COUNT ? state->turn : MOST_COUNT));
	buf_char(&out, (char)(unsigned char)(state->asked < MOST_COUNT ? state->asked : MOST_COUNT));
	buf_char(&out, state->asked_last);
	for (unsigned i = 0; i < 8; i++)
		buf_char(&out, (char)(unsigned char)(state->last >> (8 * i)));
	if (state->route >= 0)
		buf_str(&out, policy->routes[state->route].name);
	return buf_view(&out);
}

/* FNV-1a over the record's coordinates, never 0; 0 where it has none. */
static uint64_t record_mark(const struct record *rec)
{
	uint64_t h = UINT64_C(14695981039346656037), numbers[] = {(uint32_t)rec->partition, (uint64_t)rec->offset};
	if (rec->topic.data == NULL)
		return 0;
	for (size_t i = 0; i < rec->topic.len; i++)
		h = (h ^ (unsigned char)rec->topic.data[i]) * UINT64_C(1099511628211);
	for (unsigned i = 0; i < 16; i++)
		h = (h ^ (numbers[i / 8] >> (8 * (i % 8)) & 0xFF)) * UINT64_C(1099511628211);
	return h | 1;
}

/* ---- before the decision --------------------------------------------------------------------------------------------- */

static struct conversation *conversation_of(struct job *job)
{
	if (job->dec.conversation == NULL) {
		job->dec.conversation = arena_zalloc(&job->arena, sizeof *job->dec.conversation);
		job->dec.conversation->before.route = job->dec.conversation->route = -1;
	}
	return job->dec.conversation;
}

void conversation_hear(const struct policy *policy, struct job *job, struct str state)
{
	struct conversation *c = conversation_of(job);
	*c = (struct conversation){.before = {.route = -1}, .route = -1};
	if (state.data == NULL || !read_state(policy, state, &c->before))
		return;
	c->again = c->before.last != 0 && c->before.last == record_mark(&job->rec);
}

/* Where the record's first messages would go, up to that one; -1: a model would have to be asked, or something was down. */
static int route_of_beginning(const struct policy *policy, struct route_scratch *scratch, struct job *job, uint32_t messages)
{
	struct conversation none = {.alone = true, .route = -1};
	struct job then = {.state = JOB_DECODED, .arena = job->arena, .rec = job->rec, .req = job->req, .dec = {.route = -1}, .call = {.model = -1}};
	then.dec.policy = policy;
	then.dec.forbidden = job->dec.forbidden;
	then.dec.forbidden_count = job->dec.forbidden_count;
	then.dec.conversation = &none;
	then.req.message_count = messages;
	then.req.embedding = NULL; /* it is of the whole */
	enum route_step step = route_decide(policy, scratch, &then);
	job->arena = then.arena;
	return step == ROUTE_DONE && !then.dec.degraded ? then.dec.route : -1;
}

/* The latest message of a user before the last one, at most `turns` back, that went to a sticky route by itself. */
static void look_into_messages(const struct policy *policy, struct route_scratch *scratch, struct job *job, struct conversation *c)
{
	uint32_t back = 0, last = job->req.message_count;
	while (last > 0 && !str_is(job->req.messages[last - 1].role, "user"))
		last--;
	for (uint32_t i = last; i-- > 1 && back < policy->conversation.turns && c->route < 0;) {
		if (!str_is(job->req.messages[i - 1].role, "user"))
			continue;
		back++;
		int route = route_of_beginning(policy, scratch, job, i);
		if (route < 0 || !policy->conversation.sticky[route])
			continue;
		c->route = route;
		c->turn = back;
	}
}

bool conversation_stays(const struct policy *policy, struct route_scratch *scratch, struct job *job)
{
	if (policy->conversation.turns == 0)
		return false;
	struct conversation *c = conversation_of(job);
	if (c->looked || c->alone)
		return c->route >= 0;
	c->looked = true;
	look_into_messages(policy, scratch, job, c);
	if (c->route >= 0 || c->before.route < 0)
		return c->route >= 0;
	/* a record that comes again is at the turn it was at; one that was itself decided to the route is decided again */
	uint32_t turn = c->before.turn + !c->again;
	if (turn == 0 || turn > policy->conversation.turns)
		return false;
	c->route = c->before.route;
	c->turn = turn;
	return true;
}

/* ---- the decision ---------------------------------------------------------------------------------------------------- */

static void change(const struct policy *policy, struct job *job, int route, struct str why)
{
	struct decision *dec = &job->dec;
	struct stage_trace *trace = arena_array(&job->arena, (size_t)dec->trace_count + 1, sizeof *trace);
	if (dec->trace_count != 0)
		memcpy(trace, dec->trace, dec->trace_count * sizeof *trace);
	dec->trace = trace;
	why.len = str_utf8_cut(why, POLICY_MAX_REASON);
	trace[dec->trace_count++] = (struct stage_trace){.stage = ROUTE_CONVERSATION, .verdict = VERDICT_DECIDED, .label = policy->routes[route].name,
	                                                 .score = NAN, .runner_up_score = NAN, .threshold = NAN, .in_scope = NAN, .reason = why};
	route_settle(policy, dec, route, ROUTE_CONVERSATION);
	dec->label = dec->route_name;
	dec->runner_up = dec->unsure_reason = dec->group_id = STR_NULL;
	dec->confidence = dec->threshold = NAN;
	dec->reason = why;
	dec->unsure = false;
	dec->uncacheable = true; /* it says nothing of the text */
}

void conversation_stay(const struct policy *policy, struct job *job)
{
	const struct conversation *c = job->dec.conversation;
	change(policy, job, c->route,
	       arena_printf(&job->arena, "conversation stays with %.*s, turn %u of %u", STR_ARG(policy->routes[c->route].name), c->turn, policy->conversation.turns));
}

void conversation_apply(const struct policy *policy, struct route_scratch *scratch, struct job *job)
{
	const struct decision *dec = &job->dec;
	bool by_rule = dec->stage == rules_stage.name, stayed = strcmp(dec->stage, ROUTE_CONVERSATION) == 0;
	bool known = by_rule && conversation_of(job)->before.route < 0; /* that there is nothing to keep: no need to look */
	if (!known && conversation_stays(policy, scratch, job) && !by_rule && !stayed)
		conversation_stay(policy, job);
	const struct route *route = &policy->routes[dec->route];
	if (route->max_per_conversation == 0 || name_of(policy, job).len == 0)
		return;
	const struct conversation *c = conversation_of(job);
	uint32_t asked = c->before.asked - (c->again && c->before.asked_last);
	if (asked < route->max_per_conversation)
		return;
	change(policy, job, route->then,
	       arena_printf(&job->arena, "this conversation was asked back %u times: %.*s instead of %.*s", asked, STR_ARG(policy->routes[route->then].name),
	                    STR_ARG(route->name)));
}

struct str conversation_state(const struct policy *policy, struct job *job, struct arena *arena)
{
	const struct decision *dec = &job->dec;
	const struct conversation *c = conversation_of(job);
	struct state after = {.route = -1, .last = record_mark(&job->rec)};
	bool stays = conversation_of(job)->route >= 0;
	if (stays && dec->route == c->route && strcmp(dec->stage, ROUTE_CONVERSATION) == 0) {
		after.route = c->route;
		after.turn = c->turn;
	} else if (policy->conversation.turns != 0 && policy->conversation.sticky[dec->route] && !dec->degraded) {
		after.route = dec->route; /* decided by itself: the turns begin anew */
	} else if (stays && c->before.route >= 0) {
		after.route = c->before.route; /* a rule went before it: no turn of the conversation */
		after.turn = c->before.turn;
	}
	after.asked_last = policy->routes[dec->route].clarification;
	after.asked = c->before.asked - (c->again && c->before.asked_last) + after.asked_last;
	bool nothing = after.route < 0 && after.asked == 0 && c->before.route < 0 && c->before.asked == 0;
	return nothing ? STR_NULL : write_state(policy, &after, arena);
}
