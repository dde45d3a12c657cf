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

/* Where an example stands, for people; its text is not kept. */
struct example_place {
	const char *file; /* with its path; the policy's */
	uint32_t line;    /* from 1 */
};
struct examples {
	struct vectors vectors; /* label: the route's index */
	struct example_place *places; /* of each vector */
	uint32_t place_cap;
	uint32_t *by_route;     /* how many each route has; in the policy's arena */
	struct str version;     /* hash of labels and vectors */
};

/* windows: of document_embed. model NULL: the lines bring their embeddings, and the routes' files are not read. file NULL: only the routes' files.
 * RC_BAD_INPUT with file:line; then examples_free too. */
enum rc examples_read(struct stage_setup *setup, const struct static_model *model, uint32_t windows, const struct node *file,
                      struct examples *ret, struct err *err);
void examples_free(struct examples *examples);

#endif
