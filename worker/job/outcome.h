/*
 * outcome.h: how a record ended. The table is outcome.def; everything here is read from it.
 * Thread: any (constant data).
 */
#ifndef JOB_OUTCOME_H
#define JOB_OUTCOME_H

#include <stdbool.h>

#include "common/str.h"

enum status { STATUS_NONE, STATUS_OK, STATUS_FORWARDED, STATUS_FAILED, STATUS_EXPIRED, STATUS_REJECTED };

enum outcome {
	OUTCOME_NONE, /* not ended yet */
#define X(NAME, cls, retryable, status, dead_letter, doc) OUTCOME_##NAME,
#include "worker/job/outcome.def"
#undef X
	OUTCOME_COUNT
};

struct outcome_info {
	const char *name; /* the class */
	enum status status;
	bool retryable;
	bool dead_letter;
	const char *doc;
};

const struct outcome_info *outcome_info(enum outcome outcome);
/* OUTCOME_NONE when there is no such class. */
enum outcome outcome_by_name(struct str name);
const char *status_name(enum status status); /* as in the response schema's enum */

#endif
