/*
 * destinations.c: the list of topics.
 */
#include "worker/cli/destinations.h"

static void add(struct destinations *all, struct arena *arena, struct str name, const char *use)
{
	for (unsigned i = 0; i < all->count; i++)
		if (str_is(name, all->items[i].name))
			return;
	all->items[all->count++] = (struct destination){arena_cstr(arena, name), use};
}

struct destinations destinations_of(const struct settings *settings, const struct policy *policy, struct arena *arena)
{
	uint32_t routes = policy_route_count(policy);
	struct destinations all = {.items = arena_array(arena, settings->input.topics.count + settings->output.reply_topics.count + settings->model_count + 3 + (size_t)routes, sizeof *all.items)};
	for (uint32_t i = 0; i < settings->input.topics.count; i++)
		add(&all, arena, settings->input.topics.items[i], "input");
	add(&all, arena, settings->output.responses, "responses");
	add(&all, arena, settings->output.decisions, "decisions");
	add(&all, arena, settings->output.dead_letters, "dead letters");
	for (uint32_t i = 0; i < routes; i++)
		if (policy_route(policy, i)->topic.data != NULL)
			add(&all, arena, policy_route(policy, i)->topic, "route");
	for (uint32_t i = 0; i < settings->model_count; i++)
		if (settings->models[i].park_topic.data != NULL)
			add(&all, arena, settings->models[i].park_topic, "parked");
	for (uint32_t i = 0; i < settings->output.reply_topics.count; i++)
		add(&all, arena, settings->output.reply_topics.items[i], DESTINATION_REPLIES);
	return all;
}
