/*
 * calibrate_gain.c: the threshold of a policy's difficulty stage, from judged answers of both models.
 *
 * The one idea: the rows that count are those that reach the stage, and that its model has not learned; of their scores and outcomes
 * every threshold's share, quality and cost are known.
 */
#include <math.h>
#include <stdlib.h>

#include "common/hmac.h"
#include "common/json.h"
#include "worker/cli/calibrate.h"
#include "worker/cli/cli_table.h"
#include "worker/cli/data_rows.h"
#include "worker/cli/outcome_rows.h"
#include "worker/lab/policy_edit.h"

enum { FIRST_ROWS = 1024, LEAST_ROWS = 100 };

static const char usage[] = "-c FILE DATA --strong-share X | --target-quality X [OPTION...]\n";
static const char about[] =
    "Proposes the threshold of the policy's difficulty stage, as a unified diff of the policy file, from rows with the judged\n"
    "answers of both models (as for `pointsman train --gain`). Rows that the model of gains was trained on prove nothing and\n"
    "are left out: keep some apart. Rows that an earlier stage decides do not count. Calls nobody; changes nothing.\n";
static const char notes[] = "Exit codes: 0 proposed, 4 the goal is out of reach or there are fewer than 100 rows, 3 configuration or data.\n";
static const char example[] = "pointsman calibrate -c pointsman.yaml judged.jsonl --strong-share 30% | tee proposal | patch -p0\n";

struct work {
	struct calibrate_asked asked;
	struct calibrate_work base; /* policy, its text and diff */
	double strong_share, quality; /* NAN: not the goal */
	uint32_t stage;
	struct route_scratch *scratch;
	struct sha256 *hash;
	struct gain_outcome *outcomes;
	uint32_t count, cap;
	int64_t earlier, learned, passed, without_quality;
	struct curve curve;
	uint32_t point;
	bool reached;
};

static enum rc take(void *ctx, const struct dataset_row *row, struct arena *arena, struct err *err)
{
	struct work *w = ctx;
	struct str text = data_rows_text(w->base.policy, row, arena);
	struct gain_outcome outcome;
	enum rc rc = outcome_rows_read(row, &outcome, err);
	if (rc != RC_OK)
		return rc;
	if (isnan(outcome.weak) || isnan(outcome.strong)) {
		w->without_quality++;
		return RC_OK;
	}
	struct job job = {.state = JOB_DECODED, .req = row->req, .dec = {.route = -1, .policy = w->base.policy}, .call = {.model = -1}};
	arena_init(&job.arena, 16384);
	struct stage_answer *answers = arena_array(&job.arena, policy_stage_count(w->base.policy), sizeof *answers), own;
	bool earlier = false;
	route_ask_all(w->base.policy, w->scratch, &job, answers);
	for (uint32_t s = 0; s < w->stage; s++)
		earlier = earlier || answers[s].verdict == VERDICT_DECIDED;
	own = answers[w->stage];
	arena_free(&job.arena);
	bool passed = own.verdict != VERDICT_DECIDED; /* of another language, say */
	w->earlier += earlier;
	w->passed += !earlier && passed;
	w->learned += !earlier && !passed && own.learned;
	if (earlier || passed || own.learned)
		return RC_OK;
	outcome.score = own.score;
	sha256_add_field(w->hash, text);
	sha256_add(w->hash, &outcome.weak, sizeof outcome.weak);
	sha256_add(w->hash, &outcome.strong, sizeof outcome.strong);
	if (w->count == w->cap) {
		w->cap = w->cap == 0 ? FIRST_ROWS : w->cap * 2;
		w->outcomes = heap_resize(w->outcomes, w->cap, sizeof *w->outcomes);
	}
	w->outcomes[w->count++] = outcome;
	return RC_OK;
}

static int find_stage(struct work *w)
{
	for (w->stage = 0; w->stage < policy_stage_count(w->base.policy); w->stage++)
		if (strcmp(policy_stage_info(w->base.policy, w->stage).name, "difficulty") == 0)
			return EXIT_DONE;
	fprintf(stderr, "%s: the policy has no difficulty stage; --strong-share and --target-quality choose its threshold\n",
	        w->base.settings->policy_file.data);
	return EXIT_CONFIG;
}

static void choose(struct work *w)
{
	struct arena *arena = &w->base.arena;
	struct curve_row *rows = arena_array(arena, (size_t)w->count + 1, sizeof *rows);
	gain_curve_rows(w->outcomes, w->count, rows);
	w->curve = curve_make(rows, w->count, arena);
	w->reached = true;
	if (!isnan(w->strong_share))
		w->point = gain_share_point(&w->curve, w->strong_share);
	else
		w->reached = curve_choose(&w->curve, 1, gain_quality_goal(w->outcomes, w->count, w->quality), &w->point);
}

/* Within what the option allows: the curve's ends lie beyond all scores. */
static double threshold_of(const struct curve_point *p)
{
	return p->threshold > 1 ? 1 : p->threshold < -1 ? -1 : p->threshold;
}

static enum rc load(struct work *w, struct str text, struct policy **ret, struct err *err)
{
	const char *path = w->base.settings->policy_file.data, *slash = strrchr(path, '/');
	struct str folder = slash == NULL ? STR(".") : slash == path ? STR("/") : (struct str){path, (size_t)(slash - path)};
	return policy_parse(path, text, arena_cstr(&w->base.arena, folder), w->base.settings, ret, err);
}

/* The text is made twice: what is loaded of the first one tells the seal that the second one bears. */
static enum rc propose(struct work *w, struct err *err)
{
	const char *path = w->base.settings->policy_file.data;
	struct arena *arena = &w->base.arena;
	struct stage_info now = policy_stage_info(w->base.policy, w->stage);
	struct policy_edit_stage edit = {.stage = w->stage, .key = "threshold", .accept = threshold_of(&w->curve.points[w->point]),
	                                 .accept_comment = arena_printf(arena, "was %g", now.accept), .data = str_of(w->base.digest),
	                                 .seal = STR("0000000000000000"), .rows = w->count};
	edit.comment = !isnan(w->strong_share) ? arena_printf(arena, "at most %g %% to the strong model", w->strong_share * 100)
	                                       : arena_printf(arena, "%g %% of the strong model's quality", w->quality * 100);
	if (now.calibration == CALIBRATION_HOLDS && str_is(now.data, w->base.digest) && now.accept == edit.accept)
		return RC_OK;
	struct stage_info info = {0};
	for (int round = 0; round < 2; round++) {
		struct policy *policy = NULL;
		enum rc rc = policy_edit(path, w->base.policy_text, &edit, 1, arena, &w->base.proposed_text, &w->base.diff, err);
		if (rc == RC_OK)
			rc = load(w, w->base.proposed_text, &policy, err);
		if (rc == RC_OK) {
			info = policy_stage_info(policy, w->stage);
			edit.seal = arena_str(arena, info.seal);
		}
		policy_unref(policy);
		if (rc != RC_OK)
			return rc;
	}
	if (info.calibration != CALIBRATION_HOLDS || info.accept != edit.accept)
		return err_set(err, RC_BAD_INPUT, "%s: its difficulty stage is written in a way that calibrate cannot change; --json says the threshold", path);
	return RC_OK;
}

/* ---- report ---------------------------------------------------------------------------------------------------------- */

static double share_of_strong(const struct work *w, uint32_t point)
{
	return (double)w->curve.points[point].taken / (double)w->curve.rows;
}

static double quality_at(const struct work *w, uint32_t point)
{
	return 1 - w->curve.points[point].errors / (double)w->curve.rows;
}

/* What a threshold does: the last point that takes nothing under it. */
static uint32_t point_of(const struct work *w, double threshold)
{
	uint32_t at = 0;
	while (at + 1 < w->curve.count && w->curve.points[at + 1].threshold >= threshold)
		at++;
	return at;
}

static void tell_json(struct work *w, const struct stage_info *now)
{
	struct buf out;
	buf_init(&out, &w->base.arena, 4096);
	struct curve thin = curve_thin(&w->curve, 200, &w->base.arena);
	buf_char(&out, '{');
	json_member_i64(&out, "rows", w->count);
	json_member_i64(&out, "rows_decided_earlier", w->earlier);
	json_member_i64(&out, "rows_learned", w->learned);
	json_member_i64(&out, "rows_passed", w->passed);
	json_member_i64(&out, "rows_without_quality", w->without_quality);
	json_member_double(&out, "threshold_now", now->accept);
	json_member_double(&out, "threshold", threshold_of(&w->curve.points[w->point]));
	json_member_double(&out, "strong_share", share_of_strong(w, w->point));
	json_member_double(&out, "quality", quality_at(w, w->point));
	json_member_double(&out, "quality_all_strong", quality_at(w, w->curve.count - 1));
	json_member_double(&out, "quality_all_weak", quality_at(w, 0));
	json_member_bool(&out, "reached", w->reached);
	json_key(&out, "curve");
	buf_char(&out, '[');
	for (uint32_t i = 0; i < thin.count; i++) {
		json_sep(&out);
		buf_char(&out, '{');
		json_member_double(&out, "threshold", thin.points[i].threshold);
		json_member_i64(&out, "strong", thin.points[i].taken);
		json_member_double(&out, "quality", 1 - thin.points[i].errors / (double)thin.rows);
		json_member_double(&out, "cost_usd", thin.points[i].cost);
		buf_char(&out, '}');
	}
	buf_char(&out, ']');
	json_member_str(&out, "diff", w->base.diff);
	buf_cstr(&out, "}\n");
	fwrite(out.data, 1, out.len, stdout); /* main looks at the stream's state */
}

static void row(struct work *w, struct cli_table *table, const char *what, uint32_t point)
{
	struct arena *arena = &w->base.arena;
	const struct curve_point *p = &w->curve.points[point];
	const char *cells[] = {what, arena_printf(arena, "%.3g", threshold_of(p)).data, arena_printf(arena, "%.1f %%", 100 * share_of_strong(w, point)).data,
	                       arena_printf(arena, "%.3f", quality_at(w, point)).data,
	                       arena_printf(arena, "%.1f %%", 100 * quality_at(w, point) / quality_at(w, w->curve.count - 1)).data,
	                       p->cost > 0 ? arena_printf(arena, "%.6f", p->cost / (double)w->curve.rows).data : "-"};
	cli_table_row(table, cells);
}

static void tell(struct work *w)
{
	struct stage_info now = policy_stage_info(w->base.policy, w->stage);
	if (w->asked.json) {
		tell_json(w, &now);
		return;
	}
	printf("data          %s: %u rows count; left out: %lld that earlier stages decide, %lld that the model was trained on, %lld that it "
	       "passes, %lld without both qualities\n\n",
	       w->asked.data, w->count, (long long)w->earlier, (long long)w->learned, (long long)w->passed, (long long)w->without_quality);
	struct cli_table *table = cli_table_new("lrrrrr", (const char *const[]){"", "threshold", "to strong", "quality", "of strong's", "USD a row", NULL});
	row(w, table, "all weak", 0);
	row(w, table, "now", point_of(w, now.accept));
	row(w, table, "proposed", w->point);
	row(w, table, "all strong", w->curve.count - 1);
	cli_table_print(table, stdout);
	if (!w->reached)
		printf("\nout of reach  what is proposed comes nearest\n");
	if (w->base.diff.data != NULL)
		printf("\n%.*s", STR_ARG(w->base.diff));
	else
		printf("\nThe policy says so already.\n");
}

/* ---- the command ----------------------------------------------------------------------------------------------------- */

static int conclude(struct work *w)
{
	struct err err;
	uint8_t digest[SHA256_BYTES];
	sha256_end(w->hash, digest);
	hex_encode(digest, sizeof w->base.digest / 2, w->base.digest);
	if (w->count < LEAST_ROWS) {
		fprintf(stderr, "%s: %u rows count, and %d are the least; %lld were left out because the model was trained on them, %lld because earlier "
		                "stages decide them\n", w->asked.data, w->count, LEAST_ROWS, (long long)w->learned, (long long)w->earlier);
		return EXIT_CHECK;
	}
	choose(w);
	if (propose(w, &err) != RC_OK && !w->asked.json)
		return cli_fail(&err, EXIT_CONFIG);
	tell(w);
	int code = w->asked.write && w->base.diff.data != NULL ? calibrate_write(&w->base) : EXIT_DONE;
	return code == EXIT_DONE && !w->reached ? EXIT_CHECK : code;
}

static int calibrate_policy(struct work *w, const struct settings *settings, struct data_rows *rows)
{
	const char *path = settings->policy_file.data;
	struct err err;
	w->base.settings = settings;
	w->base.asked = &w->asked;
	if (config_read_file(&w->base.arena, path, MAX_POLICY_BYTES, &w->base.policy_text, &err) != RC_OK ||
	    policy_load(path, settings, &w->base.policy, &err) != RC_OK)
		return cli_fail(&err, EXIT_CONFIG);
	int code = find_stage(w);
	w->scratch = route_scratch_new(w->base.policy);
	w->hash = sha256_new();
	sha256_begin(w->hash);
	rows->take = take;
	rows->ctx = w;
	if (code == EXIT_DONE)
		code = data_rows_read(rows);
	if (code == EXIT_DONE)
		code = conclude(w);
	sha256_free(w->hash);
	route_scratch_free(w->scratch);
	policy_unref(w->base.policy);
	free(w->outcomes);
	return code;
}

/* Above 0, at most 1. */
static enum rc take_share(double *share, const char *name, const char *text, struct err *err)
{
	if (cli_share(text, share) && *share > 0 && *share <= 1)
		return RC_OK;
	return err_set(err, RC_BAD_INPUT, "--%s takes a share up to 1, such as 30%% or 0.3, not \"%s\"", name, text);
}

static enum rc take_strong_share(void *ctx, const char *text, struct err *err)
{
	return take_share(&((struct work *)ctx)->strong_share, "strong-share", text, err);
}

static enum rc take_quality(void *ctx, const char *text, struct err *err)
{
	return take_share(&((struct work *)ctx)->quality, "target-quality", text, err);
}

static bool read_options(const struct command *self, int argc, char **argv, struct work *w, struct data_rows *rows, int *ret_code)
{
	struct calibrate_asked *asked = &w->asked;
	const struct arg args[] = {
		{.operand = &asked->data, .needed = CLI_DATA_NEEDED},
		{0, "strong-share", "X", "send at most X (30% or 0.3) of the texts that reach the stage to the strong model", .take = take_strong_share,
		 .ctx = w},
		{0, "target-quality", "X", "keep X (95% or 0.95) of the strong model's mean quality, with as few texts to it as possible",
		 .take = take_quality, .ctx = w},
		{'c', "config", "FILE", "the configuration, which names the policy", .text = &asked->config},
		{'f', "field", "NAME=PATH", "a field stands elsewhere: weak.quality=scores.small", .take = cli_take_field, .ctx = &asked->fields},
		{0, "skip-bad", NULL, CLI_SKIP_BAD_HELP, .flag = &rows->skip_bad},
		{0, "write", NULL, "change the policy file; whole or not at all", .flag = &asked->write},
		{0, "json", NULL, "one JSON object, with the curve", .flag = &asked->json},
		{0},
	};
	if (!cli_args(self, args, argc, argv, ret_code))
		return false;
	rows->path = asked->data;
	bool one_goal = isnan(w->strong_share) != isnan(w->quality);
	if (!one_goal)
		*ret_code = cli_usage(self, "one goal at a time: --strong-share or --target-quality");
	return one_goal;
}

static int run(const struct command *self, int argc, char **argv)
{
	struct work w = {.strong_share = NAN, .quality = NAN};
	struct data_rows rows = {.fields = &w.asked.fields};
	struct settings settings;
	int code = EXIT_DONE;
	if (!read_options(self, argc, argv, &w, &rows, &code))
		return code;
	arena_init(&w.base.arena, 1 << 20);
	if (!outcome_rows_fields(&w.asked.fields, w.asked.data, &w.base.arena))
		code = cli_usage(self, "there are too many --field options");
	if (code == EXIT_DONE)
		code = cli_settings_no_secrets(self, w.asked.config, &settings);
	if (code == EXIT_DONE) {
		code = calibrate_policy(&w, &settings, &rows);
		settings_free(&settings);
	}
	arena_free(&w.base.arena);
	return code;
}

const struct command command_calibrate_gain = {
	.name = "calibrate", .usage = usage, .about = about, .notes = notes, .example = example, .run = run,
};
