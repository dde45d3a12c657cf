/*
 * conversation_parse.c: the part of a policy that is about conversations: `sticky`, and the routes' `max_per_conversation`.
 */
#include "worker/route/policy_load.h"

enum { MOST_TURNS = 100 };

struct sticky_settings {
	const struct node *by, *routes;
	uint32_t turns;
	int64_t ttl_ms;
};

#define KEEP(field) .kind = OPTION_CUSTOM, .offset = offsetof(struct sticky_settings, field), .parse = policy_keep_node
static const struct config_option options[] = {
	{.name = "by", KEEP(by), .doc = "What names a conversation: conversation_id (default) or attributes.NAME; always within a tenant."},
	{.name = "turns", .kind = OPTION_U32, .offset = offsetof(struct sticky_settings, turns), .fallback = "6", .min = 1, .max = MOST_TURNS,
	 .doc = "For how many records after the one that was decided to go there."},
	{.name = "routes", KEEP(routes), .required = true, .doc = "The routes that a conversation stays with."},
	{.name = "ttl", .kind = OPTION_DURATION, .offset = offsetof(struct sticky_settings, ttl_ms), .fallback = "24h", .min = 1000, .max = 2592000000.0,
	 .doc = "How long a conversation is remembered after its last record."},
	{.name = NULL},
};
#undef KEEP

static enum rc read_by(struct policy *policy, const struct node *node, struct err *err)
{
	struct str prefix = STR("attributes.");
	if (node->kind == NODE_SCALAR && str_is(node->scalar, "conversation_id"))
		return RC_OK;
	if (node->kind != NODE_SCALAR || !str_starts(node->scalar, prefix) || node->scalar.len == prefix.len)
		return config_error(node, err, "conversation_id or attributes.NAME is expected");
	policy->conversation.by = arena_str(&policy->arena, (struct str){node->scalar.data + prefix.len, node->scalar.len - prefix.len});
	return RC_OK;
}

static enum rc read_routes(struct policy *policy, const struct node *node, struct arena *brief, struct err *err)
{
	struct policy_strings names;
	enum rc rc = policy_strings(policy, node, brief, &names, err);
	for (uint32_t i = 0; rc == RC_OK && i < names.count; i++) {
		int route = -1;
		rc = policy_name_route(policy, names.nodes[i], &route, err);
		if (rc != RC_OK)
			break;
		if (policy->routes[route].clarification)
			return config_error(names.nodes[i], err, "%.*s asks back: a conversation that stayed there would never be answered", STR_ARG(names.items[i]));
		policy->conversation.sticky[route] = true;
	}
	return rc;
}

/* Where a conversation goes that was asked back often enough: the route named, or when_unsure. */
static enum rc read_bound(struct policy *policy, uint32_t index, const struct node *then, struct err *err)
{
	struct route *route = &policy->routes[index];
	route->then = policy->when_unsure;
	if (route->max_per_conversation == 0)
		return then == NULL ? RC_OK : config_error(then, err, "`then` is the route after max_per_conversation, which is missing");
	policy->conversation.bounded = true;
	enum rc rc = then != NULL ? policy_refer_route(policy, then, &route->then, err) : RC_OK;
	if (rc == RC_OK && then != NULL && policy->routes[route->then].clarification)
		rc = config_error(then, err, "%.*s asks back, too", STR_ARG(then->scalar));
	return rc;
}

enum rc conversation_parse(struct policy *policy, const struct node *node, struct arena *brief, struct canon *canon, struct err *err)
{
	struct sticky_settings s = {0};
	enum rc rc = RC_OK;
	for (uint32_t i = 0; rc == RC_OK && i < policy->route_count; i++)
		rc = read_bound(policy, i, policy->route_then[i], err);
	policy->route_then = NULL; /* the nodes end with the loading */
	policy->conversation.sticky = arena_array(&policy->arena, policy->route_count, sizeof *policy->conversation.sticky);
	policy->conversation.ttl_ms = INT64_C(24) * 3600 * 1000;
	if (rc == RC_OK && node != NULL)
		rc = config_bind(options, node, &s, brief, err);
	if (rc == RC_OK && s.by != NULL)
		rc = read_by(policy, s.by, err);
	if (rc == RC_OK && node != NULL)
		rc = read_routes(policy, s.routes, brief, err);
	if (rc != RC_OK || (node == NULL && !policy->conversation.bounded))
		return rc;
	if (node != NULL) {
		policy->conversation.turns = s.turns;
		policy->conversation.ttl_ms = s.ttl_ms;
	}
	canon_tag(canon, "conversation");
	canon_str(canon, policy->conversation.by);
	canon_u64(canon, policy->conversation.turns);
	for (uint32_t i = 0; i < policy->route_count; i++) {
		canon_u64(canon, policy->conversation.sticky[i]);
		canon_u64(canon, policy->routes[i].max_per_conversation);
		canon_u64(canon, (uint64_t)policy->routes[i].then);
	}
	return RC_OK;
}
