/*
 * groups.h: the groups of a backlog, as `pointsman train --groups` wrote them: a direction each, and how far from it is far.
 *
 * One file of the safetensors format. The same file gives the same cosines, to the bit, on every machine.
 *
 * Thread: read-only after it was opened. Pure.
 */
#ifndef ROUTE_GROUPS_H
#define ROUTE_GROUPS_H

#include "worker/route/document.h"

enum { GROUPS_MOST = 4096, GROUPS_MAX_DIM = 8192, GROUPS_SHARES = 5 };
#define GROUPS_FORMAT "pointsman-groups-1"

/* static: by the table in this program, of windows of the text. given: the embedding comes with the record. */
enum groups_embedder { GROUPS_STATIC, GROUPS_GIVEN };

struct groups;

struct groups_found {
	uint32_t nearest; /* of the groups that the text is not far from; of all groups where it is far from each */
	float cosine, limit; /* to that group, and what it had to reach */
	bool far;
};

/* file must outlive the result, which lives in the arena. static_version: of the table (static_model_version); a file made with
 * another one is refused. RC_BAD_INPUT with the reason. */
enum rc groups_open(struct str file, struct str static_version, struct arena *arena, struct groups **ret, struct err *err);
uint32_t groups_count(const struct groups *g);
uint32_t groups_dim(const struct groups *g);
uint32_t groups_windows(const struct groups *g); /* of document_embed */
enum groups_embedder groups_embedder(const struct groups *g);
struct str groups_name(const struct groups *g, uint32_t group);
struct str groups_version(const struct groups *g); /* hex, short */

/* What share of a group's own rows counts as far, by the number of the share; groups.c names them: "0.01" and so on. */
extern const char groups_share_names[]; /* "0.01|0.05|0.10|0.25|0.50" */
/* whole, inverse: of kernels_direction. far: below this cosine is far from every group; NAN: each group's own limit at that share. */
void groups_find(const struct groups *g, const int8_t *whole, float inverse, double far, int share, struct groups_found *ret);

#endif
