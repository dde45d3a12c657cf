/*
 * policy_load.h: what the files that load a policy share: its sections, files beside it, strings, names, hashes.
 *
 * Thread: the one that loads. Memory: `brief` ends with the loading; what must last goes into policy->arena.
 */
#ifndef ROUTE_POLICY_LOAD_H
#define ROUTE_POLICY_LOAD_H

#include "worker/route/policy.h"
#include "worker/route/static_model.h"

/* policy_routes.c: the routes section. canon: what can change an answer. */
enum rc policy_routes_parse(struct policy *policy, const struct settings *settings, const struct node *node, struct arena *brief,
                            struct canon *canon, struct err *err);

/* conversation_parse.c: `sticky` (node; NULL: none) and what routes say of conversations, when all routes and when_unsure are known. */
enum rc conversation_parse(struct policy *policy, const struct node *node, struct arena *brief, struct canon *canon, struct err *err);

/* The model named at node: its index in settings; RC_BAD_INPUT with "did you mean". */
enum rc policy_refer_model(const struct settings *settings, const struct node *node, int *ret, struct err *err);

/* policy_files.c: text of a file named at a place of the policy, relative to its folder; at most max_bytes of UTF-8. */
enum rc policy_read_file(const struct policy *policy, const struct node *at, struct str path, size_t max_bytes,
                         struct arena *arena, struct str *ret, struct err *err);
/* The bytes of the file that a stage names at node, in the policy's arena. */
enum rc policy_read_asset(struct policy *policy, const struct node *node, size_t max_bytes, struct arena *brief, struct str *ret, struct err *err);
/* The shipped table: opened once, for all stages of the policy. */
enum rc policy_static_model(struct policy *policy, struct static_model **ret, struct err *err);
/* "lists/a.txt" -> what to open. */
char *policy_path(const struct policy *policy, struct str path, struct arena *arena);
/* A scalar, or a list of scalars: their texts, copied, each with its node. */
struct policy_strings {
	struct str *items;
	const struct node **nodes; /* in brief memory */
	uint32_t count;
};
enum rc policy_strings(struct policy *policy, const struct node *node, struct arena *brief, struct policy_strings *ret,
                       struct err *err);
/* The language named at node (a scalar), one that can be told by its text. */
enum rc policy_language(const struct node *node, const char **ret, struct err *err);
/* SHA-256 of the bytes so far, cut to POLICY_VERSION_CHARS hex characters. */
void policy_hash(const struct canon *canon, char out[POLICY_VERSION_CHARS + 1]);
/* OPTION_CUSTOM parse that keeps the node; field is a const struct node *. */
enum rc policy_keep_node(const struct node *node, void *field, struct arena *arena, struct err *err);

#endif
