/* test_decide.c: rows decided in blocks: who is asked, who is not, and what it may cost. A real server answers. */
#include "tests/unit/route_fixture.h"
#include "tests/unit/tiny_server.h"

#include "worker/lab/decide.h"

enum { ROWS = 200 };

static const char yaml[] = "when_unsure: careful\n"
                           "routes: [{name: kb, models: [router]}, {name: careful, models: [router]}]\n"
                           "stages:\n- llm: {model: router, prompt: router.md, accept: 0.5}\n"
                           "guards:\n- {name: g, tenants: [acme], reject: true}\n";

static const char chosen[] = "{\"choices\":[{\"message\":{\"content\":\"{\\\"route\\\":\\\"kb\\\",\\\"confidence\\\":0.9}\"}}],"
                             "\"usage\":{\"prompt_tokens\":1000,\"completion_tokens\":0}}";

struct bench {
	struct tiny_server server;
	char url[64];
	struct model_settings model;
	struct settings settings;
	char *folder;
	struct policy *policy;
	struct message messages[ROWS];
	struct request requests[ROWS];
	struct decided results[ROWS];
	char texts[ROWS][16];
};

/* Every second row has the tenant that the guard lets pass. */
static struct bench *open_bench(void)
{
	static const struct reply reply = {.kind = REPLY_JSON, .body = chosen};
	struct bench *b = heap_zalloc(1, sizeof *b);
	struct err err = {""};
	tiny_start(&b->server, &reply, 1);
	(void)snprintf(b->url, sizeof b->url, "http://127.0.0.1:%u/v1", b->server.port); /* fits */
	b->model = (struct model_settings){.name = STR("router"), .model = STR("r"), .base_url = str_of(b->url), .concurrency = 4, .timeout_ms = 10000,
	                                   .price = {.given = true, .input = 1, .output = 1}};
	b->settings = (struct settings){.models = &b->model, .model_count = 1};
	b->folder = fixture_folder();
	fixture_file(b->folder, "router.md", "{routes}", 8);
	if (policy_parse("policy.yaml", str_of(yaml), b->folder, &b->settings, &b->policy, &err) != RC_OK)
		fail_msg("%s", err.text);
	for (unsigned i = 0; i < ROWS; i++) {
		(void)snprintf(b->texts[i], sizeof b->texts[i], "row %u", i); /* fits */
		b->messages[i] = (struct message){STR("user"), str_of(b->texts[i])};
		b->requests[i] = (struct request){.id = STR("r"), .tenant = i % 2 == 0 ? STR("acme") : STR("other"), .messages = &b->messages[i],
		                                  .message_count = 1, .temperature = NAN};
	}
	return b;
}

static void close_bench(struct bench *b)
{
	static const char *const files[] = {"router.md", NULL};
	policy_unref(b->policy);
	fixture_remove_folder(b->folder, files);
	tiny_stop(&b->server);
	free(b);
}

static void nobody_is_asked_unless_that_was_asked_for(void **state)
{
	(void)state;
	struct bench *b = open_bench();
	struct decider *d = decider_new(b->policy, 2);
	decider_run(d, b->requests, ROWS, b->results);
	for (unsigned i = 0; i < ROWS; i++)
		assert_true(b->results[i].unsure && b->results[i].verdicts[0] == VERDICT_ASK);
	assert_int_equal(atomic_load(&b->server.requests), 0);
	assert_int_equal(decider_asked(d).questions, 0);
	decider_free(d);
	close_bench(b);
}

static void of_a_row_that_a_guard_rejects_nothing_is_asked(void **state)
{
	(void)state;
	struct bench *b = open_bench();
	struct decider *d = decider_new(b->policy, 4);
	decider_ask(d, &b->settings, 100);
	decider_run(d, b->requests, ROWS, b->results);
	for (unsigned i = 0; i < ROWS; i++)
		assert_int_equal(b->results[i].unsure, i % 2 != 0);
	struct decider_asked asked = decider_asked(d);
	assert_int_equal(asked.questions, ROWS / 2);
	assert_int_equal(asked.unasked, 0);
	assert_true(fabs(asked.cost_usd - ROWS / 2 * 0.001) < 1e-9);
	assert_int_equal(atomic_load(&b->server.requests), ROWS / 2);
	decider_free(d);
	close_bench(b);
}

static void no_more_is_asked_when_the_budget_is_spent(void **state)
{
	(void)state;
	struct bench *b = open_bench();
	struct decider *d = decider_new(b->policy, 1);
	decider_ask(d, &b->settings, 0.0045); /* of a thousandth each */
	decider_run(d, b->requests, ROWS, b->results);
	struct decider_asked asked = decider_asked(d);
	assert_int_equal(asked.questions, 5);
	assert_int_equal(asked.unasked, ROWS / 2 - 5);
	assert_int_equal(atomic_load(&b->server.requests), 5);
	decider_free(d);
	close_bench(b);
}

static void assert_same_bits(double a, double b)
{
	assert_memory_equal(&a, &b, sizeof a);
}

static void assert_same_decision(const struct decided *a, const struct decided *b)
{
	assert_int_equal(a->route, b->route);
	assert_int_equal(a->stage_count, b->stage_count);
	assert_true(str_eq(a->reason, b->reason));
	assert_same_bits(a->confidence, b->confidence);
	for (uint32_t i = 0; i < a->stage_count; i++) {
		assert_int_equal(a->said[i].verdict, b->said[i].verdict);
		assert_same_bits(a->said[i].score, b->said[i].score);
		assert_same_bits(a->said[i].in_scope, b->said[i].in_scope);
	}
}

/* The policy of the golden decisions has every stage that decides without a model. */
static void the_number_of_threads_changes_no_bit(void **state)
{
	(void)state;
	static const char *const begins[] = {"are you open", "how do I extend my loan", "compare the sources", "is there a concert", "asdf"};
	static struct message messages[ROWS];
	static struct request requests[ROWS];
	static struct decided one[ROWS], many[ROWS];
	static char texts[ROWS][64];
	struct settings settings;
	struct policy *policy = NULL;
	struct err err = {""};
	assert_int_equal(settings_load_no_secrets("tests/golden/library/pointsman.yaml", &settings, &err), RC_OK);
	if (policy_load(settings.policy_file.data, &settings, &policy, &err) != RC_OK)
		fail_msg("%s", err.text);
	for (unsigned i = 0; i < ROWS; i++) {
		(void)snprintf(texts[i], sizeof texts[i], "%s, question %u of the week", begins[i % 5], i); /* fits */
		messages[i] = (struct message){STR("user"), str_of(texts[i])};
		requests[i] = (struct request){.id = STR("r"), .messages = &messages[i], .message_count = 1, .temperature = NAN};
	}
	struct decider *alone = decider_new(policy, 1), *five = decider_new(policy, 5);
	decider_run(alone, requests, ROWS, one);
	decider_run(five, requests, ROWS, many);
	for (unsigned i = 0; i < ROWS; i++)
		assert_same_decision(&one[i], &many[i]);
	decider_free(alone);
	decider_free(five);
	policy_unref(policy);
	settings_free(&settings);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_is_asked_unless_that_was_asked_for),
		cmocka_unit_test(of_a_row_that_a_guard_rejects_nothing_is_asked),
		cmocka_unit_test(no_more_is_asked_when_the_budget_is_spent),
		cmocka_unit_test(the_number_of_threads_changes_no_bit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
