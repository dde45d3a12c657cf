/*
 * import_routes.h: routes of semantic-router, and of LiteLLM's semantic auto router, read from their JSON.
 *
 * Both write one form: {"encoder_type", "encoder_name", "routes": [{"name", "utterances", "description", "score_threshold",
 * "function_schemas", "llm", "metadata"}]} (github.com/aurelio-labs/semantic-router, semantic_router/route.py and
 * routers/base.py; docs.litellm.ai/docs/proxy/auto_routing_semantic). In LiteLLM's a route's name is that of a model. A bare list of
 * routes, or one route, is read, too.
 *
 * Thread: any. Pure. Memory: the arena given, and the text, which must outlive the result.
 */
#ifndef LAB_IMPORT_ROUTES_H
#define LAB_IMPORT_ROUTES_H

#include "common/arena.h"
#include "common/err.h"

enum { IMPORT_MAX_ROUTES = 1000, IMPORT_MAX_BYTES = 64 * 1024 * 1024 };

struct imported_text {
	struct str text; /* one line, trimmed, not empty */
	uint32_t line, index;
};
struct imported_route {
	struct str name;        /* fit for a policy, and no other's */
	struct str given_name;  /* as it stood */
	struct str description; /* data NULL: none */
	double threshold;       /* NAN: none */
	struct imported_text *utterances;
	uint32_t utterance_count, line, index;
};
/* Something that was not taken over as it is. */
struct import_note {
	uint32_t line;
	struct str path, words; /* "routes[2].llm" */
};
struct imported {
	struct imported_route *routes;
	uint32_t route_count;
	struct str encoder; /* type and name; data NULL: not said */
	struct import_note *notes;
	uint32_t note_count, note_cap;
	struct arena *arena;
};

/* RC_BAD_INPUT: err says line and what is wrong. */
enum rc import_routes_read(struct str text, struct arena *arena, struct imported *ret, struct err *err);
void import_routes_note(struct imported *imported, uint32_t line, struct str path, const char *fmt, ...) __attribute__((format(printf, 4, 5)));

#endif
