/*
 * policy_edit.h: thresholds and marks of a calibration into the text of a policy file, everything else left as it is written.
 *
 * A stage in block form keeps its lines; one written in braces, `- semantic: {...}`, becomes a block, so that each threshold has a
 * line and a comment of its own.
 *
 * Thread: any. Pure. Memory: the arena given.
 */
#ifndef LAB_POLICY_EDIT_H
#define LAB_POLICY_EDIT_H

#include "common/err.h"
#include "worker/lab/edit.h"

struct policy_edit_threshold {
	struct str route, comment;
	double threshold;
};
struct policy_edit_stage {
	uint32_t stage; /* in the list `stages` */
	const char *key; /* of the one threshold; NULL: accept */
	double accept;
	struct str accept_comment;
	struct policy_edit_threshold *routes; /* those with a threshold of their own */
	uint32_t route_count;
	struct str data, seal, comment; /* of the mark */
	int64_t rows;
};

/* stages: ascending. text: a policy that can be read. RC_BAD_INPUT where a stage is written in a way that this cannot change. */
enum rc policy_edit(const char *name, struct str text, const struct policy_edit_stage *stages, uint32_t count, struct arena *arena,
                    struct str *ret_text, struct str *ret_diff, struct err *err);

#endif
