/*
 * sample_stages.h: what the stages of a policy say to a row, as the choice of a sample sees it (sample.h).
 *
 * Thread: a scratch's. Pure.
 */
#ifndef LAB_SAMPLE_STAGES_H
#define LAB_SAMPLE_STAGES_H

#include "worker/lab/sample.h"
#include "worker/route/inspect.h"

enum { SAMPLE_MAX_STAGES = 16 };

struct sample_said {
	struct stage_answer stages[SAMPLE_MAX_STAGES];
	uint32_t count;
	int route;    /* that would be taken; -1: no stage is sure */
	int nearest;  /* the stage whose score lies nearest to its threshold; -1: none */
	int one, two; /* stages that contradict each other most; -1: none */
	int known;    /* the stage that compares with examples; -1: none */
};

/* Fills stratum, margin, disagreement and nearness of row. */
void sample_ask(const struct policy *policy, struct route_scratch *scratch, struct job *job, struct sample_said *ret, struct sample_row *row);
/* Why the row was picked, in words; in_stratum: how many rows are in its stratum. */
struct str sample_detail(const struct policy *policy, enum sample_why why, const struct sample_said *said, const struct sample_row *row,
                         int64_t in_stratum, struct arena *arena);

#endif
