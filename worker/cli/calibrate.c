/*
 * calibrate.c: `pointsman calibrate`: thresholds for a policy's stages from rows with labels, as a diff to review.
 */
#include <math.h>
#include <stdlib.h>

#include "worker/cli/calibrate.h"
#include "worker/cli/prices.h"
#include "worker/lab/costs.h"

enum { FOLDS = 5, MOST_FOLDS = 50, ROUTE_ROWS = 50 };

static const char usage[] = "-c FILE DATA GOAL [OPTION...]\n";
static const char about[] =
    "Proposes thresholds for the stages that have some, as a unified diff of the policy file, and says what to expect of\n"
    "them on rows that they were not chosen on. Changes nothing by itself: apply the diff with `patch`, or say --write.\n"
    "Calls nobody, and needs no services and no secrets. DATA is as for `pointsman eval`; 500 to 1,000 rows are a start.\n"
    "For the difficulty stage, from judged answers: see pointsman calibrate --strong-share 30% --help\n";
static const char notes[] =
    "A row never vouches for itself. One that is an example of the policy is compared with the other examples; one that a\n"
    "classifier was trained on is answered by classifiers trained on the other folds; rows of equal text are in one fold.\n"
    "Where the rows do not show that the goal is kept, a stage keeps its thresholds, and it is said what is missing.\n"
    "Exit codes: 0 proposed, 4 nothing could be proposed, 3 configuration or data.\n";
static const char example[] = "pointsman calibrate -c pointsman.yaml tickets.jsonl --target-misroute 3% | tee proposal | patch -p0\n";

/* There is one goal. */
static enum rc take_goal(struct calibrate_asked *asked, enum curve_goal_kind kind, struct err *err)
{
	if (asked->has_goal)
		return err_set(err, RC_BAD_INPUT, "one goal at a time: --target-misroute, --target-share or --minimise cost");
	asked->has_goal = true;
	asked->goal = (struct curve_goal){kind, 0};
	return RC_OK;
}

static enum rc take_share(struct calibrate_asked *asked, const char *name, const char *text, struct err *err)
{
	double *share = &asked->goal.value;
	if (cli_share(text, share) && *share > 0 && *share < 1)
		return RC_OK;
	return err_set(err, RC_BAD_INPUT, "--%s takes a share between 0 and 1, such as 3%% or 0.03, not \"%s\"", name, text);
}

static enum rc take_misroute(void *ctx, const char *text, struct err *err)
{
	enum rc rc = take_goal(ctx, CURVE_MISROUTE, err);
	return rc == RC_OK ? take_share(ctx, "target-misroute", text, err) : rc;
}

static enum rc take_decided(void *ctx, const char *text, struct err *err)
{
	enum rc rc = take_goal(ctx, CURVE_SHARE, err);
	return rc == RC_OK ? take_share(ctx, "target-share", text, err) : rc;
}

static enum rc take_least(void *ctx, const char *text, struct err *err)
{
	if (strcmp(text, "cost") != 0)
		return err_set(err, RC_BAD_INPUT, "--minimise takes cost, not \"%s\"", text);
	return take_goal(ctx, CURVE_COST, err);
}

static bool read_options(const struct command *self, int argc, char **argv, struct calibrate_asked *asked, int *ret_code)
{
	const struct arg args[] = {
		{.operand = &asked->data, .needed = CLI_DATA_NEEDED},
		{.help = "One goal:"},
		{0, "target-misroute", "X", "decide as much as possible, with at most X (3% or 0.03) of what a stage decides wrong", .take = take_misroute,
		 .ctx = asked},
		{0, "target-share", "X", "let the stages decide X of all rows, with as few misroutes as possible", .take = take_decided, .ctx = asked},
		{0, "minimise", "cost", "as little cost of errors as possible; needs `costs` in the policy, or --costs", .take = take_least, .ctx = asked},
		{0, "minimize", "cost", NULL, .take = take_least, .ctx = asked},
		{.help = "And:"},
		{'c', "config", "FILE", "the configuration, which names the policy", .text = &asked->config},
		{0, "policy", "FILE", CLI_POLICY_HELP, .text = &asked->policy},
		{'f', "field", "NAME=PATH", "a field stands elsewhere: text=ticket.body, label=ticket.queue", .take = cli_take_field, .ctx = &asked->fields},
		{0, "costs", "FILE", "what errors cost, in place of the policy's", .text = &asked->costs},
		{0, "folds", "N", "parts that the rows are split into; each is decided by what the others chose", .number = &asked->folds, .least = 2,
		 .most = MOST_FOLDS},
		{0, "route-rows", "N", "rows that a route needs for a threshold of its own; the others share one", .number = &asked->route_rows,
		 .least = 1, .most = DATASET_MAX_ROWS},
		{0, "limit", "N", "only the first N rows", .number = &asked->limit, .least = 1, .most = DATASET_MAX_ROWS},
		{0, "skip-bad", NULL, CLI_SKIP_BAD_HELP, .flag = &asked->skip_bad},
		{0, "write", NULL, "change the policy file; whole or not at all", .flag = &asked->write},
		{0, "json", NULL, "one JSON object, with the curve of each stage's threshold", .flag = &asked->json},
		{0},
	};
	if (!cli_args(self, args, argc, argv, ret_code))
		return false;
	if (!asked->has_goal)
		*ret_code = cli_usage(self, "a goal is needed: --target-misroute 3%%, --target-share 80%% or --minimise cost");
	return asked->has_goal;
}

static int prepare(struct calibrate_work *work)
{
	struct err err;
	double *costs = NULL;
	const struct calibrate_asked *asked = work->asked;
	const char *path = work->settings->policy_file.data;
	if (config_read_file(&work->arena, path, MAX_POLICY_BYTES, &work->policy_text, &err) != RC_OK ||
	    policy_load(path, work->settings, &work->policy, &err) != RC_OK ||
	    (asked->costs != NULL && costs_load(asked->costs, work->policy, &work->arena, &costs, &err) != RC_OK))
		return cli_fail(&err, EXIT_CONFIG);
	uint32_t count = policy_stage_count(work->policy);
	work->stages = arena_array(&work->arena, count, sizeof *work->stages);
	work->learned = arena_array(&work->arena, count, sizeof *work->learned);
	bool any = false;
	for (uint32_t i = 0; i < count; i++) {
		work->stages[i] = policy_stage_info(work->policy, i);
		any = any || work->stages[i].thresholds != NULL;
	}
	work->eval = (struct eval_setup){.routes = policy_route_count(work->policy),
	                                 .when_unsure = policy_when_unsure(work->policy),
	                                 .costs = costs != NULL ? costs : policy_costs(work->policy),
	                                 .prices = prices_of_routes(work->settings, work->policy, &work->arena)};
	if (!any) {
		fprintf(stderr, "%s: no stage of the policy has thresholds; there is nothing to calibrate\n", path);
		return EXIT_CONFIG;
	}
	if (asked->goal.kind == CURVE_COST && work->eval.costs == NULL) {
		fprintf(stderr, "%s: --minimise cost needs to know what errors cost: add \"costs: {ROUTE->OTHER: 25.00, default: 1}\" to the policy\n", path);
		return EXIT_CONFIG;
	}
	return EXIT_DONE;
}

static void report(struct calibrate_work *work)
{
	if (!work->asked->json) {
		calibrate_report_text(work, stdout);
		return;
	}
	struct buf out;
	buf_init(&out, &work->arena, 64 * 1024);
	calibrate_report_json(work, &out);
	fwrite(out.data, 1, out.len, stdout); /* main looks at the stream's state */
}

static int calibrate_policy(const struct settings *settings, const struct calibrate_asked *asked)
{
	struct calibrate_work work = {.asked = asked, .settings = settings};
	arena_init(&work.arena, 1 << 20);
	int code = prepare(&work);
	if (code == EXIT_DONE)
		code = calibrate_read(&work);
	if (code == EXIT_DONE) {
		struct calibrate_setup setup = {.rows = work.rows, .row_count = work.count, .folds = (uint32_t)asked->folds, .stages = work.stages,
		                                .stage_count = policy_stage_count(work.policy), .eval = work.eval, .goal = asked->goal,
		                                .route_rows = (uint32_t)asked->route_rows};
		calibrate(&setup, &work.arena, &work.result);
		code = calibrate_propose(&work);
	}
	if (code == EXIT_DONE) {
		report(&work);
		if (asked->write && work.diff.data != NULL)
			code = calibrate_write(&work);
		if (code == EXIT_DONE && !(calibrate_chose(&work) && work.result.reached))
			code = EXIT_CHECK;
	}
	calibrate_free(&work.result);
	free(work.rows);
	free(work.texts);
	policy_unref(work.policy);
	arena_free(&work.arena);
	return code;
}

static int run(const struct command *self, int argc, char **argv)
{
	struct calibrate_asked asked = {.folds = FOLDS, .route_rows = ROUTE_ROWS};
	struct settings settings;
	int code = EXIT_DONE;
	if (args_have(argc, argv, "--strong-share") || args_have(argc, argv, "--target-quality"))
		return command_calibrate_gain.run(&command_calibrate_gain, argc, argv);
	if (!read_options(self, argc, argv, &asked, &code))
		return code;
	code = cli_settings_no_secrets(self, asked.config, &settings);
	if (code != EXIT_DONE)
		return code;
	if (asked.policy != NULL)
		settings.policy_file = str_of(asked.policy);
	code = calibrate_policy(&settings, &asked);
	settings_free(&settings);
	return code;
}

const struct command command_calibrate = {
	.name = "calibrate", .summary = "propose thresholds from rows with labels", .usage = usage, .about = about,
	.notes = notes, .example = example, .run = run,
};
