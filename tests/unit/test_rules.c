/* test_rules.c: each condition, their combinations, priorities, and the reasons given. */
#include "tests/unit/route_fixture.h"

#define ROUTES                                                                                                         \
	"when_unsure: careful\n"                                                                                           \
	"routes: [{name: kb, models: [small]}, {name: careful, models: [capable]}, {name: human, topic: desk}]\n"          \
	"stages:\n  - rules:\n"

struct given {
	const char *text;
	const char *attributes[4]; /* name, value, ... */
	const char *tenant, *hint;
};

/* Decides and compares route (NULL: none) and reason (NULL: any). */
static void expect(const struct policy *policy, struct route_scratch *scratch, const struct given *g, const char *route, const char *reason)
{
	struct fixture_job f;
	fixture_job_init(&f, g->text);
	for (int i = 0; i < 4 && g->attributes[i] != NULL; i += 2)
		fixture_attribute(&f, g->attributes[i], g->attributes[i + 1]);
	f.job.req.tenant = str_of(g->tenant);
	f.job.req.route_hint = str_of(g->hint);
	assert_int_equal(route_decide(policy, scratch, &f.job), ROUTE_DONE);
	const struct decision *dec = &f.job.dec;
	if (dec->unsure != (route == NULL) || (route != NULL && !str_is(dec->route_name, route)))
		fail_msg("\"%s\" went to %.*s (%.*s), expected %s", g->text, STR_ARG(dec->route_name), STR_ARG(dec->reason), route != NULL ? route : "none");
	if (reason != NULL)
		assert_str(dec->trace[0].reason, reason);
	fixture_job_free(&f);
}

static void each_condition_holds_where_it_should(void **state)
{
	(void)state;
	static const struct {
		const char *when;
		struct given given;
		bool holds;
		const char *reason;
	} cases[] = {
		{"{keywords: [Refund, money back]}", {.text = "I want my MONEY  BACK"}, true, "rule r (keyword \"money back\")"},
		{"{keywords: [refund]}", {.text = "refunds"}, false, "the rule r did not match"},
		{"{regex: '\\bE-\\d{4}\\b'}", {.text = "error E-1234"}, true, "rule r (pattern \\bE-\\d{4}\\b)"},
		{"{min_chars: 5}", {.text = "abcd\u00E9"}, true, "rule r (5 characters, 5 or more)"},
		{"{min_chars: 6}", {.text = "abcd\u00E9"}, false, NULL},
		{"{max_chars: 5}", {.text = "abcde"}, true, "rule r (5 characters, 5 or fewer)"},
		{"{max_chars: 5}", {.text = "abcdef"}, false, NULL},
		{"{min_words: 2}", {.text = " two  words "}, true, "rule r (2 words, 2 or more)"},
		{"{max_words: 1}", {.text = "one"}, true, "rule r (1 word, 1 or fewer)"},
		{"{max_words: 1}", {.text = "not one"}, false, NULL},
		{"{min_tokens: 3}", {.text = "ten letters"}, true, "rule r (about 3 tokens, 3 or more)"},
		{"{max_tokens: 2}", {.text = "ten letters"}, false, NULL},
		{"{language: de}", {.text = "Ich kann mich nicht in mein Konto einloggen, bitte helfen Sie mir"}, true, "rule r (language de)"},
		{"{language: [fr, en]}", {.text = "How do I get to the shop from the station?"}, true, "rule r (language en)"},
		{"{language: de}", {.text = "hm"}, false, NULL},
		{"{has_code: true}", {.text = "```\nx\n```"}, true, "rule r (code in the text)"},
		{"{has_code: false}", {.text = "no code"}, true, "rule r (no code in the text)"},
		{"{has_code: false}", {.text = "```\nx\n```"}, false, NULL},
		{"{attributes: {product: X200}}", {.text = "x", .attributes = {"product", "X200"}}, true, "rule r (product is X200)"},
		{"{attributes: {product: [X200, X300], region: eu}}", {.text = "x", .attributes = {"product", "X300", "region", "eu"}}, true,
		 "rule r (product is X300, region is eu)"},
		{"{attributes: {product: X200, region: eu}}", {.text = "x", .attributes = {"product", "X200"}}, false, NULL},
		{"{attributes: {product: X200}}", {.text = "x", .attributes = {"product", "x200"}}, false, NULL},
		{"{tenant: [acme, other]}", {.text = "x", .tenant = "acme"}, true, "rule r (tenant acme)"},
		{"{tenant: acme}", {.text = "x"}, false, NULL},
		{"{hint: human}", {.text = "x", .hint = "human"}, true, "rule r (hint human)"},
		{"{hint: human}", {.text = "x", .hint = ""}, false, NULL},
		{"{all: [{keywords: [a]}, {keywords: [b]}]}", {.text = "b a"}, true, "rule r (keyword \"a\", keyword \"b\")"},
		{"{all: [{keywords: [a]}, {keywords: [b]}]}", {.text = "a"}, false, NULL},
		{"{any: [{keywords: [a]}, {keywords: [b]}]}", {.text = "b"}, true, "rule r (keyword \"b\")"},
		{"{any: [{keywords: [a]}, {keywords: [b]}]}", {.text = "c"}, false, NULL},
		{"{none: [{keywords: [a]}, {keywords: [b]}]}", {.text = "c"}, true, "rule r"},
		{"{none: [{keywords: [a]}, {keywords: [b]}]}", {.text = "b"}, false, NULL},
		{"{none: {keywords: [a]}}", {.text = "c"}, true, "rule r"},
		{"{max_words: 3, keywords: [a], none: [{keywords: [b]}]}", {.text = "a c"}, true, "rule r (2 words, 3 or fewer, keyword \"a\")"},
		{"{max_words: 3, keywords: [a], none: [{keywords: [b]}]}", {.text = "a b"}, false, NULL},
		{"{any: [{all: [{keywords: [a]}, {keywords: [b]}]}, {keywords: [c]}]}", {.text = "a c"}, true, "rule r (keyword \"c\")"},
		{"{regex: '^(x+)+$'}", {.text = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx!"}, false,
		 "the rule r did not match; the search for pattern ^(x+)+$ was given up at its bound"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		char yaml[2048];
		(void)snprintf(yaml, sizeof yaml, ROUTES "      - {name: r, when: %s, route: kb}\n", cases[i].when); /* fits */
		struct policy *policy = fixture_policy(yaml, "");
		struct route_scratch *scratch = route_scratch_new(policy);
		expect(policy, scratch, &cases[i].given, cases[i].holds ? "kb" : NULL, cases[i].reason);
		route_scratch_free(scratch);
		policy_unref(policy);
	}
}

static void the_highest_priority_decides_and_then_the_order_of_the_file(void **state)
{
	(void)state;
	struct policy *policy = fixture_policy(ROUTES "      - {name: low, when: {keywords: [x]}, route: kb, priority: -1}\n"
	                                              "      - {name: first, when: {keywords: [x]}, route: careful}\n"
	                                              "      - {name: second, when: {keywords: [x, y]}, route: kb}\n"
	                                              "      - {name: high, when: {keywords: [z]}, route: human, priority: 5}\n",
	                                       "");
	struct route_scratch *scratch = route_scratch_new(policy);
	expect(policy, scratch, &(struct given){.text = "x"}, "careful", "rule first (keyword \"x\")");
	expect(policy, scratch, &(struct given){.text = "y"}, "kb", "rule second (keyword \"y\")");
	expect(policy, scratch, &(struct given){.text = "x z"}, "human", "rule high (keyword \"z\")");
	expect(policy, scratch, &(struct given){.text = "none"}, NULL, "none of 4 rules matched");
	route_scratch_free(scratch);
	policy_unref(policy);
}

static void a_list_may_be_a_file_of_one_keyword_a_line(void **state)
{
	(void)state;
	char *folder = fixture_folder();
	static const char list[] = "\xEF\xBB\xBF# products of the shop\nX200\r\n\n  credit card  \n#1 choice\n";
	fixture_file(folder, "products.txt", list, sizeof list - 1);
	struct policy *policy = fixture_policy(ROUTES "      - {name: r, when: {keywords: products.txt}, route: kb}\n", folder);
	struct route_scratch *scratch = route_scratch_new(policy);
	expect(policy, scratch, &(struct given){.text = "my x200"}, "kb", "rule r (keyword \"X200\")");
	expect(policy, scratch, &(struct given){.text = "Credit Card"}, "kb", "rule r (keyword \"credit card\")");
	expect(policy, scratch, &(struct given){.text = "the #1 choice"}, "kb", NULL);
	expect(policy, scratch, &(struct given){.text = "products of the shop"}, NULL, NULL);
	route_scratch_free(scratch);
	policy_unref(policy);
	fixture_remove_folder(folder, (const char *const[]){"products.txt", NULL});
}

static void lengths_are_of_the_text_before_the_cut(void **state)
{
	(void)state;
	struct policy *policy = fixture_policy("text: {max_chars: 16}\n" ROUTES "      - {name: r, when: {min_chars: 30}, route: kb}\n", "");
	struct route_scratch *scratch = route_scratch_new(policy);
	expect(policy, scratch, &(struct given){.text = "0123456789012345678901234567890"}, "kb", "rule r (31 characters, 30 or more)");
	expect(policy, scratch, &(struct given){.text = "01234567890123456789"}, NULL, NULL);
	route_scratch_free(scratch);
	policy_unref(policy);
}

/* The version that the trace of a text names; text matches or not. */
static void name_version(const char *folder, const char *list, const char *text, char out[POLICY_VERSION_CHARS + 1])
{
	fixture_file(folder, "words.txt", list, strlen(list));
	struct policy *policy = fixture_policy(ROUTES "      - {name: r, when: {keywords: words.txt}, route: kb}\n", folder);
	struct route_scratch *scratch = route_scratch_new(policy);
	struct fixture_job f;
	fixture_job_init(&f, text);
	assert_int_equal(route_decide(policy, scratch, &f.job), ROUTE_DONE);
	struct str version = f.job.dec.trace[0].asset_version;
	assert_int_equal(version.len, POLICY_VERSION_CHARS);
	memcpy(out, version.data, POLICY_VERSION_CHARS + 1);
	fixture_job_free(&f);
	route_scratch_free(scratch);
	policy_unref(policy);
}

static void the_trace_names_the_version_of_the_rules_and_of_their_lists(void **state)
{
	(void)state;
	char *folder = fixture_folder();
	char first[POLICY_VERSION_CHARS + 1], again[POLICY_VERSION_CHARS + 1], other[POLICY_VERSION_CHARS + 1];
	name_version(folder, "refund\n", "my refund", first);
	name_version(folder, "refund\n", "none of these", again);
	name_version(folder, "refund\nrebate\n", "my refund", other);
	assert_string_equal(first, again);
	assert_string_not_equal(first, other);
	fixture_remove_folder(folder, (const char *const[]){"words.txt", NULL});
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_condition_holds_where_it_should),
		cmocka_unit_test(the_highest_priority_decides_and_then_the_order_of_the_file),
		cmocka_unit_test(a_list_may_be_a_file_of_one_keyword_a_line),
		cmocka_unit_test(lengths_are_of_the_text_before_the_cut),
		cmocka_unit_test(the_trace_names_the_version_of_the_rules_and_of_their_lists),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
