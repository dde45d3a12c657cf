/*
 * calibrate.h: what the files of `pointsman calibrate` share.
 * Thread: main.
 */
#ifndef CLI_CALIBRATE_H
#define CLI_CALIBRATE_H

#include "worker/cli/cli.h"
#include "worker/lab/calibrate.h"
#include "worker/lab/dataset.h"
#include "worker/lab/held_out.h"

enum { MAX_POLICY_BYTES = 4 * 1024 * 1024 };

struct calibrate_asked {
	const char *config, *policy, *data, *costs;
	struct dataset_fields fields;
	struct curve_goal goal;
	bool has_goal;
	int64_t folds, route_rows, limit;
	bool skip_bad, json, write;
};

struct calibrate_work {
	const struct calibrate_asked *asked;
	const struct settings *settings;
	struct policy *policy;
	struct arena arena;
	struct stage_info *stages;
	struct eval_setup eval;
	/* the rows */
	struct calibrate_row *rows;
	struct str *texts;
	uint32_t count, cap;
	int64_t bad, repeated; /* rows whose text was there before */
	char digest[17];       /* of texts and labels */
	struct held_out_report *learned; /* by stage */
	/* what came of it */
	struct calibrate_result result;
	struct str policy_text, proposed_text, diff; /* diff data NULL: nothing to propose */
};

/* calibrate_read.c: reads and asks all stages. An exit_code; what is wrong was said. */
int calibrate_read(struct calibrate_work *work);
/* calibrate_propose.c: the policy's text with the chosen thresholds, read back and compared. */
int calibrate_propose(struct calibrate_work *work);
/* Writes it in place of the policy: whole or not at all, and not over what somebody else has changed meanwhile. */
int calibrate_write(struct calibrate_work *work);
/* calibrate_report.c */
void calibrate_report_text(const struct calibrate_work *work, FILE *out);
void calibrate_report_json(const struct calibrate_work *work, struct buf *out);
/* "at most 3 % of what a stage decides goes wrong"; in the arena. */
struct str calibrate_goal_words(const struct calibrate_asked *asked, struct arena *arena);
bool calibrate_chose(const struct calibrate_work *work); /* thresholds for some stage */

#endif
