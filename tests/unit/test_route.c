/* test_route.c: the order of stages, when_unsure, asking and resuming, cache keys and cache values. */
#include "tests/unit/route_fixture.h"

#include <malloc.h>

static const char rules_yaml[] = "when_unsure: careful\n"
                                 "routes: [{name: kb, models: [small]}, {name: careful, models: [capable]}, {name: human, topic: desk}]\n"
                                 "stages:\n"
                                 "- rules:\n"
                                 "  - {name: r, when: {keywords: [refund], none: [{hint: h}, {attributes: {plan: pro}}]}, route: kb}\n";

/* A stage that does what the test says: a script of verdicts, one for decide, one for resume. */
struct fake {
	enum verdict decide, resume;
	int route;
	double score, threshold, cost;
	bool degraded;
	unsigned decided, resumed, closed, scratches;
};

static void *fake_scratch_new(const void *stage)
{
	((struct fake *)(uintptr_t)stage)->scratches++;
	return malloc(1);
}

static void fake_close(void *stage)
{
	((struct fake *)stage)->closed++;
}

static enum verdict fake_answer(struct fake *fake, struct stage_turn *turn, enum verdict verdict)
{
	assert_non_null(turn->scratch);
	turn->route = fake->route;
	turn->degraded = fake->degraded;
	turn->trace->score = fake->score;
	turn->trace->threshold = fake->threshold;
	turn->trace->cost_usd = fake->cost;
	turn->trace->reason = verdict == VERDICT_ASK ? STR("asks") : STR("because");
	if (verdict == VERDICT_ASK)
		turn->job->call.purpose = PURPOSE_ROUTER;
	return verdict;
}

static enum verdict fake_decide(const void *stage, struct stage_turn *turn)
{
	struct fake *fake = (struct fake *)(uintptr_t)stage; /* the test's own, written by one thread */
	fake->decided++;
	return fake_answer(fake, turn, fake->decide);
}

static enum verdict fake_resume(const void *stage, struct stage_turn *turn)
{
	struct fake *fake = (struct fake *)(uintptr_t)stage; /* the test's own, written by one thread */
	fake->resumed++;
	return fake_answer(fake, turn, fake->resume);
}

static const struct stage_ops fake_stage = {
	.name = "fake",
	.close = fake_close,
	.scratch_new = fake_scratch_new,
	.scratch_free = free,
	.decide = fake_decide,
	.resume = fake_resume,
};

static void add_fake(struct policy *policy, struct fake *fake)
{
	policy->stages[policy->stage_count++] = (struct policy_stage){.ops = &fake_stage, .config = fake};
}

static void the_first_confident_stage_decides_and_the_rest_are_not_asked(void **state)
{
	(void)state;
	struct policy *policy = fixture_policy(rules_yaml, "");
	struct fake first = {.decide = VERDICT_PASS, .score = NAN, .threshold = NAN},
	            second = {.decide = VERDICT_DECIDED, .route = 2, .score = 0.9, .threshold = 0.8, .cost = 0.25},
	            third = {.decide = VERDICT_DECIDED, .route = 0};
	add_fake(policy, &first);
	add_fake(policy, &second);
	add_fake(policy, &third);
	struct route_scratch *scratch = route_scratch_new(policy);
	struct fixture_job f;
	fixture_job_init(&f, "hello");
	assert_int_equal(route_decide(policy, scratch, &f.job), ROUTE_DONE);
	const struct decision *dec = &f.job.dec;
	assert_int_equal(dec->route, 2);
	assert_str(dec->route_name, "human");
	assert_string_equal(dec->stage, "fake");
	assert_str(dec->label, "human");
	assert_str(dec->reason, "because");
	assert_true(dec->confidence == 0.9 && dec->threshold == 0.8 && dec->cost_usd == 0.25 && !dec->unsure);
	assert_int_equal(dec->trace_count, 3);
	assert_string_equal(dec->trace[0].stage, "rules");
	assert_int_equal(dec->trace[0].verdict, VERDICT_PASS);
	assert_int_equal(dec->trace[2].verdict, VERDICT_DECIDED);
	assert_int_equal(dec->prompt_chars, 5);
	assert_true(first.decided == 1 && second.decided == 1 && third.decided == 0);
	fixture_job_free(&f);
	fixture_job_init(&f, "a refund");
	assert_int_equal(route_decide(policy, scratch, &f.job), ROUTE_DONE);
	assert_string_equal(f.job.dec.stage, "rules");
	assert_int_equal(f.job.dec.trace_count, 1);
	assert_true(f.job.dec.confidence == 1 && isnan(f.job.dec.threshold));
	fixture_job_free(&f);
	route_scratch_free(scratch);
	assert_true(first.scratches == 1 && third.closed == 0);
	policy_unref(policy);
	assert_true(first.closed == 1 && second.closed == 1 && third.closed == 1);
}

static void without_a_confident_stage_the_safe_route_is_taken_and_says_why(void **state)
{
	(void)state;
	static const struct {
		struct fake fake;
		const char *reason;
	} cases[] = {
		{{.decide = VERDICT_PASS, .score = 0.41, .threshold = 0.62}, "no stage was confident (rules passed; fake 0.41 of 0.62)"},
		{{.decide = VERDICT_PASS, .score = NAN, .threshold = NAN}, "no stage was confident (rules passed; fake passed)"},
		{{.decide = VERDICT_FAILED, .score = NAN, .threshold = NAN}, "no stage was confident (rules passed; fake failed: because)"},
		{{.decide = VERDICT_DECIDED, .route = -1, .score = NAN, .threshold = NAN}, NULL},
		{{.decide = VERDICT_DECIDED, .route = 3, .score = NAN, .threshold = NAN}, NULL},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct policy *policy = fixture_policy(rules_yaml, "");
		struct fake fake = cases[i].fake;
		add_fake(policy, &fake);
		struct route_scratch *scratch = route_scratch_new(policy);
		struct fixture_job f;
		fixture_job_init(&f, "hello");
		assert_int_equal(route_decide(policy, scratch, &f.job), ROUTE_DONE);
		const struct decision *dec = &f.job.dec;
		assert_true(dec->unsure && !dec->degraded && dec->route == 1);
		assert_string_equal(dec->stage, "when_unsure");
		assert_true(isnan(dec->confidence) && isnan(dec->threshold) && dec->label.data == NULL);
		if (cases[i].reason != NULL)
			assert_str(dec->unsure_reason, cases[i].reason);
		assert_true(str_eq(dec->reason, dec->unsure_reason));
		fixture_job_free(&f);
		route_scratch_free(scratch);
		policy_unref(policy);
	}
	struct policy *policy = fixture_policy("routes: [{name: all, models: [small]}]\n", "");
	struct route_scratch *scratch = route_scratch_new(policy);
	struct fixture_job f;
	fixture_job_init(&f, "hello");
	assert_int_equal(route_decide(policy, scratch, &f.job), ROUTE_DONE);
	assert_str(f.job.dec.reason, "the policy has no stages");
	fixture_job_free(&f);
	route_scratch_free(scratch);
	policy_unref(policy);
}

/* Something was down in the middle: the next stage decides, and what it says is not kept as if all had been asked. */
static void a_failed_stage_is_gone_past_and_the_decision_behind_it_is_not_cached(void **state)
{
	(void)state;
	static const bool down[] = {true, false};
	for (size_t i = 0; i < 2; i++) {
		struct policy *policy = fixture_policy(rules_yaml, "");
		struct fake failing = {.decide = VERDICT_FAILED, .score = NAN, .threshold = NAN, .degraded = down[i]},
		            sure = {.decide = VERDICT_DECIDED, .route = 0, .score = 0.9, .threshold = 0.8};
		add_fake(policy, &failing);
		add_fake(policy, &sure);
		struct route_scratch *scratch = route_scratch_new(policy);
		struct fixture_job f;
		fixture_job_init(&f, "hello");
		assert_int_equal(route_decide(policy, scratch, &f.job), ROUTE_DONE);
		assert_str(f.job.dec.route_name, "kb");
		assert_false(f.job.dec.unsure);
		assert_int_equal(f.job.dec.trace[1].verdict, VERDICT_FAILED);
		assert_int_equal(f.job.dec.degraded, down[i]);
		assert_int_equal(route_pack(policy, &f.job).data == NULL, down[i]);
		fixture_job_free(&f);
		route_scratch_free(scratch);
		policy_unref(policy);
	}
}

static void a_stage_that_asks_is_resumed_with_the_answer(void **state)
{
	(void)state;
	struct policy *policy = fixture_policy(rules_yaml, "");
	struct fake asks = {.decide = VERDICT_ASK, .resume = VERDICT_PASS, .score = 0.3, .threshold = 0.5, .cost = 0.01},
	            again = {.decide = VERDICT_ASK, .resume = VERDICT_DECIDED, .route = 2, .score = 0.9, .threshold = 0.5};
	add_fake(policy, &asks);
	add_fake(policy, &again);
	struct route_scratch *scratch = route_scratch_new(policy), *other = route_scratch_new(policy);
	struct fixture_job f;
	fixture_job_init(&f, "hello");
	assert_int_equal(route_decide(policy, scratch, &f.job), ROUTE_ASK);
	assert_int_equal(f.job.dec.route, -1);
	assert_int_equal(f.job.call.purpose, PURPOSE_ROUTER);
	assert_int_equal(f.job.dec.trace_count, 2);
	assert_int_equal(f.job.dec.trace[1].verdict, VERDICT_ASK);
	assert_int_equal(route_resume(policy, other, &f.job), ROUTE_ASK); /* another decider's scratch will do */
	assert_int_equal(f.job.dec.trace[1].verdict, VERDICT_PASS);
	assert_int_equal(f.job.dec.trace_count, 3);
	assert_int_equal(route_resume(policy, scratch, &f.job), ROUTE_DONE);
	assert_int_equal(f.job.dec.route, 2);
	assert_int_equal(f.job.dec.trace_count, 3);
	assert_true(asks.decided == 1 && asks.resumed == 1 && again.decided == 1 && again.resumed == 1);
	assert_true(fabs(f.job.dec.cost_usd - 0.02) < 1e-12); /* both turns of the first */
	fixture_job_free(&f);
	route_scratch_free(scratch);
	route_scratch_free(other);
	policy_unref(policy);
}

static void a_degraded_decision_is_not_cached(void **state)
{
	(void)state;
	struct policy *policy = fixture_policy(rules_yaml, "");
	struct fake down = {.decide = VERDICT_ASK, .resume = VERDICT_FAILED, .score = NAN, .threshold = NAN, .degraded = true};
	add_fake(policy, &down);
	struct route_scratch *scratch = route_scratch_new(policy);
	struct fixture_job f;
	fixture_job_init(&f, "hello");
	assert_int_equal(route_decide(policy, scratch, &f.job), ROUTE_ASK);
	assert_null(route_pack(policy, &f.job).data); /* undecided */
	assert_int_equal(route_resume(policy, scratch, &f.job), ROUTE_DONE);
	assert_true(f.job.dec.degraded && f.job.dec.unsure);
	assert_null(route_pack(policy, &f.job).data);
	fixture_job_free(&f);
	route_scratch_free(scratch);
	policy_unref(policy);
}

static void resuming_a_job_that_nobody_asked_for_decides_it_anew(void **state)
{
	(void)state;
	struct policy *policy = fixture_policy(rules_yaml, "");
	struct route_scratch *scratch = route_scratch_new(policy);
	struct fixture_job f;
	fixture_job_init(&f, "a refund");
	assert_int_equal(route_resume(policy, scratch, &f.job), ROUTE_DONE);
	assert_int_equal(f.job.dec.route, 0);
	assert_int_equal(route_resume(policy, scratch, &f.job), ROUTE_DONE);
	assert_int_equal(f.job.dec.trace_count, 1);
	fixture_job_free(&f);
	route_scratch_free(scratch);
	policy_unref(policy);
}

static bool same_double(double a, double b)
{
	return (isnan(a) && isnan(b)) || a == b;
}

static void a_decision_comes_back_from_its_bytes(void **state)
{
	(void)state;
	static const char *const texts[] = {"a refund", "hello"};
	for (size_t i = 0; i < 2; i++) {
		struct policy *policy = fixture_policy(rules_yaml, "");
		struct fake fake = {.decide = VERDICT_PASS, .score = 0.41, .threshold = 0.62};
		add_fake(policy, &fake);
		struct route_scratch *scratch = route_scratch_new(policy);
		struct fixture_job f, g;
		fixture_job_init(&f, texts[i]);
		fixture_job_init(&g, texts[i]);
		assert_int_equal(route_decide(policy, scratch, &f.job), ROUTE_DONE);
		struct str packed = route_pack(policy, &f.job);
		assert_in_range(packed.len, 20, 4096);
		g.job.dec.cost_usd = 7;
		g.job.dec.cache = CACHE_FAR;
		assert_int_equal(route_unpack(policy, packed, &g.job), RC_OK);
		const struct decision *a = &f.job.dec, *b = &g.job.dec;
		assert_int_equal(a->route, b->route);
		assert_true(str_eq(a->route_name, b->route_name) && str_eq(a->reason, b->reason) && str_eq(a->label, b->label));
		assert_string_equal(a->stage, b->stage);
		assert_true(same_double(a->confidence, b->confidence) && same_double(a->threshold, b->threshold));
		assert_true(a->unsure == b->unsure && str_eq(a->unsure_reason, b->unsure_reason));
		assert_true(str_eq(a->prompt_version, b->prompt_version));
		assert_int_equal(a->trace_count, b->trace_count);
		for (uint32_t t = 0; t < a->trace_count; t++) {
			assert_string_equal(a->trace[t].stage, b->trace[t].stage);
			assert_int_equal(a->trace[t].verdict, b->trace[t].verdict);
			assert_true(same_double(a->trace[t].score, b->trace[t].score) && same_double(a->trace[t].threshold, b->trace[t].threshold));
			assert_true(str_eq(a->trace[t].reason, b->trace[t].reason));
		}
		assert_true(b->cost_usd == 0 && b->cache == CACHE_FAR);
		assert_true(str_eq(packed, route_pack(policy, &g.job))); /* and gives the same bytes */
		fixture_job_free(&f);
		fixture_job_free(&g);
		route_scratch_free(scratch);
		policy_unref(policy);
	}
}

static void rubbish_in_the_cache_is_a_miss(void **state)
{
	(void)state;
	struct policy *policy = fixture_policy(rules_yaml, ""), *other = fixture_policy("routes: [{name: all, models: [small]}]\n", "");
	struct route_scratch *scratch = route_scratch_new(policy);
	struct fixture_job f, g;
	fixture_job_init(&f, "a refund");
	fixture_job_init(&g, "");
	assert_int_equal(route_decide(policy, scratch, &f.job), ROUTE_DONE);
	struct str packed = route_pack(policy, &f.job);
	for (size_t n = 0; n < packed.len; n++)
		assert_int_equal(route_unpack(policy, (struct str){packed.data, n}, &g.job), RC_BAD_INPUT);
	char *bytes = malloc(packed.len + 1);
	for (size_t bit = 0; bit < packed.len * 8; bit++) {
		memcpy(bytes, packed.data, packed.len);
		bytes[bit / 8] = (char)(bytes[bit / 8] ^ (1 << (bit % 8)));
		assert_int_equal(route_unpack(policy, (struct str){bytes, packed.len}, &g.job), RC_BAD_INPUT);
	}
	memcpy(bytes, packed.data, packed.len);
	bytes[packed.len] = 0;
	assert_int_equal(route_unpack(policy, (struct str){bytes, packed.len + 1}, &g.job), RC_BAD_INPUT);
	assert_int_equal(route_unpack(policy, STR_NULL, &g.job), RC_BAD_INPUT);
	assert_int_equal(route_unpack(other, packed, &g.job), RC_BAD_INPUT); /* no such route there */
	assert_int_equal(g.job.dec.route, -1);
	assert_null(g.job.dec.trace);
	free(bytes);
	fixture_job_free(&f);
	fixture_job_free(&g);
	route_scratch_free(scratch);
	policy_unref(policy);
	policy_unref(other);
}

/* Bytes that carry a right check but nonsense inside must be refused, or give texts that are whole. */
static void nonsense_with_a_right_check_is_a_miss_too(void **state)
{
	(void)state;
	struct policy *policy = fixture_policy(rules_yaml, "");
	struct route_scratch *scratch = route_scratch_new(policy);
	struct fixture_job f;
	fixture_job_init(&f, "a refund");
	assert_int_equal(route_decide(policy, scratch, &f.job), ROUTE_DONE);
	struct str packed = route_pack(policy, &f.job);
	char *bytes = malloc(packed.len);
	uint64_t seed = 5;
	for (int round = 0; round < 20000; round++) {
		memcpy(bytes, packed.data, packed.len);
		size_t n = packed.len - 4;
		for (int changes = 0; changes < 3; changes++) {
			seed = seed * UINT64_C(6364136223846793005) + 1;
			bytes[4 + (seed >> 33) % (n - 4)] = (char)(seed >> 25);
		}
		uint32_t h = 2166136261u;
		for (size_t i = 0; i < n; i++)
			h = (h ^ (unsigned char)bytes[i]) * 16777619u;
		for (unsigned i = 0; i < 4; i++)
			bytes[n + i] = (char)(unsigned char)(h >> (8 * i));
		struct fixture_job g;
		fixture_job_init(&g, "");
		if (route_unpack(policy, (struct str){bytes, packed.len}, &g.job) == RC_OK) {
			assert_in_range(g.job.dec.route, 0, 2);
			assert_true(str_utf8_valid(g.job.dec.reason) && str_utf8_valid(g.job.dec.unsure_reason));
			assert_in_range(g.job.dec.trace_count, 0, POLICY_MAX_STAGES);
		}
		fixture_job_free(&g);
	}
	free(bytes);
	fixture_job_free(&f);
	route_scratch_free(scratch);
	policy_unref(policy);
}

static struct str key(const struct policy *policy, struct route_scratch *scratch, struct fixture_job *f)
{
	f->job.dec.work = NULL; /* the request was changed under it */
	return route_key_material(policy, scratch, &f->job);
}

static void a_key_covers_what_the_policy_reads_and_nothing_else(void **state)
{
	(void)state;
	struct policy *policy = fixture_policy(rules_yaml, "");
	struct route_scratch *scratch = route_scratch_new(policy);
	struct fixture_job f;
	fixture_job_init(&f, "a refund");
	fixture_attribute(&f, "plan", "free");
	fixture_attribute(&f, "color", "red");
	struct str base = key(policy, scratch, &f);
	assert_true(str_eq(base, key(policy, scratch, &f)));
	struct attribute swapped[] = {f.attributes[1], f.attributes[0]};
	f.job.req.attributes = swapped;
	assert_true(str_eq(base, key(policy, scratch, &f)));
	f.job.req.attributes = f.attributes;
	f.attributes[1].value = STR("blue");
	f.job.req.id = STR("another");
	f.job.req.embedding = (const float[]){1};
	f.job.req.embedding_len = 1;
	f.job.req.max_tokens = 9;
	assert_true(str_eq(base, key(policy, scratch, &f)));
	f.attributes[0].value = STR("pro");
	assert_false(str_eq(base, key(policy, scratch, &f)));
	f.job.req.attribute_count = 0;
	struct str none = key(policy, scratch, &f);
	assert_false(str_eq(base, none));
	f.job.req.tenant = STR("");
	struct str empty_tenant = key(policy, scratch, &f);
	assert_false(str_eq(none, empty_tenant));
	f.job.req.tenant = STR("acme");
	assert_false(str_eq(empty_tenant, key(policy, scratch, &f)));
	f.job.req.tenant = STR_NULL;
	f.job.req.route_hint = STR("h");
	assert_false(str_eq(none, key(policy, scratch, &f)));
	f.job.req.route_hint = STR_NULL;
	f.message.content = STR("A refund");
	assert_false(str_eq(none, key(policy, scratch, &f)));
	fixture_job_free(&f);
	route_scratch_free(scratch);
	policy_unref(policy);
}

static void a_key_covers_a_given_embedding_and_lengths_where_they_are_read(void **state)
{
	(void)state;
	char *folder = fixture_folder();
	static const char example[] = "{\"label\": \"a\", \"embedding\": [1, 0]}\n";
	fixture_file(folder, "e.jsonl", example, sizeof example - 1);
	struct policy *policy = fixture_policy("text: {max_chars: 16}\nroutes: [{name: a, models: [small]}]\nstages:\n"
	                                       "- rules: [{name: r, when: {min_words: 900}, route: a}]\n"
	                                       "- semantic: {embedder: given, accept: 0.5, examples: e.jsonl}\n", folder);
	struct route_scratch *scratch = route_scratch_new(policy);
	struct fixture_job f;
	fixture_job_init(&f, "0123456789-some middle-0123456789");
	struct str base = key(policy, scratch, &f);
	f.job.req.embedding = (const float[]){1, 0};
	f.job.req.embedding_len = 2;
	struct str with = key(policy, scratch, &f);
	assert_false(str_eq(base, with));
	f.job.req.embedding = (const float[]){0, 1};
	assert_false(str_eq(with, key(policy, scratch, &f)));
	f.job.req.embedding = NULL;
	f.message.content = STR("0123456789-some longer middle-0123456789"); /* the same head and tail */
	assert_false(str_eq(base, key(policy, scratch, &f)));
	fixture_job_free(&f);
	route_scratch_free(scratch);
	policy_unref(policy);
	fixture_remove_folder(folder, (const char *const[]){"e.jsonl", NULL});
}

static void deciding_takes_no_memory_but_the_jobs(void **state)
{
	(void)state;
	struct policy *policy = fixture_policy(rules_yaml, "");
	struct route_scratch *scratch = route_scratch_new(policy);
	struct fixture_job f;
	fixture_job_init(&f, "I want my money back, and a refund, and an answer");
	size_t before = 0;
	for (int i = 0; i < 50; i++) {
		if (i == 10)
			before = mallinfo2().uordblks;
		f.job.dec.work = NULL;
		(void)route_key_material(policy, scratch, &f.job); /* only for what it allocates */
		assert_int_equal(route_decide(policy, scratch, &f.job), ROUTE_DONE);
		assert_non_null(route_pack(policy, &f.job).data);
		arena_reset(&f.job.arena);
		f.job.dec.trace = NULL;
	}
	assert_int_equal(mallinfo2().uordblks, before);
	fixture_job_free(&f);
	route_scratch_free(scratch);
	policy_unref(policy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_confident_stage_decides_and_the_rest_are_not_asked),
		cmocka_unit_test(without_a_confident_stage_the_safe_route_is_taken_and_says_why),
		cmocka_unit_test(a_failed_stage_is_gone_past_and_the_decision_behind_it_is_not_cached),
		cmocka_unit_test(a_stage_that_asks_is_resumed_with_the_answer),
		cmocka_unit_test(a_degraded_decision_is_not_cached),
		cmocka_unit_test(resuming_a_job_that_nobody_asked_for_decides_it_anew),
		cmocka_unit_test(a_decision_comes_back_from_its_bytes),
		cmocka_unit_test(rubbish_in_the_cache_is_a_miss),
		cmocka_unit_test(nonsense_with_a_right_check_is_a_miss_too),
		cmocka_unit_test(a_key_covers_what_the_policy_reads_and_nothing_else),
		cmocka_unit_test(a_key_covers_a_given_embedding_and_lengths_where_they_are_read),
		cmocka_unit_test(deciding_takes_no_memory_but_the_jobs),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
