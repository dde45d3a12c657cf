/*
 * thresholds.h: the least score with which a stage decides, for all routes and by route, and whether a calibration stands behind it.
 *
 * A stage puts THRESHOLDS_OPTIONS into its table, calls thresholds_open, and sets setup->thresholds. The mark that `pointsman
 * calibrate` writes, `calibrated: {data: HASH, rows: N, stage: HASH}`, is checked by thresholds_check when the stage is open: its
 * `stage` is the seal of everything that can change the stage's decisions. So whoever changes examples, model, margin or a threshold
 * by hand afterwards has a stale mark, and is told.
 *
 * Thread: the one that loads the policy; read-only afterwards. Memory: the policy's arena.
 */
#ifndef ROUTE_THRESHOLDS_H
#define ROUTE_THRESHOLDS_H

#include "worker/route/inspect.h"
#include "worker/route/stage.h"

enum { THRESHOLDS_SEAL_CHARS = 16 };

struct thresholds {
	double accept;
	double *by_route; /* accept, or the route's own */
	enum calibration calibration;
	struct str data; /* of the mark; data NULL: none */
	int64_t rows;
	char seal[THRESHOLDS_SEAL_CHARS + 1];
	bool of_gain; /* one number, of another kind: labels cannot choose it */
};
struct thresholds_settings {
	double accept;
	const struct node *by_route, *calibrated;
};

enum rc thresholds_keep_node(const struct node *node, void *field, struct arena *arena, struct err *err);

/* Rows of an option table: `accept`, `thresholds`, `calibrated`; member: a struct thresholds_settings in type. */
#define THRESHOLDS_OPTIONS(type, member) \
	{.name = "accept", .kind = OPTION_DOUBLE, .offset = offsetof(type, member.accept), .required = true, .min = 0, .max = 1, \
	 .doc = "The least score that decides, 0 to 1, for routes without a threshold of their own."}, \
	{.name = "thresholds", .kind = OPTION_CUSTOM, .offset = offsetof(type, member.by_route), .parse = thresholds_keep_node, \
	 .doc = "By route, the least score that decides for it: {human: 0.36}."}, \
	{.name = "calibrated", .kind = OPTION_CUSTOM, .offset = offsetof(type, member.calibrated), .parse = thresholds_keep_node, \
	 .doc = "Written by `pointsman calibrate`: the data behind the thresholds, and what they were calibrated for."}

/* Reads them, and writes the thresholds into setup->canon. RC_BAD_INPUT with the place of what is wrong. */
enum rc thresholds_open(struct stage_setup *setup, const struct thresholds_settings *settings, struct thresholds **ret, struct err *err);
/* The mark against the seal of an open stage; canon: all that can change its decisions. node: the stage's settings. */
enum rc thresholds_check(struct thresholds *t, struct policy *policy, const char *stage, const struct node *node, struct str canon,
                         struct arena *brief, struct err *err);

#endif
