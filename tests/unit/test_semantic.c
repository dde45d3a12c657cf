/* test_semantic.c: scores against a computation in double precision, thresholds, margins, and bad examples. */
#include "tests/unit/route_fixture.h"

static uint32_t next_random(uint64_t *seed)
{
	*seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(*seed >> 33);
}

#define POLICY(options)                                                                                                \
	"when_unsure: careful\n"                                                                                           \
	"routes: [{name: kb, models: [small]}, {name: careful, models: [capable]}, {name: human, topic: desk}]\n"          \
	"stages:\n- semantic: {embedder: given, examples: e.jsonl, " options "}\n"

struct fixture {
	char *folder;
	struct policy *policy;
	struct route_scratch *scratch;
};

static struct fixture start(const char *examples, const char *yaml)
{
	struct fixture f = {.folder = fixture_folder()};
	fixture_file(f.folder, "e.jsonl", examples, strlen(examples));
	f.policy = fixture_policy(yaml, f.folder);
	f.scratch = route_scratch_new(f.policy);
	return f;
}

static void stop(struct fixture f)
{
	route_scratch_free(f.scratch);
	policy_unref(f.policy);
	fixture_remove_folder(f.folder, (const char *const[]){"e.jsonl", NULL});
}

static const char corners[] = "{\"label\": \"kb\", \"embedding\": [1, 0, 0]}\n"
                              "\n"
                              "{\"embedding\": [2.0, 2e0, 0], \"label\": \"kb\", \"text\": \"kept for people\"}\r\n"
                              "{\"label\": \"careful\", \"embedding\": [0, 1, 0]}\n"
                              "{\"label\": \"human\", \"embedding\": [0, 0, 5]}";

static void the_nearest_route_decides_when_it_is_near_and_clear(void **state)
{
	(void)state;
	static const struct {
		float embedding[4];
		uint32_t len;
		const char *route; /* NULL: none */
		const char *reason;
	} cases[] = {
		{{127, 42, 0}, 3, "kb", "nearest to the examples of kb (0.92, 0.70 is enough; next is careful with 0.31)"},
		{{0, 1, 0}, 3, "careful", "nearest to the examples of careful (1.00, 0.70 is enough; next is kb with 0.35)"},
		{{0, 0, -1}, 3, NULL, "nearest to the examples of kb (0.00, below 0.70; next is careful with 0.00)"},
		{{1, 1, 1}, 3, NULL, "nearest to the examples of kb (0.70, below 0.70; next is careful with 0.58)"},
		{{0.45f, 1, 0}, 3, "careful", NULL},
		{{0.8f, 1, 0}, 3, NULL, "nearest to the examples of kb (0.81, 0.70 is enough; next is careful with 0.78, closer than the margin of 0.10)"},
		{{1, 0}, 2, NULL, "the record's embedding has 2 values, the examples have 3"},
		{{0, 0, 0}, 3, NULL, "the record's embedding is all zeros or not finite"},
		{{0}, 0, NULL, "the record has no embedding"},
	};
	struct fixture x = start(corners, POLICY("accept: 0.7, margin: 0.1, k: 2"));
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct fixture_job f;
		fixture_job_init(&f, "text");
		f.job.req.embedding = cases[i].len != 0 ? cases[i].embedding : NULL;
		f.job.req.embedding_len = cases[i].len;
		assert_int_equal(route_decide(x.policy, x.scratch, &f.job), ROUTE_DONE);
		const struct decision *dec = &f.job.dec;
		if (cases[i].reason != NULL)
			assert_str(dec->trace[0].reason, cases[i].reason);
		assert_int_equal(dec->unsure, cases[i].route == NULL);
		assert_str(dec->route_name, cases[i].route != NULL ? cases[i].route : "careful");
		assert_false(dec->degraded);
		if (cases[i].route != NULL) {
			assert_string_equal(dec->stage, "semantic");
			assert_true(dec->threshold == 0.7 && dec->confidence >= 0.7);
			assert_int_equal(dec->trace[0].asset_version.len, 16);
		}
		fixture_job_free(&f);
	}
	stop(x);
}

/* Whole numbers of which one is 127 are kept as they are, so scores can be told to the rounding of a float. */
static void whole_numbers(float *values, unsigned dim, uint64_t *seed)
{
	for (unsigned i = 0; i < dim; i++)
		values[i] = (float)(int)(next_random(seed) % 253) - 126;
	values[next_random(seed) % dim] = 127;
}

static void a_score_is_the_mean_of_the_best_k(void **state)
{
	(void)state;
	enum { DIM = 37, EXAMPLES = 60, ROUNDS = 20 };
	static const char *const labels[] = {"kb", "careful", "human"};
	static float rows[EXAMPLES][DIM];
	static char examples[EXAMPLES * DIM * 20];
	uint64_t seed = 77;
	size_t n = 0;
	for (unsigned e = 0; e < EXAMPLES; e++) {
		n += (size_t)snprintf(examples + n, sizeof examples - n, "{\"label\":\"%s\",\"embedding\":[", labels[e % 3]);
		whole_numbers(rows[e], DIM, &seed);
		for (unsigned i = 0; i < DIM; i++)
			n += (size_t)snprintf(examples + n, sizeof examples - n, "%s%.9g", i != 0 ? "," : "", (double)rows[e][i]);
		n += (size_t)snprintf(examples + n, sizeof examples - n, "]}\n");
	}
	for (unsigned k = 1; k <= 30; k += 7) {
		char yaml[512];
		(void)snprintf(yaml, sizeof yaml, POLICY("accept: 0, margin: 0, k: %u"), k); /* fits */
		struct fixture x = start(examples, yaml);
		for (unsigned round = 0; round < ROUNDS; round++) {
			float query[DIM];
			double length = 0, scores[3] = {0};
			whole_numbers(query, DIM, &seed);
			for (unsigned i = 0; i < DIM; i++)
				length += (double)query[i] * (double)query[i];
			for (unsigned label = 0; label < 3; label++) {
				double cosines[EXAMPLES];
				unsigned count = 0;
				for (unsigned e = label; e < EXAMPLES; e += 3) {
					double dot = 0, own = 0;
					for (unsigned i = 0; i < DIM; i++) {
						dot += (double)query[i] * (double)rows[e][i];
						own += (double)rows[e][i] * (double)rows[e][i];
					}
					double c = dot / sqrt(own * length);
					unsigned at = count++;
					for (; at > 0 && cosines[at - 1] < c; at--)
						cosines[at] = cosines[at - 1];
					cosines[at] = c;
				}
				unsigned take = k < count ? k : count;
				for (unsigned j = 0; j < take; j++)
					scores[label] += cosines[j] / take;
			}
			unsigned best = 0;
			for (unsigned label = 1; label < 3; label++)
				if (scores[label] > scores[best])
					best = label;
			struct fixture_job f;
			fixture_job_init(&f, "text");
			f.job.req.embedding = query;
			f.job.req.embedding_len = DIM;
			assert_int_equal(route_decide(x.policy, x.scratch, &f.job), ROUTE_DONE);
			assert_str(f.job.dec.trace[0].label, labels[best]);
			assert_true(fabs(f.job.dec.trace[0].score - scores[best]) < 1e-6);
			double first = f.job.dec.trace[0].score;
			assert_int_equal(route_decide(x.policy, x.scratch, &f.job), ROUTE_DONE);
			assert_memory_equal(&first, &f.job.dec.trace[0].score, sizeof first);
			fixture_job_free(&f);
		}
		stop(x);
	}
}

static void routes_may_have_thresholds_of_their_own(void **state)
{
	(void)state;
	struct fixture x = start(corners, POLICY("accept: 0.5, thresholds: {careful: 0.99}, k: 1"));
	struct fixture_job f;
	fixture_job_init(&f, "text");
	f.job.req.embedding = (const float[]){-0.3f, 1, 0};
	f.job.req.embedding_len = 3;
	assert_int_equal(route_decide(x.policy, x.scratch, &f.job), ROUTE_DONE);
	assert_true(f.job.dec.unsure);
	assert_str(f.job.dec.unsure_reason, "no stage was confident (semantic 0.96 of 0.99)");
	fixture_job_free(&f);
	stop(x);
}

static void texts_in_other_languages_are_passed_on(void **state)
{
	(void)state;
	struct fixture x = start(corners, "languages: [en]\n" POLICY("accept: 0.7, k: 1"));
	static const struct {
		const char *text;
		bool passed;
	} cases[] = {{"Ich kann mich nicht in mein Konto einloggen, bitte helfen Sie mir", true}, {"hm", false}};
	for (size_t i = 0; i < 2; i++) {
		struct fixture_job f;
		fixture_job_init(&f, cases[i].text);
		f.job.req.embedding = (const float[]){1, 0, 0};
		f.job.req.embedding_len = 3;
		assert_int_equal(route_decide(x.policy, x.scratch, &f.job), ROUTE_DONE);
		assert_int_equal(f.job.dec.unsure, cases[i].passed);
		if (cases[i].passed) {
			assert_str(f.job.dec.trace[0].reason, "language: the text is in de, the policy was measured in others");
			assert_str(f.job.dec.unsure_reason, "no stage was confident (semantic passed: language)");
		}
		fixture_job_free(&f);
	}
	stop(x);
}

static void texts_are_embedded_here_and_routes_bring_their_own_examples(void **state)
{
	(void)state;
	static const char yaml[] = "when_unsure: careful\n"
	                           "routes: [{name: kb, models: [small], examples: kb.txt}, {name: careful, models: [capable]}, {name: human, topic: desk}]\n"
	                           "stages:\n- semantic: {examples: e.jsonl, accept: 0.6, margin: 0.1, k: 1}\n";
	static const char more[] = "{\"label\": \"human\", \"text\": \"I want to talk to a person\"}\n"
	                           "{\"label\": \"careful\", \"text\": \"our lawyer asks for the contract\", \"embedding\": \"not read\"}\n";
	static const char own[] = "how do I reset my password\n\n  I forgot my password  \n";
	static const struct {
		const char *text, *route; /* NULL: none */
	} cases[] = {{"I forgot the password, how can I reset it?", "kb"}, {"can I talk to a real person please", "human"},
	             {"the lawyer wants our contract", "careful"},         {"purple elephants dance", NULL},
	             {"\xe2\x98\x83", NULL}};
	char *folder = fixture_folder();
	fixture_file(folder, "e.jsonl", more, strlen(more));
	fixture_file(folder, "kb.txt", own, strlen(own));
	struct policy *policy = fixture_policy(yaml, folder);
	struct route_scratch *scratch = route_scratch_new(policy);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct fixture_job f;
		fixture_job_init(&f, cases[i].text);
		assert_int_equal(route_decide(policy, scratch, &f.job), ROUTE_DONE);
		assert_int_equal(f.job.dec.unsure, cases[i].route == NULL);
		if (cases[i].route != NULL)
			assert_str(f.job.dec.route_name, cases[i].route);
		fixture_job_free(&f);
	}
	assert_false(policy->inputs.embedding);
	route_scratch_free(scratch);
	policy_unref(policy);
	fixture_remove_folder(folder, (const char *const[]){"e.jsonl", "kb.txt", NULL});
}

static void bad_examples_and_settings_are_refused_with_their_place(void **state)
{
	(void)state;
	static const struct {
		const char *examples, *options, *words;
	} cases[] = {
		{"", "accept: 0.5", "policy.yaml:4:41: error: e.jsonl holds no example"},
		{"\n{\"label\": \"kbb\", \"embedding\": [1]}", "accept: 0.5", "e.jsonl:2: error: no route of the name \"kbb\"; did you mean \"kb\"?"},
		{"{\"embedding\": [1]}", "accept: 0.5", "e.jsonl:1: error: the example has no \"label\""},
		{"{\"label\": \"kb\"}", "accept: 0.5", "e.jsonl:1: error: the example has no \"embedding\": a list of numbers"},
		{"{\"label\": \"kb\", \"embedding\": []}", "accept: 0.5", "e.jsonl:1: error: the example has no \"embedding\": a list of numbers"},
		{"{\"label\": \"kb\", \"embedding\": [1, \"2\"]}", "accept: 0.5", "e.jsonl:1: error: the embedding holds something that is no number"},
		{"{\"label\": \"kb\", \"embedding\": [0, 0]}", "accept: 0.5", "e.jsonl:1: error: the embedding is all zeros or too large"},
		{"{\"label\": \"kb\", \"embedding\": [1, 0]}\n{\"label\": \"kb\", \"embedding\": [1]}", "accept: 0.5",
		 "e.jsonl:2: error: the embedding is not as long as those before it"},
		{corners, "accept: 1.5", "policy.yaml:4:58: error: \"accept\" must be between 0 and 1"},
		{corners, "accept: {kb: 0.5}", "policy.yaml:4:58: error: a single value is expected for \"accept\", not a map"},
		{corners, "accept: 0.5, thresholds: 0.5", "policy.yaml:4:75: error: a map of routes and thresholds is expected, for example {human: 0.36}"},
		{corners, "accept: 0.5, thresholds: {kb: 1.5}", "policy.yaml:4:80: error: the threshold 1.5 is not between 0 and 1"},
		{corners, "accept: 0.5, thresholds: {kb: [1]}", "policy.yaml:4:80: error: a threshold from 0 to 1 is expected"},
		{corners, "accept: 0.5, thresholds: {nobody: 0.5}", "policy.yaml:4:76: error: unknown route \"nobody\""},
		{corners, "accept: 0.5, margin: 2", "policy.yaml:4:71: error: \"margin\" must be between 0 and 1"},
		{corners, "accept: 0.5, k: 0", "policy.yaml:4:66: error: \"k\" must be between 1 and 32"},
	};
	char *folder = fixture_folder();
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char yaml[512];
		fixture_file(folder, "e.jsonl", cases[i].examples, strlen(cases[i].examples));
		(void)snprintf(yaml, sizeof yaml, POLICY("%s"), cases[i].options); /* fits */
		struct policy *policy = NULL;
		struct err err = {""};
		if (policy_parse("policy.yaml", str_of(yaml), folder, &fixture_settings, &policy, &err) != RC_BAD_INPUT)
			fail_msg("accepted: %s", yaml);
		size_t n = strlen(cases[i].words);
		if (strncmp(err.text, cases[i].words, n) != 0 || (err.text[n] != '\0' && err.text[n] != '\n'))
			fail_msg("got: %s\nexpected: %s", err.text, cases[i].words);
	}
	fixture_remove_folder(folder, (const char *const[]){"e.jsonl", NULL});
}

/* ---- embeddings that a model is asked for ----------------------------------------------------------------------------- */

#define REMOTE                                                                                                         \
	"when_unsure: careful\n"                                                                                           \
	"routes: [{name: kb, models: [small]}, {name: careful, models: [capable]}, {name: human, topic: desk}]\n"          \
	"stages:\n- semantic: {embedder: {remote: {model: standby, timeout: 2s, attempts: 3}}, examples: e.jsonl, accept: 0.9, k: 1}\n"

static const char remote_examples[] = "{\"label\":\"kb\",\"embedding\":[1,0,0]}\n{\"label\":\"human\",\"embedding\":[0,1,0]}\n";

static void a_remote_embedding_is_asked_for_and_decides_by_the_examples(void **state)
{
	(void)state;
	static const float near_human[] = {0.1f, 3, 0}, between[] = {1, 1, 0}, zeros[3], longer[] = {1, 0, 0, 0};
	static const struct {
		enum outcome outcome;
		const float *vector;
		uint32_t count;
		const char *asked;
		enum verdict verdict;
		int route;
	} cases[] = {
		{OUTCOME_OK, near_human, 3, "decided", VERDICT_DECIDED, 2},
		{OUTCOME_OK, between, 3, "unsure", VERDICT_PASS, 1},
		{OUTCOME_OK, zeros, 3, "no_direction", VERDICT_FAILED, 1},
		{OUTCOME_OK, longer, 4, "dimension", VERDICT_FAILED, 1},
		{OUTCOME_OK, NULL, 0, "dimension", VERDICT_FAILED, 1},
		{OUTCOME_EXPIRED, NULL, 0, "late", VERDICT_FAILED, 1},
		{OUTCOME_MODEL_REFUSED, NULL, 0, "model_refused", VERDICT_FAILED, 1},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct fixture f = start(remote_examples, REMOTE);
		struct fixture_job j;
		fixture_job_init(&j, "the text");
		assert_true(policy_asks(f.policy) && policy_embeds(f.policy, 2) && !policy_embeds(f.policy, 0));
		assert_int_equal(route_decide(f.policy, f.scratch, &j.job), ROUTE_ASK);
		struct call *call = &j.job.call;
		assert_int_equal(call->purpose, PURPOSE_EMBED);
		assert_true(call->model_count == 1 && call->models[0] == 2 && call->timeout_ms == 2000 && call->attempts_left == 3);
		assert_int_equal(call->message_count, 1);
		assert_str(call->messages[0].content, "the text");
		call->outcome = cases[i].outcome;
		call->vector = cases[i].vector;
		call->vector_len = cases[i].count;
		call->cost_usd = 0.5;
		assert_int_equal(route_resume(f.policy, f.scratch, &j.job), ROUTE_DONE);
		const struct stage_trace *trace = &j.job.dec.trace[0];
		assert_string_equal(trace->asked, cases[i].asked);
		assert_int_equal(trace->verdict, cases[i].verdict);
		assert_int_equal(j.job.dec.route, cases[i].route);
		assert_true(j.job.dec.cost_usd == 0.5);
		assert_int_equal(j.job.dec.degraded, cases[i].verdict == VERDICT_FAILED);
		fixture_job_free(&j);
		stop(f);
	}
}

static void an_empty_text_is_not_sent_to_be_embedded(void **state)
{
	(void)state;
	struct fixture f = start(remote_examples, REMOTE);
	struct fixture_job j;
	fixture_job_init(&j, " \n");
	assert_int_equal(route_decide(f.policy, f.scratch, &j.job), ROUTE_DONE);
	assert_int_equal(j.job.dec.trace[0].verdict, VERDICT_PASS);
	assert_int_equal(j.job.call.model_count, 0);
	fixture_job_free(&j);
	stop(f);
}

static void a_bad_embedder_is_refused_with_its_place(void **state)
{
	(void)state;
	static const struct {
		const char *embedder, *words;
	} cases[] = {
		{"statik", "did you mean \"static\"?"},
		{"remote", "embedder: {remote: {model: NAME}}"},
		{"{remote: {}}", "model"},
		{"{remote: {model: smal}}", "did you mean \"small\"?"},
		{"{remote: {model: small, timeout: 40s}}", "timeout"},
		{"{remote: {model: small}, also: x}", "static, given or {remote: ...} is expected"},
		{"[static]", "static, given or {remote: ...} is expected"},
	};
	char *folder = fixture_folder();
	fixture_file(folder, "e.jsonl", remote_examples, sizeof remote_examples - 1);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char yaml[512];
		struct policy *policy = NULL;
		struct err err = {""};
		(void)snprintf(yaml, sizeof yaml, "when_unsure: kb\nroutes: [{name: kb, models: [small]}, {name: human, topic: desk}]\n"
		               "stages:\n- semantic: {examples: e.jsonl, accept: 0.9, embedder: %s}\n", cases[i].embedder); /* fits */
		assert_int_equal(policy_parse("policy.yaml", str_of(yaml), folder, &fixture_settings, &policy, &err), RC_BAD_INPUT);
		if (strstr(err.text, cases[i].words) == NULL || strstr(err.text, "policy.yaml:4:") == NULL)
			fail_msg("case %zu: %s", i, err.text);
	}
	static const char *const files[] = {"e.jsonl", NULL};
	fixture_remove_folder(folder, files);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_nearest_route_decides_when_it_is_near_and_clear),
		cmocka_unit_test(a_score_is_the_mean_of_the_best_k),
		cmocka_unit_test(routes_may_have_thresholds_of_their_own),
		cmocka_unit_test(texts_in_other_languages_are_passed_on),
		cmocka_unit_test(texts_are_embedded_here_and_routes_bring_their_own_examples),
		cmocka_unit_test(bad_examples_and_settings_are_refused_with_their_place),
		cmocka_unit_test(a_remote_embedding_is_asked_for_and_decides_by_the_examples),
		cmocka_unit_test(an_empty_text_is_not_sent_to_be_embedded),
		cmocka_unit_test(a_bad_embedder_is_refused_with_its_place),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
