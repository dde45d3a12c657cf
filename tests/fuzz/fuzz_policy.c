/*
 * fuzz_policy.c: a policy file and a text for it to decide (a NUL between them); and a cached decision read back by it.
 *
 * A policy that loads decides every text: a route of its own, or its route for what is unsure. What it packs for the cache
 * unpacks to the same route; foreign bytes are a miss or a route of its own.
 */
#include "tests/fuzz/fuzz.h"

#include <math.h>

#include "worker/route/route.h"

static void job_begin(struct job *job, struct message *message)
{
	memset(job, 0, sizeof *job);
	arena_init(&job->arena, 4096);
	job->req = (struct request){.id = STR("t-0-1"), .messages = message, .message_count = 1, .temperature = NAN};
	job->dec.route = -1;
}

static void decide(struct policy *policy, struct str text)
{
	struct message message = {STR("user"), text};
	struct job job, other;
	struct route_scratch *scratch = route_scratch_new(policy);
	int routes = (int)policy_route_count(policy);
	job_begin(&job, &message);
	job_begin(&other, &message);
	FUZZ_CHECK(route_key_material(policy, scratch, &job).len > 0);
	if (route_decide(policy, scratch, &job) == ROUTE_DONE) {
		FUZZ_CHECK(job.dec.route >= 0 && job.dec.route < routes);
		struct str packed = route_pack(policy, &job);
		if (packed.data != NULL) {
			FUZZ_CHECK(route_unpack(policy, packed, &other) == RC_OK);
			FUZZ_CHECK(other.dec.route == job.dec.route);
		}
		route_render(policy, &job);
	}
	arena_reset(&other.arena);
	other.dec = (struct decision){.route = -1};
	if (route_unpack(policy, text, &other) == RC_OK)
		FUZZ_CHECK(other.dec.route >= 0 && other.dec.route < routes);
	arena_free(&job.arena);
	arena_free(&other.arena);
	route_scratch_free(scratch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	static struct model_settings models[] = {{.name = {"small", 5}, .model = {"m", 1}}, {.name = {"capable", 7}, .model = {"n", 1}}};
	static const struct settings settings = {.models = models, .model_count = 2};
	struct str text, yaml = fuzz_split((struct str){(const char *)data, bytes}, &text);
	struct policy *policy;
	struct err err = {""};
	if (policy_parse("fuzz.yaml", yaml, "/nonexistent", &settings, &policy, &err) != RC_OK) {
		FUZZ_CHECK(err.text[0] != '\0');
		return 0;
	}
	if (str_utf8_valid(text))
		decide(policy, text);
	policy_unref(policy);
	return 0;
}
