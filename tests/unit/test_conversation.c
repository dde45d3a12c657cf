/*
 * test_conversation.c: which records stay with their conversation's route, for how long, and what is kept of it.
 */
#include "tests/unit/route_fixture.h"

#include "worker/route/conversation.h"

/* proof goes to careful by a learned stage, "greet" to quick by a rule; a vector decides, so that no text has to be alike. */
#define ROUTES \
	"name: talk\nwhen_unsure: quick\nroutes:\n" \
	"  - {name: quick, models: [small]}\n  - {name: careful, models: [capable]}\n" \
	"  - {name: clarify, models: [small], kind: clarification, max_per_conversation: 2, then: human}\n" \
	"  - {name: human, topic: people}\n"
#define STICKY "sticky: {turns: 2, routes: [careful]}\n"
#define STAGES \
	"stages:\n  - rules:\n    - {name: bye, when: {keywords: [goodbye]}, route: quick}\n" \
	"    - {name: which, when: {keywords: [unclear]}, route: clarify}\n" \
	"    - {name: lawyer, when: {keywords: [lawyer]}, route: human}\n" \
	"  - semantic: {embedder: static, accept: 0.9, examples: e.jsonl}\n"
static const char examples[] = "{\"label\": \"careful\", \"text\": \"prove the theorem\"}\n{\"label\": \"quick\", \"text\": \"what time is it\"}\n"
                               "{\"label\": \"quick\", \"text\": \"now fix it\"}\n";

struct talk {
	char *folder;
	struct policy *policy;
	struct route_scratch *scratch;
	struct arena arena;
	struct str state; /* of the conversation, as the cache would have it */
	int64_t offset;
};

static void start(struct talk *t, const char *yaml)
{
	*t = (struct talk){.folder = fixture_folder()};
	fixture_file(t->folder, "e.jsonl", examples, strlen(examples));
	t->policy = fixture_policy(yaml, t->folder);
	t->scratch = route_scratch_new(t->policy);
	arena_init(&t->arena, 0);
}

static void stop(struct talk *t)
{
	route_scratch_free(t->scratch);
	policy_unref(t->policy);
	arena_free(&t->arena);
	fixture_remove_folder(t->folder, (const char *const[]){"e.jsonl", NULL});
}

struct said {
	char route[32], stage[32], reason[256];
	bool cached; /* it may be kept under its text's key */
	bool apart;  /* it has a state to keep */
};

/* One record, decided as the worker does; cached: its text's own decision comes out of the cache. */
static struct said say_at(struct talk *t, const char *text, int64_t offset, bool cached)
{
	struct said said = {0};
	struct fixture_job f;
	fixture_job_init(&f, text);
	f.job.rec.topic = STR("chat");
	f.job.rec.offset = offset;
	f.job.req.conversation_id = STR("c-1");
	struct str packed = STR_NULL;
	if (cached) {
		assert_int_equal(route_decide(t->policy, t->scratch, &f.job), ROUTE_DONE);
		packed = arena_str(&t->arena, route_pack(t->policy, &f.job));
		assert_non_null(packed.data);
		f.job.dec.trace_count = 0;
	}
	conversation_hear(t->policy, &f.job, t->state);
	if (cached)
		assert_int_equal(route_unpack(t->policy, packed, &f.job), RC_OK);
	else
		assert_int_equal(route_decide(t->policy, t->scratch, &f.job), ROUTE_DONE);
	said.cached = !cached && route_pack(t->policy, &f.job).data != NULL;
	conversation_apply(t->policy, t->scratch, &f.job);
	struct str state = conversation_state(t->policy, &f.job, &t->arena);
	said.apart = state.data != NULL;
	if (said.apart)
		t->state = state;
	(void)snprintf(said.route, sizeof said.route, "%.*s", STR_ARG(f.job.dec.route_name)); /* fits */
	(void)snprintf(said.stage, sizeof said.stage, "%s", f.job.dec.stage);                 /* fits */
	(void)snprintf(said.reason, sizeof said.reason, "%.*s", STR_ARG(f.job.dec.reason));   /* fits */
	assert_string_equal(f.job.dec.trace[f.job.dec.trace_count - 1].stage, f.job.dec.unsure ? "semantic" : f.job.dec.stage);
	fixture_job_free(&f);
	return said;
}

static struct said say(struct talk *t, const char *text)
{
	return say_at(t, text, t->offset++, false);
}

static void an_escalated_conversation_stays_and_is_released_after_its_turns(void **state)
{
	(void)state;
	struct talk t;
	start(&t, ROUTES STICKY STAGES);
	struct said alone = say(&t, "now fix it");
	assert_string_equal(alone.route, "quick");
	assert_false(alone.apart); /* nothing to remember */
	assert_string_equal(say(&t, "prove the theorem").route, "careful");
	struct said first = say(&t, "now fix it"), second = say(&t, "what time is it"), third = say(&t, "now fix it");
	assert_string_equal(first.route, "careful");
	assert_string_equal(first.stage, "conversation");
	assert_string_equal(first.reason, "conversation stays with careful, turn 1 of 2");
	assert_string_equal(second.reason, "conversation stays with careful, turn 2 of 2");
	assert_string_equal(third.route, "quick");
	assert_string_equal(say(&t, "now fix it").route, "quick");
	stop(&t);
}

static void what_a_conversation_decides_is_never_kept_for_the_text(void **state)
{
	(void)state;
	struct talk t;
	start(&t, ROUTES STICKY STAGES);
	assert_true(say(&t, "prove the theorem").cached);
	assert_false(say(&t, "now fix it").cached); /* stayed */
	assert_true(say(&t, "goodbye").cached);     /* a rule */
	stop(&t);
}

static void a_decision_from_the_cache_does_not_go_past_the_conversation(void **state)
{
	(void)state;
	struct talk t;
	start(&t, ROUTES STICKY STAGES);
	assert_string_equal(say(&t, "prove the theorem").route, "careful");
	struct said hit = say_at(&t, "now fix it", 7, true);
	assert_string_equal(hit.route, "careful");
	assert_string_equal(hit.reason, "conversation stays with careful, turn 1 of 2");
	assert_string_equal(say_at(&t, "goodbye", 8, true).route, "quick"); /* by a rule: that goes before */
	stop(&t);
}

static void rules_go_before_a_conversation_and_take_no_turn_of_it(void **state)
{
	(void)state;
	struct talk t;
	start(&t, ROUTES STICKY STAGES);
	assert_string_equal(say(&t, "prove the theorem").route, "careful");
	assert_string_equal(say(&t, "my lawyer writes").route, "human");
	assert_string_equal(say(&t, "goodbye").route, "quick");
	assert_string_equal(say(&t, "now fix it").reason, "conversation stays with careful, turn 1 of 2");
	stop(&t);
}

/* A worker died before its commit: the record comes again, once the state knows of it already. */
static void a_record_that_comes_again_is_decided_as_it_was(void **state)
{
	(void)state;
	static const struct {
		const char *text, *route;
	} cases[] = {{"prove the theorem", "careful"}, {"now fix it", "careful"}, {"now fix it", "careful"}, {"now fix it", "quick"},
	             {"unclear", "clarify"}, {"unclear again", "clarify"}, {"unclear still", "human"}};
	struct talk t;
	start(&t, ROUTES STICKY STAGES);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		for (int times = 0; times < 3; times++) {
			struct str before = t.state;
			struct said said = say_at(&t, cases[i].text, (int64_t)i, false);
			if (strcmp(said.route, cases[i].route) != 0)
				fail_msg("row %zu, time %d: %s (%s)", i, times, said.route, said.reason);
			assert_true(times == 0 || str_eq(before, t.state));
		}
	stop(&t);
}

static void nobody_is_asked_back_more_often_than_allowed(void **state)
{
	(void)state;
	struct talk t;
	start(&t, ROUTES STAGES);
	assert_string_equal(say(&t, "unclear").route, "clarify");
	assert_string_equal(say(&t, "what time is it").route, "quick");
	assert_string_equal(say(&t, "unclear").route, "clarify");
	struct said third = say(&t, "unclear");
	assert_string_equal(third.route, "human");
	assert_string_equal(third.reason, "this conversation was asked back 2 times: human instead of clarify");
	assert_string_equal(say_at(&t, "unclear", 90, true).route, "human"); /* from the cache, too */
	t.state = STR_NULL; /* another conversation, or Redis is gone */
	assert_string_equal(say(&t, "unclear").route, "clarify");
	stop(&t);
}

static void rubbish_and_states_of_other_policies_hold_nobody(void **state)
{
	(void)state;
	static const struct str states[] = {{"", 0}, {"PMC1", 4}, {"PMC1\1\0\0\0\0\0\0\0\0\0\0", 15}, {"PMC1\1\0\0\0\0\0\0\0\0\0\0quick", 20},
	                                    {"PMC1\1\0\0\0\0\0\0\0\0\0\0gone", 19}, {"PMC2\1\0\0\0\0\0\0\0\0\0\0careful", 22},
	                                    {"PMC1\2\0\0\0\0\0\0\0\0\0\0careful", 22}, {"PMC1\xff\xff\0\0\0\0\0\0\0\0\0careful", 22}};
	struct talk t;
	start(&t, ROUTES STICKY STAGES);
	for (size_t i = 0; i < sizeof states / sizeof states[0]; i++) {
		t.state = states[i];
		assert_string_equal(say(&t, "now fix it").route, "quick");
	}
	t.state = (struct str){"PMC1\1\0\0\0\0\0\0\0\0\0\0careful", 22};
	assert_string_equal(say(&t, "now fix it").route, "careful"); /* one that is right */
	stop(&t);
}

static void the_messages_of_the_record_tell_without_any_state(void **state)
{
	(void)state;
	static const struct {
		const char *users[5]; /* an assistant answers between them */
		const char *reason;   /* NULL: it does not stay */
	} cases[] = {
		{{"now fix it"}, NULL},
		{{"what time is it", "now fix it"}, NULL},
		{{"prove the theorem", "now fix it"}, "conversation stays with careful, turn 1 of 2"},
		{{"prove the theorem", "what time is it", "now fix it"}, "conversation stays with careful, turn 2 of 2"},
		{{"prove the theorem", "what time is it", "now fix it", "now fix it"}, NULL},
		{{"prove the theorem", "what time is it", "prove the theorem", "now fix it"}, "conversation stays with careful, turn 1 of 2"},
	};
	struct talk t;
	start(&t, ROUTES STICKY STAGES);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct fixture_job f;
		struct message messages[10];
		uint32_t count = 0;
		fixture_job_init(&f, "");
		for (int k = 0; k < 5 && cases[i].users[k] != NULL; k++) {
			if (k != 0)
				messages[count++] = (struct message){STR("assistant"), STR("Here you are.")};
			messages[count++] = (struct message){STR("user"), str_of(cases[i].users[k])};
		}
		f.job.req.messages = messages;
		f.job.req.message_count = count;
		assert_int_equal(route_decide(t.policy, t.scratch, &f.job), ROUTE_DONE);
		assert_str(f.job.dec.route_name, cases[i].reason != NULL ? "careful" : "quick");
		if (cases[i].reason != NULL)
			assert_str(f.job.dec.reason, cases[i].reason);
		fixture_job_free(&f);
	}
	stop(&t);
}

/* material of a record: two tenants, two names, two policies never share a state. */
static void the_key_covers_tenant_and_name_and_policy(void **state)
{
	(void)state;
	static const struct {
		const char *tenant, *id;
	} cases[] = {{"a", "1"}, {"b", "1"}, {"a", "2"}, {"a1", ""}, {NULL, "a1"}, {NULL, "1"}, {"", "1"}};
	enum { COUNT = sizeof cases / sizeof cases[0] };
	struct talk t, other;
	struct str materials[COUNT];
	start(&t, ROUTES STICKY STAGES);
	start(&other, "when_unsure: quick\nroutes: [{name: quick, models: [small]}]\n");
	for (size_t i = 0; i < COUNT; i++) {
		struct fixture_job f;
		fixture_job_init(&f, "x");
		f.job.req.tenant = str_of(cases[i].tenant);
		f.job.req.conversation_id = str_of(cases[i].id);
		struct str material = conversation_material(t.policy, &f.job);
		materials[i] = material.data != NULL ? arena_str(&t.arena, material) : STR_NULL;
		assert_int_equal(material.data == NULL, cases[i].id[0] == '\0');
		for (size_t k = 0; k < i; k++)
			assert_false(material.data != NULL && str_eq(materials[i], materials[k]));
		assert_null(conversation_material(other.policy, &f.job).data); /* it remembers nothing */
		fixture_job_free(&f);
	}
	stop(&t);
	stop(&other);
}

static void an_attribute_can_name_the_conversation(void **state)
{
	(void)state;
	struct talk t;
	struct fixture_job f;
	start(&t, ROUTES "sticky: {by: attributes.thread, turns: 3, routes: careful}\n" STAGES);
	fixture_job_init(&f, "x");
	f.job.req.conversation_id = STR("c-1");
	assert_null(conversation_material(t.policy, &f.job).data);
	fixture_attribute(&f, "thread", "t-9");
	assert_non_null(conversation_material(t.policy, &f.job).data);
	fixture_job_free(&f);
	stop(&t);
}

static void what_is_wrong_is_said_with_its_place(void **state)
{
	(void)state;
	static const struct {
		const char *routes, *words;
	} cases[] = {
		{"sticky: {turns: 6}\n", "routes"},
		{"sticky: {routes: [carful]}\n", "did you mean \"careful\""},
		{"sticky: {routes: [clarify]}\n", "asks back"},
		{"sticky: {routes: [careful], turns: 0}\n", "turns"},
		{"sticky: {routes: [careful], by: thread}\n", "attributes.NAME"},
		{"sticky: {route: [careful]}\n", "routes"},
	};
	char *folder = fixture_folder(), yaml[2048];
	fixture_file(folder, "e.jsonl", examples, strlen(examples));
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct policy *policy = NULL;
		struct err err = {""};
		(void)snprintf(yaml, sizeof yaml, "%s%s%s", ROUTES, cases[i].routes, STAGES); /* fits */
		assert_int_equal(policy_parse("policy.yaml", str_of(yaml), folder, &fixture_settings, &policy, &err), RC_BAD_INPUT);
		if (strstr(err.text, cases[i].words) == NULL || strstr(err.text, "policy.yaml:") == NULL)
			fail_msg("%s: %s", cases[i].routes, err.text);
	}
	static const char *const bounds[] = {"max_per_conversation: 2", "kind: clarification, then: a", "kind: clarification, max_per_conversation: 2, then: b"};
	for (size_t i = 0; i < sizeof bounds / sizeof bounds[0]; i++) {
		struct policy *policy = NULL;
		struct err err = {""};
		(void)snprintf(yaml, sizeof yaml, "when_unsure: a\nroutes: [{name: a, models: [small]}, {name: b, models: [small], %s}]\n", bounds[i]); /* fits */
		assert_int_equal(policy_parse("policy.yaml", str_of(yaml), folder, &fixture_settings, &policy, &err), RC_BAD_INPUT);
		assert_non_null(strstr(err.text, "policy.yaml:2"));
	}
	fixture_remove_folder(folder, (const char *const[]){"e.jsonl", NULL});
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_escalated_conversation_stays_and_is_released_after_its_turns),
		cmocka_unit_test(what_a_conversation_decides_is_never_kept_for_the_text),
		cmocka_unit_test(a_decision_from_the_cache_does_not_go_past_the_conversation),
		cmocka_unit_test(rules_go_before_a_conversation_and_take_no_turn_of_it),
		cmocka_unit_test(a_record_that_comes_again_is_decided_as_it_was),
		cmocka_unit_test(nobody_is_asked_back_more_often_than_allowed),
		cmocka_unit_test(rubbish_and_states_of_other_policies_hold_nobody),
		cmocka_unit_test(the_messages_of_the_record_tell_without_any_state),
		cmocka_unit_test(the_key_covers_tenant_and_name_and_policy),
		cmocka_unit_test(an_attribute_can_name_the_conversation),
		cmocka_unit_test(what_is_wrong_is_said_with_its_place),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
