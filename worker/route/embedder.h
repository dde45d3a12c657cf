/*
 * embedder.h: where the vector of a text comes from: the table in the program, the record itself, or a model that is asked.
 *
 * Thread: read-only after it was opened; a turn's owner.
 */
#ifndef ROUTE_EMBEDDER_H
#define ROUTE_EMBEDDER_H

#include "worker/route/ask.h"
#include "worker/route/document.h"

enum embedder_kind { EMBEDDER_STATIC, EMBEDDER_GIVEN, EMBEDDER_REMOTE };
struct embedder {
	enum embedder_kind kind;
	struct static_model *model; /* EMBEDDER_STATIC */
	uint32_t windows;           /* of document_embed; 1 after embedder_open */
	struct ask ask;             /* EMBEDDER_REMOTE */
};

#define EMBEDDER_DOC                                                                                                   \
	"static: by the table in this program (English). given: the embedding comes with the record. {remote: {model: NAME}}: a model of "  \
	"the configuration is asked for it."

/* node: static, given, or {remote: {...}}; NULL: static. RC_BAD_INPUT with the place of what is wrong. */
enum rc embedder_open(struct stage_setup *setup, const struct node *node, struct embedder *ret, struct err *err);

/* The text's direction in vector, a unit vector of dim floats. VERDICT_DECIDED: it is there. VERDICT_ASK: embedder_resume goes
 * on with the answer. Else the turn's trace says why there is none. */
enum verdict embedder_embed(const struct embedder *e, struct stage_turn *turn, uint32_t dim, float *vector);
enum verdict embedder_resume(const struct embedder *e, struct stage_turn *turn, uint32_t dim, float *vector);

#endif
