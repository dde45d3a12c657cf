/*
 * eval.h: what the files of `pointsman eval` share: what was asked, the work, and its reports.
 * Thread: main.
 */
#ifndef CLI_EVAL_H
#define CLI_EVAL_H

#include "worker/cli/cli.h"
#include "worker/cli/eval_label.h"
#include "worker/cli/eval_scores.h"
#include "worker/lab/compare.h"
#include "worker/lab/dataset.h"
#include "worker/lab/decide.h"
#include "worker/lab/eval.h"
#include "worker/lab/reliability.h"
#include "worker/lab/scope.h"
#include "worker/route/inspect.h"

enum { EVAL_ID_BYTES = 64, EVAL_TEXT_BYTES = 120, EVAL_REASON_BYTES = 200, EVAL_NEAR = 3 };
#define EVAL_RETAINED 0.95 /* of the rows of routes, where out-of-scope recall is told */

struct eval_asked {
	const char *config, *model, *none, *data, *costs, *predictions, *compare, *html, *policy, *stages;
	struct dataset_fields fields;
	struct str slices[EVAL_MAX_SLICED];
	uint32_t slice_count;
	struct str fail_names[8];
	double fail_under[8];
	uint32_t fail_count;
	int64_t limit, slice_rows, worst;
	bool json, skip_bad, timings, labels_as_routes, ask;
	double budget_usd; /* of ask */
};

/* One policy over the rows. */
struct eval_side {
	struct policy *policy;
	struct decider *decider;
	struct eval_setup setup;
	struct eval *eval;
};
/* A row that was sent wrongly, texts cut and ended with a NUL. */
struct eval_miss {
	uint64_t line;
	char id[EVAL_ID_BYTES], text[EVAL_TEXT_BYTES], reason[EVAL_REASON_BYTES];
	const char *stage; /* NULL: none was confident */
	int label, route;
	double confidence, threshold;
	struct near_example near[EVAL_NEAR]; /* the examples that pulled it, with --html */
	uint32_t near_count;
};
struct eval_work {
	const struct eval_asked *asked;
	struct arena arena;
	struct eval_side side, other;   /* other: with --compare, else empty */
	struct compare *compare;        /* NULL: nothing to compare with */
	int64_t rows, bad, strange;     /* strange: of labels that the classifier has not learned; with labels_as_routes */
	struct scope *scope;            /* in-scope scores of the classifier, where the policy has one */
	struct reliability reliability; /* of its probabilities */
	struct eval_scores scores;      /* for charts, with --html */
	struct route_scratch *scratch;  /* with --html */
	int64_t micros; /* of everything */
	struct eval_miss *misses; /* the most confident ones first; ties in the order of the rows */
	uint32_t miss_count;
};

/* eval_run.c: reads the data and decides. An exit_code; what is wrong was said. */
int eval_run(struct eval_work *work);
void eval_report_text(struct eval_work *work, FILE *out);
void eval_report_json(struct eval_work *work, struct buf *out);
/* One page without outside files. EXIT_FAILED when path cannot be written, which was said. */
int eval_report_html(struct eval_work *work, const char *path);
/* eval_compare.c: both sides beside each other. */
void eval_compare_text(struct eval_work *work, FILE *out);
void eval_compare_json(struct eval_work *work, struct buf *out);

#endif
