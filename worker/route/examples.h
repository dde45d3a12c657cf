/*
 * examples.h: the tagged examples of a policy as vectors: a file of JSON Lines, and each route's own file of texts.
 *
 * Thread: the one that loads the policy; read-only afterwards.
 */
#ifndef ROUTE_EXAMPLES_H
#define ROUTE_EXAMPLES_H

#include "worker/route/document.h"
#include "worker/route/stage.h"
#include "worker/route/vectors.h"

enum { EXAMPLES_MAX = 200000, EXAMPLES_MAX_BYTES = 1 << 30 };

struct examples {
	struct vectors vectors; /* label: the route's index; vectors_free */
	uint32_t *by_route;     /* how many each route has; in the policy's arena */
	struct str version;     /* hash of labels and vectors */
};

/* windows: of document_embed. model NULL: the lines bring their embeddings, and the routes' files are not read. file NULL: only the routes' files.
 * RC_BAD_INPUT with file:line; then vectors must be freed too. */
enum rc examples_read(struct stage_setup *setup, const struct static_model *model, uint32_t windows, const struct node *file,
                      struct examples *ret, struct err *err);

#endif
