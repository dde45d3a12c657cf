/*
 * thresholds.c: reading thresholds, and telling a calibration that holds from one that does not any more.
 *
 * The one idea: the seal is a hash of the stage as compiled, thresholds included. The mark repeats it, so nothing has to be
 * remembered elsewhere: a policy file says by itself whether its thresholds are those that were measured.
 */
#include "worker/route/thresholds.h"

#include <math.h>

#include "worker/route/policy_load.h"

struct mark {
	struct str data, stage;
	int64_t rows;
};

static const struct config_option mark_options[] = {
	{.name = "data", .kind = OPTION_STR, .offset = offsetof(struct mark, data), .required = true, .doc = "Hash of the rows."},
	{.name = "rows", .kind = OPTION_I64, .offset = offsetof(struct mark, rows), .required = true, .min = 1, .max = 1e12, .doc = "How many."},
	{.name = "stage", .kind = OPTION_STR, .offset = offsetof(struct mark, stage), .required = true, .doc = "Seal of the stage."},
	{.name = NULL},
};

enum rc thresholds_keep_node(const struct node *node, void *field, struct arena *arena, struct err *err)
{
	return policy_keep_node(node, field, arena, err);
}

static enum rc read_one(const struct node *node, double *ret, struct err *err)
{
	double d;
	if (node->kind != NODE_SCALAR || !str_to_double(node->scalar, &d))
		return config_error(node, err, "a threshold from 0 to 1 is expected");
	if (!(d >= 0 && d <= 1))
		return config_error(node, err, "the threshold %.*s is not between 0 and 1", STR_ARG(node->scalar));
	*ret = d;
	return RC_OK;
}

static enum rc read_by_route(struct thresholds *t, const struct policy *policy, const struct node *node, struct err *err)
{
	if (node->kind != NODE_MAP)
		return config_error(node, err, "a map of routes and thresholds is expected, for example {human: 0.36}");
	enum rc rc = RC_OK;
	for (unsigned i = 0; rc == RC_OK && i < node->count; i++) {
		int route = -1;
		rc = policy_name_route(policy, node->entries[i].key, &route, err);
		if (rc == RC_OK)
			rc = read_one(node->entries[i].value, &t->by_route[route], err);
	}
	return rc;
}

enum rc thresholds_open(struct stage_setup *setup, const struct thresholds_settings *settings, struct thresholds **ret, struct err *err)
{
	struct policy *policy = setup->policy;
	struct thresholds *t = arena_zalloc(&policy->arena, sizeof *t);
	t->accept = settings->accept;
	t->by_route = arena_array(&policy->arena, policy->route_count, sizeof *t->by_route);
	for (uint32_t i = 0; i < policy->route_count; i++)
		t->by_route[i] = t->accept;
	enum rc rc = settings->by_route != NULL ? read_by_route(t, policy, settings->by_route, err) : RC_OK;
	if (rc != RC_OK)
		return rc;
	for (uint32_t i = 0; i < policy->route_count; i++)
		canon_double(setup->canon, t->by_route[i]);
	*ret = t;
	return RC_OK;
}

static void write_seal(struct thresholds *t, const struct policy *policy, struct str stage, struct arena *brief)
{
	struct canon canon;
	buf_init(&canon.buf, brief, stage.len + 256);
	canon_u64(&canon, (uint64_t)policy->text.use);
	canon_u64(&canon, policy->text.max_chars);
	canon_u64(&canon, policy->text.strip);
	for (uint32_t i = 0; i < policy->route_count; i++)
		canon_str(&canon, policy->routes[i].name);
	canon_bytes(&canon, stage.data, stage.len);
	policy_hash(&canon, t->seal);
}

enum rc thresholds_check(struct thresholds *t, struct policy *policy, const char *stage, const struct node *node, struct str canon,
                         struct arena *brief, struct err *err)
{
	const struct node *at = config_get(node, "calibrated");
	struct mark mark = {0};
	write_seal(t, policy, canon, brief);
	t->calibration = CALIBRATION_NONE;
	if (at == NULL || at->kind == NODE_NULL) {
		policy_warn(policy, "%s: its thresholds are uncalibrated: no calibration produced them; pointsman calibrate does", stage);
		return RC_OK;
	}
	enum rc rc = config_bind(mark_options, at, &mark, brief, err);
	if (rc != RC_OK)
		return rc;
	t->data = arena_str(&policy->arena, mark.data);
	t->rows = mark.rows;
	t->calibration = str_is(mark.stage, t->seal) ? CALIBRATION_HOLDS : CALIBRATION_STALE;
	if (t->calibration == CALIBRATION_STALE)
		policy_warn(policy, "%s: its calibration is stale: thresholds, examples, model, margin or what the router reads have changed since",
		            stage);
	return RC_OK;
}
