/*
 * route_fixture.h: what the tests of the route room share: settings with three models, a folder of files, a job with a text.
 */
#ifndef TESTS_UNIT_ROUTE_FIXTURE_H
#define TESTS_UNIT_ROUTE_FIXTURE_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "worker/route/policy.h"

static struct model_settings fixture_models[] = {
	{.name = {"small", 5}, .model = {"qwen3-8b", 8}},
	{.name = {"capable", 7}, .model = {"large-1", 7}},
	{.name = {"standby", 7}, .model = {"large-2", 7}},
};
static const struct settings fixture_settings = {.models = fixture_models, .model_count = 3};

/* A new folder under /tmp, removed by fixture_remove_folder. */
__attribute__((unused)) static char *fixture_folder(void)
{
	char *folder = strdup("/tmp/pointsman-route-XXXXXX");
	assert_non_null(mkdtemp(folder));
	return folder;
}

__attribute__((unused)) static void fixture_file(const char *folder, const char *name, const char *data, size_t bytes)
{
	char path[512];
	(void)snprintf(path, sizeof path, "%s/%s", folder, name); /* short names of our own */
	FILE *f = fopen(path, "wb");
	assert_non_null(f);
	assert_int_equal(fwrite(data, 1, bytes, f), bytes);
	assert_int_equal(fclose(f), 0);
}

__attribute__((unused)) static void fixture_remove_folder(char *folder, const char *const *names)
{
	char path[512];
	for (; names != NULL && *names != NULL; names++) {
		(void)snprintf(path, sizeof path, "%s/%s", folder, *names); /* short names of our own */
		assert_int_equal(unlink(path), 0);
	}
	assert_int_equal(rmdir(folder), 0);
	free(folder);
}

/* A policy that must be good. */
__attribute__((unused)) static struct policy *fixture_policy(const char *yaml, const char *folder)
{
	struct policy *policy = NULL;
	struct err err = {""};
	if (policy_parse("policy.yaml", str_of(yaml), folder, &fixture_settings, &policy, &err) != RC_OK)
		fail_msg("%s", err.text);
	return policy;
}

struct fixture_job {
	struct job job;
	struct message message;
	struct attribute attributes[8];
};

__attribute__((unused)) static void fixture_job_init(struct fixture_job *f, const char *text)
{
	memset(f, 0, sizeof *f);
	arena_init(&f->job.arena, 16384);
	f->message = (struct message){STR("user"), str_of(text)};
	f->job.req.id = STR("t-0-1");
	f->job.req.messages = &f->message;
	f->job.req.message_count = 1;
	f->job.req.attributes = f->attributes;
	f->job.req.temperature = NAN;
	f->job.dec.route = -1;
}

__attribute__((unused)) static void fixture_attribute(struct fixture_job *f, const char *name, const char *value)
{
	f->attributes[f->job.req.attribute_count++] = (struct attribute){str_of(name), str_of(value)};
}

__attribute__((unused)) static void fixture_job_free(struct fixture_job *f)
{
	arena_free(&f->job.arena);
}

#define assert_str(s, expected)                                                                                        \
	do {                                                                                                               \
		struct str got_ = (s);                                                                                         \
		if (!str_is(got_, (expected)))                                                                                 \
			fail_msg("got \"%.*s\", expected \"%s\"", STR_ARG(got_), (expected));                                      \
	} while (0)

#endif
