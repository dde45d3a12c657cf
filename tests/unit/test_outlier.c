/* test_outlier.c: the stage of groups: near, far, own limits, the group's name through the cache, and bad settings. */
#include "tests/unit/route_fixture.h"

#include "worker/lab/group_learn.h"
#include "worker/route/kernels.h"

#define ROUTES                                                                                                         \
	"when_unsure: careful\n"                                                                                           \
	"routes: [{name: plain, models: [small]}, {name: accurate, models: [capable]}, {name: careful, models: [standby]}]\n" \
	"stages:\n"
#define POLICY(options) ROUTES "- outlier: {groups: g.pmv, route: accurate" options "}\n"

enum { DIM = 8 };

static uint64_t next(uint64_t *state)
{
	*state = *state * UINT64_C(6364136223846793005) + 1442695040888963407u;
	return *state >> 33;
}

/* Two narrow groups: around the first and around the second axis; the file g.pmv in a new folder. */
static char *folder_with_groups(void)
{
	static const struct group_learn_setup setup = {.embedder = GROUPS_GIVEN, .dim = DIM, .windows = 1, .k = 2, .seed = 1};
	struct group_learn *l = group_learn_new(&setup);
	struct group_learn_report report;
	struct arena arena;
	struct buf file;
	uint64_t seed = 8;
	char *folder = fixture_folder();
	arena_init(&arena, 0);
	buf_init(&file, &arena, 0);
	for (uint32_t i = 0; i < 600; i++) {
		float v[DIM] = {0};
		v[i % 3 == 0] = 1; /* the first axis has two thirds */
		for (int d = 0; d < DIM; d++)
			v[d] += 0.1f * ((float)(next(&seed) % 2000) / 1000.0f - 1);
		assert_true(group_learn_add(l, v));
	}
	assert_int_equal(group_learn_run(l, &file, &report, NULL), RC_OK);
	fixture_file(folder, "g.pmv", file.data, file.len);
	group_learn_free(l);
	arena_free(&arena);
	return folder;
}

static void remove_folder(char *folder)
{
	fixture_remove_folder(folder, (const char *const[]){"g.pmv", NULL});
}

static void decide(const struct policy *policy, struct fixture_job *f, const float *embedding)
{
	struct route_scratch *scratch = route_scratch_new(policy);
	f->job.req.embedding = embedding;
	f->job.req.embedding_len = embedding != NULL ? DIM : 0;
	assert_int_equal(route_decide(policy, scratch, &f->job), ROUTE_DONE);
	route_scratch_free(scratch);
}

static void near_is_named_and_far_goes_to_the_careful_route(void **state)
{
	(void)state;
	static const struct {
		const char *policy;
		float embedding[DIM];
		const char *route, *stage, *group;
		enum verdict verdict;
	} cases[] = {
		{POLICY(""), {1}, "careful", "when_unsure", "g1", VERDICT_PASS},
		{POLICY(""), {0, 3}, "careful", "when_unsure", "g2", VERDICT_PASS},
		{POLICY(""), {0, 0, 1}, "accurate", "outlier", NULL, VERDICT_DECIDED},
		{POLICY(""), {1, 1}, "accurate", "outlier", NULL, VERDICT_DECIDED}, /* between the two: cosine .71 */
		{POLICY(", far: 0.5"), {1, 0.9f}, "careful", "when_unsure", "g1", VERDICT_PASS},
		{POLICY(", near_route: plain"), {1}, "plain", "outlier", "g1", VERDICT_DECIDED},
		{POLICY(", near_route: plain"), {-1}, "accurate", "outlier", NULL, VERDICT_DECIDED},
		{POLICY(", near_route: plain, far: 0"), {0.1f, 0, 0, 1}, "plain", "outlier", "g1", VERDICT_DECIDED},
		{POLICY(", far: 1"), {1, 0.01f}, "accurate", "outlier", NULL, VERDICT_DECIDED},
	};
	char *folder = folder_with_groups();
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct policy *policy = fixture_policy(cases[i].policy, folder);
		struct fixture_job f;
		fixture_job_init(&f, "the text does not matter");
		f.job.dec.group_id = STR("left from before");
		decide(policy, &f, cases[i].embedding);
		const struct stage_trace *t = &f.job.dec.trace[0];
		assert_str(f.job.dec.route_name, cases[i].route);
		assert_string_equal(f.job.dec.stage, cases[i].stage);
		assert_int_equal(t->verdict, cases[i].verdict);
		assert_true((t->score >= t->threshold) == (t->verdict == VERDICT_DECIDED));
		assert_int_equal(t->asset_version.len, 16);
		if (cases[i].group != NULL)
			assert_str(f.job.dec.group_id, cases[i].group);
		else
			assert_null(f.job.dec.group_id.data);
		fixture_job_free(&f);
		policy_unref(policy);
	}
	remove_folder(folder);
}

static void reasons_can_be_read(void **state)
{
	(void)state;
	char *folder = folder_with_groups();
	struct policy *policy = fixture_policy(POLICY(", far: 0.5"), folder);
	struct fixture_job f;
	fixture_job_init(&f, "x");
	decide(policy, &f, (const float[DIM]){0.3f, 0, 1});
	assert_str(f.job.dec.reason, "far from every group: nearest is g1 (0.29, from 0.50 on it is near)");
	decide(policy, &f, (const float[DIM]){1});
	assert_str(f.job.dec.trace[0].reason, "of the group g1 (1.00, 0.50 is near)");
	assert_str(f.job.dec.unsure_reason, "no stage was confident (outlier 0.00 of 0.50)");
	decide(policy, &f, NULL);
	assert_str(f.job.dec.trace[0].reason, "the record has no embedding");
	assert_int_equal(f.job.dec.trace[0].verdict, VERDICT_PASS);
	decide(policy, &f, (const float[DIM]){0});
	assert_int_equal(f.job.dec.trace[0].verdict, VERDICT_FAILED);
	fixture_job_free(&f);
	policy_unref(policy);
	remove_folder(folder);
}

static void a_smaller_share_takes_more_as_near(void **state)
{
	(void)state;
	char *folder = folder_with_groups();
	struct policy *wide = fixture_policy(POLICY(", far_share: 0.01"), folder), *narrow = fixture_policy(POLICY(", far_share: 0.50"), folder);
	assert_true(!str_eq(policy_decision_version(wide), policy_decision_version(narrow)));
	uint64_t seed = 12;
	uint32_t far_wide = 0, far_narrow = 0;
	for (int i = 0; i < 300; i++) {
		float v[DIM] = {1};
		struct fixture_job f;
		for (int d = 0; d < DIM; d++)
			v[d] += 0.1f * ((float)(next(&seed) % 2000) / 1000.0f - 1);
		fixture_job_init(&f, "x");
		decide(wide, &f, v);
		bool far = f.job.dec.trace[0].verdict == VERDICT_DECIDED;
		decide(narrow, &f, v);
		far_wide += far;
		far_narrow += f.job.dec.trace[0].verdict == VERDICT_DECIDED;
		assert_true(!far || f.job.dec.trace[0].verdict == VERDICT_DECIDED);
		fixture_job_free(&f);
	}
	assert_true(far_wide < 15 && far_narrow > 100 && far_narrow < 200);
	policy_unref(wide);
	policy_unref(narrow);
	remove_folder(folder);
}

static void the_group_comes_back_from_the_cache(void **state)
{
	(void)state;
	char *folder = folder_with_groups();
	struct policy *policy = fixture_policy(POLICY(""), folder);
	struct fixture_job f, hit;
	fixture_job_init(&f, "x");
	fixture_job_init(&hit, "x");
	decide(policy, &f, (const float[DIM]){1});
	struct str packed = route_pack(policy, &f.job);
	assert_non_null(packed.data);
	assert_int_equal(route_unpack(policy, packed, &hit.job), RC_OK);
	assert_str(hit.job.dec.group_id, "g1");
	assert_str(hit.job.dec.route_name, "careful");
	fixture_job_free(&f);
	fixture_job_free(&hit);
	policy_unref(policy);
	remove_folder(folder);
}

static void what_is_wrong_in_the_settings_is_pointed_at(void **state)
{
	(void)state;
	static const struct {
		const char *policy, *says;
	} cases[] = {
		{ROUTES "- outlier: {route: accurate}\n", "groups"},
		{ROUTES "- outlier: {groups: g.pmv}\n", "route"},
		{ROUTES "- outlier: {groups: h.pmv, route: accurate}\n", "h.pmv"},
		{ROUTES "- outlier: {groups: g.pmv, route: acurate}\n", "did you mean \"accurate\""},
		{POLICY(", near_route: nowhere"), "nowhere"},
		{POLICY(", far: 1.2"), "from 0 to 1"},
		{POLICY(", far: near"), "from 0 to 1"},
		{POLICY(", far_share: 0.02"), "0.02"},
		{ROUTES "- outlier: {groups: bad.pmv, route: accurate}\n", "bad.pmv"},
	};
	char *folder = folder_with_groups();
	fixture_file(folder, "bad.pmv", "nonsense", 8);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct policy *policy = NULL;
		struct err err = {""};
		assert_int_equal(policy_parse("policy.yaml", str_of(cases[i].policy), folder, &fixture_settings, &policy, &err), RC_BAD_INPUT);
		assert_non_null(strstr(err.text, "policy.yaml:"));
		if (strstr(err.text, cases[i].says) == NULL)
			fail_msg("%s", err.text);
	}
	fixture_remove_folder(folder, (const char *const[]){"g.pmv", "bad.pmv", NULL});
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(near_is_named_and_far_goes_to_the_careful_route),
		cmocka_unit_test(reasons_can_be_read),
		cmocka_unit_test(a_smaller_share_takes_more_as_near),
		cmocka_unit_test(the_group_comes_back_from_the_cache),
		cmocka_unit_test(what_is_wrong_in_the_settings_is_pointed_at),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
