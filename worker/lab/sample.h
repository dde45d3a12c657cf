/*
 * sample.h: which rows are worth a person's label: some of each route by chance, and those where the policy is weak.
 *
 * Of what is asked for, 40 % are drawn by chance, as many of each route as can be, 25 % lie nearest to a threshold, in 20 % stages
 * contradict each other, and 15 % are unlike all that the policy knows; what one kind lacks, chance fills. Rows with the same words,
 * or nearly so, are taken once.
 *
 * Thread: any. Pure: the same rows and draws give the same sample.
 */
#ifndef LAB_SAMPLE_H
#define LAB_SAMPLE_H

#include "common/arena.h"
#include "worker/lab/cluster.h"

enum sample_why { SAMPLE_CHANCE, SAMPLE_UNSURE, SAMPLE_DISAGREEMENT, SAMPLE_FAR, SAMPLE_KINDS };
const char *sample_why_name(enum sample_why why); /* "chance", "low_confidence", "disagreement", "far" */

enum { SAMPLE_NO_VECTOR = UINT32_MAX };

struct sample_row {
	uint32_t stratum;   /* route, or one more for unsure ones */
	uint64_t draw;      /* its chance; different for different rows */
	uint64_t print;     /* of its words: equal for duplicates */
	uint32_t vector;    /* in setup->vectors; SAMPLE_NO_VECTOR: none */
	double margin;      /* how far from a threshold, 0 or more; NAN: nothing to measure */
	double disagreement; /* how strongly stages contradict each other; 0: they do not */
	double nearness;    /* to what is known; NAN: nothing to measure. Below setup->far_below it is far */
};
struct sample_setup {
	const struct sample_row *rows;
	uint32_t row_count, strata, wanted;
	const struct cluster_set *vectors; /* NULL: duplicates by words only */
	double far_below;
};
struct sample_pick {
	uint32_t row;
	enum sample_why why;
};
struct sample_result {
	struct sample_pick *picks; /* in arena, in the order of their draws: neighbours have nothing in common */
	uint32_t count;
	uint32_t by_why[SAMPLE_KINDS];
	int64_t duplicates; /* rows that were passed over as such */
};

struct sample_result sample_choose(const struct sample_setup *setup, struct arena *arena);
/* Of a text's words without regard to case, accents, numbers and what stands between them. */
uint64_t sample_print(struct str text, struct arena *arena);

#endif
