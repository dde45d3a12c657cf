/*
 * test_guard.c: guards from the policy's text to the models that are left, with the real router.
 */
#include "tests/unit/route_fixture.h"

#include "worker/route/guard.h"

static struct pair here[] = {{{"region", 6}, {"eu", 2}, NULL}, {{"size", 4}, {"small", 5}, NULL}};
static struct pair there[] = {{{"region", 6}, {"us", 2}, NULL}};
static struct pair near_by[] = {{{"region", 6}, {"ch", 2}, NULL}};
static struct model_settings models[] = {
	{.name = {"local", 5}, .model = {"qwen3-8b", 8}, .tags = {here, 2}, .context_tokens = 1000},
	{.name = {"cloud", 5}, .model = {"large-1", 7}, .tags = {there, 1}},
	{.name = {"alpine", 6}, .model = {"large-2", 7}, .tags = {near_by, 1}, .context_tokens = 5000},
	{.name = {"bare", 4}, .model = {"large-3", 7}},
};
static const struct settings settings = {.models = models, .model_count = 4};

#define HEAD                                                                                                           \
	"when_unsure: careful\n"                                                                                           \
	"routes:\n"                                                                                                        \
	"  - {name: quick, models: [local], on_error: [cloud, bare], max_tokens: 100}\n"                                   \
	"  - {name: careful, models: [cloud, alpine]}\n"                                                                   \
	"  - {name: far, models: [cloud]}\n"                                                                               \
	"  - {name: person, topic: desk}\n"                                                                                \
	"stages:\n"                                                                                                        \
	"  - rules:\n"                                                                                                     \
	"      - {name: quick, when: {keywords: [printer]}, route: quick}\n"                                               \
	"      - {name: far, when: {keywords: [poem]}, route: far}\n"                                                      \
	"      - {name: person, when: {keywords: [lawyer]}, route: person}\n"

static enum rc parse(const char *yaml, struct policy **ret, struct err *err)
{
	return policy_parse("policy.yaml", str_of(yaml), "", &settings, ret, err);
}

static struct policy *must_parse(const char *yaml)
{
	struct policy *policy = NULL;
	struct err err = {""};
	if (parse(yaml, &policy, &err) != RC_OK)
		fail_msg("%s\n%s", yaml, err.text);
	return policy;
}

struct walk { /* a record through the router as flow.c walks it */
	struct fixture_job f;
	bool rejected, admitted;
	struct str why;
};

static void walk(const struct policy *policy, struct walk *w)
{
	struct route_scratch *scratch = route_scratch_new(policy);
	struct job *job = &w->f.job;
	w->admitted = false;
	w->rejected = !route_guard(policy, scratch, job, &w->why);
	if (!w->rejected) {
		(void)route_key_material(policy, scratch, job);
		assert_int_equal(route_decide(policy, scratch, job), ROUTE_DONE);
		w->admitted = route_admit(policy, job, &w->why);
	}
	route_scratch_free(scratch);
}

/* "local cloud" */
static void list_models(const struct job *job, char out[128])
{
	out[0] = '\0';
	for (uint32_t i = 0; i < job->dec.model_count; i++) {
		size_t n = strlen(out);
		(void)snprintf(out + n, 128 - n, "%s%.*s", i != 0 ? " " : "", STR_ARG(models[job->dec.models[i]].name)); /* fits */
	}
}

struct guard_case {
	const char *guards, *text, *attribute, *value, *tenant;
	const char *models;  /* that are asked; NULL: rejected by a guard; "": none are left */
	const char *route;
	const char *effects; /* guard_list */
};

static const struct guard_case cases[] = {
	{"- {name: g, when: {keywords: [salary]}, only_models: {region: eu}}", "my printer", NULL, NULL, NULL, "local cloud bare", "quick", ""},
	{"- {name: g, when: {keywords: [salary]}, only_models: {region: eu}}", "my printer ate my SALARY slip", NULL, NULL, NULL, "local", "quick",
	 "g (keyword \"salary\"; only local may see it)"},
	{"- {name: g, only_models: {region: [eu, ch]}}", "my printer", NULL, NULL, NULL, "local", "quick", "g (every record; cloud, bare may not see it)"},
	{"- {name: g, only_models: {region: [eu, ch]}}", "a poem", NULL, NULL, NULL, "alpine", "careful", "g (every record; cloud, bare may not see it)"},
	{"- {name: g, not_models: {region: us}}", "what", NULL, NULL, NULL, "alpine", "careful", "g (every record; cloud may not see it)"},
	{"- {name: g, not_models: [cloud, alpine]}", "a poem", NULL, NULL, NULL, "", "careful", "g (every record; cloud, alpine may not see it)"},
	{"- {name: g, not_models: cloud}", "printer", NULL, NULL, NULL, "local bare", "quick", "g (every record; cloud may not see it)"},
	{"- {name: g, when: {attributes: {critical: 'true'}}, models: [alpine, bare]}", "printer", "critical", "true", NULL, "alpine bare", "quick",
	 "g (critical is true; no model but alpine, then bare)"},
	{"- {name: g, when: {attributes: {critical: 'true'}}, models: [alpine, bare]}", "printer", "critical", "false", NULL, "local cloud bare", "quick", ""},
	{"- {name: g, when: {attributes: {critical: 'true'}}, models: [alpine]}\n- {name: h, not_models: [alpine]}", "printer", "critical", "true", NULL, "",
	 "quick", "g (critical is true; no model but alpine); h (every record; alpine may not see it)"},
	{"- {name: g, tenants: [acme], not_models: [local]}", "printer", NULL, NULL, "acme", "local cloud bare", "quick", ""},
	{"- {name: g, tenants: [acme], not_models: [local]}", "printer", NULL, NULL, "initech", "cloud bare", "quick",
	 "g (tenant initech is not on its list; local may not see it)"},
	{"- {name: g, tenants: [acme], reject: true}", "printer", NULL, NULL, NULL, NULL, NULL, "g (the record has no tenant; rejected)"},
	{"- {name: g, when: {tenant: [acme]}, reject: true}", "my lawyer", NULL, NULL, "acme", NULL, NULL, "g (tenant acme; rejected)"},
	{"- {name: g, only_models: {region: eu}}", "my lawyer", NULL, NULL, "acme", "", "person", "g (every record; only local may see it)"},
	{"- {name: g, when: {all: [{keywords: [secret]}, {none: [{tenant: acme}]}]}, not_models: cloud}", "top secret", NULL, NULL, "x", "alpine", "careful",
	 "g (keyword \"secret\"; cloud may not see it)"},
	{"- {name: g, when: {keywords: [secret]}, not_models: cloud}", "what", "note", "a Secret word", NULL, "alpine", "careful",
	 "g (keyword \"secret\"; cloud may not see it)"},
	{"- {name: g, when: {pii: [iban, card]}, only_models: {region: eu}}", "printer, DE89 3704 0044 0532 0130 00", NULL, NULL, NULL, "local", "quick",
	 "g (iban in message 1 of 1; only local may see it)"},
	{"- {name: g, when: {pii: [iban, card]}, only_models: {region: eu}}", "printer", "note", "card 4024005683590486", NULL, "local", "quick",
	 "g (card in attribute note; only local may see it)"},
	{"- {name: g, when: {pii: [iban, card]}, only_models: {region: eu}}", "printer, tom@aol.com", NULL, NULL, NULL, "local cloud bare", "quick", ""},
	{"- {name: g, when: {pii: any}, reject: true}", "printer, tom@aol.com and 203.0.113.9", NULL, NULL, NULL, NULL, NULL,
	 "g (email in message 1 of 1, ip in message 1 of 1; rejected)"},
	{"- {name: g, when: {none: [{pii: any}]}, not_models: local}", "printer", NULL, NULL, NULL, "cloud bare", "quick", "g (its condition holds; local may not see it)"},
	{"- {name: g, when: {all: [{pii: email}, {tenant: acme}]}, not_models: local}\n- {name: h, when: {pii: ip}, not_models: bare}", "printer tom@aol.com 9.9.9.9",
	 NULL, NULL, "acme", "cloud", "quick", "g (email in message 1 of 1, tenant acme; local may not see it); h (ip in message 1 of 1; bare may not see it)"},
	{"- {name: g, when: {regex: '\\b\\d{6}\\b'}, not_models: cloud}", "what", "note", "a 123456 b", NULL, "alpine", "careful",
	 "g (pattern \\b\\d{6}\\b; cloud may not see it)"},
};

static void a_record_is_left_the_models_that_its_guards_allow(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		const struct guard_case *c = &cases[i];
		char yaml[2048], got[128];
		(void)snprintf(yaml, sizeof yaml, "%sguards:\n%s\n", HEAD, c->guards); /* fits */
		struct policy *policy = must_parse(yaml);
		struct walk w = {0};
		fixture_job_init(&w.f, c->text);
		if (c->attribute != NULL)
			fixture_attribute(&w.f, c->attribute, c->value);
		w.f.job.req.tenant = str_of(c->tenant);
		walk(policy, &w);
		struct job *job = &w.f.job;
		list_models(job, got);
		if (w.rejected != (c->models == NULL) || (c->models != NULL && strcmp(got, c->models) != 0))
			fail_msg("%s\n%s: rejected %d, left \"%s\"", c->guards, c->text, w.rejected, got);
		assert_str(guard_list(job), c->effects);
		if (!w.rejected) {
			assert_str(job->dec.route_name, c->route);
			assert_int_equal(w.admitted, c->models[0] != '\0' || policy_route(policy, (uint32_t)job->dec.route)->topic.data != NULL);
		}
		for (uint16_t m = 0; c->models != NULL && m < 4; m++) /* who is asked is allowed */
			for (uint32_t k = 0; k < job->dec.model_count; k++)
				assert_true(decision_allows(&job->dec, job->dec.models[k]));
		fixture_job_free(&w.f);
		policy_unref(policy);
	}
}

static void a_route_without_a_model_left_falls_to_when_unsure_and_then_is_rejected_by_name(void **state)
{
	(void)state;
	struct policy *policy = must_parse(HEAD "guards:\n- {name: stay, not_models: cloud}\n");
	struct walk w = {0};
	fixture_job_init(&w.f, "a poem");
	walk(policy, &w);
	assert_true(w.admitted && w.f.job.dec.unsure);
	assert_str(str_of(w.f.job.dec.stage), "when_unsure");
	assert_str(w.f.job.dec.reason, "guards leave no model of route far: stay (every record; cloud may not see it)");
	fixture_job_free(&w.f);
	policy_unref(policy);
	policy = must_parse(HEAD "guards:\n- {name: stay, only_models: bare}\n");
	fixture_job_init(&w.f, "a poem");
	walk(policy, &w);
	assert_false(w.admitted || w.rejected);
	assert_str(w.why, "guards leave no model of route far, nor of careful: stay (every record; only bare may see it)");
	assert_str(w.f.job.dec.reason, w.why.data);
	fixture_job_free(&w.f);
	policy_unref(policy);
}

static void a_record_too_long_for_a_model_is_not_sent_there(void **state)
{
	(void)state;
	static const struct {
		size_t letters; /* four make a token, by estimate */
		const char *models, *effects;
	} lengths[] = {
		{100, "local cloud bare", ""},
		{3572, "local cloud bare", ""}, /* 893 + 2 for " printer" + 4 + 100 for the answer = 999 */
		{3576, "local cloud bare", ""},
		{3580, "cloud bare", "context_tokens (about 1001 tokens with the answer are more than the context of local (1000))"},
		{200000, "cloud bare", "context_tokens (about 50106 tokens with the answer are more than the context of local (1000))"},
	};
	struct policy *policy = must_parse(HEAD);
	for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
		char *text = malloc(lengths[i].letters + 16), got[128];
		assert_non_null(text);
		memset(text, 'x', lengths[i].letters);
		memcpy(text + lengths[i].letters, " printer", sizeof " printer");
		struct walk w = {0};
		fixture_job_init(&w.f, text);
		walk(policy, &w);
		list_models(&w.f.job, got);
		if (!w.admitted || strcmp(got, lengths[i].models) != 0)
			fail_msg("%zu letters: \"%s\"", lengths[i].letters, got);
		assert_str(guard_list(&w.f.job), lengths[i].effects);
		assert_true(decision_allows(&w.f.job.dec, 0)); /* the router's model reads only what max_chars leaves */
		fixture_job_free(&w.f);
		free(text);
	}
	policy_unref(policy);
}

static void the_cache_key_is_the_same_with_and_without_what_only_guards_read(void **state)
{
	(void)state;
	struct policy *policy = must_parse(HEAD "guards:\n- {name: g, when: {attributes: {critical: 'true'}, min_chars: 3, hint: x}, not_models: cloud}\n");
	struct route_scratch *scratch = route_scratch_new(policy);
	struct fixture_job plain, critical;
	fixture_job_init(&plain, "what");
	fixture_job_init(&critical, "what");
	fixture_attribute(&critical, "critical", "true");
	struct str a = route_key_material(policy, scratch, &plain.job), b = route_key_material(policy, scratch, &critical.job);
	assert_true(str_eq(a, b));
	fixture_job_free(&plain);
	fixture_job_free(&critical);
	route_scratch_free(scratch);
	policy_unref(policy);
}

static void guards_change_the_decision_version(void **state)
{
	(void)state;
	static const char *const texts[] = {
		HEAD,
		HEAD "guards:\n- {name: g, not_models: cloud}\n",
		HEAD "guards:\n- {name: g, not_models: bare}\n",
		HEAD "guards:\n- {name: g, when: {tenant: a}, not_models: cloud}\n",
		HEAD "guards:\n- {name: g, tenants: a, not_models: cloud}\n",
		HEAD "guards:\n- {name: g, models: [cloud, bare]}\n",
		HEAD "guards:\n- {name: g, models: [bare, cloud]}\n",
		HEAD "guards:\n- {name: g, reject: true}\n",
	};
	enum { N = sizeof texts / sizeof texts[0] };
	char versions[N][17];
	for (unsigned i = 0; i < N; i++) {
		struct policy *policy = must_parse(texts[i]);
		memcpy(versions[i], policy->decision_version, sizeof versions[i]);
		policy_unref(policy);
		for (unsigned k = 0; k < i; k++)
			assert_string_not_equal(versions[i], versions[k]);
	}
	struct policy *policy = must_parse(HEAD "guards: # a comment\n- {not_models: [cloud], name: g}\n");
	assert_string_equal(policy->decision_version, versions[1]);
	policy_unref(policy);
}

static void what_is_wrong_with_a_guard_is_said_with_its_place(void **state)
{
	(void)state;
	static const struct {
		const char *guards, *words;
	} wrong[] = {
		{"{}", "12:9: error: a list of guards is expected"},
		{"\n- {name: g}", "13:3: error: the guard g has no effect: only_models, not_models, models or reject is missing"},
		{"\n- {name: g, reject: false}", "13:21: error: true is expected"},
		{"\n- {name: g, reject: true, models: local}", "13:21: error: a guard has one of"},
		{"\n- {name: g, only_models: {region: ue}}", "13:35: error: no model has the tag \"region: ue\""},
		{"\n- {name: g, only_models: {region: ue}}", "did you mean \"region: eu\"?"},
		{"\n- {name: g, only_models: {region: us, size: small}}", "13:26: error: no model has all of these tags"},
		{"\n- {name: g, only_models: {}}", "13:26: error: tags and their values are expected"},
		{"\n- {name: g, only_models: [locl]}", "13:27: error: unknown model \"locl\""},
		{"\n- {name: g, only_models: [locl]}", "did you mean \"local\"?"},
		{"\n- {name: g, models: [local, local]}", "13:29: error: the model local is named twice"},
		{"\n- {name: g, models: {region: eu}}", "13:21: error: a word or a list of words is expected"},
		{"\n- {name: g, not_models: [local, cloud, alpine, bare]}", "13:25: error: no model is left for any record"},
		{"\n- {name: g, only_model: local}", "13:13: error: unknown setting \"only_model\""},
		{"\n- {name: g, only_model: local}", "did you mean \"only_models\"?"},
		{"\n- {name: g, when: {keyword: [x]}, reject: true}", "13:20: error: unknown condition \"keyword\""},
		{"\n- {name: g, when: {pii: ibna}, reject: true}", "13:25: error: unknown kind of personal data \"ibna\""},
		{"\n- {name: g, when: {pii: ibna}, reject: true}", "did you mean \"iban\"?"},
		{"\n- {name: g, when: {}, reject: true}", "13:19: error: the condition is empty"},
		{"\n- {name: g, reject: true}\n- {name: g, reject: true}", "14:10: error: there are two guards of the name \"g\""},
		{"\n- {name: g, tenants: [], reject: true}", "13:22: error: the list is empty"},
		{"\n- {reject: true}", "13:3: error: \"name\" is missing"},
	};
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
		char yaml[2048];
		struct policy *policy = NULL;
		struct err err = {""};
		(void)snprintf(yaml, sizeof yaml, "%sguards: %s\n", HEAD, wrong[i].guards); /* fits */
		if (parse(yaml, &policy, &err) != RC_BAD_INPUT)
			fail_msg("accepted: %s", wrong[i].guards);
		if (strstr(err.text, wrong[i].words) == NULL)
			fail_msg("for: %s\ngot:      %s\nexpected: %s", wrong[i].guards, err.text, wrong[i].words);
	}
}

static void a_guard_that_empties_a_route_is_warned_of(void **state)
{
	(void)state;
	struct policy *policy = must_parse(HEAD "guards:\n- {name: a, not_models: cloud}\n- {name: b, only_models: bare}\n- {name: c, models: local}\n");
	struct arena arena;
	struct buf out;
	arena_init(&arena, 0);
	buf_init(&out, &arena, 0);
	policy_warnings(policy, &out);
	buf_char(&out, '\0');
	assert_string_equal(out.data,
	                    "guard a leaves route far no model: its records go to careful\n"
	                    "guard b leaves route careful no model, and when_unsure none either: its records are rejected\n"
	                    "guard b leaves route far no model, and when_unsure none either: its records are rejected\n");
	arena_free(&arena);
	policy_unref(policy);
}

static void a_search_that_is_given_up_counts_as_found(void **state)
{
	(void)state;
	struct policy *policy = must_parse(HEAD "guards:\n- {name: g, when: {regex: '(a+)+$'}, not_models: cloud}\n- {name: n, when: {none: [{regex: '(a+)+$'}]}, not_models: bare}\n");
	char text[4096];
	memset(text, 'a', sizeof text);
	memcpy(text + sizeof text - 9, "! printer", 9);
	text[sizeof text - 1] = '\0';
	struct walk w = {0};
	fixture_job_init(&w.f, text);
	walk(policy, &w);
	assert_int_equal(w.f.job.dec.guard_count, 2);
	assert_non_null(strstr(w.f.job.dec.guards[0].effect.data, "given up at its bound"));
	assert_false(decision_allows(&w.f.job.dec, 1));
	assert_false(decision_allows(&w.f.job.dec, 3));
	fixture_job_free(&w.f);
	policy_unref(policy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_record_is_left_the_models_that_its_guards_allow),
		cmocka_unit_test(a_route_without_a_model_left_falls_to_when_unsure_and_then_is_rejected_by_name),
		cmocka_unit_test(a_record_too_long_for_a_model_is_not_sent_there),
		cmocka_unit_test(the_cache_key_is_the_same_with_and_without_what_only_guards_read),
		cmocka_unit_test(guards_change_the_decision_version),
		cmocka_unit_test(what_is_wrong_with_a_guard_is_said_with_its_place),
		cmocka_unit_test(a_guard_that_empties_a_route_is_warned_of),
		cmocka_unit_test(a_search_that_is_given_up_counts_as_found),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
