/*
 * router.h: the simulated model as a router: asked for a route by a JSON schema, it answers well, or badly in a chosen way.
 *
 * Thread: one. Memory: the caller's arena.
 */
#ifndef MODELSIM_ROUTER_H
#define MODELSIM_ROUTER_H

#include "tests/modelsim/answer.h"

/* X(NAME, "name"). MIXED: one of the others but LATE, by the hash of the question. */
#define ROUTER_MODES(X)                                                                                                \
	X(GOOD, "good") X(FENCE, "fence") X(PROSE, "prose") X(UNSURE, "unsure") X(WRONG, "wrong") X(EMPTY, "empty")        \
	X(ECHO, "echo") X(CONTRADICT, "contradict") X(CUT, "cut") X(TYPE, "type") X(BOAST, "boast") X(WORD, "word")        \
	X(HUGE, "huge") X(BYTES, "bytes") X(LATE, "late") X(MIXED, "mixed")
enum router_mode {
#define X(NAME, name) ROUTER_##NAME,
	ROUTER_MODES(X)
#undef X
	ROUTER_MODE_COUNT
};
enum { ROUTER_LATE_MS = 5000 };

/* false: no such mode. */
bool router_mode_named(struct str name, int *ret);
const char *router_mode_name(int mode);

/* The routes that a request's schema allows; the question's route_count stays 0 where it has no such schema. json: json-c's. */
struct json_object;
void router_read(struct json_object *root, struct arena *arena, struct question *question);

/* The answer's text as it stands in JSON (escaped, without quotes). A good answer is the route whose name the text begins with. */
void router_write(struct buf *out, const struct question *question, int mode);
/* The member logprobs of a choice, for the text that router_write gave: pieces of three letters, unlikely ones where it is unsure. */
void router_write_logprobs(struct buf *out, const struct question *question, int mode, struct str text);

#endif
