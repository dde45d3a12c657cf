/*
 * policy_labels.c: a policy that is nothing but a classifier, its labels the routes: what a bare file of labelled rows is measured
 * with, before anybody has written a policy.
 *
 * The one idea: it is put together, not parsed, since labels of people's own data are not bound to what a route may be called.
 */
#include <math.h>
#include <stdlib.h>

#include "worker/route/classifier.h"
#include "worker/route/policy_load.h"

enum { READ_CHARS = 4000 /* as a policy's text.max_chars where it says nothing */ };

static void add_routes(struct policy *policy, const struct classifier *c)
{
	uint32_t count = classifier_label_count(c);
	policy->routes = arena_array(&policy->arena, (size_t)count + 1, sizeof *policy->routes);
	policy->reachable = arena_array(&policy->arena, (size_t)count + 1, sizeof *policy->reachable);
	for (uint32_t i = 0; i <= count; i++) {
		struct str name = i < count ? classifier_label(c, i) : STR("(none of these)");
		policy->routes[i] = (struct route){.name = arena_str(&policy->arena, name), .temperature = NAN};
		policy->reachable[i] = true;
	}
	policy->route_count = count + 1;
	policy->when_unsure = (int)count;
}

static enum rc fill(struct policy *policy, const char *path, struct err *err)
{
	struct static_model *model = NULL;
	struct classifier *c = NULL;
	struct str file;
	enum rc rc = config_read_file(&policy->arena, path, CLASSIFIER_MAX_BYTES, &file, err);
	if (rc == RC_OK)
		rc = policy_static_model(policy, &model, err);
	if (rc != RC_OK)
		return rc;
	rc = classifier_open(file, model, &policy->arena, &c, err);
	if (rc != RC_OK)
		return err_prefix(err, rc, "%s", path);
	struct canon canon;
	buf_init(&canon.buf, &policy->arena, 256);
	canon_str(&canon, classifier_version(c));
	policy_hash(&canon, policy->decision_version);
	policy_hash(&canon, policy->version);
	policy->name = arena_str(&policy->arena, str_of(path));
	policy->text = (struct text_rules){.use = TEXT_LAST_USER, .max_chars = READ_CHARS};
	policy->baseline = -1;
	add_routes(policy, c);
	policy->stages[0] = (struct policy_stage){.ops = &classifier_stage, .config = classifier_stage_bare(policy, c)};
	policy->stage_count = 1;
	return RC_OK;
}

enum rc policy_of_labels(const char *path, struct policy **ret, struct err *err)
{
	struct policy *policy = heap_zalloc(1, sizeof *policy);
	atomic_init(&policy->refs, 1);
	arena_init(&policy->arena, 16384);
	buf_init(&policy->warnings, &policy->arena, 0);
	enum rc rc = fill(policy, path, err);
	if (rc == RC_OK)
		*ret = policy;
	else
		policy_unref(policy);
	return rc;
}
