/* test_policy.c: what a policy file may say, each error in its exact words, and both versions. */
#include "tests/unit/route_fixture.h"

static const char good[] = "# a comment\n"
                           "name: triage\n"
                           "when_unsure: careful\n"
                           "baseline: capable\n"
                           "text: {use: all_user, max_chars: 500, strip: [html, signature]}\n"
                           "languages: [en, de]\n"
                           "routes:\n"
                           "  - {name: kb, models: small, on_error: [capable], system: kb.md, prompt: 'About {attributes.product}: {text}'}\n"
                           "  - {name: careful, models: [capable, standby], kind: clarification, max_tokens: 2k, temperature: 0}\n"
                           "  - {name: human, topic: human.review}\n"
                           "stages:\n"
                           "  - rules:\n"
                           "      - {name: one, when: {keywords: list.txt, attributes: {b: x, a: [y, z]}, min_words: 2}, route: kb}\n"
                           "      - {name: two, when: {any: [{regex: 'E-\\d+'}, {tenant: t}]}, route: human, priority: 3}\n";

static const char *const files[] = {"kb.md", "list.txt", "empty.txt", NULL};

static int set_up(void **state)
{
	char *folder = fixture_folder();
	fixture_file(folder, "kb.md", "Answer kindly.\n", 15);
	fixture_file(folder, "list.txt", "X200\nrouter\n", 12);
	fixture_file(folder, "empty.txt", "# nothing\n\n", 11);
	*state = folder;
	return 0;
}

static int tear_down(void **state)
{
	fixture_remove_folder(*state, files);
	return 0;
}

static void a_policy_is_read_whole(void **state)
{
	struct policy *policy = fixture_policy(good, *state);
	assert_str(policy_name(policy), "triage");
	assert_int_equal(policy_route_count(policy), 3);
	assert_int_equal(policy_when_unsure(policy), 1);
	assert_int_equal(policy_baseline_model(policy), 1);
	const struct route *kb = policy_route(policy, 0), *careful = policy_route(policy, 1), *human = policy_route(policy, 2);
	assert_str(kb->name, "kb");
	assert_str(kb->system, "Answer kindly.");
	assert_str(kb->template, "About {attributes.product}: {text}");
	assert_true(kb->model_count == 2 && kb->models[0] == 0 && kb->models[1] == 1);
	assert_true(isnan(kb->temperature) && kb->max_tokens == 0 && !kb->clarification && kb->topic.data == NULL);
	assert_true(careful->clarification && careful->temperature == 0 && careful->max_tokens == 2000);
	assert_true(careful->system.data == NULL && careful->template.data == NULL);
	assert_str(human->topic, "human.review");
	assert_int_equal(human->model_count, 0);
	assert_int_equal(policy->text.use, TEXT_ALL_USER);
	assert_int_equal(policy->text.max_chars, 500);
	assert_int_equal(policy->text.strip, STRIP_HTML | STRIP_SIGNATURE);
	assert_int_equal(policy->inputs.attribute_count, 2);
	assert_str(policy->inputs.attributes[0], "a");
	assert_str(policy->inputs.attributes[1], "b");
	assert_true(policy->inputs.length && !policy->inputs.hint && !policy->inputs.embedding);
	assert_int_equal(policy_decision_version(policy).len, 16);
	assert_int_equal(policy_version(policy).len, 16);
	policy_unref(policy);
}

static void one_route_is_policy_enough(void **state)
{
	(void)state;
	struct policy *policy = fixture_policy("routes: [{name: all, models: [small]}]\n", "");
	assert_str(policy_name(policy), "policy");
	assert_int_equal(policy_when_unsure(policy), 0);
	assert_int_equal(policy_baseline_model(policy), -1);
	struct arena arena;
	struct buf out;
	arena_init(&arena, 0);
	buf_init(&out, &arena, 0);
	policy_warnings(policy, &out);
	assert_int_equal(out.len, 0);
	arena_free(&arena);
	policy_unref(policy_ref(policy));
	policy_unref(policy);
	policy_unref(NULL);
}

static void a_policy_file_resolves_its_files_beside_it(void **state)
{
	const char *folder = *state;
	char path[512];
	(void)snprintf(path, sizeof path, "%s/policy.yaml", folder); /* fits */
	fixture_file(folder, "policy.yaml", good, sizeof good - 1);
	struct policy *policy = NULL, *parsed = fixture_policy(good, folder);
	struct err err = {""};
	if (policy_load(path, &fixture_settings, &policy, &err) != RC_OK)
		fail_msg("%s", err.text);
	assert_str(policy_route(policy, 0)->system, "Answer kindly.");
	assert_str(policy_version(policy), parsed->version);
	policy_unref(policy);
	policy_unref(parsed);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(policy_load(path, &fixture_settings, &policy, &err), RC_BAD_INPUT);
}

#define HEAD "when_unsure: a\nroutes: [{name: a, models: [small]}, {name: b, topic: t}]\n"
#define RULES HEAD "stages:\n- rules:\n"

static void what_is_wrong_is_said_with_its_place(void **state)
{
	static const struct {
		const char *yaml, *words; /* words: of the first line, behind "policy.yaml:" */
	} cases[] = {
		{"", "1:1: error: \"routes\" is missing"},
		{"routes: []\n", "1:9: error: a list of routes is expected, for example [{name: simple, models: [small]}]"},
		{"rutes: []\n", "1:1: error: unknown setting \"rutes\""},
		{HEAD "guard: []\n", "3:1: error: unknown setting \"guard\""},
		{"routes: [{name: a}]\n", "1:10: error: the route a has neither models nor a topic"},
		{"routes: [{name: a, models: []}]\n", "1:28: error: the list is empty"},
		{"routes: [{name: a, models: [smal]}]\n", "1:29: error: unknown model \"smal\""},
		{"routes: [{name: a, models: [small], on_error: [capabel]}]\n", "1:48: error: unknown model \"capabel\""},
		{"routes: [{name: a, models: [small], topic: t}]\n", "1:28: error: the route a goes to a topic: models has no place there"},
		{"routes: [{name: a, topic: t, system: x y}]\n", "1:38: error: the route a goes to a topic: system has no place there"},
		{"routes: [{name: a, models: [small]}, {name: a, models: [small]}]\n", "1:45: error: there are two routes of the name \"a\""},
		{"routes: [{name: 'a b', models: [small]}]\n", "1:17: error: a route's name is made of letters, digits, \"_\", \"-\" and \".\""},
		{"routes: [{name: oos, models: [small]}]\n", "1:17: error: \"oos\" cannot be a route: data sets and reports use it for \"none of these\""},
		{"routes: [{name: a, models: [small], kind: question}]\n", "1:43: error: unknown value \"question\" for \"kind\""},
		{"routes: [{name: a, models: [small], temperature: 3}]\n", "1:50: error: \"temperature\" must be between 0 and 2"},
		{"routes: [{name: a, models: [small], on_bad_answer: [small]}]\n", "1:37: error: unknown setting \"on_bad_answer\""},
		{"routes: [{name: a, models: [small], prompt: '{txt}'}]\n", "1:45: error: unknown placeholder {txt}; there are {text}, {tenant}, {id} and {attributes.NAME}; a brace itself is written {{"},
		{"routes: [{name: a, models: [small], response_format: yes please}]\n", "1:54: error: json is expected, or a JSON object as the provider takes it"},
		{"routes: [{name: a, topic: t}]\n", "1:1: error: when_unsure is missing: the route for texts no stage is confident about"},
		{"when_unsure: c\nroutes: [{name: cc, models: [small]}]\n", "1:14: error: unknown route \"c\""},
		{"when_unsure: b\nroutes: [{name: a, models: [small]}, {name: b, topic: t}]\n", "1:14: error: when_unsure must be a route with models, and \"b\" goes to a topic"},
		{HEAD "baseline: larg\n", "3:11: error: unknown model \"larg\""},
		{HEAD "text: {use: last}\n", "3:13: error: unknown value \"last\" for \"use\""},
		{HEAD "text: {strip: [html, quotes]}\n", "3:22: error: html, quoted_reply or signature is expected"},
		{HEAD "languages: [en, xx]\n", "3:17: error: unknown language \"xx\""},
		{HEAD "stages: [{rule: []}]\n", "3:11: error: unknown stage \"rule\""},
		{HEAD "stages: [rules]\n", "3:10: error: one stage with its settings is expected, for example - rules: [...]"},
		{HEAD "stages: [{rules: []}]\n", "3:18: error: a list of rules is expected, for example [{name: refunds, when: {keywords: [refund]}, route: billing}]"},
		{RULES "  - {name: r, when: {keywords: [x]}, route: aa}\n", "5:45: error: unknown route \"aa\""},
		{RULES "  - {name: r, when: {keyword: [x]}, route: a}\n", "5:22: error: unknown condition \"keyword\""},
		{RULES "  - {name: r, when: {}, route: a}\n", "5:21: error: the condition is empty: it would hold for every text"},
		{RULES "  - {name: r, when: {keywords: []}, route: a}\n", "5:32: error: the list of keywords is empty"},
		{RULES "  - {name: r, when: {keywords: ['']}, route: a}\n", "5:33: error: a keyword is empty"},
		{RULES "  - {name: r, when: {keywords: empty.txt}, route: a}\n", "5:32: error: the list empty.txt holds no keyword"},
		{RULES "  - {name: r, when: {keywords: refund}, route: a}\n", "5:32: error: \"refund\" is read as the name of a file of keywords, and does not look like one"},
		{RULES "  - {name: r, when: {regex: 'a(b'}, route: a}\n", "5:29: error: missing closing parenthesis at character 4 of the pattern"},
		{RULES "  - {name: r, when: {min_chars: many}, route: a}\n", "5:33: error: a whole number from 0 on is expected"},
		{RULES "  - {name: r, when: {has_code: maybe}, route: a}\n", "5:32: error: true or false is expected"},
		{RULES "  - {name: r, when: {pii: iban}, route: a}\n", "5:27: error: pii is a condition of guards, which see the whole record; stages see a part of it"},
		{RULES "  - {name: r, when: {language: english}, route: a}\n", "5:32: error: unknown language \"english\""},
		{RULES "  - {name: r, when: {attributes: x}, route: a}\n", "5:34: error: attributes and their values are expected, for example {product: [X200, X300]}"},
		{RULES "  - {name: r, when: {all: []}, route: a}\n", "5:27: error: the list of conditions is empty"},
		{RULES "  - {name: r, when: {any: [{none: [{all: [{any: [{all: [{any: [{all: [{any: [{max_words: 1}]}]}]}]}]}]}]}]}, route: a}\n",
		 "5:78: error: conditions are nested deeper than 8"},
		{RULES "  - {name: r, when: {max_words: 1}, route: a}\n  - {name: r, when: {max_words: 1}, route: b}\n", "6:12: error: there are two rules of the name \"r\""},
		{RULES "  - {name: r, when: {max_words: 1}, rout: a}\n", "5:37: error: unknown setting \"rout\""},
		{RULES "  - {name: r, route: a}\n", "5:5: error: \"when\" is missing"},
		{HEAD "stages:\n- semantic: {embedder: none, accept: 0.5, examples: e.jsonl}\n", "4:24: error: unknown embedder \"none\""},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct policy *policy = NULL;
		struct err err = {""};
		if (policy_parse("policy.yaml", str_of(cases[i].yaml), *state, &fixture_settings, &policy, &err) != RC_BAD_INPUT)
			fail_msg("accepted: %s", cases[i].yaml);
		assert_null(policy);
		size_t n = strlen("policy.yaml:"), words = strlen(cases[i].words);
		const char *end = strchr(err.text, '\n');
		size_t first = end != NULL ? (size_t)(end - err.text) : strlen(err.text);
		if (first != n + words || strncmp(err.text, "policy.yaml:", n) != 0 || strncmp(err.text + n, cases[i].words, words) != 0)
			fail_msg("for: %s\ngot:      %s\nexpected: policy.yaml:%s", cases[i].yaml, err.text, cases[i].words);
	}
}

static void an_error_shows_the_line_a_caret_and_a_guess(void **state)
{
	struct policy *policy = NULL;
	struct err err = {""};
	assert_int_equal(policy_parse("p.yaml", str_of(RULES "  - {name: r, when: {max_words: 1}, route: elsewhere}\n"), *state, &fixture_settings, &policy, &err), RC_BAD_INPUT);
	assert_string_equal(err.text, "p.yaml:5:44: error: unknown route \"elsewhere\"\n"
	                              "   5 |   - {name: r, when: {max_words: 1}, route: elsewhere}\n"
	                              "     |                                            ^~~~~~~~~");
	assert_int_equal(policy_parse("p.yaml", STR("when_unsure: carefull\nroutes: [{name: careful, models: [small]}]\n"), *state,
	                              &fixture_settings, &policy, &err), RC_BAD_INPUT);
	assert_string_equal(err.text, "p.yaml:1:14: error: unknown route \"carefull\"\n"
	                              "   1 | when_unsure: carefull\n"
	                              "     |              ^~~~~~~~  did you mean \"careful\"?");
}

struct versions {
	char decision[17], all[17];
};

static struct versions versions_of(const char *yaml, const char *folder)
{
	struct policy *policy = fixture_policy(yaml, folder);
	struct versions v;
	memcpy(v.decision, policy->decision_version, sizeof v.decision);
	memcpy(v.all, policy->version, sizeof v.all);
	policy_unref(policy);
	return v;
}

/* good with the first occurrence of one text replaced. */
static void replaced(const char *from, const char *to, char out[4096])
{
	const char *at = strstr(good, from);
	if (at == NULL)
		fail_msg("the good policy holds no \"%s\"", from);
	(void)snprintf(out, 4096, "%.*s%s%s", (int)(at - good), good, to, at + strlen(from)); /* fits */
}

static void comments_and_the_order_of_keys_change_no_version(void **state)
{
	static const char other[] = "stages:\n"
	                            "  - rules:\n"
	                            "      - route: kb # here\n"
	                            "        when: {min_words: 2, attributes: {a: [y, z], b: x}, keywords: list.txt}\n"
	                            "        name: one\n"
	                            "      - {priority: 3, route: human, when: {any: [{regex: 'E-\\d+'}, {tenant: [t]}]}, name: two}\n"
	                            "languages: [de, en, en]\n"
	                            "routes:\n"
	                            "  - {prompt: 'About {attributes.product}: {text}', name: kb, on_error: [small, capable], system: kb.md, models: [small]}\n"
	                            "  - {kind: clarification, temperature: 0.0, name: careful, models: [capable, standby], max_tokens: 2000}\n"
	                            "  - {topic: human.review, name: human}\n"
	                            "text: {strip: [signature, html], max_chars: 500, use: all_user}\n"
	                            "baseline: capable\n"
	                            "when_unsure: careful\n"
	                            "name: triage\n";
	struct versions a = versions_of(good, *state), b = versions_of(other, *state);
	assert_string_equal(a.decision, b.decision);
	assert_string_equal(a.all, b.all);
}

static void each_version_changes_with_what_it_covers(void **state)
{
	static const struct {
		const char *from, *to;
		bool decision;
	} cases[] = {
		{"name: triage", "name: other", false},
		{"baseline: capable", "baseline: small", false},
		{"system: kb.md", "system: list.txt", false},
		{"About {attributes.product}", "On {attributes.product}", false},
		{"models: small", "models: standby", false},
		{"on_error: [capable]", "on_error: [standby]", false},
		{"kind: clarification", "kind: answer", false},
		{"max_tokens: 2k", "max_tokens: 3k", false},
		{"temperature: 0", "temperature: 1", false},
		{"temperature: 0", "timeout: 5s", false},
		{"topic: human.review", "topic: desk", false},
		{"when_unsure: careful", "when_unsure: kb", true},
		{"use: all_user", "use: all", true},
		{"max_chars: 500", "max_chars: 501", true},
		{"strip: [html, signature]", "strip: [html]", true},
		{"languages: [en, de]", "languages: [en]", true},
		{"min_words: 2", "min_words: 3", true},
		{"min_words: 2", "max_words: 2", true},
		{"{b: x,", "{b: xx,", true},
		{"a: [y, z]", "c: [y, z]", true},
		{"E-\\d+", "F-\\d+", true},
		{"{tenant: t}", "{hint: t}", true},
		{"any: [", "all: [", true},
		{"priority: 3", "priority: 4", true},
		{"name: one", "name: uno", true}, /* it is in the reason, which is cached */
		{"list.txt, attributes", "[X200, routers], attributes", true},
		{"route: kb}", "route: careful}", true},
	};
	struct versions base = versions_of(good, *state);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char yaml[4096];
		replaced(cases[i].from, cases[i].to, yaml);
		struct versions v = versions_of(yaml, *state);
		if (strcmp(v.all, base.all) == 0)
			fail_msg("%s -> %s: the policy's version is the same", cases[i].from, cases[i].to);
		if ((strcmp(v.decision, base.decision) != 0) != cases[i].decision)
			fail_msg("%s -> %s: the decision version is %s", cases[i].from, cases[i].to, cases[i].decision ? "the same" : "another");
	}
}

static void a_changed_list_is_another_decision_version_and_a_changed_prompt_is_not(void **state)
{
	const char *folder = *state;
	struct versions before = versions_of(good, folder);
	fixture_file(folder, "list.txt", "X300\nrouter\n", 12);
	struct versions list = versions_of(good, folder);
	fixture_file(folder, "list.txt", "X200\nrouter\n", 12);
	fixture_file(folder, "kb.md", "Answer shortly.\n", 16);
	struct versions prompt = versions_of(good, folder);
	fixture_file(folder, "kb.md", "Answer kindly.\n", 15);
	assert_string_not_equal(list.decision, before.decision);
	assert_string_not_equal(list.all, before.all);
	assert_string_equal(prompt.decision, before.decision);
	assert_string_not_equal(prompt.all, before.all);
}

static void warnings_name_routes_that_nothing_reaches(void **state)
{
	(void)state;
	struct policy *policy = fixture_policy("when_unsure: a\nroutes: [{name: a, models: [small]}, {name: b, topic: t}, {name: c, models: [small], examples: c.txt}]\n"
	                                       "stages: [{rules: [{name: r, when: {max_words: 1}, route: b}]}]\n", "");
	struct arena arena;
	struct buf out;
	arena_init(&arena, 0);
	buf_init(&out, &arena, 0);
	policy_warnings(policy, &out);
	assert_str(buf_view(&out), "route c: its examples are not read: no stage of this policy embeds texts\n"
	                           "route c: no rule and no example leads there\n");
	arena_free(&arena);
	policy_unref(policy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_policy_is_read_whole),
		cmocka_unit_test(one_route_is_policy_enough),
		cmocka_unit_test(a_policy_file_resolves_its_files_beside_it),
		cmocka_unit_test(what_is_wrong_is_said_with_its_place),
		cmocka_unit_test(an_error_shows_the_line_a_caret_and_a_guess),
		cmocka_unit_test(comments_and_the_order_of_keys_change_no_version),
		cmocka_unit_test(each_version_changes_with_what_it_covers),
		cmocka_unit_test(a_changed_list_is_another_decision_version_and_a_changed_prompt_is_not),
		cmocka_unit_test(warnings_name_routes_that_nothing_reaches),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
