/* test_render.c: templates filled once, and the messages a model gets. */
#include "tests/unit/route_fixture.h"

#include "worker/route/render.h"

static void a_template_is_filled_once_and_values_are_never_read(void **state)
{
	(void)state;
	static const struct {
		const char *template, *expected;
	} cases[] = {
		{"", ""},
		{"{text}", "my {id} and {attributes.product}"},
		{"Ticket {id} of {tenant}: {text}.", "Ticket t-0-1 of acme: my {id} and {attributes.product}."},
		{"{attributes.product}|{attributes.none}|{attributes.odd name}", "X200||{text}"},
		{"{{\"a\": \"{id}\"}}", "{\"a\": \"t-0-1\"}"},
		{"a } b }} c {{{id}}}", "a } b } c {t-0-1}"},
	};
	struct fixture_job f;
	fixture_job_init(&f, "unused");
	f.job.req.tenant = STR("acme");
	fixture_attribute(&f, "product", "X200");
	fixture_attribute(&f, "odd name", "{text}");
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		assert_int_equal(render_check(str_of(cases[i].template), NULL), RC_OK);
		assert_str(render_template(str_of(cases[i].template), STR("my {id} and {attributes.product}"), &f.job.req, &f.job.arena), cases[i].expected);
	}
	fixture_job_free(&f);
}

static void a_bad_template_is_refused_in_words(void **state)
{
	(void)state;
	static const struct {
		const char *template, *words;
	} cases[] = {
		{"{txt}", "unknown placeholder {txt}; there are {text}, {tenant}, {id} and {attributes.NAME}; a brace itself is written {{"},
		{"{attributes.}", "unknown placeholder {attributes.}; there are {text}, {tenant}, {id} and {attributes.NAME}; a brace itself is written {{"},
		{"{}", "unknown placeholder {}; there are {text}, {tenant}, {id} and {attributes.NAME}; a brace itself is written {{"},
		{"x {text", "the brace at byte 3 is not closed; a brace itself is written {{"},
		{"x {", "the brace at byte 3 is not closed; a brace itself is written {{"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct err err = {""};
		assert_int_equal(render_check(str_of(cases[i].template), &err), RC_BAD_INPUT);
		assert_string_equal(err.text, cases[i].words);
	}
}

static const char policy_yaml[] = "routes:\n"
                                  "  - {name: full, models: [small], on_error: [capable, small, standby], system: Be brief., prompt: 'Q: {text}',\n"
                                  "     max_tokens: 100, temperature: 0.5, response_format: json, timeout: 5s}\n"
                                  "  - {name: bare, models: [capable]}\n"
                                  "when_unsure: bare\n";

static void a_conversation_keeps_its_turns_and_the_template_its_place(void **state)
{
	(void)state;
	struct policy *policy = fixture_policy(policy_yaml, "");
	struct message talk[] = {{STR("system"), STR("Own rules.")}, {STR("user"), STR("one")}, {STR("assistant"), STR("two")}, {STR("user"), STR("three")}};
	struct fixture_job f;
	fixture_job_init(&f, "x");
	f.job.req.messages = talk;
	f.job.req.message_count = 4;
	f.job.dec.route = 0;
	route_render(policy, &f.job);
	const struct call *call = &f.job.call;
	assert_int_equal(call->message_count, 4);
	assert_str(call->messages[0].role, "system");
	assert_str(call->messages[0].content, "Be brief.\n\nOwn rules.");
	assert_str(call->messages[1].content, "one");
	assert_str(call->messages[2].content, "two");
	assert_str(call->messages[3].content, "Q: three");
	f.job.dec.route = 1;
	route_render(policy, &f.job);
	assert_int_equal(call->message_count, 4);
	for (int i = 0; i < 4; i++)
		assert_true(str_eq(call->messages[i].content, talk[i].content));
	fixture_job_free(&f);
	policy_unref(policy);
}

static void admit_and_render(const struct policy *policy, struct job *job)
{
	struct str why;
	assert_true(route_admit(policy, job, &why));
	route_render(policy, job);
}

static void the_routes_parameters_bind_and_the_records_wishes_count_below_them(void **state)
{
	(void)state;
	struct policy *policy = fixture_policy(policy_yaml, "");
	struct fixture_job f;
	fixture_job_init(&f, "hello");
	f.job.dec.route = 0;
	admit_and_render(policy, &f.job);
	const struct call *call = &f.job.call;
	assert_int_equal(call->purpose, PURPOSE_ANSWER);
	assert_int_equal(call->model_count, 3);
	assert_true(call->models[0] == 0 && call->models[1] == 1 && call->models[2] == 2);
	assert_int_equal(call->max_tokens, 100);
	assert_true(call->temperature == 0.5);
	assert_str(call->response_format, "{\"type\":\"json_object\"}");
	assert_int_equal(call->timeout_ms, 5000);
	assert_int_equal(call->message_count, 2);
	assert_str(call->messages[1].content, "Q: hello");
	assert_str(f.job.dec.prompt_version, policy_route(policy, 0)->prompt_version.data);
	f.job.req.max_tokens = 20;
	f.job.req.temperature = 0;
	f.job.req.response_format = STR("{\"type\":\"text\"}");
	admit_and_render(policy, &f.job);
	assert_int_equal(call->max_tokens, 20);
	assert_true(call->temperature == 0);
	assert_str(call->response_format, "{\"type\":\"text\"}");
	f.job.req.max_tokens = 2000;
	admit_and_render(policy, &f.job);
	assert_int_equal(call->max_tokens, 100);
	f.job.dec.route = 1;
	admit_and_render(policy, &f.job);
	assert_int_equal(call->max_tokens, 2000);
	assert_int_equal(call->model_count, 1);
	assert_int_equal(call->message_count, 1);
	f.job.req.temperature = NAN;
	admit_and_render(policy, &f.job);
	assert_true(isnan(call->temperature));
	fixture_job_free(&f);
	policy_unref(policy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_template_is_filled_once_and_values_are_never_read),
		cmocka_unit_test(a_bad_template_is_refused_in_words),
		cmocka_unit_test(a_conversation_keeps_its_turns_and_the_template_its_place),
		cmocka_unit_test(the_routes_parameters_bind_and_the_records_wishes_count_below_them),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
