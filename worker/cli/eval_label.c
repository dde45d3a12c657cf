/*
 * eval_label.c: labels, looked for among the routes.
 */
#include "worker/cli/eval_label.h"

#include "common/config.h"

enum { NAME_SHOWN = 100 };

/* Among the first count routes. */
static enum rc find(const struct policy *policy, uint32_t count, const struct dataset_row *row, int *ret, struct err *err)
{
	if (!row->labelled)
		return err_set(err, RC_BAD_INPUT, "the row has no label; which field is it? --field label=NAME");
	*ret = row->label.data == NULL ? EVAL_NONE : EVAL_STRANGE;
	for (uint32_t i = 0; *ret == EVAL_STRANGE && i < count; i++)
		if (str_eq(policy_route(policy, i)->name, row->label))
			*ret = (int)i;
	return RC_OK;
}

static const char *name_at(const void *ctx, unsigned i)
{
	return policy_route(ctx, i)->name.data; /* ends with a NUL */
}

enum rc eval_label_route(const struct policy *policy, const struct dataset_row *row, int *ret, struct err *err)
{
	uint32_t count = policy_route_count(policy);
	enum rc rc = find(policy, count, row, ret, err);
	if (rc != RC_OK || *ret != EVAL_STRANGE)
		return rc;
	const char *near = config_suggest(row->label, name_at, policy, count);
	return err_set(err, RC_BAD_INPUT, "the label \"%.*s\" is no route of the policy %.*s%s%s%s", (int)str_utf8_cut(row->label, NAME_SHOWN),
	               row->label.data, STR_ARG(policy_name(policy)), near != NULL ? "; did you mean \"" : "", near != NULL ? near : "",
	               near != NULL ? "\"?" : "");
}

enum rc eval_label_learned(const struct policy *policy, const struct dataset_row *row, int *ret, struct err *err)
{
	return find(policy, policy_route_count(policy) - 1, row, ret, err); /* the last route is none of the labels */
}

const char *eval_label_name(const struct policy *policy, int label)
{
	return label == EVAL_NONE ? "none of these" : policy_route(policy, (uint32_t)label)->name.data; /* ends with a NUL */
}
